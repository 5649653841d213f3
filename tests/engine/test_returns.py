"""What views of a typed application may return."""

from __future__ import annotations

import dataclasses
import enum
import subprocess
import sys
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import flask
import msgspec
import pytest
from flask.json.provider import DefaultJSONProvider
from markupsafe import Markup
from pydantic import BaseModel, RootModel

from carboy import Carboy
from carboy.engine import returns

WHEN = datetime(2024, 2, 29, 12, 30, tzinfo=UTC)
ID = UUID(int=1)


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Word(enum.StrEnum):
    HI = "hi"


class Book(BaseModel):
    title: str
    at: datetime = WHEN
    price: Decimal = Decimal("1.50")


class Numbers(RootModel[list[int]]):
    pass


class Point(msgspec.Struct):
    y: int
    at: datetime = WHEN


@dataclasses.dataclass
class Size:
    width: int
    at: date = date(2024, 2, 29)


@dataclasses.dataclass
class Answering:
    """A dataclass that is a WSGI application: Flask takes it as one."""

    text: str

    def __call__(self, environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [self.text.encode()]


class Page(BaseModel):
    """A model that renders itself is written as Flask writes it."""

    def __html__(self) -> str:
        return "<p>"


BOOK = b'{"at":"2024-02-29T12:30:00Z","price":"1.50","title":"\\u00e9"}'
POINT = b'{"at":"2024-02-29T12:30:00Z","y":1}'
HTTP_DATE = b'"Thu, 29 Feb 2024 12:30:00 GMT"'

VALUES: list[tuple[str, Any, bytes]] = [
    ("model", Book(title="é"), BOOK),
    ("root model", Numbers([1, 2]), b"[1,2]"),
    ("struct", Point(1), POINT),
    ("dataclass", Size(1), b'{"at":"Thu, 29 Feb 2024 00:00:00 GMT","width":1}'),
    ("decimal", Decimal("1.50"), b'"1.50"'),
    ("datetime", WHEN, HTTP_DATE),
    ("date", date(2024, 2, 29), b'"Thu, 29 Feb 2024 00:00:00 GMT"'),
    ("time", time(12, 30), b'"12:30:00"'),
    ("uuid", ID, b'"00000000-0000-0000-0000-000000000001"'),
    ("enum", Colour.RED, b'"red"'),
    ("int enum", Level.LOW, b"1"),
    ("set", {3, 1, 2}, b"[1,2,3]"),
    ("frozenset of models", frozenset({Colour.RED}), b'["red"]'),
]
IDS = [name for name, *_ in VALUES]


@pytest.fixture(name="app")
def _app() -> Carboy:
    app = Carboy("returns", batteries=("typed",))
    app.testing = True
    return app


def get(app: flask.Flask, result: Any) -> Any:
    app.add_url_rule("/", "it", lambda: result)
    return app.test_client().get("/")


@pytest.mark.parametrize(("name", "value", "body"), VALUES, ids=IDS)
def test_values_are_answers(app: Carboy, name: str, value: Any, body: bytes) -> None:
    """Each becomes JSON with status 200, and ends with a newline as Flask's JSON does."""
    answer = get(app, value)
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.data == body + b"\n"


@pytest.mark.parametrize(("name", "value", "body"), VALUES, ids=IDS)
def test_values_may_stand_inside(app: Carboy, name: str, value: Any, body: bytes) -> None:
    """In a list, a dict, deep inside: the same JSON as alone."""
    answer = get(app, {"rows": [value, {"x": value}]})
    assert answer.data == b'{"rows":[' + body + b',{"x":' + body + b"}]}\n"


@pytest.mark.parametrize(("name", "value", "body"), VALUES, ids=IDS)
def test_values_may_come_with_status_and_headers(
    app: Carboy, name: str, value: Any, body: bytes
) -> None:
    """(body, status, headers) works for each of them."""
    answer = get(app, (value, 201, {"X-Seen": "yes"}))
    assert (answer.status_code, answer.headers["X-Seen"]) == (201, "yes")
    assert (answer.data, answer.mimetype) == (body + b"\n", "application/json")


@pytest.mark.parametrize(("name", "value", "body"), VALUES, ids=IDS)
def test_jsonify_writes_the_same(app: Carboy, name: str, value: Any, body: bytes) -> None:
    """`jsonify(value)` and returning it are one; stock Flask's bytes where it has some."""
    with app.test_request_context():
        assert flask.jsonify(value).data == body + b"\n"
    try:
        stock = DefaultJSONProvider(app).response(value).get_data()
    except TypeError:
        return
    assert stock == body + b"\n"


def test_a_model_equals_its_dump(app: Carboy) -> None:
    """A model's answer is that of `jsonify(model.model_dump(mode="json"))`, switches included."""
    app.json.sort_keys = False  # type: ignore[attr-defined] # Flask's provider has it
    app.json.ensure_ascii = False  # type: ignore[attr-defined] # Flask's provider has it
    book = Book(title="é")
    with app.test_request_context():
        dumped = flask.jsonify(book.model_dump(mode="json")).data
    assert get(app, book).data == dumped
    assert dumped.startswith('{"title":"é"'.encode())


def test_an_own_dump_is_obeyed(app: Carboy) -> None:
    """A model that overrides `model_dump` is written as it wants, alone and in a list."""

    class Secretive(Book):
        def model_dump(self, **options: Any) -> dict[str, Any]:
            return {"hidden": True}

    assert get(app, [Secretive(title="a")]).data == b'[{"hidden":true}]\n'


@pytest.mark.parametrize(
    ("value", "data", "mimetype"),
    [
        (Word.HI, b"hi", "text/html"),
        (Markup("<b>"), b"<b>", "text/html"),
        (Answering("hello"), b"hello", "text/plain"),
        (iter(["a", "b"]), b"ab", "text/html"),
        (("text", 200), b"text", "text/html"),
        ({"a": Page()}, b'{"a":"<p>"}\n', "application/json"),
    ],
    ids=["str enum", "markup", "wsgi dataclass", "stream", "tuple", "html"],
)
def test_what_flask_takes_stays_flasks(app: Carboy, value: Any, data: bytes, mimetype: str) -> None:
    """Whatever Flask already answers is answered as Flask does."""
    answer = get(app, value)
    assert (answer.data, answer.mimetype) == (data, mimetype)


@pytest.mark.parametrize(
    "value", [3, 1.5, object(), b"x".hex, 1j], ids=["int", "float", "object", "method", "complex"]
)
def test_what_is_no_answer_stays_an_error(app: Carboy, value: Any) -> None:
    """Numbers and unknown objects are refused with Flask's TypeError."""
    with pytest.raises(TypeError):
        get(app, value)
    with pytest.raises(TypeError, match="not JSON serializable"):
        app.json.dumps({"a": object()})


def test_an_own_default_is_asked_for_the_rest() -> None:
    """A provider with its own `default` keeps it; models and Structs still work."""

    class Shop(Carboy):
        class json_provider_class(Carboy.json_provider_class):
            @staticmethod
            def default(o: Any) -> Any:
                return "own"

    app = Shop("own", batteries=("typed",))
    assert app.json.dumps([object(), Point(1)]) == f'["own", {POINT.decode()}]'.replace(
        ',"y":', ', "y": '
    ).replace('"at":', '"at": ')


def test_a_provider_that_is_not_ours_is_used(app: Carboy) -> None:
    """With a provider of the user's own, it writes the answers."""

    class Loud(DefaultJSONProvider):
        def dumps(self, obj: Any, **kwargs: Any) -> str:
            return "loud"

    app.json = Loud(app)
    assert get(app, Colour.RED).data == b"loud\n"


def test_without_the_battery_models_are_refused_as_in_flask() -> None:
    """`batteries=()` is Flask: a model is no answer."""
    app = Carboy("plain", batteries=())
    app.testing = True
    with pytest.raises(TypeError, match="valid response"):
        get(app, Book(title="x"))


def test_many_classes_do_not_fill_the_memory() -> None:
    """Classes made per request are forgotten again."""
    look_up = returns.encoder_for(Carboy("many", batteries=()))
    for number in range(returns.MAX_KNOWN + 10):
        assert look_up(type(f"T{number}", (), {})) is None
    assert 0 < len(returns._known) <= returns.MAX_KNOWN


def test_untyped_applications_import_no_pydantic() -> None:
    """The battery alone imports neither pydantic nor msgspec; a typed view does."""
    code = (
        "import sys\n"
        "from carboy import Carboy\n"
        "app = Carboy('x', batteries=('typed',))\n"
        "app.add_url_rule('/<int:id>', 'a', lambda id: {'id': id})\n"
        "app.seal()\n"
        "assert 'pydantic' not in sys.modules and 'msgspec' not in sys.modules\n"
        "def typed(page: int = 1): return {'page': page}\n"
        "app.add_url_rule('/', 'b', typed)\n"
        "assert app.test_client().get('/?page=2').json == {'page': 2}\n"
        "assert 'pydantic' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
