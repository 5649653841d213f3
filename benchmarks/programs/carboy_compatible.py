"""Carboy with the batteries that change no answer's meaning."""

from __future__ import annotations

from typing import Any

from benchmarks.programs._carboy import application

TITLE = "Carboy, compatible"
KIND = "wsgi"
DISTRIBUTIONS = ("carboy",)
SERVERS = ("granian-wsgi",)
TOKEN_FIELD = ""


def build(workload: str) -> Any:
    """Return the application for *workload*."""
    return application(workload, "compatible")
