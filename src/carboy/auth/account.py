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
from carboy.auth.forms import FirstPassword, Password, Profile, Sent
from carboy.auth.models import name_flaw
from carboy.auth.replies import (
    client_address,
    fault_at,
    passwords,
    render,
    throttle,
    weakness,
)
from carboy.auth.sessions import current_session
from carboy.base.errors import RequestFault
from carboy.web.form.bound import BoundForm
from carboy.web.i18n.texts import _

if TYPE_CHECKING:
    from carboy.engine.app import Blueprint
    from carboy.web.form.form import Form

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
    act = request.form.get("act", "")
    forms: dict[str, type[Form]] = {"name": Profile, "password": _password_form(me)}
    sent = Sent(forms[act]) if act in forms else None
    try:
        if act not in ACTS:
            raise fault_at("act", _("%(name)s is not known here.", name="act"))
        if sent is not None:
            sent.check()
        ACTS[act](me.id, sent)
    except RequestFault as fault:
        if sent is None:
            raise
        sent.refuse(fault)
        return _page(me, {act: sent.form}), fault.status, dict(fault.headers)
    return redirect(url_for("accounts.account", done=act), 303)


def _rename(user: Any, sent: Sent) -> None:
    name = sent.text("name").strip()
    if why := name_flaw(name):
        raise fault_at("name", why)
    directory.rename(user, name)


def _change_password(user: Any, sent: Sent) -> None:
    """Keep a new password, and end every other session: one of them may be a thief's."""
    known = directory.by_id(user)
    assert known is not None  # they are signed in
    if known.password_hash:
        _must_know(known, sent.text("current"))
    new = sent.text("password")
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
        raise fault_at("current", _("This is not your password."))
    throttle().forgive(known.email, client_address())


def _end(user: Any, sent: Any) -> None:
    store.settle_views()
    if store.drop(request.form.get("session", ""), user_id=user):
        tell("session_ended", user=user)


def _end_others(user: Any, sent: Any) -> None:
    if end_sessions(user, but_this=True):
        tell("session_ended", user=user)


ACTS = {"name": _rename, "password": _change_password, "end": _end, "end_others": _end_others}


def _password_form(me: Any) -> type[Form]:
    """Return the form that asks for the password of now, where there is one."""
    return FirstPassword if me.password_changed_at is None else Password


def _page(me: Any, forms: dict[str, BoundForm] | None = None) -> str:
    """Return the page; forms: those that were sent, by act."""
    blank = {
        "name": BoundForm(Profile.spec(), {"act": "name", "name": me.name}),
        "password": BoundForm(_password_form(me).spec(), {"act": "password"}),
    }
    sessions = [{**row, "device": spoken(row["agent"])} for row in store.listed(me.id)]
    return render(
        "account", me=me, sessions=sessions, this=current_session().key,
        forms={**blank, **(forms or {})}, done=request.args.get("done", ""),
    )  # fmt: skip


def _to_sign_in() -> Any:
    if request.is_json:
        raise RequestFault(401, "accounts.signed_out", _("Sign in first."))
    return redirect(url_for("accounts.sign_in_form", next=request.script_root + "/account"), 303)
