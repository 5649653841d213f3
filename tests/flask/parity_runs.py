"""Run one test suite in several ways, each in a process of its own, and compare.

    Suite  ->  run(suite, "stock"), run(suite, "bare")  ->  differences()

A way is what stands for Flask: "stock" is Flask itself, "bare" Carboy without
batteries, "compatible" and "default" Carboy with those presets.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from parity_sdist import HERE

__all__ = ["Run", "Suite", "differences", "explain", "run", "run_all"]

TIMEOUT_S = 300  # one suite, one way
FOREIGN = ("PYTEST_", "COV_", "FLASK_", "CARBOY_", "CI")  # settings of the run that started us


@dataclass(frozen=True)
class Suite:
    """A test suite: the folder pytest starts in, what it runs, and how.

    tests: paths and options for pytest. plugins: those it needs; no others are loaded.
    path: folders to import from. python: the interpreter.
    """

    folder: Path
    tests: Sequence[str] = ()
    plugins: Sequence[str] = ()
    path: Sequence[Path] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    python: str = sys.executable


@dataclass(frozen=True)
class Run:
    """What came out. outcomes: test id -> passed, failed, error, skipped, xfailed.

    requests: all that were served; fast: those that took Carboy's own path.
    """

    way: str
    subject: str
    flask: str
    outcomes: Mapping[str, str]
    reasons: Mapping[str, str]
    requests: int
    fast: int

    def tally(self) -> str:
        """Return "484 passed, 1 failed"."""
        kinds = sorted(set(self.outcomes.values()), reverse=True)
        values = list(self.outcomes.values())
        return ", ".join(f"{values.count(kind)} {kind}" for kind in kinds)


def run(suite: Suite, way: str) -> Run:
    """Run *suite* with *way* in the place of Flask.

    Raises RuntimeError, with the end of pytest's output, when there is no report.
    """
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.json"
        output = _pytest(suite, way, report, scratch)
        if not report.exists():
            raise RuntimeError(f"{suite.folder.name} on {way} left no report:\n{output[-3000:]}")
        return Run(**json.loads(report.read_text()))


def run_all(suite: Suite, ways: Sequence[str]) -> dict[str, Run]:
    """Run *suite* in every way, two at a time."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        return dict(zip(ways, pool.map(lambda way: run(suite, way), ways), strict=True))


def differences(stock: Run, ours: Run) -> dict[str, tuple[str, str]]:
    """Return test id -> (outcome on stock, outcome on ours) where they differ."""
    ids = sorted({*stock.outcomes, *ours.outcomes})
    pairs = {i: (stock.outcomes.get(i, "absent"), ours.outcomes.get(i, "absent")) for i in ids}
    return {i: pair for i, pair in pairs.items() if pair[0] != pair[1]}


def explain(stock: Run, ours: Run, ids: Sequence[str]) -> str:
    """Return a letter about *ids*: both outcomes, and the end of the failure."""
    lines = [f"{len(ids)} tests differ between {stock.subject} and {ours.subject} ({ours.way}):"]
    for i in ids:
        before, after = stock.outcomes.get(i, "absent"), ours.outcomes.get(i, "absent")
        reason = ours.reasons.get(i) or stock.reasons.get(i) or ""
        lines += [f"\n  {i}: {before} -> {after}", *("    " + x for x in reason.splitlines()[-25:])]
    return "\n".join(lines)


def _pytest(suite: Suite, way: str, report: Path, scratch: str) -> str:
    command = [suite.python, "-m", "pytest", "-q", "--tb=short", "-p", "parity_plugin"]
    command += ["-o", "addopts=", "-o", f"cache_dir={scratch}/cache", f"--basetemp={scratch}/tmp"]
    command += [*(f"-p{plugin}" for plugin in suite.plugins), *suite.tests]
    answer = subprocess.run(
        command,
        cwd=suite.folder,
        env=_environment(suite, way, report),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=TIMEOUT_S,
        check=False,
    )
    return answer.stdout


def _environment(suite: Suite, way: str, report: Path) -> dict[str, str]:
    """The suite's environment: nothing of the test run that started it."""
    ours = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
    path = [str(HERE), *map(str, suite.path)]
    ours |= {"PYTHONPATH": os.pathsep.join(path), "PYTHONDONTWRITEBYTECODE": "1"}
    ours["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # another order or plugin is another result
    return {**ours, **suite.environment, "PARITY_WAY": way, "PARITY_REPORT": str(report)}
