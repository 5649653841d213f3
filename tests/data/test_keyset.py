"""Pages by key: in order, there and back, on every database, by an index."""

import enum
import functools
import random
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Index, event, select, text
from sqlalchemy.orm import Mapped, aliased, joinedload

from carboy.base.errors import RequestFault, SetupError
from carboy.data.cursors import Place, write_cursor
from carboy.data.db import db
from carboy.data.fields import field
from carboy.data.keyset import keyset
from carboy.data.orders import order_of
from carboy.data.relations import belongs_to, has_many

MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)


class Colour(enum.Enum):
    RED = "r"
    BLUE = "b"
    GREEN = "Z"


@pytest.fixture
def thing(base):
    class Thing(base):
        whole: Mapped[int | None]
        other: Mapped[int | None]
        word: Mapped[str] = field(max_length=20)
        price: Mapped[Decimal]
        at: Mapped[datetime | None]
        colour: Mapped[Colour | None]
        uid: Mapped[uuid.UUID]
        share: Mapped[float]

    return Thing


@pytest.fixture
def pair(base):
    class Pair(base):
        left: Mapped[int] = field(key=True)
        right: Mapped[str] = field(key=True, max_length=20)
        whole: Mapped[int | None]

    return Pair


def things(thing, count=25, seed=1):
    draw = random.Random(seed)
    return [
        thing(
            whole=draw.choice([None, None, 1, 2, -(2**63)]),
            other=draw.choice([None, 0, 1]),
            word=draw.choice(["a", "B", "é", "", "z ", "z", "\U0001f600"]),
            price=Decimal(draw.randrange(4)) / 4,
            at=draw.choice([None, MIDNIGHT, MIDNIGHT + timedelta(microseconds=1)]),
            colour=draw.choice([None, *Colour]),
            uid=uuid.UUID(int=draw.randrange(4) << 90),
            share=draw.choice([0.1, 1e300, -0.25]),
        )
        for _ in range(count)
    ]


def compare(order, one, other):
    """Compare two rows as the page about lists says: None is the smallest, text by code point."""
    for key in order.keys:
        a, b = getattr(one, key.name), getattr(other, key.name)
        a, b = (x.value if isinstance(x, enum.Enum) else x for x in (a, b))
        if a != b:
            smaller = a is None or (b is not None and a < b)
            return -1 if smaller is not key.descending else 1
    return 0


def in_order(rows, model, names):
    order = order_of(model, names)
    return sorted(rows, key=functools.cmp_to_key(functools.partial(compare, order)))


def walk(take):
    """Return the pages from the first to the last, and those from the last back to the first."""
    forth, page = [], take(None)
    forth.append(page)
    while page.has_next:
        page = take(page.next)
        assert page.has_prev
        assert len(forth) < 200, "it does not end"
        forth.append(page)
    back = [page]
    while page.has_prev:
        page = take(page.prev)
        assert page.has_next
        back.append(page)
    return forth, back[::-1]


def items(pages):
    return [item for page in pages for item in page]


ORDERS = [
    (), ("-id",), ("whole",), ("-whole",), ("word", "price"), ("-word", "-price"),
    ("word", "-price"), ("whole", "-other"), ("-whole", "other"), ("price", "whole", "-other"),
    ("colour", "-whole"), ("-price", "-other", "word"), ("at", "-word"), ("-at",),
    ("uid", "share"), ("-share", "colour"), ("id", "word"),
]  # fmt: skip


class TestOrder:
    def test_every_row_once_in_order_there_and_back(self, session, thing):
        """With NULLs, ties and mixed directions: the same order on every database."""
        opened = session()
        rows = things(thing)
        opened.add_all(rows)
        opened.commit()
        for names in ORDERS:
            expected = [row.id for row in in_order(rows, thing, names)]
            take = functools.partial(keyset, opened, select(thing), names, size=7)
            forth, back = walk(lambda cursor, take=take: take(cursor=cursor))
            assert [row.id for row in items(forth)] == expected, names
            assert [row.id for row in items(back)] == expected, names
            assert all(len(page) == 7 for page in forth[:-1])

    def test_pages_of_one_row(self, session, thing):
        """Every row is an edge: the first and last NULL, the last of its kind."""
        opened = session()
        rows = things(thing, 15)
        opened.add_all(rows)
        opened.commit()
        for names in (("whole", "-other"), ("-whole", "word")):
            take = functools.partial(keyset, opened, select(thing), names, size=1)
            forth, back = walk(lambda cursor, take=take: take(cursor=cursor))
            assert items(forth) == items(back) == in_order(rows, thing, names)

    def test_a_key_of_several_columns(self, session, pair):
        """All of them break ties."""
        opened = session()
        rows = [
            pair(left=n % 3, right=f"{n:02}", whole=None if n % 4 else n % 2) for n in range(20)
        ]
        opened.add_all(rows)
        opened.commit()
        for names in ((), ("-left",), ("whole",), ("-whole", "right"), ("right",)):
            take = functools.partial(keyset, opened, select(pair), names, size=4)
            forth, back = walk(lambda cursor, take=take: take(cursor=cursor))
            assert items(forth) == items(back) == in_order(rows, pair, names)

    def test_the_key_goes_the_way_of_the_last_name(self, thing):
        """So that one index serves both."""
        assert str(order_of(thing, ("whole", "-word"))) == "whole,-word,-id"
        assert str(order_of(thing, ())) == "id"
        assert str(order_of(thing, ("-id",))) == "-id"


@pytest.fixture
def filled(session, thing):
    opened = session()
    opened.add_all(things(thing, 10))
    opened.commit()
    return opened


class TestPage:
    def test_an_empty_list_has_one_empty_page(self, session, thing):
        """Without neighbours."""
        page = keyset(session(), select(thing), ("whole",))
        assert (page.items, page.next, page.prev, len(page)) == ([], None, None, 0)
        assert not page.has_next
        assert not page.has_prev

    def test_a_full_last_page_has_no_next(self, filled, thing):
        """One row more is read, not one page."""
        assert keyset(filled, select(thing), size=10).next is None
        assert keyset(filled, select(thing), size=9).next is not None

    def test_an_empty_page_leads_back(self, filled, thing):
        """When all rows after a page were deleted; the last one seen is not left out."""
        page = keyset(filled, select(thing), size=5)
        filled.execute(thing.__table__.delete().where(thing.id > 5))
        gone = keyset(filled, select(thing), size=5, cursor=page.next)
        assert (gone.items, gone.next) == ([], None)
        back = keyset(filled, select(thing), size=5, cursor=gone.prev)
        assert [row.id for row in back] == [1, 2, 3, 4, 5]
        filled.execute(thing.__table__.delete().where(thing.id < 6))
        filled.add_all(things(thing, 2))
        filled.flush()
        begin = keyset(filled, select(thing), size=5, cursor=gone.prev)
        assert (begin.items, begin.prev) == ([], None)
        assert len(keyset(filled, select(thing), size=5, cursor=begin.next)) == 2

    def test_values_are_those_of_the_rows_not_of_changed_objects(self, filled, thing):
        """A cursor made of an object that the view has changed would jump."""
        page = keyset(filled, select(thing), ("id",), size=3)
        with filled.no_autoflush:
            page.items[-1].whole = 77
            page.items[-1].id = 99
            again = keyset(filled, select(thing), ("id",), size=3)
        assert again.next == page.next
        filled.rollback()

    def test_rows_of_several_columns(self, filled, thing):
        """As execute() gives them, without what pages need."""
        page = keyset(filled, select(thing.id, thing.word.label("said")), ("-id",), size=2)
        assert [tuple(row) for row in page] == [(row.id, row.said) for row in page]
        assert len(page.items[0]) == 2

    def test_an_alias(self, filled, thing):
        """Conditions and order are about it."""
        other = aliased(thing)
        found = walk(lambda c: keyset(filled, select(other), ("-whole",), size=3, cursor=c))[0]
        assert len({row.id for row in items(found)}) == 10

    def test_conditions_stay(self, filled, thing):
        """A cursor says where, not which."""
        wanted = select(thing).where(thing.id % 2 == 0)
        forth, back = walk(lambda c: keyset(filled, wanted, ("-id",), size=2, cursor=c))
        assert [row.id for row in items(forth)] == [10, 8, 6, 4, 2]
        assert items(forth) == items(back)

    def test_statements(self, filled, thing):
        """One, whatever the page; two only where rows with and without a value meet."""
        seen = []
        event.listen(filled.get_bind(thing), "before_cursor_execute", lambda *e: seen.append(e[2]))
        walk(lambda c: keyset(filled, select(thing), ("word", "id"), size=3, cursor=c))
        assert len(seen) == 7
        seen.clear()
        walk(lambda c: keyset(filled, select(thing), ("-whole",), size=3, cursor=c))
        assert len(seen) <= 7 + 3

    def test_collections_loaded_by_join(self, session, base):
        """The limit counts rows of the model, not of the join."""

        class Author(base):
            name: Mapped[str] = field(max_length=20)
            books: Mapped[list["Book"]] = has_many()

        class Book(base):
            author: Mapped[Author] = belongs_to()

        opened = session()
        opened.add_all([Author(name="n", books=[Book(), Book(), Book()]) for _ in range(5)])
        opened.commit()
        wanted = select(Author).options(joinedload(Author.books))
        forth, back = walk(lambda c: keyset(opened, wanted, ("name",), size=2, cursor=c))
        assert [len(page) for page in forth] == [2, 2, 1]
        assert [row.id for row in items(back)] == [1, 2, 3, 4, 5]


class TestRefused:
    @pytest.mark.parametrize(
        ("change", "what"),
        [
            (lambda s, t: s.order_by(t.id), "order_by"),
            (lambda s, t: s.limit(3), "limit"),
            (lambda s, t: s.offset(3), "offset"),
            (lambda s, t: select(text("1")), "no model"),
            (lambda s, t: select(t.__table__), "no model"),
        ],
        ids=["order_by", "limit", "offset", "text", "table"],
    )
    def test_a_select_that_is_no_list(self, session, thing, change, what):
        """What would make pages wrong is said at once."""
        opened = session()
        with pytest.raises(SetupError, match=what) as caught:
            keyset(opened, change(select(thing), thing))
        assert caught.value.code == "data.keyset"

    @pytest.mark.parametrize("size", [0, -1, 1001, "5", True, 2.0])
    def test_a_size_that_cannot_be(self, session, thing, size):
        """Between one and a thousand rows."""
        with pytest.raises(RequestFault) as caught:
            keyset(session(), select(thing), size=size)
        assert caught.value.code == "data.page_size"

    def test_names_that_cannot_be(self, base):
        """Unknown, hidden, without an order, too long for a cursor."""

        class Secret(base):
            salary: Mapped[int] = field(api="hidden")
            blurb: Mapped[str]
            title: Mapped[str] = field(max_length=400)
            more: Mapped[str] = field(max_length=400)
            data: Mapped[dict]
            raw: Mapped[bytes]

        for names, code in (
            (("nope",), "data.list_name"), (("salary",), "data.not_public"),
            (("blurb",), "data.sort_key"), (("title", "more"), "data.sort_key"),
            (("data",), "data.sort_key"), (("raw",), "data.sort_key"), ("id", "data.order"),
            (("id; DROP TABLE secrets",), "data.list_name"), (("__class__",), "data.list_name"),
        ):  # fmt: skip
            with pytest.raises(SetupError) as caught:
                order_of(Secret, names)
            assert caught.value.code == code, names

    def test_a_key_that_is_hidden(self, base):
        """It is in every cursor."""

        class Secret(base):
            id: Mapped[int] = field(key=True, api="hidden")

        with pytest.raises(SetupError, match="is api="):
            order_of(Secret, ())


PLANS = [
    (("word",), "ix_word"), (("-word",), "ix_word"), (("whole",), "ix_whole"),
    (("-whole",), "ix_whole"), (("price", "-other"), "ix_price"), ((), ""),
]  # fmt: skip


def explained(engine, base, run):
    """Return (statement, plan) of every SELECT that *run* executes."""
    kind, plans = engine.dialect.name, []

    def explain(connection, cursor, statement, parameters, context, many):
        if statement.startswith("SELECT"):
            how = "EXPLAIN QUERY PLAN " if kind == "sqlite" else "EXPLAIN "
            other = connection.connection.cursor()
            other.execute(how + statement, parameters)
            plans.append((statement, " ".join(map(str, other.fetchall()))))
            other.close()

    event.listen(engine, "before_cursor_execute", explain)
    run()
    event.remove(engine, "before_cursor_execute", explain)
    return plans


@pytest.mark.slow
def test_an_index_answers_every_page(session, database, base):
    """The first, one in the middle, one among rows without a value, the last, and back."""

    class Row(base):
        word: Mapped[str] = field(max_length=20)
        whole: Mapped[int | None]
        price: Mapped[int]
        other: Mapped[int]
        __table_args__ = (
            Index("ix_word", "word", "id"),
            Index("ix_whole", "whole", "id"),
            Index("ix_price", "price", "other", "id"),
        )

    opened = session()
    values = [
        {"word": f"{n * 7919 % 3000:05}", "whole": n % 3 and n, "price": n % 700, "other": n % 11}
        for n in range(3000)
    ]
    opened.execute(Row.__table__.insert(), [{**v, "whole": v["whole"] or None} for v in values])
    opened.commit()
    engine = opened.get_bind(Row)
    kind = engine.dialect.name
    if kind == "postgresql":
        with engine.begin() as connection:
            connection.exec_driver_sql("ANALYZE rows")

    def visit(names):
        page = keyset(opened, select(Row), names, size=20)
        middle = [row.id for row in in_order(opened.scalars(select(Row)), Row, names)][1500]
        at = Place(
            tuple(getattr(opened.get(Row, middle), k.name) for k in order_of(Row, names).keys)
        )
        cursor = write_cursor(order_of(Row, names), at)
        for start in (page.next, cursor):
            page = keyset(opened, select(Row), names, size=20, cursor=start)
            keyset(opened, select(Row), names, size=20, cursor=page.prev)

    for names, index in PLANS:
        visit(names)  # what it needs itself is not explained
        plans = [p for p in explained(engine, base, lambda n=names: visit(n)) if "LIMIT" in p[0]]
        assert len(plans) >= 5
        for statement, plan in plans:
            if kind == "sqlite":
                sought = "SEARCH" if "WHERE" in statement else "SCAN"
                used = f"{sought} rows USING INDEX {index}" if index else f"{sought} rows"
                assert used in plan, (statement, plan)
            elif kind == "postgresql":
                # For a few rows it may take another index than ours, and sort them.
                assert "Index" in plan, (statement, plan)
                assert "Seq Scan" not in plan, (statement, plan)


class TestVerb:
    """db.keyset: what it reads from the request."""

    @pytest.fixture
    def connected(self, tmp_path, base):
        class Row(base):
            word: Mapped[str] = field(max_length=20)

        with db.connect(f"sqlite:///{tmp_path}/verb.db"):
            db.create_all(metadata=base.metadata)
            db.session.add_all([Row(word=f"{n:02}") for n in range(30)])
            db.session.commit()
            yield Row

    def test_without_a_request(self, connected):
        """Twenty rows, and what is said."""
        page = db.keyset(select(connected), order=("-word",))
        assert len(page) == 20
        assert page.items[0].word == "29"
        assert len(db.keyset(select(connected), order=("-word",), cursor=page.next)) == 10

    def test_in_a_request(self, app, connected):
        """Cursor and size come from the query string, within bounds."""
        with app.test_request_context("/?size=7"):
            page = db.keyset(select(connected))
            assert len(page) == 7
        with app.test_request_context(f"/?size=500&cursor={page.next}"):
            assert len(db.keyset(select(connected), max_size=9)) == 9
            assert len(db.keyset(select(connected), size=3, cursor="")) == 3

    @pytest.mark.parametrize("query", ["cursor=x", "cursor=%00", "cursor=1%F0%9F", "size=0"])
    def test_bad_input_is_400(self, app, connected, query):
        """The request's fault, never ours."""
        with app.test_request_context(f"/?{query}"), pytest.raises(RequestFault) as caught:
            db.keyset(select(connected))
        assert caught.value.status == 400

    def test_a_reading(self, connected):
        """The same pages, of light objects; and as JSON."""
        reading = connected.read("id", "word", order=("-word",))
        forth, back = walk(lambda c: db.keyset(reading, size=7, cursor=c))
        assert [row.word for row in items(forth)] == [f"{n:02}" for n in range(29, -1, -1)]
        assert [row.word for row in items(back)] == [row.word for row in items(forth)]
        assert forth[-1].json() == b'[{"id":2,"word":"01"},{"id":1,"word":"00"}]'
        with pytest.raises(SetupError, match="no JSON of its own"):
            db.keyset(select(connected)).json()


def test_readings_give_the_same_pages(database, base, thing):
    """As a select does, with NULLs on every database."""
    with db.connect(database.url):
        db.create_all(metadata=base.metadata)
        rows = things(thing, 20)
        db.session.add_all(rows)
        db.session.commit()
        reading = thing.read("id", "word")
        for names in ORDERS[2:12]:
            expected = [row.id for row in in_order(rows, thing, names)]
            take = functools.partial(db.keyset, reading, order=names, size=6)
            forth, back = walk(lambda cursor, take=take: take(cursor=cursor))
            assert [row.id for row in items(forth)] == expected, names
            assert [row.id for row in items(back)] == expected, names
