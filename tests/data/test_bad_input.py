"""Values and names that no careful person would write: kept exactly, or refused clearly.

Each error says who can act: ValueFault and InvalidRow the client (422), SetupError the
developer. What went wrong undoes its transaction; the session serves afterwards.
"""

import enum
import uuid
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal

import pytest
from sqlalchemy import exc, func, select, text
from sqlalchemy.orm import Mapped

from carboy.base.errors import RequestFault, SetupError
from carboy.data.bulk import bulk_insert
from carboy.data.faults import ValueFault
from carboy.data.fields import field
from carboy.data.filters import filters
from carboy.data.keyset import keyset
from carboy.data.relations import belongs_to
from carboy.data.sorts import sorts
from carboy.data.validity import InvalidRow


class State(enum.Enum):
    NEW = "new"
    OLD = "old"


@pytest.fixture
def thing(base):
    class Thing(base):
        name: Mapped[str | None] = field(max_length=80)
        count: Mapped[int | None]
        ratio: Mapped[float | None]
        price: Mapped[Decimal | None]
        day: Mapped[date | None]
        at: Mapped[datetime | None]
        clock: Mapped[time | None]
        state: Mapped[State | None]
        token: Mapped[uuid.UUID | None]
        tree: Mapped[dict | None]
        twigs: Mapped[list | None]
        raw: Mapped[bytes | None]
        parent: Mapped["Thing | None"] = belongs_to()

    return Thing


EXTREMES = [
    ("name", "'; DROP TABLE things; --"), ("name", "%s %(a)s :a ? $1 \\ \" ` {}"),
    ("name", "\U0010ffff" * 80), ("name", " a \t\r\n "), ("name", ""), ("name", "\ufeff\u202e"),
    ("count", 2**63 - 1), ("count", -(2**63)), ("ratio", 1.7976931348623157e308),
    ("ratio", 5e-324), ("ratio", 2.2250738585072014e-308), ("price", Decimal("9" * 16 + ".99")),
    ("price", Decimal("-0.01")), ("day", date.min), ("day", date.max), ("day", date(1000, 1, 1)),
    ("at", datetime.min.replace(tzinfo=UTC)), ("at", datetime.max.replace(tzinfo=UTC)),
    ("at", datetime(2026, 5, 1, 12, tzinfo=timezone(timedelta(hours=14)))),
    ("clock", time.min), ("clock", time.max), ("token", uuid.UUID(int=0)), ("raw", b""),
    ("raw", bytes(range(256))),
    ("tree", {"'": ['"', "\\", "\u2028", 0.5, 2**60, None, {}]}), ("twigs", [[[]]]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), EXTREMES, ids=lambda one: ascii(one)[:30])
def test_what_fits_at_the_very_edge_comes_back(session, thing, name, value):
    """By an object and in bulk, and it is found by."""
    session = session()
    session.add(thing(**{name: value}))
    session.commit()
    bulk_insert(session, thing, [{name: value}])
    column = getattr(thing, name)
    assert session.scalars(select(column)).all() == [value, value]
    if name not in ("tree", "twigs"):
        assert session.scalar(select(func.count()).where(column == value)) == 2


def cyclic():
    found = {}
    found["again"] = found
    return found


REFUSED = [
    ("name", "a\0b"), ("name", "\ud800"), ("name", "x" * 81), ("name", 5), ("name", b"a"),
    ("count", 2**63), ("count", -(2**63) - 1), ("count", 10**400), ("count", "1"), ("count", True),
    ("count", 1.0), ("ratio", float("nan")), ("ratio", float("inf")), ("ratio", "1"),
    ("price", Decimal("0.001")), ("price", Decimal("1e400")), ("price", Decimal("sNaN")),
    ("price", 0.1), ("day", "2026-02-30"), ("day", datetime(2026, 1, 1, tzinfo=UTC)),
    ("at", datetime(2026, 1, 1)), ("at", "2026-05-01T12:00:00Z"),
    ("clock", time(1, tzinfo=UTC)), ("state", "new"), ("state", "none of them"), ("token", "x"),
    ("token", str(uuid.UUID(int=1))), ("raw", "text"), ("tree", cyclic()), ("tree", {"a": {1, 2}}),
    ("tree", {"a": float("nan")}), ("tree", {"a": "\0"}), ("twigs", [{1}]),
    ("parent_id", {"a": 1}), ("parent_id", [1]), ("parent_id", 2**63), ("parent_id", "\0"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), REFUSED, ids=lambda one: ascii(one)[:30])
def test_what_does_not_fit_is_the_clients_fault(session, thing, name, value):
    """422 with the field, before anything is sent; the session goes on."""
    session = session()
    session.add(thing(**{name: value}))
    with pytest.raises(InvalidRow) as caught:
        session.commit()
    assert (caught.value.status, caught.value.errors[0]["loc"]) == (422, [name])
    session.rollback()
    with pytest.raises(InvalidRow):
        bulk_insert(session, thing, [{}, {name: value}])
    assert session.scalar(select(func.count()).select_from(thing)) == 0
    session.add(thing(name="after"))
    session.commit()


@pytest.mark.parametrize(("name", "value"), [("tree", []), ("tree", "{}"), ("twigs", {})])
def test_json_of_another_shape_is_refused_when_it_is_set(session, thing, name, value):
    """It could not be followed for changes; in bulk it is found as any other."""
    with pytest.raises(ValueFault, match="must be") as caught:
        thing(**{name: value})
    assert (caught.value.status, caught.value.errors[0]["loc"]) == (422, [name])
    with pytest.raises(InvalidRow):
        bulk_insert(session(), thing, [{name: value}])


MISFITS = [
    ("day", "2026-05-01"), ("day", 5), ("at", "now"), ("at", datetime(2026, 1, 1)), ("clock", "x"),
    ("state", "none of them"), ("state", {}), ("token", "x"), ("price", "1"),
    ("price", Decimal("NaN")), ("count", 10**400), ("count", {}), ("count", []), ("name", {}),
    ("name", 0), ("name", False), ("name", ["a"]), ("name", "\ud800"), ("raw", {}), ("ratio", {}),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("name", "value"), MISFITS, ids=lambda one: ascii(one)[:30])
@pytest.mark.parametrize("how", ["equal", "among"])
def test_what_cannot_be_compared_finds_nothing_or_is_refused(session, thing, name, value, how):
    """422, and SQLAlchemy's DataError too; never an error of the program, never a row."""
    session = session()
    session.add(thing(name="a", count=0, ratio=0, raw=b"0", price=0, token=uuid.UUID(int=0)))
    session.commit()
    column = getattr(thing, name)
    error = None
    try:
        condition = column == value if how == "equal" else column.in_([value])
        found = session.scalars(select(thing.id).where(condition)).all()
    except exc.DataError as caught:
        error, found = caught, []
        session.rollback()
    assert found == []
    assert error is None or (isinstance(error, ValueFault) and error.status == 422)
    assert session.scalar(select(thing.name)) == "a"


def test_a_mistake_in_a_default_is_the_developers(session, base):
    """It is no bad value of a client's: it stays what it is."""

    class Late(base):
        number: Mapped[int] = field(default=lambda: int("no number"))

    session = session()
    session.add(Late())
    with pytest.raises(Exception, match="no number") as caught:
        session.flush()
    assert not isinstance(caught.value, RequestFault)


NAMES = ("select", 'a"b', "a`b", "a'b", "a;--", "50%", "a b", "ünï", "a:b", "a.b", "{a}", "a\\b")


def test_sql_in_the_names_of_a_table_is_a_name(session, base):
    """Made, written, read and counted: every name is quoted everywhere."""
    body = {"__tablename__": 'or"d;er`s --', "__annotations__": {}}
    for number, name in enumerate(NAMES):
        body[f"field{number}"] = field(name=name, default=number)
        body["__annotations__"][f"field{number}"] = Mapped[int]
    odd = type("Odd", (base,), body)
    session = session()
    session.add(odd())
    session.commit()
    bulk_insert(session, odd, [{"field0": 7}])
    columns = [getattr(odd, f"field{number}") for number in range(len(NAMES))]
    statement = select(*columns).where(columns[5] == 5).order_by(columns[0])
    assert session.execute(statement).all() == [
        tuple(range(len(NAMES))), (7, *range(1, len(NAMES))),
    ]  # fmt: skip
    assert len(keyset(session, select(odd), ("-field0", "field5"))) == 2


@pytest.mark.parametrize(
    "name", ["", "nme", "name; DROP TABLE things", "name'", "parent.", "name.name", "__class__",
             "metadata", "parent.metadata", "parent.name; --", "\0", "1"],
)  # fmt: skip
def test_a_name_that_is_none_is_refused_where_it_is_declared(thing, name):
    """Names come from the program: SetupError, and never a part of SQL."""
    thing.registry.configure()
    for declare in (
        lambda: thing.read(name),
        lambda: thing.read("id", order=(f"-{name}",)),
        lambda: filters(thing, name).parse({name: "1"}),
        lambda: sorts(thing, name).parse(name),
    ):
        with pytest.raises(SetupError):
            declare()


def test_a_path_that_goes_round_ends(thing):
    """A tree has parents of parents; a selection has three of them."""
    thing.registry.configure()
    with pytest.raises(SetupError):
        thing.read("parent." * 30 + "name")
    with pytest.raises(SetupError):
        thing.read("id", order=("parent." * 30 + "name",))


def test_a_statement_of_text_keeps_its_values_apart(session, thing):
    """What is bound is a value, whatever it looks like."""
    session = session()
    session.add(thing(name="a"))
    session.commit()
    query = text("SELECT count(*) FROM things WHERE name = :name")
    for value in ("a' OR '1'='1", "a'; DELETE FROM things; --", "a\\' OR 1=1 --"):
        assert session.scalar(query, {"name": value}) == 0
    assert session.scalar(query, {"name": "a"}) == 1
