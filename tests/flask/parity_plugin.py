"""Put Carboy in the place of Flask, for a test suite that never heard of Carboy.

    pytest -p parity_plugin      PARITY_WAY=stock|bare|compatible|default|twin|broken
                                 PARITY_REPORT=<file>

Loaded by `-p`, before the suite's modules are imported: `from flask import Flask`
and `flask.Flask` then give the class Carboy itself. Only the default of its
`batteries` argument is set, so a suite's own subclasses are real subclasses of
Carboy. The report holds every test's outcome, the class that served, and how
many requests went which way.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import _pytest.monkeypatch
import flask
import flask.app
import pytest

WAY = os.environ["PARITY_WAY"]
BATTERIES = {"bare": (), "compatible": "compatible", "default": "default"}
STOCK = flask.Flask
# They prove the runner itself: one subclass that changes nothing, one that does.
CONTROLS: dict[str, dict[str, Any]] = {
    "twin": {},
    "broken": {"make_default_options_response": lambda app: app.response_class(status=501)},
}

outcomes: dict[str, str] = {}
reasons: dict[str, str] = {}
counts = {"requests": 0, "fast": 0}


def _subject() -> type[flask.Flask]:
    """Return the class under test, its batteries as this way wants them."""
    if WAY == "stock":
        return STOCK
    if WAY in CONTROLS:
        return type("Carboy", (STOCK,), CONTROLS[WAY])
    carboy: type[flask.Flask] = importlib.import_module("carboy").Carboy
    defaults = carboy.__init__.__kwdefaults__
    assert "batteries" in defaults, "Carboy() has no keyword-only argument 'batteries'"
    defaults["batteries"] = BATTERIES[WAY]
    return carboy


def _count(owner: Any, name: str, key: str) -> None:
    """Replace ``owner.name`` by one that counts its calls under *key*."""
    original: Callable[..., Any] = getattr(owner, name)

    def counted(*args: Any, **kwargs: Any) -> Any:
        counts[key] += 1
        return original(*args, **kwargs)

    setattr(owner, name, counted)


def _count_ways() -> None:
    """Count requests: stock ones at the door, ours by the path they take."""
    if WAY == "stock" or WAY in CONTROLS:
        _count(STOCK, "wsgi_app", "requests")
        return
    # Named late: stock Flask must run in a process that never imports Carboy.
    importlib.import_module("parity_counting").install(counts)


SUBJECT = _subject()
flask.Flask = flask.app.Flask = SUBJECT  # type: ignore[misc]  # the point of this plugin
_count_ways()

# The suites run on a pytest newer than they know; the same help for every way.
if not hasattr(_pytest.monkeypatch, "notset"):
    _pytest.monkeypatch.notset = _pytest.monkeypatch.NOTSET  # type: ignore[attr-defined]  # old name


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep the worst outcome of set-up, call and tear-down."""
    rank = ["passed", "skipped", "xpassed", "xfailed", "failed", "error"]
    outcome: str = report.outcome
    if hasattr(report, "wasxfail"):
        outcome = "xfailed" if report.skipped else "xpassed"
    elif report.failed and report.when != "call":
        outcome = "error"
    known = outcomes.get(report.nodeid, "passed")
    outcomes[report.nodeid] = max(known, outcome, key=rank.index)
    if report.failed:
        reasons[report.nodeid] = str(report.longrepr)[-4000:]


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """A module that cannot be imported is an outcome, too."""
    if report.failed:
        outcomes[report.nodeid] = "error"
        reasons[report.nodeid] = str(report.longrepr)[-4000:]


def pytest_sessionfinish() -> None:
    """Write the report; say so loudly when somebody put another Flask in place."""
    assert flask.Flask is SUBJECT, f"flask.Flask became {flask.Flask!r} during the run"
    document = {
        "way": WAY,
        "subject": f"{SUBJECT.__module__}.{SUBJECT.__qualname__}",
        "flask": importlib.import_module("importlib.metadata").version("flask"),
        "outcomes": outcomes,
        "reasons": reasons,
        **counts,
    }
    Path(os.environ["PARITY_REPORT"]).write_text(json.dumps(document))
