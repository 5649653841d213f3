"""Whatever form, whatever post: no exception, every mistake named, everything escaped."""

import datetime as dt
import io
from decimal import Decimal
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from pydantic import ConfigDict, Field, create_model
from werkzeug.datastructures import FileStorage, MultiDict

from carboy.web.form.bound import BoundForm
from carboy.web.form.spec import FieldSpec, FormSpec
from carboy.web.i18n.locales import in_locale

CONFIG = ConfigDict(extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=True)
CHOICES = (("a", "Aye"), ("b", "<b>"), ("c", '"C"'))


class Looked:
    """Choices that are looked up; only the even ones may be seen."""

    def options(self, query, limit):
        return [(n, f"<{n}>") for n in range(0, 200, 2) if query in str(n)][:limit]

    def label(self, value):
        return f"<{value}>" if isinstance(value, int) and value in range(0, 200, 2) else None


KINDS = {
    "text": (str, {"max_length": 5}),
    "integer": (int, {"ge": -10, "le": 10**6}),
    "decimal": (Decimal, {"ge": 0, "max_digits": 8, "decimal_places": 2}),
    "number": (float, {"allow_inf_nan": False}),
    "boolean": (bool, {}),
    "date": (dt.date, {"ge": dt.date(2000, 1, 1)}),
    "datetime": (dt.datetime, {}),
    "time": (dt.time, {}),
    "choice": (Literal["a", "b", "c"], {}),
    "reference": (int, {}),
    "json": (Any, {}),
    "file": (FileStorage, {}),
    "image": (FileStorage, {}),
}
WIDGETS = {"text": ["", "textarea", "password", "hidden"], "choice": ["", "radio", "pills"],
           "boolean": ["", "switch"], "integer": ["", "range"]}  # fmt: skip
texts = st.one_of(
    st.text(max_size=12),
    st.text(st.characters(codec=None), max_size=8),
    st.just('"<x>'),
    st.sampled_from(["", "0", "-1", "7", "1e5", "NaN", "on", "a", "2026-05-01", "12:00", "\0"]),
    st.sampled_from(["2026-05-01T12:00", "\ud800", "\u202e", "9" * 400, "[" * 50, "1.234,5", "4"]),
)  # fmt: skip


@st.composite
def columns(draw, prefix, kinds=tuple(KINDS)):
    """Return (spec, annotation) pairs."""
    found = []
    for number, kind in enumerate(draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=5))):
        python, bounds = KINDS[kind]
        required = draw(st.booleans())
        many = kind in ("choice", "reference") and draw(st.booleans())
        if many:
            python, bounds = list[python], {}
        spec = FieldSpec(
            name=f"{prefix}{number}", label=draw(st.sampled_from(["<i>Name</i>", "Año", "x"])),
            kind=kind, required=required, help=draw(st.sampled_from(["", "<help>"])),
            widget="" if many else draw(st.sampled_from(WIDGETS.get(kind, [""]))),
            max_length=bounds.get("max_length"), ge=bounds.get("ge"), le=bounds.get("le"),
            choices={"choice": CHOICES, "reference": Looked()}.get(kind, ()), multiple=many,
            readonly=draw(st.integers(0, 9)) == 0,
        )  # fmt: skip
        annotation = python if required else python | None
        default = ... if required and kind not in ("file", "image") else None
        found.append((spec, (annotation, Field(default, **bounds))))
    return found


@st.composite
def forms(draw):
    fields = draw(columns("f"))
    if draw(st.booleans()):
        inner = draw(columns("c", ("text", "integer", "boolean", "choice", "date")))
        row = create_model("Row", __config__=CONFIG, **{one.name: how for one, how in inner})
        spec = FieldSpec(name="rows", label="Rows", kind="rows", fields=tuple(s for s, _ in inner))
        fields.append((spec, (list[row], Field(default_factory=list))))
    schema = create_model("Made", __config__=CONFIG, **{one.name: how for one, how in fields})
    return FormSpec("made", tuple(one for one, _ in fields), schema)


def names_of(spec):
    names = ["csrf_token", "form_key", "nobody", "rows-add", "rows-0-remove", "rows-x-y"]
    for one in spec.fields:
        names += [one.name, one.name, f"{one.name}-q", f"{one.name}-search"]
        names += [f"rows-{n}-{column.name}" for n in (0, 1, 7) for column in one.fields]
    return names


@pytest.mark.slow
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_post_is_an_exception(ctx, page, data):
    """Every wrong field is named, what was typed comes back as text, and 4xx is the answer."""
    spec = data.draw(forms())
    pairs = data.draw(st.lists(st.tuples(st.sampled_from(names_of(spec)), texts), max_size=12))
    files = [
        (one.name, FileStorage(io.BytesIO(data.draw(st.binary(max_size=9))), filename="x"))
        for one in spec.fields
        if data.draw(st.integers(0, 3)) == 0
    ]
    with in_locale(data.draw(st.sampled_from(["en", "de", "fr", "es", "ar"]))):
        form = BoundForm(spec, {}, posted=MultiDict(pairs), files=MultiDict(files))
        html = str(form())

    html.encode()
    assert not any(mark in html for mark in ("<i>Name", "<help>", "<x>", "<b>", "\0"))
    found = page(html)
    assert form.valid == (form.submitted and not form.count)
    assert form.status == (422 if form.count else 200)
    assert all(form.errors.values())
    known = {one.name for one in spec.fields}
    assert {name.split("-")[0] for name in form.errors} <= known
    if not form.submitted:
        return
    expected = {
        one.name for one in spec.fields if is_wrong(one, MultiDict(pairs), MultiDict(files))
    }
    assert expected <= set(form.errors)
    if "nobody" in dict(pairs):
        assert form.form_errors
    if form.valid:
        assert set(form.data) <= known
    ids = [one.get("id") for one in found.elements if "id" in one]
    assert len(ids) == len(set(ids))


def is_wrong(spec, posted, files):
    """Tell, from outside, whether a field must have an error; False when it is hard to say."""
    given = posted.getlist(spec.name)
    if spec.readonly or spec.kind in ("rows", "json"):
        return False
    if spec.kind in ("file", "image"):
        return spec.required and not any(files.getlist(spec.name))
    if not spec.multiple and len(given) > 1:
        return True
    empty = not any(text.strip() for text in given)
    if spec.kind == "boolean":
        return False
    if empty:
        return spec.required
    known = {"choice": {"a", "b", "c"}, "reference": {str(n) for n in range(0, 200, 2)}}
    if spec.kind in known:
        return any(
            t.strip() and t.strip() not in known[spec.kind] | {"00"} for t in given if t != "0"
        )
    return spec.kind == "text" and spec.widget != "password" and len(given[0].strip()) > 5 * 2
