"""Bodies: JSON, strictly, into values by field; all errors at once, each with its name.

    one(plan, "create", data)     {"title": "Emma"}        values
    many(plan, data)              [{...}, {...}]           values of each, errors with index
    patch(plan, data, row)        a merge patch, RFC 7396  what changes

A name that who asks may not set is refused like one that does not exist, but for what is
shown: that is told to be read-only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from pydantic import BaseModel, ValidationError

from carboy.base.errors import RequestFault
from carboy.data.fields import UNSET, message
from carboy.engine.seam import cv_app
from carboy.resource.choices import choices_of
from carboy.resource.may import settable
from carboy.resource.schemas import changes, complaints, schema

if TYPE_CHECKING:
    from carboy.resource.plan import Plan
    from carboy.resource.schemas import Purpose

__all__ = ["MOST", "is_many", "many", "merged", "one", "patch", "replacement"]

MOST = 1_000  # rows created by one request
MOMENTS = frozenset({"datetime", "date", "time"})
TOLD = 100  # errors of one answer

Values = Mapping[str, Any]


def one(plan: Plan, data: bytes) -> Values:
    """Return the values of a new row. Raises RequestFault 422 with every error."""
    names = settable(plan.model, plan.create)
    return _seen(plan, changes(_validated(plan, "create", names, _guarded(data)), names))


def is_many(data: bytes) -> bool:
    """Tell whether the body is an array."""
    return data.lstrip()[:1] == b"["


def many(plan: Plan, data: bytes) -> list[Values]:
    """Return the values of new rows. Raises RequestFault 413 for more than MOST."""
    names = settable(plan.model, plan.create)
    items = _items(_guarded(data))
    found: list[Values] = []
    wrong: list[dict[str, Any]] = []
    for number, item in enumerate(items):
        try:
            sent = changes(_validated(plan, "create", names, item, number), names)
            found.append(_seen(plan, sent, number))
        except Invalid as error:
            wrong += map(dict, error.errors)
    if wrong:
        raise Invalid(wrong)
    return found


def patch(plan: Plan, data: bytes, row: Any) -> Values:
    """Return what a merge patch changes of *row*."""
    names = settable(plan.model, plan.update)
    sent = changes(_validated(plan, "update", names, _guarded(data)), names)
    found = dict(_seen(plan, sent))
    for name, value in found.items():
        if isinstance(value, dict) and plan.model.facts().fields[name].kind == "json":
            found[name] = merged(getattr(row, name), value)
    return found


def replacement(plan: Plan, data: bytes) -> Values:
    """Return all values of a row that is replaced; what is left out is as in a new one."""
    names = settable(plan.model, plan.update)
    sent = changes(_validated(plan, "replace", names, _guarded(data)), names)
    found = dict(_seen(plan, sent))
    fields = plan.model.facts().fields
    for name in names:
        if name not in found:
            default = fields[name].default
            default = None if default is UNSET else default
            found[name] = default() if callable(default) else default
    return found


def merged(target: Any, change: Any) -> Any:
    """Return *target* with a merge patch in it. SPEC: RFC 7396 section 2.

    >>> merged({"a": 1, "b": {"c": 2}}, {"a": None, "b": {"d": 3}})
    {'b': {'c': 2, 'd': 3}}
    """
    if not isinstance(change, dict):
        return change
    found = dict(target) if isinstance(target, dict) else {}
    for name, value in change.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = merged(found.get(name), value)
    return found


class Invalid(RequestFault):
    """Wrong values in a body: 422, with every one of them."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        count = len(errors)
        said = "One value is wrong." if count == 1 else f"{count} values are wrong."
        super().__init__(422, "resources.invalid", said, errors=errors[:TOLD])


def _guarded(data: bytes) -> bytes:
    """Return the body. Raises RequestFault 400 for JSON that is none, too deep, ambiguous."""
    if not data.strip():
        raise _no_json("it is empty")
    for guard in getattr(cv_app.get().app, "json_guards", ()):
        guard(data)
    return data


def _items(data: bytes) -> list[bytes]:
    try:
        items = msgspec.json.decode(data, type=list[msgspec.Raw])
    except (msgspec.DecodeError, RecursionError) as error:
        raise _no_json(str(error)) from None
    if len(items) > MOST:
        raise RequestFault(
            413, "resources.many", f"One request creates at most {MOST} rows.",
            hint="Send them in several requests.",
        )  # fmt: skip
    if not items:
        raise Invalid([{"loc": ["body"], "msg": "There is nothing in it.", "type": "required"}])
    return [bytes(item) for item in items]


def _validated(
    plan: Plan, purpose: Purpose, names: tuple[str, ...], data: bytes, number: int | None = None
) -> BaseModel:
    where = ("body",) if number is None else ("body", number)
    try:
        made = schema(plan, purpose, names).model_validate_json(data, strict=True)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=True)[0]
        if first["type"] == "json_invalid":
            raise _no_json(str(first.get("ctx", {}).get("error", ""))) from None
        raise Invalid(_named(plan, complaints(plan, error, where), len(where))) from None
    _no_seconds(plan, names, data, where)
    return made


def _no_seconds(plan: Plan, names: tuple[str, ...], data: bytes, where: tuple[Any, ...]) -> None:
    """Refuse "5" for a moment: pydantic reads it as seconds since 1970."""
    fields = plan.model.facts().fields
    moments = [name for name in names if fields[name].kind in MOMENTS]
    if not moments:
        return
    sent = msgspec.json.decode(data)
    wrong = [
        {"loc": [*where, name], "msg": message(fields[name], "type"), "type": "type"}
        for name in moments
        if isinstance(sent.get(name), str) and not {"-", ":"} & {*sent[name][1:]}
    ]
    if wrong:
        raise Invalid(wrong)


def _seen(plan: Plan, values: Values, number: int | None = None) -> Values:
    """Return *values*. Raises Invalid for references to what is absent, or hidden: either."""
    wrong = []
    for name, value in values.items():
        field = plan.fields.get(name)
        if field is not None and field.kind == "reference" and value is not None:
            target: Any = plan.model.__mapper__.relationships[field.relation].mapper.class_
            if choices_of(target).label(value) is None:
                loc = ["body", name] if number is None else ["body", number, name]
                wrong.append({"loc": loc, "msg": message(field, "exists"), "type": "exists"})
    if wrong:
        raise Invalid(wrong)
    return values


def _named(plan: Plan, errors: list[dict[str, Any]], at: int) -> list[dict[str, Any]]:
    """Return *errors* where what is shown and cannot be set is told to be so."""
    for one in errors:
        field = plan.fields.get(str(one["loc"][at])) if len(one["loc"]) > at else None
        if one["type"] == "unknown":
            one["loc"][at] = str(one["loc"][at])[:80]
            if field is not None:
                one["type"], one["msg"] = "read_only", f"{field.label} cannot be set here."
    return errors


def _no_json(why: str) -> RequestFault:
    return RequestFault(
        400, "resources.json", f"The body is not valid JSON: {why}.",
        errors=[{"loc": ["body"], "msg": "This is no JSON.", "type": "json"}],
    )  # fmt: skip
