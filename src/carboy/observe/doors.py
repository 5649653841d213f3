"""Doors: the paths operations knock at, answered before routing.

    admit(environ)  ->  a door's path?  ->  its answer, at once
                    ->  any other path  ->  on to the application

`/healthz`, `/readyz` and `/metrics` are not routes: no hook, login, host check
or error page of the application stands before them, a probe by IP address is
answered, and `app.url_map` stays the application's own. An application that has
a rule for the same path keeps it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from carboy.base.errors import SetupError

__all__ = ["DOOR", "Doors", "Peers", "is_local"]

DOOR = "carboy.door"  # environ key: the path of the door that answered

_WORDS = {
    "loopback": ("127.0.0.0/8", "::1/128"),
    "private": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10"),
}
_FORWARDED = (
    "HTTP_FORWARDED",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_REAL_IP",
    "HTTP_VIA",
)

Door = Callable[[Any], Response | None]
"""Given the WSGI environ, the answer; None lets the application answer."""


class Doors:
    """The doors of one application, by path."""

    def __init__(self) -> None:
        self._doors: dict[str, Door] = {}
        self._owned: dict[str, dict[str, Door]] = {}

    def set(self, owner: str, doors: dict[str, Door], taken: Iterable[str]) -> None:
        """Replace the doors of *owner* (a battery's name) by *doors*.

        taken: paths the application answers itself; they get no door.
        Raises SetupError for a path without a leading slash.
        """
        for path in doors:
            if not path.startswith("/"):
                raise SetupError(
                    "observe.path",
                    f"{path!r} is not a path to answer at.",
                    hint=f"Write '/{path}', or '' to switch it off.",
                )
        self._owned[owner] = {path: door for path, door in doors.items() if path not in set(taken)}
        self._doors = {path: door for some in self._owned.values() for path, door in some.items()}

    def admit(self, environ: Any) -> None:
        """Answer when *environ* knocks at a door. Raises HTTPException with the answer."""
        # PERF: every request passes here; one look-up, 0.1 us.
        door = self._doors.get(environ.get("PATH_INFO"))
        if door is not None:
            self._open(door, environ)

    def _open(self, door: Door, environ: Any) -> None:
        response = door(environ)
        if response is None:
            return
        environ[DOOR] = environ["PATH_INFO"]
        if environ.get("REQUEST_METHOD") not in ("GET", "HEAD"):
            response = Response("Use GET or HEAD.\n", 405, {"Allow": "GET, HEAD"})
        response.headers["Cache-Control"] = "no-store"
        raise HTTPException(response=response)  # without a code: no error handler sees it


class Peers:
    """The addresses that may read what is not public.

    allowed: networks ("10.0.0.0/8"), addresses, or the words loopback, private.
    Raises SetupError for anything else.
    """

    def __init__(self, allowed: Sequence[str]) -> None:
        try:
            self._networks = [
                ipaddress.ip_network(network)
                for word in allowed
                for network in _WORDS.get(word, (word,))
            ]
        except ValueError as error:
            raise SetupError(
                "metrics.allow",
                f"METRICS_ALLOW names no network: {error}.",
                hint="Use loopback, private, or networks such as 10.1.0.0/16.",
            ) from None

    def allow(self, environ: Any) -> bool:
        """Tell whether the client of *environ* is one of these peers.

        SECURITY: a request that a proxy passed on is never taken for the proxy's
        own: behind nginx on the same machine every peer would be loopback.
        """
        if any(name in environ for name in _FORWARDED):
            return False
        return self.holds(environ.get("REMOTE_ADDR") or "")

    def holds(self, address: str) -> bool:
        """Tell whether *address* lies in one of the networks; "" never does."""
        try:
            ip: Any = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        ip = getattr(ip, "ipv4_mapped", None) or ip
        return any(ip in network for network in self._networks)


_LOOPBACK = Peers(["loopback"])


def is_local(environ: Any) -> bool:
    """Tell whether the request comes from this machine, not through a proxy."""
    return _LOOPBACK.allow(environ)
