"""What a refused request is told: the developer's letter, with the line to add."""

from __future__ import annotations

from typing import Any

from carboy.base.errors import RequestFault

__all__ = ["refusal"]

FIRST: dict[str, str] = {
    "web.csrf.missing": "CSRF token missing for {call}.",
    "web.csrf.doubled": "More than one CSRF token for {call}.",
    "web.csrf.session": "No session to hold the CSRF token of {call} against.",
    "web.csrf.wrong": "The CSRF token for {call} is not of this session.",
    "web.csrf.cross_site": "{call} was sent from another site.",
    "web.csrf.origin": "{call} was sent from another origin.",
    "web.csrf.contradiction": "The headers of {call} contradict each other about its origin.",
    "web.csrf.malformed": "{call} has an Origin or Sec-Fetch-Site that no browser sends.",
}
"""Code to what happened."""

_LACKS = (
    "The form probably lacks the token. Add {{ csrf() }} inside <form>, or send the token in"
    " the X-CSRF-Token header. For machine clients use a token-authenticated API endpoint."
)
_OLD = "It is made anew on sign-in, and void when the session ends. Load the page again."
_SITE = (
    "Send it from a page of this site. For a form of yours elsewhere add its origin to"
    " CSRF_TRUSTED_ORIGINS; a view that checks signatures itself may be @csrf_exempt."
)
_ORIGIN = (
    _SITE
    + " Behind a proxy, TRUSTED_PROXIES must list it, or scheme and host are taken for others."
)
_HEADERS = "Send each header once, as browsers write it, or none of them."

THEN: dict[str, str] = {
    "web.csrf.missing": _LACKS,
    "web.csrf.doubled": "Send the field csrf_token once: {{ csrf() }} stands twice in the form.",
    "web.csrf.session": "Send the session cookie along, and set SECRET_KEY: both are needed.",
    "web.csrf.wrong": _OLD,
    "web.csrf.cross_site": _SITE,
    "web.csrf.origin": _ORIGIN,
    "web.csrf.contradiction": _ORIGIN,
    "web.csrf.malformed": _HEADERS,
}
"""Code to why usually, and what to do."""


def refusal(code: str, ctx: Any) -> RequestFault:
    """Return the fault with *code*. Pages for people say it in other words (`web.texts`)."""
    environ = ctx.environ
    call = f"{environ['REQUEST_METHOD']} {ctx.lane.pattern}"
    if ctx.app.debug or ctx.app.testing:  # names of the program are for its developers
        call += f" (endpoint {ctx.lane.endpoint!r})"
    return RequestFault(403, code, FIRST[code].format(call=call), hint=THEN[code])
