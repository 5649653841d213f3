"""Throttle: guessing is slow, and nobody can lock somebody else out.

    one account from one address        8 tries in 15 minutes
    one account from everywhere       100 an hour, but for devices that it knows
    one address, any account           60 in 15 minutes, 30 new accounts an hour

Whoever signed in before has a signed cookie that says so: their device has a counter of its
own, so an attacker who uses up the account's does not keep them out.
Counters are in this process. Source: OWASP, "Slow Down Online Guessing Attacks with Device
Cookies".
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
import time
from functools import cached_property
from typing import Any

from carboy.base.errors import RequestFault
from carboy.web.i18n.texts import _

__all__ = ["Throttle"]

PAIR, ACCOUNT, ADDRESS, SIGN_UPS = "pair", "account", "address", "sign_up"
BOUNDS = {  # kind: (tries, seconds)
    PAIR: (8, 900), ACCOUNT: (100, 3_600), ADDRESS: (60, 900), SIGN_UPS: (30, 3_600),
}  # fmt: skip


class Throttle:
    """Counts tries; refuses more with 429 and says when to come back."""

    def admit(self, email: str, address: str, device: str = "") -> None:
        """Count a try to sign in. Raises a RequestFault (429) when there were too many.

        email: as it is kept, known or not. device: the id of one that this account knows.
        """
        self._hit(ADDRESS, _network(address))
        if device:
            self._hit(PAIR, email, device)
            return
        self._hit(PAIR, email, _network(address))
        self._hit(ACCOUNT, email)

    def admit_any(self, address: str) -> None:
        """Count a try that names no account, such as a link."""
        self._hit(ADDRESS, _network(address))

    def admit_new(self, address: str) -> None:
        """Count a try to make an account."""
        self._hit(SIGN_UPS, _network(address))

    def forgive(self, email: str, address: str, device: str = "") -> None:
        """Forget the tries of somebody who knew the password in the end."""
        limiter, items = self._limiter
        limiter.clear(items[PAIR], *_names(email, device or _network(address)))

    def reset(self) -> None:
        """Forget everything."""
        self.__dict__.pop("_limiter", None)

    def _hit(self, kind: str, *names: str) -> None:
        limiter, items = self._limiter
        if limiter.hit(items[kind], *_names(*names)):
            return
        stats = limiter.get_window_stats(items[kind], *_names(*names))
        wait_s = max(1, math.ceil(stats.reset_time - time.time()))
        raise RequestFault(
            429,
            "accounts.too_many",
            f"{_('There were too many tries.')} {_wait(wait_s)}",
            headers={"Retry-After": str(wait_s)},
        )

    @cached_property
    def _limiter(self) -> tuple[Any, dict[str, Any]]:
        from limits import RateLimitItemPerSecond
        from limits.storage import MemoryStorage
        from limits.strategies import MovingWindowRateLimiter

        items = {
            kind: RateLimitItemPerSecond(tries, seconds, namespace=kind)
            for kind, (tries, seconds) in BOUNDS.items()
        }
        return MovingWindowRateLimiter(MemoryStorage()), items


def _network(address: str) -> str:
    """Return what one person has of addresses: all 2^64 of an IPv6 network are one."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:45]
    if parsed.version == 4:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


def _names(*names: str) -> tuple[str, ...]:
    """Return names of a bounded length, in which no separator can be forged."""
    return tuple(hashlib.sha256(name.encode("utf-8", "replace")).hexdigest() for name in names)


def _wait(seconds: int) -> str:
    if seconds <= 90:
        return _("Wait %(count)s seconds before the next one.", count=seconds)
    return _("Wait %(count)s minutes before the next one.", count=math.ceil(seconds / 60))
