"""What a developer is told, on this machine only: the line, the request, the cause.

    page(ctx, error, story)   ->  values for carboy/dev.html: 404 with near routes,
                                  421, 405 and other faults with what to do
    broken(error, environ)    ->  values for the same page after an exception

SECURITY: shown only when debug is on, the peer is on loopback, and nobody relayed
the request. Headers come from an allow-list; the values of forms are left out.
"""

from __future__ import annotations

import difflib
import inspect
import linecache
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from carboy.base.errors import CarboyError
from carboy.web.causes import usual_cause
from carboy.web.csp import nonce_of

if TYPE_CHECKING:
    from carboy.web.stories import Story

__all__ = ["Frame", "broken", "frames_of", "is_local", "near_routes", "page"]

SHOWN = (
    "REQUEST_METHOD",
    "SCRIPT_NAME",
    "PATH_INFO",
    "SERVER_PROTOCOL",
    "HTTP_HOST",
    "HTTP_ACCEPT",
    "HTTP_USER_AGENT",
    "HTTP_REFERER",
    "HTTP_ORIGIN",
    "HTTP_SEC_FETCH_SITE",
    "CONTENT_TYPE",
    "CONTENT_LENGTH",
    "carboy.id",
)
"""Keys of the environ that hold no secret. Cookie, Authorization, query are not among them."""

PACKAGE = Path(__file__).parents[1]  # src/carboy, or where it is installed
AROUND = 4  # lines of source above and below the one that failed
FRAMES = 12  # of a traceback, the innermost


@dataclass(frozen=True)
class Frame:
    """One step of a traceback. lines: (number, text, is the failing one)."""

    file: str
    line: int
    function: str
    own: bool
    lines: tuple[tuple[int, str, bool], ...]


def is_local(environ: dict[str, Any]) -> bool:
    """Return whether the request comes straight from this machine.

    A request that somebody relayed is not local, whatever its address says.
    """
    peer = environ.get("REMOTE_ADDR") or ""
    return (peer.startswith("127.") or peer == "::1") and "carboy.relayed" not in environ


def page(ctx: Any, error: Any, story: Story) -> dict[str, Any] | None:
    """Return the values of the developer's page for an HTTP error, None for no such page."""
    original = getattr(error, "original_exception", None)
    if original is not None:
        return broken(original, ctx.environ, ctx.app.root_path)
    routes = near_routes(story.path, _rules(ctx.app)) if story.status == 404 else []
    badge = str(story.status) if story.code.startswith("http.") else f"{story.status} {story.code}"
    title = story.detail or story.title
    return _values(badge, title, story.hint, ctx.environ, routes=routes, story=story)


def broken(error: BaseException, environ: dict[str, Any], root: str = "") -> dict[str, Any]:
    """Return the values of the developer's page for an exception.

    root: folder of the application; its innermost frame is opened first.
    """
    cause = usual_cause(error)
    frames = frames_of(error.__traceback__, root)
    whole = "".join(traceback.format_exception(error))
    shown = _meant(error, root)
    shown = shown or next((frame for frame in reversed(frames) if frame.own), None)
    shown = shown or (frames[-1] if frames else None)
    more = {"frame": shown, "frames": frames, "trace": whole}
    if isinstance(error, CarboyError):
        return _values(f"500 {error.code}", error.message, cause, environ, **more)
    title = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return _values("500", title, cause, environ, **more)


def _meant(error: BaseException, root: str) -> Frame | None:
    """Return the function that the error is about, when it says so (`error.about`)."""
    about = getattr(error, "about", None)
    code = getattr(inspect.unwrap(about), "__code__", None) if callable(about) else None
    if code is None:
        return None
    file, line = code.co_filename, code.co_firstlineno
    return Frame(file, line, code.co_name, _is_own(file, root), _source(file, line))


def _values(
    badge: str, title: str, lead: str, environ: dict[str, Any], **more: Any
) -> dict[str, Any]:
    empty: dict[str, Any] = {"frame": None, "frames": (), "trace": "", "routes": (), "story": None}
    return (
        empty
        | more
        | {
            "badge": badge,
            "title": title,
            "lead": lead,
            "request": [(key, str(environ[key])) for key in SHOWN if environ.get(key)],
            "nonce": nonce_of(environ),
        }
    )


def frames_of(trace: TracebackType | None, root: str = "") -> list[Frame]:
    """Return the steps of *trace*, outermost first; own: the file lies under *root*."""
    steps = traceback.extract_tb(trace)[-FRAMES:]
    return [
        Frame(
            file=step.filename,
            line=step.lineno or 0,
            function=step.name,
            own=_is_own(step.filename, root),
            lines=_source(step.filename, step.lineno or 0),
        )
        for step in steps
    ]


def near_routes(path: str, patterns: Iterable[str], most: int = 6) -> list[str]:
    """Return the patterns most like *path*, best first.

    >>> near_routes("/user", ["/users/<int:id>", "/users", "/about"])
    ['/users', '/users/<int:id>']
    """
    known = sorted(set(patterns))
    scored = [(difflib.SequenceMatcher(None, path, pattern).ratio(), pattern) for pattern in known]
    return [pattern for score, pattern in sorted(scored, reverse=True) if score > 0.5][:most]


def _rules(app: Any) -> list[str]:
    return [str(rule.rule) for rule in app.url_map.iter_rules()]


def _is_own(file: str, root: str) -> bool:
    """Return whether *file* is the application's: neither a library nor this package."""
    path = Path(file)
    if "site-packages" in path.parts or path.is_relative_to(PACKAGE):
        return False
    return not root or path.is_relative_to(root)


def _source(file: str, line: int) -> tuple[tuple[int, str, bool], ...]:
    """Return the lines around *line* of *file*, none when it cannot be read."""
    numbers = range(max(1, line - AROUND), line + AROUND + 1)
    texts = ((number, linecache.getline(file, number)) for number in numbers)
    return tuple((number, text.rstrip("\n"), number == line) for number, text in texts if text)
