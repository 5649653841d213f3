"""Is this request forged? Decided from its headers alone, before anything is read of it.

    bearer token and no cookie      passes: a browser adds no such token by itself
    Sec-Fetch-Site                  same-origin, none pass; same-site, cross-site do not
    else Origin                     must be ours: scheme, host and port
    else a cookie                   the form's token decides (`tokens`)
    else                            passes: there is nothing to forge, but for sign-in

Fails closed: a header that is malformed, doubled or contradicts another one refuses.
Source: OWASP, Cross-Site Request Forgery Prevention, "Fetch Metadata headers"; Go 1.25
net/http.CrossOriginProtection, which lets same-site refused and trusted origins pass alike.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

__all__ = ["ASK", "ORIGIN", "PASS", "SAFE", "judge", "origin_of"]

Environ = dict[str, Any]

SAFE = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))
"""Methods that change nothing. SPEC: RFC 9110 section 9.2.1. Any other one is judged."""

PASS = ""
ASK = "ask"  # the verdict that a token must decide; any other one is the code of a fault

OURS = frozenset(("same-origin", "none"))
THEIRS = frozenset(("same-site", "cross-site"))
PORTS = {"http": ":80", "https": ":443"}

ORIGIN = re.compile(r"https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
"""An origin as browsers write it. SPEC: RFC 6454 section 6.2."""
BEARER = re.compile(r"bearer +[A-Za-z0-9._~+/-]+=*", re.IGNORECASE)
"""SPEC: RFC 6750 section 2.1. Two headers that a server joined have a comma."""


def judge(environ: Environ, trusted: Collection[str] = (), *, always: bool = False) -> str:
    """Return PASS, ASK, or the code of the fault, for a request with an unsafe method.

    trusted: other origins that may send forms here, exactly as browsers write them.
    always: a browser without any cookie needs a token too (sign-in, sign-up).
    """
    site = environ.get("HTTP_SEC_FETCH_SITE")
    origin = environ.get("HTTP_ORIGIN")
    if _bearer_only(environ):
        return PASS
    if site is not None:
        return _by_site(environ, site, origin, trusted)
    if origin is not None:
        return _by_origin(environ, origin, trusted)
    if "HTTP_COOKIE" in environ or (
        (always or "HTTP_AUTHORIZATION" in environ) and _from_browser(environ)
    ):
        return ASK
    return PASS


def origin_of(environ: Environ) -> str:
    """Return our own origin as browsers write it: no default port, lower case."""
    scheme = environ.get("wsgi.url_scheme", "http")
    host = environ.get("HTTP_HOST")
    if not host:
        host = f"{environ.get('SERVER_NAME', '')}:{environ.get('SERVER_PORT', '')}"
    return f"{scheme}://{host.lower().removesuffix(PORTS.get(scheme, ' '))}"


def _by_site(environ: Environ, site: str, origin: str | None, trusted: Collection[str]) -> str:
    if site in OURS:
        # "null" is what a page with the policy no-referrer sends to its own site.
        if origin is None or origin == "null" or _same_host(environ, origin):
            return PASS
        return "web.csrf.contradiction" if ORIGIN.fullmatch(origin) else "web.csrf.malformed"
    if site in THEIRS:
        return PASS if origin in trusted else "web.csrf.cross_site"
    return "web.csrf.malformed"


def _by_origin(environ: Environ, origin: str, trusted: Collection[str]) -> str:
    if origin == origin_of(environ) or origin in trusted:
        return PASS
    known = origin == "null" or ORIGIN.fullmatch(origin)
    return "web.csrf.origin" if known else "web.csrf.malformed"


def _same_host(environ: Environ, origin: str) -> bool:
    """Return whether *origin* names our host, whatever its scheme and port.

    A proxy in front of us may change both, and the browser has compared them itself.
    """
    host = environ.get("HTTP_HOST")
    # PERF: the usual case is one comparison.
    return origin.partition("://")[2] == host or (
        ORIGIN.fullmatch(origin) is not None and _name(origin) == _name(origin_of(environ))
    )


def _name(origin: str) -> str:
    """Return the host of *origin* without scheme and port."""
    host = origin.partition("://")[2]
    return host if host.endswith("]") else host.rpartition(":")[0] or host


def _bearer_only(environ: Environ) -> bool:
    given = environ.get("HTTP_AUTHORIZATION")
    if given is None or "HTTP_COOKIE" in environ:
        return False
    return BEARER.fullmatch(given) is not None


def _from_browser(environ: Environ) -> bool:
    """Return whether a browser may have sent this: a forged form comes from one."""
    agent, accept = environ.get("HTTP_USER_AGENT", ""), environ.get("HTTP_ACCEPT", "")
    return agent.startswith("Mozilla/") or "text/html" in accept
