"""FastAPI, parameters and form fields typed as its tutorial does; async views."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, Form, Header, Request
from fastapi.responses import HTMLResponse, PlainTextResponse
from fastapi.templating import Jinja2Templates
from starlette.middleware.sessions import SessionMiddleware

from benchmarks.programs import SECRET, TEMPLATES, routes
from benchmarks.workloads import FORTUNES, GREETING, WITH_SESSION

TITLE = "FastAPI"
KIND = "asgi"
DISTRIBUTIONS = ("fastapi", "pydantic")
SERVERS = ("uvicorn", "granian-asgi")
TOKEN_FIELD = ""

templates = Jinja2Templates(directory=TEMPLATES)


def build(workload: str) -> FastAPI:
    """Return the application for *workload*."""
    app = FastAPI()
    if workload in WITH_SESSION:
        app.add_middleware(SessionMiddleware, secret_key=SECRET)
        app.get("/begin", response_class=PlainTextResponse)(begin)
    if workload == "params":
        for path, measured in routes("{NAME}", "{NAME}"):
            app.get(path)(order if measured else other if "order_id" in path else area)
    else:
        _add(app, workload)
    return app


def _add(app: FastAPI, workload: str) -> None:
    method = app.post if workload == "form" else app.get
    kind: dict[str, Any] = {} if workload == "json" else {"response_class": PlainTextResponse}
    if workload == "fortunes":
        kind = {"response_class": HTMLResponse}
    method(f"/{workload}", **kind)(_VIEWS[workload])


async def plaintext() -> str:
    return GREETING


async def json() -> dict[str, str]:
    return {"message": GREETING}


async def order(id: int, order_id: str) -> dict[str, int | str]:
    return {"user": id, "order": order_id}


async def other(id: int, order_id: str) -> dict[str, int | str]:
    return {"area": id, "part": order_id}


async def area(id: int) -> dict[str, int]:
    return {"area": id}


async def fortunes(request: Request) -> Any:
    rows = sorted(FORTUNES, key=lambda row: row[1])
    return templates.TemplateResponse(request, "fortunes.html", {"fortunes": rows})


async def begin(request: Request) -> str:
    request.session["name"] = "Ada"
    return ""


async def form(
    request: Request,
    name: Annotated[str, Form(max_length=80)],
    email: Annotated[str, Form(max_length=120)],
    topic: Annotated[str, Form(max_length=80)],
    message: Annotated[str, Form(max_length=2000)],
) -> str:
    request.session["name"] = name
    request.session["topic"] = topic
    return f"Thank you, {name}."


async def touch(request: Request, q: str, user_agent: Annotated[str, Header()]) -> str:
    return " ".join(
        (
            request.session["name"],
            q,
            request.method,
            user_agent,
            request.url.path,
            request.url.netloc,
        )
    )


_VIEWS: dict[str, Any] = {
    "plaintext": plaintext,
    "json": json,
    "fortunes": fortunes,
    "form": form,
    "touch": touch,
}
