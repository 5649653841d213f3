"""What the linter says, without a database: codes, recipes, exemptions, permissions."""

from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from alembic import op

from carboy.data.migrations import ops
from carboy.data.migrations.recipes import RECIPES, recipe
from carboy.data.migrations.recording import recorded
from carboy.data.migrations.safety import RULES, review

DIALECTS = ("sqlite", "postgresql", "mariadb")
everywhere = pytest.mark.parametrize("dialect", DIALECTS)


def before():
    """The tables before the migration."""
    known = sa.MetaData()
    sa.Table("authors", known, sa.Column("id", sa.BigInteger, primary_key=True))
    sa.Table(
        "books",
        known,
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("title", sa.String(40), nullable=False),
        sa.Column("subtitle", sa.String(40)),
        sa.Column("price", sa.Numeric(8, 2), nullable=False, server_default="0"),
        sa.Column("state", sa.String(9), nullable=False),
        sa.Column("author_id", sa.ForeignKey("authors.id", name="fk_books_author")),
        sa.CheckConstraint("state IN ('draft', 'sold')", name="ck_books_state"),
        sa.Index("ix_books_author", "author_id"),
        sa.Index("ix_books_price", "price"),
        sa.Index("uq_books_title", "title", unique=True),
        sa.UniqueConstraint("state", "title", name="uq_books_state"),
    )
    return known


def migration(upgrade, **more):
    return SimpleNamespace(upgrade=upgrade, **more)


def entries(upgrade, dialect, *, existing=None, **more):
    """Return what is complained of, less "unsafe."."""
    found = review(migration(upgrade, **more), dialect, existing=existing)
    return [complaint.entry.removeprefix("unsafe.") for complaint in found]


def sql(text):
    return lambda: op.execute(text)


@everywhere
def test_a_table_that_the_migration_makes_is_exempt(dialect):
    """It has no rows and nobody uses it."""

    def upgrade():
        table = op.create_table("tags", sa.Column("id", sa.Integer, primary_key=True))
        op.bulk_insert(table, [{"id": 1}])
        op.create_index("ix_tags", "tags", ["id"])
        op.execute("UPDATE tags SET id = id + 1")
        op.add_column("tags", sa.Column("word", sa.String(9), nullable=False))
        op.drop_column("tags", "word")

    assert entries(upgrade, dialect) == []


@everywhere
def test_a_table_that_may_have_been_there_is_not(dialect):
    """IF NOT EXISTS proves nothing, and so does a name that is known."""

    def upgrade():
        op.execute("CREATE TABLE IF NOT EXISTS books (id INTEGER)")
        op.drop_column("books", "title")

    def again():
        op.create_table("books", sa.Column("id", sa.Integer))
        op.drop_column("books", "title")

    assert entries(upgrade, dialect) == ["drop_column books.title"]
    assert entries(again, dialect, existing=before()) == ["drop_column books.title"]


@everywhere
def test_what_depends_on_the_database_is_unclear(dialect):
    """The linter does not know the answer, so it does not know what follows."""

    def asks():
        if op.get_bind().execute(sa.text("SELECT count(*) FROM books")).scalar():
            op.drop_table("books")

    def inspects():
        sa.inspect(op.get_bind()).get_columns("books")

    for upgrade in (asks, inspects):
        (found,) = review(migration(upgrade), dialect)
        assert found.code == "unsafe.unclear"


@everywhere
def test_sql_on_the_connection_counts(dialect):
    """It is no way around."""

    def upgrade():
        op.get_bind().execute(sa.text("DROP TABLE books"))
        op.get_bind().exec_driver_sql("DELETE FROM authors")

    assert entries(upgrade, dialect) == ["drop_table books", "rows authors"]


@everywhere
def test_statements_of_sqlalchemy_count(dialect):
    """They are read as the SQL that they become."""
    books = sa.table("books", sa.column("id"), sa.column("title"))
    authors = sa.table("authors", sa.column("id"))

    def upgrade():
        op.execute(books.update().values(title="x"))
        op.execute(authors.delete())
        op.execute(books.insert().values(id=1, title="x"))
        op.execute(books.update().values(title="x").where(books.c.id == 7))
        op.execute(sa.select(books.c.title))

    assert entries(upgrade, dialect) == ["rows books", "rows authors"]


@everywhere
def test_a_permission_has_a_reason_and_is_needed(dialect):
    """An empty one lets nothing through; one too many is a mistake."""

    def upgrade():
        op.drop_column("books", "subtitle")

    name = "unsafe.drop_column books.subtitle"
    assert entries(upgrade, dialect, allow={name: "unused since 1.4"}) == []
    assert entries(upgrade, dialect, allow={name: " "}) == [
        name.removeprefix("unsafe."),
        f"reason allow.{name}",
    ]
    more = {name: "unused", "unsafe.drop_column books.title": "unused"}
    assert entries(upgrade, dialect, allow=more) == [
        "unused allow.unsafe.drop_column books.title",
    ]


def test_a_permission_that_another_database_needs_is_not_unused():
    """The same file is reviewed for the SQLite of development."""

    def upgrade():
        op.create_index("ix", "books", ["title"])

    allow = {"unsafe.index books.ix": "a small table"}
    for dialect in DIALECTS:
        assert entries(upgrade, dialect, allow=allow) == []


@everywhere
def test_a_complaint_says_where_why_and_what_to_do(dialect):
    """It is a letter that can be acted upon."""

    def upgrade():
        op.drop_column("books", "subtitle")

    (found,) = review(migration(upgrade), dialect)
    assert found.line == upgrade.__code__.co_firstlineno + 1
    assert found.entry in str(found)
    assert "allow = {'unsafe.drop_column books.subtitle': " in found.hint
    assert str(found).endswith("[unsafe.drop_column]")


def test_the_recorded_are_alembic_operations_in_order():
    """Nothing is done, tables are returned, and the proxy is gone afterwards."""

    def upgrade():
        assert op.create_table("a", sa.Column("x", sa.Integer)).c.x is not None
        with op.get_context().autocommit_block():
            op.execute("SELECT 1")
        with op.batch_alter_table("b") as batch:
            batch.drop_column("c")

    found = recorded(upgrade, "postgresql")
    assert [type(one.operation).__name__ for one in found] == [
        "CreateTableOp",
        "ExecuteSQLOp",
        "DropColumnOp",
    ]
    assert [one.autocommit for one in found] == [False, True, False]
    assert [one.batch for one in found] == ["", "", "alembic"]
    with pytest.raises((NameError, AttributeError)):
        op.execute("SELECT 1")


@everywhere
@pytest.mark.parametrize("code", sorted(RECIPES))
def test_every_recipe_can_be_filled_in(dialect, code):
    """Braces are where they belong."""
    said = recipe(code, dialect, "books", "title")
    assert said
    assert "{{" not in said
    assert "{table}" not in said


SAME = {
    # What is unsafe wherever it runs.
    "drop a table": (lambda: op.drop_table("books"), "drop_table books"),
    "rename a table": (lambda: op.rename_table("books", "volumes"), "rename_table books"),
    "drop a column": (lambda: op.drop_column("books", "title"), "drop_column books.title"),
    "rename a column": (
        sql("ALTER TABLE books RENAME COLUMN title TO name"),
        "rename_column books.title",
    ),
    "a column that is needed": (
        lambda: ops.add_column("books", sa.Column("isbn", sa.String(13), nullable=False)),
        "add_not_null books.isbn",
    ),
    "a default by row": (
        lambda: op.add_column(
            "books", sa.Column("r", sa.Float, server_default=sa.text("(random())"))
        ),
        "volatile_default books.r",
    ),
    "NOT NULL with nothing filled": (
        lambda: ops.set_not_null("books", "subtitle"),
        "not_null books.subtitle",
    ),
    "all rows at once": (sql("UPDATE books SET title = upper(title)"), "rows books"),
    "all rows deleted": (sql("DELETE FROM books WHERE price = 0"), "rows books"),
    "fewer values": (
        lambda: narrow("IN ('draft')"),
        "enum books.ck_books_state",
    ),
    "an index that keeps rows unique": (
        lambda: ops.drop_index("uq_books_title", "books"),
        "drop_index books.uq_books_title",
    ),
    "an index that a foreign key needs": (
        lambda: ops.drop_index("ix_books_author", "books"),
        "drop_index books.ix_books_author",
    ),
    "a narrower type": (
        lambda: retype("title", sa.String(10), sa.String(40)),
        "type books.title",
    ),
    "another type": (lambda: retype("price", sa.Integer(), sa.Numeric(8, 2)), "type books.price"),
    "a stored column": (
        sql("ALTER TABLE books ADD COLUMN twice INTEGER GENERATED ALWAYS AS (price * 2) STORED"),
        "rewrite books.twice",
    ),
    "another primary key": (
        lambda: op.create_primary_key("pk", "books", ["title"]),
        "primary_key books.pk",
    ),
    "a foreign key that goes": (
        lambda: op.drop_constraint("fk_books_author", "books", type_="foreignkey"),
        "drop_constraint books.fk_books_author",
    ),
    "a default that goes": (
        sql("ALTER TABLE books ALTER COLUMN state DROP DEFAULT"),
        "drop_default books.state",
    ),
}


def narrow(values):
    with ops.alter_table("books") as table:
        table.drop_constraint("ck_books_state", type_="check")
    ops.add_check("ck_books_state", "books", f"state {values}")


def retype(column, new, old):
    with ops.alter_table("books") as table:
        table.alter_column(column, type_=new, existing_type=old)


@everywhere
@pytest.mark.parametrize("case", SAME)
def test_unsafe_wherever_it_runs(dialect, case):
    """Planted, and found with the right code and place."""
    upgrade, expected = SAME[case]
    assert expected in entries(upgrade, dialect, existing=before())


OWN = {
    "postgresql": {
        "an index while nobody writes": (
            lambda: op.create_index("ix", "books", ["title"]),
            "index books.ix",
        ),
        "an index by SQL": (sql("CREATE INDEX ix ON books (title)"), "index books.ix"),
        "CONCURRENTLY in a transaction": (
            lambda: op.create_index("ix", "books", ["title"], postgresql_concurrently=True),
            "transaction books.ix",
        ),
        "a unique constraint": (
            lambda: op.create_unique_constraint("uq", "books", ["price"]),
            "unique books.uq",
        ),
        "a foreign key": (
            lambda: op.create_foreign_key("fk", "books", "authors", ["author_id"], ["id"]),
            "foreign_key books.fk",
        ),
        "a foreign key with its column": (
            lambda: op.add_column("books", sa.Column("e", sa.ForeignKey("authors.id"))),
            "foreign_key books.fk_books_e",
        ),
        "a check": (
            lambda: op.create_check_constraint("ck", "books", "price > 0"),
            "check books.ck",
        ),
        "NOT NULL at once": (
            lambda: op.alter_column("books", "subtitle", nullable=False),
            "not_null books.subtitle",
        ),
        "two tables in a transaction": (
            lambda: [op.add_column(t, sa.Column("x", sa.Integer)) for t in ("authors", "books")],
            "transaction books.x",
        ),
        "proved under the lock": (
            sql(
                "ALTER TABLE books ADD CONSTRAINT ck CHECK (price > 0) NOT VALID;"
                "ALTER TABLE books VALIDATE CONSTRAINT ck"
            ),
            "transaction books.ck",
        ),
        "drop an index under a lock": (
            lambda: op.drop_index("ix_books_price", "books"),
            "drop_index books.ix_books_price",
        ),
        "a numbered column": (
            sql("ALTER TABLE books ADD COLUMN n BIGSERIAL"),
            "volatile_default books.n",
        ),
        "another enum": (sql("ALTER TYPE state RENAME VALUE 'a' TO 'b'"), "enum state"),
        "written anew": (sql("VACUUM FULL books"), "rewrite books"),
        "locked": (sql("LOCK TABLE books IN EXCLUSIVE MODE"), "lock books"),
        "a collation": (
            lambda: retype("title", sa.String(40, collation="C"), sa.String(40)),
            "type books.title",
        ),
    },
    "mariadb": {
        "a foreign key": (
            lambda: op.create_foreign_key("fk", "books", "authors", ["author_id"], ["id"]),
            "foreign_key books.fk",
        ),
        "a check": (
            lambda: op.create_check_constraint("ck", "books", "price > 0"),
            "check books.ck",
        ),
        "a check by our step": (
            lambda: ops.add_check("ck", "books", "price > 0"),
            "check books.ck",
        ),
        "a full-text index": (
            sql("CREATE FULLTEXT INDEX ft ON books (title)"),
            "index books.ft",
        ),
        "a text that needs a byte more for its length": (
            lambda: retype("subtitle", sa.String(64), sa.String(40)),
            "type books.subtitle",
        ),
        "more digits": (
            lambda: retype("price", sa.Numeric(10, 2), sa.Numeric(8, 2)),
            "type books.price",
        ),
        "NOT NULL by MODIFY": (
            lambda: op.alter_column(
                "books", "subtitle", existing_type=sa.String(40), nullable=False
            ),
            "not_null books.subtitle",
        ),
        "enum in another order": (
            lambda: retype("state", sa.Enum("b", "a"), sa.Enum("a", "b")),
            "enum books.state",
        ),
        "another character set": (
            sql("ALTER TABLE books CONVERT TO CHARACTER SET latin1"),
            "rewrite books",
        ),
        "written anew": (sql("OPTIMIZE TABLE books"), "rewrite books"),
        "locked": (sql("LOCK TABLES books WRITE"), "lock books"),
    },
    "sqlite": {
        "Alembic's copy": (lambda: alembic_batch(), "rebuild books.title"),
        "what ALTER TABLE cannot do": (
            lambda: op.create_check_constraint("ck", "books", "price > 0"),
            "rebuild books.ck",
        ),
        "a default that ALTER TABLE cannot keep": (
            lambda: op.add_column(
                "books", sa.Column("t", sa.DateTime, server_default=sa.text("CURRENT_TIMESTAMP"))
            ),
            "volatile_default books.t",
        ),
        "text to a moment": (
            lambda: retype("title", sa.DateTime(), sa.String(40)),
            "type books.title",
        ),
        "written anew": (sql("VACUUM"), "rewrite sql"),
    },
}


def alembic_batch():
    with op.batch_alter_table("books") as batch:
        batch.alter_column("title", server_default="x")


@pytest.mark.parametrize(("dialect", "case"), [(d, c) for d in OWN for c in OWN[d]])
def test_unsafe_on_one_of_them(dialect, case):
    """Planted, and found with the right code and place."""
    upgrade, expected = OWN[dialect][case]
    found = entries(upgrade, dialect, existing=before())
    assert [one for one in found if one.startswith(expected)], found


@everywhere
def test_more_than_twelve_are_planted(dialect):
    """For each kind of database."""
    assert len(SAME) + len(OWN[dialect]) >= 12


UNCLEAR = [
    "DO $$ BEGIN EXECUTE 'DROP TABLE books'; END $$",
    "CALL anything()",
    "SELECT drop_everything()",
    "SELECT 1 INTO x",
    "PRAGMA writable_schema = 1",
    "SET foreign_key_checks = 0",
    "ALTER TABLE books FROBNICATE",
    "CREATE TRIGGER t AFTER INSERT ON books BEGIN SELECT 1; END",
    "CREATE FUNCTION f() RETURNS void AS $$ DROP TABLE books $$ LANGUAGE sql",
    "SELECT 'a\\'; DROP TABLE books; --'",
    "ALTER TABLE books ADD COLUMN x int /*!, DROP COLUMN title */",
    "BEGIN",
]


@everywhere
@pytest.mark.parametrize("text", UNCLEAR)
def test_sql_that_cannot_be_read_is_refused(dialect, text):
    """Whatever it is."""
    found = entries(sql(text), dialect, existing=before())
    assert [one for one in found if one.startswith("unclear sql.")], found


OTHERWISE = {"unsafe.unclear", "unsafe.reason", "unsafe.unused"}  # tests of their own, above


@pytest.mark.parametrize("code", sorted(RECIPES.keys() - OTHERWISE))
def test_every_code_has_a_planted_migration(code):
    """A code that nothing can give would be a promise."""
    cases = [*SAME.values(), *(case for own in OWN.values() for case in own.values())]
    assert any(f"unsafe.{expected}".startswith(f"{code} ") for _, expected in cases)


@everywhere
def test_without_its_rules_nothing_is_found(dialect, monkeypatch):
    """So the planted ones can be missed: each is found by a rule, not by chance."""
    monkeypatch.setattr(RULES[dialect], "judge", lambda rules, change: iter(()))
    for upgrade, _ in SAME.values():
        assert entries(upgrade, dialect, existing=before()) == []
