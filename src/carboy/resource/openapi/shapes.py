"""Shapes: JSON Schema of rows as they are shown, and of bodies as they are taken.

    Plan  ->  shown()    Book: what a GET answers
          ->  taken()    NewBook, ChangedBook, ReplacedBook: what may be sent
    type  ->  of_type()  of a hand-written view

All schemas are named, and stand once in components/schemas.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter
from pydantic.errors import PydanticUserError

from carboy.data.typed_text import written
from carboy.data.types import BIG
from carboy.resource.schemas import python_type, schema

if TYPE_CHECKING:
    from carboy.data.fields import Field
    from carboy.resource.plan import Plan
    from carboy.resource.schemas import Purpose

__all__ = ["REF", "SEEN", "Schemas", "name_of", "of_type", "reference", "shown", "taken", "value"]

REF = "#/components/schemas/"
Schema = dict[str, Any]
Schemas = dict[str, Schema]

SEEN = (
    "^[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f"
    "\\u200b\\u2060\\ufeff\\u202a-\\u202e\\u2066-\\u2069]*$"
)
"""Text without characters that nobody sees; `schemas.UNSEEN` refuses them."""

TIME = r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?$"
FORMATS = {"datetime": "date-time", "date": "date", "uuid": "uuid", "bytes": "byte"}


def reference(name: str) -> Schema:
    """Return a reference to a named schema."""
    return {"$ref": f"{REF}{name}"}


def name_of(plan: Plan) -> str:
    """Return the name of the schema of a row."""
    return plan.model.__name__


def shown(plan: Plan, links: Mapping[str, Plan], many: Mapping[str, bool]) -> Schema:
    """Return the schema of a row; nothing is required, as `fields` may ask for less.

    links: the relations that may be included. many: which of them lead to several rows.
    """
    masked = {str(name) for name in getattr(getattr(plan.model, "policy", None), "fields", ())}
    all_fields = plan.model.facts().fields
    names = dict.fromkeys((*plan.key, *plan.fields))
    members = {name: _said(plan, all_fields[name], name in masked) for name in names}
    for name, target in links.items():
        one = reference(name_of(target))
        members[name] = (
            {"type": "array", "items": one} if many[name] else {"anyOf": [one, {"type": "null"}]}
        )
        members[name]["description"] = f"Only with include={name}, or fields={name}.…"
    text = (plan.model.__doc__ or "").strip()
    made: Schema = {"type": "object", "title": plan.singular.capitalize(), "properties": members}
    return made | ({"description": text} if text else {})


def value(plan: Plan, field: Field) -> Schema:
    """Return the schema of a value of *field* as it is shown, when it is not null."""
    if field.choices:
        return {"enum": _choices(field)}
    if field.kind == "reference":
        return _plain({int: "integer", str: "text"}.get(python_type(plan.model, field), "uuid"))
    return _plain(field.kind)


def taken(plan: Plan, purpose: Purpose, into: Schemas) -> Schema:
    """Return a reference to the schema of a body; it, and what it needs, goes *into*."""
    names = plan.create if purpose == "create" else plan.update
    made = schema(plan, purpose, names).model_json_schema(ref_template=REF + "{model}")
    into.update(made.pop("$defs", {}))
    fields = plan.model.facts().fields
    for name, one in made.get("properties", {}).items():
        if one.get("default", ...) is None:
            del one["default"]  # nothing is set by leaving it out
        made["properties"][name] = _exact(fields[name], one)
    verb = {"create": "New", "update": "Changed", "replace": "Replaced"}[purpose]
    name = f"{verb}{name_of(plan)}"
    made["title"] = f"{verb} {plan.singular}"
    into[name] = made
    return reference(name)


def of_type(annotation: Any, into: Schemas, mode: Any = "validation") -> Schema:
    """Return the schema of any type that pydantic understands; {} for others."""
    try:
        found = TypeAdapter(annotation).json_schema(ref_template=REF + "{model}", mode=mode)
    except (PydanticUserError, TypeError, NameError, AttributeError):
        return {}
    into.update(found.pop("$defs", {}))
    title = found.get("title", "")
    if found.get("type") == "object" and title.isidentifier():
        into[title] = found
        return reference(title)
    return found


def _said(plan: Plan, field: Field, masked: bool) -> Schema:
    """Return the schema of a member, with what people are told of it."""
    found = dict(value(plan, field))
    if field.optional or masked:
        if "enum" in found:
            found["enum"] = [*found["enum"], None]
        elif "type" in found:
            found["type"] = [found["type"], "null"]
    parts = (
        field.help,
        f"In {field.unit}." if field.unit else "",
        "Null for who may not see it." if masked else "",
    )
    text = " ".join(part for part in parts if part)
    label = field.label.removesuffix(" id") if field.kind == "reference" else field.label
    return found | {"title": label} | ({"description": text} if text else {})


def _plain(kind: str) -> Schema:
    if kind == "integer":
        return {"type": "integer", "format": "int64"}
    if kind in ("number", "boolean"):
        return {"type": kind}
    if kind == "json":
        return {}
    found: Schema = {"type": "string"}
    return found | ({"format": FORMATS[kind]} if kind in FORMATS else {})


def _choices(field: Field) -> list[Any]:
    python = field.python
    if isinstance(python, type) and issubclass(python, enum.Enum):
        texts = dict(zip(python, written(field), strict=True))
        return [one.value if isinstance(one, str | int | float) else texts[one] for one in python]
    return [one for one, _ in field.choices]


def _exact(field: Field, found: Schema) -> Schema:
    """Return pydantic's schema of a member as strict as our own rules are."""
    own: Schema | None = None
    if field.choices:
        pass
    elif field.kind == "text":
        pattern = f"^(?:{field.pattern})$" if field.pattern else SEEN
        own = {"type": "string", "pattern": pattern}
        own |= {n: v for n, v in (("maxLength", field.max_length), ("minLength", field.min_length))
                if v is not None}  # fmt: skip
    elif field.kind == "decimal":
        places, digits = field.places or 0, field.digits or 18
        most = max(digits - places, 1)
        part = rf"(\.[0-9]{{1,{places}}})?" if places else ""
        own = {"type": "string", "pattern": rf"^-?[0-9]{{1,{most}}}{part}$"}
        own = {"anyOf": [own, {"type": "number"}]}
    elif field.kind == "time":
        own = {"type": "string", "pattern": TIME}
    elif field.kind == "reference" and python_kind(found) == "integer":
        own = {"type": "integer", "minimum": -BIG, "maximum": BIG - 1}
    if own is None:
        return found
    kept = {name: found[name] for name in ("title", "description", "default") if name in found}
    if field.optional:
        own = {"anyOf": [*own.get("anyOf", [own]), {"type": "null"}]}
    return own | kept


def python_kind(found: Schema) -> str:
    """Return the one type of *found* beside null."""
    kinds = [one.get("type", "") for one in found.get("anyOf", [found])]
    return next((kind for kind in kinds if kind != "null"), "")
