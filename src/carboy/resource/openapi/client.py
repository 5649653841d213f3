"""A typed Python client, written from the document: one module, standard library only.

    document  ->  source()  ->  types (TypedDict)  +  class Client  +  what every client has

A method for each operation, arguments after its parameters and body, an iterator over all
pages of a list, problems as exceptions, an Idempotency-Key with each POST.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from carboy.resource.openapi.page import _resolved

__all__ = ["source"]

Schema = dict[str, Any]

FRAME = Path(__file__).parent / "static" / "client_frame.py.txt"
VERBS = ("get", "post", "put", "patch", "delete")
PLAIN = {"integer": "int", "number": "float", "boolean": "bool", "string": "str", "null": "None"}


def source(document: dict[str, Any]) -> str:
    """Return the source of the client's module."""
    frame = FRAME.read_text()
    types = "\n\n".join(_types(document))
    methods = "\n".join(_methods(document))
    said = document["info"]
    return (
        frame.replace("@TITLE@", f"{said['title']} {said['version']}".replace('"', "'"))
        .replace("# @TYPES@\n", types + "\n")
        .replace("    # @METHODS@\n", methods)
    )


# Types


def _types(document: Any) -> Iterator[str]:
    for name, schema in document["components"]["schemas"].items():
        if schema.get("type") == "object" and schema.get("properties") and name != "Problem":
            yield _typed_dict(document, name, schema)
        elif "enum" in schema:
            yield f"{name} = {_literal(schema['enum'])}\n"


def _typed_dict(document: Any, name: str, schema: Schema) -> str:
    needed = set(schema.get("required", ()))
    lines = [f"{name} = TypedDict(", f'    "{name}",', "    {"]
    for member, one in schema["properties"].items():
        kind = _type(document, one)
        kind = f'"{kind}"' if member in needed else f'"NotRequired[{kind}]"'
        lines.append(f'        "{member}": {kind},')
    text = _sentence(schema)
    return "\n".join([*lines, "    },", ")", f'"""{text}"""' if text else ""]) + "\n"


def _type(document: Any, schema: Schema) -> str:
    """Return the annotation for a value of *schema*."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        found = _resolved(document, schema)
        return name if found.get("properties") or "enum" in found else _type(document, found)
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_type(document, one) for one in schema["anyOf"]))
    if "enum" in schema:
        return _literal(schema["enum"])
    kind = schema.get("type", "")
    if isinstance(kind, list):
        return " | ".join(_type(document, {**schema, "type": one}) for one in kind)
    if kind == "array":
        return f"list[{_type(document, schema.get('items', {}))}]"
    if kind == "object":
        return "dict[str, Any]"
    return PLAIN.get(kind, "Any")


def _literal(values: list[Any]) -> str:
    some = ", ".join(repr(one) for one in values if one is not None)
    found = f"Literal[{some}]".replace('"', "'")
    return f"{found} | None" if None in values else found


def _sentence(schema: Schema) -> str:
    text = str(schema.get("description", "")).split("\n\n")[0]
    return " ".join(text.replace("\\", "").replace('"', "'").split())


# Methods


def _methods(document: Any) -> Iterator[str]:
    for path, item in document["paths"].items():
        shared = [_resolved(document, one) for one in item.get("parameters", ())]
        for verb in VERBS:
            if verb in item:
                yield from _operation(document, path, verb, item[verb], shared)


def _operation(document: Any, path: str, verb: str, one: Any, shared: list[Any]) -> Iterator[str]:
    params = shared + [_resolved(document, item) for item in one.get("parameters", ())]
    name = _name(one["operationId"])
    body, media, bulk = _body(document, one)
    returned, kind = _answer(document, one)
    bulk_type = f"list[{bulk}]" if bulk else ""
    yield _method(document, name, path, verb, one, params, body, media, returned)
    if bulk:
        said = {**one, "summary": f"{one['summary']}: all of them, or none"}
        items = f"{{items}}list[{kind}]"
        yield _method(document, f"{name}_many", path, verb, said, params, bulk_type, media, items)
    if verb == "get" and "next" in _page(document, one):
        item = _type(document, _page(document, one)["items"]["items"])
        yield _pages(document, name, path, one, params, item)


def _method(
    document: Any, name: str, path: str, verb: str, one: Any, params: list[Any],
    body: str, media: str, returned: str,
) -> str:  # fmt: skip
    args = _arguments(document, params, body)
    items = returned.startswith("{items}")
    returned = returned.removeprefix("{items}")
    call = f'self._call("{verb.upper()}", {_url(path)}'
    call += f", query={_given(params, 'query')}, headers={_given(params, 'header')}"
    if body:
        call += f', body=body, media="{media}"'
    call += ")"
    call = f'{call}["items"]' if items else call
    if returned == "None":
        result = f"        {call}"
    else:
        result = f'        return cast("{returned}", {call})'
    return (
        f"    def {name}({args}) -> {_quoted(returned)}:\n"
        f'        """{_sentence({"description": one.get("summary", "")})}."""\n{result}\n'
    )


def _pages(document: Any, name: str, path: str, one: Any, params: list[Any], item: str) -> str:
    kept = [p for p in params if p["name"] != "cursor" and p["in"] == "query"]
    args = _arguments(document, kept, "")
    summary = _sentence({"description": one.get("summary", "")})
    return (
        f"    def all_{name.removeprefix('list_')}({args}) -> Iterator[{item}]:\n"
        f'        """{summary}: all of them, page after page."""\n'
        f"        yield from self._all({_url(path)}, {_given(kept, 'query')})\n"
    )


def _arguments(document: Any, params: list[Any], body: str) -> str:
    """Return the parameters of a method: the address and the body, then names alone."""
    first = [p for p in params if p["in"] == "path"]
    rest = [p for p in params if p["in"] in ("query", "header")]
    made = [f"{_name(p['name'])}: {_type(document, p['schema'])}" for p in first]
    made += [f"body: {body}"] if body else []
    needed = [p for p in rest if p.get("required")]
    free = [p for p in rest if not p.get("required")]
    made += ["*"] if rest else []
    made += [f"{_name(p['name'])}: {_type(document, p['schema'])}" for p in needed]
    made += [f"{_name(p['name'])}: {_type(document, p['schema'])} | None = None" for p in free]
    return "".join(f"\n        {one}," for one in ("self", *made)) + "\n    "


def _given(params: list[Any], where: str) -> str:
    pairs = (f'"{p["name"]}": {_name(p["name"])}' for p in params if p["in"] == where)
    return "{" + ", ".join(pairs) + "}"


def _url(path: str) -> str:
    made = re.sub(r"\{(\w+)\}", lambda found: f"{{_quoted({_name(found[1])})}}", path)
    return f'f"{made}"' if "{" in path else f'"{path}"'


def _body(document: Any, one: Any) -> tuple[str, str, str]:
    """Return (type, media type, type of each of many) of what is sent."""
    content = one.get("requestBody", {}).get("content", {})
    for media, found in content.items():
        if not media.endswith("json"):
            continue
        schema = found["schema"]
        parts = schema.get("anyOf", [])
        if len(parts) == 2 and parts[1].get("type") == "array":
            single = _type(document, parts[0])
            return single, media, single
        return _type(document, schema), media, ""
    return "", "", ""


def _answer(document: Any, one: Any) -> tuple[str, str]:
    """Return the type of the answer, and of each row in one to many."""
    for status, found in one["responses"].items():
        if not status.startswith("2"):
            continue
        for answer in _resolved(document, found).get("content", {}).values():
            schema = answer["schema"]
            if "anyOf" in schema:
                single = _type(document, schema["anyOf"][0])
                return single, single
            page = _page(document, one)
            if "next" in page:
                return f"Page[{_type(document, page['items']['items'])}]", ""
            return _type(document, schema), ""
    return "None", ""


def _page(document: Any, one: Any) -> Schema:
    for found in _resolved(document, one["responses"].get("200", {})).get("content", {}).values():
        members = _resolved(document, found["schema"]).get("properties", {})
        return members if "items" in members and "next" in members else {}
    return {}


def _name(text: str) -> str:
    made = re.sub(r"\W", "_", text).lower()
    return f"{made}_" if keyword.iskeyword(made) or made in ("self", "body") else made


def _quoted(kind: str) -> str:
    return f'"{kind}"' if "[" in kind and not kind.startswith(("Page", "list", "dict")) else kind
