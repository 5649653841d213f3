"""Nothing differs where nothing was changed: every kind of field, on each database."""

import enum
import uuid
from datetime import date, datetime, time
from decimal import Decimal

import pytest
from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    func,
    inspect,
    text,
    true,
)
from sqlalchemy.orm import Mapped

from carboy.data.constraints import check, unique
from carboy.data.fields import field
from carboy.data.migrations.checks import plain
from carboy.data.migrations.runner import Options, downgrade, upgrade
from carboy.data.mixins import Timestamps, Versioned
from carboy.data.relations import belongs_to, has_many, many_to_many


class State(enum.Enum):
    DRAFT = "draft"
    PUBLISHED = "published"


class Level(enum.Enum):
    LOW = 1
    HIGH = 2


def everything(Base):
    """Declare every kind of field, relation and constraint there is."""

    class Author(Base):
        name: Mapped[str] = field(max_length=100, unique=True, min_length=2)
        boss: Mapped["Author | None"] = belongs_to(on_delete="set_null")
        books: Mapped[list["Book"]] = has_many()

    class Tag(Base):
        word: Mapped[str] = field(max_length=30, key=True)

    class Book(Timestamps, Versioned, Base):
        title: Mapped[str] = field(max_length=200, search=True, index=True)
        text: Mapped[str] = field(search=True)
        order: Mapped[int | None] = field(ge=0, le=100)
        price: Mapped[Decimal] = field(digits=10, places=2, ge=Decimal("0.50"), server_default="0")
        ratio: Mapped[float] = field(ge=0.0, default=1.0)
        state: Mapped[State] = field(default=State.DRAFT)
        level: Mapped[Level | None] = field()
        lang: Mapped[str] = field(max_length=2, choices=("de", "en"), server_default="en")
        active: Mapped[bool] = field(default=True, server_default=true())
        born: Mapped[date | None] = field(ge=date(1900, 1, 1))
        wakes: Mapped[time | None] = field()
        seen: Mapped[datetime] = field(server_default=func.now())
        key: Mapped[uuid.UUID] = field(default=uuid.uuid4, unique=True)
        blob: Mapped[bytes | None] = field()
        data: Mapped[dict] = field(default=dict)
        items: Mapped[list] = field(default=list)
        starts: Mapped[int] = field(default=0)
        ends: Mapped[int] = field(default=1)
        author: Mapped[Author] = belongs_to(on_delete="cascade")
        constraints = (
            unique("author", "title"),
            check("order", lambda c: c.ends > c.starts, "It ends after it starts."),
            check("lower", lambda c: func.lower(c.lang) == c.lang, "In lower case."),
            check("either", lambda c: (c.starts > 0) | c.blob.is_(None), "Only one."),
            check("like", lambda c: c.title.like("%a:b%"), "It has a:b in it."),
            check("between", lambda c: c.ends.between(-5, 5), "Near."),
        )

    class Note(Base):
        book: Mapped[Book] = belongs_to(unique=True)
        labels: Mapped[list["Label"]] = many_to_many()

    class Label(Base):
        word: Mapped[str] = field(max_length=30)
        notes: Mapped[list[Note]] = many_to_many()


def test_tables_made_from_the_models_do_not_differ(project):
    """create_all, then diff: nothing."""
    target = project.models(everything)
    target.sources[0].create_all(project.engine)

    assert project.differs(target) == []


@pytest.mark.slow
def test_tables_made_by_a_migration_do_not_differ(project):
    """make, upgrade, then diff: nothing; and it can all be taken back."""
    target = project.models(everything)
    project.write(target)

    upgrade(target)
    assert project.differs(target) == []
    assert project.write(target).changes == []

    downgrade(target, "base")
    assert set(inspect(project.engine).get_table_names()) <= {"carboy_migrations"}


@pytest.mark.slow
def test_a_migration_makes_what_create_all_makes(on_file):
    """On SQLite, where the text of a table is kept: down to the order of its columns."""
    target = on_file.models(everything)
    on_file.write(target)
    upgrade(target)
    by_migration = tables_of(on_file.engine)
    target.sources[0].drop_all(on_file.engine)
    target.sources[0].create_all(on_file.engine)

    assert tables_of(on_file.engine) == by_migration


def tables_of(engine):
    """Return {name: its parts, sorted} of tables and indexes as SQLite keeps them."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT name, sql FROM sqlite_master"
                " WHERE sql IS NOT NULL AND name <> 'carboy_migrations'"
            )
        ).all()
    return {name: sorted(line.strip(" ,") for line in sql.splitlines()) for name, sql in rows}


def test_plain_tables_of_others_are_kept_too(project):
    """Metadata that the application names are compared and migrated like models."""
    others = MetaData()
    Table("shelves", others, Column("id", Integer, primary_key=True), Column("code", String(20)))
    Table(
        "boxes", others, Column("id", Integer, primary_key=True),
        Column("shelf_id", ForeignKey("shelves.id", name="fk_boxes"), index=True),
        Index("ix_boxes_both", "id", "shelf_id", unique=True),
    )  # fmt: skip
    target = project.models(lambda Base: None, others)
    project.write(target)

    upgrade(target)

    assert project.differs(target) == []
    assert project.write(target).changes == []


def test_tables_of_nobody_are_left_alone(project):
    """A table that neither a model nor a migration names is not ours to drop."""
    with project.engine.begin() as connection:
        connection.execute(text("CREATE TABLE strangers (id INTEGER)"))
    target = project.models(lambda Base: None)

    assert project.write(target).changes == []
    upgrade(target, options=Options())
    assert inspect(project.engine).has_table("strangers")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("price >= 0.50", "(price >= 0.50)"),
        ('"order" >= 0', '"order" >= 0'),
        (
            "kind IN ('a', 'B c')",
            "kind::text = ANY (ARRAY['a'::character varying, 'B c'::text]::text[])",
        ),
        ("length(a) > 2", "`length`(`a`) > 2"),
        ("born >= '1900-01-01'", "born >= '1900-01-01'::date"),
        ("a <> 'x'", "(`a` != _utf8mb4'x')"),
    ],
)
def test_a_condition_is_the_same_in_the_database_s_writing(said, told):
    """Brackets, quotes, casts and case are the database's own."""
    assert plain(said) == plain(told)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a > 1", "a >= 1"),
        ("a = 'x'", "a = 'X'"),
        ("a IN (1, 2)", "a IN (1, 3)"),
        ("a > 1", "b > 1"),
    ],
)
def test_another_condition_is_another(one, other):
    """What is inside of texts counts as it is."""
    assert plain(one) != plain(other)
