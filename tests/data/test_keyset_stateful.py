"""Pages while others write: what was there throughout is met once, in order.

rows, an order, a size  ->  walk to the end and back  |  between two pages, rows come and go
"""

import functools
import os
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from sqlalchemy import MetaData, delete, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from carboy.data.engines import engine_for
from carboy.data.keyset import keyset
from carboy.data.orders import order_of

EXAMPLES = int(os.environ.get("CARBOY_KEYSET_EXAMPLES", "300"))


class Base(DeclarativeBase):
    metadata = MetaData()


class Row(Base):
    __tablename__ = "keyset_rows"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    one: Mapped[int | None]
    two: Mapped[int | None]
    three: Mapped[int]


NAMES = ("one", "two", "three", "id")
small = st.none() | st.integers(0, 2)
values = st.tuples(small, small, st.integers(0, 2))
orders = st.permutations(NAMES).flatmap(
    lambda names: st.tuples(
        st.integers(0, 4), st.tuples(*(st.sampled_from([n, f"-{n}"]) for n in names))
    ).map(lambda drawn: drawn[1][: drawn[0]])
)
# What happens between two pages: (key, values) is written, (key, None) deleted.
events = st.lists(st.tuples(st.integers(0, 24), st.none() | values), max_size=4)


def smaller(order, one, other):
    """Compare as the page about lists says: None is smaller than every value."""
    for key in order.keys:
        a, b = one[key.name], other[key.name]
        if a != b:
            less = a is None or (b is not None and a < b)
            return -1 if less is not key.descending else 1
    return 0


def walked(session, order, size, happenings, first, step):
    """Return (rows met, keys that were there throughout): from page to page by *step*."""
    there = {row.id: row.values() for row in session.scalars(select(Row))}
    throughout, met, cursor = dict(there), [], first
    more = True
    while more:
        page = keyset(session, select(Row), order.names, size=size, cursor=cursor)
        rows = [row.values() for row in page]
        met.append(rows)
        assert len(met) < 200, "it does not end"
        cursor = getattr(page, step)
        more = cursor is not None
        for key, new in next(happenings, ()) if more else ():
            session.execute(delete(Row).where(Row.id == key))
            throughout.pop(key, None)
            if new is not None:
                session.add(Row(id=key, one=new[0], two=new[1], three=new[2]))
            session.flush()
        session.expunge_all()
    return met, throughout, page


def _values(self):
    return {name: getattr(self, name) for name in NAMES}


Row.values = _values


def check(session, drawn, order, size, forth, back):
    for key, (one, two, three) in drawn.items():
        session.add(Row(id=key, one=one, two=two, three=three))
    session.flush()
    sort_key = functools.cmp_to_key(functools.partial(smaller, order))
    met, throughout, last = walked(session, order, size, iter(forth), None, "next")
    judge([row for page in met for row in page], throughout, sort_key)
    assert all(len(page) <= size for page in met)
    if last.prev is None:
        return
    # Back from the last page: its own rows are those it showed.
    shown = met[-1]
    met, throughout, _ = walked(session, order, size, iter(back), last.prev, "prev")
    rows = [row for page in reversed(met) for row in page]
    onto = {row["id"] for row in shown}
    ends = sort_key(shown[0]) if shown else None
    before = {
        key: row for key, row in throughout.items()
        if key not in onto and (ends is None or sort_key(row) < ends)
    }  # fmt: skip
    judge(rows, before, sort_key)


def judge(rows, throughout, sort_key):
    """What was met is in order and without repetition; nothing that stayed was left out."""
    for one, other in pairwise(rows):
        assert sort_key(one) < sort_key(other), "not in order, or twice"
    met = [row["id"] for row in rows if row["id"] in throughout]
    expected = sorted(throughout, key=lambda key: sort_key(throughout[key]))
    assert met == expected


def property_on(url, examples):
    engine = engine_for(url)
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)

    @settings(
        max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck),
        database=None,
    )  # fmt: skip
    @given(
        st.dictionaries(st.integers(0, 24), values, max_size=16), orders, st.integers(1, 5),
        st.lists(events, max_size=8), st.lists(events, max_size=8),
    )  # fmt: skip
    def run(drawn, names, size, forth, back):
        with Session(engine) as session:
            check(session, drawn, order_of(Row, names), size, forth, back)

    try:
        run()
    finally:
        Base.metadata.drop_all(engine)
        engine.dispose()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_rows_that_stay_are_met_once_on_sqlite():
    """Whatever comes and goes between the pages, in any order, there and back."""
    property_on("sqlite://", EXAMPLES)


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.timeout(600)
@pytest.mark.parametrize("server", ["pg", "mariadb"])
def test_rows_that_stay_are_met_once_on_servers(server, request):
    """With other places for NULL, and other conditions."""
    property_on(request.getfixturevalue(server), EXAMPLES // 6)


def test_a_few_of_them():
    """So that the quick tests notice, too."""
    property_on("sqlite://", 10)
