"""From the text of one control to a value, and back to the text that shows it.

    parsed(spec, "1.234,50")        Decimal("1234.50") where people write so; Refused("type")
    shown(spec, Decimal("1234.5"))  "1234,5"

Texts are bounded before they are looked at; what pydantic reads as well is left to it.
"""

from __future__ import annotations

import datetime as dt
import enum
import json
import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from carboy.web.i18n.formats import signs, zone
from carboy.web.i18n.locales import current

if TYPE_CHECKING:
    from carboy.web.form.spec import FieldSpec

__all__ = ["Refused", "key_text", "parsed", "printable", "shown"]

MOST_TEXT = 1_000_000  # characters of a text without a limit of its own
MOST_NUMBER = 64  # characters of a number, a date, a UUID
WHOLE = re.compile(r"[+-]?\d{1,40}", re.ASCII)
DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
TIME = re.compile(r"\d\d:\d\d(:\d\d(\.\d{1,6})?)?", re.ASCII)
HALVES = re.compile("[\ud800-\udfff]")  # surrogates: no encoding can write one alone
TRUE, FALSE = ("on", "true", "1", "yes"), ("off", "false", "0", "no")


class Refused(Exception):
    """A text is no value of its field. rule: as in `messages.sentence`."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


def parsed(spec: FieldSpec, text: str) -> Any:
    """Return the value of *text*; None for an empty one. Raises Refused."""
    if len(text) > (MOST_TEXT if spec.kind in LONG else MOST_TEXT // 1_000):
        raise Refused("max_length" if spec.kind == "text" else "type")
    if "\0" in text or (not text.isascii() and HALVES.search(text)):
        raise Refused("type")
    if spec.kind not in LONG or spec.widget != "password":
        text = text.strip()
    if not text:
        return None
    if isinstance(spec.choices, tuple) and spec.choices:
        return _chosen(spec, text)
    parse = _PARSERS.get(spec.kind)
    return text if parse is None else parse(text)


LONG = ("text", "json")


def key_text(value: Any) -> str:
    """Return how a choice is written in a form."""
    if isinstance(value, enum.Enum):
        return value.value if isinstance(value.value, str) else value.name
    return str(value)


def shown(spec: FieldSpec, value: Any) -> str:
    """Return the text of a control that holds *value*."""
    if value is None:
        return ""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, (enum.Enum, bool)):
        return key_text(value)
    show = _SHOWERS.get(spec.kind)
    return printable(str(value) if show is None else show(value))


def printable(text: str) -> str:
    """Return *text* as a page can hold it: halves of characters and NUL are replaced."""
    if text.isascii() and "\0" not in text:
        return text
    return HALVES.sub("\ufffd", text).replace("\0", "\ufffd")


def _chosen(spec: FieldSpec, text: str) -> Any:
    for value, _label in spec.choices:  # type: ignore[union-attr]  # a tuple, as was asked
        if key_text(value) == text:
            return value
    raise Refused("choice")


def _text(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _integer(text: str) -> int:
    text = text.replace("\u2212", "-")
    if not WHOLE.fullmatch(text):
        value = _decimal(text)  # "1,234" where thousands are written so
        if value.as_tuple().exponent != 0:  # not "2.000" either: is it two, or two thousand?
            raise Refused("type")
        return int(value)
    return int(text)


def _decimal(text: str) -> Decimal:
    """Read a number as the language of the request writes it.

    One point or comma that cannot stand before thousands, as in "12.50", is read as the
    point everywhere: programs and number keypads write it so.
    """
    point, group = signs(current().name)
    text = re.sub(r"[\s'\u2019]", "", text).replace("\u2212", "-")
    if len(text) > MOST_NUMBER:
        raise Refused("type")
    point, group = re.escape(point), re.escape(group) if group.strip("\u2019'") else ""
    if group.strip():
        thousands = rf"([+-]?)(\d{{1,3}}(?:{group}\d{{2,3}})*{group}\d{{3}})(?:{point}(\d+))?"
        if found := re.fullmatch(thousands, text):
            sign, before, rest = found.groups()
            before = re.sub(group, "", before)
            return Decimal(f"{sign}{before}.{rest}" if rest else f"{sign}{before}")
    if found := re.fullmatch(rf"([+-]?)(\d*)(?:(?:{point}|[.,])(\d*))?", text):
        sign, before, rest = found.groups()
        if before or rest:
            return Decimal(f"{sign}{before or 0}.{rest or 0}" if rest else f"{sign}{before}")
    raise Refused("type")


def _number(text: str) -> float:
    try:
        value = float(text) if re.fullmatch(r"[+-]?\d*\.?\d+[eE][+-]?\d{1,3}", text) else None
        value = float(_decimal(text)) if value is None else value
    except (ValueError, OverflowError):
        raise Refused("type") from None
    if not math.isfinite(value):
        raise Refused("type")
    return value


def _boolean(text: str) -> bool:
    if text.lower() in TRUE:
        return True
    if text.lower() in FALSE:
        return False
    raise Refused("type")


def _date(text: str) -> dt.date:
    try:
        if DATE.fullmatch(text):
            return dt.date.fromisoformat(text)
    except ValueError:
        pass
    raise Refused("type")


def _time(text: str) -> dt.time:
    try:
        if TIME.fullmatch(text):
            return dt.time.fromisoformat(text)
    except ValueError:
        pass
    raise Refused("type")


def _datetime(text: str) -> dt.datetime:
    """Read a moment; without a zone it is meant in the zone of who asks."""
    if len(text) > MOST_NUMBER or not DATE.match(text) or text[10:11] not in ("T", "t", " "):
        raise Refused("type")
    try:
        found = dt.datetime.fromisoformat(text)
        found = found if found.tzinfo is not None else found.replace(tzinfo=zone())
        found.astimezone(dt.UTC)  # year 1 in the east is year 0 in UTC, which there is not
    except (ValueError, OverflowError):
        raise Refused("type") from None
    return found


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Refused("type") from None


def _json(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Refused("type") from None


def _no_constant(name: str) -> Any:
    raise ValueError(name)


_PARSERS: dict[str, Callable[[str], Any]] = {
    "text": _text, "integer": _integer, "decimal": _decimal, "number": _number,
    "boolean": _boolean, "date": _date, "time": _time, "datetime": _datetime, "uuid": _uuid,
    "json": _json,
}  # fmt: skip


def _show_number(value: Any) -> str:
    text = format(value, "f") if isinstance(value, Decimal) else str(value)
    point = signs(current().name)[0]
    return text if point == "." else text.replace(".", point)


def _show_datetime(value: Any) -> str:
    if not isinstance(value, dt.datetime):
        return str(value)
    here = value if value.tzinfo is None else value.astimezone(zone())
    return here.replace(tzinfo=None).isoformat("T", _unit(here))


def _show_time(value: Any) -> str:
    return value.isoformat(_unit(value)) if isinstance(value, dt.time) else str(value)


def _unit(value: dt.datetime | dt.time) -> str:
    """Return the unit down to which a control shows a time: seconds only when there are any."""
    if value.microsecond:
        return "milliseconds"
    return "seconds" if value.second else "minutes"


def _show_json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, indent=2)
    except (TypeError, ValueError, RecursionError):
        return str(value)


_SHOWERS: dict[str, Callable[[Any], str]] = {
    "decimal": _show_number, "number": _show_number, "datetime": _show_datetime,
    "time": _show_time, "json": _show_json, "date": str,
}  # fmt: skip
