"""The pages of accounts: /sign-in, /sign-up, /sign-out, and one-use links.

    what was sent  ->  fields()  ->  throttle  ->  password  ->  sign_in()  ->  see other
    a fault        ->  the page again, with what was wrong; JSON gets a problem document

No answer tells whether somebody has an account: one sentence for a failed sign-in, one
answer for a sign-up, and the same work for both.
"""

from __future__ import annotations

from typing import Any

from flask import current_app, redirect, request, url_for

from carboy.auth import account, directory
from carboy.auth.acts import current_user, sign_in, sign_out, tell
from carboy.auth.devices import device_of, remember_device
from carboy.auth.emails import LONGEST, normal, plain
from carboy.auth.forms import Broken, Link, Sent, SignIn, SignUp, broken
from carboy.auth.models import name_flaw
from carboy.auth.replies import (
    again,
    client_address,
    done,
    home,
    next_page,
    passwords,
    render,
    throttle,
    weakness,
)
from carboy.auth.sessions import current_session
from carboy.base.access import PUBLIC, mark
from carboy.base.errors import RequestFault
from carboy.data.faults import ConstraintFault
from carboy.engine.app import Blueprint
from carboy.web.csrf.battery import csrf_always
from carboy.web.i18n.texts import N_, _

__all__ = ["pages"]

pages = mark(Blueprint("accounts", __name__, template_folder="templates"), PUBLIC)
account.register(pages)

WRONG = N_("That e-mail address and password do not belong together. Check both, and try again.")
MADE = N_("If there was no account for that address, there is one now. Sign in to use it.")
USED = N_("This link has been used, or its hour is over.")


@pages.get("/sign-in")
def sign_in_form() -> Any:
    """Show the form; who is signed in goes on."""
    if current_user() is not None:
        return redirect(next_page() or home(), 303)
    notice = _(MADE) if "made" in request.args else ""
    return render("sign_in", f=SignIn.bind({"next": next_page()}), notice=notice)


@pages.post("/sign-in")
@csrf_always
def sign_in_post() -> Any:
    """Sign in with e-mail address and password."""
    sent = Sent(SignIn)
    try:
        sent.check()
        known = _check(sent.text("email"), sent.text("password"))
        sign_in(known.id)
        current_session().permanent = sent.flag("stay")
    except RequestFault as fault:
        return again("sign_in", sent, fault)
    response = done(next_page() or home())
    remember_device(current_app, request, response, known.email)
    return response


@pages.get("/sign-up")
def sign_up_form() -> Any:
    """Show the form."""
    _must_be_open()
    if current_user() is not None:
        return redirect(next_page() or home(), 303)
    return render("sign_up", f=SignUp.bind({"next": next_page()}))


@pages.post("/sign-up")
@csrf_always
def sign_up_post() -> Any:
    """Make an account; for an address that has one, the same answer after the same work."""
    _must_be_open()
    sent = Sent(SignUp)
    try:
        throttle().admit_new(client_address())
        sent.check(_flaws)
        kept = passwords().hash(sent.text("password"))
        try:
            user = directory.add(normal(sent.text("email")), sent.text("name").strip(), kept)
            tell("sign_up", user=user)
        except ConstraintFault as fault:
            if fault.kind != "unique":
                raise
            tell("sign_up_again")
    except RequestFault as fault:
        return again("sign_up", sent, fault)
    return done(url_for("accounts.sign_in_form", made=1, next=next_page() or None))


@pages.post("/sign-out")
@csrf_always
def sign_out_post() -> Any:
    """End this session."""
    sign_out()
    return done(next_page() or home())


@pages.get("/sign-in/link")
def link_form() -> Any:
    """Show a button: programs that look at links in advance must not use them up."""
    form = Link.bind({"token": request.args.get("token", "")})
    response = current_app.make_response(render("link", f=form))
    response.headers["Referrer-Policy"] = "no-referrer"  # the address holds the secret
    return response


@pages.post("/sign-in/link")
@csrf_always
def link_post() -> Any:
    """Sign in with a one-use link."""
    sent = Sent(Link)
    try:
        throttle().admit_any(client_address())
        sent.check()
        user = directory.use_link(sent.text("token"))
        if user is None:
            tell("failed", why="link")
            raise RequestFault(401, "accounts.link", _(USED))
        sign_in(user)
    except RequestFault as fault:
        return again("link", sent, fault)
    return done(url_for("accounts.account"))


def _check(email: str, password: str) -> directory.Known:
    """Return who that is. Raises a RequestFault: 401, or 429 after too many tries."""
    address, kept = client_address(), plain(email[:LONGEST])
    if not kept.isprintable():  # NUL, halves of characters: nobody's, and no database takes them
        kept = ""
    device = device_of(current_app, request, kept)
    throttle().admit(kept, address, device)
    known = directory.look_up(kept)
    verdict = passwords().verify(known.password_hash if known else None, password)
    if known is None or not verdict.right or not known.active:
        tell("failed", user=known.id if known else None)
        raise RequestFault(401, "accounts.wrong", _(WRONG))
    if verdict.again:
        directory.keep_hash(known.id, passwords().hash(password), changed=False)
    throttle().forgive(kept, address, device)
    return known


def _flaws(sent: Sent) -> list[Broken]:
    """Return what is wrong with a name, an address and a password, as far as they were sent."""
    name, email = sent.text("name").strip(), normal(sent.text("email"))
    flaws = {
        "name": name_flaw(name),
        "email": "" if email else _("Write it as in ada@example.org."),
        "password": weakness(sent.text("password"), email, (name,)),
    }
    return [broken(field, said) for field, said in flaws.items() if said]


def _must_be_open() -> None:
    if current_app.config["SIGN_UP"] != "open":
        said = _("New accounts are made by the staff here.")
        raise RequestFault(403, "accounts.closed", said)
