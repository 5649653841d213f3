"""Litestar; sessions in its own encrypted cookies, only where they are used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from litestar import Litestar, MediaType, Request, get, post
from litestar.contrib.jinja import JinjaTemplateEngine
from litestar.enums import RequestEncodingType
from litestar.middleware.session.client_side import CookieBackendConfig
from litestar.params import Body
from litestar.response import Template
from litestar.template.config import TemplateConfig

from benchmarks.programs import SECRET, TEMPLATES, routes
from benchmarks.workloads import FORTUNES, GREETING, WITH_SESSION

TITLE = "Litestar"
KIND = "asgi"
DISTRIBUTIONS = ("litestar", "msgspec")
SERVERS = ("uvicorn", "granian-asgi")
TOKEN_FIELD = ""


@dataclass
class Contact:
    """The four fields."""

    name: str
    email: str
    topic: str
    message: str


def build(workload: str) -> Litestar:
    """Return the application for *workload*."""
    session = CookieBackendConfig(secret=SECRET[:32].encode()).middleware
    return Litestar(
        route_handlers=_handlers(workload),
        middleware=[session] if workload in WITH_SESSION else [],
        template_config=TemplateConfig(directory=TEMPLATES, engine=JinjaTemplateEngine),
        openapi_config=None,
    )


def _handlers(workload: str) -> list[Any]:
    if workload == "params":
        return [
            get(path)(order if measured else other if "order_id" in path else area)
            for path, measured in routes("{NAME:int}", "{NAME:str}")
        ]
    return [_VIEWS[workload], *([begin] if workload in WITH_SESSION else [])]


async def order(id: int, order_id: str) -> dict[str, int | str]:
    return {"user": id, "order": order_id}


async def other(id: int, order_id: str) -> dict[str, int | str]:
    return {"area": id, "part": order_id}


async def area(id: int) -> dict[str, int]:
    return {"area": id}


@get("/plaintext", media_type=MediaType.TEXT)
async def plaintext() -> str:
    return GREETING


@get("/json")
async def json() -> dict[str, str]:
    return {"message": GREETING}


@get("/fortunes")
async def fortunes() -> Template:
    rows = sorted(FORTUNES, key=lambda row: row[1])
    return Template(template_name="fortunes.html", context={"fortunes": rows})


@get("/begin", media_type=MediaType.TEXT)
async def begin(request: Request[Any, Any, Any]) -> str:
    request.session["name"] = "Ada"
    return ""


@post("/form", media_type=MediaType.TEXT, status_code=200)
async def form(
    request: Request[Any, Any, Any],
    data: Annotated[Contact, Body(media_type=RequestEncodingType.URL_ENCODED)],
) -> str:
    request.session["name"] = data.name
    request.session["topic"] = data.topic
    return f"Thank you, {data.name}."


@get("/touch", media_type=MediaType.TEXT)
async def touch(request: Request[Any, Any, Any], q: str) -> str:
    return " ".join(
        (
            request.session["name"],
            q,
            request.method,
            request.headers["User-Agent"],
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
