"""The pages of accounts: /sign-in, /sign-up, /sign-out, /account.

    what was sent  ->  fields()  ->  throttle  ->  password  ->  sign_in()  ->  see other
    a fault        ->  the page again, with what was wrong; JSON gets a problem document

No answer tells whether somebody has an account: one sentence for a failed sign-in, one
answer for a sign-up, and the same work for both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import current_app, redirect, render_template, request, url_for
from flask.globals import request_ctx

from carboy.auth import directory, store
from carboy.auth.acts import current_user, end_sessions, sign_in, sign_out, tell
from carboy.auth.agents import spoken
from carboy.auth.devices import device_of, remember_device
from carboy.auth.emails import LONGEST, normal, plain
from carboy.auth.local import local_path
from carboy.auth.sessions import current_session
from carboy.base.errors import RequestFault
from carboy.data.faults import ConstraintFault
from carboy.engine.app import Blueprint

if TYPE_CHECKING:
    from carboy.auth.passwords import Passwords
    from carboy.auth.throttle import Throttle

__all__ = ["pages"]

pages = Blueprint("accounts", __name__, template_folder="templates")

WRONG = "That e-mail address and password do not belong together. Check both, and try again."
MADE = "If there was no account for that address, there is one now. Sign in to use it."
USED = "This link has been used, or its hour is over."

Fields = dict[str, str]


@pages.get("/sign-in")
def sign_in_form() -> Any:
    """Show the form; who is signed in goes on."""
    if current_user() is not None:
        return redirect(_next() or _home(), 303)
    return _page("sign_in", notice=MADE if "made" in request.args else "")


@pages.post("/sign-in")
def sign_in_post() -> Any:
    """Sign in with e-mail address and password."""
    given: Fields = {}
    try:
        given = _fields("email", "password", stay="", next="")
        known = _check(given["email"], given["password"])
        current_session().permanent = bool(given["stay"])
        sign_in(known.id)
    except RequestFault as fault:
        return _again("sign_in", fault, given)
    response = _done(_next() or _home())
    remember_device(current_app, request, response, known.email)
    return response


@pages.get("/sign-up")
def sign_up_form() -> Any:
    """Show the form."""
    _must_be_open()
    if current_user() is not None:
        return redirect(_next() or _home(), 303)
    return _page("sign_up")


@pages.post("/sign-up")
def sign_up_post() -> Any:
    """Make an account; for an address that has one, the same answer after the same work."""
    _must_be_open()
    given: Fields = {}
    try:
        given = _fields("name", "email", "password", next="")
        _throttle().admit_new(_address())
        email = _new_address(given)
        kept = _passwords().hash(given["password"])
        try:
            user = directory.add(email, given["name"].strip(), kept)
            tell("sign_up", user=user)
        except ConstraintFault:
            tell("sign_up_again")
    except RequestFault as fault:
        return _again("sign_up", fault, given)
    return _done(url_for("accounts.sign_in_form", made=1, next=_next() or None))


@pages.post("/sign-out")
def sign_out_post() -> Any:
    """End this session."""
    sign_out()
    return _done(_next() or _home())


@pages.get("/sign-in/link")
def link_form() -> Any:
    """Show a button: programs that look at links in advance must not use them up."""
    response = current_app.make_response(_page("link", token=request.args.get("token", "")))
    response.headers["Referrer-Policy"] = "no-referrer"  # the address holds the secret
    return response


@pages.post("/sign-in/link")
def link_post() -> Any:
    """Sign in with a one-use link."""
    try:
        _throttle().admit("link", _address())
        user = directory.use_link(_fields("token")["token"])
        if user is None:
            tell("failed", why="link")
            raise RequestFault(401, "accounts.link", USED)
        sign_in(user)
    except RequestFault as fault:
        return _again("link", fault, {})
    return _done(url_for("accounts.account"))


@pages.get("/account")
def account() -> Any:
    """Show who I am and where I am signed in."""
    me = current_user()
    return _to_sign_in() if me is None else _account(me)


@pages.post("/account")
def account_post() -> Any:
    """Change my name or password, or end sessions."""
    me = current_user()
    if me is None:
        return _to_sign_in()
    user, given = me.id, dict(request.form.items())
    try:
        act = ACTS.get(given.get("act", ""))
        if act is None:
            raise _wrong("act", f"act must be one of {', '.join(ACTS)}.")
        act(user, given)
    except RequestFault as fault:
        if request.is_json:
            raise
        return _account(me, fault, given)
    return redirect(url_for("accounts.account", done=given["act"]), 303)


def _rename(user: Any, given: Fields) -> None:
    directory.rename(user, given.get("name", "").strip())


def _change_password(user: Any, given: Fields) -> None:
    """Keep a new password, and end every other session: one of them may be a thief's."""
    known = directory.by_id(user)
    assert known is not None  # they are signed in
    if known.password_hash:
        address = _address()
        _throttle().admit(known.email, address)
        if not _passwords().verify(known.password_hash, given.get("current", "")).right:
            tell("failed", user=user, why="current password")
            raise _wrong("current", "This is not your password.")
        _throttle().forgive(known.email, address)
    new = given.get("password", "")
    if why := _weakness(new, known.email, (known.name,)):
        raise _wrong("password", why)
    directory.keep_hash(user, _passwords().hash(new))
    end_sessions(user, but_this=True)
    current_session().renew()
    tell("password_changed", user=user)


def _end(user: Any, given: Fields) -> None:
    store.settle_views()
    if store.drop(given.get("session", ""), user_id=user):
        tell("session_ended", user=user)


def _end_others(user: Any, given: Fields) -> None:
    end_sessions(user, but_this=True)
    tell("sessions_ended", user=user)


ACTS = {"name": _rename, "password": _change_password, "end": _end, "end_others": _end_others}


def _check(email: str, password: str) -> directory.Known:
    """Return who that is. Raises a RequestFault: 401, or 429 after too many tries."""
    address, kept = _address(), plain(email)[:LONGEST]
    device = device_of(current_app, request, kept)
    _throttle().admit(kept, address, device)
    known = directory.look_up(kept)
    verdict = _passwords().verify(known.password_hash if known else None, password)
    if known is None or not verdict.right or not known.active:
        tell("failed", user=known.id if known else None)
        raise RequestFault(401, "accounts.wrong", WRONG)
    if verdict.again:
        directory.keep_hash(known.id, _passwords().hash(password), changed=False)
    _throttle().forgive(kept, address, device)
    return known


def _new_address(given: Fields) -> str:
    """Return the e-mail address of a new account. Raises a RequestFault with all errors."""
    errors = []
    name, email = given["name"].strip(), normal(given["email"])
    if not 0 < len(name) <= 80 or not name.isprintable():
        errors.append(_error("name", "Give a name of at most 80 characters."))
    if not email:
        errors.append(_error("email", "Write it as in ada@example.org."))
    if why := _weakness(given["password"], email, (name,)):
        errors.append(_error("password", why))
    if errors:
        said = " ".join(str(error["msg"]) for error in errors)
        raise RequestFault(422, "accounts.sign_up", said, errors=errors)
    return email


def _fields(*needed: str, **more: str) -> Fields:
    """Return what was sent, as a form or as JSON. Raises a RequestFault that names the field."""
    if not request.is_json:
        return {name: request.form.get(name, more.get(name, "")) for name in (*needed, *more)}
    sent = request.get_json()
    if not isinstance(sent, dict):
        raise RequestFault(422, "accounts.json", "Send an object of JSON.")
    found = {**more, **sent}
    wrong = [_error(name, f"{name} is needed.") for name in needed if name not in sent]
    for name, value in found.items():
        if name not in needed and name not in more:
            wrong.append(_error(name, f"{name[:40]} is not known here."))
        elif name == "stay" and isinstance(value, bool):
            found[name] = "1" if value else ""
        elif not isinstance(value, str):
            wrong.append(_error(name, f"{name} must be text."))
    if wrong:
        said = " ".join(str(error["msg"]) for error in wrong)
        raise RequestFault(422, "accounts.json", said, errors=wrong)
    return found


def _done(place: str) -> Any:
    return current_app.response_class(status=204) if request.is_json else redirect(place, 303)


def _again(page: str, fault: RequestFault, given: Fields) -> Any:
    """Return the page with what was wrong; a program gets the fault itself."""
    if request.is_json:
        raise fault
    status = 422 if fault.status == 401 else fault.status
    body = _page(page, fault=fault, given=given, errors=_by_field(fault))
    return body, status, dict(fault.headers)


def _account(me: Any, fault: RequestFault | None = None, given: Fields | None = None) -> Any:
    this = current_session().key
    sessions = [{**row, "device": spoken(row["agent"])} for row in store.listed(me.id)]
    body = _page(
        "account", me=me, sessions=sessions, this=this, fault=fault, given=given or {},
        errors=_by_field(fault), done=request.args.get("done", ""),
        has_password=me.password_changed_at is not None,
    )  # fmt: skip
    return body if fault is None else (body, fault.status, dict(fault.headers))


def _page(name: str, **values: Any) -> str:
    values.setdefault("given", {})
    values.setdefault("errors", {})
    values.setdefault("next", _next())
    shell = "carboy/shop.html" if name == "account" else "carboy/bare.html"
    env = current_app.jinja_env
    layout = env.select_template(["layout.html", shell, "auth/plain.html"])
    sign_up = current_app.config["SIGN_UP"] == "open"
    return render_template(f"auth/{name}.html", layout=layout, sign_up=sign_up, **values)


def _next() -> str:
    """Return where to go afterwards, if that is a page of ours."""
    given = request.form.get("next") or request.args.get("next")
    return local_path(given, request, request_ctx.url_adapter)


def _home() -> str:
    return request.script_root + "/"


def _to_sign_in() -> Any:
    if request.is_json:
        raise RequestFault(401, "accounts.signed_out", "Sign in first.")
    return redirect(url_for("accounts.sign_in_form", next=request.script_root + "/account"), 303)


def _must_be_open() -> None:
    if current_app.config["SIGN_UP"] != "open":
        raise RequestFault(403, "accounts.closed", "New accounts are made by the staff here.")


def _weakness(password: str, email: str, names: tuple[str, ...]) -> str:
    least: int = current_app.config["PASSWORD_LEAST"]
    names = (*names, current_app.name)
    return _passwords().weakness(password, least=least, email=email, names=names)


def _address() -> str:
    return request.remote_addr or ""


def _passwords() -> Passwords:
    return current_app.extensions["carboy.accounts"].passwords  # type: ignore[no-any-return]


def _throttle() -> Throttle:
    return current_app.extensions["carboy.accounts"].throttle  # type: ignore[no-any-return]


def _by_field(fault: RequestFault | None) -> Fields:
    errors = fault.errors if fault else ()
    return {str(error["loc"][-1]): str(error["msg"]) for error in errors if error.get("loc")}


def _error(name: str, said: str) -> dict[str, Any]:
    return {"loc": [name], "msg": said, "type": name}


def _wrong(name: str, said: str) -> RequestFault:
    return RequestFault(422, f"accounts.{name}", said, errors=[_error(name, said)])
