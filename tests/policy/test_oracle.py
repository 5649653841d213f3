"""The oracle for reads: with a policy, everything is as if hidden rows had been deleted.

Random models, rules, rows, people and queries of every form. The same query runs twice:
under the policy on all rows, and without any on a copy that holds what a naive evaluation
of the rules in Python leaves over, with NULL for hidden fields. Both must answer the same,
with people and the system taking turns on one connection and in one session.

CARBOY_POLICY_EXAMPLES: how many examples on SQLite (2,000); the servers get a quarter. Unset,
the same ones are tried every time; set, others are looked for.
"""

from functools import cache

import pytest
from hypothesis import given, settings, strategies as st
from oracle_bench import Bench, entered
from oracle_databases import EXPLORE, PARTS, SETTINGS, address, examples_of, seed_of
from oracle_loads import FORMS
from oracle_query import Query, all_told, numbers
from oracle_rules import WHO, worlds
from sqlalchemy import select

from carboy.base.scope import current
from carboy.policy.decide import allowed, decide
from carboy.policy.errors import Refused

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    # Rarely, of a rule along a many-to-many: SQLAlchemy's linter misses its join. No rows differ.
    pytest.mark.filterwarnings("ignore:SELECT statement has a cartesian product"),
]


def examples(bench, forms):
    """Draw (place, world, steps): a schema of the pool, what is in it, what is asked."""
    step = st.tuples(WHO, st.sampled_from(forms), numbers())
    steps = st.lists(st.tuples(step, st.one_of(st.none(), step)), min_size=1, max_size=3)
    # Making a strategy costs more than drawing from it: kept for each place.
    made = cache(lambda place: st.tuples(st.just(place), worlds(place.schema), steps))
    return st.integers(0, bench.pool - 1).flatmap(lambda number: made(bench.place(number)))


def run(bench, count, *, derandomize=False, forms=(*FORMS, "decisions")):
    """Compare *count* random examples."""

    @settings(max_examples=count, derandomize=derandomize, **SETTINGS)
    @given(example=examples(bench, forms))
    def check(example):
        place, world, steps = example
        place.set(world)
        read(place, steps)
        assert not place.witness or not place.witness.leaks

    check()


def read(place, steps):
    """Carry out the steps on one connection, all in one session but the nested ones."""
    with place.full.connect() as connection, place.session_class(connection) as session:
        for step, nested in steps:
            with entered(step[0]):
                answered(place, session, step)
                if nested is not None:
                    cls = place.schema.classes[place.schema.roots()[0].name]
                    held = session.scalars(select(cls)).all()
                    interrupted(place, session, nested, connection, held)
                    answered(place, session, step)


def interrupted(place, session, step, connection, held):
    """Somebody else asks in between: not in this session, while it holds objects."""
    outer = current()
    with entered(step[0]), place.session_class(connection) as other:
        if current() != outer and held:
            with pytest.raises(Refused, match="another person"):
                session.get(type(held[0]), 1)
        answered(place, other, step)


def answered(place, session, step):
    """Ask under the policy and on the copy; both must answer the same."""
    who, form, drawn = step
    if form == "decisions":
        return decided(place, session, who)
    ours, theirs = place.compare(session, form, Query(place.schema, drawn), who)
    assert ours == theirs, f"{form} for {who} on schema {place.schema.seed}"
    return None


def decided(place, session, who):
    """What is decided on an object is what the naive evaluation says, or is asked."""
    world, book = place.world, place.schema.book
    for model in place.schema.roots():
        for row in session.scalars(select(place.schema.classes[model.name])):
            stored = world.row_of(model.name, row.id)
            for action in ("read", "update", "delete"):
                right = all(world.may(model.name, stored, one, who) for one in {"read", action})
                found = decide(book, row, action)
                assert found in (None, right), (model.name, action, all_told([row]), who)
                assert allowed(session, book, row, action) == right


@pytest.mark.parametrize(("kind", "part"), PARTS)
def test_what_is_hidden_is_as_if_it_were_deleted(request, kind, part):
    """Random worlds and queries, with changing people and the system in between."""
    with Bench(address(request, kind), seed=seed_of(part)) as bench:
        run(bench, examples_of(kind), derandomize=not EXPLORE)
