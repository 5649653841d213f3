"""Hand-written views in the document: those whose parameters are typed.

lane  ->  path, methods, Params of its binder, what it returns, its docstring
      ->  an operation for each method
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Iterator
from typing import Any

from carboy.engine.binder import understood
from carboy.engine.params import MISSING
from carboy.engine.signatures import undress
from carboy.resource.openapi.answers import problems
from carboy.resource.openapi.shapes import Schemas, of_type

__all__ = ["typed_paths"]

ARGUMENT = re.compile(r"<(?:([^<>:]+):)?([A-Za-z_][A-Za-z0-9_]*)>")
CONVERTERS = {
    "IntegerConverter": {"type": "integer", "minimum": 0},
    "FloatConverter": {"type": "number", "minimum": 0},
    "UUIDConverter": {"type": "string", "format": "uuid"},
}
UNSAID = frozenset({"HEAD", "OPTIONS"})
JSON, FORM, MULTIPART = (
    "application/json", "application/x-www-form-urlencoded", "multipart/form-data",
)  # fmt: skip


def typed_paths(app: Any, into: Schemas) -> dict[str, Any]:
    """Return the paths of the views that people wrote with types; schemas go *into*."""
    paths: dict[str, Any] = {}
    for lane in app.lanes:
        view = app.view_functions.get(lane.endpoint)
        if lane.bind is None or view is None or _is_ours(view):
            continue
        path = ARGUMENT.sub(r"{\2}", lane.pattern)
        for method in sorted(lane.methods - UNSAID):
            function, binder = _of_method(view, lane.bind, method)
            if binder is not None:
                made = _operation(lane, method, function, binder, into)
                paths.setdefault(path, {})[method.lower()] = made
    return paths


def _is_ours(view: Any) -> bool:
    """Tell whether a battery brought the view: pages, not an API."""
    module = str(getattr(undress(view).function, "__module__", ""))
    return module.startswith("carboy.") or hasattr(view, "__carboy_page__")


def _of_method(view: Any, binder: Any, method: str) -> tuple[Any, Any]:
    """Return the function that answers *method*, and what binds it."""
    cls = getattr(view, "view_class", None)
    methods = getattr(binder, "methods", None)
    if cls is None or methods is None:
        return undress(view).function, binder
    return getattr(cls, method.lower(), cls), methods.get(method)


def _operation(lane: Any, method: str, function: Any, binder: Any, into: Schemas) -> dict[str, Any]:
    first, _, rest = inspect.cleandoc(function.__doc__ or "").partition("\n\n")
    name = lane.endpoint.replace(".", "_")
    many = len(lane.methods - UNSAID) > 1
    parameters = [*_path(lane, binder), *_parameters(binder, into)]
    body = _body(binder, into)
    statuses = [404] if lane.rule.arguments else []
    statuses += [413, 415] if body else []
    made: dict[str, Any] = {
        "operationId": f"{method.lower()}_{name}" if many else name,
        "tags": [lane.blueprints[0].capitalize() if lane.blueprints else "Views"],
        "summary": first.replace("\n", " ") or name.replace("_", " ").capitalize(),
    }
    if rest:
        made["description"] = rest
    if parameters:
        made["parameters"] = parameters
    if body:
        made["requestBody"] = body
    shown = _returned(function, into)
    answer: dict[str, Any] = {"description": "The answer."}
    if shown is not None:
        answer["content"] = {JSON: {"schema": shown}}
    made["responses"] = {"200": answer} | problems(401, 403, 422, *statuses)
    return made


def _path(lane: Any, binder: Any) -> Iterator[dict[str, Any]]:
    stricter = {one.name: one for one in binder.params if one.source == "path"}
    for _, name in ARGUMENT.findall(lane.pattern):
        converter = lane.rule._converters.get(name)
        schema: Any = CONVERTERS.get(type(converter).__name__, {"type": "string", "minLength": 1})
        if name in stricter:
            schema = of_type(understood(stricter[name].annotation), {})
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _parameters(binder: Any, into: Schemas) -> Iterator[dict[str, Any]]:
    for one in binder.params:
        if one.source not in ("query", "header", "cookie"):
            continue
        if one.kind == "model":  # each of its fields is a parameter
            yield from _members(one, into)
            continue
        schema = of_type(understood(one.annotation), into)
        default = one.default if one.own_default is MISSING else one.own_default
        if default is not MISSING and isinstance(default, str | int | float | bool):
            schema = {**schema, "default": default}
        text = schema.pop("description", "")
        made = {"name": one.alias, "in": one.source, "schema": schema}
        yield (
            made
            | ({"required": True} if one.required else {})
            | ({"description": text} if text else {})
        )


def _members(one: Any, into: Schemas) -> Iterator[dict[str, Any]]:
    found = of_type(understood(one.annotation), into)
    found = into.get(str(found.get("$ref", "")).rpartition("/")[2], found)
    for name, schema in found.get("properties", {}).items():
        made = {"name": name, "in": one.source, "schema": schema}
        yield made | ({"required": True} if name in found.get("required", ()) else {})


def _body(binder: Any, into: Schemas) -> dict[str, Any] | None:
    bodies = [one for one in binder.params if one.source == "body"]
    forms = [one for one in binder.params if one.source in ("form", "file")]
    if bodies:
        one = bodies[0]
        schema = of_type(understood(one.annotation), into)
        kinds = (JSON,) if one.stated or one.kind != "model" else (JSON, FORM)
        return {"required": one.required, "content": {kind: {"schema": schema} for kind in kinds}}
    if not forms:
        return None
    members = {}
    for one in forms:
        file = {"type": "string", "format": "binary"}
        if one.source == "file":
            members[one.alias] = {"type": "array", "items": file} if one.kind == "files" else file
        elif one.kind == "model":
            whole = of_type(understood(one.annotation), into)
            return {"required": one.required, "content": {FORM: {"schema": whole}}}
        else:
            members[one.alias] = of_type(understood(one.annotation), into)
    needed = [one.alias for one in forms if one.required]
    schema = {"type": "object", "properties": members} | ({"required": needed} if needed else {})
    kind = MULTIPART if any(one.source == "file" for one in forms) else FORM
    return {"required": bool(needed), "content": {kind: {"schema": schema}}}


def _returned(function: Any, into: Schemas) -> Any:
    """Return the schema of what a view says it returns; None for what is not JSON."""
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except Exception:  # names that only a type checker knows: nothing is said
        return None
    found = hints.get("return", str)
    if found is Any:
        return {}
    if found in (str, bytes, type(None)) or typing.get_origin(found) is tuple:
        return None
    module = str(getattr(found, "__module__", ""))
    if module.startswith(("werkzeug", "flask", "carboy.engine")):
        return None
    return of_type(found, into, "serialization")
