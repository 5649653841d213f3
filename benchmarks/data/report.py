"""The section "Data" of RESULTS.md: targets with what was measured, then the tables."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.figures import Ratio, ratio

__all__ = ["data_section"]

Record = dict[str, Any]
Figures = dict[str, list[float]]

IDLE_US = 5.0  # microseconds that the batteries may add to a request that asks nothing


def data_section(data: Record, where: str) -> list[str]:
    """Return the lines; where: date, machine and method."""
    lines = ["## Data", "", where, "", _HOW, ""]
    lines += [_row("target", "", "measured", "middle half", ""), _rule(5)]
    for database, found in data["databases"].items():
        lines += [_judged(database, *one) for one in _targets(found)]
    lines += [_judged("SQLite", *one) for one in _orm_policy(data["orm_policy"])]
    lines.append(_idle(data["idle"]))
    for database, found in data["databases"].items():
        for workload, title in (("list", "20 rows"), ("one", "one row by key")):
            lines += ["", f"### {title} as JSON, {database}", ""]
            lines += _views(found["views"], data["titles"], workload)
    told = ", ".join(f"{name} {version}" for name, version in sorted(data["versions"].items()))
    return [*lines, "", f"Versions: {told}."]


_HOW = (
    "A policy-filtered list of 20 rows of 10,000, and one row by key, six fields, under a view. "
    'The *data part* is the request less the same view answering with finished bytes; "call" is '
    "the call alone, inside of one request, in a tight loop. Every answer is checked to be the "
    "same as the raw driver's before timing. The raw driver keeps one connection, and has its SQL "
    'written by hand. It runs twice: "in the same view" is in a Carboy view with the same '
    'batteries, and less that view with finished bytes; "in bare WSGI" is under a callable that '
    "does nothing else, whose code stays in the processor's caches: no view has that. Both are "
    "judged."
)

RAWS = {"carboy_raw": "in the same view", "raw": "in bare WSGI"}


def _targets(found: Record) -> Iterator[tuple[str, Ratio, float]]:
    calls, views = found["calls"], found["views"]
    for workload, name, most in (("list", "20 rows", 1.5), ("one", "one row", 2.0)):
        got = ratio(calls[f"{workload} carboy"], calls[f"{workload} raw"])
        yield f"{name}, call <= {most} x raw driver", got, most
        for program, where in RAWS.items():
            if program in views:  # records of before have the one in bare WSGI alone
                got = ratio(_part(views["carboy_read"], workload), _part(views[program], workload))
                yield f"{name}, data part of a view <= {most} x raw driver {where}", got, most
    policy = found["policy"]
    for kind in ("simple", "complex"):
        for name, title in (("list", "20 rows"), ("one", "one row")):
            ours = policy[f"{name} {kind} with"]
            for side, words in (("by hand", "the same filter by hand"), ("without", "no filter")):
                got = ratio(ours, policy[f"{name} {kind} {side}"])
                yield f"policy, {kind}: {title}, compiled <= 1.10 x {words}", got, 1.10
    pages = found["keyset"]
    for place in ("first", "middle"):
        got = ratio(pages[f"{place} large"], pages[f"{place} small"])
        yield f"{place} page of 1,000,000 rows <= 1.3 x of 1,000", got, 1.3
    bulk = found["bulk"]
    for name, words in (("bulk", "bulk"), ("bulk, policy", "bulk under a policy")):
        yield (
            f"{words}: time for 100,000 rows <= 2.0 x executemany",
            ratio(bulk[name], bulk["core"]),
            2.0,
        )


def _orm_policy(costs: dict[str, list[float]]) -> Iterator[tuple[str, Ratio, float]]:
    for name, each in costs.items():
        low, middle, high = statistics.quantiles(each, n=4, method="inclusive")
        yield f"policy, ORM: {name} <= 1.20 x without", Ratio(middle, low, high), 1.20


def _idle(idle: Figures) -> str:
    more = [a - b for a, b in zip(idle["with"], idle["without"], strict=True)]
    low, middle, high = statistics.quantiles(more, n=4, method="inclusive")
    return _row(
        f"idle request: data and policy add <= {IDLE_US:.0f} us", "", f"{middle:.1f} us",
        f"{low:.1f} to {high:.1f}", _verdict(middle <= IDLE_US),
    )  # fmt: skip


def _judged(database: str, words: str, got: Ratio, most: float) -> str:
    spread = f"{got.low:.2f} to {got.high:.2f}"
    return _row(words, database, f"{got.median:.2f}", spread, _verdict(got.median <= most))


def _verdict(met: bool) -> str:
    return "met" if met else "**missed**"


def _views(views: dict[str, Figures], titles: dict[str, str], workload: str) -> Iterator[str]:
    yield _row("", "request us", "x raw", "middle half", "data part us", "x raw", "middle half")
    yield _rule(7)
    raw = views["raw"]
    ranked = sorted(views, key=lambda name: statistics.median(views[name][workload]))
    for name in ranked:
        mine = views[name]
        part, raw_part = _part(mine, workload), _part(raw, workload)
        yield _row(
            titles[name],
            *_cells(mine[workload], raw[workload]),
            *_cells(part, raw_part),
        )


def _cells(mine: Sequence[float], raw: Sequence[float]) -> Iterator[str]:
    got = ratio(mine, raw)
    yield f"{statistics.median(mine):.1f}"
    yield f"{got.median:.2f}"
    yield f"{got.low:.2f} to {got.high:.2f}"


def _part(views: Figures, workload: str) -> list[float]:
    """Return what the data cost, by round: the request less the one with finished bytes."""
    pairs = zip(views[workload], views[f"{workload} blank"], strict=True)
    return [made - finished for made, finished in pairs]


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _rule(columns: int) -> str:
    return "|" + "---|" * columns
