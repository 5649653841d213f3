"""Carboy as it comes, all default batteries on."""

from __future__ import annotations

from typing import Any

from benchmarks.programs._carboy import application

TITLE = "Carboy"
KIND = "wsgi"
DISTRIBUTIONS = ("carboy",)
SERVERS = ("granian-wsgi",)
TOKEN_FIELD = ""


def build(workload: str) -> Any:
    """Return the application for *workload*."""
    return application(workload, "default")
