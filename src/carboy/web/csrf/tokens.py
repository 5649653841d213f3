"""Tokens of forms: what another site cannot know, bound to the session.

    make(key, binding)           ->  86 characters, other ones at each call
    good(keys, binding, token)   ->  True only for a token of this session and these keys

A token is HMAC-SHA256 over what the session is known by, hidden under a mask that is new
each time: a compressed page that is asked for again and again tells nothing (BREACH).
Source: OWASP, "Signed Double-Submit Cookie"; Gluck, Harris, Prado, "BREACH" (2013).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
from collections.abc import Iterable
from functools import lru_cache

__all__ = ["LENGTH", "derived", "good", "make"]

PURPOSE = b"carboy.web.csrf"
BYTES = 32  # of the HMAC, and of the mask
LENGTH = 86  # characters of a token: 64 bytes in base64url, without padding


@lru_cache(maxsize=16)
def derived(secret: str | bytes) -> bytes:
    """Return the key for tokens that *secret* (SECRET_KEY) stands for."""
    secret = secret.encode() if isinstance(secret, str) else secret
    return hmac.digest(secret, PURPOSE, "sha256")


def make(key: bytes, binding: bytes) -> str:
    """Return a new token for the session that *binding* stands for."""
    mask = os.urandom(BYTES)
    both = mask + _xor(mask, hmac.digest(key, binding, "sha256"))
    return base64.urlsafe_b64encode(both).decode("ascii").rstrip("=")


def good(keys: Iterable[bytes], binding: bytes, token: str) -> bool:
    """Return whether *token* was made for *binding* with one of *keys*. Never raises."""
    if len(token) != LENGTH or not token.isascii():
        return False
    try:
        both = base64.b64decode(token + "==", altchars=b"-_", validate=True)
    except binascii.Error:
        return False
    given = _xor(both[:BYTES], both[BYTES:])
    # SECURITY: constant time; what differs must not be found out byte by byte.
    return any(hmac.compare_digest(given, hmac.digest(key, binding, "sha256")) for key in keys)


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one) ^ int.from_bytes(other)).to_bytes(BYTES)
