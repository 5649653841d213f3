"""What an application asks of accounts: sign_in(user), sign_out(), current_user().

sign_in      the session belongs to the user, under a new id; who asks is asked anew
current_user the User who asks, without a query where the session brought them along
told         log lines accounts.*, and a count; who, never with which secret
"""

from __future__ import annotations

import logging
from typing import Any

from sqlalchemy.orm import attributes, make_transient_to_detached, object_session
from sqlalchemy.orm.util import identity_key

from carboy.auth import store
from carboy.auth.models import User
from carboy.auth.session import ServerSession
from carboy.auth.sessions import current_session, is_private
from carboy.base.errors import RequestFault
from carboy.base.scope import NobodyAsking, Scope, frame
from carboy.data.db import db
from carboy.engine.asking import FRAME
from carboy.engine.seam import cv_app, cv_request
from carboy.web.i18n.texts import _

__all__ = ["current_user", "end_sessions", "sign_in", "sign_out", "tell", "who_asks"]

LOG = logging.getLogger("carboy.accounts")

ME = "carboy.me"  # in the notes of a frame


def sign_in(user: Any) -> None:
    """Let *user* be who asks from now on, in this browser.

    user: a User, or its key. What a visitor had in the session stays; its id changes.
    Raises a RequestFault (403) for somebody who is not active, or not there; (400) over
    plain http, where others on the way could take the session.
    """
    session = current_session()
    if not is_private(session.environ):
        raise RequestFault(
            400, "accounts.plain_http", _("Signing in needs https."),
            hint=_("Use the address that begins with https://."),
        )  # fmt: skip
    person = store.person(getattr(user, "id", user))
    if person is None or not person["active"]:
        raise RequestFault(403, "accounts.inactive", _("This account cannot sign in."))
    session.begin(person)
    _ask_anew()
    tell("sign_in", user=person["id"])


def sign_out() -> None:
    """End this session: its row goes, and nothing of it is left."""
    session = current_session()
    user = session.scope.user
    session.end()
    _ask_anew()
    if user is not None:
        tell("sign_out", user=user)


def end_sessions(user: Any, *, but_this: bool = False) -> int:
    """End the sessions of *user*, on every device, at once; return how many there were.

    user: a User, or its key. but_this: all but that of this request.
    """
    kept = current_session() if but_this else None
    store.settle_views()
    return store.drop_of(getattr(user, "id", user), but="" if kept is None else _row_of(kept))


def current_user() -> User | None:
    """Return the User who asks; None for a visitor, and where nobody asks.

    No query where the session was read for this request: user and session come together.
    """
    try:
        asking = frame()
    except NobodyAsking:
        return None
    if asking.scope.user is None:
        return None
    found = asking.notes.get(ME)
    if found is None or object_session(found) is None:
        found = asking.notes[ME] = _user(asking.scope)
    return found


def who_asks() -> Scope | None:
    """Return whose session this is; the application's scope_loader, unless it has its own."""
    session = _session()
    return None if session is None else session.scope


def tell(name: str, **facts: Any) -> None:
    """Log and count what happened. facts: never a secret, nor what somebody typed."""
    level = logging.WARNING if name == "failed" else logging.INFO
    context: Any = cv_request.get(None)
    if context is not None:
        facts["remote"] = context.environ.get("REMOTE_ADDR", "")
    LOG.log(level, "accounts.%s", name, extra=facts)
    app = cv_app.get(None)
    metrics = None if app is None else getattr(app.app, "batteries", {}).get("metrics")
    if metrics is not None:
        metrics.event(f"accounts.{name}", "")


def _session() -> ServerSession | None:
    context = cv_request.get(None)
    found = None if context is None else getattr(context, "_session", None)
    return found if isinstance(found, ServerSession) else None


def _row_of(session: ServerSession) -> str:
    """Return the id of the row that stands for a session now, before it is kept anew."""
    session.look()
    return session.found.id if session.found else ""


def _ask_anew() -> None:
    """Let the next query find out who asks."""
    context = cv_request.get(None)
    if context is not None:
        context.__dict__.pop(FRAME, None)


def _user(who: Scope) -> User | None:
    session = _session()
    person = session.person if session is not None and session.looked else None
    if person is not None and person["id"] == who.user:
        return _made_of(person)
    return db.session.get(User, who.user)


def _made_of(person: dict[str, Any]) -> User:
    """Return the User with these columns, in the session of who asks; nothing is queried.

    What is not among them, such as the hash, is loaded, and refused, when it is asked for.
    """
    session = db.session
    there = session.identity_map.get(identity_key(User, person["id"]))
    if there is not None:
        return there
    user: User = User.__mapper__.class_manager.new_instance()
    state = attributes.instance_state(user)
    for name, value in person.items():
        attributes.set_committed_value(user, name, value)
    state.manager.dispatch.load(state, None)  # changes inside of `roles` are noticed
    make_transient_to_detached(user)
    session.add(user)
    return user
