"""Cells: what a value of a row looks like on a page, and in a file.

    shower(column)   a function, made once:   row  ->  Markup for a page
    plain(column)    likewise:                row  ->  text for CSV

Formats (dates, numbers, money) are those of the language of the request.
"""

from __future__ import annotations

import datetime as dt
import enum
import json
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from flask import current_app, url_for
from markupsafe import Markup, escape

if TYPE_CHECKING:
    from carboy.resource.plan import Column

__all__ = ["plain", "shower", "value_of"]

NOTHING = Markup('<span class="muted">–</span>')
LONG = 140  # characters of a text in a list
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets run: CWE-1236


def value_of(column: Column) -> Callable[[Any], Any]:
    """Return the function that reads the value of *column* from a row; None along the way stays."""
    steps = column.path.split(".")
    if len(steps) == 1:
        return attrgetter(steps[0])

    def read(row: Any) -> Any:
        for step in steps:
            row = getattr(row, step, None)
        return row

    return read


def shower(column: Column, *, whole: bool = False) -> Callable[[Any], Markup]:
    """Return the function that makes the HTML of *column* from a row.

    whole: long text is not cut, for the page of one row.
    """
    read = value_of(column)
    write = _WRITERS.get(column.kind, _text)
    labels = dict(column.field.choices)
    money = column.field.unit.lower() in ("cents", "cent")

    def show(row: Any) -> Markup:
        value = read(row)
        if value is None or value == "":
            return NOTHING
        if labels:
            return Markup('<span class="badge">{}</span>').format(labels.get(value, value))
        if money and isinstance(value, int):
            return escape(_format("format_money", value))
        if column.kind == "text" and whole:
            return _paragraphs(value)
        return write(value)

    if column.target is None or not column.key:
        return show
    endpoint, key = f"{column.target.name}.detail", column.key.split(".")

    def link(row: Any) -> Markup:
        shown = show(row)
        owner = row
        for step in key:
            owner = getattr(owner, step, None)
        if owner is None:
            return shown
        return Markup('<a href="{}">{}</a>').format(url_for(endpoint, key=owner), shown)

    return link if column.target.pages else show


def plain(column: Column) -> Callable[[Any], str]:
    """Return the function that writes *column* of a row into a CSV file.

    Text that a spreadsheet would run as a formula is given an apostrophe.
    """
    read = value_of(column)

    def write(row: Any) -> str:
        value = read(row)
        if isinstance(value, enum.Enum):
            value = value.value
        if value is None:
            return ""
        if isinstance(value, str):
            return f"'{value}" if value.startswith(FORMULA) else value
        if isinstance(value, dt.date | dt.time):
            return value.isoformat()
        if isinstance(value, bool):
            return "true" if value else "false"
        return (
            json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
        )

    return write


def _format(name: str, value: Any, *how: str) -> str:
    return str(current_app.jinja_env.globals[name](value, *how))  # type: ignore[operator]  # web/i18n


def _text(value: Any) -> Markup:
    text = str(value)
    return escape(text if len(text) <= LONG else text[: LONG - 1].rstrip() + "…")


def _paragraphs(value: Any) -> Markup:
    parts = [part for part in str(value).split("\n\n") if part.strip()]
    if len(parts) < 2 and "\n" not in str(value):
        return escape(value)
    return Markup("").join(
        Markup("<p>{}</p>").format(Markup("<br>").join(part.split("\n"))) for part in parts
    )


def _boolean(value: Any) -> Markup:
    say: Any = current_app.jinja_env.globals["_"]
    if value:
        return Markup('<span class="badge good">{}</span>').format(say("Yes"))
    return Markup('<span class="badge">{}</span>').format(say("No"))


def _json(value: Any) -> Markup:
    return Markup("<code>{}</code>").format(_text(json.dumps(value, ensure_ascii=False)))


def _moment(name: str) -> Callable[[Any], Markup]:
    def write(value: Any) -> Markup:
        return Markup('<time datetime="{}">{}</time>').format(
            value.isoformat(),
            _format(name, value, "short" if name == "format_datetime" else "medium"),
        )

    return write


def _number(value: Any) -> Markup:
    return escape(_format("format_number", value))


_WRITERS: dict[str, Callable[[Any], Markup]] = {
    "boolean": _boolean, "json": _json, "number": _number, "decimal": _number,
    "datetime": _moment("format_datetime"), "date": _moment("format_date"),
    "time": lambda value: escape(value.isoformat("minutes")),
}  # fmt: skip
