"""The log line of a request: built by hand, one write, safe from injection.

    finish(ctx, status, seconds, size)  ->  {"time": ..., "event": "request", ...}

    time    end of the request, RFC 3339, UTC, milliseconds
    level   "error" from status 500 up, else "info"
    id      request id; the answer carries it as X-Request-ID
    trace   W3C trace id, when the client sent a valid traceparent
    method path route endpoint status
    ms      from the first byte of Carboy to the closed response
    bytes   of the body, null when unknown
    remote  address of the client as the gate resolved it
    error   class of the exception behind a 5xx; code of a refusal behind a 4xx

The query string is not logged: it holds tokens and personal data. A line stays
under 4,096 bytes, so pipes do not mix lines of several workers.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from carboy.base import clock, ids
from carboy.observe.doors import DOOR

if TYPE_CHECKING:
    from carboy.observe.sink import Sink

__all__ = ["METHODS", "NOTE", "RequestLines", "escaped", "fragment", "path_text"]

PATH_CHARS = 1024  # of the escaped path; PIPE_BUF is 4,096 for the whole line
NAME_CHARS = 256  # of the escaped route and of the escaped endpoint
TARGETS = 2048  # texts of what was asked that are remembered, the first ones to come
KEPT_CHARS = 64  # of a path; longer ones rarely come again
REMOTES = 4096  # addresses remembered with their escaped form

METHODS = frozenset(
    ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY")
)

_MS = tuple(f'{ms:03d}Z","level":' for ms in range(1000))  # PERF: 0.2 us less than formatting

NOTE = "logs"  # the key in Lane.notes
_INFO, _ERROR = '"info","event":"request","id":"', '"error","event":"request","id":"'
NO_ROUTE = '"route":"-","endpoint":null,"status":'

_RESET, _DIM, _BOLD = "\x1b[0m", "\x1b[2m", "\x1b[1m"
_COLOURS = {2: "\x1b[32m", 3: "\x1b[36m", 4: "\x1b[33m", 5: "\x1b[31m"}  # by hundreds


class RequestLines:
    """Writes one line per finished request to a sink; silent before `set()`."""

    SILENT = 1000  # above every status

    def __init__(self) -> None:
        self.sink: Sink | None = None
        self.floor = self.SILENT
        self._second = (0, "")
        self._remotes: dict[str, str] = {}
        self._targets: dict[tuple[str, str, str], str] = {}

    def set(
        self,
        sink: Sink,
        *,
        text: bool = False,
        colour: bool = False,
        doors: bool = False,
        floor: int = 0,
    ) -> None:
        """Say where lines go and what they look like.

        text: readable lines for a person instead of JSON. colour: with ANSI colours.
        doors: a line for health checks and scrapes too.
        floor: the lowest status that gets a line; `SILENT` for none.
        """
        self.sink, self.floor = sink, floor
        self._text, self._colour, self._doors = text, colour, doors

    def write(self, ctx: Any, status: int, seconds: float, size: int) -> None:
        """Write the line of a finished request. size: bytes of the body, -1 unknown."""
        environ = ctx.environ
        route = ctx.lane.notes.get(NOTE) or self._fragment(ctx.lane, environ)
        sink = self.sink
        if status < self.floor or not route or sink is None:
            return
        if self._text:
            sink.write(self._readable(environ, status, seconds, size))
            return
        more = ""
        if "HTTP_TRACEPARENT" in environ or status >= 400:
            more = _more(ctx, environ, status)
        asked = (environ.get("REQUEST_METHOD", ""), environ.get("PATH_INFO", ""), route)
        who = (environ.get("carboy.id", ""), environ.get("REMOTE_ADDR", ""))
        sink.put(self._line, (clock.now_s(), who, asked, status, seconds, size, more))

    def _line(
        self,
        now: float,
        who: tuple[str, str],
        asked: tuple[str, str, str],
        status: int,
        seconds: float,
        size: int,
        more: str,
    ) -> bytes:
        """Return the line of a request from what was noted when it ended.

        who: (request id, address). asked: (method, path, fragment of the route).
        """
        # PERF: one f-string; json.dumps of the same line is 5 x.
        second, stamp = self._second
        if int(now) != second:
            second, stamp = self._turn(int(now))
        target = self._targets.get(asked) or self._target(asked)
        name, remote = who
        return (
            f"{stamp}{_MS[int((now - second) * 1000)]}"
            f'{_ERROR if status >= 500 else _INFO}{name}",'
            f'{target}{status},"ms":{seconds * 1000:.3f},'
            f'"bytes":{size if size >= 0 else "null"},'
            f'"remote":"{self._remotes.get(remote) or self._remember(remote)}"{more}}}\n'
        ).encode()

    def _target(self, asked: tuple[str, str, str]) -> str:
        """Return the members that say what was asked, and keep those of likely repeats."""
        method, path, route = asked
        if method not in METHODS:
            method = escaped(method, 24)
        target = f'"method":"{method}","path":"{escaped(path_text(path))}",{route}'
        # PERF: 0.3 us less for a path that comes again; strangers' paths are not kept.
        if len(self._targets) < TARGETS and route is not NO_ROUTE and len(path) <= KEPT_CHARS:
            self._targets[asked] = target
        return target

    def _readable(self, environ: dict[str, Any], status: int, seconds: float, size: int) -> bytes:
        """Return the line for a person: time, status, method, path, duration, size, id."""
        at = time.strftime("%H:%M:%S", time.localtime(clock.now_s()))
        method = escaped(environ.get("REQUEST_METHOD", ""), 24)
        path = escaped(path_text(environ.get("PATH_INFO", "")))
        body = f"{size:,} B" if size >= 0 else "?"
        tail = f"{seconds * 1000:.1f} ms  {body}  {environ.get('carboy.id', '')}"
        code = str(status)
        if self._colour:
            code = f"{_BOLD}{_COLOURS.get(status // 100, '')}{code}{_RESET}"
            at, tail = f"{_DIM}{at}{_RESET}", f"{_DIM}{tail}{_RESET}"
        return f"{at}  {code}  {method} {path}  {tail}\n".encode()

    def _fragment(self, lane: Any, environ: dict[str, Any]) -> str:
        """Return the fragment of a door, of no route, or "" when no line is wanted."""
        if lane.pattern != "-":  # an automatic OPTIONS answer, made after the seal
            made: str = lane.notes.setdefault(NOTE, fragment(lane.pattern, lane.endpoint))
            return made
        door = environ.get(DOOR)
        if door is None:
            return NO_ROUTE
        return fragment(door, None) if self._doors else ""

    def _turn(self, second: int) -> tuple[int, str]:
        """Return and keep the beginning of every line in *second*."""
        # PERF: strftime is 1.5 us, once a second. One tuple: threads see a whole pair.
        stamp = time.strftime('{"time":"%Y-%m-%dT%H:%M:%S.', time.gmtime(second))
        self._second = (second, stamp)
        return self._second

    def _remember(self, remote: str) -> str:
        if len(self._remotes) >= REMOTES:
            self._remotes.clear()
        safe = self._remotes[remote] = escaped(remote, 64)
        return safe


def fragment(pattern: str, endpoint: str | None) -> str:
    """Return the part of the line that is the same for every request of a route."""
    name = "null" if endpoint is None else f'"{escaped(endpoint, NAME_CHARS)}"'
    return f'"route":"{escaped(pattern, NAME_CHARS)}","endpoint":{name},"status":'


def escaped(text: str, limit: int = PATH_CHARS) -> str:
    """Return *text* as the inside of a JSON string, ASCII only, at most *limit* + 3 long.

    Nothing in the result can end the string or the line, or move a terminal.

    >>> escaped('a"b' + chr(10))
    'a\\\\"b\\\\n'
    """
    safe = json.dumps(text[:limit])[1:-1].replace("\x7f", "\\u007f")
    if len(safe) > limit:  # every character may have become six: \u0000
        safe = json.dumps(text[: limit // 6])[1:-1].replace("\x7f", "\\u007f") + "..."
    elif len(text) > limit:
        safe += "..."
    return safe


def path_text(path: str) -> str:
    """Return a WSGI path (latin-1 by PEP 3333) as the text the client meant."""
    return path.encode("latin-1", "replace").decode("utf-8", "replace")


def _more(ctx: Any, environ: dict[str, Any], status: int) -> str:
    """Return the members only some lines have: trace and error."""
    trace = ids.trace_id(environ.get("HTTP_TRACEPARENT", ""))
    reason = _reason(ctx.error, status) if status >= 400 else None
    return (f',"trace":"{trace}"' if trace else "") + (
        f',"error":"{escaped(reason, NAME_CHARS)}"' if reason else ""
    )


def _reason(error: Any, status: int) -> str | None:
    """Return the stable code of a refusal, or the class behind a failure."""
    fault = getattr(error, "fault", None) or error
    code = getattr(fault, "code", None)
    if isinstance(code, str):
        return code
    cause = getattr(error, "original_exception", None) or error
    if cause is None or status < 500 or getattr(cause, "response", None) is not None:
        return None
    kind = type(cause)
    return f"{kind.__module__}.{kind.__qualname__}"
