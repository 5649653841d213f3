"""Schemas: one pydantic class per model and purpose, from the same fields as the table.

    Plan, names, purpose  ->  schema()        the class: JSON strictly, forms laxly
                          ->  form_spec()     the same as controls of a form
    ValidationError       ->  complaints()    all errors, in the sentences of `fields.message`

Unknown fields are refused: nobody sets what no schema names.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field as Given, create_model
from pydantic_core import PydanticCustomError
from sqlalchemy import inspect

from carboy.data.fields import UNSET, Field, message
from carboy.data.types import BIG
from carboy.data.validity import broken_rule

if TYPE_CHECKING:
    from pydantic import ValidationError

    from carboy.resource.plan import Plan

__all__ = ["Purpose", "changes", "complaints", "python_type", "schema"]

Purpose = Literal["create", "update", "replace"]

# SECURITY: CVE-2021-42574. What turns the direction of text around it, or takes no room, lets
# one text look like another; joiners (U+200C, U+200D) and marks are part of scripts and stay.
UNSEEN = re.compile(
    "[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u2060\ufeff\u202a-\u202e\u2066-\u2069]"
)


@lru_cache(maxsize=4096)
def schema(plan: Plan, purpose: Purpose, names: tuple[str, ...]) -> type[BaseModel]:
    """Return the class for the body of one request.

    create: what is required must be there. update: anything may be left out (PATCH, a
    form of some fields). replace: as create, and what is left out is reset (PUT).
    names: the fields it has; those who asks may set.
    """
    fields = plan.model.facts().fields
    members: dict[str, Any] = {
        name: (_annotation(plan.model, fields[name]), _given(fields[name], purpose))
        for name in names
    }
    verb = {"create": "New", "update": "Changed", "replace": "Replaced"}[purpose]
    made: type[BaseModel] = create_model(
        f"{verb}{plan.model.__name__}",
        __config__=ConfigDict(extra="forbid", hide_input_in_errors=True, title=""),
        __module__=plan.model.__module__,
        **members,
    )
    return made


def complaints(
    plan: Plan, error: ValidationError, where: Sequence[Any] = ()
) -> list[dict[str, Any]]:
    """Return every error as {"loc", "msg", "type"}, in the sentences of the model."""
    fields = plan.model.facts().fields
    found = []
    for one in error.errors(include_input=False, include_url=False, include_context=False):
        name = str(one["loc"][0]) if one["loc"] else ""
        field = fields.get(name)
        rule = RULES.get(one["type"], "type")
        if one["type"] == "extra_forbidden":
            text, rule = f"There is no field {name[:80]!r} here.", "unknown"
        elif field is not None and one["type"] == "unseen":
            text, rule = f"{field.label} holds characters that nobody sees.", "unseen"
        elif field is None:
            text = "A JSON object is expected." if not name else one["msg"]
        else:
            rule = one["type"] if one["type"] in SAID else rule
            text = message(field, rule)
        found.append({"loc": [*where, *one["loc"][:1]], "msg": text, "type": rule})
    return found


SAID = frozenset({"required", "type", "min_length", "max_length", "ge", "le", "pattern", "choice"})
RULES = {
    "missing": "required", "string_too_long": "max_length", "string_too_short": "min_length",
    "greater_than_equal": "ge", "less_than_equal": "le", "enum": "choice",
    "literal_error": "choice",
}  # fmt: skip
"""pydantic's types of errors to the rules of `fields.message`; all others are "type"."""


def python_type(model: Any, field: Field) -> Any:
    """Return the type that a value of *field* has in Python."""
    if field.kind == "reference":
        target = inspect(model).relationships[field.relation].mapper.class_
        return next((one.python for one in target.facts().fields.values() if one.key), int)
    known: dict[str, Any] = {
        "text": str, "integer": int, "number": float, "decimal": Decimal, "boolean": bool,
        "datetime": dt.datetime, "date": dt.date, "time": dt.time, "uuid": UUID,
    }  # fmt: skip
    if field.kind == "json":
        return {dict: dict[str, Any], list: list[Any]}.get(field.python, Any)
    return known.get(field.kind, field.python)


def _annotation(model: Any, field: Field) -> Any:
    """Return the type with its bounds, as pydantic and OpenAPI understand them."""
    bounds: dict[str, Any] = {"description": _described(field), "title": _title(field)}
    if field.kind == "text":
        bounds |= {"max_length": field.max_length, "min_length": _least(field)}
        if field.pattern:
            bounds["json_schema_extra"] = {"pattern": f"^(?:{field.pattern})$"}
    if field.kind == "integer":
        low = -BIG if field.ge is None else max(field.ge, -BIG)
        bounds |= {"ge": low, "le": BIG - 1 if field.le is None else field.le}
    elif field.kind in ("number", "decimal", "date", "datetime"):
        bounds |= {"ge": field.ge, "le": field.le}
    if field.kind == "number":
        bounds["allow_inf_nan"] = False
    if field.kind == "decimal":
        bounds |= {"max_digits": field.digits, "decimal_places": field.places}
    python: Any = python_type(model, field)
    if field.choices and field.kind != "choice":
        python = Literal[tuple(value for value, _ in field.choices)]
    kept = {name: value for name, value in bounds.items() if value not in (None, "")}
    annotated: Any = Annotated[python, Given(**kept), AfterValidator(_holder(field))]
    return annotated | None if field.optional else annotated


def _holder(field: Field) -> Any:
    """Return a validator that holds a value to every rule, as the flush will."""

    def hold(value: Any) -> Any:
        rule = broken_rule(field, value)
        if not rule and isinstance(value, str) and not value.isalnum() and UNSEEN.search(value):
            rule = "unseen"
        if rule:
            raise PydanticCustomError(rule, "refused")  # the text is ours: `complaints`
        return value

    return hold


def _given(field: Field, purpose: Purpose) -> Any:
    """Return the default of a member: none for what must be sent."""
    if purpose != "update" and field.required and field.default is UNSET:
        return ...
    if field.default is not UNSET and not callable(field.default) and field.kind != "reference":
        return field.default if purpose != "update" else None
    return None


def _least(field: Field) -> int | None:
    return field.min_length


def _title(field: Field) -> str:
    return field.label.removesuffix(" id") if field.kind == "reference" else field.label


def _described(field: Field) -> str:
    return " ".join(
        part for part in (field.help, f"In {field.unit}." if field.unit else "") if part
    )


def changes(made: BaseModel, names: Iterable[str]) -> Mapping[str, Any]:
    """Return what was sent, by field; defaults that nobody sent are the model's to fill."""
    sent = made.model_fields_set
    return {name: getattr(made, name) for name in names if name in sent}
