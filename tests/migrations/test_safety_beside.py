"""Safe migrations: none is complained of, and each runs while others read and write.

    W   has changed a row and not committed yet        T   the migration
    X   reads and writes again and again: never kept waiting longer than the migration queues

W lets go only after X has got through while T waited. SQLite has one writer, so there
readers alone go on.
"""

import threading
import time
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column, text

from carboy.data.migrations import ops, work
from carboy.data.migrations.safety import review

ROWS = 40
KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
PATIENCE_S = 60  # until a test gives up; far more than anything takes


def schema():
    """The tables before the migration."""
    known = sa.MetaData()
    sa.Table(
        "authors",
        known,
        Column("id", KEY, primary_key=True, autoincrement=True),
        Column("name", sa.String(40), nullable=False),
    )
    sa.Table(
        "books",
        known,
        Column("id", KEY, primary_key=True, autoincrement=True),
        Column("title", sa.String(40), nullable=False),
        Column("subtitle", sa.String(40)),
        Column("pages", sa.Integer, nullable=False, server_default="100"),
        Column("state", sa.String(9), nullable=False, server_default="draft"),
        Column("author_id", sa.BigInteger),
        sa.CheckConstraint("state IN ('draft', 'sold')", name="ck_books_state"),
        sa.CheckConstraint("pages > 0", name="ck_books_pages"),
        sa.Index("ix_books_pages", "pages"),
    )
    return known


def sql(*statements):
    return lambda: [op.execute(statement) for statement in statements]


def in_autocommit(*statements):
    def upgrade():
        with op.get_context().autocommit_block():
            for statement in statements:
                op.execute(statement)

    return upgrade


def alter(**how):
    def upgrade():
        with ops.alter_table("books") as table:
            table.alter_column(**how)

    return upgrade


def new_table():
    op.create_table(
        "tags",
        Column("id", sa.Integer, primary_key=True),
        Column("book_id", KEY, sa.ForeignKey("books.id", name="fk_tags_book")),
    )
    op.create_index("ix_tags", "tags", ["book_id"])


def fill_and_require():
    ops.backfill("books", {"subtitle": "none"}, batch=7)
    ops.set_not_null("books", "subtitle")


def drop_a_check():
    with ops.alter_table("books") as table:
        table.drop_constraint("ck_books_pages", type_="check")


def more_values():
    with ops.alter_table("books") as table:
        table.drop_constraint("ck_books_state", type_="check")
    ops.add_check("ck_books_state", "books", "state IN ('draft', 'sold', 'lost')")


def search_and_back():
    ops.create_search("books", ["title"])
    ops.drop_search("books", ["title"])


EVERYWHERE = {
    "a table that refers to another": new_table,
    "a column": lambda: ops.add_column("books", Column("isbn", sa.String(13))),
    "a column with a default": lambda: ops.add_column(
        "books", Column("stock", sa.Integer, nullable=False, server_default="3")
    ),
    "a column with the time": lambda: ops.add_column(
        "books",
        Column("at", sa.DateTime, nullable=False, server_default=sa.text("CURRENT_TIMESTAMP")),
    ),
    "a column with an index": lambda: ops.add_column(
        "books", Column("shelf", sa.Integer, index=True)
    ),
    "a column that refers": lambda: ops.add_column(
        "books", Column("editor_id", sa.BigInteger, sa.ForeignKey("authors.id"))
    ),
    "columns of two tables": lambda: [
        ops.add_column(table, Column("note", sa.Integer)) for table in ("books", "authors")
    ],
    "an index": lambda: ops.create_index("ix_books_title", "books", ["title"]),
    "a unique index": lambda: ops.create_index("uq_books", "books", ["id", "title"], unique=True),
    "a unique constraint": lambda: ops.add_unique("uq_books_both", "books", ["id", "title"]),
    "an index less": lambda: ops.drop_index("ix_books_pages", "books"),
    "a foreign key": lambda: ops.add_foreign_key("fk_books", "books", "authors", ["author_id"]),
    "fill and require": fill_and_require,
    "a longer text": alter(
        column_name="title",
        type_=sa.String(60),
        existing_type=sa.String(40),
        existing_nullable=False,
    ),
    "a default": alter(
        column_name="subtitle", server_default="none", existing_type=sa.String(40)
    ),
    "a check less": drop_a_check,
    "a few rows": sql("INSERT INTO authors (id, name) VALUES (77, 'Woolf')"),
    "search": search_and_back,
}  # fmt: skip

OWN = {
    "sqlite": {
        "a check": lambda: ops.add_check("ck_books", "books", "pages < 5000"),
        "more values": more_values,
    },
    "postgresql": {
        "a check": lambda: ops.add_check("ck_books", "books", "pages < 5000"),
        "more values": more_values,
        "nullable": alter(column_name="pages", nullable=True, existing_type=sa.Integer()),
        "text of any length": alter(
            column_name="title", type_=sa.Text(), existing_type=sa.String(40)
        ),
        "by SQL, proved apart": lambda: [
            sql("ALTER TABLE books ADD CONSTRAINT ck2 CHECK (pages < 9000) NOT VALID")(),
            in_autocommit("ALTER TABLE books VALIDATE CONSTRAINT ck2")(),
        ],
        "by SQL, concurrently": in_autocommit("CREATE INDEX CONCURRENTLY ix2 ON books (state)"),
    },
    "mariadb": {
        "nullable": alter(
            column_name="pages",
            nullable=True,
            existing_type=sa.Integer(),
            existing_server_default="100",
        ),
        "by SQL, at once": sql("ALTER TABLE books ADD COLUMN x INT, ALGORITHM=INSTANT"),
    },
}

CASES = [(d, c) for d in OWN for c in (*EVERYWHERE, *OWN[d])]
PLAIN = {
    "a table that refers to another",
    "by SQL, proved apart",
    "by SQL, concurrently",
    "by SQL, at once",
}
"""Alembic's own, which queue as long as the engine lets them: without W."""


def upgrade_of(dialect, case):
    return EVERYWHERE.get(case) or OWN[dialect][case]


@pytest.mark.parametrize(("dialect", "case"), CASES)
def test_nothing_is_complained_of(dialect, case):
    """With the tables known, and for most without."""
    found = review(SimpleNamespace(upgrade=upgrade_of(dialect, case)), dialect, existing=schema())
    assert [str(complaint) for complaint in found] == []


@pytest.mark.parametrize("dialect", OWN)
def test_at_least_twelve_are_safe(dialect):
    """For each kind of database."""
    assert len(EVERYWHERE) + len(OWN[dialect]) >= 12


def fill(engine):
    known = schema()
    known.create_all(engine)
    books, authors = known.tables["books"], known.tables["authors"]
    with engine.begin() as connection:
        connection.execute(authors.insert(), [{"id": 1, "name": "Austen"}])
        connection.execute(
            books.insert(), [{"title": f"Book {n}", "author_id": 1} for n in range(ROWS)]
        )


@pytest.mark.slow
@pytest.mark.parametrize("case", [c for d, c in CASES if d == "sqlite"])
def test_on_sqlite_readers_go_on(on_sqlite, migrate, case):
    """They see the rows as before until the migration commits."""
    fill(on_sqlite)
    seen = []

    def upgrade():
        upgrade_of("sqlite", case)()
        with on_sqlite.connect() as reader:
            seen.append(reader.execute(text("SELECT count(*) FROM books")).scalar())

    migrate(on_sqlite, upgrade)
    assert seen == [ROWS]
    with on_sqlite.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM books")).scalar() == ROWS
        assert not connection.execute(text("PRAGMA foreign_key_check")).all()


class Beside:
    """Runs a migration, T, while W has something open and X works."""

    def __init__(self, engine, migrate, upgrade):
        self.engine, self.error = engine, None
        self.paused = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(migrate, upgrade))

    def _run(self, migrate, upgrade):
        try:
            migrate(self.engine, upgrade)
        except Exception as error:
            self.error = error

    def waiting(self):
        """Tell whether T waits for a lock, or has given way."""
        if self.paused.is_set():
            return True
        query = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            if self.engine.dialect.name == "postgresql"
            else "SELECT count(*) FROM information_schema.PROCESSLIST"
            " WHERE STATE LIKE 'Waiting for%lock'"
        )
        with self.engine.connect() as connection:
            return bool(connection.execute(text(query)).scalar())

    def work(self, number):
        """Read and write as X."""
        with self.engine.connect() as connection:
            if self.engine.dialect.name == "postgresql":
                connection.execute(text("SET lock_timeout = '20s'"))
            else:
                connection.execute(text("SET SESSION lock_wait_timeout = 20"))
            connection.execute(text("SELECT count(*) FROM books")).all()
            # MariaDB refuses at once whoever has read the table, and writes while DDL queues:
            # a deadlock, which db.retry tries again. So this is a transaction of its own.
            connection.commit()
            values = {"t": f"X {number}"}
            connection.execute(
                text("INSERT INTO books (title, subtitle, author_id) VALUES (:t, 'x', 1)"), values
            )
            if self.engine.dialect.name == "postgresql":
                connection.execute(text("RESET lock_timeout"))
            connection.commit()

    def run(self, holder):
        """Return how often X worked while T waited."""
        self.thread.start()
        deadline = time.monotonic() + PATIENCE_S
        number = beside = 0
        while self.thread.is_alive() and time.monotonic() < deadline:
            waited = self.waiting()
            number += 1
            self.work(number)
            beside += waited
            if beside >= 2:
                holder.commit()
        holder.commit()
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()
        if self.error is not None:
            raise self.error
        return beside


@pytest.fixture
def impatient(monkeypatch):
    """Locks are waited for briefly and often."""
    monkeypatch.setattr(work, "LOCK_S", 0.3)
    monkeypatch.setattr(work, "TRIES", 500)

    def watch(beside):
        def pause(seconds):
            beside.paused.set()
            time.sleep(0.01)

        monkeypatch.setattr(work, "pause", pause)

    return watch


SERVERS = [
    pytest.param(kind, c, marks=[pytest.mark.server, pytest.mark.slow], id=f"{d}-{c}")
    for kind, d in (("on_pg", "postgresql"), ("on_mariadb", "mariadb"))
    for c in (*EVERYWHERE, *OWN[d])
]


@pytest.mark.parametrize(("kind", "case"), SERVERS)
def test_others_read_and_write_meanwhile(request, kind, case, migrate, impatient):
    """X always gets through while W is open; and the migration is done in the end."""
    engine = request.getfixturevalue(kind)
    fill(engine)
    beside = Beside(engine, migrate, upgrade_of(engine.dialect.name, case))
    impatient(beside)
    with engine.connect() as holder:
        if case not in PLAIN:
            holder.execute(text("UPDATE books SET pages = 7 WHERE title = 'Book 1'"))
        beside.run(holder)
    with engine.connect() as connection:
        query = text("SELECT count(*) FROM books WHERE title LIKE 'Book%'")
        assert connection.execute(query).scalar() == ROWS


BLOCKING = {
    "on_pg": "CREATE INDEX ix_blocking ON books (title)",
    "on_mariadb": "ALTER TABLE books ADD CONSTRAINT ck CHECK (pages > 1)",
}


@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=[pytest.mark.server, pytest.mark.slow]) for k in BLOCKING]
)
def test_the_proof_finds_what_blocks(request, kind, migrate, impatient, monkeypatch):
    """A plain statement that queues behind W keeps X out; so the proof can fail."""
    engine = request.getfixturevalue(kind)
    fill(engine)
    patient = {
        "on_pg": "SET lock_timeout = '50s'",
        "on_mariadb": "SET SESSION lock_wait_timeout = 50",
    }[kind]
    beside = Beside(engine, migrate, sql(patient, BLOCKING[kind]))
    impatient(beside)
    stuck = []

    def work_or_not(number):
        with engine.connect() as connection:
            short = {
                "on_pg": "SET LOCAL lock_timeout = '500ms'",
                "on_mariadb": "SET SESSION lock_wait_timeout = 1",
            }
            connection.execute(text(short[kind]))
            try:
                connection.execute(text("INSERT INTO books (title) VALUES ('X')"))
            except sa.exc.OperationalError:
                stuck.append(number)

    monkeypatch.setattr(beside, "work", work_or_not)
    with engine.connect() as holder:
        holder.execute(text("UPDATE books SET pages = 7 WHERE title = 'Book 1'"))
        beside.run(holder)
    assert stuck
