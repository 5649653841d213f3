"""The oracle for writes: what may be written is, and nothing else, and never by halves.

Random models, rules, rows, people and writes, one after the other in one session, with the
system in between. After each the tables hold what the naive evaluation says, or it failed
as it must and they hold what they held before; the session is usable either way.
"""

import warnings
from functools import cache

import oracle_writes  # noqa: F401  # adds every kind
import pytest
import sqlalchemy as sa
from hypothesis import given, settings, strategies as st
from oracle_bench import Bench, entered
from oracle_change import CHANGES, EXPECTED, writes
from oracle_databases import EXPLORE, PARTS, SETTINGS, address, examples_of, seed_of
from oracle_rules import WHO, worlds

from carboy.base.errors import CarboyError

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def examples(bench, hows):
    """Draw (place, world, steps)."""

    @cache
    def made(place):
        step = st.tuples(WHO, st.sampled_from(hows), writes(place.schema))
        return st.tuples(
            st.just(place), worlds(place.schema), st.lists(step, min_size=1, max_size=4)
        )

    return st.integers(0, bench.pool - 1).flatmap(lambda number: made(bench.place(number)))


def run(bench, count, *, derandomize=False, hows=tuple(CHANGES)):
    """Compare *count* random examples."""

    @settings(max_examples=count, derandomize=derandomize, **SETTINGS)
    @given(example=examples(bench, hows))
    def check(example):
        place, world, steps = example
        place.set(world)
        with warnings.catch_warnings(), place.session_class(place.full) as session:
            warnings.simplefilter("ignore", sa.exc.SAWarning)  # of a DELETE that hits nothing
            for who, how, write in steps:
                written(place, session, who, how, write)

    check()


def written(place, session, who, how, write):
    """Carry one write out, and compare what is there with what must be."""
    world = place.world
    wanted = EXPECTED[how](write, world, who)
    with entered(who):
        error = attempted(session, how, write)
        usable = session.scalars(sa.select(write.cls.id)).all()
        session.rollback()
    told = f"{how} of {write} by {who}: {error!r}, {wanted}"
    assert isinstance(usable, list)
    if error is None:
        assert wanted.ok is not False, f"went through: {told}"
        world.rows = wanted.rows or place.rows()
    else:
        assert wanted.ok is not True, f"failed: {told}"
        if who is not None:
            assert type(error).__name__ in wanted.errors, f"another error: {told}"
    assert stored(place.rows()) == stored(world.rows), told


def attempted(session, how, write):
    """Carry a write out and commit; or take it back, and return the error."""
    try:
        CHANGES[how](write, session)
        session.commit()
    except (CarboyError, sa.exc.SQLAlchemyError) as error:
        session.rollback()
        return error
    return None


def stored(rows):
    """Return rows so that they can be compared: in an order of their own."""
    return {
        table: sorted((sorted(row.items()) for row in found), key=repr)
        for table, found in rows.items()
    }


@pytest.mark.parametrize(("kind", "part"), PARTS)
def test_only_what_may_be_written_is_written(request, kind, part):
    """Random worlds and writes, with changing people and the system in between."""
    with Bench(address(request, kind), seed=seed_of(part)) as bench:
        run(bench, examples_of(kind), derandomize=not EXPLORE)
