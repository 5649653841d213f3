"""The usual cause of an exception, in a sentence or two with the remedy.

    exception  ->  usual_cause()  ->  text, "" when there is no usual one

One row per kind of trouble that newcomers meet, matched by class and by words that
Flask, Werkzeug and Jinja write.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

import jinja2
from werkzeug.exceptions import BadRequestKeyError
from werkzeug.routing import BuildError

from carboy.base.errors import CarboyError

__all__ = ["usual_cause"]


def usual_cause(error: BaseException) -> str:
    """Return what usually leads to *error* and what to do, "" when unknown."""
    for kind, words, remedy in TABLE:
        if isinstance(error, kind) and words in str(error):
            return remedy(error)
    return ""


def _hint(error: Any) -> str:
    return str(error.hint)


def _template(error: Any) -> str:
    return (
        f"There is no template {error.name!r} in the templates folders. Templates live in"
        " templates/ beside the file that makes the application; check the name and the folder."
    )


def _endpoint(error: Any) -> str:
    near = f" Did you mean {error.suggested.endpoint!r}?" if error.suggested else ""
    wanted = ", ".join(sorted(error.values)) or "none"
    return (
        f"url_for() knows no route {error.endpoint!r} that takes these values ({wanted}).{near}"
        " In a blueprint the endpoint begins with its name: 'shop.book', or '.book' from within."
    )


def _form_key(error: Any) -> str:
    return (
        f"The form or query has no field {error.args[0]!r}. Use request.form.get(...), or check"
        " the name attribute of the input and the method of the form."
    )


def _setting(error: Any) -> str:
    name = str(error.args[0]) if error.args else ""
    return (
        f"If {name!r} is an option: it is not set. Give it in carboy.toml or as CARBOY_{name},"
        " or read it with app.config.get(...)."
        if name.isupper()
        else ""
    )


def _name(error: Any) -> str:
    name = getattr(error, "name", None) or ""
    near = difflib.get_close_matches(name, NAMES, n=1) if name not in NAMES else [name]
    return f"Perhaps an import is missing: from carboy import {near[0]}" if near else ""


def _say(text: str) -> Callable[[Any], str]:
    return lambda error: text


NAMES = (
    "abort", "current_app", "flash", "g", "jsonify", "redirect", "render_template", "request",
    "send_file", "session", "url_for",
)  # fmt: skip

Row = tuple[type[BaseException], str, Callable[[Any], str]]

TABLE: tuple[Row, ...] = (
    (CarboyError, "", _hint),
    (jinja2.TemplateNotFound, "", _template),
    (
        jinja2.UndefinedError,
        "",
        _say(
            "The template uses a name that was not given to it. Pass it:"
            " render_template('page.html', name=value), or test it: {% if name is defined %}."
        ),
    ),
    (jinja2.TemplateSyntaxError, "", _say("The template has a slip in its syntax at this line.")),
    (BuildError, "", _endpoint),
    (BadRequestKeyError, "", _form_key),
    (
        RuntimeError,
        "outside of request context",
        _say(
            "request, session and url_for() need a request. In a thread or a job pass the"
            " values that are needed instead; in a test use app.test_request_context()."
        ),
    ),
    (
        RuntimeError,
        "outside of application context",
        _say(
            "current_app and g need an application. In a script write: with app.app_context(): ..."
        ),
    ),
    (
        RuntimeError,
        "secret key",
        _say(
            "Sessions are signed, and there is no key. Set CARBOY_SECRET_KEY to the output of:"
            ' python -c "import secrets; print(secrets.token_hex())"'
        ),
    ),
    (
        TypeError,
        "did not return a valid response",
        _say("The view ended without a return statement. Return text, a dict or a Response."),
    ),
    (
        TypeError,
        "not JSON serializable",
        _say("The answer holds an object that JSON has no form for. Return its fields as a dict."),
    ),
    (
        TypeError,
        "unexpected keyword argument",
        _say("Often the names in the route and in the view differ: <int:id> needs def view(id)."),
    ),
    (KeyError, "", _setting),
    (NameError, "", _name),
)
