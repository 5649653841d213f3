"""What a database is to us: how to open it well, and what its errors mean.

    URL      ->  Backend.arguments()   what create_engine gets
    Engine   ->  Backend.prepare()     what each connection gets
    error    ->  Backend.trouble()     one word for what happened, and where

A backend knows one database and nothing of models. Its `can` names capabilities;
tests and features ask for those and never for a brand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

__all__ = ["ALONE", "BAD_VALUES", "Backend", "Kind", "Limits", "Trouble", "reference_kind"]

ALONE = "carboy_alone"
"""Execution option of a connection: nothing may change between its reads and its writes."""

BAD_VALUES = (OverflowError, UnicodeError)  # a number beyond 64 bits, a lone surrogate

DELETES = re.compile(r"\s*DELETE\b", re.IGNORECASE)

Kind = Literal[
    "gone", "full", "locked", "slow", "race",  # the operator acts, or time does
    "unique", "check", "required", "reference", "in_use", "value",  # the client acts
    "schema",  # the developer acts
]  # fmt: skip


@dataclass(frozen=True)
class Trouble:
    """What a driver's error means.

    kind: gone (no connection), full (disk), locked and slow (a time limit), race
        (serialization failure, deadlock), unique, check, required, reference (no such
        row), in_use (rows refer to it), value (does not fit), schema (no such table).
    constraint: its name, where the database tells.
    table, columns: where, as far as the database tells.
    """

    kind: Kind
    constraint: str = ""
    table: str = ""
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Limits:
    """How many connections, and how long anything may take.

    pool, overflow: connections kept, and opened beyond that under load.
    pool_wait_s: seconds to wait for a free connection. recycle_s: their greatest age.
    connect_s, lock_s: seconds to wait for the server, and for another's lock.
    """

    pool: int = 5
    overflow: int = 10
    pool_wait_s: float = 10.0
    recycle_s: float = 1800.0
    connect_s: float = 5.0
    lock_s: float = 5.0


def reference_kind(statement: str) -> Kind:
    """Tell which side of a foreign key *statement* broke; SQLite does not say, others in prose."""
    return "in_use" if DELETES.match(statement) else "reference"


class Backend:
    """One kind of database.

    name: SQLAlchemy's name of the dialect. driver: with the driver we test.
    module: the driver's package. extra: what to install for it; empty when built in.
    ping: a statement that fails when the data cannot be read. can: capabilities, by name.
    """

    name: ClassVar[str]
    driver: ClassVar[str]
    module: ClassVar[str]
    extra: ClassVar[str] = ""
    ping: ClassVar[str] = "SELECT 1"
    can: ClassVar[frozenset[str]] = frozenset()

    def arguments(self, url: URL, limits: Limits) -> dict[str, Any]:
        """Return keyword arguments for `create_engine`: the pool, the connection."""
        return {
            "pool_size": limits.pool,
            "max_overflow": limits.overflow,
            "pool_timeout": limits.pool_wait_s,
            "pool_recycle": limits.recycle_s,
            "pool_pre_ping": True,  # a restarted server costs a ping, not a failed request
        }

    def prepare(self, engine: Engine, limits: Limits) -> None:
        """Add what must happen on each connection of *engine*."""

    def trouble(self, error: BaseException, statement: str) -> Trouble | None:
        """Return what the driver's *error* means, or None when it is a mistake of ours."""
        raise NotImplementedError

    def without_values(self, text: str) -> str:
        """Return the words of a driver's error without the values it may quote."""
        return text
