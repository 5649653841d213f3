"""The end of a request: closers learn the status, the time and the size.

A finished answer is done when it is handed over; a stream when it is closed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from carboy.base.clock import ticks_s

__all__ = ["done", "follow"]


def done(plan: Any, ctx: Any, status: int, size: int) -> None:
    """Call every closer once. What a closer raises is logged, never sent.

    size: bytes of the body; -1 when nobody counted.
    """
    seconds = ticks_s() - ctx.started
    for closer in plan.finish:
        try:
            closer(ctx, status, seconds, size)
        except Exception:
            plan.app.logger.exception("A closer failed after the request was answered")


def follow(plan: Any, ctx: Any, response: Any, body: Iterable[bytes]) -> Iterable[bytes]:
    """Return *body*, with the closers called now or when it has been sent."""
    status = response._status_code
    if type(body) is list:  # `send` gives a list of one text when nothing is left to do
        done(plan, ctx, status, len(body[0]))
        return body
    if getattr(response, "direct_passthrough", False):
        # The server may send the file by itself, if it gets the wrapper untouched.
        done(plan, ctx, status, response.content_length or -1)
        return body
    size = _size_known(ctx, response, status)
    if size is not None:  # closing it teaches nothing, and a test client may never do it
        done(plan, ctx, status, size)
        return body
    return _Followed(plan, ctx, status, body)


def _size_known(ctx: Any, response: Any, status: int) -> int | None:
    """Return the bytes of a whole body that Werkzeug is about to send, else None.

    Flask turns an HTTPException into an iterator that has a length.
    """
    whole = response.is_sequence
    size = response.calculate_content_length() if whole else response.content_length
    if size is None or not (whole or ctx.error is not None):
        return None
    silent = ctx.environ.get("REQUEST_METHOD") == "HEAD" or status < 200 or status in (204, 304)
    return 0 if silent else int(size)


class _Followed:
    """A streamed body that counts its bytes and tells when it is closed."""

    def __init__(self, plan: Any, ctx: Any, status: int, body: Iterable[bytes]) -> None:
        self.plan, self.ctx, self.status, self.body = plan, ctx, status, body
        self.size = 0
        self.open = True

    def __iter__(self) -> Iterator[bytes]:
        for part in self.body:
            self.size += len(part)
            yield part

    def close(self) -> None:
        """Close the body; the closers run once, whatever it raises."""
        try:
            close = getattr(self.body, "close", None)
            if close is not None:
                close()
        finally:
            if self.open:
                self.open = False
                done(self.plan, self.ctx, self.status, self.size)
