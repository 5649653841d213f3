"""Falcon's WSGI side; it has no session of its own."""

from __future__ import annotations

from typing import Any

from falcon import MEDIA_HTML, MEDIA_TEXT, App, Request, Response
from jinja2 import Environment, FileSystemLoader

from benchmarks.programs import TEMPLATES, NotOffered, routes
from benchmarks.workloads import FORTUNES, GREETING, WITH_SESSION

TITLE = "Falcon"
KIND = "wsgi"
DISTRIBUTIONS = ("falcon",)
SERVERS = ("granian-wsgi",)
TOKEN_FIELD = ""

template = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True).get_template(
    "fortunes.html"
)


def build(workload: str) -> Any:
    """Return the application for *workload*."""
    if workload in WITH_SESSION:
        raise NotOffered("no session in the box")
    app = App()
    if workload == "params":
        for path, measured in routes("{NAME:int}", "{NAME}"):
            app.add_route(path, Order() if measured else Other())
    else:
        app.add_route(f"/{workload}", _RESOURCES[workload]())
    return app


class Plaintext:
    def on_get(self, request: Request, response: Response) -> None:
        response.content_type = MEDIA_TEXT
        response.text = GREETING


class Json:
    def on_get(self, request: Request, response: Response) -> None:
        response.media = {"message": GREETING}


class Order:
    def on_get(self, request: Request, response: Response, id: int, order_id: str) -> None:
        response.media = {"user": id, "order": order_id}


class Other:
    def on_get(self, request: Request, response: Response, id: int, order_id: str = "") -> None:
        response.media = {"area": id, "part": order_id}


class Fortunes:
    def on_get(self, request: Request, response: Response) -> None:
        response.content_type = MEDIA_HTML
        response.text = template.render(fortunes=sorted(FORTUNES, key=lambda row: row[1]))


_RESOURCES: dict[str, type] = {"plaintext": Plaintext, "json": Json, "fortunes": Fortunes}
