"""Standard logging in the shape of the request lines.

    logging.getLogger(...).info("sent", extra={...})
        ->  {"time": ..., "level": "info", "event": "log", "id": <request>, ...}

`install()` gives the root logger a handler when nobody has; a program that
configured logging keeps what it has. Values under secret names in `extra` are
masked, and so are passwords in URLs.
"""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any

from flask import has_request_context, request
from flask.logging import default_handler

from carboy.observe.redact import MASK, is_secret, masked, scrubbed

if TYPE_CHECKING:
    from carboy.observe.sink import Sink

__all__ = ["JsonFormatter", "SinkHandler", "TextFormatter", "install", "request_id", "uninstall"]

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_OURS = frozenset(("time", "level", "event", "id", "logger", "exception", "stack"))


class JsonFormatter(logging.Formatter):
    """One line of JSON per record.

    Members: time, level, event ("log"), id (of the current request, if any),
    logger, message, then the `extra` fields, exception and stack as text.
    An extra field that has the name of a member gets "extra_" before it.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its newline."""
        line: dict[str, Any] = {
            "time": _moment(record.created),
            "level": record.levelname.lower(),
            "event": "log",
            "id": request_id(),
            "logger": record.name,
            "message": scrubbed(record.getMessage()),
        }
        if line["id"] is None:
            del line["id"]
        line.update(_extras(record))
        if record.exc_info and record.exc_info[0]:
            line["exception"] = scrubbed(self.formatException(record.exc_info))
        if record.stack_info:
            line["stack"] = record.stack_info
        return _one_line(line)


class TextFormatter(logging.Formatter):
    """A line for a person: time, level, logger, message, extras; then the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the text; control characters of the message are shown, not obeyed."""
        at = time.strftime("%H:%M:%S", time.localtime(record.created))
        message = _visible(scrubbed(record.getMessage()))
        extras = "".join(f"  {name}={value!r}" for name, value in _extras(record).items())
        text = f"{at}  {record.levelname:<7}  {record.name}: {message}{_visible(extras)}"
        if record.exc_info and record.exc_info[0]:
            text += "\n" + scrubbed(self.formatException(record.exc_info))
        return text + (f"\n{record.stack_info}" if record.stack_info else "")


class SinkHandler(logging.Handler):
    """Writes each record to a sink; a failure is counted there, never raised."""

    def __init__(self, sink: Sink, formatter: logging.Formatter) -> None:
        super().__init__()
        self.sink = sink
        self.setFormatter(formatter)

    def emit(self, record: logging.LogRecord) -> None:
        """Write *record* as one line."""
        try:
            line = self.format(record)
        except Exception:  # wrong arguments of a log call must not end the request
            self.handleError(record)
            return
        self.sink.write(line.encode("utf-8", "backslashreplace") + b"\n")
        self.sink.flush(wait=False)  # what somebody says may be the last thing they say


def install(handler: SinkHandler, app_logger: logging.Logger, level: str) -> bool:
    """Give the root logger *handler* and *level* unless somebody configured it.

    Flask's own default handler leaves *app_logger* then, or each of its records
    would be written twice. Returns whether the handler is in place.
    """
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, SinkHandler)]:
        root.removeHandler(old)  # a second seal, or a second application
    if root.handlers:
        return False
    root.addHandler(handler)
    root.setLevel(level)
    app_logger.removeHandler(default_handler)
    return True


def uninstall(handler: SinkHandler) -> None:
    """Take *handler* off the root logger again."""
    logging.getLogger().removeHandler(handler)


def request_id() -> str | None:
    """Return the id of the request this thread or task works for, else None."""
    return request.environ.get("carboy.id") if has_request_context() else None


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    """Return what came in `extra`, masked, under names that hide no member."""
    found = {}
    for name, value in vars(record).items():
        if name not in _STANDARD:
            key = f"extra_{name}" if name in _OURS else name
            found[key] = MASK if is_secret(name) else masked(value)
    return found


def _one_line(line: dict[str, Any]) -> str:
    try:
        return json.dumps(line, default=_plain, separators=(",", ":"))
    except (ValueError, TypeError, RecursionError):
        return json.dumps({name: _plain(value) for name, value in line.items()})


def _plain(value: Any) -> str:
    """Return *value* as text, whatever its repr does."""
    try:
        return scrubbed(str(value))
    except Exception as error:  # a broken __str__ must not lose the record
        return f"<{type(value).__name__}: {type(error).__name__} in __str__>"


def _moment(seconds: float) -> str:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{stamp}.{int(seconds % 1 * 1000):03d}Z"


def _visible(text: str) -> str:
    """Return *text* with line breaks and control characters written out."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
