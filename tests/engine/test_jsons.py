"""The JSON provider: Flask's bytes, Flask's errors, Flask's switches."""

from __future__ import annotations

import dataclasses
import enum
import json
import math
import subprocess
import sys
import threading
import uuid
from collections import OrderedDict
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import flask
import pytest
from flask.json.provider import DefaultJSONProvider
from hypothesis import given, settings, strategies as st
from markupsafe import Markup

from carboy import Carboy
from carboy.engine import jsons
from carboy.engine.jsons import JSON


class Text(str):
    pass


class Whole(int):
    def __repr__(self) -> str:
        return "odd"


class Real(float):
    def __repr__(self) -> str:
        return "odd"


class Colour(enum.IntEnum):
    RED = 1


class Word(enum.StrEnum):
    A = "é"


class Plain(enum.Enum):
    X = 1


@dataclasses.dataclass
class Point:
    x: int
    when: datetime


class Html:
    def __html__(self) -> str:
        return "<b>"


ZONES = st.sampled_from([None, UTC, timezone(timedelta(hours=5, minutes=30))])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(2**70), max_value=2**70),
    st.floats(),
    st.sampled_from([-0.0, 1e16, 1e-5, 1e-4, 9999999999999998.0, math.nan, math.inf, 1e22]),
    st.text(alphabet=st.characters(exclude_categories=())),  # lone surrogates included
    st.sampled_from(["\x7f", '\\"\\\\', "é\\", "\u2028", "\U0001f600", "\0", '"', "\\u00e9"]),
    st.datetimes(timezones=ZONES),
    st.dates(),
    st.decimals(),
    st.uuids(),
    st.sampled_from([Text("é"), Whole(3), Real(1.5), Colour.RED, Word.A, Plain.X]),
    st.sampled_from([Markup("<i>"), Html(), Point(1, datetime(2024, 2, 29)), b"no", {1}, 1j]),
)
KEYS = st.one_of(st.text(), st.text(), st.integers(), st.none(), st.floats(), st.just(Text("k")))
DATA = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner),
        st.lists(inner).map(tuple),
        st.dictionaries(st.text(), inner),
        st.dictionaries(KEYS, inner),
        st.dictionaries(st.text(), inner).map(OrderedDict),
    ),
)
ROWS = st.lists(
    st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text())
) | st.dictionaries(st.text(), st.lists(st.integers() | st.text()) | st.integers())


@pytest.fixture(name="app", scope="module")
def _app() -> flask.Flask:
    return flask.Flask("jsons")


def stock_body(app: flask.Flask, obj: Any, **switches: Any) -> Any:
    """Return the body of stock Flask's answer, or the error's type and text."""
    provider = DefaultJSONProvider(app)
    vars(provider).update(switches)
    return outcome(lambda: provider.response(obj).get_data())


def our_body(app: flask.Flask, obj: Any, **switches: Any) -> Any:
    provider = JSON(app)
    vars(provider).update(switches)
    return outcome(lambda: provider.encode(obj))


def outcome(act: Any) -> Any:
    try:
        return act()
    except (TypeError, ValueError, RecursionError) as error:
        return type(error), str(error).split(" while ")[0]


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(obj=DATA, ascii_=st.booleans(), sort=st.booleans())
def test_any_data_has_the_bytes_or_the_error_of_flask(
    app: flask.Flask, obj: Any, ascii_: bool, sort: bool
) -> None:
    """Whatever is returned, the client cannot tell the two providers apart."""
    switches = {"ensure_ascii": ascii_, "sort_keys": sort}
    assert our_body(app, obj, **switches) == stock_body(app, obj, **switches)


@settings(max_examples=60, deadline=None)
@given(obj=ROWS)
def test_rows_written_by_msgspec_have_the_bytes_of_flask(app: flask.Flask, obj: Any) -> None:
    """The data for which msgspec is used: escapes, order and integers agree."""
    assert our_body(app, obj) == stock_body(app, obj)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(obj=DATA, compact=st.booleans())
def test_dumps_equals_flask(app: flask.Flask, obj: Any, compact: bool) -> None:
    """`app.json.dumps`, which sessions use, is the same text."""
    kwargs: dict[str, Any] = {"separators": (",", ":")} if compact else {}
    stock, ours = DefaultJSONProvider(app), JSON(app)
    assert outcome(lambda: ours.dumps(obj, **kwargs)) == outcome(lambda: stock.dumps(obj, **kwargs))


@settings(max_examples=60, deadline=None)
@given(when=st.datetimes(timezones=ZONES) | st.dates())
def test_dates_print_as_http_dates(app: flask.Flask, when: date) -> None:
    """The quick printer of dates and `http_date` agree on every date."""
    assert our_body(app, {"when": when}) == stock_body(app, {"when": when})


JSON_TEXT = st.one_of(
    DATA.map(lambda obj: outcome(lambda: json.dumps(obj, default=str))).filter(
        lambda text: isinstance(text, str)
    ),
    st.text(alphabet='[]{}",:0123456789.eE+-\\untrfalse \n\t\ud800é', max_size=12),
    st.sampled_from(["NaN", "-0", "1E400", '"\\ud800"', "1" * 5000, '{"a":1,"a":2}', "\ufeff1"]),
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(text=JSON_TEXT, coding=st.sampled_from(["str", "utf-8", "utf-16", "utf-8-sig"]))
def test_reading_equals_the_json_module(app: flask.Flask, text: str, coding: str) -> None:
    """Values and refusals of `loads` are those of `json.loads`."""
    source = text if coding == "str" else text.encode(coding, "surrogatepass")
    ours = outcome(lambda: JSON(app).loads(source))
    stock = outcome(lambda: json.loads(source))
    assert repr(ours) == repr(stock)  # repr: NaN differs from itself, 1 equals True


def test_data_that_contains_itself_is_refused_as_in_flask(app: flask.Flask) -> None:
    """A circle raises ValueError, in a list, in a dict, and deep inside."""
    ring: list[Any] = [1]
    ring.append(ring)
    knot: dict[str, Any] = {"a": [{}]}
    knot["a"][0]["b"] = knot
    for circle in (ring, knot, {"rows": [{"x": ring}]}):
        assert our_body(app, circle) == (ValueError, "Circular reference detected")
        assert our_body(app, circle) == stock_body(app, circle)


def test_very_deep_data_raises_as_in_flask(app: flask.Flask) -> None:
    """Depth is a RecursionError, never a crash."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert our_body(app, deep)[0] is RecursionError


@pytest.mark.parametrize(
    "switches",
    [
        {"compact": False},
        {"default": lambda o: "custom"},
        {"dumps": lambda o, **k: "patched"},
        {"sort_keys": False, "ensure_ascii": False},
    ],
    ids=["indented", "own default", "patched dumps", "unsorted utf-8"],
)
def test_switches_set_on_the_instance_count(app: flask.Flask, switches: dict[str, Any]) -> None:
    """What a user sets on `app.json` is honoured, at any time."""
    obj = {"b": object() if "default" in switches else 1, "a": "é"}
    assert our_body(app, obj, **switches) == stock_body(app, obj, **switches)


def test_debug_mode_indents() -> None:
    """In debug mode Flask indents; so do we, and stop when it is switched off."""
    app = flask.Flask("debugging")
    provider = JSON(app)
    app.debug = True
    assert provider.encode({"a": 1}) == b'{\n  "a": 1\n}\n'
    app.debug = False
    assert provider.encode({"a": 1}) == b'{"a":1}\n'


def test_subclass_that_overrides_dumps_is_obeyed(app: flask.Flask) -> None:
    """An own `dumps` writes the answers, in `encode` as in `response`."""

    class Loud(JSON):
        def dumps(self, obj: Any, **kwargs: Any) -> str:
            return super().dumps(obj, **kwargs).upper()

    assert Loud(app).encode({"a": "b"}) == b'{"A":"B"}\n'
    assert Loud(app).response({"a": "b"}).get_data() == b'{"A":"B"}\n'


def test_response_keeps_mimetype_and_arguments(app: flask.Flask) -> None:
    """`jsonify(a=1)`, `jsonify(1, 2)` and `jsonify()` as in Flask."""
    provider = JSON(app)
    provider.mimetype = "application/vnd.x+json"
    answer = provider.response(a=1)
    assert (answer.get_data(), answer.mimetype) == (b'{"a":1}\n', "application/vnd.x+json")
    assert provider.response(1, 2).get_data() == b"[1,2]\n"
    assert provider.response().get_data() == b"null\n"
    with pytest.raises(TypeError, match="either args or kwargs"):
        provider.response(1, a=1)


def test_without_the_c_accelerator_the_bytes_stay(
    app: flask.Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Python without `_json` answers the same, only slower."""
    monkeypatch.setattr(jsons, "make_encoder", None)
    obj = {"b": [1.5, {"c": date(2024, 1, 1)}], "a": uuid.UUID(int=1), "d": Decimal("1.50")}
    assert our_body(app, obj) == stock_body(app, obj)
    assert JSON(app).dumps(obj) == DefaultJSONProvider(app).dumps(obj)


def test_one_object_may_be_encoded_by_many_threads(app: flask.Flask) -> None:
    """A shared constant is not taken for circular while two threads write it."""
    inside = threading.Barrier(2, timeout=10)
    shared: dict[str, Any] = {"rows": [{"x": object()}]}
    provider = JSON(app)
    provider.default = lambda o: str(inside.wait() >= 0)
    answers: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: answers.append(provider.encode(shared))) for _ in "ab"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [b'{"rows":[{"x":"True"}]}\n'] * 2


def guarded(**attributes: Any) -> flask.Flask:
    app = flask.Flask("guarded")
    vars(app).update(attributes)
    return app


def test_guards_see_bytes_before_they_are_parsed() -> None:
    """A guard refuses a body; text from the application itself is not asked about."""

    def refuse(data: bytes) -> None:
        raise LookupError(data)

    provider = JSON(app := guarded(json_guards=[refuse]))
    with app.test_request_context(), pytest.raises(LookupError, match="oops"):
        provider.loads(b"{oops")
    assert provider.loads(b"[1]") == [1]  # no request: a test reads an answer
    assert provider.loads('{"a": 1}') == {"a": 1}


def test_too_deep_json_is_bad_json_when_batteries_are_on() -> None:
    """With batteries a deep body is a ValueError (400); without, Flask's RecursionError."""
    deep = b"[" * 100_000
    app = guarded(batteries={"typed": object()})
    with pytest.raises(ValueError, match="nested too deeply"):
        JSON(app).loads(deep)
    app = guarded(batteries={})
    with pytest.raises(RecursionError):
        JSON(app).loads(deep)


@pytest.mark.parametrize(("batteries", "status"), [(("typed",), 400), ((), 500)])
def test_a_too_deep_body_is_answered(batteries: Any, status: int) -> None:
    """`request.get_json()` of a plain view: 400 with batteries, as in Flask without."""
    app = Carboy("deep", batteries=batteries)
    app.add_url_rule("/", "it", lambda: str(flask.request.get_json()), methods=["POST"])
    deep = b"[" * 100_000
    answer = app.test_client().post("/", data=deep, content_type="application/json")
    assert answer.status_code == status


def test_keywords_of_loads_reach_the_json_module(app: flask.Flask) -> None:
    """`parse_float` and its siblings work as documented for `json.loads`."""
    assert JSON(app).loads("1.10", parse_float=Decimal) == Decimal("1.10")
    assert JSON(app).loads(bytearray(b"[1]")) == [1]


def test_msgspec_is_imported_at_first_use() -> None:
    """Importing the provider costs nothing; the first answer imports msgspec."""
    code = (
        "import sys, flask\n"
        "from carboy.engine.jsons import JSON\n"
        "assert 'msgspec' not in sys.modules\n"
        "app = flask.Flask('x')\n"
        "assert JSON(app).encode({'a': 1}) == b'{\"a\":1}\\n'\n"
        "assert 'msgspec' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
