"""Formats: the ways in which a text may say a number, a date, yes or no.

    column of text  ->  FORMATS, each a pattern for whole batches  ->  Format.read(text)

A pattern is tried on many values at once, joined by line breaks: that is what makes a
million rows quick. `read` raises ValueError for what only looks right, such as 2026-02-30.
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["FORMATS", "SPELLED", "Format", "formats_for", "plain_number", "unit_of"]

SPELLED = frozenset({
    "NULL", "null", "Null", "NA", "N/A", "n/a", "#N/A", "None", "none", "NaN", "nan", "-", "--",
    "\\N", "?", ".",
})  # fmt: skip
"""Words for "nothing"; they count as such only where all else is no text."""

UNITS = "$€£¥₹%"  # signs that may stand before or after a number
SPACES, QUOTES = "[ \u00a0\u202f]", "['\u2019]"  # that part thousands
TIME = r"(?:[T ](?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,6})?)?)"
ZONE = r"(?:Z|[+-]\d\d:?\d\d)"

Read = Callable[[str], Any]


@dataclass(frozen=True)
class Format:
    """One way to write values of one kind.

    kind: integer, number, boolean, date, datetime, time, uuid. pattern: for one value,
    without anchors and groups. read: from the text; numbers become plain text, "1234.5".
    words: for people.
    """

    name: str
    kind: str
    pattern: str
    read: Read
    words: str = ""

    def fits(self, joined: str) -> bool:
        """Tell whether each of the values in *joined*, one per line, looks like this."""
        return _compiled(self.pattern, True).fullmatch(joined) is not None

    def fits_one(self, value: str) -> bool:
        """Tell whether one value looks like this."""
        return _compiled(self.pattern, False).fullmatch(value) is not None


_patterns: dict[tuple[str, bool], re.Pattern[str]] = {}


def _compiled(pattern: str, many: bool) -> re.Pattern[str]:
    found = _patterns.get((pattern, many))
    if found is None:
        # Possessive: a column of text must not be searched again and again.
        one = rf"[ ]*+(?:{pattern})[ ]*+"
        found = re.compile(rf"(?>{one}\n)*+{one}" if many else one, re.ASCII)
        _patterns[pattern, many] = found
    return found


def unit_of(text: str) -> tuple[str, str]:
    """Return the sign before and after a number: ("$", ""), ("", " €"), or nothing.

    >>> unit_of("$5"), unit_of("5 %"), unit_of("five")
    (('$', ''), ('', ' %'), ('', ''))
    """
    text = text.strip()
    if text[:1] in UNITS and text[1:].strip(" -0123456789.,") == "" and len(text) > 1:
        return (text[0] + (" " if text[1] == " " else ""), "")
    if text[-1:] in UNITS and text[:-1].strip(" -0123456789.,") == "" and len(text) > 1:
        return ("", (" " if text[-2] == " " else "") + text[-1])
    return ("", "")


def formats_for(first: str) -> tuple[Format, ...]:
    """Return what a column whose first value is *first* may be written in."""
    before, after = unit_of(first)
    return (*_numbers(before, after), *FORMATS)


def plain_number(text: str, before: str, after: str, group: str, point: str) -> str:
    """Return a number as Python writes it.

    >>> plain_number("-$1,234.50", "$", "", ",", ".")
    '-1234.50'
    """
    text = text.strip()
    sign = "-" if "-" in text[: 1 + len(before)] else ""
    text = text.replace("-", "", 1) if sign else text
    text = text.removeprefix(before).removesuffix(after)
    for one in group:
        text = text.replace(one, "")
    return sign + text.replace(point, ".")


def _numbers(before: str, after: str) -> tuple[Format, ...]:
    """Return the number formats, all with the same sign of money or none."""

    def made(name: str, pattern: str, group: str, point: str, words: str) -> Format:
        # "-5" for both signs: a minus may stand before or after the sign of money.
        front = rf"-?{re.escape(before)}" + ("-?" if before else "")
        return Format(
            name,
            "number",
            rf"{front}{pattern}{re.escape(after)}",
            lambda text: plain_number(text, before, after, group, point),
            words,
        )

    whole = r"(?:0|[1-9]\d*)"
    plain = made("plain", rf"{whole}(?:\.\d+)?", "", ".", "")

    def grouped(sign: str) -> str:
        return rf"(?:[1-9]\d{{0,2}}(?:{sign}\d{{3}})+|0|[1-9]\d*)"

    return (
        plain,
        made("english", grouped(",") + r"(?:\.\d+)?", ",", ".", "1,234.5"),
        made("comma", grouped("[.]") + r"(?:,\d+)?", ".", ",", "1.234,5"),
        made("spaced", grouped(SPACES) + r"(?:,\d+)?", " \u00a0\u202f", ",", "1 234,5"),
        made("swiss", grouped(QUOTES) + r"(?:\.\d+)?", "'\u2019", ".", "1'234.5"),
        Format("science", "number", r"-?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,3})?",
               lambda text: repr(float(text)) if float(text) - float(text) == 0 else _infinite(),
               "1.5e3"),
    )  # fmt: skip


def _infinite() -> str:
    raise ValueError("is too large a number")


def _truth(yes: str, no: str) -> Format:
    both = f"(?i:{yes}|{no})"
    return Format(yes, "boolean", both, lambda text: text.strip().lower() == yes, f"{yes}/{no}")


def _date(order: str, sign: str) -> Read:
    places = [order.index(part) for part in "ymd"]

    def read(text: str) -> Any:
        date, _, time = text.strip().replace("T", " ").partition(" ")
        parts = [int(part) for part in date.split(sign)]
        day = dt.date(*(parts[place] for place in places))
        if not time:
            return day
        hour, _, rest = time.partition(":")
        clock = dt.time.fromisoformat(f"{int(hour):02d}:{rest}")
        return dt.datetime.combine(day, clock, dt.UTC)

    return read


def _moment(text: str) -> dt.datetime:
    found = dt.datetime.fromisoformat(text.strip())
    return found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)


def _dates(name: str, order: str, sign: str, pattern: str, words: str) -> tuple[Format, Format]:
    read = _date(order, sign)
    return (
        Format(name, "date", pattern, read, words),
        Format(f"{name}-time", "datetime", pattern + TIME, read, f"{words} with a time of day"),
    )


SHORT = r"\d{1,2}"
FORMATS: tuple[Format, ...] = (
    _truth("true", "false"),
    _truth("yes", "no"),
    _truth("t", "f"),
    _truth("y", "n"),
    Format("iso", "date", r"\d{4}-\d\d-\d\d", lambda t: dt.date.fromisoformat(t.strip())),
    Format("iso-time", "datetime", rf"\d{{4}}-\d\d-\d\d{TIME}", _moment, "without a time zone"),
    Format("iso-zone", "datetime", rf"\d{{4}}-\d\d-\d\d{TIME}{ZONE}", _moment),
    *_dates("ymd", "ymd", "/", rf"\d{{4}}/{SHORT}/{SHORT}", "year/month/day"),
    *_dates("dmy.", "dmy", ".", rf"{SHORT}\.{SHORT}\.\d{{4}}", "day.month.year"),
    *_dates("dmy", "dmy", "/", rf"{SHORT}/{SHORT}/\d{{4}}", "day/month/year"),
    *_dates("mdy", "mdy", "/", rf"{SHORT}/{SHORT}/\d{{4}}", "month/day/year"),
    *_dates("dmy-", "dmy", "-", rf"{SHORT}-{SHORT}-\d{{4}}", "day-month-year"),
    *_dates("mdy-", "mdy", "-", rf"{SHORT}-{SHORT}-\d{{4}}", "month-day-year"),
    Format("time", "time", r"(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,6})?)?",
           lambda t: dt.time.fromisoformat(t.strip())),
    Format("uuid", "uuid", r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}",
           lambda t: uuid.UUID(t.strip())),
)  # fmt: skip
