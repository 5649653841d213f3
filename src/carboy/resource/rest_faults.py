"""Faults of an API: where in the body a value was, and who should sign in.

located("body", 3)     {"loc": ["stars"]}  ->  {"loc": ["body", 3, "stars"]}
told_to_visitors()     403 for nobody in particular  ->  401 with a challenge
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import current_app

from carboy.base.errors import RequestFault
from carboy.base.scope import current

__all__ = ["located", "told_to_visitors"]

PLACES = frozenset(("body", "query", "header", "path", "cookie", "form"))


@contextmanager
def located(*place: str | int) -> Iterator[None]:
    """Say of every wrong field where in the request it was."""
    try:
        yield
    except RequestFault as fault:
        fault.errors = tuple(
            {**one, "loc": [*place, *one["loc"]]}
            if one.get("loc") and one["loc"][0] not in PLACES
            else one
            for one in fault.errors
        )
        raise


@contextmanager
def told_to_visitors() -> Iterator[None]:
    """Answer 401 where somebody who signed in might be allowed. SPEC: RFC 9110 section 15.5.2."""
    try:
        yield
    except RequestFault as fault:
        if fault.status != 403 or current().user is not None:
            raise
        raise RequestFault(
            401,
            "resources.sign_in",
            "Sign in to do this.",
            headers={"WWW-Authenticate": _challenge()},
        ) from None


def _challenge() -> str:
    """Return how to sign in: a page that gives a session cookie."""
    views: Any = current_app.view_functions
    page = ', form-action="/sign-in"' if "accounts.sign_in" in views else ""
    return f'Cookie realm="{current_app.name}"{page}'
