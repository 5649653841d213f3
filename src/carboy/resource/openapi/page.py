"""The document as the reference page shows it: groups of operations, flat and in words.

document  ->  reference()  ->  what `api/reference.html` needs: no reference is left in it
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

__all__ = ["Line", "Operation", "example", "reference"]

TONES = {"get": "", "post": "good", "patch": "warn", "put": "warn", "delete": "bad"}
DEEP = 4  # steps into a schema that an example shows
SHOWN = 12  # parameters of a query before the rest is folded away

Schema = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """One parameter, or one member of a body. kind: of its input. known: values it may have."""

    name: str
    where: str
    type: str
    text: Markup
    required: bool
    kind: str
    options: tuple[str, ...]
    known: tuple[str, ...]


@dataclass(frozen=True)
class Operation:
    """One operation. path: with {names}. body: an example of JSON, "" without one."""

    id: str
    verb: str
    tone: str
    path: str
    summary: str
    text: Markup
    lines: tuple[Line, ...]
    more: tuple[Line, ...]
    members: tuple[Line, ...]
    answers: tuple[tuple[str, str, str], ...]
    body: str
    media: str
    example: str
    curl: str
    python: str


def reference(document: dict[str, Any]) -> dict[str, Any]:
    """Return what the template needs."""
    groups: dict[str, list[Operation]] = {}
    for path, item in document["paths"].items():
        shared = item.get("parameters", [])
        for verb, one in item.items():
            if verb in TONES:
                made = _operation(document, path, verb, one, shared)
                groups.setdefault(one["tags"][0], []).append(made)
    about = {tag["name"]: tag["description"] for tag in document["tags"]}
    return {
        "info": document["info"], "version": document["openapi"],
        "groups": [(name, about.get(name, ""), found) for name, found in groups.items()],
    }  # fmt: skip


def coded(text: str) -> Markup:
    """Return *text* with what stands between backticks as code."""
    parts = [
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part)
        for number, part in enumerate(text.split("`"))
    ]
    return Markup("").join(parts)


def _operation(document: Any, path: str, verb: str, one: Any, shared: Any) -> Operation:
    lines = [_line(document, item) for item in (*shared, *one.get("parameters", ()))]
    query = [line for line in lines if line.where == "query"]
    address = [line for line in lines if line.where == "path"]
    rest = [line for line in lines if line.where not in ("query", "path")]
    plain = [line for line in query if "." not in line.name]
    dotted = [line for line in query if "." in line.name]
    media, schema = _body(document, one)
    body = json.dumps(example(document, schema), indent=2, ensure_ascii=False) if media else ""
    good = next(code for code in one["responses"] if code.startswith("2"))
    shown = _content(document, one["responses"][good])
    answer = json.dumps(example(document, shown), indent=2, ensure_ascii=False) if shown else ""
    curl, python = _samples(path, verb, media, body)
    return Operation(
        id=one["operationId"], verb=verb.upper(), tone=TONES[verb], path=path,
        summary=one.get("summary", ""), text=coded(one.get("description", "")),
        lines=(*address, *plain[:SHOWN], *rest), more=(*plain[SHOWN:], *dotted),
        members=tuple(_members(document, schema)) if media else (),
        answers=tuple(_answers(document, one)), body=body, media=media, example=answer,
        curl=curl, python=python,
    )  # fmt: skip


def _line(document: Any, item: Schema) -> Line:
    item = _resolved(document, item)
    return _described(
        document, item["name"], item["in"], item["schema"], item.get("description", ""),
        bool(item.get("required")),
    )  # fmt: skip


def _described(
    document: Any, name: str, where: str, schema: Schema, text: str, required: bool
) -> Line:
    schema = _resolved(document, schema)
    inner = schema
    if "anyOf" in schema:
        inner = next((_resolved(document, s) for s in schema["anyOf"] if s != {"type": "null"}), {})
    kind, options = "text", tuple(str(one) for one in inner.get("enum", ()) if one is not None)
    among = _resolved(document, inner.get("items", {})).get("enum", ())
    kinds = inner.get("type", "")
    first = next((one for one in kinds if one != "null"), "") if isinstance(kinds, list) else kinds
    if options:
        kind = "select"
    elif first in ("integer", "number"):
        kind = "number"
    elif first == "boolean":
        kind, options = "select", ("true", "false")
    known = options or tuple(str(one) for one in among)
    return Line(name, where, _type(document, schema), coded(text), required, kind, options, known)


def _type(document: Any, schema: Schema) -> str:
    """Return a schema in a few words: "integer, 1 to 5"."""
    schema = _resolved(document, schema)
    if "anyOf" in schema:
        parts = [_type(document, one) for one in schema["anyOf"] if one != {"type": "null"}]
        return " or ".join(dict.fromkeys(parts))
    if "enum" in schema:
        return "one of these"
    kind = schema.get("type", "any")
    kind = "/".join(one for one in kind if one != "null") if isinstance(kind, list) else kind
    if kind == "array":
        inner = schema.get("items", {})
        if "enum" in _resolved(document, inner):
            return "some of these"
        return f"list of {_type(document, inner)}"
    said = [schema.get("format") if kind == "string" else None, *_bounds(schema)]
    return ", ".join(part for part in (kind, *said) if part)


def _bounds(schema: Schema) -> Iterator[str]:
    low, high = schema.get("minimum"), schema.get("maximum")
    if high is not None and abs(high) < 2**53 and low is not None:
        yield f"{low} to {high}"
    elif low is not None and abs(low) < 2**53:
        yield f"from {low}"
    if "maxLength" in schema:
        yield f"up to {schema['maxLength']} characters"


def _members(document: Any, schema: Schema) -> Iterator[Line]:
    schema = _resolved(document, schema)
    if "anyOf" in schema:
        schema = _resolved(document, schema["anyOf"][0])
    needed = schema.get("required", ())
    for name, one in schema.get("properties", {}).items():
        text = " ".join(p for p in (one.get("title", ""), one.get("description", "")) if p)
        yield _described(document, name, "body", one, text, name in needed)


def _answers(document: Any, one: Schema) -> Iterator[tuple[str, str, str]]:
    for status, found in one["responses"].items():
        tone = {"2": "good", "3": ""}.get(status[0], "bad")
        yield status, tone, _resolved(document, found)["description"]


def _body(document: Any, one: Schema) -> tuple[str, Schema]:
    content = one.get("requestBody", {}).get("content", {})
    for media, found in content.items():
        return media, found["schema"]
    return "", {}


def _content(document: Any, found: Schema) -> Schema:
    for kind in _resolved(document, found).get("content", {}).values():
        schema: Schema = kind["schema"]
        return schema
    return {}


def _samples(path: str, verb: str, media: str, body: str) -> tuple[str, str]:
    """Return the same request for curl and for Python."""
    flat = json.dumps(json.loads(body), ensure_ascii=False) if body else ""
    address = f"http://localhost:8000{path}"
    curl = f"curl -X {verb.upper()} '{address}'" if verb != "get" else f"curl '{address}'"
    python = f'requests.{verb}("{address}"'
    if media:
        curl += f" \\\n  -H 'Content-Type: {media}' \\\n  -d '{flat}'"
        values = repr(json.loads(body)) if body else "{}"
        python += f",\n    json={values}"
        python += f', headers={{"Content-Type": "{media}"}}' if "merge" in media else ""
    return curl, python + ")"


def _resolved(document: Any, schema: Schema) -> Schema:
    while "$ref" in schema:
        found = document
        for step in schema["$ref"][2:].split("/"):
            found = found[step]
        schema = found
    return schema


def example(document: Any, schema: Schema, deep: int = 0) -> Any:
    """Return a value that *schema* describes, for people to look at."""
    schema = _resolved(document, schema)
    for name in ("example", "default"):
        if name in schema:
            return schema[name]
    if "anyOf" in schema:
        return example(document, schema["anyOf"][0], deep)
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        members = schema.get("properties", {}) if deep < DEEP else {}
        return {
            name: example(document, one, deep + 1) for name, one in members.items()
            if not (deep > 0 and _leads_on(one))
        }  # fmt: skip
    if kind == "array":
        return [example(document, schema.get("items", {}), deep + 1)]
    return _sample(kind, schema)


def _leads_on(schema: Schema) -> bool:
    """Tell whether a member is another row, which only `include` shows."""
    return "$ref" in str(schema) and "Only with include=" in str(schema.get("description", ""))


def _sample(kind: str, schema: Schema) -> Any:
    if kind in ("integer", "number"):
        return max(schema.get("minimum", 1), 1) if schema.get("maximum", 1) >= 1 else 0
    if kind == "boolean":
        return True
    said = {"date-time": "2026-05-01T12:00:00Z", "date": "2026-05-01",
            "uuid": "7c9e6679-7425-40de-944b-e07fc1f90ae7"}  # fmt: skip
    return said.get(schema.get("format", ""), "string")
