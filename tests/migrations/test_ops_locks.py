"""What our steps say to a server: nothing long is said while a table is kept closed.

PostgreSQL   what looks at rows runs when no lock keeps anybody out; nothing is rewritten
MariaDB      the algorithm is stated, so the server itself refuses to block
"""

import re

import pytest
import sqlalchemy as sa
from sqlalchemy import Column, event, text

from carboy.data.migrations import ops

SERVER = [pytest.mark.server, pytest.mark.slow]
CLOSED = """
SELECT c.relname FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
WHERE l.pid = :pid AND c.relname IN ('authors', 'books') AND l.mode IN
('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
"""
LONG = re.compile(r"VALIDATE CONSTRAINT|CONCURRENTLY|^UPDATE|^INSERT")
QUICK = re.compile(
    r"ADD COLUMN|NOT VALID$|SET NOT NULL$|DROP CONSTRAINT|USING INDEX|SET DEFAULT"
    r"|TYPE VARCHAR\(60\)"
)
ONLINE = re.compile(r"ALGORITHM=(INSTANT|INPLACE, LOCK=NONE)$")


def longer():
    with ops.alter_table("books") as table:
        table.alter_column("title", type_=sa.String(60), existing_type=sa.String(40))


def fill_and_require():
    ops.backfill("books", {"subtitle": "none"}, batch=2)
    ops.set_not_null("books", "subtitle")


STEPS = {
    "index": lambda: ops.create_index("ix", "books", ["title"]),
    "no index": lambda: ops.drop_index("ix_books_pages", "books"),
    "unique": lambda: ops.add_unique("uq", "books", ["title"]),
    "foreign key": lambda: ops.add_foreign_key("fk", "books", "authors", ["author_id"]),
    "check": lambda: ops.add_check("ck", "books", "pages > 0"),
    "fill and require": fill_and_require,
    "column": lambda: ops.add_column(
        "books", Column("n", sa.Integer, nullable=False, server_default="3", index=True)
    ),
    "reference": lambda: ops.add_column(
        "books", Column("e", sa.BigInteger, sa.ForeignKey("authors.id"))
    ),
    "search": lambda: ops.create_search("books", ["title"]),
    "longer text": longer,
    "several": lambda: [
        ops.add_column("authors", Column("born", sa.Integer)),
        ops.add_check("ck", "books", "pages > 0"),
        ops.add_column("books", Column("n", sa.Integer)),
        ops.add_foreign_key("fk", "books", "authors", ["author_id"]),
        ops.backfill("authors", {"born": 1}),
    ],
}  # fmt: skip


def fill(engine):
    known = sa.MetaData()
    key = {"primary_key": True, "autoincrement": True}
    authors = sa.Table(
        "authors", known, Column("id", sa.BigInteger, **key), Column("name", sa.String(40))
    )
    books = sa.Table(
        "books",
        known,
        Column("id", sa.BigInteger, **key),
        Column("title", sa.String(40), nullable=False),
        Column("subtitle", sa.String(40)),
        Column("pages", sa.Integer, nullable=False, server_default="100"),
        Column("author_id", sa.BigInteger),
        sa.Index("ix_books_pages", "pages"),
    )
    known.create_all(engine)
    with engine.begin() as connection:
        connection.execute(authors.insert(), [{"id": 1, "name": "Austen"}])
        connection.execute(books.insert(), [{"title": f"T{n}", "author_id": 1} for n in range(9)])


def told(engine, migrate, upgrade, look=lambda connection: ()):
    """Return [(statement, what *look* sees as it begins)] of a migration."""
    found = []

    def before(connection, cursor, statement, *rest):
        if re.match(r"ALTER|CREATE|DROP|UPDATE|INSERT|COMMENT", statement):
            found.append((statement, look(connection)))

    def run():
        event.listen(engine, "before_cursor_execute", before)
        try:
            upgrade()
        finally:
            event.remove(engine, "before_cursor_execute", before)

    migrate(engine, run)
    return found


def violations(statements):
    """Return the statements that are long under a lock, or neither long nor known as quick."""
    return [
        (statement, closed)
        for statement, closed in statements
        if (LONG.search(statement) and closed)
        or not (LONG.search(statement) or QUICK.search(statement) or "COMMENT" in statement)
    ]


@pytest.mark.server
@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_on_postgresql_nothing_long_is_done_behind_a_closed_door(on_pg, migrate, step):
    """And no row is written anew: the table keeps its file."""
    fill(on_pg)

    def closed(connection):
        pid = connection.connection.driver_connection.info.backend_pid
        with on_pg.connect() as other:
            return sorted(set(other.execute(text(CLOSED), {"pid": pid}).scalars()))

    def file():
        with on_pg.connect() as other:
            return other.execute(text("SELECT pg_relation_filenode('books')")).scalar()

    before = file()
    statements = told(on_pg, migrate, STEPS[step], closed)
    assert statements
    assert violations(statements) == []
    assert file() == before


def test_the_proof_finds_what_is_long():
    """Proved at once, without CONCURRENTLY, or while a table is closed."""
    planted = [
        ("ALTER TABLE books ADD CONSTRAINT ck CHECK (pages > 0)", []),
        ("CREATE INDEX ix ON books (title)", []),
        ("ALTER TABLE books VALIDATE CONSTRAINT ck", ["books"]),
        ("UPDATE books SET pages = 1", ["authors"]),
    ]
    assert violations(planted) == planted


@pytest.mark.server
@pytest.mark.slow
@pytest.mark.parametrize("step", [s for s in STEPS if s not in ("check", "search", "several")])
def test_on_mariadb_the_server_is_told_not_to_block(on_mariadb, migrate, step):
    """An INSTANT change, or one in place that lets writers in."""
    fill(on_mariadb)
    statements = [s for s, _ in told(on_mariadb, migrate, STEPS[step]) if s.startswith("ALTER")]
    if step == "longer text":  # by Alembic, unstated; see test_safety_beside.py
        assert len(statements) == 1
        return
    assert statements
    assert [s for s in statements if not ONLINE.search(s)] == []
