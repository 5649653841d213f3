"""What a database's errors become: one of our faults, with one clear message.

    driver's error  ->  Backend.trouble()  ->  fault()
        no connection, disk full, a lock held   DatabaseDown     503, the operator acts
        lost a race                             TransactionRace  503, trying again helps
        a constraint broken                     ConstraintFault  409 or 422, the client acts
        a value that does not fit               ValueFault       422, the client acts
        no such table                           SchemaBehind     the developer acts

Each is SQLAlchemy's error too, so `except IntegrityError` goes on working. The
driver's own text, which quotes values, stays in the traceback and reaches no client.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy import exc

from carboy.base.errors import RequestFault, ServiceDown, SetupError
from carboy.base.options import without_credentials

if TYPE_CHECKING:
    from carboy.data.backends.common import Trouble

__all__ = [
    "ConstraintFault",
    "DatabaseDown",
    "SchemaBehind",
    "TransactionRace",
    "ValueFault",
    "describers",
    "fault",
]

Described = tuple[str, tuple[str, ...]]
"""A message for people, and the names of the fields it is about."""

describers: list[Callable[[Trouble], Described | None]] = []
"""Who may know a constraint: models.py adds itself; the first answer counts."""


class _Operational(exc.OperationalError):
    """OperationalError with a message of ours; `orig` is set by `fault`."""

    def __init__(self, message: str) -> None:
        super().__init__(None, None, Exception(message), hide_parameters=True)


class _Integrity(exc.IntegrityError):
    """IntegrityError with a message of ours."""

    def __init__(self, message: str) -> None:
        super().__init__(None, None, Exception(message), hide_parameters=True)


class _Data(exc.DataError):
    """DataError with a message of ours."""

    def __init__(self, message: str) -> None:
        super().__init__(None, None, Exception(message), hide_parameters=True)


class _Programming(exc.ProgrammingError):
    """ProgrammingError with a message of ours."""

    def __init__(self, message: str) -> None:
        super().__init__(None, None, Exception(message), hide_parameters=True)


class DatabaseDown(ServiceDown, _Operational):
    """The database does not answer, or cannot go on: 503."""

    code: str


class TransactionRace(ServiceDown, _Operational):
    """A transaction lost against another; the same again may well succeed: 503."""

    code: str


class ConstraintFault(RequestFault, _Integrity):
    """A row breaks a constraint: 409 for what exists or is in use, else 422.

    constraint: its name, when known. kind: as in `Trouble`.
    """

    code: str
    constraint: str = ""
    kind: str = ""


class ValueFault(RequestFault, _Data):
    """A value does not fit its column: 422."""

    code: str


class SchemaBehind(SetupError, _Programming):
    """The database has no such table or column."""

    code: str


def fault(trouble: Trouble, error: Exception, database: str) -> exc.DBAPIError:
    """Return what *error* is to the application; it carries the driver's as `.orig`.

    database: its name in the configuration, for the operator.
    """
    made = _MAKERS.get(trouble.kind, _broken)(trouble, error, database)
    made.orig = error
    return made


def _gone(trouble: Trouble, error: Exception, database: str) -> exc.DBAPIError:
    words, hint = _DOWN[trouble.kind]
    said = without_credentials(str(error.args[-1] if error.args else error)).strip()
    line = said.splitlines()[0] if said else type(error).__name__
    return DatabaseDown(
        f"data.{trouble.kind}", f"The database {database!r} {words}: {line}", hint=hint
    )


def _race(trouble: Trouble, error: Exception, database: str) -> exc.DBAPIError:
    return TransactionRace(
        "data.race",
        f"A transaction on the database {database!r} lost against another one.",
        hint="Nothing was written. Trying again usually succeeds:"
        " @db.retry does it for units of work that are safe to repeat.",
        retry_after_s=1,
    )


def _value(trouble: Trouble, error: Exception, database: str) -> exc.DBAPIError:
    message, fields = _described(trouble) or ("A value does not fit where it should go.", ())
    return ValueFault(422, "data.value", message, errors=_errors(message, fields, "value"))


def _schema(trouble: Trouble, error: Exception, database: str) -> exc.DBAPIError:
    name = f" {trouble.table!r}" if trouble.table else ""
    return SchemaBehind(
        "data.schema",
        f"The database {database!r} lacks a table or column{name} that the models have.",
        hint="Usually it was never created, or is older than the models. In a script or a"
        " test, db.create_all() makes what is missing.",
    )


def _broken(trouble: Trouble, error: Exception, database: str) -> exc.DBAPIError:
    message, fields = _described(trouble) or (_UNKNOWN[trouble.kind], trouble.columns)
    status = 409 if trouble.kind in ("unique", "in_use") else 422
    made = ConstraintFault(
        status, f"data.{trouble.kind}", message, errors=_errors(message, fields, trouble.kind)
    )
    made.constraint, made.kind = trouble.constraint, trouble.kind
    return made


def _described(trouble: Trouble) -> Described | None:
    for describe in describers:
        found = describe(trouble)
        if found is not None:
            return found
    return None


def _errors(message: str, fields: tuple[str, ...], kind: str) -> tuple[dict[str, Any], ...]:
    return tuple({"loc": [name], "msg": message, "type": kind} for name in fields)


_MAKERS: dict[str, Callable[[Any, Exception, str], exc.DBAPIError]] = {
    **dict.fromkeys(("gone", "full", "locked", "slow"), _gone),
    "race": _race,
    "value": _value,
    "schema": _schema,
}

_DOWN = {
    "gone": (
        "does not answer",
        "Check that it runs, that it can be reached from here, and that DATABASE_URL is right.",
    ),
    "full": ("has no room left", "Free space on its disk; nothing was half written."),
    "locked": (
        "is held by another transaction",
        "Usually a transaction stays open too long: keep slow work (mail, HTTP) outside.",
    ),
    "slow": ("took too long", "Usually an index is missing, or a transaction stays open too long."),
}

_UNKNOWN = {
    "unique": "There is one like this already.",
    "check": "A value is not allowed.",
    "required": "A value is missing.",
    "reference": "This refers to something that does not exist.",
    "in_use": "This is still in use elsewhere.",
}
