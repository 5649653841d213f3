"""Sessions in the database behind `flask.session`: what goes into cookies and rows.

    open_session   a ServerSession; nothing is read before somebody looks into it
    save_session   changed: merged and kept    new id: the row moves    seen: now and then
                   the cookie is sent when the id is new, deleted when nothing is left

The cookie holds 256 random bits and nothing else: `__Host-session` over https, `session` on
plain http of this machine. Other plain http gets none. Of two cookies with the name, none
is believed: one of them was put there by somebody else.

Two requests of one session: what each changed is kept, key by key; of changes to the same
key the later one. A session that was ended meanwhile stays ended.
"""

from __future__ import annotations

import functools
import logging
import threading
from typing import Any

from carboy.auth import store
from carboy.auth.session import PERMANENT, ServerSession, dumps, hashed, loads, merged, stamp_of
from carboy.base import clock
from carboy.base.errors import CarboyError, ServiceDown
from carboy.data.mixins import now
from carboy.engine.sessions import CookieSessions
from carboy.web import hosts

__all__ = ["HOST_PREFIX", "ServerSessions", "current_session", "is_private"]

LOG = logging.getLogger("carboy.accounts")

HOST_PREFIX = "__Host-"  # SPEC: RFC 6265bis section 4.1.3.2: Secure, Path=/, no Domain
TRIES = 8  # against requests of the same session; each loses only to one that was kept
LONGEST_DATA = 256_000  # characters; a session is read with every page
PURGE_EVERY_S = 3_600.0
AGENT, ADDRESS = 200, 45  # characters kept of them

is_loopback = functools.lru_cache(64)(hosts.is_loopback)  # PERF: 20 us, for the same few names


class ServerSessions(CookieSessions):
    """The session interface of an application that has people."""

    lazy = True  # opening reads nothing: it may wait, see engine/sessions.py

    def __init__(self) -> None:
        super().__init__()
        self._purge_at = 0.0
        self._purging = threading.Lock()

    def open_session(self, app: Any, request: Any) -> Any:
        """Return the session of the request's cookie; it is read when it is looked into."""
        environ = request.environ
        return ServerSession(app, _token(environ, _cookie_name(app, environ)), environ)

    def save_session(self, app: Any, session: Any, response: Any) -> None:
        """Keep what changed, and send or delete the cookie."""
        if not isinstance(session, ServerSession) or not session.accessed:
            return
        _vary_by_cookie(response)
        if not session.looked:
            return
        with session.context():
            sent = self._keep(session)
        if sent is not None:
            _send(app, session, response, sent)
        if sent is not None or session.found is not None:
            _not_for_caches(response)

    def _keep(self, session: ServerSession) -> str | None:
        """Write what is to be written; return the cookie to send, "" to delete it, or None."""
        if session.is_empty:
            return self._forget(session)
        if session.found is None or session.renewed:
            return self._keep_new(session)
        at = now()
        if session.modified:
            store.settle_views()
            self._change(session, {}, "")
            permanent = session.permanent != bool(session.before.get(PERMANENT))
            return session.token if permanent else None
        if session.is_due(at):
            store.settle_views()
            store.touch(session.found.id, _seen(session, at))
        return None

    def _forget(self, session: ServerSession) -> str | None:
        """Remove the row of a session in which nothing is left."""
        if session.found is not None:
            store.settle_views()
            store.drop(session.found.id)
        # The cookie of a row that was not there is left alone: a request of the same
        # browser may have got a new one meanwhile, and this answer would delete it.
        return "" if session.found is not None or (session.ended and session.token) else None

    def _keep_new(self, session: ServerSession) -> str | None:
        environ = session.environ
        if not is_private(environ):
            LOG.warning("accounts.plain_http", extra={"host": environ.get("HTTP_HOST", "")[:100]})
            return None
        store.settle_views()
        if not session.renewed:
            session.renew()
        values = _new_row(session)
        if session.found is not None:
            if self._change(session, values, session.renewed):
                return session.renewed
            if not session.begun:  # it was ended, or another request renewed it
                return None
        store.insert(values)
        self._purge()
        return session.renewed

    def _change(self, session: ServerSession, values: dict[str, Any], renewed: str) -> bool:
        """Keep the data, merged with what others kept; False when the row is gone.

        values: the rest of the row under its new id *renewed*, if there is one.
        """
        found, data = session.found, session.values_now
        assert found is not None  # the caller looked
        version, before = found.version, session.before
        for _ in range(TRIES):
            kept = _checked(dumps(data))
            if renewed:
                row = {**values, "data": kept, "version": version + 1}
                if store.move(found.id, version, row):
                    return True
            elif store.change(found.id, version, kept, _seen(session, now())):
                return True
            latest = store.find(found.id)
            if latest is None:
                return False
            version, data = latest.version, merged(loads(latest.data), before, session.values_now)
        raise ServiceDown(
            "sessions.contended",
            f"A session was changed by others {TRIES} times while it was to be kept.",
            hint="Usually a page sends dozens of requests at once that each change the session.",
        )

    def _purge(self) -> None:
        """Remove expired rows, once an hour in each process."""
        with self._purging:
            if clock.ticks_s() < self._purge_at:
                return
            self._purge_at = clock.ticks_s() + PURGE_EVERY_S
        try:
            store.purge()
        except ServiceDown:
            LOG.info("accounts.purge_put_off")  # the answer does not depend on it


def current_session() -> ServerSession:
    """Return the session of this request.

    Raises CarboyError where there is none of ours: sign_in() would keep nobody signed in.
    """
    from flask.globals import request_ctx

    found = getattr(request_ctx, "_session", None)
    if isinstance(found, ServerSession):
        return found
    raise CarboyError(
        "accounts.session",
        f"Nobody can sign in here: the session is a {type(found).__name__}.",
        hint="Usually session_interface was replaced, or the battery 'accounts' is not on."
        " An application with its own sessions tells who asks by @app.scope_loader.",
    )


def is_private(environ: Any) -> bool:
    """Return whether a cookie stays between us and the browser: https, or this machine."""
    return environ["wsgi.url_scheme"] == "https" or is_loopback(environ.get("HTTP_HOST"))


def _cookie_name(app: Any, environ: Any) -> str:
    """Return the name of the cookie; "" over a connection that others can read."""
    name: str = app.config["SESSION_COOKIE_NAME"]
    if environ["wsgi.url_scheme"] == "https":
        return HOST_PREFIX + name
    return name if is_loopback(environ.get("HTTP_HOST")) else ""


def _token(environ: Any, name: str) -> str:
    """Return the value of the one cookie called *name*; "" without any, or with several."""
    header = environ.get("HTTP_COOKIE")
    if not header or not name:
        return ""
    pairs = (part.partition("=") for part in header.split(";"))
    found = [value.strip() for key, _, value in pairs if key.strip() == name]
    if len(found) > 1:
        LOG.warning("accounts.session_doubled")
    return found[0] if len(found) == 1 else ""


def _send(app: Any, session: ServerSession, response: Any, token: str) -> None:
    """Add the Set-Cookie header; no option of Flask makes it weaker."""
    environ = session.environ
    tls = environ["wsgi.url_scheme"] == "https"
    name = _cookie_name(app, environ)
    same_site = "Strict" if app.config["SESSION_COOKIE_SAMESITE"] == "Strict" else "Lax"
    flags = {"secure": tls, "httponly": True, "samesite": same_site, "path": "/"}
    if not token:
        response.delete_cookie(name, **flags)
        return
    # Without Max-Age it ends with the browser; our own limits count either way.
    age = int(app.config["SESSION_LONGEST"]) if session.permanent else None
    response.set_cookie(name, token, max_age=age, **flags)


def _new_row(session: ServerSession) -> dict[str, Any]:
    """Return all columns for a session under a new id."""
    at, environ = now(), session.environ
    created = session.found.created_at if session.found and not session.begun else at
    return {
        "id": hashed(session.renewed),
        "user_id": None if session.person is None else session.person["id"],
        "data": _checked(dumps(session.values_now)),
        "version": 0,
        "stamp": stamp_of(session.person),
        "created_at": created,
        "seen_at": at,
        "expires_at": session.ends_at(created, at),
        "agent": _printable(environ.get("HTTP_USER_AGENT", ""))[:AGENT],
        "address": _printable(environ.get("REMOTE_ADDR", ""))[:ADDRESS],
    }


def _seen(session: ServerSession, at: Any) -> dict[str, Any]:
    assert session.found is not None  # there is a row to be seen in
    return {"seen_at": at, "expires_at": session.ends_at(session.found.created_at, at)}


def _printable(text: str) -> str:
    return "".join(letter for letter in text[: AGENT * 2] if letter.isprintable())


def _checked(data: str) -> str:
    """Return *data*; raise CarboyError for more than a session is for."""
    if len(data) <= LONGEST_DATA:
        return data
    raise CarboyError(
        "sessions.too_large",
        f"The session holds {len(data):,} characters; {LONGEST_DATA:,} are the limit.",
        hint="Keep such data in a table, and only its key in the session.",
    )


def _vary_by_cookie(response: Any) -> None:
    if "Vary" in response.headers:
        response.vary.add("Cookie")
    else:
        response.headers.add("Vary", "Cookie")


def _not_for_caches(response: Any) -> None:
    """Say that the answer is one person's, unless the view said so already."""
    said = response.headers.get("Cache-Control", "").lower()
    if "private" not in said and "no-store" not in said:
        response.headers["Cache-Control"] = "private, no-store"
