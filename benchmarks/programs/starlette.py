"""Starlette; sessions by its own SessionMiddleware, only where they are used."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from benchmarks.programs import SECRET, TEMPLATES, routes
from benchmarks.workloads import FORTUNES, GREETING, WITH_SESSION

TITLE = "Starlette"
KIND = "asgi"
DISTRIBUTIONS = ("starlette", "python-multipart")
SERVERS = ("uvicorn", "granian-asgi")
TOKEN_FIELD = ""

View = Callable[[Request], Awaitable[Response]]

templates = Jinja2Templates(directory=TEMPLATES)


def build(workload: str) -> Starlette:
    """Return the application for *workload*."""
    session = [Middleware(SessionMiddleware, secret_key=SECRET)]
    return Starlette(
        routes=_routes(workload), middleware=session if workload in WITH_SESSION else []
    )


def _routes(workload: str) -> list[Route]:
    if workload == "params":
        pairs = routes("{NAME:int}", "{NAME}")
        return [Route(path, order if measured else other) for path, measured in pairs]
    methods = ["POST"] if workload == "form" else ["GET"]
    return [Route(f"/{workload}", _VIEWS[workload], methods=methods), Route("/begin", begin)]


async def plaintext(request: Request) -> Response:
    return PlainTextResponse(GREETING)


async def json(request: Request) -> Response:
    return JSONResponse({"message": GREETING})


async def order(request: Request) -> Response:
    values = request.path_params
    return JSONResponse({"user": values["id"], "order": values["order_id"]})


async def other(request: Request) -> Response:
    return JSONResponse({"area": request.path_params["id"]})


async def fortunes(request: Request) -> Response:
    rows = sorted(FORTUNES, key=lambda row: row[1])
    return templates.TemplateResponse(request, "fortunes.html", {"fortunes": rows})


async def begin(request: Request) -> Response:
    request.session["name"] = "Ada"
    return PlainTextResponse("")


async def form(request: Request) -> Response:
    async with request.form() as sent:
        values = {field: sent[field] for field in ("name", "email", "topic", "message")}
    request.session["name"] = values["name"]
    request.session["topic"] = values["topic"]
    return PlainTextResponse(f"Thank you, {values['name']}.")


async def touch(request: Request) -> Response:
    return PlainTextResponse(
        " ".join(
            (
                request.session["name"],
                request.query_params["q"],
                request.method,
                request.headers["User-Agent"],
                request.url.path,
                request.url.netloc,
            )
        )
    )


_VIEWS: dict[str, View] = {
    "plaintext": plaintext,
    "json": json,
    "fortunes": fortunes,
    "form": form,
    "touch": touch,
}
