"""Where to go after signing in: only to a page of this application.

?next=/orders/7  ->  local_path()  ->  "/orders/7", or "" for whatever else it may be
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

__all__ = ["LONGEST", "local_path"]

LONGEST = 2_000  # characters; longer ones are no page of ours
# SECURITY: browsers drop tabs and line ends, and read "\" as "/": none of these may come.
FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\x9f\\]")


def local_path(given: str | None, request: Any, adapter: Any) -> str:
    """Return *given* when it is the path of a page of this application, else "".

    A path begins with one "/", has no "//" and no ".." before its query, holds no
    backslash, space or control character, and leads to a route that answers GET.
    adapter: the URL adapter of *request*.
    """
    if not given or len(given) > LONGEST or not given.startswith("/"):
        return ""
    if FORBIDDEN.search(given):
        return ""
    try:
        parts = urlsplit(given)
        if parts.scheme or parts.netloc or "//" in parts.path or ".." in parts.path.split("/"):
            return ""
    except ValueError:
        return ""
    root: str = request.script_root.rstrip("/")
    if root and parts.path != root and not parts.path.startswith(root + "/"):
        return ""
    return given if _leads_somewhere(parts.path[len(root) :] or "/", adapter) else ""


def _leads_somewhere(path: str, adapter: Any) -> bool:
    if adapter is None:
        return False
    try:
        adapter.match(path, method="GET")
    except RequestRedirect:  # to its own spelling, with the slash
        return True
    except (HTTPException, ValueError):
        return False
    return True
