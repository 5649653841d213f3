"""Engines: from a database's address to connections set up for production.

    address  ->  Backend  ->  create_engine  ->  prepare, faults, hooks  ->  Engine

No application is needed. Nothing connects before the first statement.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, TimeoutError as NoConnection
from sqlalchemy.pool import QueuePool

from carboy.base.errors import CarboyError, SetupError
from carboy.base.options import without_credentials
from carboy.data.backends.common import Backend, Limits, Trouble
from carboy.data.backends.mysql import MariaDB, MySQL
from carboy.data.backends.postgresql import PostgreSQL
from carboy.data.backends.sqlite import SQLite
from carboy.data.faults import DatabaseDown, fault

if TYPE_CHECKING:
    from sqlalchemy.engine import ExceptionContext
    from sqlalchemy.pool import PoolProxiedConnection

__all__ = ["BACKENDS", "Limits", "backend_of", "engine_for", "hooks", "resolve"]

BACKENDS: dict[str, Backend] = {
    backend.name: backend for backend in (SQLite(), PostgreSQL(), MariaDB(), MySQL())
}
"""Dialect name to backend."""

ALIASES = {"postgres": "postgresql"}  # what hosting providers write

MISFITS = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError)
DEFAULTS = {"_process_execute_defaults"}  # SQLAlchemy's: it calls the functions of defaults

hooks: list[Callable[[Engine], None]] = []
"""Called with each engine once it is made, before its first connection."""


class Pool(QueuePool):
    """A pool whose exhaustion is a fault of the service, not of the program."""

    def connect(self) -> PoolProxiedConnection:
        """Return a connection; raise DatabaseDown when none gets free in time."""
        try:
            return super().connect()
        except NoConnection as error:
            raise DatabaseDown(
                "data.pool",
                f"All {self.size()} connections of the pool were busy too long.",
                hint="Usually slow work (mail, HTTP) happens inside a transaction."
                " Else raise DATABASE_POOL to the number of threads.",
            ) from error


logging.getLogger(f"{__name__}.Pool").setLevel(logging.WARNING)  # "Pool recreating" is no news


def engine_for(
    address: str | URL, *, name: str = "main", limits: Limits | None = None, **more: Any
) -> Engine:
    """Return an engine for *address*, set up for production.

    address: "sqlite:///shop.db", "postgresql://user:password@host/shop",
        "mariadb://..." or "mysql://...".
    name: what messages call this database. more: for `create_engine`; wins over ours.
    Raises SetupError for an address that is none, an unknown kind of database
    (data.url), and a driver that is not installed (data.driver).

    >>> engine_for("sqlite://").dialect.name
    'sqlite'
    """
    url, backend = resolve(address)
    limits = limits or Limits()
    settings = {"poolclass": Pool, **backend.arguments(url, limits), **more}
    try:
        # Parameters are people's data: they belong into no log.
        engine = create_engine(url, hide_parameters=True, **settings)
    except ModuleNotFoundError as error:
        raise _no_driver(backend, error) from error
    backend.prepare(engine, limits)
    event.listen(engine, "handle_error", _translator(backend, name))
    for hook in hooks:
        hook(engine)
    return engine


def backend_of(bind: Any) -> Backend:
    """Return the backend of an engine, connection or dialect."""
    return BACKENDS[getattr(bind, "dialect", bind).name]


def resolve(address: str | URL) -> tuple[URL, Backend]:
    """Return the address with the driver we test, and its backend.

    Raises SetupError (data.url) for what is no address of a database we know.
    """
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):  # a port that is no number is a ValueError
        raise _wrong(address, "is not an address of a database") from None
    kind, _, driver = url.drivername.partition("+")
    kind = ALIASES.get(kind, kind)
    backend = BACKENDS.get(kind)
    if backend is None:
        raise _wrong(address, f"names a kind of database ({kind!r}) that is not supported")
    return url.set(drivername=f"{kind}+{driver}" if driver else backend.driver), backend


def _wrong(address: str | URL, what: str) -> SetupError:
    return SetupError(
        "data.url",
        f"{without_credentials(str(address))!r} {what}.",
        hint="Write for example 'sqlite:///shop.db', 'postgresql://user:password@host/shop'"
        " or 'mariadb://user:password@host/shop'. Signs such as @ : / in a password are"
        " written %40 %3A %2F.",
    )


def _no_driver(backend: Backend, error: ModuleNotFoundError) -> SetupError:
    return SetupError(
        "data.driver",
        f"{type(backend).__name__} needs the package {error.name!r}, which is not installed.",
        hint=f"pip install 'carboy[{backend.extra}]'" if backend.extra else "",
    )


def _unwrapped(error: CarboyError) -> CarboyError:
    """Return a twin of *error*: SQLAlchemy raises it `from` the one it got."""
    twin = type(error).__new__(type(error), *error.args)
    twin.__dict__.update(error.__dict__)
    return twin


def _misfit(context: ExceptionContext, error: BaseException) -> bool:
    """Tell whether *error* is of a column's type, which could not take a parameter.

    Such as a text for a date, or a word that is none of an Enum. Nothing was sent yet.
    """
    if context.execution_context is not None or not isinstance(error, MISFITS):
        return False
    names = {frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__)}
    return not names & DEFAULTS  # a mistake in a default is the developer's


def _without_values(backend: Backend, context: ExceptionContext) -> None:
    """Cut values out of the words of an error that stays what it is, the driver's too."""
    error, wrapped = context.original_exception, context.sqlalchemy_exception
    if not (context.parameters and isinstance(wrapped, DBAPIError)):
        return
    said = str(error)
    error.args = tuple(
        backend.without_values(part) if isinstance(part, str) else part for part in error.args
    )
    wrapped.args = (str(wrapped.args[0]).replace(said, str(error)), *wrapped.args[1:])


def _translator(backend: Backend, name: str) -> Callable[[ExceptionContext], Any]:
    def translate(context: ExceptionContext) -> BaseException | None:
        """Return our fault for a driver's error; None leaves it as it is."""
        error = context.original_exception
        if isinstance(error, CarboyError):  # raised by a default or a type of ours
            return _unwrapped(error)
        trouble = backend.trouble(error, context.statement or "")
        if trouble is None and _misfit(context, error):
            trouble = Trouble("value")
        if trouble is None or not isinstance(error, Exception):
            _without_values(backend, context)
            return None
        made = fault(trouble, error, name)
        made.connection_invalidated = context.is_disconnect
        return made

    return translate
