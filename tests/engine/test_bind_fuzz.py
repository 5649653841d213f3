"""Whatever a client sends to a typed view, it is never a 500."""

from __future__ import annotations

import io
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings, strategies as st
from pydantic import BaseModel, ConfigDict, EmailStr, Field
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.test import EnvironBuilder, run_wsgi_app

from carboy import Carboy
from carboy.engine.params import Body, Cookie, Form, Header, Query


class Line(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=5)
    price: Decimal = Field(ge=0, max_digits=6)
    kind: Literal["a", 1] = "a"


class Order(BaseModel):
    lines: list[Line] = []
    day: date
    mail: EmailStr | None = None
    flags: dict[str, bool] = {}


class Point(msgspec.Struct):
    x: float
    names: list[str] = []


def query(
    n: int,
    f: float = 0.0,
    day: date | None = None,
    id: UUID | None = None,
    many: Annotated[list[int], Query(max_length=3)] = [],  # noqa: B006 - what users write
    kind: Literal[1, 2] | None = None,
    cost: Annotated[Decimal, Query(max_digits=5)] = Decimal(1),
    level: Annotated[int, Header()] = 0,
    theme: Annotated[Literal["x"] | None, Cookie()] = None,
) -> Any:
    return {"got": [n, f, str(day), str(id), many, kind, str(cost), level, theme]}


def body(order: Order) -> Any:
    return order


def struct(point: Point) -> Any:
    return point


def anything(v: Annotated[dict[str, list[int]], Body()]) -> Any:
    return v


def form(n: Annotated[int, Form()], photo: FileStorage, more: list[FileStorage]) -> Any:
    return {"n": n, "photo": photo.filename, "more": len(more)}


@pytest.fixture(name="app", scope="module")
def _app() -> Carboy:
    app = Carboy("fuzz", batteries=("typed",))
    app.config["PROPAGATE_EXCEPTIONS"] = True  # a bug shows its traceback
    for view in (query, body, struct, anything, form):
        app.add_url_rule(f"/{view.__name__}", view_func=view, methods=["GET", "POST"])
    return app


VIEWS = st.sampled_from(["query", "body", "struct", "anything", "form"])
NAMES = st.sampled_from(
    ["n", "f", "day", "id", "many", "kind", "cost", "lines", "mail", "flags", "x", "names", "photo"]
)
VALUES = st.one_of(
    st.text(max_size=12),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["", "on", "nan", "1e999", "2024-02-30", "9" * 400, "a@b.c", "\0", "[]", "-0"]),
)
PAIRS = st.lists(st.tuples(NAMES, VALUES), max_size=6)
RAW_QUERY = st.text(alphabet="n=&;+%0af\xff\x80é1,[]", max_size=30)
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(), inner),
    max_leaves=8,
)
KINDS = st.sampled_from(
    [
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "application/json; charset=latin-1",
        "APPLICATION/problem+JSON",
        "text/plain",
        ";",
        "",
    ]
)


def send(app: Carboy, path: str, **kwargs: Any) -> int:
    overrides = kwargs.pop("overrides", {})
    builder = EnvironBuilder(path, **kwargs)
    environ = {**builder.get_environ(), **overrides}
    body, status, _ = run_wsgi_app(app.wsgi_app, environ)
    b"".join(body)
    return int(status[:3])


@settings(max_examples=80, deadline=None)
@given(view=VIEWS, pairs=PAIRS, raw=RAW_QUERY, use_raw=st.booleans(), level=VALUES)
def test_random_queries_and_headers(
    app: Carboy, view: str, pairs: Any, raw: str, use_raw: bool, level: str
) -> None:
    """Random query strings, well and badly encoded, headers and cookies."""
    header = level.encode("utf-8", "ignore").decode("latin-1")
    overrides = {"HTTP_LEVEL": header, "HTTP_COOKIE": f"theme={header}"}
    if use_raw:
        overrides["QUERY_STRING"] = raw
    status = send(app, f"/{view}", query_string=MultiDict(pairs), overrides=overrides)
    assert status in (200, 400, 422, 415), status


@settings(max_examples=80, deadline=None)
@given(view=VIEWS, data=st.binary(max_size=60), kind=KINDS)
def test_random_bytes(app: Carboy, view: str, data: bytes, kind: str) -> None:
    """Random bytes under any content type."""
    status = send(app, f"/{view}", method="POST", data=data, content_type=kind)
    assert status in (200, 400, 413, 415, 422), status


@settings(max_examples=120, deadline=None)
@given(view=VIEWS, value=JSONS)
def test_random_json(app: Carboy, view: str, value: Any) -> None:
    """Well-formed JSON of random shape, NaN included."""
    data = msgspec.json.encode(value) if value == value else b"NaN"
    status = send(app, f"/{view}", method="POST", data=data, content_type="application/json")
    assert status in (200, 400, 415, 422), status


# Werkzeug leaves the file of a part that is cut off to the garbage collector, on Flask too.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@settings(max_examples=80, deadline=None)
@given(view=VIEWS, pairs=PAIRS, upload=st.booleans(), cut=st.integers(0, 400))
def test_random_forms(app: Carboy, view: str, pairs: Any, upload: bool, cut: int) -> None:
    """Forms with random fields, with and without files, cut off in the middle."""
    fields: MultiDict[str, Any] = MultiDict(pairs)
    if upload:
        fields.add("photo", (io.BytesIO(b"img"), "p.png"))
        fields.add("more", (io.BytesIO(b"img"), ""))
    builder = EnvironBuilder(f"/{view}", method="POST", data=fields)
    environ = builder.get_environ()
    data = environ["wsgi.input"].read()[: cut or None]
    status = send(
        app, f"/{view}", method="POST", data=data, content_type=environ.get("CONTENT_TYPE")
    )
    assert status in (200, 400, 413, 415, 422), status


def texts(a: list[str] = [], b: str = "-") -> Any:  # noqa: B006 - what users write
    return {"a": a, "b": b}


@settings(max_examples=150, deadline=None)
@given(text=st.text(alphabet="ab=&;+%1c \u00e9", max_size=14))
def test_the_quick_reading_of_a_query_is_werkzeugs(text: str) -> None:
    """Names and texts are those of request.args, whichever way the query was read."""
    app = Carboy("quick", batteries=("typed",))
    app.add_url_rule("/", "it", texts)
    environ = EnvironBuilder("/").get_environ()
    environ["QUERY_STRING"] = text.encode().decode("latin-1")
    args = app.request_class(dict(environ)).args
    body, _, _ = run_wsgi_app(app.wsgi_app, environ)
    expected = {"a": args.getlist("a"), "b": args.get("b", "-")}
    assert msgspec.json.decode(b"".join(body)) == expected


def test_the_fuzz_reaches_the_views(app: Carboy) -> None:
    """Good input is 200: the fuzz above does not pass because everything is refused."""
    assert send(app, "/query?n=1") == 200
    order = b'{"day":"2024-01-01","lines":[{"name":"a","price":1}]}'
    assert send(app, "/body", method="POST", data=order, content_type="application/json") == 200
    assert send(app, "/struct?x=1") == 200
