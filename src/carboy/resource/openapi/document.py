"""The document: all of the public API, whoever asks; made once for each seal.

    resources           ->  list, create, get, update, replace, delete of each
    hand-written views  ->  whatever is typed, with its docstring
                        ->  OpenAPI 3.1

What the policy lets a person do is not in it: the answers say so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect

from carboy.resource.openapi.answers import COMPONENTS, PROBLEM, headed, problems
from carboy.resource.openapi.asked import HEADERS, LIMITS, key, of_list, of_row
from carboy.resource.openapi.shapes import Schemas, name_of, reference, shown, taken
from carboy.resource.openapi.views import typed_paths
from carboy.resource.rest_ask import Shapes
from carboy.resource.rest_body import MOST

if TYPE_CHECKING:
    from carboy.resource.declared import Resource

__all__ = ["document"]

JSON = "application/json"
MERGE = "application/merge-patch+json"
Operation = dict[str, Any]


def document(app: Any) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of *app*. Seals it."""
    app.seal()
    resources = [one for one in _declared(app) if one.api]
    into: Schemas = {"Problem": PROBLEM}
    paths: dict[str, Any] = {}
    names: set[str] = set()
    for resource in resources:
        paths |= _Paths(Shapes(resource.plan, resources), names).all(into)
    paths |= typed_paths(app, into)
    tags = [{"name": _tag(one), "description": _about(one)} for one in resources]
    return {
        "openapi": "3.1.0",
        "info": {"title": _title(app), "version": str(getattr(app, "version", "1"))},
        "paths": paths,
        "tags": tags,
        "security": [{}, {"session": []}],
        "components": {
            "schemas": dict(sorted(into.items())),
            "responses": COMPONENTS,
            "parameters": HEADERS,
            "securitySchemes": {
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": app.config["SESSION_COOKIE_NAME"],
                    "description": "The session of somebody who signed in.",
                }
            },
        },
    }


class _Paths:
    """The operations of one resource. names: those that are taken."""

    def __init__(self, shapes: Shapes, names: set[str]) -> None:
        self.shapes, self.plan, self.names = shapes, shapes.plan, names
        self.row = reference(name_of(self.plan))

    def all(self, into: Schemas) -> dict[str, Any]:
        """Return the paths; schemas go *into*."""
        plan = self.plan
        many = {name: bool(inspect(plan.model).relationships[name].uselist)
                for name in self.shapes.links}  # fmt: skip
        into[name_of(plan)] = shown(plan, self.shapes.links, many)
        create, update, replace = (taken(plan, "create", into), taken(plan, "update", into),
                                   taken(plan, "replace", into))  # fmt: skip
        path = f"/api{plan.path}"
        return {
            path: {"get": self._list(), "post": self._create(create)},
            f"{path}/{{key}}": {
                "parameters": [key(plan)],
                "get": self._get(),
                "patch": self._change("update", "Change", update, (MERGE, JSON)),
                "put": self._change("replace", "Replace", replace, (JSON,)),
                "delete": self._delete(),
            },
        }

    def _list(self) -> Operation:
        page = {
            "type": "object",
            "required": ["items", "next", "prev"],
            "properties": {
                "items": {"type": "array", "items": self.row},
                "next": {"type": ["string", "null"], "description": "The page after this one."},
                "prev": {"type": ["string", "null"], "description": "The page before this one."},
            },
        }
        headers = headed(ETag="The tag of this page.", Link="The pages after and before, RFC 8288.")
        return self._operation(
            "list", f"List {self.plan.plural}",
            f"{self.plan.size} at a time. Follow `next` until it is null. {LIMITS}",
            parameters=[*of_list(self.shapes), _header("IfNoneMatch")],
            responses={"200": _answer("A page.", page, headers)} | problems(304, 406, 422),
        )  # fmt: skip

    def _create(self, body: Any) -> Operation:
        items = {"type": "array", "items": body, "minItems": 1, "maxItems": MOST}
        made = {
            "type": "object",
            "properties": {
                "items": {"type": "array", "items": self.row},
                "keys": {"type": "array", "items": {"type": "string"},
                         "description": "Instead of items, with Prefer: return=minimal."},
            },
        }  # fmt: skip
        headers = headed(
            Location="Where the new row is.", ETag="Its tag.",
            **{"Idempotency-Replayed": "`true` when this was answered before.",
               "Preference-Applied": "What was preferred."},
        )  # fmt: skip
        return self._operation(
            "create", f"Add a {self.plan.singular}",
            f"Or up to {MOST} of them as an array: all are added, or none.",
            parameters=[_header("IdempotencyKey"), _header("Prefer")],
            requestBody=_body({"anyOf": [body, items]}, (JSON,)),
            responses={"201": _answer("Added.", {"anyOf": [self.row, made]}, headers)}
            | problems(401, 403, 404, 406, 409, 413, 415, 422),
        )  # fmt: skip

    def _get(self) -> Operation:
        return self._operation(
            "get", f"Get a {self.plan.singular}", "",
            parameters=[*of_row(self.shapes), _header("IfNoneMatch")],
            responses={"200": _answer("The row.", self.row, headed(ETag="Its tag."))}
            | problems(304, 404, 406),
        )  # fmt: skip

    def _change(self, name: str, verb: str, body: Any, kinds: tuple[str, ...]) -> Operation:
        text = ("What is sent is set, null empties; the rest stays (RFC 7396)."
                if name == "update" else "What is left out is as in a new one.")  # fmt: skip
        headers = headed(ETag="Its tag now.", **{"Preference-Applied": "What was preferred."})
        none = {"description": "Changed, and not shown.", "headers": headers}
        return self._operation(
            name, f"{verb} a {self.plan.singular}", text,
            parameters=[_header("IfMatch"), _header("Prefer")],
            requestBody=_body(body, kinds),
            responses={"200": _answer("The row as it is now.", self.row, headers), "204": none}
            | problems(401, 403, 404, 406, 409, 412, 413, 415, 422, 428),
        )  # fmt: skip

    def _delete(self) -> Operation:
        return self._operation(
            "delete", f"Delete a {self.plan.singular}", "",
            parameters=[_header("IfMatch")],
            responses={"204": {"description": "It is gone."}}
            | problems(401, 403, 404, 406, 409, 412, 422, 428),
        )  # fmt: skip

    def _operation(self, verb: str, summary: str, text: str, **more: Any) -> Operation:
        noun = self.plan.plural if verb == "list" else self.plan.singular
        name = f"{verb}_{noun}".replace(" ", "_")
        if name in self.names:
            name = f"{verb}_{self.plan.name}"
        self.names.add(name)
        said = {"description": text} if text else {}
        return {"operationId": name, "tags": [_tag(self.plan.resource)], "summary": summary,
                **said, **more}  # fmt: skip


def _declared(app: Any) -> Iterator[Resource]:
    battery = app.extensions.get("carboy.resources")
    yield from () if battery is None else battery.declared.values()


def _title(app: Any) -> str:
    return str(app.config.get("SITE_NAME") or app.name.replace("_", " ").capitalize())


def _tag(resource: Resource) -> str:
    return resource.plan.plural.capitalize()


def _about(resource: Resource) -> str:
    return (resource.model.__doc__ or "").strip().partition("\n\n")[0]


def _header(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/parameters/{name}"}


def _body(schema: Any, kinds: tuple[str, ...]) -> dict[str, Any]:
    return {"required": True, "content": {kind: {"schema": schema} for kind in kinds}}


def _answer(text: str, schema: Any, headers: Any) -> dict[str, Any]:
    return {"description": text, "headers": headers, "content": {JSON: {"schema": schema}}}
