"""Declarations that can never work are told at seal, with place and remedy."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING, Annotated, Any, Optional

import pytest
from flask import views
from pydantic import BaseModel, Field
from werkzeug.datastructures import FileStorage

from carboy import Carboy
from carboy.base.errors import SetupError
from carboy.engine import bind
from carboy.engine.params import Body, Cookie, File, Form, Header, Query

if TYPE_CHECKING:
    from somewhere import Unknown  # type: ignore[import-not-found] # that is the point


class Model(BaseModel):
    a: int


class Unfinished(BaseModel):
    a: Missing  # type: ignore[name-defined]  # noqa: F821 - that is the point


class Service:
    pass


def unknown(v: Unknown) -> str:
    return ""


def unknown_inside(v: Optional[list[Unknown]] = None) -> str:  # noqa: UP045 - an old spelling
    return ""


def unbindable(v: Service) -> str:
    return ""


def bare_dict(v: dict[str, int]) -> str:
    return ""


def two_bodies(a: Model, b: Model) -> str:
    return ""


def body_and_field(a: Model, b: Annotated[int, Form()]) -> str:
    return ""


def json_and_file(a: Annotated[Model, Body()], b: FileStorage) -> str:
    return ""


def model_in_cookie(v: Annotated[Model, Cookie()]) -> str:
    return ""


def file_of_int(v: Annotated[int, File()]) -> str:
    return ""


def list_of_models_in_query(v: Annotated[list[Model], Query()]) -> str:
    return ""


def wrong_constraint(v: Annotated[list[Model], Body(pattern="a")]) -> str:
    return ""


def number_of_choice(v: Annotated[int | str, Query(ge=1)] = 1) -> str:
    return ""


def order_of_anything(v: Any = Query(1, ge=1)) -> str:  # noqa: B008 - a marker is made for this
    return ""


def length_of_number(v: Annotated[int, Field(max_length=2)]) -> str:
    return ""


def marker_inside(v: list[Annotated[int, Query(ge=1)]]) -> str:
    return ""


def unfinished_model(v: Unfinished) -> str:
    return ""


def no_schema(v: Annotated[Service, Body()]) -> str:
    return ""


WRONG = [
    (unknown, "typed.unresolved", "'Unknown' of 'v'"),
    (unknown_inside, "typed.unresolved", "of 'v'"),
    (unbindable, "typed.unbindable", "Service"),
    (bare_dict, "typed.unbindable", "dict[str, int]"),
    (two_bodies, "typed.bodies", "'a' and 'b'"),
    (body_and_field, "typed.bodies", "'a' and 'b'"),
    (json_and_file, "typed.bodies", "'a' and 'b'"),
    (model_in_cookie, "typed.marker", "Cookie() cannot fill 'v'"),
    (file_of_int, "typed.marker", "File() cannot fill 'v'"),
    (list_of_models_in_query, "typed.marker", "Query() cannot fill 'v'"),
    (wrong_constraint, "typed.constraint", "'pattern' cannot hold for 'v'"),
    (number_of_choice, "typed.constraint", "'ge' cannot hold for 'v', str"),
    (order_of_anything, "typed.constraint", "'ge' cannot hold for 'v'"),
    (length_of_number, "typed.constraint", "'max_length' cannot hold for 'v', int"),
    (marker_inside, "typed.hidden", "Query() stands inside the annotation of 'v'"),
    (unfinished_model, "typed.schema", "Unfinished"),
    (no_schema, "typed.schema", "Service"),
]


@pytest.mark.parametrize(("view", "code", "says"), WRONG, ids=[w[0].__name__ for w in WRONG])
def test_wrong_declarations_are_told(view: Any, code: str, says: str) -> None:
    """The error names function, file and line, the parameter, and a remedy."""
    app = Carboy("wrong", batteries=("typed",))
    app.add_url_rule("/", "it", view, methods=["POST"])
    with pytest.raises(SetupError) as caught:
        app.seal()
    error = caught.value
    assert error.code == code
    assert says in error.message
    assert f"{view.__name__}() in {__file__}:{view.__code__.co_firstlineno}" in error.message
    assert len(error.hint) > 15


def test_unknown_constraints_name_the_nearest() -> None:
    """A misspelt constraint is told where it is written."""
    with pytest.raises(SetupError, match=r"Did you mean 'max_length'.*\[typed.constraint\]"):
        Query(max_lenght=3)  # type: ignore[call-arg] # the mistake


def test_a_default_makes_an_unbindable_parameter_plain() -> None:
    """As in Flask: what a request cannot fill keeps its default."""

    def view(service: Service | None = None, data: dict[str, int] | None = None) -> str:
        return repr((service, data))

    app = Carboy("plain", batteries=("typed",))
    app.add_url_rule("/", "it", view)
    assert app.test_client().get("/?service=1&data=2").text == "(None, None)"
    assert [lane.bind for lane in app.lanes if lane.endpoint == "it"] == [None]


def test_hooks_may_supply_what_a_request_cannot() -> None:
    """With a URL value preprocessor an unbindable parameter is no mistake."""

    def view(service: Service) -> str:
        return type(service).__name__

    app = Carboy("hooked", batteries=("typed",))
    app.url_value_preprocessor(lambda endpoint, values: values.update(service=Service()))
    app.add_url_rule("/", "it", view)
    assert app.test_client().get("/").text == "Service"


def test_local_classes_are_found() -> None:
    """An annotation may name a class of the function around it, if the view uses it."""

    class Local(BaseModel):
        a: int

    def view(v: Local) -> str:
        return repr(isinstance(v, Local))

    app = Carboy("local", batteries=("typed",))
    app.add_url_rule("/", "it", view, methods=["POST"])
    assert app.test_client().post("/", json={"a": 1}).text == "True"


def test_binders_tell_what_they_bind() -> None:
    """`params` has a record for each, for documentation: name, source, annotation, need."""

    class Both(views.MethodView):
        def get(self, id: Annotated[int, Query(ge=1)], x_y: Annotated[str, Header()] = "") -> str:
            return ""

        def post(self, body: Model) -> str:
            return ""

    app = Carboy("params", batteries=("typed",))
    app.add_url_rule("/<int:id>", view_func=Both.as_view("both"))
    binder = next(lane.bind for lane in app.lanes if lane.endpoint == "both")
    assert isinstance(binder, bind.MethodBinder)
    assert sorted(binder.methods) == ["GET", "HEAD", "POST"]
    found = {(p.name, p.alias, p.source, p.kind, p.required) for p in binder.params}
    assert [p.own_default for p in binder.params if p.name == "x_y"] == ["", ""]  # GET and HEAD
    assert found == {
        ("id", "id", "path", "scalar", True),
        ("x_y", "x-y", "header", "scalar", False),
        ("body", "body", "body", "model", True),
    }


def test_the_battery_keeps_no_application_alive() -> None:
    """Binder and encoders hold the application weakly: it is freed at once."""
    app = Carboy("freed", batteries=("typed",))
    ref = weakref.ref(app)
    gc.disable()
    try:
        del app
        assert ref() is None
    finally:
        gc.enable()
