"""Random applications, built on Flask and on Carboy, driven alike, must do alike.

More examples than CI runs:  PARITY_EXAMPLES=20000 pytest tests/flask/test_random_applications.py
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import flask
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from twins_draw import cases
from twins_drive import compare, observe
from twins_spec import App, Call, Case, Hook, Rule

pytestmark = [pytest.mark.parity, pytest.mark.timeout(0)]

EXAMPLES = int(os.environ.get("PARITY_EXAMPLES", "300"))
PROFILE = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="PARITY_EXAMPLES" not in os.environ,  # CI tries the same ones every time
    database=None,
    print_blob=False,
    phases=(Phase.generate, Phase.shrink),  # "explain" would trace every line of both twins
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


def _carboy() -> Any:
    from carboy import Carboy

    class Bare(Carboy):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, batteries=(), **kwargs)

    Bare.__name__ = "Carboy"
    return Bare


# A view that opens a file, and a hook that drops its response: on both twins alike.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_random_applications_behave_as_on_flask() -> None:
    """Status, headers, body, errors and the order of hooks and signals are equal."""
    seen: Counter[str] = Counter()
    ours = _carboy()

    @PROFILE
    @given(cases())
    def every(case: Case) -> None:
        lines = compare(case, flask.Flask, ours)
        seen.update(line[:11] for line in lines if line.startswith(("status", "cannot be")))

    every()

    # Nothing is proven by applications that cannot be built, or answer nothing but errors.
    assert seen["cannot be b"] < EXAMPLES / 4
    assert seen["status '200"] > EXAMPLES / 3
    assert seen["status '404"] > EXAMPLES / 10
    assert seen["status '500"] > EXAMPLES / 20
    assert min(seen["status '308"], seen["status '405"]) > EXAMPLES / 100


SMALL = Case(
    App(
        rules=(Rule("/a", does=("write session", "look"), gives="dict"),),
        hooks=(Hook("before_request"), Hook("after_request", gives="header")),
        signals=("request_finished",),
        config={"SECRET_KEY": "secret"},
    ),
    (Call("/a"), Call("/nowhere"), Call("/a", via="client")),
)


@pytest.mark.parametrize(
    "change",
    [
        {"process_response": lambda app, response: response},
        {"dispatch_request": lambda app: "other"},
        {"do_teardown_request": lambda app, exc=None: app.logger.error("more")},
        {"json_provider_class": None},
    ],
    ids=["a hook not run", "another answer", "another log record", "cannot be built"],
)
def test_twins_that_differ_are_told_apart(change: dict[str, Any]) -> None:
    """The comparison can fail: a small change in one twin is seen."""
    other = type("Other", (flask.Flask,), change)

    with pytest.raises(AssertionError, match=r"The twins differ. Reproduce with compare\("):
        compare(SMALL, flask.Flask, other)


def test_equal_twins_are_equal() -> None:
    """Two applications of one class, and what one of them shows."""
    lines = compare(SMALL, flask.Flask, type("Twin", (flask.Flask,), {}))

    assert lines == observe(flask.Flask, SMALL)
    assert "status '200 OK'" in lines
    assert "header Vary: Cookie" in lines
    assert "before_request h0 " in lines
    assert any(line.startswith("signal request_finished True") for line in lines)


def test_the_reproduction_is_a_program() -> None:
    """What is printed for a failing case builds the same case again."""
    names = {"Case": Case, "App": App, "Rule": Rule, "Hook": Hook, "Call": Call}

    assert eval(repr(SMALL), names) == SMALL
