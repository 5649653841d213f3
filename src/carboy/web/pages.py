"""Errors that nobody handles become an answer: a page, or a problem document.

    fault_renderer(ctx, error)  ->  tell()  ->  Story
        wants_page()?  yes: carboy/error.html, the application's or ours     text/html
                       no:  RFC 9457                              application/problem+json

The page needs no database, session, static file or context: it must come out when
all of these are down. Ours is rendered by an environment of its own; a template
``carboy/error.html`` of the application replaces it.
"""

from __future__ import annotations

import functools
import json
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from werkzeug.exceptions import BadRequest

from carboy.web import csp, dev
from carboy.web.negotiate import wants_page
from carboy.web.stories import Story, for_people, problem, tell
from carboy.web.unsendable import client_fault

if TYPE_CHECKING:
    from carboy.base.errors import RequestFault

__all__ = ["PROBLEM", "TEMPLATE", "Renderer", "catcher", "templates"]

PROBLEM = "application/problem+json"
HTML = "text/html; charset=utf-8"
TEMPLATE = "carboy/error.html"
FOLDER = Path(__file__).parent / "templates"

AGAIN = frozenset((408, 429, 500, 502, 503, 504))  # a second try may help


@functools.cache
def templates() -> jinja2.Environment:
    """Return the environment of our own pages; made at the first error."""
    loader = jinja2.FileSystemLoader(FOLDER)
    return jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip


def catcher(wsgi_app: Any, root: str = "") -> Any:
    """Return *wsgi_app* with a developer's page for what it lets through.

    With debug on Flask raises exceptions to the server, where a debugger may take
    them; this is the page for servers without one. root: the application's folder.
    Only visitors on this machine get it; for others the exception goes on.
    """

    def call(environ: dict[str, Any], start_response: Any) -> Any:
        try:
            return wsgi_app(environ, start_response)
        except Exception as error:
            if not dev.is_local(environ):
                raise
            traceback.print_exc(file=environ["wsgi.errors"])
            page = dev.broken(error, environ, root)
            body = templates().get_template("carboy/dev.html").render(page).encode()
            policy = csp.render(csp.with_nonce(csp.PAGE, page["nonce"]))
            headers = [("Content-Type", HTML), ("Content-Security-Policy", policy)]
            start_response("500 Internal Server Error", headers, sys.exc_info())
            return [body]

    return call


class Renderer:
    """`app.fault_renderer`: answers an HTTP error from 400 up that has no handler.

    debug: also say to visitors on this machine what is near, and why (`dev`).
    programs: beginnings of addresses that only programs read: no pages there.
    """

    def __init__(self, debug: bool = False) -> None:
        self.debug = debug
        self.programs: tuple[str, ...] = ()

    def __call__(self, ctx: Any, error: Any) -> Any:
        """Return the response, None when the error carries its own."""
        if getattr(error, "response", None) is not None:
            return None
        error = _as_client_error(ctx, error)
        environ = ctx.environ
        story = tell(error, environ)
        if environ.get("PATH_INFO", "").startswith(self.programs) or not wants_page(environ):
            body, kind = json.dumps(problem(story)), PROBLEM
        else:
            body, kind = self._page(ctx, error, story), HTML
        response = ctx.app.response_class(body, status=story.status, content_type=kind)
        _finish(response, story)
        return response

    def _page(self, ctx: Any, error: Any, story: Story) -> str:
        if self.debug and dev.is_local(ctx.environ):
            page = dev.page(ctx, error, story)
            if page is not None:
                return templates().get_template("carboy/dev.html").render(page)
        return _public_page(ctx.app, story, ctx.environ)


def _as_client_error(ctx: Any, error: Any) -> Any:
    """Return *error*, or the 400 it should be when the client broke a header."""
    original = getattr(error, "original_exception", None)
    fault = None if original is None else client_fault(original, ctx.request)
    return error if fault is None else _http(fault)


def _http(fault: RequestFault) -> Any:
    error = BadRequest(fault.message)
    error.fault = fault  # type: ignore[attr-defined]  # read by tell()
    return error


def _public_page(app: Any, story: Story, environ: dict[str, Any]) -> str:
    """Return the page of the application, or ours when it has none or it breaks."""
    values = {
        "story": for_people(story),
        "again": story.status in AGAIN and environ.get("REQUEST_METHOD") in ("GET", "HEAD"),
        "home": environ.get("SCRIPT_NAME", "") + "/",
        "nonce": csp.nonce_of(environ),
    }
    own = _own_template(app)
    if own is not None:
        try:
            return own.render(values)
        except Exception:
            app.logger.exception("The template %s of this application failed", TEMPLATE)
    return templates().get_template(TEMPLATE).render(values)


def _own_template(app: Any) -> jinja2.Template | None:
    """Return the application's ``carboy/error.html``; Jinja caches it."""
    try:
        template: jinja2.Template = app.jinja_env.get_template(TEMPLATE)
    except jinja2.TemplateNotFound:
        return None
    except Exception:
        app.logger.exception("The template %s of this application cannot be read", TEMPLATE)
        return None
    return template


def _finish(response: Any, story: Story) -> None:
    """Add the headers of the error; an error is never kept by a cache."""
    for name, value in story.headers:
        response.headers[name] = value
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.add("Vary", "Accept")
