"""What a policy answers, by who can act on it.

    Refused          this SQL cannot be checked            the developer acts
    NotFound         the row is hidden, moved, or absent   404, and never tells which
    NotPermitted     nothing hidden, but not for you       403: creating, protected fields
    Conflict         a constraint of the database said no  409, without its details

Every denial is told to `denied` listeners before it is raised.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from carboy.base.errors import CarboyError, RequestFault

__all__ = ["Conflict", "NotFound", "NotPermitted", "Refused", "denied", "tell"]


class Refused(CarboyError):
    """A statement that the policy cannot be compiled into, or a foreign session."""


class NotFound(RequestFault):
    """The row does not exist for who asks; whether it exists at all is not said."""

    def __init__(self, what: str) -> None:
        super().__init__(404, "policy.not_found", f"There is no such {what}.")


class NotPermitted(RequestFault):
    """Who asks may not do this; no hidden row is involved."""

    def __init__(self, message: str, *, code: str = "policy.not_permitted") -> None:
        super().__init__(403, code, message)


class Conflict(RequestFault):
    """A constraint was violated: one message for all, as details tell of hidden rows."""

    def __init__(self) -> None:
        super().__init__(
            409,
            "policy.conflict",
            "This cannot be saved: it clashes with what is there, or something depends on it.",
        )


Denial = TypeVar("Denial", bound=CarboyError)

denied: list[Callable[[CarboyError, str], None]] = []
"""Called with the error and what it was about (a table's name), for logs and metrics."""


def tell(error: Denial, about: str) -> Denial:
    """Tell the listeners of a denial, and return it to be raised."""
    for listener in denied:
        listener(error, about)
    return error
