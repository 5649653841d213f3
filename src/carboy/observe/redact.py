"""Masks what must never reach a log: values under secret-looking names.

    masked({"user": "ann", "password": "x"})  ->  {"user": "ann", "password": "***"}
    scrubbed("postgres://app:hunter2@db/x")    ->  "postgres://app:***@db/x"

Names decide, because values cannot be told apart. Source: OWASP Logging Cheat
Sheet, "Data to exclude".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["MASK", "is_secret", "masked", "scrubbed"]

MASK = "***"

MAX_DEPTH = 6  # levels of nesting looked into; deeper values are masked whole

_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase|code)?s?$|pwd|secret|token|authori[sz]ation|cookie|session_?id"
    r"|api[-_]?key|access[-_]?key|private[-_]?key|signing[-_]?key|credential|csrf|otp$"
    r"|\bpin$|_pin$|card_?number|cvv|cvc|ssn$|iban",
    re.IGNORECASE,
)
_IN_TEXT = (
    (re.compile(r"(://[^\s/:@]*:)[^\s/@]+(@)"), rf"\1{MASK}\2"),
    (re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.I), rf"\1 {MASK}"),
)


def is_secret(name: str) -> bool:
    """Tell whether a value under *name* is masked.

    >>> is_secret("DB_PASSWORD"), is_secret("X-Api-Key"), is_secret("title")
    (True, True, False)
    """
    return _SECRET_NAME.search(name) is not None


def masked(value: Any, depth: int = 0) -> Any:
    """Return *value* with every member under a secret name replaced by `MASK`.

    Mappings, lists, tuples and sets are looked into, `MAX_DEPTH` levels deep.
    Other values are returned as they are; the original is never changed.
    """
    if depth > MAX_DEPTH:
        return MASK
    if isinstance(value, Mapping):
        return {
            str(name): MASK if is_secret(str(name)) else masked(member, depth + 1)
            for name, member in value.items()
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        return [masked(member, depth + 1) for member in value]
    return scrubbed(value) if isinstance(value, str) else value


def scrubbed(text: str) -> str:
    """Return *text* without passwords in URLs and without bearer tokens."""
    for pattern, replacement in _IN_TEXT:
        text = pattern.sub(replacement, text)
    return text
