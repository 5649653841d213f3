"""Transactions: all or nothing, nested, and again when a race was lost.

transaction(session)   outermost: commit or roll back; inner: a savepoint
retried(function)      the whole unit of work once more after TransactionRace
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from sqlalchemy.exc import OperationalError

from carboy.base.errors import SetupError
from carboy.data.backends.common import ALONE
from carboy.data.engines import backend_of
from carboy.data.faults import TransactionRace
from carboy.data.places import MAIN

if TYPE_CHECKING:
    from carboy.data.session import DataSession

__all__ = ["TRIES", "retried", "transaction"]

R = TypeVar("R")

TRIES = 5
BASE_S, CAP_S = 0.02, 1.0  # seconds; a lost race is over as soon as it is lost


class Pause:
    """How waiting is done; tests put their own hands on it."""

    sleep: ClassVar[Callable[[float], None]] = staticmethod(time.sleep)


@contextmanager
def transaction(session: DataSession, *, alone: bool = False) -> Iterator[DataSession]:
    """Commit what happens inside, or undo all of it when an exception leaves.

    Inside another one it is a savepoint: an exception that is caught outside undoes
    the inner part only. What the session held before is committed along.
    alone: as if nobody else were there (SERIALIZABLE; on SQLite the write lock from
    the first statement). Then TransactionRace is to be expected: see `retried`.
    """
    outermost = session.depth == 0
    if alone:
        _begin_alone(session, outermost)
    session.depth += 1
    try:
        if outermost:
            with _committing(session):
                yield session
        else:
            with _savepoint(session):
                yield session
    finally:
        session.depth -= 1


def retried(
    session: Callable[[], DataSession],
    function: Callable[[], R],
    *,
    times: int = TRIES,
    alone: bool = False,
) -> R:
    """Return what *function* returns, run in a transaction; again after a lost race.

    *function* must be safe to repeat: what it did to the database is undone, what it
    did elsewhere (mail, files, objects it changed) is not. Inside a transaction it runs
    once, for only the outermost can be repeated.
    session: gives the session. times: at most. Raises TransactionRace after the last.
    Source of the wait: Brooker, "Exponential Backoff And Jitter" (2015), full jitter.
    """
    for attempt in range(times):
        now = session()
        try:
            with transaction(now, alone=alone):
                return function()
        except TransactionRace:
            if now.depth or attempt == times - 1:
                raise
            # Not a secret: it only keeps the losers of one race from meeting again.
            Pause.sleep(random.uniform(0, min(CAP_S, BASE_S * 2**attempt)))  # noqa: S311  # see above
    raise SetupError("data.retry", f"A unit of work cannot be tried {times} times.")


@contextmanager
def _savepoint(session: DataSession) -> Iterator[None]:
    """Undo the inner part only; a lost race on MariaDB has undone the savepoint itself."""
    try:
        with session.begin_nested():
            yield
    except OperationalError as error:
        lost: BaseException | None = error
        while lost is not None and not isinstance(lost, TransactionRace):
            lost = lost.__context__
        raise lost or error from None


@contextmanager
def _committing(session: DataSession) -> Iterator[None]:
    try:
        yield
        session.commit()
    except BaseException:
        session.rollback()
        raise


def _begin_alone(session: DataSession, outermost: bool) -> None:
    """Begin a transaction that is isolated from its first statement on."""
    if not outermost or session.unsaved:
        raise SetupError(
            "data.alone",
            "transaction(alone=True) was asked for after something was written.",
            hint="Begin with it: isolation holds for a whole transaction or not at all.",
        )
    session.rollback()  # ends what only read; loaded objects are read again
    engine = session.places.engine(MAIN)
    isolated: dict[str, Any] = {ALONE: True}
    if "serializable" in backend_of(engine).can:
        isolated = {"isolation_level": "SERIALIZABLE"}
    session.connection(execution_options=isolated)
