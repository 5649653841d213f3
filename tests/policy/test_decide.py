"""Decided in Python and compiled to SQL: the same answer, or "ask the database"."""

import datetime as dt
import decimal
import enum
import uuid

import pytest
import sqlalchemy as sa
from hypothesis import given, settings, strategies as st
from oracle_databases import KINDS, address, emptied
from sqlalchemy import orm

from carboy.base.scope import scope, unscoped
from carboy.policy.binds import asker
from carboy.policy.book import Rulebook
from carboy.policy.decide import allowed, decide
from carboy.policy.filters import install
from carboy.policy.policies import Policy
from carboy.policy.rules import everyone, nobody, owner, role, signed_in, where


class Colour(enum.Enum):
    RED = "r"
    BLUE = "b"


TYPES = {
    "i": (sa.BigInteger(), [0, 1, -1, 2**40]),
    "b": (sa.Boolean(), [True, False]),
    "s": (sa.String(20), ["", "a", "A", "ä", "Ä", "a ", "a%", "1"]),
    "d": (sa.Date(), [dt.date(2026, 1, 1), dt.date(1999, 12, 31)]),
    "t": (sa.DateTime(), [dt.datetime(2026, 1, 1, 12), dt.datetime(2026, 1, 1, 12, 0, 0, 1)]),
    "m": (sa.Numeric(8, 2), [decimal.Decimal("0.10"), decimal.Decimal("-1.05")]),
    "u": (sa.Uuid(), [uuid.UUID(int=1), uuid.UUID(int=2**127)]),
    "e": (sa.Enum(Colour), list(Colour)),
    "f": (sa.Float(), [0.1, 0.30000000000000004]),  # not in the provable language
    "c": (sa.CHAR(4), ["a", "a "]),  # not in the provable language
}


def leaves(table):
    """Draw a condition on one column of *table*."""

    def compared(name):
        values = TYPES[name][1]
        column = table.c[name]
        value = st.sampled_from(values)
        operators = ["__eq__", "__ne__"]
        if name != "b":
            operators += ["__lt__", "__le__", "__gt__", "__ge__"]
        by_value = st.builds(
            lambda op, v: getattr(column, op)(v), st.sampled_from(operators), value
        )
        lists = st.lists(st.one_of(value, st.none()), max_size=3)
        return st.one_of(
            by_value,
            st.builds(column.in_, lists),
            st.builds(column.not_in, lists),
            st.sampled_from([column.is_(None), column.is_not(None)]),
            st.just(column == asker.user) if name == "i" else st.nothing(),
        )

    return st.sampled_from(sorted(TYPES)).flatmap(compared)


def conditions(table):
    """Draw a condition, three-valued inside, as people write them."""
    return st.recursive(
        leaves(table),
        lambda inner: st.one_of(
            st.builds(sa.and_, inner, inner),
            st.builds(sa.or_, inner, inner),
            st.builds(sa.not_, inner),
        ),
        max_leaves=4,
    )


def rules(table):
    """Draw a rule."""
    leaf = st.one_of(
        conditions(table).map(where),
        st.sampled_from([everyone, nobody, signed_in, owner("i"), role("x")]),
    )
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.builds(lambda a, b: a | b, inner, inner),
            st.builds(lambda a, b: a & b, inner, inner),
            st.builds(lambda a: ~a, inner),
        ),
        max_leaves=4,
    )


ROW = st.fixed_dictionaries(
    {name: st.one_of(st.none(), st.sampled_from(values)) for name, (_, values) in TYPES.items()}
)
WHO = st.fixed_dictionaries(
    {
        "user": st.sampled_from([None, 0, 1]),
        "roles": st.sampled_from([(), ("x",)]),
    }
)


def thing():
    """Return a mapped class with a column of each type, and no policy yet."""

    class Base(orm.DeclarativeBase):
        pass

    columns = {name: sa.Column(kind) for name, (kind, _) in TYPES.items()}
    body = {"__tablename__": "thing", "id": sa.Column(sa.Integer, primary_key=True), **columns}
    return type("Thing", (Base,), body)


def compare(rows, who, rule, found):
    """Return (decided rows, rows on which Python and the database disagree)."""
    cls, book, engine = found
    cls.policy = Policy(read=rule)
    book.stale = True
    decided, wrong = 0, []
    with orm.Session(engine) as session, scope(**who):
        seen = set(session.scalars(sa.select(cls.id)))
        for row in rows:
            answer = decide(book, row, "read")
            decided += answer is not None
            if answer is not None and answer != (row.id in seen):
                wrong.append((rule.words(), row.id, answer))
            assert allowed(session, book, row, "read") == (row.id in seen)
    return decided, wrong


def stored(found, values):
    """Return rows with *values* as the database gives them back, detached."""
    cls, _, engine = found
    with unscoped("test"), orm.Session(engine, expire_on_commit=False) as session:
        session.execute(sa.delete(cls))
        session.add_all([cls(id=number, **one) for number, one in enumerate(values, 1)])
        session.commit()
        session.expunge_all()
        return session.scalars(sa.select(cls)).all()


@pytest.fixture(params=KINDS)
def found(request):
    """A class, its rulebook and a database of it."""
    cls = thing()
    book = Rulebook(cls.registry)
    engine = emptied(address(request, request.param))
    cls.metadata.create_all(engine)
    install(engine, book)
    yield cls, book, engine
    engine.dispose()


def test_python_and_the_database_agree_on_random_rules(found, policy_examples):
    """Whatever Python answers, SQL answers; and it answers often enough to be useful."""
    decided = asked = 0

    @settings(max_examples=policy_examples, deadline=None)
    @given(values=st.lists(ROW, min_size=1, max_size=4), who=WHO, rule=rules(found[0].__table__))
    def check(values, who, rule):
        nonlocal decided, asked
        rows = stored(found, values)
        count, wrong = compare(rows, who, rule, found)
        assert not wrong
        decided, asked = decided + count, asked + len(rows)

    check()
    assert decided > asked / 4


@pytest.mark.parametrize(
    "condition",
    [
        pytest.param(lambda t: t.s.startswith("a%"), id="wildcard"),
        pytest.param(lambda t: sa.func.lower(t.s) == "ä", id="lower"),
        pytest.param(lambda t: t.c == "a", id="padded char"),
        pytest.param(lambda t: t.f == 0.1, id="float"),
        pytest.param(lambda t: t.s < "b", id="order of str"),
        pytest.param(lambda t: t.i % 2 == 1, id="modulo"),
        pytest.param(lambda t: t.i == "1", id="other type"),
        pytest.param(lambda t: t.m == decimal.Decimal("0.105"), id="beyond the scale"),
        pytest.param(
            lambda t: t.t == dt.datetime(2026, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=2))),
            id="other offset",
        ),
        pytest.param(lambda t: t.i.between(1, 2), id="between"),
    ],
)
def test_what_databases_see_differently_is_asked(condition):
    """Each was measured to disagree, or was not measured (POLICY-NOTES, 6)."""
    cls = thing()
    book = Rulebook(cls.registry)
    cls.policy = Policy(read=where(condition))
    row = cls(id=1, i=1, s="a", c="a", f=0.1, m=decimal.Decimal("0.10"), t=dt.datetime(2026, 1, 1))
    orm.attributes.instance_state(row)._commit_all(orm.attributes.instance_dict(row))
    with scope(user=1):
        assert decide(book, row, "read") is None


def test_only_stored_values_are_decided_on():
    """A value that was assigned may be another once it is stored."""
    cls = thing()
    cls.policy = Policy(read=owner("i"))
    row = cls(id=1, i=1)
    with scope(user=1):
        assert decide(Rulebook(cls.registry), row, "read") is None


@pytest.mark.parametrize("given", ["A", "a ", "ä"])
def test_text_of_a_rule_is_compared_by_code_point(found, given):
    """MariaDB's usual collation takes "Bob" for "bob": the rows of one would be the other's."""
    rows = stored(found, [{"s": "a", "e": Colour.RED}])
    for rule in (owner("s"), where(lambda t: t.s == given), where(lambda t: t.s.in_([given]))):
        decided, wrong = compare(rows, {"user": given}, rule, found)
        assert (decided, wrong) == (1, [])
    mine, wrong = compare(
        rows, {"user": "a"}, owner("s") & where(lambda t: t.e == Colour.RED), found
    )
    assert (mine, wrong) == (1, [])
