"""Schemas: what a request may send, told in the sentences of the model."""

import json

import pytest
from hypothesis import given, settings, strategies as st
from pydantic import ValidationError

from carboy.resource.declared import declare
from carboy.resource.plan import make
from carboy.resource.schemas import changes, complaints, schema


@pytest.fixture(scope="module")
def plan(models):
    made = declare(models.Book, {})
    return make(made, {models.Book: made})


def refused(plan, purpose, body):
    """Return {field: (type, message)} of what is wrong with *body*."""
    text = body if isinstance(body, str) else json.dumps(body)
    with pytest.raises(ValidationError) as error:
        schema(plan, purpose, plan.create).model_validate_json(text, strict=True)
    return {
        str(one["loc"][0]) if one["loc"] else "": (one["type"], one["msg"])
        for one in complaints(plan, error.value)
    }


GOOD = {"title": "Emma", "author_id": 1, "price_cents": 5}


def test_every_error_is_told_at_once(plan):
    found = refused(plan, "create", {"title": "", "price_cents": -1, "published": 5000, "x": 1})
    assert found == {
        "title": ("min_length", "Title must have at least 1 character."),
        "author_id": ("required", "Author is needed."),
        "price_cents": ("ge", "Price must be at least 0 cents."),
        "published": ("le", "Published must be at most 2100."),
        "x": ("unknown", "There is no field 'x' here."),
    }


@pytest.mark.parametrize("name", ["id", "version", "created_at", "secret", "__class__"])
def test_what_may_not_be_set_is_unknown(plan, name):
    """No mass assignment: a name that is in no form is refused, not overlooked."""
    assert refused(plan, "create", {**GOOD, name: 1})[name][0] == "unknown"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("title", 5), ("title", None), ("title", "a\0b"), ("title", "x" * 121), ("title", ["x"]),
        ("price_cents", "5"), ("price_cents", 5.5), ("price_cents", True), ("price_cents", 2**63),
        ("price_cents", 10**400), ("binding", "vellum"), ("out_on", "2026-02-30"), ("out_on", 5),
        ("in_stock", "yes"), ("author_id", "1"), ("author_id", {}), ("published", -801),
    ],
    ids=lambda value: repr(value)[:20],
)  # fmt: skip
def test_a_wrong_value_is_named(plan, name, value):
    assert list(refused(plan, "create", {**GOOD, name: value})) == [name]


@pytest.mark.parametrize("body", ["[]", "5", "null", '"x"', "{", "", "[[[["])
def test_what_is_no_object_is_refused(plan, body):
    assert refused(plan, "create", body)


def test_a_change_needs_nothing(plan):
    """PATCH: only what was sent counts."""
    made = schema(plan, "update", plan.update).model_validate_json('{"published": null}')
    assert changes(made, plan.update) == {"published": None}


def test_what_was_not_sent_is_left_to_the_model(plan):
    made = schema(plan, "create", plan.create).model_validate_json(json.dumps(GOOD))
    assert changes(made, plan.create) == GOOD


def test_a_form_may_send_texts(plan):
    """The same class, laxly."""
    sent = {"title": "Emma", "author_id": "1", "price_cents": "5", "out_on": "2026-05-01"}
    made = schema(plan, "create", plan.create).model_validate(sent)
    assert changes(made, plan.create)["price_cents"] == 5


def test_the_schema_says_the_constraints(plan):
    found = schema(plan, "create", plan.create).model_json_schema()
    assert found["additionalProperties"] is False
    assert found["required"] == ["title", "author_id", "price_cents"]
    assert found["properties"]["title"]["maxLength"] == 120
    assert found["properties"]["price_cents"]["minimum"] == 0


NAMES = ["title", "author_id", "price_cents", "binding", "out_on", "blurb", "in_stock", "nope"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=3,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES) | st.text(), VALUES))
def test_whatever_is_sent_is_taken_or_told(plan, body):
    """Never another error; each complaint names a field that was sent, or is missing."""
    try:
        made = schema(plan, "create", plan.create).model_validate_json(json.dumps(body))
    except ValidationError as error:
        told = complaints(plan, error)
        assert told
        assert all(one["loc"][0] in body or one["type"] == "required" for one in told)
    else:
        assert set(changes(made, plan.create)) <= set(body)
