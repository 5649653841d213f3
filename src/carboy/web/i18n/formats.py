"""Numbers, money, dates and times as the language of the request writes them.

    format_money(2150, "EUR")     €21.50        21,50 €
    format_date(book.out_on)      Dec 1, 2026   01.12.2026
    format_datetime(moment)       in the time zone of who asks

Babel knows the conventions (CLDR); it is imported at the first use.
"""

from __future__ import annotations

import datetime as dt
import importlib
from decimal import Decimal
from functools import lru_cache
from typing import Any

from carboy.web.i18n.locales import current, settings

__all__ = [
    "format_date",
    "format_datetime",
    "format_money",
    "format_number",
    "format_time",
    "signs",
    "zone",
]


def zone() -> dt.tzinfo:
    """Return the time zone of who asks: what `zone_loader` says, else TIME_ZONE."""
    known = settings()
    name = known.zone_loader() if known.zone_loader is not None else None
    return (zone_of(name) if name else None) or zone_of(known.zone) or dt.UTC


@lru_cache(maxsize=256)
def zone_of(name: str) -> dt.tzinfo | None:
    """Return the time zone called *name*; None when there is none."""
    if name == "UTC":
        return dt.UTC
    # PERF: 4 ms, of no use to an application in UTC.
    zones = importlib.import_module("zoneinfo")
    try:
        found: dt.tzinfo = zones.ZoneInfo(name)
    except (zones.ZoneInfoNotFoundError, ValueError, OSError):
        return None
    return found


def format_date(value: dt.date | None, format: str = "medium") -> str:
    """Return a date; of a moment, the date in the zone of who asks. "" for None.

    format: "short", "medium", "long", "full", or a pattern of CLDR such as "MMMM y".
    """
    if value is None:
        return ""
    if isinstance(value, dt.datetime):
        value = _here(value).date()
    return str(_dates().format_date(value, format, locale=_name()))


def format_datetime(value: dt.datetime | None, format: str = "medium") -> str:
    """Return date and time of a moment, in the zone of who asks. "" for None."""
    if value is None:
        return ""
    return str(_dates().format_datetime(_here(value), format, locale=_name()))


def format_time(value: dt.time | dt.datetime | None, format: str = "short") -> str:
    """Return a time of day. "" for None."""
    if value is None:
        return ""
    if isinstance(value, dt.datetime):
        value = _here(value).timetz()
    return str(_dates().format_time(value.replace(tzinfo=None), format, locale=_name()))


def format_number(value: float | Decimal | None, places: int | None = None) -> str:
    """Return a number with its thousands grouped. places: digits after the point, exactly."""
    if value is None:
        return ""
    pattern = None if places is None else "#,##0" + ("." + "0" * places if places else "")
    return str(_numbers().format_decimal(value, pattern, locale=_name()))


def format_money(cents: int | None, currency: str = "") -> str:
    """Return an amount of money. cents: in the smallest unit, whatever the currency.

    currency: three letters of ISO 4217; CURRENCY when "".
    """
    if cents is None:
        return ""
    currency = currency or settings().currency
    numbers = _numbers()
    amount = Decimal(cents).scaleb(-numbers.get_currency_precision(currency))
    return str(numbers.format_currency(amount, currency, locale=_name()))


@lru_cache(maxsize=256)
def signs(name: str) -> tuple[str, str]:
    """Return what stands before decimals and between thousands: (",", ".") in German."""
    if name == "en" or name.startswith("en_US"):
        return ".", ","
    numbers = _numbers()
    return str(numbers.get_decimal_symbol(name)), str(numbers.get_group_symbol(name))


def _here(value: dt.datetime) -> dt.datetime:
    return value if value.tzinfo is None else value.astimezone(zone())


def _name() -> str:
    return current().name


def _dates() -> Any:
    return importlib.import_module("babel.dates")


def _numbers() -> Any:
    return importlib.import_module("babel.numbers")
