"""Django without any middleware."""

from __future__ import annotations

from typing import Any

from benchmarks.programs import NotOffered
from benchmarks.programs._django import application
from benchmarks.workloads import WITH_SESSION

TITLE = "Django, no middleware"
KIND = "wsgi"
DISTRIBUTIONS = ("django",)
SERVERS = ("granian-wsgi",)
TOKEN_FIELD = ""


def build(workload: str) -> Any:
    """Return the application for *workload*."""
    if workload in WITH_SESSION:
        raise NotOffered("sessions are a middleware")
    return application(workload, [])
