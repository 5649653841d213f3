"""What the pages of accounts share: answering, and what the views ask the battery for.

fault     ->  again()     the page with what was wrong, or the fault itself for a program
success   ->  done()      see other, or 204 for a program
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import current_app, redirect, render_template, request
from flask.globals import request_ctx

from carboy.auth.forms import broken, wrong
from carboy.auth.local import local_path

if TYPE_CHECKING:
    from carboy.auth.forms import Sent
    from carboy.auth.passwords import Passwords
    from carboy.auth.throttle import Throttle
    from carboy.base.errors import RequestFault

__all__ = [
    "again", "client_address", "done", "fault_at", "home", "next_page", "passwords", "render",
    "throttle", "weakness",
]  # fmt: skip

SHELLS = {"account": "carboy/shop.html"}  # the other pages have one narrow column
BARE = "carboy/bare.html"


def again(name: str, sent: Sent, fault: RequestFault) -> Any:
    """Return the page with what was wrong; a program gets the fault itself."""
    if request.is_json:
        raise fault
    sent.refuse(fault)
    status = 422 if fault.status == 401 else fault.status
    return render(name, f=sent.form), status, dict(fault.headers)


def done(place: str) -> Any:
    """Return the way to *place*; 204 for a program."""
    return current_app.response_class(status=204) if request.is_json else redirect(place, 303)


def render(name: str, **values: Any) -> str:
    """Return a page, inside the application's layout.html, else inside ours."""
    layouts = ["layout.html", SHELLS.get(name, BARE), "auth/plain.html"]
    layout = current_app.jinja_env.select_template(layouts)
    sign_up = current_app.config["SIGN_UP"] == "open"
    values = {"next": next_page(), "sign_up": sign_up, **values}
    return render_template(f"auth/{name}.html", layout=layout, **values)


def next_page() -> str:
    """Return where to go afterwards; "" unless it is a page of this application."""
    given = request.form.get("next") or request.args.get("next")
    return local_path(given, request, request_ctx.url_adapter)


def home() -> str:
    """Return the first page of this application."""
    return request.script_root + "/"


def client_address() -> str:
    """Return the address that the request came from."""
    return request.remote_addr or ""


def weakness(password: str, email: str, names: tuple[str, ...]) -> str:
    """Return why that cannot be the password of this person; "" if it can."""
    least: int = current_app.config["PASSWORD_LEAST"]
    names = (*names, current_app.name)
    return passwords().weakness(password, least=least, email=email, names=names)


def passwords() -> Passwords:
    """Return what hashes and verifies."""
    found: Passwords = current_app.extensions["carboy.accounts"].passwords
    return found


def throttle() -> Throttle:
    """Return what counts tries."""
    found: Throttle = current_app.extensions["carboy.accounts"].throttle
    return found


def fault_at(name: str, said: str) -> RequestFault:
    """Return the fault (422) of one wrong field."""
    return wrong(f"accounts.{name}", [broken(name, said)])
