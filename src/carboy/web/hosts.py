"""Host: exactly one, well-formed, and one of ours.

    environ  ->  HostGate(allowed).admit(environ)  ->  None | 400 | 421

A Host that is believed ends up in links, redirects, password mails and caches, so
an unknown one is refused before anything is matched. Syntax follows RFC 9110
section 7.2 and RFC 3986 section 3.2.2, narrowed to what names on the web are:
letters, digits, ".", "-", "_", IPv4, or IPv6 in brackets; then an optional port.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from carboy.base.errors import RequestFault
from carboy.web.syntax import quoted

if TYPE_CHECKING:
    from carboy.web.bodies import Environ

__all__ = ["LOOPBACK", "Allowed", "HostGate", "is_loopback", "split_host", "usable"]

LOOPBACK = ("localhost", ".localhost", "127.0.0.1", "[::1]")
REMEMBERED = 1_024  # hosts known to be good; ".example.com" alone would let it grow for ever
LONGEST = 253 + 6  # SPEC: RFC 1035 section 2.3.4, a name; and ":65535"

NAME = r"[A-Za-z0-9_][A-Za-z0-9_.\-]*+|\[[0-9A-Fa-f:.]+\]"
HOST = re.compile(rf"(?P<name>{NAME})(?::(?P<port>[0-9]{{1,5}}))?")


def split_host(host: str) -> tuple[str, str]:
    """Return (name, port) of a Host header; the name in small letters, port may be "".

    Raises ValueError when *host* is not well-formed.

    >>> split_host("Example.COM:8000")
    ('example.com', '8000')
    """
    match = HOST.fullmatch(host) if len(host) <= LONGEST else None
    if match is None:
        raise ValueError(host)
    name, port = match["name"].lower(), match["port"] or ""
    if name.startswith("["):
        ipaddress.IPv6Address(name[1:-1])  # raises a ValueError of its own
    elif ".." in name or any(len(label) > 63 for label in name.split(".")):
        raise ValueError(host)
    if port and int(port) > 65_535:
        raise ValueError(host)
    return name.removesuffix("."), port


@dataclass(frozen=True)
class Allowed:
    """The hosts an application answers to, from the patterns people write.

    ``example.com`` itself, ``.example.com`` it and every name below it, ``*`` any.
    With a port (``example.com:8443``) only that port; without, every port.
    """

    patterns: tuple[str, ...]
    exact: frozenset[tuple[str, str]] = field(init=False)
    below: tuple[tuple[str, str], ...] = field(init=False)

    def __post_init__(self) -> None:
        pairs = [(_pattern(text), text) for text in self.patterns if text != "*"]
        object.__setattr__(self, "exact", frozenset(pair for pair, _ in pairs))
        below = tuple(pair for pair, text in pairs if text.startswith("."))
        object.__setattr__(self, "below", below)

    def __contains__(self, host: tuple[str, str]) -> bool:
        """Return whether (name, port), as from `split_host`, is one of ours."""
        name, port = host
        if "*" in self.patterns or (name, "") in self.exact or host in self.exact:
            return True
        return any(name.endswith(f".{top}") and wanted in ("", port) for top, wanted in self.below)


class HostGate:
    """Judges the Host of every request; `tune` sets what is ours, at each seal.

    good: Hosts that have passed. PERF: whoever calls `admit` looks here first, one
    look-up in a set for all but the first request of each host.
    """

    __slots__ = ("allowed", "good", "open_paths", "tell")

    def __init__(self, allowed: Allowed | None = None) -> None:
        self.tune(allowed or Allowed(LOOPBACK))

    def tune(
        self, allowed: Allowed, open_paths: frozenset[str] = frozenset(), tell: bool = False
    ) -> None:
        """Answer to *allowed* from now on.

        open_paths: answered under any well-formed Host and without one: load
            balancers and orchestrators probe by address.
        tell: say in the answer which line to add (`carboy dev` only).
        """
        self.allowed, self.open_paths, self.tell = allowed, open_paths, tell
        self.good: set[str | None] = set()

    def admit(self, environ: Environ) -> None:
        """Return when the Host is ours, else raise RequestFault 400 or 421."""
        host = _judge(environ, self.allowed, self.open_paths, self.tell)
        if host is not None and len(self.good) < REMEMBERED:
            self.good.add(host)


def is_loopback(host: str | None) -> bool:
    """Return whether the Host header names this machine, as loopback."""
    try:
        return split_host(host or "") in Allowed(LOOPBACK)
    except ValueError:
        return False


def _judge(
    environ: Environ, allowed: Allowed, open_paths: frozenset[str], tell: bool
) -> str | None:
    """Return the Host when it is ours; None when it is let through for this path only."""
    host: str | None = environ.get("HTTP_HOST")
    probe = environ.get("PATH_INFO") in open_paths
    if not host:
        if probe:
            return None
        raise RequestFault(
            400,
            "gate.host.missing",
            "The request has no Host header.",
            hint="Send Host with the name from the address, as HTTP/1.1 requires.",
        )
    try:
        known = split_host(host) in allowed
    except ValueError:
        raise _malformed(host) from None
    if known:
        return host
    if probe:
        return None
    raise _unknown(host, tell)


def _malformed(host: str) -> RequestFault:
    return RequestFault(
        400,
        "gate.host.malformed",
        f"The Host header {quoted(host)} is not one host name.",
        hint="Send Host once: a name or an address, then an optional port.",
    )


def _unknown(host: str, tell: bool) -> RequestFault:
    name = split_host(host)[0]
    add = f'Add it: ALLOWED_HOSTS = ["{name}"] in carboy.toml, or CARBOY_ALLOWED_HOSTS={name}.'
    return RequestFault(
        421,
        "gate.host.unknown",
        f"This server does not answer for the host {quoted(host)}.",
        hint=add if tell else "Check the name in the address.",
    )


def _pattern(text: str) -> tuple[str, str]:
    """Return (name, port) of one pattern; the leading dot is dropped."""
    return split_host(text.removeprefix("."))


def usable(patterns: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return (*patterns* that can be used, those that are no host pattern)."""
    good: list[str] = []
    bad: list[str] = []
    for text in patterns:
        try:
            if text != "*":
                _pattern(text)
        except ValueError:
            bad.append(text)
        else:
            good.append(text)
    return good, bad
