"""Typed views: where each parameter comes from, and what wrong input is told."""

from __future__ import annotations

import dataclasses
import enum
import functools
import io
import json
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Optional
from uuid import UUID

import flask
import msgspec
import pytest
from flask import views
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, field_validator
from typing_extensions import TypedDict
from werkzeug.datastructures import FileStorage

from carboy import Carboy
from carboy.base.errors import RequestFault
from carboy.engine.params import Body, Cookie, File, Form, Given, Header, Query

ID = "11111111-1111-1111-1111-111111111111"


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Note(BaseModel):
    """A body with a list, a box to tick, and a closed set of fields."""

    model_config = ConfigDict(extra="forbid")

    title: str = Field(min_length=1)
    stars: int = Field(ge=1, le=5)
    tags: list[str] = []
    done: bool
    due: date | None = None

    @field_validator("title")
    @classmethod
    def _not_shouting(cls, title: str) -> str:
        if title.isupper():
            raise ValueError("Please do not shout.")
        return title


class Renamed(BaseModel):
    kind: Literal[1, 2] = Field(alias="type")


class Point(msgspec.Struct):
    x: int
    y: int = 0
    on: bool = False


@dataclasses.dataclass
class Size:
    width: int
    height: int = 1


class Pair(TypedDict):
    a: int
    b: int


@pytest.fixture(name="app")
def _app() -> Carboy:
    app = Carboy("typed", batteries=("typed",))
    app.testing = True

    @app.errorhandler(RequestFault)
    def problem(fault: RequestFault) -> Any:
        return {"code": fault.code, "errors": list(fault.errors)}, fault.status

    return app


def ask(app: Carboy, view: Any, *args: Any, rule: str = "/", **kwargs: Any) -> Any:
    """Serve *view* at *rule*, send one request; return JSON of an answer 200, else status."""
    method = kwargs.pop("method", "GET")
    app.add_url_rule(rule, view_func=view, methods=[method], endpoint="it")
    client = app.test_client()
    for name, value in kwargs.pop("cookies", {}).items():
        client.set_cookie(name, value)
    answer = client.open(*(args or ("/",)), method=method, **kwargs)
    return answer.json if answer.status_code == 200 else answer


def errors(answer: Any) -> list[tuple[Any, ...]]:
    """Return (path, type) of each error of a 422 answer."""
    assert answer.status_code == 422, answer.text
    assert answer.json["code"] == "typed.invalid"
    return [(".".join(map(str, e["loc"])), e["type"]) for e in answer.json["errors"]]


def echo(value: Any) -> Any:
    return {"got": repr(value)}


SCALARS: list[tuple[Any, str, Any]] = [
    (str, "v=a%20b", "a b"),
    (str, "v=a+b", "a b"),
    (str, "v=", ""),
    (str, "v=%C3%A9", "é"),
    (str, "v", ""),
    (str, "v=a=b", "a=b"),
    (int, "v=7", 7),
    (int, "v=7&v=8", 7),
    (int, "w=1&v=7", 7),
    (int, "&&v=7&", 7),
    (int, "v=&v=7", 7),
    (float, "v=1e3", 1000.0),
    (bool, "v=on", True),
    (bool, "v=false", False),
    (Decimal, "v=1.50", Decimal("1.50")),
    (date, "v=2024-02-29", date(2024, 2, 29)),
    (datetime, "v=2024-02-29T12:00:00", datetime(2024, 2, 29, 12)),
    (UUID, f"v={ID}", UUID(ID)),
    (Colour, "v=red", Colour.RED),
    (Level, "v=2", Level.HIGH),
    (Literal["a", "b"], "v=b", "b"),
    (Literal[1, 2], "v=2", 2),
    (Literal[True], "v=true", True),
    (Optional[int], "v=3", 3),  # noqa: UP045 - the old spelling is tested too
    (int | str, "v=x", "x"),
    (list[int], "v=1&v=2", [1, 2]),
    (list[str], "v=", [""]),
    (set[Level], "v=1&v=2&v=1", {Level.LOW, Level.HIGH}),
    (tuple[int, int], "v=1&v=2", (1, 2)),
    (list[Literal[1, 2]], "v=1&v=2", [1, 2]),
    (PositiveInt, "v=1", 1),
    (Annotated[int, Query(ge=1, le=100)], "v=100", 100),
    (Annotated[str, Query(alias="x-y")], "x-y=1", "1"),
    (Annotated[list[int], Query(max_length=2)], "v=1&v=2", [1, 2]),
]


@pytest.mark.parametrize(("annotation", "query", "value"), SCALARS)
def test_scalars_come_from_the_query(app: Carboy, annotation: Any, query: str, value: Any) -> None:
    """Each scalar type reads its text; the first value of a name counts, a list takes all."""

    def view(v):  # type: ignore[no-untyped-def] # annotated below
        return echo(v)

    view.__annotations__["v"] = annotation
    assert ask(app, view, f"/?{query}") == echo(value)


WRONG: list[tuple[Any, str, str]] = [
    (int, "v=x", "int_parsing"),
    (int, "v=", "missing"),
    (int, "", "missing"),
    (int, "v=1.5", "int_parsing"),
    (int, "v=" + "9" * 5000, "int_parsing_size"),
    (float, "v=nan", "finite_number"),
    (float, "v=Infinity", "finite_number"),
    (Decimal, "v=NaN", "finite_number"),
    (bool, "v=maybe", "bool_parsing"),
    (date, "v=2024-02-30", "date_from_datetime_parsing"),
    (datetime, "v=soon", "datetime_from_date_parsing"),
    (UUID, "v=1", "uuid_parsing"),
    (Colour, "v=green", "enum"),
    (Literal[1, 2], "v=3", "literal_error"),
    (list[int], "", "missing"),
    (PositiveInt, "v=0", "greater_than"),
    (Annotated[int, Query(ge=1)], "v=0", "greater_than_equal"),
    (Annotated[str, Query(pattern="^a+$")], "v=b", "string_pattern_mismatch"),
    (Annotated[str, Field(max_length=2)], "v=abc", "string_too_long"),
]


@pytest.mark.parametrize(("annotation", "query", "kind"), WRONG)
def test_wrong_scalars_are_told(app: Carboy, annotation: Any, query: str, kind: str) -> None:
    """A wrong value is 422 with its place and kind, and never repeated."""

    def view(v):  # type: ignore[no-untyped-def] # annotated below
        return echo(v)

    view.__annotations__["v"] = annotation
    answer = ask(app, view, f"/?{query}")
    assert errors(answer) == [("query.v", kind)]
    assert set(answer.json["errors"][0]) == {"loc", "msg", "type"}


def test_messages_are_for_people(app: Carboy) -> None:
    """The message says what to enter; limits are named."""

    def view(page: Annotated[int, Query(ge=1)], colour: Colour, day: date) -> Any:
        return echo(page)

    answer = ask(app, view, "/?page=0&colour=secret&day=secret")
    assert [e["msg"] for e in answer.json["errors"]] == [
        "Must be at least 1.",
        "Must be one of: 'red' or 'blue'.",
        "Must be a date such as 2024-12-31.",
    ]
    assert "secret" not in answer.text


def test_defaults_apply_when_nothing_is_sent(app: Carboy) -> None:
    """The view's own default, or the marker's, stands for an absent or empty value."""

    def view(
        a: int = 1,
        b: int | None = None,
        c: int = Query(3, ge=1),
        d: str = Query("x", alias="dee"),
        e: Annotated[list[int], Query()] = [],  # noqa: B006 - what users write
        f: str | None = "set",
    ) -> Any:
        return echo((a, b, c, d, e, f))

    assert ask(app, view, "/?a=&b=&f=") == echo((1, None, 3, "x", [], "set"))


def test_headers_cookies_and_the_request(app: Carboy) -> None:
    """Markers name the part of the request; underscores are hyphens in a header."""

    def view(
        user_agent: Annotated[str, Header()],
        x_tags: Annotated[list[int], Header()],
        level: Annotated[int, Header(alias="X-Level", le=9)],
        content_type: Annotated[str | None, Header()],
        theme: Annotated[Colour, Cookie()],
        request: flask.Request,
        missing: Annotated[str, Header()] = "none",
    ) -> Any:
        return echo((user_agent, x_tags, level, content_type, theme, request.path, missing))

    headers = {"User-Agent": "me", "X-Tags": "1, 2", "X-Level": "3"}
    cookies = {"theme": "blue"}
    got = ask(app, view, headers=headers, cookies=cookies, content_type="text/plain")
    assert got == echo(("me", [1, 2], 3, "text/plain", Colour.BLUE, "/", "none"))


def test_errors_of_all_parts_come_together(app: Carboy) -> None:
    """Query, header, cookie and body are wrong: one answer tells it all."""

    def view(
        note: Note,
        page: int,
        x_level: Annotated[int, Header()],
        theme: Annotated[Colour, Cookie()],
    ) -> Any:
        return echo(note)

    answer = ask(
        app,
        view,
        "/?page=x",
        method="POST",
        headers={"X-Level": "high"},
        cookies={"theme": "no"},
        json={"title": "LOUD", "stars": "5", "extra": 1},
    )
    assert errors(answer) == [
        ("query.page", "int_parsing"),
        ("header.x-level", "int_parsing"),
        ("cookie.theme", "enum"),
        ("body.title", "value_error"),
        ("body.stars", "int_type"),
        ("body.done", "missing"),
        ("body.extra", "extra_forbidden"),
    ]
    assert "Please do not shout." in answer.text


def note(note: Note) -> Any:
    return echo(note)


GOOD = Note(title="a", stars=5, tags=["x", "y"], done=False, due=date(2024, 1, 1))


def test_a_model_reads_json_or_a_form(app: Carboy) -> None:
    """The same model: JSON is strict, a form reads texts, lists and unticked boxes."""
    data = GOOD.model_dump(mode="json")
    assert ask(app, note, method="POST", json=data) == echo(GOOD)
    client = app.test_client()
    form = {"title": "a", "stars": "5", "tags": ["x", "y"], "due": "2024-01-01"}
    for kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
        assert client.post("/", data=form, content_type=kind).json == echo(GOOD)
    ticked = client.post("/", data={**form, "done": "on", "due": ""}).json
    assert ticked == echo(GOOD.model_copy(update={"done": True, "due": None}))
    unknown = client.post("/", data={**form, "admin": "1"})
    assert errors(unknown) == [("form.admin", "extra_forbidden")]


BODIES = [
    (b"", "application/json", 422, "typed.invalid"),
    (b"", "", 422, "typed.invalid"),
    (b"{", "application/json", 400, "typed.json"),
    (b"\xff", "application/json", 400, "typed.json"),
    (b"[" * 100_000, "application/json", 400, "typed.json"),
    (b'{"title":"\\ud800"}', "application/json", 400, "typed.json"),
    (b"[]", "application/json", 422, "typed.invalid"),
    (b"null", "application/json; charset=utf-8", 422, "typed.invalid"),
    (b"{}", "application/merge-patch+json", 422, "typed.invalid"),
    (b"{}", "text/plain", 415, "typed.content_type"),
    (b"{}", "", 415, "typed.content_type"),
    (b"a=1", "application/x-www-form-urlencoded", 422, "typed.invalid"),
    (b"--x", "multipart/form-data", 422, "typed.invalid"),
    (b"--x\r\nContent-", "multipart/form-data; boundary=x", 422, "typed.invalid"),
]


@pytest.mark.parametrize(("data", "kind", "status", "code"), BODIES)
def test_bad_bodies_are_the_clients_fault(
    app: Carboy, data: bytes, kind: str, status: int, code: str
) -> None:
    """Malformed 400, other type 415, wrong or absent 422; never a 500."""
    answer = ask(app, note, method="POST", data=data, content_type=kind)
    assert (answer.status_code, answer.json["code"]) == (status, code)


def test_json_only_body_refuses_forms(app: Carboy) -> None:
    """Body() means JSON, also for what no form can hold."""

    def view(counts: Annotated[dict[str, int], Body()]) -> Any:
        return echo(counts)

    assert ask(app, view, method="POST", json={"a": 1}) == echo({"a": 1})
    client = app.test_client()
    assert client.post("/", data={"a": "1"}).status_code == 415
    assert errors(client.post("/", json={"a": "1"})) == [("body.a", "int_type")]


@pytest.mark.parametrize(
    ("annotation", "body", "value"),
    [
        (list[Note], [GOOD.model_dump(mode="json")], [GOOD]),
        (Size, {"width": 2}, Size(2, 1)),
        (Pair, {"a": 1, "b": 2}, {"a": 1, "b": 2}),
        (Point, {"x": 1}, Point(1)),
        (list[Point], [{"x": 1, "y": 2}], [Point(1, 2)]),
        (Note | None, None, None),
        (Annotated[int, Body(ge=1)], 3, 3),
    ],
    ids=["list of models", "dataclass", "typed dict", "struct", "structs", "null", "scalar"],
)
def test_other_bodies(app: Carboy, annotation: Any, body: Any, value: Any) -> None:
    """A body may be a list, a dataclass, a typed dict, a Struct, one value."""

    def view(v):  # type: ignore[no-untyped-def] # annotated below
        return echo(v)

    view.__annotations__["v"] = annotation
    data = json.dumps(body)
    got = ask(app, view, method="POST", data=data, content_type="application/json")
    assert got == echo(value)


@pytest.mark.parametrize("cls", [Size, Pair, Point, Renamed])
def test_forms_fill_every_kind_of_model(app: Carboy, cls: Any) -> None:
    """A form fills dataclasses, typed dicts, Structs and aliased fields alike."""

    def view(v):  # type: ignore[no-untyped-def] # annotated below
        return echo(v)

    view.__annotations__["v"] = cls
    form = {"width": "2", "a": "1", "b": "2", "x": "5", "type": "2"}
    values = [Size(2, 1), {"a": 1, "b": 2}, Point(5), Renamed(type=2)]
    assert ask(app, view, method="POST", data=form) in [echo(value) for value in values]


def test_wrong_structs_are_told(app: Carboy) -> None:
    """msgspec reports one error, with its place; bad JSON is 400."""

    def view(point: Point) -> Any:
        return echo(point)

    assert errors(ask(app, view, method="POST", json={"x": "1"})) == [("body.x", "value")]
    client = app.test_client()
    assert errors(client.post("/", data={"x": "no"})) == [("form.x", "value")]
    for bad in (b"{", b"\xff", b'{"z":' + b"[" * 100_000):
        answer = client.post("/", data=bad, content_type="application/json")
        assert answer.status_code == 400, bad[:9]


def test_a_model_of_a_get_is_read_from_the_query(app: Carboy) -> None:
    """A search form by GET fills a model; its errors say "query"."""
    assert ask(app, note, "/?title=a&stars=5&tags=x&tags=y&done=no&due=2024-01-01") == echo(GOOD)
    answer = app.test_client().get("/?title=a")
    assert errors(answer) == [("query.stars", "missing"), ("query.done", "missing")]


def test_a_marker_fixes_the_part_a_model_comes_from(app: Carboy) -> None:
    """Query() on a POST reads the query, Form() refuses JSON."""

    def view(where: Annotated[Size, Query()], size: Annotated[Size, Form()]) -> Any:
        return echo((where, size))

    got = ask(app, view, "/?width=1", method="POST", data={"width": "2"})
    assert got == echo((Size(1), Size(2)))
    client = app.test_client()
    assert client.post("/?width=1", json={"width": 2}).status_code == 415
    assert errors(client.post("/", data={})) == [("query.width", "missing"), ("body", "missing")]


def test_mutable_defaults_are_not_shared(app: Carboy) -> None:
    """What a view does to a marker's default ends with the request."""

    def view(tags: Any = Query([])) -> Any:  # noqa: B008 - a marker is made for this
        tags.append(1)
        return echo(tags)

    assert ask(app, view) == echo([1])
    assert app.test_client().get("/").json == echo([1])


def test_an_optional_body_may_be_absent(app: Carboy) -> None:
    """No body is the default; a body is still checked."""

    def view(size: Size | None = None) -> Any:
        return echo(size)

    assert ask(app, view, method="POST") == echo(None)
    assert errors(app.test_client().post("/", json={})) == [("body.width", "missing")]


def test_form_fields_and_uploads(app: Carboy) -> None:
    """Form() takes single fields; FileStorage takes uploads, one or many."""

    def view(
        title: Annotated[str, Form(min_length=2)],
        photo: FileStorage,
        rest: list[FileStorage],
        size: Annotated[int, Form()] = 1,
        extra: FileStorage | None = None,
        named: Annotated[FileStorage | None, File(alias="n")] = None,
    ) -> Any:
        return echo((title, photo.read(), [f.filename for f in rest], size, extra, named is None))

    def files() -> dict[str, Any]:
        return {
            "photo": (io.BytesIO(b"img"), "p.png"),
            "rest": [(io.BytesIO(b"1"), "1"), (io.BytesIO(b"2"), "2")],
            "n": (io.BytesIO(b"1"), "1"),
        }

    got = ask(app, view, method="POST", data={"title": "ab", **files()})
    assert got == echo(("ab", b"img", ["1", "2"], 1, None, False))
    client = app.test_client()
    wrong = client.post("/", data={"title": "a", "photo": (io.BytesIO(b""), "")})
    assert errors(wrong) == [
        ("form.title", "string_too_short"),
        ("file.photo", "missing"),
        ("file.rest", "missing"),
    ]
    assert client.post("/", json={"title": "ab"}).status_code == 415


def test_path_arguments_are_checked_where_the_rule_does_not(app: Carboy) -> None:
    """A path that fits no annotation names nothing: 404, before any other error."""

    def view(id: PositiveInt, day: date, level: Level, page: int) -> Any:
        return echo((id, day, level, page))

    rule = "/<int:id>/<day>/<int:level>"
    got = ask(app, view, "/3/2024-01-01/2?page=1", rule=rule)
    assert got == echo((3, date(2024, 1, 1), Level.HIGH, 1))
    client = app.test_client()
    for path in ("/0/2024-01-01/2", "/3/tomorrow/2", "/3/2024-01-01/9", "/x/2024-01-01/1"):
        assert client.get(path).status_code == 404, path
    assert errors(client.get("/3/2024-01-01/2")) == [("query.page", "missing")]


def test_plain_views_have_no_binder(app: Carboy) -> None:
    """A view that asks nothing beyond its path is plain Flask and costs nothing."""
    app.add_url_rule("/a", "a", lambda: "")
    app.add_url_rule("/b/<int:id>", "b", lambda id: "")

    def annotated(id: int, name: str, *rest: int, fixed: object = None, **more: int) -> str:
        return f"{id}{name}"

    app.add_url_rule("/c/<int:id>/<name>", "c", annotated)
    app.add_url_rule("/d", "d", lambda untyped=3: str(untyped))
    assert [lane.bind for lane in app.lanes if lane.endpoint != "static"] == [None] * 4
    assert app.test_client().get("/d?untyped=4").text == "3"


def test_an_argument_of_another_rule_is_never_taken_from_the_query(app: Carboy) -> None:
    """/items and /items/<id>: the first does not accept ?id=, as in Flask."""

    def items(id: int | None = None, page: int = 1) -> Any:
        return echo((id, page))

    app.add_url_rule("/items/<int:id>", "it", items)
    assert ask(app, items, "/items?id=7&page=2", rule="/items") == echo((None, 2))
    assert app.test_client().get("/items/7?page=2").json == echo((7, 2))


def test_arguments_from_defaults_and_hooks_win(app: Carboy) -> None:
    """What a rule's defaults or a URL value preprocessor supplies is not read elsewhere."""

    def view(page: int, lang: str, size: int = 10) -> Any:
        return echo((page, lang, size))

    app.url_value_preprocessor(lambda endpoint, values: (values or {}).update(lang="de"))
    app.add_url_rule("/", "it", view, defaults={"page": 7})
    assert app.test_client().get("/?page=1&lang=en&size=3").json == echo((7, "de", 3))
    assert errors(app.test_client().get("/?size=x")) == [("query.size", "int_parsing")]


def test_decorated_views(app: Carboy) -> None:
    """A decorator that passes keywords on is seen through; one that injects says Given."""

    def user(view: Any) -> Any:
        @functools.wraps(view)
        def inside(*args: Any, **kwargs: Any) -> Any:
            return view(*args, user="ann", **kwargs)

        return inside

    @user
    def view(page: int, user: Annotated[str, Given()], db: object) -> Any:
        raise AssertionError

    @user
    def good(page: int, user: Annotated[str, Given()]) -> Any:
        return echo((page, user))

    assert ask(app, good, "/?page=2&user=eve") == echo((2, "ann"))


def test_a_decorator_that_fixes_its_arguments_is_obeyed(app: Carboy) -> None:
    """What the outer function does not accept is not bound, whatever the view inside says."""

    def fixed(view: Any) -> Any:
        @functools.wraps(view)
        def inside(n: Any = Query(1)) -> Any:  # noqa: B008 - a marker is made for this
            return view(page=n)

        return inside

    @fixed
    def view(page: int) -> Any:
        return echo(page)

    assert ask(app, view, "/?page=2") == echo(1)
    assert app.test_client().get("/?page=2&n=3").json == echo("3")


def test_partials_methods_and_callables(app: Carboy) -> None:
    """What a partial fills is not bound; bound methods and callable objects are views too."""

    class Page:
        def show(self, number: int) -> Any:
            return echo(number)

        def __call__(self, number: int) -> Any:
            return echo(-number)

    def view(first: str, page: int, size: int) -> Any:
        return echo((first, page, size))

    app.add_url_rule("/method", "method", Page().show)
    app.add_url_rule("/object", "object", Page())
    part = functools.partial(view, "x", size=5)
    assert ask(app, part, "/?page=2&size=9") == echo(("x", 2, 5))
    assert app.test_client().get("/method?number=3").json == echo(3)
    assert app.test_client().get("/object?number=3").json == echo(-3)


def test_class_based_views(app: Carboy) -> None:
    """Each method of a MethodView has parameters of its own; HEAD has GET's."""

    class Notes(views.MethodView):
        def get(self, id: int, page: int = 1) -> Any:
            return echo(("get", id, page))

        def post(self, id: int, size: Size) -> Any:
            return echo(("post", id, size))

        def delete(self, id: int) -> Any:
            return echo(id)

    class Search(views.View):
        def dispatch_request(self, q: str) -> Any:
            return echo(q)

    app.add_url_rule("/notes/<int:id>", view_func=Notes.as_view("notes"))
    app.add_url_rule("/search", view_func=Search.as_view("search"))
    client = app.test_client()
    assert client.get("/notes/1?page=2").json == echo(("get", 1, 2))
    assert client.head("/notes/1?page=x").status_code == 422
    assert client.post("/notes/1", json={"width": 3}).json == echo(("post", 1, Size(3)))
    assert errors(client.post("/notes/1?page=2", json={})) == [("body.width", "missing")]
    assert client.delete("/notes/1?page=x").json == echo(1)
    assert client.get("/search?q=a").json == echo("a")


def test_async_views(app: Carboy) -> None:
    """An async view is bound like any other."""

    async def view(page: int) -> Any:
        return echo(page)

    assert ask(app, view, "/?page=2") == echo(2)


def test_json_guards_look_at_a_body_first(app: Carboy) -> None:
    """What the guards of the application refuse never reaches a model."""

    def refuse(data: bytes) -> None:
        raise RequestFault(400, "test.guard", "No.")

    app.json_guards.append(refuse)
    assert ask(app, note, method="POST", json={}).json["code"] == "test.guard"


def test_the_query_may_have_been_read_before(app: Carboy) -> None:
    """A hook that reads request.args changes nothing."""
    app.before_request(lambda: flask.request.args and None)

    def view(page: int) -> Any:
        return echo(page)

    assert ask(app, view, "/?page=2") == echo(2)


def test_a_query_that_is_no_utf8_is_refused(app: Carboy) -> None:
    """Raw bytes in the query are 400, not a decoding error."""

    def view(q: str) -> Any:
        return echo(q)

    answer = ask(app, view, environ_overrides={"QUERY_STRING": "q=\xff"})
    assert (answer.status_code, answer.json["code"]) == (400, "typed.query")


def test_very_many_errors_are_cut(app: Carboy) -> None:
    """A long list of wrong items is answered in brief, and long names are cut."""

    def view(counts: Annotated[dict[str, int], Body()]) -> Any:
        return echo(counts)

    answer = ask(app, view, method="POST", json={str(i) * 100: "x" for i in range(5000)})
    assert len(errors(answer)) == 100
    assert len(answer.data) < 40_000
