"""Django with the middleware of `startproject`, sessions in signed cookies."""

from __future__ import annotations

from typing import Any

from benchmarks.programs._django import MIDDLEWARE, application

TITLE = "Django, startproject middleware"
KIND = "wsgi"
DISTRIBUTIONS = ("django",)
SERVERS = ("granian-wsgi",)
TOKEN_FIELD = "csrfmiddlewaretoken"


def build(workload: str) -> Any:
    """Return the application for *workload*."""
    return application(workload, MIDDLEWARE)
