"""What a policy answers, by who can act on it.

    Refused          this SQL cannot be checked            the developer acts
    NotFound         the row is hidden, moved, or absent   404, and never tells which
    NotPermitted     nothing hidden, but not for you       403: creating, protected fields
    Conflict         a constraint of the database said no  409 or 422; see `clashes.py`

    an error is made  ->  Denial(who, action, about, code, place)  ->  `denied` listeners

The errors tell of themselves: none can be raised that nobody hears of.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from carboy.base.errors import CarboyError, FieldError, RequestFault, SetupError
from carboy.base.scope import NobodyAsking, Scope, current
from carboy.data.faults import ConstraintFault

__all__ = ["Conflict", "Denial", "NotFound", "NotPermitted", "Refused", "checked_name", "denied"]

CLASH = "This cannot be saved: it clashes with what is there, or something depends on it."

_PACKAGES = ("carboy", "sqlalchemy", "contextlib")  # a denial is placed at who called them


@dataclass(frozen=True)
class Denial:
    """Something was denied.

    who: the scope that asked; None outside of every scope. action: "read", "create",
    "update", "delete", "write" (not known which) or "sql". about: the model or table, "" when
    it is not known. code: of the error. place: "file:line" of the caller.
    """

    who: Scope | None
    action: str
    about: str
    code: str
    place: str
    error: CarboyError = field(repr=False, compare=False)


denied: list[Callable[[Denial], None]] = []
"""Called with each denial, before it is raised: for logs, metrics and audits."""


class Refused(CarboyError):
    """A statement that the policy cannot be compiled into, or a foreign session."""

    def __init__(self, code: str, message: str, *, hint: str = "", about: str = "") -> None:
        super().__init__(code, message, hint=hint)
        _tell(self, "sql", about)


class NotFound(RequestFault):
    """The row does not exist for who asks; whether it exists at all is not said."""

    def __init__(self, what: str, *, action: str = "read") -> None:
        super().__init__(404, "policy.not_found", f"There is no such {what}.")
        _tell(self, action, what)


class NotPermitted(RequestFault):
    """Who asks may not do this; no hidden row is involved."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "policy.not_permitted",
        action: str = "write",
        about: str = "",
    ) -> None:
        super().__init__(403, code, message)
        _tell(self, action, about)


class Conflict(ConstraintFault):
    """A constraint was violated; by default one message for all, as details tell too much."""

    def __init__(
        self,
        status: int = 409,
        code: str = "policy.conflict",
        message: str = CLASH,
        *,
        errors: Sequence[FieldError] = (),
        about: str = "",
    ) -> None:
        super().__init__(status, code, message, errors=errors)
        # What is wrong with values of one's own is told to who sent them, and denies nothing.
        if status == 409 or code == "data.reference":
            _tell(self, "write", about)


def _tell(error: CarboyError, action: str, about: str) -> None:
    """Tell the listeners of a denial."""
    if not denied:
        return
    try:
        who = current()
    except NobodyAsking:
        who = None
    denial = Denial(who, action, about, error.code, _place(sys._getframe(2)), error)
    for listener in tuple(denied):
        listener(denial)


def _place(caller: FrameType | None) -> str:
    """Return file:line of the nearest code that is neither ours nor SQLAlchemy's."""
    while caller is not None:
        if caller.f_globals.get("__name__", "").partition(".")[0] not in _PACKAGES:
            return f"{caller.f_code.co_filename}:{caller.f_lineno}"
        caller = caller.f_back
    return ""


def checked_name(name: Any, function: str, place: str = "") -> str:
    """Return *name*; raise SetupError when it is none. place: of the declaration."""
    if isinstance(name, str) and name:
        return name
    where_ = f" at {place}" if place else ""
    raise SetupError(
        "policy.no_name",
        f"{function}({name!r}){where_} needs a name.",
        hint=f"For example {function}('author').",
    )
