"""Request ids and trace ids: what ties an answer to its log line.

    new_id()                     ->  "5f0c6d1e9a7b3342-00001f"   ours
    accepted(header)             ->  the client's own id, when its form is harmless
    trace_id(traceparent)        ->  the W3C trace the request belongs to

An id is a random prefix of the process (64 bits) and a counter: unique over
threads, processes and machines, sortable within a process, and ten times
cheaper than a UUID. It is a name, not a secret: never use it as a token.
"""

from __future__ import annotations

import itertools
import os
import re
import secrets

__all__ = ["accepted", "new_id", "trace_id"]

_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{8,64}", re.ASCII)
_TRACEPARENT = re.compile(
    r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?", re.ASCII
)

_prefix = ""
_count = itertools.count(1)


def new_id() -> str:
    """Return an id no other call returns: 16 hex digits, "-", a counter.

    Safe from any thread, and after a fork (the child draws a new prefix).
    """
    # PERF: 0.15 us; uuid4().hex is 2.3 us. next() of a count is atomic.
    return _prefix + "%06x" % next(_count)  # noqa: UP031 - a format spec in an f-string is 0.1 us more


def accepted(header: str | None) -> str | None:
    """Return *header* when it may serve as a request id, else None.

    Accepted are 8 to 64 characters out of ``A-Z a-z 0-9 . _ -``: nothing that
    could end a header, a log line or a quoted string.

    >>> accepted("0b1c-2d3e4f5a")
    '0b1c-2d3e4f5a'
    >>> accepted("two words") is None
    True
    """
    return header if header and _ACCEPTED.fullmatch(header) else None


def trace_id(traceparent: str) -> str | None:
    """Return the trace id (32 hex digits) of a `traceparent` header, else None.

    Source: W3C Trace Context, section 3.2. Version ff, an all-zero trace or
    parent id, and anything behind the flags in version 00 are invalid.

    >>> trace_id("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    '4bf92f3577b34da6a3ce929d0e0e4736'
    """
    match = _TRACEPARENT.fullmatch(traceparent)
    if match is None:
        return None
    version, trace, parent, more = match.groups()
    if version == "ff" or (version == "00" and more):
        return None
    return trace if trace.strip("0") and parent.strip("0") else None


def _reseed() -> None:
    """Draw a new prefix; a forked child must not repeat its parent's ids."""
    global _prefix, _count
    _prefix = secrets.token_hex(8) + "-"
    _count = itertools.count(1)


_reseed()
os.register_at_fork(after_in_child=_reseed)
