"""What a policy costs a query, counted in calls: steady on any machine.

Times are in `python -m benchmarks.policy_cost`; this keeps what they were reached by.
"""

import sys

import pytest
import sqlalchemy as sa
from benchmarks.policy_cost import sides

from carboy.base.scope import scope

EXTRA = 30  # calls per query, of Python and of C; a listener for each statement were 45


def calls(query, session):
    """Return how many functions one query calls, once everything is compiled."""
    counted = []

    def count(frame, event, argument):
        counted[-1] += event in ("call", "c_call")

    for _ in range(3):
        query(session)
    for _ in range(3):  # one of them may meet the garbage collector
        counted.append(0)
        sys.setprofile(count)
        try:
            query(session)
        finally:
            sys.setprofile(None)
    return min(counted)


def closed(under, without, *engines):
    """Close sessions and engines."""
    under.close()
    without.close()
    for engine in engines:
        engine.dispose()


@pytest.mark.parametrize("kind", ["simple", "complex"])
def test_a_query_calls_little_more_than_without_policy(kind):
    """Whatever the rule, and however many rows: it was compiled once, the database applies it."""
    with scope(user=1):
        (plain, without, one), (policy, under, two) = sides(kind, False)
        for name in plain:
            assert calls(policy[name], under) - calls(plain[name], without) <= EXTRA, name
    closed(under, without, one, two)


def test_a_listener_for_each_statement_would_be_noticed():
    """The plant: a listener that calls as much as the policy once cost."""
    with scope(user=1):
        (plain, without, one), (policy, under, two) = sides("simple", False)

        def costly(*event):
            return [len(event) for _ in range(EXTRA)]

        sa.event.listen(two, "before_cursor_execute", costly)
        assert calls(policy["columns"], under) - calls(plain["columns"], without) > EXTRA
    closed(under, without, one, two)
