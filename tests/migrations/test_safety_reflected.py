"""The linter with the tables of a real database, which tells types in its own words."""

from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from alembic import op

from carboy.data.migrations import kinds, ops
from carboy.data.migrations.lint import tables_of
from carboy.data.migrations.safety import review

TYPES = {
    "text": kinds.text(40),
    "long": kinds.text(),
    "whole": kinds.integer(),
    "exact": kinds.decimal(8, 2),
    "number": kinds.number(),
    "truth": kinds.boolean(),
    "moment": kinds.datetime(),
    "day": kinds.date(),
    "uuid": kinds.uuid(),
    "bytes": kinds.binary(),
    "json": kinds.json(),
    "choice": kinds.choice(9),
}


@pytest.fixture
def known(engine, migrate):
    """The tables as reflected, of every kind of column that a model has."""

    def upgrade():
        op.create_table(
            "books",
            sa.Column("id", kinds.integer(), primary_key=True),
            *(sa.Column(name, kind) for name, kind in TYPES.items()),
            sa.CheckConstraint("choice IN ('a', 'b')", name="ck_books_choice"),
            **kinds.options(),
        )

    migrate(engine, upgrade)
    with engine.connect() as connection:
        return engine.dialect.name, tables_of(connection)


def entries(known, upgrade):
    dialect, existing = known
    found = review(SimpleNamespace(upgrade=upgrade), dialect, existing=existing)
    return [complaint.entry.removeprefix("unsafe.") for complaint in found]


def to(name, kind, before):
    def upgrade():
        with ops.alter_table("books") as table:
            table.alter_column(name, type_=kind, existing_type=before, existing_nullable=True)

    return upgrade


def test_a_longer_text_of_a_model_is_safe(known):
    """Collations, which a database may not tell, are not taken for a change."""
    assert entries(known, to("text", kinds.text(60), kinds.text(40))) == []


def test_a_type_that_stays_is_safe(known):
    """Each that a model has."""
    for name, kind in TYPES.items():
        assert entries(known, to(name, kind, kind)) == [], name


def test_what_the_migration_says_of_before_is_held_against_the_tables(known):
    """A text that is shorter than what is there is not longer because it says so."""
    assert entries(known, to("text", kinds.text(30), kinds.text(20))) == ["type books.text"]


def test_another_type_is_unsafe(known):
    """Whatever the database calls it."""
    assert entries(known, to("whole", kinds.text(20), kinds.integer())) == ["type books.whole"]
    assert entries(known, to("text", kinds.datetime(), kinds.text(40))) == ["type books.text"]


def test_values_of_a_check_are_found(known):
    """In the condition as the database writes it."""

    def values(*allowed):
        def upgrade():
            with ops.alter_table("books") as table:
                table.drop_constraint("ck_books_choice", type_="check")
            said = ", ".join(f"'{one}'" for one in allowed)
            ops.add_check("ck_books_choice", "books", f"choice IN ({said})")

        return upgrade

    slow = ["check books.ck_books_choice"] if known[0] == "mariadb" else []
    assert entries(known, values("a", "b", "c")) == slow
    assert entries(known, values("a")) == ["enum books.ck_books_choice", *slow]
