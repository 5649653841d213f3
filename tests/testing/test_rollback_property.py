"""Random work of three connections: what is kept is what real connections would keep.

    steps  ->  leases of one connection        \
           ->  sets, as transactions are meant /  the same rows, or a complaint that says why
"""

import os

import pytest
import sqlalchemy as sa
from hypothesis import given, settings, strategies as st

from carboy.testing.databases import RolledBack

EXAMPLES = int(os.environ.get("CARBOY_ROLLBACK_EXAMPLES", "200"))

metadata = sa.MetaData()
item = sa.Table("item", metadata, sa.Column("id", sa.Integer, primary_key=True))

who = st.integers(0, 2)
VERBS = ["add", "add", "begin", "keep", "undo", "commit", "rollback", "read"]
STEPS = st.lists(st.tuples(who, st.sampled_from(VERBS)), max_size=30)


class Meant:
    """A connection as it is meant: what it wrote, by savepoint."""

    def __init__(self):
        self.levels = [set()]

    def undo(self, levels):
        """Return what is given up from that level on."""
        lost = set().union(*self.levels[levels:])
        del self.levels[levels:]
        return lost


def act(connection, meant, points, kept, verb, number):
    """Do one step on both; return whether something that was written was given up."""
    if verb == "add":
        connection.execute(sa.insert(item), [{"id": number}])
        meant.levels[-1].add(number)
    elif verb == "begin":
        points.append(connection.begin_nested())
        meant.levels.append(set())
    elif verb == "keep" and points:
        points.pop().commit()
        inner = meant.levels.pop()
        meant.levels[-1] |= inner
    elif verb == "undo" and points:
        points.pop().rollback()
        meant.undo(len(meant.levels) - 1)
    elif verb in ("commit", "rollback"):
        getattr(connection, verb)()
        done = meant.undo(0)
        if verb == "commit":
            kept |= done
        meant.levels[:] = [set()]
        points.clear()
    elif verb == "read":
        connection.execute(sa.select(item.c.id)).all()


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    made = RolledBack({"main": f"sqlite:///{tmp_path_factory.mktemp('data')}/test.db"})
    with made.engine("main").begin() as connection:
        metadata.create_all(connection)
    yield made
    made.undo()
    made.dispose()


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None)
@given(steps=STEPS)
def test_what_is_kept_is_what_was_committed(places, steps):
    """Whoever nests, ends and interleaves however."""
    engine = places.engine("main")
    places.undo()
    with engine.begin() as connection:
        metadata.create_all(connection)
    kept = set()
    connections = [engine.connect() for _ in range(3)]
    meant, points = [Meant() for _ in range(3)], [[] for _ in range(3)]
    for number, (place, verb) in enumerate(steps, 1):
        act(connections[place], meant[place], points[place], kept, verb, number)
    for connection in connections:
        connection.close()
    with engine.connect() as connection:
        found = set(connection.scalars(sa.select(item.c.id)))
    complaints = places.undo()
    if complaints:
        assert len({place for place, verb in steps if verb == "add"}) > 1
    else:
        assert found == kept
