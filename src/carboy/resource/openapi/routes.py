"""Addresses of the document and of the page for people.

    GET /api/openapi.json    the document, with an ETag
    GET /api/docs            the reference: complete without scripts
    GET /api/docs/try.js     sends what is filled into its forms

The application's own template `api/reference.html` comes before ours.
"""

from __future__ import annotations

import weakref
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import current_app, render_template, request
from werkzeug.exceptions import NotFound

from carboy.data.encoders import dumps
from carboy.engine.app import Blueprint
from carboy.resource.openapi.document import document
from carboy.resource.openapi.page import reference
from carboy.resource.rest_http import acceptable, answer, fresh, tag_of

if TYPE_CHECKING:
    import flask

__all__ = ["blueprint"]

HERE = Path(__file__).parent
SHELL = "carboy/workshop.html"

_made: weakref.WeakKeyDictionary[Any, tuple[dict[str, Any], bytes, str]] = (
    weakref.WeakKeyDictionary()
)


def blueprint() -> Blueprint:
    """Return the blueprint with the views of /api/openapi.json and /api/docs."""
    made = Blueprint("carboy_openapi", __name__, template_folder=str(HERE / "templates"))
    views: tuple[tuple[str, Any], ...] = (
        ("/api/openapi.json", _document), ("/api/docs", _reference), ("/api/docs/<name>", _file),
    )  # fmt: skip
    for rule, view in views:
        view.__carboy_access__ = "public"  # read by auth/access.py
        made.add_url_rule(rule, view.__name__[1:], view)
    return made


def _current() -> tuple[dict[str, Any], bytes, str]:
    """Return the document, its JSON and its tag; made once for each seal."""
    app: Any = current_app._get_current_object()  # type: ignore[attr-defined]  # a LocalProxy
    plan = app._current_plan()
    found = _made.get(plan)
    if found is None:
        made = document(app)
        data = dumps(made)
        found = _made[plan] = (made, data, tag_of(data))
    return found


def _document() -> flask.Response:
    """The OpenAPI document."""
    acceptable(request.environ)
    _, data, tag = _current()
    if fresh(request.environ, tag):
        return answer(b"", 304, [("ETag", tag)])
    return answer(data, 200, [("ETag", tag)])


def _reference() -> str:
    """The reference, for people."""
    made, _, _ = _current()
    app: Any = current_app
    shell = SHELL if "look" in app.batteries else "api/shell.html"
    root = request.script_root
    return render_template("api/reference.html", api_shell=shell, root=root, **reference(made))


def _file(name: str) -> Any:
    """The script of the reference, and the style of an application without a look."""
    kinds = {"try.js": "text/javascript; charset=utf-8", "plain.css": "text/css; charset=utf-8"}
    if name not in kinds:
        raise NotFound
    made = current_app.response_class(_read(name), content_type=kinds[name])
    made.headers["Cache-Control"] = "no-cache"
    made.set_etag(tag_of(_read(name)).strip('"'))
    return made.make_conditional(request)


@lru_cache
def _read(name: str) -> bytes:
    return (HERE / "static" / name).read_bytes()
