"""What proxies say about the client, believed from listed proxies only.

    environ  ->  judge(environ, proxies)  ->  environ rewritten

From a listed peer: ``X-Forwarded-For`` is walked from right to left over listed
addresses; the first one that is not listed is the client (REMOTE_ADDR). Scheme,
host, port and prefix are taken only when the set-up says that the proxy sets them,
because a header that a proxy merely lets through was written by the client.
From anyone else all these headers are removed, so that no code can believe them.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from carboy.base.errors import RequestFault

if TYPE_CHECKING:
    from carboy.web.bodies import Environ

__all__ = ["HEADERS", "SETS", "Proxies", "judge"]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

HEADERS = frozenset(
    (
        "HTTP_X_FORWARDED_FOR",
        "HTTP_X_FORWARDED_PROTO",
        "HTTP_X_FORWARDED_HOST",
        "HTTP_X_FORWARDED_PORT",
        "HTTP_X_FORWARDED_PREFIX",
        "HTTP_FORWARDED",
        "HTTP_X_REAL_IP",
    )
)
"""Headers that claim something about the client; none outlives the gate unbelieved."""

SETS = ("for", "proto", "host", "port", "prefix", "forwarded")
UNIX = "unix"  # in the list of proxies: a peer on a Unix socket, which has no address
PREFIX = re.compile(r"(?:/[A-Za-z0-9._~\-]+)+")
PAIR = re.compile(r'\s*([A-Za-z]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^",;\s]*)\s*')


@dataclass(frozen=True)
class Proxies:
    """Whom to believe (*networks*, *unix*), and about what (*sets*, of `SETS`)."""

    networks: tuple[Network, ...] = ()
    unix: bool = False
    sets: frozenset[str] = frozenset(("for", "proto"))

    @classmethod
    def of(cls, listed: Iterable[str], sets: Iterable[str]) -> Proxies:
        """Return the proxies written as addresses, networks, or "unix".

        Raises ValueError with the first entry that is none of these.
        """
        texts = [text.strip() for text in listed]
        networks = tuple(ipaddress.ip_network(text, strict=False) for text in texts if text != UNIX)
        unknown = sorted(set(sets) - set(SETS))
        if unknown:
            raise ValueError(unknown[0])
        return cls(networks, UNIX in texts, frozenset(sets))

    def trusts(self, address: str) -> bool:
        """Return whether *address* (as in REMOTE_ADDR) is a listed proxy."""
        if not address:
            return self.unix
        found = _address(address)
        return found is not None and any(found in network for network in self.networks)


def judge(environ: Environ, proxies: Proxies) -> None:
    """Believe or remove what *environ* says about the client.

    PERF: whoever calls this looks first whether any of `HEADERS` is there; mostly
    none is.
    """
    if not proxies.trusts(environ.get("REMOTE_ADDR", "")):
        _remove(environ)
        environ["carboy.relayed"] = True  # somebody spoke for a client: not a local visit
    else:
        _believe(environ, proxies)


def _remove(environ: Environ) -> None:
    for name in HEADERS:
        environ.pop(name, None)


def _believe(environ: Environ, proxies: Proxies) -> None:
    """Rewrite *environ* by what the listed peer says; then drop what it did not set."""
    said = _said(environ, proxies.sets)
    _remove(environ)
    environ["carboy.relayed"] = True
    client, hops = _client(environ.get("REMOTE_ADDR", ""), said.get("for", []), proxies)
    environ["REMOTE_ADDR"] = client
    if scheme := _outermost(said.get("proto"), hops):
        environ["wsgi.url_scheme"] = _scheme(scheme)
    if host := _outermost(said.get("host"), hops):
        environ["HTTP_HOST"] = host  # judged by the host gate, which comes next
    if port := _outermost(said.get("port"), hops):
        environ["SERVER_PORT"] = _port(port)
    if prefix := _outermost(said.get("prefix"), hops):
        _mount(environ, prefix)


def _said(environ: Environ, sets: frozenset[str]) -> dict[str, list[str]]:
    """Return what the believed headers say: per kind, nearest proxy last."""
    if "forwarded" in sets:
        return _forwarded(environ.get("HTTP_FORWARDED", ""))
    return {
        kind: [item.strip() for item in environ[name].split(",")]
        for kind in sets
        if (name := f"HTTP_X_FORWARDED_{kind.upper()}") in environ
    }


def _forwarded(header: str) -> dict[str, list[str]]:
    """Return for, proto and host of a Forwarded header (RFC 7239).

    An element that cannot be read ends the reading; what is left of it, farther
    from us, is not believed.
    """
    said: dict[str, list[str]] = {}
    for element in reversed(_elements(header)):
        pairs = {match[1].lower(): match[2].strip('"') for match in PAIR.finditer(element)}
        if "for" not in pairs:
            break
        for kind in ("for", "proto", "host"):
            if kind in pairs:
                said.setdefault(kind, []).insert(0, pairs[kind])
    return said


def _elements(header: str) -> list[str]:
    """Return the elements of a list header, split at commas outside quotes."""
    outside = re.sub(r'"(?:[^"\\]|\\.)*+"', lambda match: match[0].replace(",", "\0"), header)
    return [part.replace("\0", ",") for part in outside.split(",")]


def _client(peer: str, chain: list[str], proxies: Proxies) -> tuple[str, int]:
    """Return (address of the client, how many listed proxies it came through)."""
    client, hops = peer, 1
    for text in reversed(chain):
        address = _address(text)
        if address is None:
            break  # "unknown", or nonsense: who is farther out cannot be known
        client = str(address)
        if not proxies.trusts(client):
            break
        hops += 1
    return client, hops


def _outermost(values: list[str] | None, hops: int) -> str:
    """Return what the outermost listed proxy said, of values with the nearest last."""
    return values[-min(hops, len(values))] if values else ""


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address in *text*, which may carry a port; None when there is none."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _scheme(text: str) -> str:
    scheme = text.lower()
    if scheme in ("http", "https", "ws", "wss"):
        return scheme
    raise _wrong("proto", "http or https")


def _port(text: str) -> str:
    if text.isascii() and text.isdigit() and 0 < int(text[:6]) <= 65_535:
        return text
    raise _wrong("port", "a number from 1 to 65535")


def _mount(environ: Environ, prefix: str) -> None:
    """Put the application under *prefix*, which the proxy took off the path."""
    if prefix != "/":
        if not PREFIX.fullmatch(prefix.rstrip("/")):
            raise _wrong("prefix", "a path such as /shop")
        environ["SCRIPT_NAME"] = prefix.rstrip("/") + environ.get("SCRIPT_NAME", "")


def _wrong(kind: str, wanted: str) -> RequestFault:
    return RequestFault(
        400,
        f"gate.proxy.{kind}",
        f"X-Forwarded-{kind.title()} is not {wanted}.",
        hint="The proxy in front of this server sends it; set it there.",
    )
