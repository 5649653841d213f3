"""Fields: what is known of a column, said once.

    title: Mapped[str] = field(max_length=200, search=True)
        ->  Rules    what was said           (on the column, until the class is mapped)
        ->  Field    what is known           (Model.facts(): forms, API, admin, checks)
        ->  message  the one sentence for each rule, wherever it is broken

Every rule of a Field holds in the form, in the API, at flush and, except for
patterns, in the database too.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy.orm import MappedColumn, mapped_column

from carboy.base.errors import SetupError

__all__ = ["INFO", "UNSET", "Field", "Rules", "field", "message", "providers"]

INFO = "carboy.rules"  # the key of our Rules in a column's info


class _Unset(enum.Enum):
    UNSET = "unset"


UNSET: Any = _Unset.UNSET
"""Stands for a default that was not given; None is one."""

Api = Literal["shown", "hidden"]
Write = Literal["always", "create", "never"]

providers: dict[str, Callable[[], Any]] = {}
"""Named defaults, such as "current_user": who knows registers a function that tells."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What `field` was told; see there."""

    label: str = ""
    help: str = ""
    unit: str = ""
    widget: str = ""
    max_length: int | None = None
    min_length: int | None = None
    ge: Any = None
    le: Any = None
    pattern: str = ""
    choices: tuple[tuple[Any, str], ...] = ()
    digits: int | None = None
    places: int | None = None
    search: bool = False
    api: Api = "shown"
    write: Write = "always"
    unique: bool = False
    default: Any = UNSET
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Field(Rules):
    """One column as forms, APIs and checks see it.

    name: the attribute. column: in the table. python: its type. kind: a word of
    types.KINDS, "choice" for an Enum, "reference" for a foreign key of `belongs_to`.
    optional: may be None. target: for a reference, the name of the model.
    relation: for a reference, the attribute with the object itself.
    key: part of the primary key. automatic: filled without anybody's doing.
    """

    name: str
    column: str
    python: Any
    kind: str
    optional: bool
    target: str = ""
    relation: str = ""
    key: bool = False
    automatic: bool = False

    @property
    def required(self) -> bool:
        """Whether a new row must be given a value."""
        return not self.optional and not self.automatic and self.default is UNSET


def field(
    *,
    label: str = "",
    help: str = "",
    unit: str = "",
    widget: str = "",
    max_length: int | None = None,
    min_length: int | None = None,
    ge: Any = None,
    le: Any = None,
    pattern: str = "",
    choices: Iterable[Any] = (),
    digits: int | None = None,
    places: int | None = None,
    search: bool = False,
    api: Api = "shown",
    write: Write = "always",
    unique: bool = False,
    index: bool = False,
    key: bool = False,
    default: Any = UNSET,
    message: str = "",
    **more: Any,
) -> MappedColumn[Any]:
    """Declare a column with all that is known of it.

    label, help, unit, widget: for people; the label is the name by default.
    max_length, min_length: characters. ge, le: bounds, inclusive. pattern: a regular
    expression for the whole text. choices: values, or (value, label) pairs.
    digits, places: of a Decimal. search: found by full text search.
    api: "hidden" never leaves the application. write: "create" can be set once,
    "never" not from outside. unique, index, key: as in SQL.
    default: a value, or a function without arguments.
    message: what to say when the pattern does not match. more: for `mapped_column`.
    Optional or not is said by the annotation: `Mapped[int | None]`.
    Raises SetupError for rules that contradict themselves.
    """
    rules = Rules(
        label=label, help=help, unit=unit, widget=widget, max_length=max_length,
        min_length=min_length, ge=ge, le=le, pattern=pattern, choices=_pairs(choices),
        digits=digits, places=places, search=search, api=api, write=write, unique=unique,
        default=default, message=message,
    )  # fmt: skip
    _check(rules)
    if default is not UNSET:
        more["default"] = default
    if index:
        more["index"] = True  # unique is an own constraint, with a message: models.py
    return mapped_column(primary_key=key, info={INFO: rules, **more.pop("info", {})}, **more)


def message(rules: Field, rule: str) -> str:
    """Return the one sentence for a broken *rule* of a field.

    rule: required, type, min_length, max_length, ge, le, pattern, choice, unique,
    exists (the row referred to).
    """
    unit = f" {rules.unit}" if rules.unit else ""
    sentences = {
        "required": "is needed.",
        "type": f"must be {_an(rules)}.",
        "min_length": f"must have at least {_characters(rules.min_length)}.",
        "max_length": f"must have at most {_characters(rules.max_length)}.",
        "ge": f"must be at least {rules.ge}{unit}.",
        "le": f"must be at most {rules.le}{unit}.",
        "pattern": "does not have the right form.",
        "choice": f"must be one of {', '.join(label for _, label in rules.choices)}.",
        "unique": "is taken already.",
        "exists": "refers to something that does not exist.",
    }
    if rule == "pattern" and rules.message:
        return rules.message
    return f"{rules.label} {sentences[rule]}"


def _an(rules: Field) -> str:
    """Return what a value must be, after "must be"."""
    found = {dict: "an object of JSON", list: "a list of JSON"}.get(rules.python)
    return found or _AN.get(rules.kind, "another kind of value")


_AN = {
    "boolean": "true or false",
    "integer": "a whole number of 64 bits",
    "number": "a finite number",
    "text": "text without NUL characters",
    "datetime": "a moment with its time zone, as in 2026-05-01T12:00:00Z",
    "date": "a date, as in 2026-05-01",
    "time": "a time of day without zone, as in 12:30",
    "uuid": "a UUID",
    "bytes": "bytes",
    "json": "what JSON can hold",
    "file": "a stored file",
    "image": "a stored image",
    "decimal": "an exact number that fits its places",
    "reference": "the key of a row",
}


def _characters(count: int | None) -> str:
    return "1 character" if count == 1 else f"{count} characters"


def _pairs(choices: Iterable[Any]) -> tuple[tuple[Any, str], ...]:
    return tuple(
        choice if isinstance(choice, tuple) and len(choice) == 2 else (choice, str(choice))
        for choice in choices
    )


def _check(rules: Rules) -> None:
    wrong = ""
    if isinstance(rules.default, (list, dict, set)):
        name = type(rules.default).__name__
        wrong = f"default={rules.default!r} would be shared by all rows; write default={name}"
    elif rules.ge is not None and rules.le is not None and rules.ge > rules.le:
        wrong = f"ge={rules.ge!r} is more than le={rules.le!r}"
    elif (rules.min_length or 0) > (rules.max_length or rules.min_length or 0):
        wrong = f"min_length={rules.min_length} is more than max_length={rules.max_length}"
    elif rules.max_length is not None and rules.max_length < 1:
        wrong = f"max_length={rules.max_length} leaves no room"
    elif rules.digits is not None and not (rules.places or 0) <= rules.digits <= 18:
        wrong = f"digits={rules.digits} must be from places to 18, which every database keeps"
    elif rules.pattern and (why := _pattern_flaw(rules.pattern)):
        wrong = f"pattern={rules.pattern!r} is no regular expression: {why}"
    if wrong:
        raise SetupError("data.field", f"A field cannot be like this: {wrong}.")


def _pattern_flaw(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        return str(error)
    return ""
