"""From seconds to figures: medians of per-round ratios, and their spread.

A ratio is taken within a round, where both turns met the same machine, then the
median over rounds is reported with the range of the middle half.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["TARGETS", "Ratio", "Target", "Verdict", "judge", "ratio"]

Micros = Mapping[str, Sequence[float]]  # program -> microseconds per request, by round


@dataclass(frozen=True)
class Ratio:
    """Median of per-round ratios, with the quartiles."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Target:
    """`program` costs at most `most` times `other` in `workload`."""

    workload: str
    program: str
    other: str
    most: float

    def __str__(self) -> str:
        return f"{self.workload}: {self.program} <= {self.most:.2f} x {self.other}"


@dataclass(frozen=True)
class Verdict:
    """A target and what was measured."""

    target: Target
    measured: Ratio

    @property
    def met(self) -> bool:
        """True when the median is within the target."""
        return self.measured.median <= self.target.most


# Issue 2, "Figures": JSON, params and touch against Flask, JSON against the fast peers.
TARGETS = (
    Target("json", "carboy", "flask", 0.20),
    Target("json", "carboy_none", "flask", 0.12),
    Target("json", "carboy", "starlette", 1.0),
    Target("json", "carboy", "litestar", 1.0),
    Target("json", "carboy", "fastapi", 1.0),
    Target("params", "carboy", "flask", 0.20),
    Target("touch", "carboy", "flask", 0.45),
    Target("json", "carboy", "starlette_tasks", 1.0),  # not in the issue: as servers run it
)


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """Return median and quartiles of the ratios of equal rounds.

    ours, theirs: (n,), one per round, in the same order; n >= 1.

    >>> ratio([1.0, 2.0, 3.0], [2.0, 2.0, 2.0]).median
    1.0
    """
    each = [a / b for a, b in zip(ours, theirs, strict=True)]
    if len(each) == 1:
        return Ratio(each[0], each[0], each[0])
    low, middle, high = statistics.quantiles(each, n=4, method="inclusive")
    return Ratio(middle, low, high)


def judge(results: Mapping[str, Micros]) -> list[Verdict]:
    """Return a verdict for each target whose rows were measured.

    results: workload -> program -> microseconds by round.
    """
    verdicts = []
    for target in TARGETS:
        rows = results.get(target.workload, {})
        if rows.get(target.program) and rows.get(target.other):
            measured = ratio(rows[target.program], rows[target.other])
            verdicts.append(Verdict(target, measured))
    return verdicts
