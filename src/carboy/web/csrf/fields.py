"""The token in the page: `{{ csrf() }}` inside a form, `{{ csrf_token() }}` for scripts.

    a template asks  ->  the session's own secret, made at first use  ->  a masked token

A visitor without a session whose browser says where requests come from (Sec-Fetch-Site)
needs no token: the page gets none, no session begins, and shared caches may keep it.
"""

from __future__ import annotations

import base64
import os
from typing import Any

from flask import after_this_request
from markupsafe import Markup

from carboy.engine.seam import cv_request
from carboy.web.csrf import tokens

__all__ = ["FIELD", "HEADER", "binding", "csrf", "csrf_token", "keys"]

FIELD = "csrf_token"
HEADER = "HTTP_X_CSRF_TOKEN"
KEPT = "_csrf"  # in the session: 128 random bits, in base64
BYTES = 16


def csrf() -> Markup:
    """Return the hidden field that a form carries its token in; may be empty.

    In a template: ``<form method="post">{{ csrf() }} ...``.
    """
    token = csrf_token()
    if not token:
        return Markup("")
    return Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, token)


def csrf_token() -> str:
    """Return a token for this visitor's forms, "" where none is needed or none can be.

    Sent back as the field `csrf_token` or the header X-CSRF-Token. Other text at each
    call; all of them are good for as long as the session lasts.
    """
    ctx = cv_request.get(None)
    if ctx is None:  # a mail, a command
        return ""
    found = keys(ctx.app)
    environ = ctx.request.environ
    if "HTTP_COOKIE" not in environ and "HTTP_SEC_FETCH_SITE" in environ:
        after_this_request(_vary)
        bound = binding(ctx.session) if "_session" in ctx.__dict__ else None
    else:
        bound = binding(ctx.session, begin=True) if found else None
    return tokens.make(found[0], bound) if found and bound else ""


def keys(app: Any) -> tuple[bytes, ...]:
    """Return the keys of *app* for tokens, the one to make them with first."""
    if not app.secret_key:
        return ()
    fallbacks = app.config.get("SECRET_KEY_FALLBACKS") or ()
    return tuple(tokens.derived(secret) for secret in (app.secret_key, *fallbacks))


def binding(session: Any, *, begin: bool = False) -> bytes | None:
    """Return what *session* is known by, None for one that never gave out a token.

    A secret of its own, kept in it, and its id where sessions live on the server: a new id
    on sign-in makes older tokens void. begin: make the secret where there is none.
    """
    kept = session.get(KEPT)
    if not isinstance(kept, str) or not kept:
        if not begin:
            return None
        kept = session[KEPT] = base64.b64encode(os.urandom(BYTES)).decode("ascii")
    return f"{_id(session, begin)}|{kept}".encode("utf-8", "replace")


def _id(session: Any, begin: bool) -> str:
    """Return the id of a session on the server, as Flask-Session or ours has it; else ""."""
    known: str = getattr(session, "sid", None) or getattr(session, "key", None) or ""
    if not known and begin and hasattr(session, "renew"):
        session.renew()  # ours gets its id now instead of when it is kept
        known = session.key
    return known


def _vary(response: Any) -> Any:
    """Tell caches that somebody with a cookie, or another browser, gets another page."""
    response.vary.update(("Cookie", "Sec-Fetch-Site"))
    return response
