"""Two or more ways to do one thing, in one process, in turns: what `inside` measures with.

play({"raw": f, "carboy": g}, rounds)  ->  microseconds per call, by name and round
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import MetaData
from sqlalchemy.orm import registry

from carboy.data.db import _connected
from carboy.data.models import CONVENTION, Model
from carboy.data.places import MAIN, Places
from carboy.data.session import Sessions

__all__ = ["CPU", "WALL", "connected", "fresh_base", "play"]

TURN_S = 0.02
WARM_UP = 200  # calls

CPU, WALL = time.process_time, time.perf_counter


def play(
    ways: Mapping[str, Callable[[], Any]], rounds: int, *, clock: Callable[[], float] = CPU
) -> dict[str, list[float]]:
    """Call each way in turns of about TURN_S, in a new random order every round.

    clock: CPU time of this process, or WALL where a server does the work.
    """
    counts, found = {}, {}
    for name, way in ways.items():
        _turn(way, WARM_UP, clock)
        each = min(_turn(way, 20, clock) for _ in range(3)) / 20
        counts[name] = max(5, min(20_000, int(TURN_S / each)))
        found[name] = [0.0] * rounds
    order, dice = list(ways), random.Random(42)
    gc.collect()
    for number in range(rounds):
        dice.shuffle(order)
        for name in order:
            ways[name]()  # brings code and data back into the processor's caches
            found[name][number] = _turn(ways[name], counts[name], clock) / counts[name] * 1e6
    return found


def _turn(way: Callable[[], Any], count: int, clock: Callable[[], float]) -> float:
    began = clock()
    for _ in range(count):
        way()
    return clock() - began


def fresh_base() -> Any:
    """Return a base of models with nothing on it yet."""
    own = registry(metadata=MetaData(naming_convention=CONVENTION))
    body = {"__abstract__": True, "registry": own, "_sa_registry": own, "metadata": own.metadata}
    return type("Base", (Model,), body)


@contextmanager
def connected(url: str, guard: Any = None) -> Any:
    """Work on *url* under *guard*, or under none, inside `with`; yields the Sessions."""
    places = Places({MAIN: url}, guard=guard)
    sessions = Sessions(places)
    token = _connected.set(sessions)
    try:
        yield sessions
    finally:
        _connected.reset(token)
        sessions.close()
        places.dispose()
