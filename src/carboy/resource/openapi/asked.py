"""Parameters: what a list, a row or a change may be asked, one by one.

filters, sorts, search, fields, include, size, cursor     of the query
If-Match, If-None-Match, Prefer, Idempotency-Key          of the head
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from carboy.data.filters import MOST
from carboy.data.fulltext.words import LONGEST
from carboy.data.typed_text import written
from carboy.data.types import BIG
from carboy.resource.openapi.shapes import TIME
from carboy.resource.rest_ask import MAX_SIZE

if TYPE_CHECKING:
    from carboy.data.fields import Field
    from carboy.data.filters import Target
    from carboy.resource.rest_ask import Shapes

__all__ = ["HEADERS", "key", "of_list", "of_row", "parameter"]

Parameter = dict[str, Any]

MEANINGS = {
    "eq": "Equal to this.", "ne": "Other than this; what is empty is other, too.",
    "in": "One of these.", "lt": "Less than this.", "le": "At most this.",
    "gt": "More than this.", "ge": "At least this.", "between": "From one to the other.",
    "contains": "With this in it.", "startswith": "Beginning with this.",
    "null": "Empty, or not.",
}  # fmt: skip
"""Each operator of a filter, in words."""

NO_NUL = "^[^\\u0000]*$"
NO_COMMA = '^[^",\\u0000-\\u001f\\u007f-\\u009f]+$'  # values of a list, which commas separate


def parameter(name: str, where: str, schema: Any, text: str = "", **more: Any) -> Parameter:
    """Return one parameter."""
    made: Parameter = {"name": name, "in": where, "schema": schema}
    return made | ({"description": text} if text else {}) | more


def of_list(shapes: Shapes) -> list[Parameter]:
    """Return what a list may be asked."""
    plan, found = shapes.plan, []
    if plan.searched:
        found.append(parameter("q", "query", {"type": "string", "maxLength": LONGEST},
                               f"Words in {', '.join(plan.searched)}."))  # fmt: skip
    for target in plan.filters.targets.values():
        found += _filters(target)
    names = [sign + name for name in plan.sorts.names for sign in ("", "-")]
    if names:
        found.append(_names("sort", names, "What comes first; - for the last ones first.", 4))
    found += of_row(shapes)
    size = {"type": "integer", "minimum": 1, "maximum": MAX_SIZE, "default": plan.size}
    found.append(parameter("size", "query", size, "Rows of a page."))
    found.append(parameter("cursor", "query", {"type": "string"},
                           "Where a page begins, as `next` and `prev` give it."))  # fmt: skip
    return found


def of_row(shapes: Shapes) -> list[Parameter]:
    """Return what may be asked of a row: less of it, or what it refers to."""
    own = list(shapes.own)
    nested = [f"{link}.{name}" for link in shapes.links for name in shapes._members(link)]
    found = [_names("fields", own + nested, "Only these, also of what it refers to.")]
    if shapes.links:
        found.append(_names("include", list(shapes.links), "With these rows in it, whole."))
    return found


def key(plan: Any) -> Parameter:
    """Return the part of the address that names a row."""
    fields = plan.model.facts().fields
    kind = fields[plan.key[0]].kind if len(plan.key) == 1 else "text"
    schema: Any = {"type": "string", "minLength": 1}
    if kind == "integer":
        schema = {"type": "integer", "format": "int64"}
    elif kind == "uuid":
        schema = {"type": "string", "format": "uuid"}
    return parameter("key", "path", schema, f"The key of the {plan.singular}.", required=True)


HEADERS = {
    "IfNoneMatch": parameter("If-None-Match", "header", {"type": "string"},
                             "An ETag; 304 if that is still what would be answered."),
    "IfMatch": parameter("If-Match", "header", {"type": "string"},
                         "The ETag of what the change was made from; 412 if it changed since."),
    "Prefer": parameter("Prefer", "header",
                        {"type": "string", "examples": ["return=minimal"]},
                        "return=minimal or return=representation: whether the answer shows it."),
    "IdempotencyKey": parameter("Idempotency-Key", "header",
                                {"type": "string", "minLength": 1, "maxLength": 255,
                                 "pattern": "^[ -~]+$"},
                                "The same request sent again with it has no second effect."),
}  # fmt: skip
"""Parameters in components/parameters."""


def _filters(target: Target) -> Iterator[Parameter]:
    for operator in target.operators:
        name = target.name if operator == "eq" else f"{target.name}.{operator}"
        schema, more = _compared(target.field, operator), {}
        if operator in ("in", "between"):
            if schema.get("type") == "string" and "format" not in schema and "enum" not in schema:
                schema = {"type": "string", "pattern": NO_COMMA, "maxLength": 100}
            schema = {"type": "array", "items": schema, "minItems": 1, "maxItems": 50}
            if operator == "between":
                schema |= {"minItems": 2, "maxItems": 2}
            more = {"style": "form", "explode": False}
        yield parameter(name, "query", schema, MEANINGS[operator], **more)


def _compared(field: Field, operator: str) -> Any:
    if operator == "null":
        return {"type": "boolean"}
    if field.kind == "choice" or (field.choices and operator in ("eq", "ne", "in")):
        return {"type": "string", "enum": written(field)}
    kind = field.kind
    bounds = {}
    if operator in ("eq", "ne", "in") or operator not in ("contains", "startswith"):
        bounds = {n: v for n, v in (("minimum", field.ge), ("maximum", field.le))
                  if isinstance(v, int | float)}  # fmt: skip
    if kind == "integer":
        return {"type": "integer", "minimum": -BIG, "maximum": BIG - 1} | bounds
    if kind == "number":
        return {"type": "number"} | bounds
    if kind == "decimal":
        places, most = field.places or 0, max((field.digits or 18) - (field.places or 0), 1)
        part = rf"(\.[0-9]{{1,{places}}})?" if places else ""
        return {"type": "string", "pattern": rf"^-?[0-9]{{1,{most}}}{part}$"}
    if kind == "boolean":
        return {"type": "boolean"}
    if kind == "time":
        return {"type": "string", "pattern": TIME}
    formats = {"datetime": "date-time", "date": "date", "uuid": "uuid"}
    if kind in formats:
        return {"type": "string", "format": formats[kind]}
    most = min(field.max_length or 1_000, 1_000)
    pattern = f"^(?:{field.pattern})$" if field.pattern and operator in ("eq", "ne") else NO_NUL
    return {"type": "string", "maxLength": most, "pattern": pattern}


def _names(name: str, known: Sequence[str], text: str, most: int = 100) -> Parameter:
    schema = {"type": "array", "uniqueItems": True, "minItems": 1, "maxItems": most,
              "items": {"type": "string", "enum": list(known)}}  # fmt: skip
    return parameter(name, "query", schema, text, style="form", explode=False)


LIMITS = f"At most {MOST} filters at once."
