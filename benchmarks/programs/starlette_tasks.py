"""Starlette again, with a task per request: what it costs under any server."""

from __future__ import annotations

from typing import Any

from benchmarks.programs import starlette

TITLE = "Starlette, a task per request"
KIND = "asgi-tasks"
DISTRIBUTIONS = ("starlette", "uvloop")
SERVERS: tuple[str, ...] = ()  # it is Starlette there
TOKEN_FIELD = ""


def build(workload: str) -> Any:
    """Return the application for *workload*."""
    return starlette.build(workload)
