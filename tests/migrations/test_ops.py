"""Steps that are safe while others work: what is there afterwards, on each database."""

import pytest
from alembic import op
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Column, ForeignKey, Integer, String, exc, inspect, text

from carboy.base.errors import ServiceDown, SetupError
from carboy.data.migrations import ops, work

ROWS = 25
RULES = ("data.check", "data.unique", "data.required")  # SQLite's copy is refused as it happens


@pytest.fixture
def shop(engine):
    """Authors and books, with rows."""
    fill(engine)
    return engine


def fill(engine):
    serial = {
        "sqlite": "INTEGER PRIMARY KEY AUTOINCREMENT",
        "postgresql": "bigserial PRIMARY KEY",
        "mariadb": "BIGINT AUTO_INCREMENT PRIMARY KEY",
    }[engine.dialect.name]
    with engine.begin() as c:
        c.execute(text(f"CREATE TABLE authors (id {serial}, name VARCHAR(40) NOT NULL)"))
        c.execute(
            text(
                f"CREATE TABLE books (id {serial}, author_id BIGINT, title VARCHAR(40) NOT NULL,"
                " subtitle VARCHAR(40), price INTEGER DEFAULT 5)"
            )
        )
        c.execute(text("INSERT INTO authors (name) VALUES ('Austen'), ('Brontë')"))
        for n in range(1, ROWS + 1):
            c.execute(
                text("INSERT INTO books (author_id, title) VALUES (:a, :t)"),
                {"a": 1 + n % 2, "t": f"Book {n}"},
            )


def rows(engine, query):
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def refuses(engine, statement):
    """Tell whether the database refuses *statement* for a constraint."""
    try:
        with engine.begin() as connection:
            connection.execute(text(statement))
    except exc.IntegrityError:
        return True
    return False


def test_an_index_is_there_and_may_be_asked_for_again(shop, migrate):
    """A migration that was interrupted can be run again."""
    for _ in range(2):
        migrate(shop, lambda: ops.create_index("ix_books_title", "books", ["title"]))
    names = [index["name"] for index in inspect(shop).get_indexes("books")]
    assert names == ["ix_books_title"]
    for _ in range(2):
        migrate(shop, lambda: ops.drop_index("ix_books_title", "books"))
    assert inspect(shop).get_indexes("books") == []


def test_another_index_of_that_name_is_not_taken_for_it(on_server, migrate):
    """Nobody believes to have an index that is another one."""
    fill(on_server)
    migrate(on_server, lambda: ops.create_index("ix_books", "books", ["title"]))
    with pytest.raises(SetupError, match="another one") as caught:
        migrate(on_server, lambda: ops.create_index("ix_books", "books", ["price"]))
    assert caught.value.code == "migrations.exists"


def test_a_unique_constraint_is_enforced(shop, migrate):
    """Also when rows came before it."""
    migrate(shop, lambda: ops.add_unique("uq_books_title", "books", ["title"]))
    assert refuses(shop, "INSERT INTO books (title) VALUES ('Book 1')")
    assert not refuses(shop, "INSERT INTO books (title) VALUES ('Emma')")


def test_a_foreign_key_is_enforced(shop, migrate):
    """For old rows and new ones, with what happens on deletion."""
    migrate(
        shop,
        lambda: ops.add_foreign_key(
            "fk_books_author", "books", "authors", ["author_id"], on_delete="CASCADE"
        ),
    )
    assert refuses(shop, "INSERT INTO books (title, author_id) VALUES ('x', 99)")
    with shop.begin() as connection:
        connection.execute(text("DELETE FROM authors WHERE id = 1"))
    assert rows(shop, "SELECT DISTINCT author_id FROM books") == [(2,)]


def test_a_check_is_enforced(shop, migrate):
    """It may be text, with signs that drivers take for parameters."""
    migrate(
        shop, lambda: ops.add_check("ck_books_title", "books", "title <> ':x' AND title <> '50%'")
    )
    assert refuses(shop, "INSERT INTO books (title) VALUES ('50%')")
    assert not refuses(shop, "INSERT INTO books (title) VALUES ('51%')")


def test_not_null_is_enforced(shop, migrate):
    """Once the rows are filled."""

    def upgrade():
        ops.backfill("books", {"subtitle": "none"}, batch=4)
        ops.set_not_null("books", "subtitle")

    migrate(shop, upgrade)
    assert refuses(shop, "INSERT INTO books (title, subtitle) VALUES ('x', NULL)")
    assert rows(shop, "SELECT count(*) FROM books WHERE subtitle = 'none'") == [(ROWS,)]
    columns = {c["name"]: c for c in inspect(shop).get_columns("books")}
    assert not columns["subtitle"]["nullable"]
    migrate(shop, lambda: ops.set_not_null("books", "subtitle"))


def test_a_column_comes_with_what_is_declared_on_it(shop, migrate):
    """Default, foreign key, index: each in the way that blocks nobody."""

    def upgrade():
        ops.add_column("books", Column("stock", Integer, nullable=False, server_default="3"))
        ops.add_column("books", Column("editor_id", Integer, index=True))
        ops.add_column("books", Column("isbn", String(13), unique=True))

    migrate(shop, upgrade)
    assert rows(shop, "SELECT DISTINCT stock FROM books") == [(3,)]
    assert refuses(shop, "INSERT INTO books (title, stock) VALUES ('x', NULL)")
    assert [i["name"] for i in inspect(shop).get_indexes("books") if not i["unique"]] == [
        "ix_books_editor_id"
    ]
    assert not refuses(shop, "INSERT INTO books (title, isbn) VALUES ('a', '1')")
    assert refuses(shop, "INSERT INTO books (title, isbn) VALUES ('b', '1')")


def test_a_column_that_refers_to_another_table(shop, migrate):
    """The reference is a constraint with a name."""
    kind = inspect(shop).get_columns("authors")[0]["type"]
    column = Column("editor_id", kind, ForeignKey("authors.id", ondelete="SET NULL"))
    migrate(shop, lambda: ops.add_column("books", column))
    assert refuses(shop, "INSERT INTO books (title, editor_id) VALUES ('x', 99)")
    (key,) = inspect(shop).get_foreign_keys("books")
    assert key["name"] == "fk_books_editor_id"
    assert key["options"]["ondelete"] == "SET NULL"


@pytest.mark.parametrize("batch", [1, 7, 25, 1000])
def test_a_backfill_fills_every_row_once(shop, migrate, batch):
    """Whatever the size of a batch, the last row included."""
    migrate(
        shop,
        lambda: ops.backfill("books", {"price": text("price + 1")}, where="id > 3", batch=batch),
    )
    assert rows(shop, "SELECT count(*) FROM books WHERE price = 6") == [(ROWS - 3,)]
    assert rows(shop, "SELECT count(*) FROM books WHERE price = 5") == [(3,)]


def test_a_backfill_leaves_alone_what_somebody_wrote(shop, migrate):
    """Without a condition it fills what is missing."""
    with shop.begin() as connection:
        connection.execute(text("UPDATE books SET subtitle = 'mine' WHERE id = 7"))
    migrate(shop, lambda: ops.backfill("books", {"subtitle": "none"}))
    assert rows(shop, "SELECT id FROM books WHERE subtitle = 'mine'") == [(7,)]


def test_a_backfill_by_a_key_of_two_columns(shop, migrate):
    """The order of the key decides what a batch is."""
    with shop.begin() as c:
        c.execute(text("CREATE TABLE pairs (a INTEGER, b INTEGER, v INTEGER, PRIMARY KEY (a, b))"))
        for n in range(20):
            c.execute(text(f"INSERT INTO pairs (a, b) VALUES ({n % 4}, {n})"))
    migrate(shop, lambda: ops.backfill("pairs", {"v": 1}, batch=3))
    assert rows(shop, "SELECT count(*) FROM pairs WHERE v = 1") == [(20,)]


def test_a_backfill_commits_between_batches(shop, migrate):
    """What was done when it stops stays done, and row locks last a batch."""
    condition = "1 / (12 - id) IS NOT NULL" if shop.dialect.name == "postgresql" else None
    if condition is None:
        pytest.skip("only here does a division by zero stop a statement")
    with pytest.raises(exc.DBAPIError):
        migrate(
            shop,
            lambda: ops.backfill(
                "books", {"subtitle": text("cast(1 / (12 - id) AS text)")}, batch=4
            ),
        )
    assert rows(shop, "SELECT count(*) FROM books WHERE subtitle IS NOT NULL") == [(8,)]


def test_rows_in_the_way_leave_all_as_it_was(shop, migrate):
    """The error says so, and the constraint is not there half."""
    with shop.begin() as connection:
        connection.execute(text("UPDATE books SET author_id = 99, title = 'Book 2' WHERE id = 1"))
    steps = {
        "fk": lambda: ops.add_foreign_key("fk", "books", "authors", ["author_id"]),
        "ck": lambda: ops.add_check("ck", "books", "author_id < 50"),
        "uq": lambda: ops.add_unique("uq", "books", ["title"]),
        "not null": lambda: ops.set_not_null("books", "subtitle"),
    }
    for step in steps.values():
        with pytest.raises((SetupError, exc.IntegrityError)) as caught:
            migrate(shop, step)
        assert caught.value.code in (
            "migrations.rows",
            "data.check",
            "data.unique",
            "data.required",
        )
    found = inspect(shop)
    assert not found.get_foreign_keys("books")
    assert not found.get_check_constraints("books")
    assert not found.get_unique_constraints("books")
    assert not [i for i in found.get_indexes("books") if i["unique"]]
    assert rows(shop, "SELECT count(*) FROM books") == [(ROWS,)]
    assert not refuses(shop, "INSERT INTO books (title, author_id) VALUES ('y', 77)")


@pytest.mark.server
@pytest.mark.slow
def test_an_invalid_index_that_was_left_is_made_anew(on_pg, migrate):
    """An interrupted CREATE INDEX CONCURRENTLY leaves one that only costs."""
    fill(on_pg)
    with on_pg.begin() as connection:
        connection.execute(text("CREATE INDEX ix_books_title ON books (price)"))
        invalid = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = "
        connection.execute(text(f"{invalid} 'ix_books_title'::regclass"))
    migrate(on_pg, lambda: ops.create_index("ix_books_title", "books", ["title"]))
    (index,) = inspect(on_pg).get_indexes("books")
    assert index["column_names"] == ["title"]
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_books_title'::regclass"
    assert rows(on_pg, valid) == [(True,)]


@pytest.mark.server
@pytest.mark.slow
def test_a_unique_index_that_fails_leaves_nothing(on_pg, migrate):
    """Not even an invalid one."""
    fill(on_pg)
    with on_pg.begin() as connection:
        connection.execute(text("UPDATE books SET title = 'same'"))
    with pytest.raises(SetupError) as caught:
        migrate(on_pg, lambda: ops.create_index("uq", "books", ["title"], unique=True))
    assert caught.value.code == "migrations.rows"
    assert rows(on_pg, "SELECT relname FROM pg_class WHERE relname = 'uq'") == []


def test_a_table_in_use_is_not_queued_for(on_server, migrate, monkeypatch):
    """The migration gives way, tries again, and says who holds the table."""
    fill(on_server)
    pauses = []
    monkeypatch.setattr(work, "LOCK_S", 1.0)
    monkeypatch.setattr(work, "TRIES", 2)
    monkeypatch.setattr(work, "pause", pauses.append)
    with on_server.connect() as holder:
        holder.execute(text("SELECT count(*) FROM books")).all()
        holder.execute(text("UPDATE books SET price = 9 WHERE id = 1"))
        with pytest.raises(ServiceDown, match="stayed in use") as caught:
            migrate(on_server, lambda: ops.add_column("books", Column("extra", Integer)))
        holder.rollback()
    assert caught.value.code == "migrations.locked"
    assert "session" in caught.value.hint
    assert pauses == [1.0]
    migrate(on_server, lambda: ops.add_column("books", Column("extra", Integer)))


def test_a_table_that_gets_free_meanwhile_is_changed(on_server, migrate, monkeypatch):
    """A second try is enough."""
    fill(on_server)
    monkeypatch.setattr(work, "LOCK_S", 1.0)
    with on_server.connect() as holder:
        holder.execute(text("UPDATE books SET price = 9 WHERE id = 1"))
        monkeypatch.setattr(work, "pause", lambda seconds: holder.commit())
        migrate(on_server, lambda: ops.add_column("books", Column("extra", Integer)))
    assert "extra" in [c["name"] for c in inspect(on_server).get_columns("books")]


@pytest.mark.server
@pytest.mark.slow
def test_one_table_at_a_time_is_kept_closed(on_pg, migrate):
    """A step on a second table commits first; on the same, or a new one, it does not."""
    fill(on_pg)
    seen = []

    def committed(name):
        query = "SELECT count(*) FROM information_schema.columns WHERE column_name = :n"
        with on_pg.connect() as other:
            return bool(other.execute(text(query), {"n": name}).scalar())

    def upgrade():
        op.create_table("tags", Column("id", Integer, primary_key=True))
        ops.add_column("books", Column("one", Integer))
        ops.add_column("books", Column("two", Integer))
        with ops.alter_table("books") as table:
            table.alter_column("subtitle", server_default="x")
        seen.append(committed("one"))
        ops.add_column("authors", Column("three", Integer))
        seen.extend([committed("one"), committed("two"), committed("three")])

    migrate(on_pg, upgrade)
    assert seen == [False, True, True, False]
    assert committed("three")


def test_alembics_own_steps_do_not_queue_for_long_either(on_server, migrate):
    """They have no second try, and end as soon as the engine's limit for locks says."""
    fill(on_server)
    with on_server.connect() as holder:
        holder.execute(text("UPDATE books SET price = 9 WHERE id = 1"))
        with pytest.raises(exc.OperationalError) as caught:
            migrate(on_server, lambda: op.add_column("books", Column("extra", Integer)))
        holder.rollback()
    assert caught.value.code == "data.locked"


def test_a_step_that_commits_refuses_a_transaction_of_somebody_else(shop):
    """It could not commit, and would hold its locks to the end."""
    with shop.connect() as connection, connection.begin():
        connection.execute(text("SELECT 1"))
        context = MigrationContext.configure(connection)
        with pytest.raises(SetupError) as caught, Operations.context(context):
            ops.backfill("books", {"subtitle": "x"})
    assert caught.value.code == "migrations.transaction"
