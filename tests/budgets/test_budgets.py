"""Carboy stays as cheap as it is: function calls and modules against budgets.toml."""

from __future__ import annotations

from typing import Any

import pytest
from benchmarks import budgets
from benchmarks.counting import count
from benchmarks.drive import Wsgi
from benchmarks.modules import CASES, FORBIDDEN, loaded
from benchmarks.workloads import NAMES, shot


@pytest.fixture(scope="module")
def measured() -> budgets.Budget:
    return budgets.measured()


@pytest.fixture(scope="module")
def budget() -> budgets.Budget:
    found = budgets.budget()
    assert found is not None, (
        f"benchmarks/budgets.toml has no budget for Python {budgets.python()}.\n"
        "Measure one with that Python: BENCH_PYTHON=python3.x bin/bench --budgets"
    )
    return found


@pytest.mark.slow
@pytest.mark.parametrize("table", ["calls.none", "calls.default", "modules"])
def test_counts_are_within_their_budget(
    table: str, measured: budgets.Budget, budget: budgets.Budget
) -> None:
    """A regression fails; so does a gain that nobody wrote down."""
    complaints = budgets.complaints(measured[table], budget[table])

    assert not complaints, _letter(table, complaints)


@pytest.mark.slow
@pytest.mark.parametrize("table", ["calls.none", "calls.default"])
def test_every_workload_has_a_budget(table: str, budget: budgets.Budget) -> None:
    """The six workloads of the benchmark are the six that are guarded."""
    assert tuple(budget[table]) == NAMES


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_a_start_loads_nothing_heavy(case: str) -> None:
    """Heavy packages wait for their first use."""
    names = set(loaded(CASES[case]))

    assert not names.intersection(FORBIDDEN[case])


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        pytest.param(100, None, id="at the budget"),
        pytest.param(91, None, id="a little below"),
        pytest.param(101, "1 more", id="one above"),
        pytest.param(89, "11 % better", id="more than a tenth below"),
    ],
)
def test_a_count_is_judged_by_its_budget(count: int, expected: str | None) -> None:
    """One call too many is a regression; a tenth too few asks for a lower budget."""
    complaints = budgets.complaints({"json": count}, {"json": 100})

    if expected is None:
        assert complaints == []
    else:
        assert len(complaints) == 1
        assert expected in complaints[0]


@pytest.mark.parametrize("counts", [{"new": 1}, {}], ids=["not budgeted", "not measured"])
def test_budget_and_measurement_must_name_the_same(counts: dict[str, int]) -> None:
    """A workload cannot slip out of its budget by a new name."""
    assert budgets.complaints(counts, {"json": 1} if not counts else {})


def test_one_call_more_is_seen() -> None:
    """Python functions and C functions both count, and nothing of the measuring does."""

    def application(extra: int) -> Any:
        def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            for _ in range(extra):
                len(b"")
            start_response("200 OK", [])
            return []

        return app

    counts = [count(Wsgi(application(extra)), shot("json")) for extra in (0, 1, 5)]

    assert counts == [2, 3, 7]  # app and start_response, then each len


def _letter(table: str, complaints: list[str]) -> str:
    then, now = budgets.versions_then(), budgets.versions()
    others = [f"{name} {now[name]} (was {then[name]})" for name in now if now[name] != then[name]]
    note = f"\nOther versions than measured with: {', '.join(others)}." if others else ""
    return f"{table}, Python {budgets.python()}:\n  " + "\n  ".join(complaints) + note
