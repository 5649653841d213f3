"""Repeats: the same statement from the same line, again and again in one request (N+1).

    watch(places, 5)     each SELECT is counted, by statement and by line of the user's code
    end of the request   more than 5 of one  ->  Repeat  ->  listeners: log, a failing test

Outside of production only. There nothing is counted: relations are loaded for all rows
of a result instead (`batches.py`), which a watched session leaves off, so that what is
reported is what the code says.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import event

from carboy.data import reading
from carboy.data.battery import SESSIONS
from carboy.data.callers import Place, caller
from carboy.data.lazy import asked_for
from carboy.engine.seam import cv_app, cv_request

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from carboy.data.lazy import Asked
    from carboy.data.places import Places

__all__ = ["MOST", "Repeat", "Watch", "listeners", "watch"]

MOST = 5  # times: what a page may well ask by hand
SHOWN = 300  # characters of a statement

LOG = logging.getLogger("carboy.data")
KEPT = "carboy.repeats"
READS = re.compile(r"\s*(?:SELECT|WITH|VALUES)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Repeat:
    """A statement that one line ran too often.

    place, line: where, and the text there. request: "GET /books". count: how often.
    asked: what was loaded, as far as the ORM tells. statement: the SQL, cut short.
    """

    place: str
    line: str
    request: str
    count: int
    asked: Asked
    statement: str

    def __str__(self) -> str:
        code = f"\n    {self.line}" if self.line else ""
        return (
            f"{self.place} ran the same SELECT {self.count} times in {self.request}:"
            f" {self.asked.what}.{code}\n{self.asked.advice}\n    {self.statement}  [data.repeats]"
        )


listeners: list[Callable[[Repeat], None]] = []
"""Called with each Repeat, at the end of its request."""


@dataclass
class Watch:
    """How many times of one statement and line are too many: more than *most*."""

    most: int


def watch(places: Places, most: int = MOST) -> Watch:
    """Count what is asked of *places* from now on; more than *most* times is told.

    To be called before their first use. most: 0 counts nothing, for good.
    """
    watched = Watch(most)
    if not most:
        return watched

    def hook(engine: Engine) -> None:
        @event.listens_for(engine, "before_cursor_execute")
        def count(
            connection: Any, cursor: Any, sql: str, values: Any, context: Any, *_: Any
        ) -> None:
            compiled = getattr(context, "compiled", None)
            # Lists of values differ in length, and so does the SQL; not what was compiled.
            _count(sql if compiled is None else compiled.string, watched.most, context)

        vars(engine)[KEPT] = watched

    places.watch = hook
    if _read not in reading.watchers:
        reading.watchers.append(_read)
    return watched


def _read(engine: Engine, sql: str) -> None:
    watched = vars(engine).get(KEPT)
    if watched is not None:
        _count(sql, watched.most, None)


class _Counts:
    """What one request has asked so far, by place and statement."""

    def __init__(self, most: int, request: str) -> None:
        self.most = most
        self.request = request
        self.times: dict[tuple[Place, str], int] = {}
        self.asked: dict[tuple[Place, str], Asked] = {}

    def tell(self) -> None:
        """Report what was asked too often."""
        for (place, sql), count in self.times.items():
            if count > self.most:
                statement = " ".join(sql.split())[:SHOWN]
                asked = self.asked[place, sql]
                _tell(Repeat(str(place), place.text, self.request, count, asked, statement))


def _count(sql: str, most: int, context: Any) -> None:
    ctx, application = cv_request.get(None), cv_app.get(None)
    if ctx is None or application is None or not most or not READS.match(sql):
        return
    sessions = application.__dict__.get(SESSIONS)
    if sessions is None:
        return
    view = ctx.app.view_functions.get(ctx.request.endpoint or "")
    place = caller(view)
    if place is None:
        return
    counts = sessions.kept.get(KEPT)
    if counts is None:
        counts = sessions.kept[KEPT] = _Counts(most, f"{ctx.request.method} {ctx.request.path}")
        sessions.closers.append(counts.tell)
    key = (place, sql)
    counts.times[key] = times = counts.times.get(key, 0) + 1
    if times == most + 1:
        counts.asked[key] = asked_for(context)


def _tell(repeat: Repeat) -> None:
    facts = {"code": "data.repeats", "place": repeat.place, "count": repeat.count}
    LOG.warning("%s", repeat, extra={**facts, "what": repeat.asked.what})
    for listener in listeners:
        listener(repeat)
