"""Durations and sizes as people write them, and back.

    "30 min"  ->  duration()  ->  1800.0  ->  show_duration()  ->  "30 min"
    "16 MiB"  ->  size()      ->  16777216  ->  show_size()    ->  "16 MiB"

Decimal prefixes count in thousands (16 MB = 16,000,000 bytes) and binary ones
in 1,024s (16 MiB = 16,777,216): IEC 80000-13. A lone letter ("16M") means one
or the other depending on who reads it, and is refused.
"""

from __future__ import annotations

import re
from decimal import Decimal

__all__ = ["duration", "show_duration", "show_size", "size"]

NUMBER = re.compile(r"\s*(\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d{1,3})?)\s*([A-Za-zµ]*)\s*", re.ASCII)

LARGEST = Decimal(2) ** 63  # seconds or bytes; beyond this a value is a slip of the finger

SECONDS = {
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "min": Decimal(60),
    "h": Decimal(3600),
    "days": Decimal(86_400),
}

DURATIONS = SECONDS | {
    "millisecond": Decimal("0.001"),
    "milliseconds": Decimal("0.001"),
    "sec": Decimal(1),
    "second": Decimal(1),
    "seconds": Decimal(1),
    "minute": Decimal(60),
    "minutes": Decimal(60),
    "hour": Decimal(3600),
    "hours": Decimal(3600),
    "d": Decimal(86_400),
    "day": Decimal(86_400),
    "week": Decimal(604_800),
    "weeks": Decimal(604_800),
}

BYTES = {
    "B": 1,
    "kB": 10**3,
    "KiB": 2**10,
    "MB": 10**6,
    "MiB": 2**20,
    "GB": 10**9,
    "GiB": 2**30,
    "TB": 10**12,
    "TiB": 2**40,
}

SIZES = {unit.lower(): Decimal(count) for unit, count in BYTES.items()} | {
    "byte": Decimal(1),
    "bytes": Decimal(1),
}


def duration(text: str) -> float:
    """Return the seconds meant by *text*, such as "30 min", "1.5 h" or "90".

    A bare number is seconds. Units: ms, s, min, h, days, weeks, and their long
    names, in any case. Raises ValueError for anything else.

    >>> duration("1.5 h")
    5400.0
    """
    return float(_product(text, DURATIONS, bare="s"))


def size(text: str) -> int:
    """Return the bytes meant by *text*, such as "16 MB", "16 MiB" or "4096".

    A bare number is bytes. Units: B, kB, MB, GB, TB (thousands) and KiB, MiB,
    GiB, TiB (1,024s), in any case. Raises ValueError for anything else, and
    for a fraction of a byte.

    >>> size("1.5 kB"), size("1 KiB")
    (1500, 1024)
    """
    count = _product(text, SIZES, bare="b")
    if count != int(count):
        raise ValueError(f"{text!r} is not a whole number of bytes")
    return int(count)


def show_duration(seconds: float) -> str:
    """Write *seconds* so that `duration` reads the same number again.

    >>> show_duration(5400.0), show_duration(0.25), show_duration(86400)
    ('90 min', '250 ms', '1 day')
    """
    for unit, factor in reversed(SECONDS.items()):
        count = int(Decimal(repr(seconds)) / factor)  # repr: 0.009 is meant, not its float
        if count and float(count * factor) == seconds:
            return "1 day" if (count, unit) == (1, "days") else f"{count} {unit}"
    return f"{seconds:g} s" if float(f"{seconds:g}") == seconds else f"{seconds!r} s"


def show_size(count: int) -> str:
    """Write *count* bytes so that `size` reads the same number again.

    >>> show_size(16_000_000), show_size(16 * 2**20), show_size(1025)
    ('16 MB', '16 MiB', '1025 B')
    """
    fits = [(count // factor, unit) for unit, factor in BYTES.items() if count % factor == 0]
    number, unit = min(fits, key=lambda fit: fit[0]) if count else (0, "B")
    return f"{number} {unit}"


def _product(text: str, units: dict[str, Decimal], *, bare: str) -> Decimal:
    match = NUMBER.fullmatch(text)
    factor = units.get((match[2] or bare).lower()) if match else None
    if match is None or factor is None:
        raise ValueError(f"{text!r} is not a number with a unit")
    total = Decimal(match[1].replace("_", "")) * factor
    if total > LARGEST:
        raise ValueError(f"{text!r} is too large")
    return total
