"""Devices that an account knows: a signed cookie from the last time somebody signed in.

It opens nothing. It only says to the throttle: this is not the stranger who guesses.
"""

from __future__ import annotations

import secrets
from typing import Any

from itsdangerous import BadSignature, URLSafeTimedSerializer

from carboy.auth.sessions import HOST_PREFIX

__all__ = ["device_of", "remember_device"]

NAME = "carboy_device"
KEPT_S = 365 * 24 * 3_600
SALT = "carboy.auth.device"
LONGEST = 300  # characters of the cookie


def device_of(app: Any, request: Any, email: str) -> str:
    """Return the id of the device that this account knows; "" for any other."""
    value = request.cookies.get(_name(request))
    serializer = _serializer(app)
    if not value or serializer is None or len(value) > LONGEST:
        return ""
    try:
        device, owner = serializer.loads(value, max_age=KEPT_S)
    except (BadSignature, ValueError, TypeError):
        return ""
    return str(device) if owner == _mark(email) else ""


def remember_device(app: Any, request: Any, response: Any, email: str) -> None:
    """Let this device be known to that account."""
    serializer = _serializer(app)
    if serializer is None:
        return
    device = device_of(app, request, email) or secrets.token_urlsafe(16)
    value = serializer.dumps([device, _mark(email)])
    response.set_cookie(
        _name(request), value if isinstance(value, str) else value.decode(), max_age=KEPT_S,
        secure=request.is_secure, httponly=True, samesite="Lax", path="/",
    )  # fmt: skip


def _name(request: Any) -> str:
    return (HOST_PREFIX if request.is_secure else "") + NAME


def _mark(email: str) -> str:
    """Return a short word for the account: the cookie does not say whose device it is."""
    from carboy.auth.session import hashed

    return hashed(email)[:16]


def _serializer(app: Any) -> URLSafeTimedSerializer | None:
    return URLSafeTimedSerializer(app.secret_key, salt=SALT) if app.secret_key else None
