"""Patterns: a short text that a regular expression matches as a whole.

    example(r"[A-Z]{2}-\\d{4}", random)  ->  "AK-4821", or None when it is too clever

Python's own parser reads the expression; what looks around, refers back or is
conditional is given up.
"""

from __future__ import annotations

import re
import string
from random import Random

# Private: the modules behind re, so called since Python 3.11.
from re import _constants as codes, _parser as parser  # type: ignore[attr-defined]  # typeshed leaves them out
from typing import Any

__all__ = ["example"]

TRIES = 50
MORE = 3  # repetitions beyond the fewest
LETTERS = string.ascii_letters + string.digits

CATEGORIES = {
    codes.CATEGORY_DIGIT: string.digits,
    codes.CATEGORY_WORD: LETTERS,
    codes.CATEGORY_SPACE: " ",
    codes.CATEGORY_NOT_DIGIT: string.ascii_letters,
    codes.CATEGORY_NOT_SPACE: LETTERS,
    codes.CATEGORY_NOT_WORD: " -",
}


def example(pattern: str, random: Random) -> str | None:
    """Return a text that *pattern* matches from its beginning to its end, or None.

    >>> import random
    >>> bool(re.fullmatch(r"[a-z]+(-\\d\\d)?", example(r"[a-z]+(-\\d\\d)?", random.Random(1))))
    True
    """
    compiled = re.compile(pattern)
    for _ in range(TRIES):
        try:
            text = _all(parser.parse(pattern), random)
        except _TooClever:
            return None
        if compiled.fullmatch(text):
            return text
    return None


class _TooClever(Exception):
    """The expression has a part that is not understood here."""


def _all(parts: Any, random: Random) -> str:
    return "".join(_one(code, value, random) for code, value in parts)


def _one(code: Any, value: Any, random: Random) -> str:
    if code is codes.LITERAL:
        return chr(value)
    if code is codes.NOT_LITERAL:
        return next(letter for letter in LETTERS if ord(letter) != value)
    if code is codes.ANY:
        return random.choice(LETTERS)
    if code is codes.AT:
        return ""
    if code is codes.IN:
        return random.choice(_members(value))
    if code is codes.BRANCH:
        return _all(random.choice(value[1]), random)
    if code is codes.SUBPATTERN:
        return _all(value[-1], random)
    if code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
        fewest, most, parts = value
        times = random.randint(fewest, min(int(most), fewest + MORE))
        return "".join(_all(parts, random) for _ in range(times))
    if code is codes.ATOMIC_GROUP:
        return _all(value, random)
    raise _TooClever


def _members(parts: Any) -> list[str]:
    """Return the characters of a set; of an inverted one, those of LETTERS not in it."""
    inverted = parts[0][0] is codes.NEGATE
    found: list[str] = []
    for code, value in parts[1:] if inverted else parts:
        if code is codes.LITERAL:
            found.append(chr(value))
        elif code is codes.RANGE:
            found += [chr(number) for number in range(value[0], min(value[1], value[0] + 200) + 1)]
        elif code is codes.CATEGORY:
            found += CATEGORIES.get(value, "")
        else:
            raise _TooClever
    chosen = [letter for letter in LETTERS + " -_." if letter not in found] if inverted else found
    if not chosen:
        raise _TooClever
    return chosen
