"""Budgets: upper bounds that hold on any machine, one set per Python version.

    measured()  ->  complaints(measured, budget)  ->  [] or what to do about it
    rewrite()   ->  budgets.toml

calls.none, calls.default   function calls per request, by workload
modules                     modules that a start loads

A count above its budget is a regression. One more than a tenth below it is a
gift that the next regression would eat: the budget must be lowered.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib import metadata

from benchmarks.environment import ROOT
from benchmarks.modules import CASES, loaded

__all__ = ["FILE", "Budget", "budget", "complaints", "measured", "rewrite", "versions"]

FILE = ROOT / "benchmarks" / "budgets.toml"
SLACK = 0.10  # a count may be this much below its budget
DISTRIBUTIONS = ("flask", "werkzeug", "jinja2", "itsdangerous", "click", "rich-click", "msgspec")

Budget = dict[str, dict[str, int]]
"""Table ("calls.none", "calls.default", "modules") -> name -> count."""

HEAD = """\
# Upper bounds per Python version: function calls of one request, modules of one start.
# Written by `bin/bench --budgets`, checked by tests/budgets; benchmarks/README.md tells more.
"""


def python() -> str:
    """Return the minor version that budgets go by, for example "3.11"."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def measured() -> Budget:
    """Count calls and modules now, in processes of their own (about 6 s)."""
    command = [sys.executable, "-m", "benchmarks.counting"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=120)
    counted: Budget = {f"calls.{name}": calls for name, calls in json.loads(done.stdout).items()}
    return {**counted, "modules": {name: len(loaded(code)) for name, code in CASES.items()}}


def budget() -> Budget | None:
    """Return the budget of this Python version; None when there is none yet."""
    whole = tomllib.loads(FILE.read_text()) if FILE.exists() else {}
    own = whole.get(python())
    if own is None:
        return None
    calls = {f"calls.{name}": counts for name, counts in own["calls"].items()}
    return {**calls, "modules": own["modules"]}


def versions() -> dict[str, str]:
    """Return the versions of what the counts depend on."""
    return {name: metadata.version(name) for name in DISTRIBUTIONS}


def versions_then() -> dict[str, str]:
    """Return the versions with which this Python's budget was measured."""
    own: dict[str, str] = tomllib.loads(FILE.read_text())[python()]["versions"]
    return own


def complaints(counts: Mapping[str, int], bounds: Mapping[str, int]) -> list[str]:
    """Return one line for each count that is out of its budget.

    >>> complaints({"json": 70}, {"json": 67})
    ['json: 70, budget 67: 3 more. Make it cheaper, or say in the commit why it must cost more.']
    >>> complaints({"json": 50}, {"json": 67})
    ['json: 50, budget 67: 25 % better. Keep it: bin/bench --budgets']
    """
    return list(_complaints(counts, bounds))


def _complaints(counts: Mapping[str, int], bounds: Mapping[str, int]) -> Iterator[str]:
    for name in sorted(counts.keys() | bounds.keys()):
        if name not in counts or name not in bounds:
            place = "budget" if name in counts else "measurement"
            yield f"{name}: there is no {place} for it. Bring both in line: bin/bench --budgets"
            continue
        count, bound = counts[name], bounds[name]
        if count > bound:
            yield (
                f"{name}: {count}, budget {bound}: {count - bound} more. "
                "Make it cheaper, or say in the commit why it must cost more."
            )
        elif count < bound * (1 - SLACK):
            better = round(100 * (1 - count / bound))
            yield (
                f"{name}: {count}, budget {bound}: {better} % better. Keep it: bin/bench --budgets"
            )


def rewrite() -> str:
    """Write what is measured now as the budget of this Python version; return a summary."""
    whole = tomllib.loads(FILE.read_text()) if FILE.exists() else {}
    new = measured()
    before = budget() or {}
    whole[python()] = {
        "versions": versions(),
        "calls": {name.partition(".")[2]: new[name] for name in new if "." in name},
        "modules": new["modules"],
    }
    FILE.write_text(HEAD + "".join(_tables(whole)))
    return "\n".join(_changes(new, before))


def _tables(whole: Mapping[str, Mapping[str, Mapping[str, object]]]) -> Iterator[str]:
    for version in sorted(whole):
        own = whole[version]
        yield _table(f'"{version}".versions', own["versions"])
        for name, counts in own["calls"].items():
            assert isinstance(counts, dict)
            yield _table(f'"{version}".calls.{name}', counts)
        yield _table(f'"{version}".modules', own["modules"])


def _table(name: str, values: Mapping[str, object]) -> str:
    lines = (f"{json.dumps(key)} = {json.dumps(value)}\n" for key, value in values.items())
    return f"\n[{name}]\n{''.join(lines)}"


def _changes(new: Budget, before: Budget) -> Iterator[str]:
    for table, counts in new.items():
        for name, count in counts.items():
            old = before.get(table, {}).get(name)
            was = "" if old is None or old == count else f"  (was {old})"
            yield f"{table:14} {name:28} {count:5}{was}"
