"""BlackSheep; sessions in its own signed cookies, only where they are used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from blacksheep import Application, FromForm, Request, Response, html, json, text
from jinja2 import Environment, FileSystemLoader

from benchmarks.programs import SECRET, TEMPLATES, routes
from benchmarks.workloads import FORTUNES, GREETING, WITH_SESSION

TITLE = "BlackSheep"
KIND = "asgi"
DISTRIBUTIONS = ("blacksheep",)
SERVERS = ("uvicorn", "granian-asgi")
TOKEN_FIELD = ""

template = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True).get_template(
    "fortunes.html"
)


class Contact:
    """The four fields."""

    def __init__(self, name: str, email: str, topic: str, message: str) -> None:
        self.name, self.email, self.topic, self.message = name, email, topic, message


def build(workload: str) -> Application:
    """Return the application for *workload*."""
    app = Application()
    if workload in WITH_SESSION:
        app.use_sessions(SECRET)
        app.router.add_get("/begin", begin)
    if workload == "params":
        for path, measured in routes("{int:NAME}", "{NAME}"):
            view = order if measured else other if "order_id" in path else area
            app.router.add_get(path, view)
    elif workload == "form":
        app.router.add_post("/form", form)
    else:
        app.router.add_get(f"/{workload}", _VIEWS[workload])
    return app


async def order(id: int, order_id: str) -> Response:
    return json({"user": id, "order": order_id})


async def other(id: int, order_id: str) -> Response:
    return json({"area": id, "part": order_id})


async def area(id: int) -> Response:
    return json({"area": id})


async def plaintext() -> Response:
    return text(GREETING)


async def greeting() -> Response:
    return json({"message": GREETING})


async def fortunes() -> Response:
    return html(template.render(fortunes=sorted(FORTUNES, key=lambda row: row[1])))


async def begin(request: Request) -> Response:
    request.session["name"] = "Ada"
    return text("")


async def form(request: Request, data: FromForm[Contact]) -> Response:
    request.session["name"] = data.value.name
    request.session["topic"] = data.value.topic
    return text(f"Thank you, {data.value.name}.")


async def touch(request: Request, q: str) -> Response:
    agent = request.get_first_header(b"User-Agent") or b""
    parts = (
        request.session["name"],
        q,
        request.method,
        agent.decode(),
        request.path,
        request.host,
    )
    return text(" ".join(parts))


_VIEWS: dict[str, Callable[..., Any]] = {
    "plaintext": plaintext,
    "json": greeting,
    "fortunes": fortunes,
    "touch": touch,
}
