"""/account: my name, my password, and where I am signed in.

GET    what is known of me, and one line for each session
POST   act=name | password | end | end_others, then the page again
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import redirect, request, url_for

from carboy.auth import directory, store
from carboy.auth.acts import current_user, end_sessions, tell
from carboy.auth.agents import spoken
from carboy.auth.models import name_flaw
from carboy.auth.replies import (
    Fields,
    by_field,
    client_address,
    fault_at,
    passwords,
    render,
    throttle,
    weakness,
)
from carboy.auth.sessions import current_session
from carboy.base.errors import RequestFault

if TYPE_CHECKING:
    from carboy.engine.app import Blueprint

__all__ = ["register"]


def register(pages: Blueprint) -> None:
    """Add /account to the pages of accounts."""
    pages.get("/account")(account)
    pages.post("/account")(account_post)


def account() -> Any:
    """Show who I am and where I am signed in."""
    me = current_user()
    return _to_sign_in() if me is None else _page(me)


def account_post() -> Any:
    """Change my name or password, or end sessions."""
    me = current_user()
    if me is None:
        return _to_sign_in()
    given: Fields = dict(request.form.items())
    name = given.get("act", "")
    try:
        if name not in ACTS:
            raise fault_at("act", f"act must be one of {', '.join(ACTS)}.")
        ACTS[name](me.id, given)
    except RequestFault as fault:
        if request.is_json:
            raise
        return _page(me, fault, given), fault.status, dict(fault.headers)
    return redirect(url_for("accounts.account", done=name), 303)


def _rename(user: Any, given: Fields) -> None:
    name = given.get("name", "").strip()
    if why := name_flaw(name):
        raise fault_at("name", why)
    directory.rename(user, name)


def _change_password(user: Any, given: Fields) -> None:
    """Keep a new password, and end every other session: one of them may be a thief's."""
    known = directory.by_id(user)
    assert known is not None  # they are signed in
    if known.password_hash:
        _must_know(known, given.get("current", ""))
    new = given.get("password", "")
    if why := weakness(new, known.email, (known.name,)):
        raise fault_at("password", why)
    directory.keep_hash(user, passwords().hash(new))
    end_sessions(user, but_this=True)
    current_session().renew()
    tell("password_changed", user=user)


def _must_know(known: directory.Known, password: str) -> None:
    """Raise a RequestFault unless that is their password: an open browser is not a person."""
    throttle().admit(known.email, client_address())
    if not passwords().verify(known.password_hash, password).right:
        tell("failed", user=known.id, why="account")
        raise fault_at("current", "This is not your password.")
    throttle().forgive(known.email, client_address())


def _end(user: Any, given: Fields) -> None:
    store.settle_views()
    if store.drop(given.get("session", ""), user_id=user):
        tell("session_ended", user=user)


def _end_others(user: Any, given: Fields) -> None:
    if end_sessions(user, but_this=True):
        tell("session_ended", user=user)


ACTS = {"name": _rename, "password": _change_password, "end": _end, "end_others": _end_others}


def _page(me: Any, fault: RequestFault | None = None, given: Fields | None = None) -> str:
    sessions = [{**row, "device": spoken(row["agent"])} for row in store.listed(me.id)]
    return render(
        "account", me=me, sessions=sessions, this=current_session().key, fault=fault,
        given=given or {}, errors=by_field(fault), done=request.args.get("done", ""),
        has_password=me.password_changed_at is not None,
    )  # fmt: skip


def _to_sign_in() -> Any:
    if request.is_json:
        raise RequestFault(401, "accounts.signed_out", "Sign in first.")
    return redirect(url_for("accounts.sign_in_form", next=request.script_root + "/account"), 303)
