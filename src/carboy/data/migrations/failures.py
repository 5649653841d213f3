"""What a failed migration left behind, and how to go on.

statements, commits  ->  Journal.stays   what no rollback takes back
error                ->  failure()       one letter: what failed, what stays, what to do
"""

from __future__ import annotations

import re
from types import TracebackType
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from carboy.base.errors import CarboyError, SetupError
from carboy.base.options import without_credentials

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["Journal", "failure"]

READS = re.compile(r"\s*(SELECT|SHOW|SET|RESET|PRAGMA|BEGIN|EXPLAIN|DESCRIBE|SAVEPOINT|RELEASE"
                   r"|ROLLBACK)\b", re.I)  # fmt: skip
DDL = re.compile(r"\s*(CREATE|ALTER|DROP|RENAME|TRUNCATE)\b(?!\s+TEMPORARY)", re.I)
SHOWN = 300  # characters of a statement


class Journal:
    """The statements of one migration that changed something. A context manager."""

    def __init__(self, connection: Connection) -> None:
        self.done: list[str] = []
        self.values: list[Any] = []  # of each statement that is done
        self.stays: list[str] = []
        self.last = ""
        self._connection = connection
        self._commits_itself = connection.dialect.name in ("mysql", "mariadb")
        self._listening: dict[str, Any] = {
            "before_cursor_execute": self._begin,
            "after_cursor_execute": self._end,
            "commit": self._commit,
        }

    def __enter__(self) -> Journal:
        for name, listener in self._listening.items():
            event.listen(self._connection, name, listener)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for name, listener in self._listening.items():
            event.remove(self._connection, name, listener)

    def _begin(self, connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if not READS.match(statement):
            self.last = statement
            if self._commits_itself and DDL.match(statement):
                self._commit(connection)  # MariaDB commits what came before, then runs it

    def _end(self, connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if not READS.match(statement):
            self.done.append(statement)
            self.values.append(rest[0])
            if self._commits_itself and DDL.match(statement):
                self._commit(connection)

    def _commit(self, connection: Any) -> None:
        self.stays = [*self.done]


def failure(name: str, error: Exception, journal: Journal) -> CarboyError:
    """Return the letter about the migration called *name* that ended with *error*."""
    stays = _state(name, journal)
    if isinstance(error, CarboyError) and not isinstance(error, DBAPIError):
        hint = "\n".join(part for part in (error.hint, stays) if part)
        return SetupError(error.code, f"The migration {name} stopped: {error.message}", hint=hint)
    at = f"\n  {_short(journal.last)}" if isinstance(error, DBAPIError) and journal.last else ""
    return SetupError(
        "migrations.failed", f"The migration {name} failed: {_said(error)}{at}", hint=stays
    )


def _said(error: Exception) -> str:
    """Return what the database or Python says, in a line or two."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    parts = [str(part) for part in cause.args[1:2] or cause.args[:1]]
    text = without_credentials(" ".join(parts).strip() or type(cause).__name__)
    shown = "; ".join(line.strip() for line in text.splitlines()[:2])
    return shown if isinstance(error, DBAPIError) else f"{type(cause).__name__}: {shown}"


def _state(name: str, journal: Journal) -> str:
    if not journal.stays:
        return "Nothing of it was applied; the database is at the migration before."
    lines = "\n".join(f"  {number}. {_short(one)}" for number, one in enumerate(journal.stays, 1))
    return (
        f"This much of it was applied, and stays:\n{lines}\n"
        "Either undo these by hand, or correct the rest, take what was applied out of the file,\n"
        f"and run `carboy db upgrade` again. If you finish it by hand: carboy db mark {name}"
    )


def _short(statement: str) -> str:
    text = " ".join(statement.split())
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
