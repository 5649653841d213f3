"""Errors, by who can act on them: developer, client, operator.

    SetupError      wrong set-up, found before serving     the developer acts
    RequestFault    the client sent something wrong        the client acts (4xx)
    ServiceDown     something we depend on is away         the operator acts (503)

A message is a small letter: what happened, why usually, what to do. The code
in brackets is stable: an anchor in the documentation, and what tests compare.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["CarboyError", "RequestFault", "ServiceDown", "SetupError"]

FieldError = Mapping[str, Any]
"""One wrong input: ``{"loc": [...], "msg": str, "type": str}``."""


class CarboyError(Exception):
    """A failure with a stable *code*, the facts, and a *hint* at the remedy.

    code: dotted, lower case, stable: ``"gate.host.unknown"``.
    message: what happened, with the name the user wrote.
    hint: why usually, and what to do, ready to paste. May be empty.
    """

    def __init__(self, code: str, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        letter = "\n".join(part for part in (self.message, self.hint) if part)
        return f"{letter}  [{self.code}]"


class SetupError(CarboyError):
    """The application is put together wrongly; raised before it serves."""


class RequestFault(CarboyError):
    """The client sent something that cannot be served.

    status: 400 to 499, the status of the answer.
    errors: one entry per wrong input, shown to the client.
    headers: sent with the answer, for example ``Retry-After``.
    The message and the hint are shown to the client: name no internals.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        hint: str = "",
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if not 400 <= status <= 499:
            raise ValueError(f"A RequestFault has a status from 400 to 499, not {status}.")
        super().__init__(code, message, hint=hint)
        self.status = status
        self.errors = tuple(errors)
        self.headers = dict(headers or {})


class ServiceDown(CarboyError):
    """Something this application depends on does not answer: 503.

    retry_after_s: seconds until another try makes sense; sent as ``Retry-After``.
    The message is for the log; the client is told only to come back.
    """

    status = 503

    def __init__(self, code: str, message: str, *, hint: str = "", retry_after_s: int = 5) -> None:
        super().__init__(code, message, hint=hint)
        self.retry_after_s = retry_after_s
