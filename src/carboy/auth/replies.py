"""What the pages of accounts share: reading what was sent, and answering.

form or JSON  ->  fields()                      text by name, or a 422 that names the field
fault         ->  again()                       the page with what was wrong, or the fault
success       ->  done()                        see other, or 204 for a program
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import current_app, redirect, render_template, request
from flask.globals import request_ctx

from carboy.auth.local import local_path
from carboy.base.errors import RequestFault

if TYPE_CHECKING:
    from carboy.auth.passwords import Passwords
    from carboy.auth.throttle import Throttle

__all__ = [
    "Fields", "again", "all_of", "broken", "by_field", "client_address", "done", "fault_at",
    "fields", "home", "next_page", "passwords", "render", "throttle", "weakness",
]  # fmt: skip

Fields = dict[str, str]
Broken = dict[str, Any]

SHELLS = {"account": "carboy/shop.html"}  # the other pages have one narrow column
BARE = "carboy/bare.html"


def fields(*needed: str, **more: str) -> Fields:
    """Return what was sent, as a form or as JSON, by name.

    more: names that need not be there, with their defaults. Raises a RequestFault (422)
    that names each field that is missing, unknown or no text; a form may hold others.
    """
    if not request.is_json:
        return {name: request.form.get(name, more.get(name, "")) for name in (*needed, *more)}
    sent = request.get_json()
    if not isinstance(sent, dict):
        raise RequestFault(422, "accounts.json", "Send an object of JSON.")
    found = {**more, **sent}
    wrong = [broken(name, f"{name} is needed.") for name in needed if name not in sent]
    for name, value in found.items():
        if name not in needed and name not in more:
            wrong.append(broken(name[:40], f"{name[:40]} is not known here."))
        elif isinstance(value, bool) and name == "stay":
            found[name] = "1" if value else ""
        elif not isinstance(value, str):
            wrong.append(broken(name, f"{name} must be text."))
    if wrong:
        raise all_of("accounts.json", wrong)
    return found


def again(name: str, fault: RequestFault, given: Fields) -> Any:
    """Return the page with what was wrong; a program gets the fault itself."""
    if request.is_json:
        raise fault
    status = 422 if fault.status == 401 else fault.status
    body = render(name, fault=fault, given=given, errors=by_field(fault))
    return body, status, dict(fault.headers)


def done(place: str) -> Any:
    """Return the way to *place*; 204 for a program."""
    return current_app.response_class(status=204) if request.is_json else redirect(place, 303)


def render(name: str, **values: Any) -> str:
    """Return a page, inside the application's layout.html, else inside ours."""
    values = {"given": {}, "errors": {}, "next": next_page(), **values}
    layouts = ["layout.html", SHELLS.get(name, BARE), "auth/plain.html"]
    layout = current_app.jinja_env.select_template(layouts)
    sign_up = current_app.config["SIGN_UP"] == "open"
    return render_template(f"auth/{name}.html", layout=layout, sign_up=sign_up, **values)


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
    return current_app.extensions["carboy.accounts"].passwords  # type: ignore[no-any-return]


def throttle() -> Throttle:
    """Return what counts tries."""
    return current_app.extensions["carboy.accounts"].throttle  # type: ignore[no-any-return]


def by_field(fault: RequestFault | None) -> Fields:
    """Return the sentences of a fault by the field that they are about."""
    errors = fault.errors if fault else ()
    return {str(error["loc"][-1]): str(error["msg"]) for error in errors if error.get("loc")}


def broken(name: str, said: str) -> Broken:
    """Return one wrong field."""
    return {"loc": [name], "msg": said, "type": name}


def fault_at(name: str, said: str) -> RequestFault:
    """Return the fault (422) of one wrong field."""
    return all_of(f"accounts.{name}", [broken(name, said)])


def all_of(code: str, wrong: list[Broken]) -> RequestFault:
    """Return the fault (422) of several wrong fields."""
    return RequestFault(422, code, " ".join(one["msg"] for one in wrong), errors=wrong)
