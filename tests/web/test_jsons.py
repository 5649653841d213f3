"""JSON: depth, and what two decoders may read differently."""

import json

import pytest
from hypothesis import given, strategies as st

from carboy.base.errors import RequestFault
from carboy.web.jsons import check_depth, check_strict, strict_loads


def depth_of(data):
    """Depth by walking: the plain rule that the fast way must agree with."""
    if isinstance(data, dict):
        return 1 + max(map(depth_of, data.values()), default=0)
    return 1 + max(map(depth_of, data), default=0) if isinstance(data, list) else 0


@pytest.mark.parametrize("text", [True, False], ids=["str", "bytes"])
@pytest.mark.parametrize("opening", ["[", '{"a":', "[0, "], ids=["list", "object", "mixed"])
def test_the_bound_passes_and_one_deeper_is_refused(opening, text):
    closing = {"[": "]", '{"a":': "}", "[0, ": "]"}[opening]
    for levels, allowed in ((9, True), (10, True), (11, False)):
        data = opening * levels + "1" + closing * levels
        data = data if text else data.encode()
        if allowed:
            check_depth(data, 10)
        else:
            with pytest.raises(RequestFault, match=r"json\.deep") as caught:
                check_depth(data, 10)
            assert caught.value.status == 400


ATTACKS = {
    "lists": b"[" * 100_000,
    "objects": b'{"a":' * 100_000,
    "closed": b"[" * 100_000 + b"]" * 100_000,
    "closing first": b"]" * 100_000 + b"[" * 100_000,
    "wide, then deep": b"[" + b"[]," * 100_000 + b"[" * 99 + b"]" * 100,
}


@pytest.mark.parametrize("data", ATTACKS.values(), ids=ATTACKS)
def test_depth_attacks_are_refused(data):
    with pytest.raises(RequestFault, match=r"json\.deep"):
        check_depth(data, 64)


HARMLESS = {
    "brackets in a string": json.dumps(["[" * 1_000] * 3),
    "escaped quotes": json.dumps(['"[{' * 500]),
    "backslash at the end": json.dumps(["[" * 100 + "\\", "[" * 100]),
    "wide": json.dumps([[]] * 10_000),
    "broken": '["' + "[" * 1_000,
}


@pytest.mark.parametrize("data", HARMLESS.values(), ids=HARMLESS)
def test_brackets_that_do_not_nest_pass(data):
    check_depth(data.encode(), 3)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('ab[]{}"\\:,é\n'),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text('a[{"\\'), inner, max_size=4)
    ),
    max_leaves=30,
)


@given(values, st.integers(1, 6))
def test_depth_is_what_walking_the_data_finds(value, limit):
    data = json.dumps(value, ensure_ascii=False).encode()
    if depth_of(value) <= limit:
        check_depth(data, limit)
    else:
        with pytest.raises(RequestFault):
            check_depth(data, limit)


@given(values)
def test_what_json_dumps_writes_is_never_ambiguous(value):
    for data in (json.dumps(value).encode(), json.dumps(value, ensure_ascii=False).encode()):
        check_strict(data)
        assert strict_loads(data) == value


AMBIGUOUS = {
    "NaN": (b'{"a": NaN}', "json.constant"),
    "-Infinity": (b"[-Infinity]", "json.constant"),
    "doubled": (b'{"a": 1, "b": 2, "a": 3}', "json.duplicate"),
    "doubled deep": (b'[{"x": [{"a": 1, "a": 1}]}]', "json.duplicate"),
    "doubled by escape": (b'{"a": 1, "\\u0061": 2}', "json.duplicate"),
    "doubled beside a colon in text": (b'{"a":"x",":b":1,"a":2}', "json.duplicate"),
    "doubled in utf-8": ('{"é": 1, "é": 2}'.encode(), "json.duplicate"),
    "half a surrogate": (b'["\\ud800"]', "json.surrogate"),
    "half in a name": (b'{"\\udfff": 1}', "json.surrogate"),
    "latin-1": (b'["\xe9"]', "json.encoding"),
    "utf-16": ('{"a": 1}'.encode("utf-16"), "json.encoding"),
    "utf-32": ('{"a": 1}'.encode("utf-32-le"), "json.encoding"),
}


@pytest.mark.parametrize(("data", "code"), AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_ambiguous_json_is_refused(data, code):
    with pytest.raises(RequestFault) as caught:
        check_strict(data)
    assert (caught.value.status, caught.value.code) == (400, code)


CLEAR = {
    "words in text": b'{"a": "NaN and Infinity"}',
    "same name in two objects": b'[{"a": 1}, {"a": 2}]',
    "a whole pair": b'["\\ud83d\\ude00"]',
    "text that looks like names": b'{"a": "b\\": 1, \\"a", "b": "a"}',
    "not JSON": b"{a: 1",
    "empty": b"",
}


@pytest.mark.parametrize("data", CLEAR.values(), ids=CLEAR)
def test_clear_json_and_no_json_at_all_pass(data):
    """What is no JSON is for the decoder to refuse, which knows the place."""
    check_strict(data)


# --- through the application -------------------------------------------------------


def test_100_000_levels_are_400_in_both_presets(either):
    """A 500 in bare Flask."""
    for data in (b"[" * 100_000, b'{"a":' * 100_000):
        answer = either.test_client().post("/json", data=data, content_type="application/json")
        assert answer.status_code == 400


@pytest.mark.parametrize(("data", "code"), AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_ambiguous_json_is_400_by_default(app, data, code):
    answer = app.test_client().post("/json", data=data, content_type="application/json")
    assert (answer.status_code, answer.json["code"]) == (400, code)


def test_compatible_reads_json_as_flask_does(make_app):
    client = make_app(("limits", "headers")).test_client()
    answer = client.post("/json", data=b'{"a": 1, "a": 2}', content_type="application/json")
    assert answer.json == {"got": {"a": 2}}


def test_the_wrong_content_type_is_415(app):
    answer = app.test_client().post("/json", data=b"{}", content_type="text/plain")
    assert answer.status_code == 415


def test_depth_is_an_option(make_app):
    client = make_app(MAX_JSON_DEPTH=4).test_client()
    assert client.post("/json", json=[[[[]]]]).status_code == 200
    assert client.post("/json", json=[[[[[]]]]]).status_code == 400
