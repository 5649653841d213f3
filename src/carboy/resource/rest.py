"""REST: the API of a resource, as views of a blueprint.

    GET    /api/books        a page of rows         POST     /api/books     one row, or many
    GET    /api/books/7      one row                PATCH    /api/books/7   a merge patch
    DELETE /api/books/7                             PUT      /api/books/7   all of it

    query   rest_ask.py     names that are allowed  ->  a compiled reading
    body    rest_body.py    strict JSON             ->  values by field
    HTTP    rest_http.py    tags, preconditions, what is preferred

The policy decides who sees and changes what; the routes themselves are open. Errors are
problem documents, whatever the client's Accept says.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from flask import current_app, request

from carboy.base.errors import RequestFault
from carboy.data.db import db
from carboy.data.encoders import dumps
from carboy.data.session import Outdated
from carboy.engine.app import Blueprint
from carboy.engine.seam import cv_request
from carboy.resource import rest_body as body, writing
from carboy.resource.may import may, refuse
from carboy.resource.once import fingerprint_of, once
from carboy.resource.rest_ask import Shapes, ask, row_reading
from carboy.resource.rest_faults import located, told_to_visitors
from carboy.resource.rest_http import (
    PATCH_TYPES,
    acceptable,
    answer,
    fresh,
    link,
    matches,
    media_type,
    minimal,
    outdated,
    tag_of,
)

if TYPE_CHECKING:
    import flask

    from carboy.data.keyset import Page
    from carboy.resource.declared import Resource
    from carboy.resource.plan import Plan

__all__ = ["Api", "blueprint"]

PLAIN = re.compile(r"[A-Za-z0-9._~%&=,+:-]*")  # what may stand in a link as it is
ITEMS = ("GET", "HEAD", "OPTIONS", "POST")
ITEM = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "PUT")

Answer = tuple[bytes, int, list[tuple[str, str]]]
View = Callable[..., Any]


def blueprint(resource: Resource) -> Blueprint:
    """Return the blueprint "books_api" with the views of /api/books."""
    made = Blueprint(f"{resource.name}_api", __name__, url_prefix=f"/api{resource.path}")
    api = Api(resource)
    made.carboy_api = api  # type: ignore[attr-defined]  # openapi/ reads it
    for rule, methods in (("", ITEMS), ("/<key>", ITEM)):
        for name, view in api.views(rule).items():
            method = METHODS[name]
            made.add_url_rule(
                rule, name, _open(view), methods=[method], provide_automatic_options=False
            )
        options = _open(functools.partial(_options, methods))
        made.add_url_rule(
            rule, "options" if not rule else "row_options", options, methods=["OPTIONS"]
        )
    return made


METHODS = {"list": "GET", "create": "POST", "detail": "GET", "update": "PATCH",
           "replace": "PUT", "delete": "DELETE"}  # fmt: skip


class Api:
    """The views of one resource. Override its `Resource` rather than this."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource

    def views(self, rule: str) -> dict[str, View]:
        """Return the views under *rule*, by name."""
        if not rule:
            return {"list": self.list, "create": _changing(self.create)}
        changing = {"update": self.update, "replace": self.replace, "delete": self.delete}
        return {"detail": self.detail} | {n: _changing(view) for n, view in changing.items()}

    @property
    def plan(self) -> Plan:
        """What follows from the model."""
        return self.resource.plan

    @property
    def shapes(self) -> Shapes:
        """The readings; made anew with the plan."""
        found: Shapes | None = self.__dict__.get("_shapes")
        if found is None or found.plan is not self.resource.plan:
            resources = current_app.extensions["carboy.resources"].declared
            found = self.__dict__["_shapes"] = Shapes(self.plan, resources.values())
        return found

    # Reading

    def list(self) -> flask.Response:
        """Answer a page of rows."""
        environ = _environ()
        acceptable(environ)
        plan, shapes = self.resource.plan, self.shapes
        if environ["QUERY_STRING"]:
            asked = ask(shapes, request.args)
            page = asked.reading.page(
                *asked.clauses, size=asked.size, cursor=asked.cursor, order=asked.order,
                name=plan.name,
            )  # fmt: skip
        else:
            page = shapes.whole.page(*plan.resource.clauses(), size=plan.size, name=plan.name)
        following, before = _turned(page, environ)
        data = dumps({"items": page.plain(moments="iso"), "next": following, "prev": before})
        links = link(next=following, prev=before)
        return _conditional(environ, data, tag_of(data), [("Link", links)] if links else [])

    def detail(self, key: str) -> flask.Response:
        """Answer one row."""
        environ = _environ()
        acceptable(environ)
        shapes, whole = self.shapes, self.shapes.whole
        reading = row_reading(shapes, request.args) if environ["QUERY_STRING"] else whole
        row = reading.one_plain(self.plan.read_key(key), *self.resource.clauses(), moments="iso")
        data = dumps(row)
        return _conditional(environ, data, self._tag(data, row if reading is whole else None), [])

    # Changing

    def create(self) -> flask.Response:
        """Create a row, or many; with an Idempotency-Key once, however often it is sent."""
        environ = request.environ
        if not may(self.plan.model, "create"):
            raise refuse(self.plan, "create")
        media_type(environ, ("application/json",))
        data = request.get_data()
        key = environ.get("HTTP_IDEMPOTENCY_KEY")
        make = self._create_many if body.is_many(data) else self._create_one
        if key is None:
            with db.transaction():
                made, status, headers = make(data)
            return answer(made, status, headers)

        def work() -> Any:
            made, status, headers = make(data)
            return [made.decode(), status, headers]

        content = fingerprint_of(data, environ.get("HTTP_PREFER", ""))
        name = key[1:-1] if len(key) > 1 and key[0] == key[-1] == '"' else key
        done = once(name, content, work, about=f"POST {environ.get('PATH_INFO', '')}")
        made, status, headers = done.value
        replayed = [("Idempotency-Replayed", "true")] if done.replayed else []
        return answer(made.encode(), status, [*map(tuple, headers), *replayed])

    def update(self, key: str) -> flask.Response:
        """Change what a merge patch says."""
        media_type(request.environ, PATCH_TYPES)
        data = request.get_data()
        return self._change(key, lambda row: body.patch(self.plan, data, row))

    def replace(self, key: str) -> flask.Response:
        """Replace all that may be set; what is left out is as in a new row."""
        media_type(request.environ, ("application/json",))
        data = request.get_data()
        return self._change(key, lambda row: body.replacement(self.plan, data))

    def delete(self, key: str) -> flask.Response:
        """Delete a row."""

        def work() -> None:
            writing.delete(self.plan, self._found(key, "delete"))

        self._guarded(work)
        return answer(b"", 204)

    # How

    def _create_one(self, data: bytes) -> Answer:
        row = writing.create(self.plan, body.one(self.plan, data))
        key = self._key(row)
        headers = [("Location", self._url(row))]
        shown = self._shown(key)
        if shown is not None:
            headers.append(("ETag", shown[1]))
        preferred = minimal(request.environ)
        if preferred is not None:
            headers.append(_applied(preferred))
        if shown is None or preferred:
            return dumps({"keys": [self.plan.key_text(row)]}), 201, headers
        return shown[0], 201, headers

    def _create_many(self, data: bytes) -> Answer:
        plan, rows = self.plan, []
        for number, values in enumerate(body.many(plan, data)):
            with located("body", number):
                rows.append(writing.create(plan, values))
        if minimal(request.environ):
            return dumps({"keys": [plan.key_text(row) for row in rows]}), 201, [_applied(True)]
        items = [self._plain(self._key(row)) for row in rows]
        return dumps({"items": [item for item in items if item is not None]}), 201, []

    def _change(self, key: str, values: Callable[[Any], Any]) -> flask.Response:
        plan, environ = self.plan, request.environ
        acceptable(environ)

        def work() -> tuple[bytes, str] | None:
            row = self._found(key, "update")
            changed = values(row)
            with located("body"):
                writing.update(plan, row, changed)
            return self._shown(self._key(row))

        shown = self._guarded(work)
        preferred = minimal(environ)
        headers = [] if preferred is None else [_applied(preferred)]
        if shown is None or preferred:
            return answer(b"", 204, headers + ([("ETag", shown[1])] if shown else []))
        return answer(shown[0], 200, [("ETag", shown[1]), *headers])

    def _guarded(self, work: Callable[[], Any]) -> Any:
        """Run *work* in one transaction with the look at what If-Match names."""
        stated = "HTTP_IF_MATCH" in request.environ
        try:
            if stated and not self.plan.version:
                # Without a version nothing but being alone keeps others from in between.
                return db.retry(work, alone=True)()
            with db.transaction():
                return work()
        except Outdated:
            if stated:
                raise outdated() from None
            raise

    def _found(self, key: str, action: str) -> Any:
        """Return the row to change: seen, allowed, and still the one that If-Match names."""
        plan, environ = self.plan, request.environ
        clauses = self.resource.clauses()
        if clauses:
            self.shapes.whole.one_plain(plan.read_key(key), *clauses)
        row = writing.find(plan, key, action)
        version = getattr(row, plan.version) if plan.version else None
        if "HTTP_IF_MATCH" in environ:
            shown = None if plan.version else self._shown(self._key(row))
            if not matches(environ, shown[1] if shown else "", version):
                raise outdated()
        elif plan.version and current_app.config["RESOURCE_REQUIRE_IF_MATCH"]:
            raise RequestFault(
                428, "resources.if_match", "A change must say which version it was made from.",
                hint="Send the ETag of what was read as If-Match.",
            )  # fmt: skip
        return row

    def _shown(self, key: Any) -> tuple[bytes, str] | None:
        """Return the body and the tag of a row; None for one that who asks may not see."""
        row = self._plain(key)
        if row is None:
            return None
        data = dumps(row)
        return data, self._tag(data, row)

    def _plain(self, key: Any) -> Any:
        try:
            return self.shapes.whole.one_plain(key, moments="iso")
        except RequestFault:
            return None

    def _tag(self, data: bytes, row: Any) -> str:
        version = self.plan.version
        return tag_of(data, getattr(row, version, None) if version and row is not None else None)

    def _key(self, row: Any) -> Any:
        parts = tuple(getattr(row, name) for name in self.plan.key)
        return parts[0] if len(parts) == 1 else parts

    def _url(self, row: Any) -> str:
        return f"{request.script_root}/api{self.plan.path}/{self.plan.key_text(row)}"


def _environ() -> dict[str, Any]:
    # PERF: the context's own; the request would have to be made.
    found: dict[str, Any] = cv_request.get().environ  # type: ignore[attr-defined]  # ours
    return found


def _open(view: View) -> View:
    """Return *view* as one that anybody may call: the policy decides what it finds."""

    def call(**arguments: Any) -> Any:
        return view(**arguments)

    call.__name__ = getattr(view, "__name__", "options")
    call.__doc__ = view.__doc__
    call.__carboy_access__ = "public"  # type: ignore[attr-defined]  # read by auth/access.py
    return call


def _changing(view: View) -> View:
    """Return *view* with faults that tell a visitor to sign in, and where a value was."""

    @functools.wraps(view)
    def call(**arguments: Any) -> Any:
        acceptable(request.environ)
        with told_to_visitors(), located("body"):
            return view(**arguments)

    return call


def _options(methods: Sequence[str], key: str = "") -> flask.Response:
    """Say which methods there are."""
    headers = [("Allow", ", ".join(methods))]
    if "PATCH" in methods:
        headers.append(("Accept-Patch", ", ".join(PATCH_TYPES)))
    return answer(b"", 204, headers)


def _conditional(
    environ: dict[str, Any], data: bytes, tag: str, headers: list[tuple[str, str]]
) -> flask.Response:
    headers.append(("ETag", tag))
    if fresh(environ, tag):
        return answer(b"", 304, headers)
    return answer(data, 200, headers)


def _turned(page: Page, environ: dict[str, Any]) -> tuple[str | None, str | None]:
    """Return the addresses of the pages after and before this one."""
    if page.next is None and page.prev is None:
        return None, None
    path = environ.get("SCRIPT_NAME", "") + environ["PATH_INFO"]
    kept = ""
    text = environ["QUERY_STRING"]
    if text and "cursor=" not in text and PLAIN.fullmatch(text):
        kept = f"{text}&"  # PERF: as it came; decoded and encoded again it takes 40 us
    elif text:
        pairs = [(n, v) for n, v in request.args.items(multi=True) if n != "cursor" and v]
        kept = urlencode(pairs) + "&" if pairs else ""

    def url(cursor: str | None) -> str | None:
        return f"{path}?{kept}cursor={cursor}" if cursor else None

    return url(page.next), url(page.prev)


def _applied(minimal: bool) -> tuple[str, str]:
    return "Preference-Applied", f"return={'minimal' if minimal else 'representation'}"
