"""Drive one twin through its steps and write down everything that can be seen.

    observe(base, case)  ->  [what happened, line by line]
    compare(case)        ->  AssertionError with a diff when the twins differ

Seen are: status, headers in their order, body, propagated exceptions, log
records, warnings, the order of hooks, views and signals, and what is left over.
"""

from __future__ import annotations

import contextvars
import difflib
import logging
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from unittest import mock

import flask
from twins_acts import Log, Stop
from twins_build import declare, listen, patched
from twins_late import LATE
from twins_spec import Call, Case
from werkzeug.http import parse_cookie
from werkzeug.test import EnvironBuilder, run_wsgi_app

__all__ = ["BODIES", "compare", "observe"]

NOW_S = 1_767_225_600  # 2026-01-01, seconds: signatures and expiry dates are then alike

BODIES: dict[str, dict[str, Any]] = {
    "none": {},
    "form": {"data": {"a": "1", "é": "ü"}},
    "multipart": {
        "data": b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
        b'--x\r\nContent-Disposition: form-data; name="f"; filename="n.txt"\r\n\r\nfile'
        b"\r\n--x--\r\n",
        "content_type": "multipart/form-data; boundary=x",
    },
    "json": {"data": b'{"a": [1, 2]}', "content_type": "application/json"},
    "bad json": {"data": b'{"a": ', "content_type": "application/json"},
    "json as text": {"data": b"{}", "content_type": "text/plain"},
    "bytes": {"data": b"\xff\x00raw", "content_type": "application/octet-stream"},
    "broken multipart": {"data": b"--x\r\nbad", "content_type": "multipart/form-data; boundary=x"},
    "no boundary": {"data": b"--x\r\nbad", "content_type": "multipart/form-data"},
}
BLOTS = {
    "Carboy": "Flask",
    "<Context": "<RequestContext",
    "carboy.engine.context.AppGlobals": "flask.ctx.AppContext",
    "attribute 'vary'": "attribute 'headers'",  # where a hook's None is noticed
}
BY_NATURE = re.compile("|".join([r"0x[0-9a-f]{6,}", *map(re.escape, BLOTS)]))


class Records(logging.Handler):
    """Log records become lines of the observation."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self.log = log

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        self.log.append(f"record {record.levelname} {record.getMessage()} {error}")


def observe(base: type[flask.Flask], case: Case) -> list[str]:
    """Build the application of *case* on *base*, take its steps, return what was seen."""
    log: Log = []
    with _frozen(), warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", ResourceWarning)  # the garbage collector's time is its own
        with patched(case.app, log):
            try:
                app = declare(base, case.app, log)
            except Exception as error:
                return _clean([*log, f"cannot be built: {type(error).__name__} {error}"])
            _take(app, case, log)
        log += sorted(f"warning {w.category.__name__} {w.message}" for w in seen)
    return _clean(log)


class Now(datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        return datetime.fromtimestamp(NOW_S, tz)


@contextmanager
def _frozen() -> Iterator[None]:
    """Stop the clock where signatures and the expiry of cookies read it."""
    with mock.patch("time.time", return_value=NOW_S), mock.patch("flask.sessions.datetime", Now):
        yield


def compare(case: Case, flask_class: type[flask.Flask], ours: type[flask.Flask]) -> list[str]:
    """Return what both twins did; raise AssertionError with a diff when it is not the same."""
    expected, found = observe(flask_class, case), observe(ours, case)
    if expected != found:
        diff = "\n".join(difflib.unified_diff(expected, found, "Flask", "Carboy", lineterm="", n=6))
        raise AssertionError(f"The twins differ. Reproduce with compare(\n{case!r}\n)\n{diff}")
    return expected


def _take(app: flask.Flask, case: Case, log: Log) -> None:
    jar: dict[str, str] = {}
    records = Records(log)
    kept = app.logger.handlers[:], app.logger.propagate, app.logger.level
    app.logger.handlers[:], app.logger.propagate = [records], False
    try:
        with listen(app, case.app.signals, log):
            for number, step in enumerate(case.steps):
                log.append(f"--- {number} {step!r}")
                # In a context of its own: what one step leaves behind ends with it.
                contextvars.copy_context().run(_step, app, step, jar, log)
    finally:
        vars(app.session_interface).pop("get_cookie_name", None)  # it is shared by all applications
        app.logger.handlers[:], app.logger.propagate = kept[0], kept[1]
        app.logger.setLevel(kept[2])


def _step(app: flask.Flask, step: Any, jar: dict[str, str], log: Log) -> None:
    """One call or late act. What it raises, and contexts it leaves behind, are seen."""
    try:
        if isinstance(step, Call):
            VIA[step.via](app, step, jar, log)
        else:
            LATE[step.act](app, log)
    except (Exception, Stop) as error:
        log.append(f"raised {type(error).__name__} {error}")
    if flask.has_request_context() or flask.has_app_context():
        log.append(f"left over: {flask.has_request_context()} {flask.has_app_context()}")


def _environ(call: Call, jar: dict[str, str]) -> dict[str, Any]:
    builder = EnvironBuilder(
        path="/", method=call.method, headers=dict(call.headers), **BODIES[call.body]
    )
    try:
        environ = dict(builder.get_environ())
    finally:
        builder.close()
    # Raw, as a server would hand it over: odd bytes and hosts must arrive.
    environ |= {"PATH_INFO": call.path, "QUERY_STRING": call.query, "HTTP_HOST": call.host}
    environ["SERVER_NAME"], _, port = call.host.partition(":")
    environ["SERVER_PORT"] = port or "80"
    environ["REMOTE_ADDR"] = "127.0.0.1"
    if jar:
        environ.setdefault("HTTP_COOKIE", "; ".join(f"{k}={v}" for k, v in jar.items()))
    environ |= call.environ
    return {key: value for key, value in environ.items() if value is not None}


def _wsgi(app: flask.Flask, call: Call, jar: dict[str, str], log: Log) -> None:
    """As a server does: call, iterate, close."""

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        log.append(f"status {status!r}")
        log.extend(f"header {name}: {value}" for name, value in headers)
        _remember(headers, jar)
        return lambda data: log.append(f"write {data!r}")

    body: Iterable[bytes] = app(_environ(call, jar), start_response)
    try:
        log.append(f"body {b''.join(body)!r}")
    finally:
        if hasattr(body, "close"):
            body.close()


def _part(app: flask.Flask, call: Call, jar: dict[str, str], log: Log) -> None:
    """A client that goes away after the first piece."""
    body, status, headers = run_wsgi_app(app, _environ(call, jar))
    log.append(f"status {status!r} {list(headers)}")
    log.append(f"first {next(iter(body), None)!r}")
    if hasattr(body, "close"):
        body.close()


def _client(app: flask.Flask, call: Call, jar: dict[str, str], log: Log) -> None:
    """Flask's test client, which keeps cookies itself."""
    with app.test_client() as client:
        for name, value in jar.items():
            client.set_cookie(name, value)
        response = client.open(_environ(call, {}))
        log.append(f"client {response.status} {list(response.headers)} {response.data!r}")
        log.append(f"  still {flask.has_request_context()} {flask.request.endpoint}")
        log.append(f"  {flask.request.view_args} {dict(flask.session or {})} {sorted(flask.g)}")
        _remember(list(response.headers), jar)


def _follow(app: flask.Flask, call: Call, jar: dict[str, str], log: Log) -> None:
    client = app.test_client()
    response = client.open(_environ(call, jar), follow_redirects=True)
    shown = [(r.status, r.location) for r in response.history]
    log.append(f"followed {shown} {response.status} {response.data!r} {response.request.path}")


def _transaction(app: flask.Flask, call: Call, jar: dict[str, str], log: Log) -> None:
    """A test that changes the session before its request."""
    client = app.test_client()
    with client.session_transaction() as session:
        session["n"] = 41
    response = client.open(_environ(call, {}))
    log.append(f"client {response.status} {list(response.headers)} {response.data!r}")


def _inside(app: flask.Flask, call: Call, jar: dict[str, str], log: Log) -> None:
    """A request while an application context is pushed, as tests often do."""
    with app.app_context():
        flask.g.n = 7
        _wsgi(app, call, jar, log)
        log.append(f"outer g {sorted(flask.g)} {flask.g.get('n')}")


def _remember(headers: list[tuple[str, str]], jar: dict[str, str]) -> None:
    for name, value in headers:
        if name.lower() == "set-cookie":
            pair = value.partition(";")[0]
            for key, text in parse_cookie(pair).items():
                jar[key] = text
                if not text:
                    jar.pop(key)


VIA = {
    "wsgi": _wsgi,
    "part": _part,
    "client": _client,
    "follow": _follow,
    "transaction": _transaction,
    "inside": _inside,
}


def _clean(lines: list[str]) -> list[str]:
    """Blot out what differs by nature: addresses, and the names of our own classes."""
    return [BY_NATURE.sub(lambda found: BLOTS.get(found[0], "0x"), line) for line in lines]
