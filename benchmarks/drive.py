"""Call an application as a server would, without a server.

    Wsgi(app) | Asgi(app)  ->  .send(shot) -> Answer     .turn(shot, count) -> CPU seconds

A WSGI application gets a fresh environ and body each time; its answer is
iterated and closed. An ASGI application runs its lifespan once and is awaited
inside a running asyncio loop, with a fresh scope each time: no task is made per
request, which favours ASGI. `Tasks` makes one, on uvloop, as a server must.
"""

from __future__ import annotations

import asyncio
import io
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Protocol

from benchmarks.workloads import Answer, Shot, Wrong

__all__ = ["Asgi", "Driver", "Tasks", "Wsgi", "driver"]

Wsgi_app = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Message = MutableMapping[str, Any]
Asgi_app = Callable[
    [Any, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]

SERVER = ("127.0.0.1", 8000)
CLIENT = ("127.0.0.1", 40404)


class Driver(Protocol):
    """What the worker needs of an application."""

    def send(self, shot: Shot) -> Answer: ...
    def turn(self, shot: Shot, count: int) -> float: ...


def driver(kind: str, app: Any) -> Driver:
    """Return the driver for *kind*: "wsgi", "asgi" or "asgi-tasks"."""
    kinds: dict[str, Callable[[Any], Driver]] = {"wsgi": Wsgi, "asgi": Asgi, "asgi-tasks": Tasks}
    return kinds[kind](app)


class Wsgi:
    """Drives a WSGI application (PEP 3333)."""

    def __init__(self, app: Wsgi_app) -> None:
        self.app = app
        self.started: list[Any] = ["", []]

    def send(self, shot: Shot) -> Answer:
        """Send one request and return the whole answer."""
        result = self.app(self.environ(shot), self.start_response)
        try:
            body = b"".join(result)
        finally:
            getattr(result, "close", lambda: None)()
        status, headers = self.started
        return Answer(int(status[:3]), tuple(headers), body)

    def turn(self, shot: Shot, count: int) -> float:
        """Send *shot* *count* times; return the CPU seconds of this process."""
        app, start_response, body = self.app, self.start_response, shot.body
        template, buffer = self.environ(shot), io.BytesIO
        began = time.process_time()
        for _ in range(count):
            environ = template.copy()
            environ["wsgi.input"] = buffer(body)
            result = app(environ, start_response)
            for _chunk in result:
                pass
            close = getattr(result, "close", None)
            if close is not None:
                close()
        seconds = time.process_time() - began
        if self.started[0][:3] != "200":
            raise Wrong(f"status turned into {self.started[0]!r} under repetition")
        return seconds

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        """Keep status and headers; there is no `write` to speak of."""
        self.started = [status, headers]
        return lambda data: None

    def environ(self, shot: Shot) -> dict[str, Any]:
        """Return a new environ for *shot*, with the keys Granian gives."""
        environ: dict[str, Any] = {
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SERVER_SOFTWARE": "bench",
            "SERVER_NAME": SERVER[0],
            "SERVER_PORT": str(SERVER[1]),
            "REMOTE_ADDR": CLIENT[0],
            "REMOTE_PORT": str(CLIENT[1]),
            "REQUEST_METHOD": shot.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": shot.path,
            "QUERY_STRING": shot.query,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(shot.body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        environ.update((_wsgi_name(name), value) for name, value in shot.headers)
        return environ


class Asgi:
    """Drives an ASGI 3 application in a loop of its own."""

    def __init__(self, app: Asgi_app) -> None:
        self.app = app
        self.loop = self.new_loop()
        self.status = 0
        self.state: dict[str, Any] = {}
        self.loop.run_until_complete(self._start())

    def new_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop that everything here runs in."""
        return asyncio.new_event_loop()

    def send(self, shot: Shot) -> Answer:
        """Send one request and return the whole answer."""
        messages: list[Message] = []

        async def send(message: Message) -> None:
            messages.append(message)

        self.loop.run_until_complete(self._call(shot, send))
        headers = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in messages[0]["headers"]]
        body = b"".join(message.get("body", b"") for message in messages[1:])
        return Answer(messages[0]["status"], tuple(headers), body)

    def turn(self, shot: Shot, count: int) -> float:
        """Send *shot* *count* times; return the CPU seconds of this process."""
        seconds = self.loop.run_until_complete(self._turn(shot, count))
        if self.status != 200:
            raise Wrong(f"status turned into {self.status} under repetition")
        return seconds

    async def _turn(self, shot: Shot, count: int) -> float:
        app, template, body = self.app, self.scope(shot), shot.body
        headers, state = template["headers"], self.state
        forever = asyncio.Event()

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]

        began = time.process_time()
        for _ in range(count):
            scope = template.copy()
            scope["headers"] = headers.copy()
            scope["state"] = state.copy()
            await app(scope, _Receive(body, forever), send)
        return time.process_time() - began

    async def _call(self, shot: Shot, send: Callable[[Message], Awaitable[None]]) -> None:
        await self.app(self.scope(shot), _Receive(shot.body, asyncio.Event()), send)

    async def _start(self) -> None:
        """Run the lifespan up to its start; an application may have none."""
        ready, inbox = asyncio.Event(), asyncio.Queue[Message]()
        failed: list[str] = []

        async def send(message: Message) -> None:
            if message["type"].endswith("failed"):
                failed.append(message.get("message", "start-up failed"))
            ready.set()

        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": self.state}
        self._lifespan = asyncio.ensure_future(self.app(scope, inbox.get, send))
        inbox.put_nowait({"type": "lifespan.startup"})
        waiting = asyncio.ensure_future(ready.wait())
        await asyncio.wait({waiting, self._lifespan}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if failed:
            raise Wrong(failed[0])

    def scope(self, shot: Shot) -> dict[str, Any]:
        """Return a new scope for *shot*, with the keys uvicorn gives."""
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": shot.method,
            "scheme": "http",
            "path": shot.path,
            "raw_path": shot.path.encode(),
            "query_string": shot.query.encode(),
            "root_path": "",
            "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in shot.headers],
            "client": CLIENT,
            "server": SERVER,
            "state": self.state.copy(),
        }


class Tasks(Asgi):
    """As Asgi, but each request is a task of its own, as under every server.

    The next request is made when the loop comes round to it: one pass of uvloop
    per request, where a server's would begin with what the socket has to say.
    """

    def new_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop that fast servers use."""
        import uvloop

        return uvloop.new_event_loop()

    async def _turn(self, shot: Shot, count: int) -> float:
        app, template, body = self.app, self.scope(shot), shot.body
        headers, state, loop = template["headers"], self.state, asyncio.get_running_loop()
        forever, sleep = asyncio.Event(), asyncio.sleep

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]

        async def request(scope: dict[str, Any]) -> None:
            await app(scope, _Receive(body, forever), send)

        began = time.process_time()
        for _ in range(count):
            scope = template.copy()
            scope["headers"] = headers.copy()
            scope["state"] = state.copy()
            task = loop.create_task(request(scope))
            await sleep(0)  # the task runs; none of our views waits for anything
        seconds = time.process_time() - began
        await task
        return seconds


class _Receive:
    """The receiving end of one request: its body once, then silence."""

    __slots__ = ("body", "forever")

    def __init__(self, body: bytes, forever: asyncio.Event) -> None:
        self.body: bytes | None = body
        self.forever = forever

    async def __call__(self) -> Message:
        if self.body is None:
            await self.forever.wait()
        body, self.body = self.body, None
        return {"type": "http.request", "body": body or b"", "more_body": False}


def _wsgi_name(header: str) -> str:
    name = header.upper().replace("-", "_")
    return name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"
