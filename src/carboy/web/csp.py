"""Content-Security-Policy and its company: what a page of ours may load and do.

    ctx, response  ->  make_chooser(...)(ctx, response, tls)  ->  headers
        HTML                 the page policy, with a nonce when a template asked for one
        JavaScript           the worker policy: a worker lives under its own script's
        PDF                  frame-ancestors only: viewers in browsers need the rest
        JSON and all else    nothing may be loaded; SVG opened by itself cannot run

The page policy in words: nothing but this origin, inline scripts and styles only
with the nonce of this answer, no plug-ins, no <base>, forms to this origin only,
framed by nobody. Loosened for a view by `@csp(...)`, for one answer by setting the
header, for every page by `app.csp(...)`.
SPEC: W3C CSP Level 3; the choice of directives follows its section 8.4.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from flask import has_request_context, request

from carboy.base.errors import SetupError
from carboy.web.headers import Choice, Pair, content_type

if TYPE_CHECKING:
    from carboy.web.bodies import Environ

__all__ = [
    "CLOSING",
    "PAGE",
    "Policy",
    "asked_by",
    "csp",
    "csp_nonce",
    "make_chooser",
    "merged",
    "nonce_of",
    "parse",
    "render",
    "with_nonce",
]

V = TypeVar("V", bound=Callable[..., Any])

Policy = Mapping[str, tuple[str, ...]]
"""Directive to sources, as in ``{"img-src": ("'self'", "data:")}``."""

PAGE: Policy = {
    "default-src": ("'none'",),
    "script-src": ("'self'",),
    "style-src": ("'self'",),
    "img-src": ("'self'", "data:"),  # data: icons in style sheets and small charts
    "font-src": ("'self'",),
    "connect-src": ("'self'",),
    "media-src": ("'self'",),
    "manifest-src": ("'self'",),
    "worker-src": ("'self'",),
    "object-src": ("'none'",),
    "base-uri": ("'none'",),
    "form-action": ("'self'",),
    "frame-ancestors": ("'none'",),
}
WITH_NONCE = ("script-src", "style-src")
WORKER: Policy = {
    "default-src": ("'none'",),
    "script-src": ("'self'",),
    "connect-src": ("'self'",),
    "worker-src": ("'self'",),
    "frame-ancestors": ("'none'",),
}
DATA: Policy = {"default-src": ("'none'",), "frame-ancestors": ("'none'",)}
VIEWER: Policy = {"frame-ancestors": ("'none'",)}

CLOSING: tuple[Pair, ...] = (
    # Another window cannot reach into ours. Sign-in pop-ups of other sites that talk
    # back through window.opener need "same-origin-allow-popups" on the opening page.
    ("Cross-Origin-Opener-Policy", "same-origin"),
    # Other sites cannot embed our answers. For a public image or font set "cross-origin".
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "browsing-topics=(), camera=(), geolocation=(), microphone=(), usb=()"),
    # Cross-Origin-Embedder-Policy is left out: with the page policy nothing foreign loads
    # anyway, and the day someone opens img-src it would still break every such image.
    # X-Frame-Options is left out: every browser since 2016 obeys frame-ancestors instead.
)

KEY = "carboy.csp_nonce"  # where the nonce of a request is kept, in the environ
ASKED = "_carboy_csp"  # the mark on a view
MARK = "\0"  # stands for the nonce in the prepared policy; no source can contain it
NONCE_BYTES = 16  # 128 bits. SPEC: CSP3 section 7.1
DIRECTIVE = re.compile(r"[a-z]+(?:-[a-z]+)*")
SOURCE = re.compile(r"[!-+\--:<-~]+")  # printable ASCII without space, comma and semicolon

HTML_TYPES = ("text/html", "application/xhtml")
SCRIPT_TYPES = ("text/javascript", "application/javascript", "application/x-javascript")


def nonce_of(environ: dict[str, Any]) -> str:
    """Return the nonce of this request, made at the first call.

    SECURITY: 128 bits from the system's source, new for every answer; URL-safe so
    that no template escapes it.
    """
    nonce: str | None = environ.get(KEY)
    if nonce is None:
        raw = os.urandom(NONCE_BYTES)
        nonce = environ[KEY] = base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=")
    return nonce


def csp_nonce() -> str:
    """Return the nonce of the current request, "" outside of one.

    In a template: ``<script nonce="{{ csp_nonce() }}">``.
    """
    return nonce_of(request.environ) if has_request_context() else ""


def csp(**sources: Any) -> Callable[[V], V]:
    """Add *sources* to the page policy of one view: ``@csp(img_src="https://img.example")``.

    Goes below ``@app.route``. The view is marked, not wrapped: async views stay async.
    Raises SetupError for what is no directive.
    """
    parsed = parse(sources)

    def mark(view: V) -> V:
        setattr(view, ASKED, merged(asked_by(view), parsed))
        return view

    return mark


def asked_by(view: object) -> Policy:
    """Return the sources that *view* was marked with by `csp`, mostly none."""
    asked: Policy = getattr(view, ASKED, {})
    return asked


def parse(sources: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return directives written in Python (``img_src="a b"`` or a list) as a Policy.

    Raises SetupError for what could end a directive: spaces within a source, ";", ",".
    """
    found: dict[str, tuple[str, ...]] = {}
    for name, given in sources.items():
        directive = name.replace("_", "-").lower()
        values = tuple(given.split()) if isinstance(given, str) else tuple(given)
        if not DIRECTIVE.fullmatch(directive) or not all(map(SOURCE.fullmatch, values)):
            raise SetupError(
                "csp.malformed",
                f"{name}={given!r} is not a directive of a Content-Security-Policy.",
                hint='Write csp(img_src="https://img.example"); several sources in a list.',
            )
        found[directive] = values
    return found


def merged(policy: Policy, more: Policy) -> dict[str, tuple[str, ...]]:
    """Return *policy* with the sources of *more* added; 'none' gives way."""
    result = dict(policy)
    for name, sources in more.items():
        kept = tuple(s for s in result.get(name, ()) if s != "'none'" and s not in sources)
        result[name] = (*kept, *sources)
    return result


def render(policy: Policy) -> str:
    """Return the header value of *policy*."""
    return "; ".join(" ".join((name, *sources)) for name, sources in policy.items())


def with_nonce(policy: Policy, nonce: str) -> dict[str, tuple[str, ...]]:
    """Return *policy* with the nonce where inline code may stand."""
    return merged(policy, dict.fromkeys(WITH_NONCE, (f"'nonce-{nonce}'",)))


def make_chooser(
    extra: Policy, always: tuple[Pair, ...], secure: tuple[Pair, ...], report_only: bool = False
) -> Choice:
    """Return the choice of headers by what an answer is.

    extra: sources that the application's set-up adds to the page policy.
    always: headers of every answer; secure: added to them over https.
    report_only: browsers report to their console and refuse nothing.
    """
    name = "Content-Security-Policy" + ("-Report-Only" if report_only else "")
    page = merged(PAGE, extra)
    rest = (always, (*always, *secure))  # indexed by tls
    data, viewer, script, plain = (
        (((name, render(policy)), *rest[False]), ((name, render(policy)), *rest[True]))
        for policy in (DATA, VIEWER, WORKER, page)
    )
    marked = render(with_nonce(page, MARK))

    def choose(ctx: Any, response: Any, tls: bool) -> tuple[Pair, ...]:
        kind = content_type(response.headers)
        if not kind.startswith(HTML_TYPES):
            table = script if kind.startswith(SCRIPT_TYPES) else data
            return (viewer if kind.startswith("application/pdf") else table)[tls]
        environ: Environ = ctx.environ
        asked = ctx.lane.notes.get("csp")
        if asked:
            policy = with_nonce(merged(page, asked), nonce_of(environ))
            return ((name, render(policy)), *rest[tls])
        if KEY in environ or response.is_streamed:  # a stream may ask after its headers left
            return ((name, marked.replace(MARK, nonce_of(environ))), *rest[tls])
        return plain[tls]

    return Choice(choose, data)
