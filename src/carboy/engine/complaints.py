"""Wrong input, told to the client: one entry per value, in plain words.

    pydantic's errors  ->  {"loc": ["query", "page"], "msg": "...", "type": "int_parsing"}

The input itself is never repeated (it may be a password, or long), nor anything
of the validation's inside. *type* is pydantic's stable code; *msg* is for people.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from carboy.base.errors import RequestFault

__all__ = ["complaint", "invalid", "json_refused", "of_pydantic", "type_refused"]

MAX_COMPLAINTS = 100  # entries in one answer; a list of a million wrong items is not repeated
MAX_NAME = 80  # characters of a name that the client chose

Complaint = dict[str, Any]

WORDS = {
    "missing": "This value is required.",
    "extra_forbidden": "This value is not known here.",
    "int_type": "Must be a whole number.",
    "int_parsing": "Must be a whole number.",
    "int_parsing_size": "Has too many digits.",
    "int_from_float": "Must be a whole number.",
    "float_type": "Must be a number.",
    "float_parsing": "Must be a number.",
    "finite_number": "Must be a finite number.",
    "decimal_type": "Must be a number.",
    "decimal_parsing": "Must be a number.",
    "bool_type": "Must be true or false.",
    "bool_parsing": "Must be true or false.",
    "string_type": "Must be text.",
    "string_unicode": "Must be text in valid Unicode.",
    "string_too_short": "Must have at least {min_length} characters.",
    "string_too_long": "Must have at most {max_length} characters.",
    "string_pattern_mismatch": "Does not have the required form.",
    "greater_than": "Must be greater than {gt}.",
    "greater_than_equal": "Must be at least {ge}.",
    "less_than": "Must be less than {lt}.",
    "less_than_equal": "Must be at most {le}.",
    "multiple_of": "Must be a multiple of {multiple_of}.",
    "date_type": "Must be a date such as 2024-12-31.",
    "date_parsing": "Must be a date such as 2024-12-31.",
    "date_from_datetime_parsing": "Must be a date such as 2024-12-31.",
    "date_from_datetime_inexact": "Must be a date such as 2024-12-31.",
    "datetime_type": "Must be a date and time such as 2024-12-31T23:59:00Z.",
    "datetime_parsing": "Must be a date and time such as 2024-12-31T23:59:00Z.",
    "datetime_from_date_parsing": "Must be a date and time such as 2024-12-31T23:59:00Z.",
    "time_type": "Must be a time such as 23:59:00.",
    "time_parsing": "Must be a time such as 23:59:00.",
    "uuid_type": "Must be a UUID.",
    "uuid_parsing": "Must be a UUID.",
    "enum": "Must be one of: {expected}.",
    "literal_error": "Must be one of: {expected}.",
    "union_tag_invalid": "Must be one of: {expected_tags}.",
    "union_tag_not_found": "The kind of value is not stated.",
    "list_type": "Must be a list.",
    "too_short": "Must have at least {min_length} items.",
    "too_long": "Must have at most {max_length} items.",
    "dict_type": "Must be an object.",
    "model_type": "Must be an object.",
    "dataclass_type": "Must be an object.",
    "model_attributes_type": "Must be an object.",
}

# Steps of pydantic's own inside a union, for example "function-after[check(), int]".
_INSIDE = re.compile(r"(function-|lax-or-strict|json-or-python|is-instance|chain|nullable)")


def complaint(loc: Iterable[Any], kind: str, msg: str = "") -> Complaint:
    """Return one entry. loc: source, name, then steps into the value."""
    return {"loc": [_step(item) for item in loc], "msg": msg or WORDS[kind], "type": kind}


def of_pydantic(error: Any, head: tuple[str, ...] = ()) -> list[Complaint]:
    """Return the entries for a pydantic ValidationError, each under *head*.

    error: typed Any, because this module does not import pydantic.
    """
    found = error.errors(include_url=False, include_input=False, include_context=True)
    return [
        complaint(
            (*head, *(x for x in one["loc"] if not _INSIDE.match(str(x)))), one["type"], _say(one)
        )
        for one in found[:MAX_COMPLAINTS]
    ]


def invalid(complaints: list[Complaint]) -> RequestFault:
    """Return the fault for wrong values: 422 with all of them."""
    count = len(complaints)
    says = (
        "One value in the request is wrong."
        if count == 1
        else f"{count} values in the request are wrong."
    )
    return RequestFault(422, "typed.invalid", says, errors=complaints[:MAX_COMPLAINTS])


def json_refused(why: str) -> RequestFault:
    """Return the fault for a body that is no JSON. why: position and kind, no input."""
    return RequestFault(400, "typed.json", f"The body is not valid JSON: {why}.")


def type_refused(accepted: tuple[str, ...]) -> RequestFault:
    """Return the fault for a body of another content type than the *accepted* ones."""
    names = " or ".join(accepted)
    return RequestFault(
        415,
        "typed.content_type",
        f"This address takes a body of type {names}.",
        hint=f"Send the header  Content-Type: {accepted[0]}",
        headers={"Accept": ", ".join(accepted)},  # RFC 9110 section 15.5.16
    )


def _step(item: Any) -> str | int:
    return item if isinstance(item, int) else str(item)[:MAX_NAME]


def _say(one: Any) -> str:
    if one["type"] == "value_error":  # an own validator's message, as its author wrote it
        return str(one["msg"]).removeprefix("Value error, ")
    words = WORDS.get(one["type"])
    return str(one["msg"]) if words is None else words.format_map(one.get("ctx") or {})
