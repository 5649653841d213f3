"""The geometry of charts: numbers to path strings; templates/carboy/chart.html draws them.

    values  ->  ceiling()  ->  line(), area(), bars()      a plot of 600 by 100, 0 at the bottom
                               share()                     a gauge of 100

Pure functions. What is missing (None, NaN) leaves a gap; infinities are missing too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import NamedTuple

__all__ = [
    "HEIGHT",
    "WIDTH",
    "Bar",
    "area",
    "bars",
    "ceiling",
    "clean",
    "line",
    "picked",
    "share",
    "sums",
    "ticks",
]

WIDTH, HEIGHT = 600, 100  # of a plot; stretched to the room there is, its lines are not
STEPS = (1, 1.2, 1.5, 1.6, 2, 2.5, 3, 4, 5, 6, 8)  # what an axis may end at, times a power of ten

Value = float | None
Points = list[tuple[float, float]]


class Bar(NamedTuple):
    """One bar, in the units of the plot."""

    x: float
    y: float
    width: float
    height: float


def clean(values: Iterable[object]) -> list[Value]:
    """Return *values* as numbers; what is none (None, text, NaN, infinity) becomes None."""
    return [_number(value) for value in values]


def _number(value: object) -> Value:
    try:
        found = float(value)  # type: ignore[arg-type]  # whatever a page has: Decimal, int, None
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def ceiling(values: Iterable[Value], count: int = 1) -> float:
    """Return a round number that no value exceeds, to end an axis at; its *count* parts are
    round, too, and whole when all values are.

    >>> ceiling([3, 812.5]), ceiling([226], 4), ceiling([2], 4)
    (1000.0, 300.0, 4.0)
    """
    known = [value for value in values if value is not None]
    whole = all(value == int(value) for value in known)
    top = max(known, default=0.0)
    if top <= 0 or top < 1e-300:
        return float(count) if known and whole else 1.0
    power = 10.0 ** math.floor(math.log10(top))
    for step in (*STEPS, *(10 * step for step in STEPS)):
        end = step * power
        part = end / count
        round_part = step * 100 / count % 25 == 0 or (part < 10 and part % 1 == 0)
        if end >= top and round_part and not (whole and part % 1):
            return end
    return 10 * power


def ticks(top: float, count: int = 4) -> list[float]:
    """Return *count* + 1 evenly spaced values from *top* down to 0."""
    return [top * (count - step) / count for step in range(count + 1)]


def line(values: Sequence[Value], top: float) -> str:
    """Return the path of a line through *values*, broken where one is missing."""
    return "".join(_path(run) for run in _runs(values, top))


def area(values: Sequence[Value], top: float) -> str:
    """Return the path of what lies below the line."""
    return "".join(
        f"{_path(run)}L{run[-1][0]:.0f} {HEIGHT}L{run[0][0]:.0f} {HEIGHT}z"
        for run in _runs(values, top)
    )


def bars(series: Sequence[Sequence[Value]], top: float) -> list[list[Bar]]:
    """Return the bars of each series, stacked upon those of the series before it."""
    count = max((len(values) for values in series), default=0)
    slot = WIDTH / max(1, count)
    heights = [0.0] * count
    found = []
    for values in series:
        row = []
        for place, value in enumerate(values):
            height = min(_scaled(value or 0.0, top), HEIGHT - heights[place])
            heights[place] += height
            x, y = slot * (place + 0.16), HEIGHT - heights[place]
            row.append(Bar(round(x, 1), round(y, 1), round(slot * 0.68, 1), round(height, 1)))
        found.append(row)
    return found


def sums(series: Sequence[Sequence[Value]]) -> list[Value]:
    """Return what the series are together at each place, for the ceiling of stacked bars."""
    return [sum(value for value in place if value is not None) for place in zip_longest(*series)]


def share(value: object, whole: object) -> int:
    """Return how full something is, in percent from 0 to 100."""
    part, all_of_it = _number(value), _number(whole)
    if part is None or not all_of_it or all_of_it < 0:
        return 0
    return round(max(0.0, min(1.0, part / all_of_it)) * 100)


def picked(labels: Sequence[object], most: int = 5) -> list[object]:
    """Return at most *most* of *labels*, evenly spread, the first and the last among them."""
    if len(labels) <= most:
        return list(labels)
    step = (len(labels) - 1) / (most - 1)
    return [labels[round(step * place)] for place in range(most)]


def _runs(values: Sequence[Value], top: float) -> list[Points]:
    """Return the points of each unbroken stretch; a lone value is drawn as a short dash."""
    step = WIDTH / max(1, len(values) - 1)
    runs: list[Points] = [[]]
    for place, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((place * step, HEIGHT - _scaled(value, top)))
    return [_widened(run, len(values)) for run in runs if run]


def _widened(run: Points, count: int) -> Points:
    if len(run) > 1:
        return run
    x, y = run[0]
    half = WIDTH if count == 1 else 3.0
    return [(max(0.0, x - half), y), (min(float(WIDTH), x + half), y)]


def _scaled(value: float, top: float) -> float:
    return max(0.0, min(1.0, value / top)) * HEIGHT


def _path(run: Points) -> str:
    return "M" + "L".join(f"{x:.0f} {y:.1f}" for x, y in run)
