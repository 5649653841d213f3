"""`bin/bench --data`: every measurement, on SQLite and on a private PostgreSQL server."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from benchmarks import policy_cost
from benchmarks.data import inside, shop, views
from benchmarks.data.programs import ORDER
from carboy.testing.servers import NotInstalled, postgresql

__all__ = ["measure"]

Addresses = Callable[[str], str]
"""Gives the address of an empty database for a name."""


def measure(*, quick: bool = False, rounds: int = 0) -> dict[str, Any]:
    """Return the section `data` of the record.

    quick: few rounds. rounds: how many of the views and calls; 0 for as many as usual.
    """
    rounds = rounds or (5 if quick else 41)
    section: dict[str, Any] = {"rounds": rounds, "databases": {}, "titles": {}, "versions": {}}
    for title, database in (("SQLite", _sqlite), ("PostgreSQL", _postgresql)):
        try:
            with database() as addresses:
                section["databases"][title] = _on(title, addresses, rounds, quick, section)
        except NotInstalled as error:
            print(f"left out: {error}", file=sys.stderr)
    _say("idle, policy of the ORM")
    section["idle"] = _short(inside.idle(rounds))
    costs = policy_cost.measure(7 if quick else 21, processes=2 if quick else 7, data=True)
    section["orm_policy"] = {one.name: [round(x, 3) for x in one.each] for one in costs}
    section["method"] = (
        f"CPU time in process; {rounds} interleaved rounds, ratios within rounds. Keyset pages"
        " on PostgreSQL are wall time, as the server does the work."
    )
    return section


def _on(
    title: str, addresses: Addresses, rounds: int, quick: bool, section: dict[str, Any]
) -> dict[str, Any]:
    url = addresses("shop")
    shop.fill(url)
    found: dict[str, Any] = {"views": {}}
    _say(f"{title}: views")
    for name, outcome in views.measure(ORDER, url, rounds).items():
        section["titles"][name] = outcome.title
        section["versions"].update(outcome.versions)
        found["views"][name] = _short(outcome.micros)
    _say(f"{title}: calls, policy, pages")
    found["calls"] = _short(inside.calls(url, rounds))
    found["policy"] = _short(inside.policy(addresses, rounds))
    found["keyset"] = _short(inside.keysets(addresses("pages"), rounds))
    _say(f"{title}: bulk")
    found["bulk"] = _short(inside.bulk(addresses("bulk"), 2 if quick else 7), 4)
    return found


@contextmanager
def _sqlite() -> Iterator[Addresses]:
    folder = tempfile.mkdtemp(prefix="carboy-bench-")
    try:
        yield lambda name: f"sqlite:///{folder}/{name}.db"
    finally:
        shutil.rmtree(folder)


@contextmanager
def _postgresql() -> Iterator[Addresses]:
    folder = tempfile.mkdtemp(prefix="carboy-bench-")
    try:
        with postgresql(Path(folder)) as url:
            server = create_engine(
                url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT"
            )

            def address(name: str) -> str:
                with server.connect() as connection:
                    connection.execute(text(f"CREATE DATABASE {name}"))
                return f"{url.rpartition('/')[0]}/{name}"

            yield address
            server.dispose()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _short(figures: dict[str, list[float]], places: int = 2) -> dict[str, list[float]]:
    return {name: [round(one, places) for one in each] for name, each in figures.items()}


def _say(what: str) -> None:
    print(f"{what} ...", file=sys.stderr)
