"""PostgreSQL through psycopg 3, set up for production.

    each connection   UTC, time limits for locks and idle transactions, keep-alives
    each checkout     pre-ping: a failover costs a ping, not a failed request

Isolation is PostgreSQL's own READ COMMITTED. Strings are compared by code point
(COLLATE "C" on our columns): one order on every database, an index that serves
LIKE 'x%', and none that breaks when the system's locale data are updated.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from carboy.data.backends.common import BAD_VALUES, Backend, Kind, Limits, Trouble, reference_kind

if TYPE_CHECKING:
    from sqlalchemy import URL

__all__ = ["PostgreSQL"]

MEANINGS: dict[str, Kind] = {
    "08": "gone",  # connection exception
    "28": "gone",  # wrong credentials
    "3D": "gone",  # no such database
    "25006": "gone",  # read only: a standby, or a server in trouble
    "53100": "full",
    "53": "gone",  # out of memory, too many connections
    "55P03": "locked",
    "57014": "slow",  # statement_timeout
    "57P": "gone",  # the server stops, or is starting
    "25P03": "slow",  # idle_in_transaction_session_timeout
    "58": "gone",  # input or output error
    "XX": "gone",
    "40001": "race",
    "40P01": "race",
    "42846": "value",  # of a type that cannot become the column's
    "23505": "unique",
    "23P01": "unique",  # exclusion
    "23514": "check",
    "23502": "required",
    "23001": "in_use",
    "22": "value",
    "42P01": "schema",
    "42703": "schema",
}
"""SQLSTATE, or its beginning; a longer one comes before a shorter.
Source: PostgreSQL documentation, appendix A."""


VALUE = re.compile(r"%\(|\b(?:true|false)\b")  # a parameter, and what SQLAlchemy writes out


class PostgreSQL(Backend):
    """The database for more than one machine."""

    name = "postgresql"
    driver = "postgresql+psycopg"
    module = "psycopg"
    extra = "postgres"
    can = frozenset(
        {"savepoints", "transactional_ddl", "returning", "json", "writers", "serializable", "names"}
    )

    def arguments(self, url: URL, limits: Limits) -> dict[str, Any]:
        """Return the pool's and libpq's settings; what *url* says itself wins."""
        server = {
            "timezone": "UTC",
            "lock_timeout": f"{int(limits.lock_s * 1000)}ms",
            "idle_in_transaction_session_timeout": "60s",  # a lost client lets go of its locks
            # PERF: a generic plan does not know a bound LIMIT: 17 x the work.
            "plan_cache_mode": "force_custom_plan",
        }
        ours: dict[str, Any] = {
            "connect_timeout": max(2, round(limits.connect_s)),  # libpq's least is 2
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,  # ms: an unplugged server is noticed
            "application_name": "carboy",
            "options": " ".join(f"-c {name}={value}" for name, value in server.items()),
        }
        mine = {name: value for name, value in ours.items() if name not in url.query}
        return {**super().arguments(url, limits), "connect_args": mine}

    def trouble(self, error: BaseException, statement: str) -> Trouble | None:
        """Read the SQLSTATE; the place comes from fields of the protocol, not from text."""
        if isinstance(error, (*BAD_VALUES, TypeError)):  # a text for bytes
            return Trouble("value")
        state = getattr(error, "sqlstate", None)
        if state is None:
            return _without_state(error)
        if state == "42883" and VALUE.search(statement) and _is_operator(error):
            return Trouble("value")  # a text is compared with a number
        place = _place(error)
        if state == "23503":
            return Trouble(reference_kind(statement), **place)
        for prefix, kind in MEANINGS.items():
            if state.startswith(prefix):
                return Trouble(kind, **place)
        return None


def _without_state(error: BaseException) -> Trouble | None:
    """Judge what psycopg says itself: it never got to, or never got from the server."""
    import psycopg  # here: an optional dependency

    # For example text with a NUL; a dict.
    if isinstance(error, psycopg.DataError) or str(error).startswith("cannot adapt"):
        return Trouble("value")
    return Trouble("gone") if isinstance(error, psycopg.OperationalError) else None


def _is_operator(error: BaseException) -> bool:
    """Tell a missing operator from a missing function: messages may be in any language."""
    return getattr(getattr(error, "diag", None), "source_function", "") == "op_error"


def _place(error: BaseException) -> dict[str, Any]:
    diag = getattr(error, "diag", None)
    column = getattr(diag, "column_name", None)
    return {
        "constraint": getattr(diag, "constraint_name", None) or "",
        "table": getattr(diag, "table_name", None) or "",
        "columns": (column,) if column else (),
    }
