"""Moments and days in JSON: as HTTP dates, which is how Flask writes them, or as ISO 8601.

    STYLES["http"]   "Fri, 01 May 2026 12:30:15 GMT"
    STYLES["iso"]    "2026-05-01T12:30:15.123456Z", and "2026-05-01" for a day

ISO keeps the microseconds, where there are any. A moment that has no zone (a column of
plain SQLAlchemy; ours always have one) gets none there; HTTP dates have no form for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal

from carboy.engine.jsons import quick_default

__all__ = ["STYLES", "Conversion", "Inline", "Moments", "Style"]

Moments = Literal["http", "iso"]

DAYS = 4096  # days whose words are remembered: eleven years
WORDS = 17  # characters of "Fri, 01 May 2026 "


@dataclass(frozen=True)
class Inline:
    """A conversion as an expression, to save the call of a function.

    source: with VALUE for the value. names: what it uses, by name.
    """

    source: str
    names: Mapping[str, Any]


Conversion = Callable[[Any], Any] | Inline | None


@dataclass(frozen=True)
class Style:
    """How moments and days are written.

    moment, day: of a Python value. aware, naive: of a moment in UTC as the driver gives it.
    utc_text, moment_text, day_text: of SQLite's text. default: of a value inside of
    another, as `json.dumps` asks.
    """

    moment: Callable[[datetime], str]
    day: Callable[[date], str]
    aware: Conversion
    naive: Conversion
    utc_text: Conversion
    moment_text: Conversion
    day_text: Conversion
    default: Callable[[Any], Any]


# HTTP dates


class _Days(dict[int, str]):
    """Returns "Fri, 01 May 2026 " for the ordinal of that day."""

    def __missing__(self, day: int) -> str:
        if len(self) >= DAYS:
            self.clear()
        return self.setdefault(day, _words[date.fromordinal(day).isoformat()])


class _Words(dict[str, str]):
    """Returns "Fri, 01 May 2026 " for "2026-05-01"."""

    def __missing__(self, day: str) -> str:
        words: str = quick_default(date.fromisoformat(day))
        if len(self) >= DAYS:
            self.clear()
        return self.setdefault(day, words[:WORDS])


_words = _Words()


def _http_moment(moment: datetime) -> str:
    if moment.tzinfo is not None and moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    text = moment.isoformat()
    return f"{_words[text[:10]]}{text[11:19]} GMT"


def _http_moment_text(text: str) -> str:
    return _http_moment(datetime.fromisoformat(text))


def _http_day(day: date) -> str:
    return f"{_words[day.isoformat()[:10]]}00:00:00 GMT"


def _http_day_text(text: str) -> str:
    return f"{_words[text]}00:00:00 GMT"


# PERF: 0.4 us a moment; through isoformat() 1.2
_CLOCK = "f'{days[VALUE.toordinal()]}{two[VALUE.hour]}:{two[VALUE.minute]}:{two[VALUE.second]} GMT'"
_NAMES = {
    "days": _Days(),
    "two": [f"{n:02}" for n in range(60)],
    "utc": UTC,
    "slowly": _http_moment,
}

# PERF: 0.1 us a moment, written as SQLAlchemy writes it; parsed and formatted 1.1
_HTTP_TEXT = Inline(
    "f'{words[VALUE[:10]]}{VALUE[11:19]} GMT' if len(VALUE) == 26 else read(VALUE)",
    {"words": _words, "read": _http_moment_text},
)


# ISO 8601, as RFC 3339 and OpenAPI's "date-time" want it


def _iso_moment(moment: datetime) -> str:
    if moment.tzinfo is None:
        return moment.isoformat()
    return f"{moment.astimezone(UTC).isoformat()[:-6]}Z"


def _iso_utc_text(text: str) -> str:
    moment = datetime.fromisoformat(text)
    return _iso_moment(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _iso_moment_text(text: str) -> str:
    return _iso_moment(datetime.fromisoformat(text))


def _iso_day(day: date) -> str:
    return day.isoformat()[:10]


def _iso_day_text(text: str) -> str:
    return date.fromisoformat(text).isoformat()


def _iso_default(value: Any) -> Any:
    if isinstance(value, datetime):
        return _iso_moment(value)
    return value.isoformat() if isinstance(value, date) else quick_default(value)


_SHORT = "f'{VALUE[:10]}T{VALUE[11:19] if VALUE[19:] == zeros else VALUE[11:]}"
_AS_WRITTEN = "len(VALUE) == 26 and VALUE[19] == '.'"  # by SQLAlchemy, to SQLite

STYLES: Mapping[Moments, Style] = {
    "http": Style(
        moment=_http_moment,
        day=_http_day,
        aware=Inline(f"{_CLOCK} if VALUE.tzinfo is utc else slowly(VALUE)", _NAMES),
        naive=Inline(f"{_CLOCK} if VALUE.tzinfo is None else slowly(VALUE)", _NAMES),
        utc_text=_HTTP_TEXT,
        moment_text=_HTTP_TEXT,
        day_text=_http_day_text,
        default=quick_default,
    ),
    "iso": Style(
        moment=_iso_moment,
        day=_iso_day,
        aware=_iso_moment,
        naive=Inline(
            "f'{VALUE.isoformat()}Z' if VALUE.tzinfo is None else iso(VALUE)", {"iso": _iso_moment}
        ),
        utc_text=Inline(
            f"{_SHORT}Z' if {_AS_WRITTEN} else iso_utc(VALUE)",
            {"iso_utc": _iso_utc_text, "zeros": ".000000"},
        ),
        moment_text=Inline(
            f"{_SHORT}' if {_AS_WRITTEN} else iso_bare(VALUE)",
            {"iso_bare": _iso_moment_text, "zeros": ".000000"},
        ),
        day_text=_iso_day_text,
        default=_iso_default,
    ),
}
