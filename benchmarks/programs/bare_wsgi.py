"""Bare WSGI: the floor. Fixed answers, no parsing; fortunes is Jinja alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from jinja2 import Environment, FileSystemLoader

from benchmarks.programs import TEMPLATES, NotOffered
from benchmarks.workloads import FORTUNES, GREETING

TITLE = "bare WSGI"
KIND = "wsgi"
DISTRIBUTIONS: tuple[str, ...] = ()
SERVERS = ("granian-wsgi",)
TOKEN_FIELD = ""

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

ANSWERS = {
    "plaintext": ("text/plain; charset=utf-8", GREETING.encode()),
    "json": ("application/json", json.dumps({"message": GREETING}).encode()),
    "params": ("application/json", json.dumps({"user": 42, "order": "A-1001"}).encode()),
}


def build(workload: str) -> App:
    """Return the application for *workload*."""
    if workload == "fortunes":
        return _fortunes()
    if workload not in ANSWERS:
        raise NotOffered("a bare callable has no session")
    return _fixed(*ANSWERS[workload])


def _fixed(content_type: str, body: bytes) -> App:
    size = str(len(body))

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", content_type), ("Content-Length", size)])
        return [body]

    return app


def _fortunes() -> App:
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)
    template = environment.get_template("fortunes.html")

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        rows = sorted(FORTUNES, key=lambda row: row[1])
        body = template.render(fortunes=rows).encode()
        start_response(
            "200 OK",
            [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(body)))],
        )
        return [body]

    return app
