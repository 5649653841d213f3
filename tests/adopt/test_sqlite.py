"""SQLite files: every table, row and value, and what the tables say of themselves."""

import datetime as dt
import sqlite3
from contextlib import closing
from decimal import Decimal

import pytest
from tests.adopt.relational import ROWS, build

from carboy.base.errors import SetupError

CYCLE = """
create table a (id integer primary key, b references b);
create table b (id integer primary key, a references a);
insert into a values (1, 2); insert into b values (2, 1);
"""


def made(folder, sql):
    """Return a new file with what *sql* makes."""
    path = folder / "made.db"
    with closing(sqlite3.connect(path)) as con, con:
        con.executescript(sql)
    return path


def plain(value):
    """Return a value as SQLite had it."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dt.datetime):
        return value.replace(tzinfo=None).isoformat(" ")
    return value.isoformat() if isinstance(value, dt.date) else value


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return build(tmp_path_factory.mktemp("shop") / "shop.db")


@pytest.mark.slow
def test_every_value_of_every_table_comes_back(adopt, shop):
    """Compared with what was written, in any order where the key is new."""
    found = adopt(shop)
    assert len(found.drafts) == len(ROWS)
    for draft in found.drafts:
        rows = found.rows[draft.cls]
        names = [f"{c.link.name}_id" if c.link else c.name for c in draft.columns]
        mine = [tuple(plain(row[name]) for name in names) for row in rows]
        given = ROWS[draft.raw.name]
        if draft.raw.name == "odd table!":
            assert [row[1:4] for row in mine] == [row[1:4] for row in given]
            assert [row[0] for row in mine] == ["1", "two", "3.5"]  # told: mixed, kept as text
            assert [row[4] for row in mine] == [{"a": 1}, None, {"b": [1, 2]}]
        else:
            assert sorted(map(str, map(same, mine))) == sorted(map(str, map(same, given)))


def same(row):
    """Return a row in which 1, 1.0 and True are one."""
    return [float(v) if isinstance(v, (int, float)) else v for v in row]


def test_what_tables_declare_is_kept(adopt, shop):
    """Keys, relations, uniqueness, sizes; checks as text; views told."""
    text = adopt(shop).text
    for line in (
        "artist: Mapped[Artist] = belongs_to()",
        "album: Mapped[Album | None] = belongs_to()",
        "media: Mapped[Medium] = belongs_to()",
        'reports_to: Mapped["Employee | None"] = belongs_to()',
        "price: Mapped[Decimal] = field(digits=10)",
        "explicit: Mapped[bool] = field()",
        "name: Mapped[str] = field(max_length=120, search=True)",
        'constraints = (unique("playlist", "track"),)',
        'ForeignKeyConstraint(["year", "number"], ["invoices.year", "invoices.number"])',
        "# ? over there: CHECK (length(Title) > 0)",
        "class DemoUser(Model):",
        "class_: Mapped[str | None]",
        "metadata_: Mapped[dict[str, Any] | None] = field()",
        "year: Mapped[int] = field(key=True)",
    ):
        assert line in text, line


def test_views_and_virtual_tables_are_told(adopt, shop):
    """Nothing is left out silently."""
    assert adopt(shop).notes == [
        "shop.db: cheap is a view, so it was left out",
        "shop.db: words is a virtual table, so it was left out",
    ]


def test_a_reference_to_nothing_stops_it(adopt, tmp_path):
    """SQLite does not enforce them by itself; --skip-bad leaves the row out, and its children."""
    path = made(tmp_path, """
        create table a (id integer primary key, name text);
        create table b (id integer primary key, a integer not null references a);
        create table c (id integer primary key, b integer references b);
        insert into a values (1, 'x'), (2, 'y');
        insert into b values (10, 1), (11, 99), (12, 2), (13, 98);
        insert into c values (20, 10), (21, 11), (22, null);
    """)  # fmt: skip
    with pytest.raises(
        SetupError, match=r"made.db, table b, row 2, a: '99' is no id of a, nor are"
    ):
        adopt(path)
    found = adopt(path, skip_bad=True)
    assert [row["id"] for row in found.rows["B"]] == [10, 12]
    assert [row["id"] for row in found.rows["C"]] == [20, 22]
    assert sorted((bad.line, bad.column, bad.reason) for bad in found.rejected) == [
        (2, "a", "refers to no row of a"),
        (2, "b", "refers to no row of b"),
        (4, "a", "refers to no row of a"),
    ]


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("create table t (id text, v); insert into t values ('a', 1), ('a', 2)", "source_id"),
        ("create table t (id integer primary key, v); insert into t values (-5, 1)", "class T"),
        ('create table t ("" text, v); insert into t values (1, 2)', "column_1"),
        ("create table class (import text, def int); insert into class values ('a', 1)", "import_"),
        ('create table "a-b" (x); insert into "a-b" values (1); create table "a b" (x)', "AB2"),
        ("create table t (a int, b int as (a + 1)); insert into t (a) values (1)", "calculated"),
        ("create table t (d datetime); insert into t values (1700000000)", "holds whole numbers"),
        ("create table t (x text); insert into t values (cast(x'ff41' as text)), ('b')", "error"),
        ("create table t (x); insert into t values (null), (null)", "no row has a value"),
        ("create table t (x int); create table u (y int); insert into u values (1)", "class U"),
        (CYCLE, "which refers back: no belongs_to()"),
    ],
    ids=["id", "negative", "no-name", "keywords", "clash", "generated", "epoch", "broken-text",
         "nulls", "empty", "cycle"],
)  # fmt: skip
def test_odd_tables(adopt, tmp_path, sql, words):
    """Names that are keywords, keys that are none, types that lie."""
    path = made(tmp_path, sql)
    if words == "error":
        with pytest.raises(SetupError, match=r"row 1, x: .* are no text in UTF-8"):
            adopt(path)
    else:
        assert words in adopt(path).text


def test_the_file_is_not_touched(adopt, shop, tmp_path):
    """Also in a folder that cannot be written."""
    before = shop.stat().st_mtime_ns, sorted(shop.parent.iterdir())
    adopt(shop)
    assert (shop.stat().st_mtime_ns, sorted(shop.parent.iterdir())) == before


def test_broken_and_empty_files(adopt, tmp_path):
    """With a letter."""
    path = build(tmp_path / "shop.db")
    path.write_bytes(path.read_bytes()[:3000] + b"\xff" * 30_000)
    with pytest.raises(SetupError) as error:
        adopt(path)
    assert error.value.code == "new.from.sqlite"
    empty = made(tmp_path, "create view v as select 1")
    with pytest.raises(SetupError) as error:
        adopt(empty)
    assert error.value.code == "new.from.empty"
