"""Text from a client that no response header can carry: 400, not 500.

Werkzeug refuses line breaks in headers with a ValueError, `headers.check_sendable`
the rest; by itself that is a 500. It is the client's doing exactly when a text of
this request, bad character included, stands in the refused value; otherwise it is a
mistake of the program and stays a 500. CWE-113, response splitting.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any

from carboy.base.errors import RequestFault
from carboy.web.headers import UNSENDABLE, Unsendable

__all__ = ["client_fault"]

GUARD = "_str_header_value"  # Werkzeug's check; its argument is `value` (Werkzeug 3.0 to 3.1)


def client_fault(error: BaseException, request: Any) -> RequestFault | None:
    """Return the fault for *error* when the client caused it, else None."""
    if not isinstance(error, ValueError):
        return None
    value = error.value if isinstance(error, Unsendable) else _refused(error.__traceback__)
    if value is None or not any(text in value for text in _broken(_sent(request))):
        return None
    return RequestFault(
        400,
        "headers.unsendable",
        "A value of this request has a character that the answer cannot carry in a header.",
        hint="Remove line breaks, control characters and symbols from the values that are sent.",
    )


def _refused(trace: TracebackType | None) -> str | None:
    """Return the header value that Werkzeug refused, None for any other error."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None or trace.tb_frame.f_code.co_name != GUARD:
        return None
    return str(trace.tb_frame.f_locals.get("value", ""))


def _broken(texts: Iterable[str]) -> Iterator[str]:
    return (text for text in texts if UNSENDABLE.search(text))


def _sent(request: Any) -> Iterator[str]:
    """Yield the texts of *request* that have been read: nothing is parsed for this."""
    yield from map(str, (request.view_args or {}).values())
    yield from _texts(request.args.to_dict(flat=False))
    read = vars(request)
    if "form" in read:
        yield from _texts(read["form"].to_dict(flat=False))
    yield from _texts(dict(request.cookies))
    yield from _texts(list(read.get("_cached_json") or ()))


def _texts(data: Any) -> Iterator[str]:
    """Yield every text in *data*, however nested."""
    waiting = [data]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            waiting += [*item.keys(), *item.values()]
        elif isinstance(item, (list, tuple)):
            waiting += item
