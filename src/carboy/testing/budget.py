"""A budget of queries: how many statements a piece of work may send.

    with queries(at_most=3) as sent:  ...   AssertionError with each statement and its line
    sent                                    what was sent so far

Everything counts that an engine executes, of ORM, Core and compiled reads, in all
threads; what only begins and ends transactions does not.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, event

from carboy.data import reading
from carboy.data.callers import Place, caller

__all__ = ["Sent", "queries"]

CONTROL = re.compile(r"\s*(?:SAVEPOINT|RELEASE|ROLLBACK|COMMIT|BEGIN|START)\b", re.IGNORECASE)
SHOWN = 200  # characters of a statement


@dataclass(frozen=True)
class Sent:
    """One statement. place: the line of the user's code it came from, if any."""

    sql: str
    place: Place | None

    def __str__(self) -> str:
        text = f"  {self.place.text}" if self.place and self.place.text else ""
        return f"{self.place or 'unknown'}{text}\n        {' '.join(self.sql.split())[:SHOWN]}"


@contextmanager
def queries(at_most: int | None = None, *, exactly: int | None = None) -> Iterator[list[Sent]]:
    """Count the statements sent inside `with`; yield the list they are added to.

    Raises AssertionError at the end, listing them, when there were more than *at_most*
    or not *exactly* so many; an error of the block goes before it.
    """
    __tracebackhide__ = True
    sent: list[Sent] = []
    lock = threading.Lock()

    def note(sql: str) -> None:
        if not CONTROL.match(sql):
            with lock:
                sent.append(Sent(sql, caller()))

    def executed(connection: Any, cursor: Any, sql: str, *rest: Any) -> None:
        note(sql)

    def read(engine: Engine, sql: str) -> None:
        note(sql)

    event.listen(Engine, "before_cursor_execute", executed)
    reading.watchers.append(read)
    try:
        yield sent
    finally:
        reading.watchers.remove(read)
        event.remove(Engine, "before_cursor_execute", executed)
    most = exactly if exactly is not None else at_most
    if not (exactly or 0) <= len(sent) <= (len(sent) if most is None else most):
        raise AssertionError(_letter(sent, at_most, exactly))


def _letter(sent: list[Sent], at_most: int | None, exactly: int | None) -> str:
    said = f"exactly {exactly}" if exactly is not None else f"at most {at_most}"
    listed = "\n".join(f"    {number}. {one}" for number, one in enumerate(sent, 1))
    return f"{len(sent)} statements were sent, and {said} were expected:\n{listed}"
