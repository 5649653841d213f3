"""SQLite's rebuild of a table: what Alembic's copy leaves out is there afterwards."""

import pytest
from sqlalchemy import Column, Integer, String, exc, text

from carboy.base.errors import SetupError
from carboy.data.migrations import ops

SCHEMA = """
CREATE TABLE authors (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  name VARCHAR(20) COLLATE NOCASE NOT NULL CONSTRAINT ck_name CHECK (length(name) < 20),
  born INTEGER DEFAULT 1900, -- a year, not (a date)
  mentor_id INTEGER CONSTRAINT fk_mentor REFERENCES authors(id) ON DELETE SET NULL,
  CHECK (name <> 'x, (y)'),
  CONSTRAINT uq_both UNIQUE (name, born)
);
CREATE TABLE books (
  id INTEGER PRIMARY KEY,
  author_id INTEGER NOT NULL REFERENCES authors(id) ON DELETE CASCADE
);
CREATE TABLE log (line TEXT);
CREATE INDEX ix_lower ON authors(lower(name));
CREATE INDEX ix_born ON authors(born DESC) WHERE born > 1800;
CREATE VIEW old_ones AS SELECT name FROM authors WHERE born < 1850;
CREATE TRIGGER noted AFTER INSERT ON authors BEGIN INSERT INTO log VALUES (new.name); END;
CREATE TRIGGER counted AFTER INSERT ON books
  BEGIN UPDATE authors SET born = born WHERE id = new.author_id; END;
INSERT INTO authors (id, name, born) VALUES (1, 'Austen', 1775), (2, 'Woolf', 1882), (9, 'z', 1);
UPDATE authors SET mentor_id = 1 WHERE id = 2;
DELETE FROM authors WHERE id = 9;
INSERT INTO books VALUES (1, 1), (2, 2)
"""


@pytest.fixture
def shop(on_sqlite):
    """Authors with everything that a table may have."""
    with on_sqlite.connect() as connection:
        connection.connection.driver_connection.executescript(SCHEMA)
    return on_sqlite


def master(engine, *but):
    query = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND type <> 'table'"
    with engine.connect() as connection:
        return {n: sql for n, sql in connection.execute(text(query)).all() if n not in but}


def run(engine, *statements):
    with engine.connect() as connection:
        found = [connection.execute(text(s)) for s in statements]
        rows = found[-1].all() if found[-1].returns_rows else []
        connection.commit()
    return [tuple(row) for row in rows]


def rebuild(engine, migrate, change=None):
    def upgrade():
        with ops.alter_table("authors") as table:
            (change or (lambda t: t.alter_column("born", nullable=False)))(table)

    migrate(engine, upgrade)


def test_rows_that_refer_to_it_survive(shop, migrate):
    """Dropping the old table would delete them: ON DELETE CASCADE."""
    rebuild(shop, migrate)
    assert run(shop, "SELECT * FROM books") == [(1, 1), (2, 2)]
    assert run(shop, "SELECT id, name, born, mentor_id FROM authors") == [
        (1, "Austen", 1775, None),
        (2, "Woolf", 1882, 1),
    ]
    with pytest.raises(exc.IntegrityError):
        run(shop, "INSERT INTO books VALUES (3, 99)")
    run(shop, "DELETE FROM authors WHERE id = 1")
    assert run(shop, "SELECT id FROM books") == [(2,)]
    assert run(shop, "SELECT mentor_id FROM authors") == [(None,)]


def test_no_key_is_given_twice(shop, migrate):
    """Not even that of a row that was deleted before."""
    rebuild(shop, migrate)
    run(shop, "INSERT INTO authors (name) VALUES ('Eliot')")
    assert run(shop, "SELECT id, born FROM authors WHERE name = 'Eliot'") == [(10, 1900)]


def test_indexes_triggers_and_views_stay_as_they_were_written(shop, migrate):
    """On expressions, in descending order, on some rows, on other tables."""
    before = master(shop)
    rebuild(shop, migrate)
    assert master(shop) == before
    run(shop, "INSERT INTO authors (id, name, born) VALUES (3, 'Eliot', 1819)")
    assert run(shop, "SELECT line FROM log ORDER BY rowid DESC LIMIT 1") == [("Eliot",)]
    assert run(shop, "SELECT name FROM old_ones") == [("Austen",), ("Eliot",)]


@pytest.mark.parametrize(
    "values",
    ["('x, (y)', 1)", "('AUSTEN', 1775)", f"('{'x' * 20}', 1)", "(NULL, 1)", "('y', NULL)"],
    ids=["a check without a name", "collation", "check", "not null", "what was changed"],
)
def test_what_was_forbidden_is(shop, migrate, values):
    """By rules with names and without, and by how texts compare."""
    rebuild(shop, migrate)
    with pytest.raises(exc.IntegrityError):
        run(shop, f"INSERT INTO authors (name, born) VALUES {values}")


def test_a_column_goes_with_what_names_it(shop, migrate):
    """Its indexes and checks, as on the other databases; the rest stays."""
    run(shop, "DROP VIEW old_ones")
    before = master(shop, "ix_born")
    rebuild(shop, migrate, lambda table: table.drop_column("born"))
    assert master(shop, "ix_born") == before
    assert run(shop, "SELECT name FROM authors") == [("Austen",), ("Woolf",)]


def test_a_column_that_is_renamed_is_renamed_everywhere(shop, migrate):
    """In checks, indexes, views and triggers."""
    rebuild(
        shop,
        migrate,
        lambda table: [
            table.alter_column("name", new_column_name="called"),
            table.alter_column("born", nullable=False),
        ],
    )
    run(shop, "INSERT INTO authors (called, born) VALUES ('Eliot', 1819)")
    assert run(shop, "SELECT called FROM authors WHERE called = 'ELIOT'") == [("Eliot",)]
    with pytest.raises(exc.IntegrityError):
        run(shop, "INSERT INTO authors (called, born) VALUES ('x, (y)', 1)")
    assert "lower(called)" in master(shop)["ix_lower"].replace('"', "")


def test_a_check_can_be_replaced(shop, migrate):
    """Dropped and added in one rebuild."""
    rebuild(
        shop,
        migrate,
        lambda table: [
            table.drop_constraint("ck_name", type_="check"),
            table.create_check_constraint("ck_born", text("born < 2100 OR born = ':x'")),
        ],
    )
    run(shop, f"INSERT INTO authors (name, born) VALUES ('{'y' * 20}', 1)")
    with pytest.raises(exc.IntegrityError):
        run(shop, "INSERT INTO authors (name, born) VALUES ('z', 2200)")


def test_rows_that_break_the_change_leave_all_as_it_was(shop, migrate):
    """The copy is refused as a whole, and nothing of it is left."""
    run(shop, "INSERT INTO authors (name, born) VALUES ('q', NULL)")
    before = master(shop), run(shop, "SELECT sql FROM sqlite_master WHERE type = 'table'")
    with pytest.raises(exc.IntegrityError):
        rebuild(shop, migrate)
    after = master(shop), run(shop, "SELECT sql FROM sqlite_master WHERE type = 'table'")
    assert after == before
    assert run(shop, "SELECT count(*) FROM books") == [(2,)]
    assert run(shop, "PRAGMA foreign_keys") == [(1,)]


def test_a_reference_to_nothing_is_refused(shop, migrate):
    """Before the commit."""
    run(shop, "PRAGMA foreign_keys = OFF", "INSERT INTO books VALUES (7, 77)")
    with pytest.raises(SetupError, match="books") as caught:
        migrate(shop, lambda: ops.add_column("authors", Column("n", String(3), unique=True)))
    assert caught.value.code == "migrations.rows"


def test_what_cannot_be_kept_is_refused(shop, migrate):
    """Rather than lost."""
    run(shop, "CREATE TABLE odd (id INTEGER PRIMARY KEY, a INTEGER UNIQUE ON CONFLICT IGNORE)")

    def upgrade():
        with ops.alter_table("odd") as table:
            table.alter_column("a", nullable=False)

    with pytest.raises(SetupError) as caught:
        migrate(shop, upgrade)
    assert caught.value.code == "migrations.rebuild"


def test_one_step_of_several_tables(shop, migrate):
    """Each is rebuilt, and the references between them hold."""

    def upgrade():
        ops.add_check("ck_a", "authors", "born > 0")
        ops.add_column("books", Column("pages", Integer, nullable=False, server_default="1"))
        ops.add_foreign_key("fk_again", "books", "authors", ["author_id"], on_delete="RESTRICT")

    migrate(shop, upgrade)
    assert run(shop, "SELECT id, author_id, pages FROM books") == [(1, 1, 1), (2, 2, 1)]
    assert run(shop, "PRAGMA foreign_key_check") == []
    with pytest.raises(exc.IntegrityError):
        run(shop, "INSERT INTO authors (name, born) VALUES ('n', -1)")
