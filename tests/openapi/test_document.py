"""The document: valid, complete, made once; and the page that shows it."""

import json
import re

import pytest


@pytest.fixture
def document(views, ask):
    """The document as it is answered."""
    return ask("GET", "/api/openapi.json").json


@pytest.mark.slow
def test_it_is_valid(document):
    """By the specification's own schema, 3.1."""
    validate = pytest.importorskip("openapi_spec_validator").validate
    validate(document)
    assert document["openapi"] == "3.1.0"


def test_every_route_of_the_api_is_in_it(views, document):
    """With every method; what is not typed is not."""
    routes = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in views.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api/") and "docs" not in rule.rule and "json" not in rule.rule
    }
    operations = {
        (path, verb) for path, item in document["paths"].items() for verb in item
        if verb != "parameters"
    }  # fmt: skip
    assert operations == routes | {("/basket/{basket}", "get"), ("/sums", "post")}


def test_hidden_fields_are_not_in_it(document):
    """Neither shown nor taken, not even named."""
    assert '"note"' not in json.dumps(document["components"]["schemas"]["Writer"])
    assert "note" not in document["components"]["schemas"]["NewWriter"]["properties"]
    names = document["components"]["schemas"]["NewVolume"]["properties"]
    assert [*names] == ["title", "code", "price_cents", "published", "binding", "writer_id"]
    assert "code" not in document["components"]["schemas"]["ChangedVolume"]["properties"]


def test_typed_views(document):
    """Their parameters, bodies, what they return, and what their docstrings say."""
    one = document["paths"]["/basket/{basket}"]["get"]
    assert (one["summary"], one["description"]) == (
        "Say what a basket comes to.", "With the tax in it.",
    )  # fmt: skip
    path, tax = one["parameters"]
    assert path["schema"] == {"type": "integer", "minimum": 0}
    assert tax["schema"] == {"type": "number", "minimum": 0, "maximum": 1, "default": 0.2}
    answer = one["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer == {"$ref": "#/components/schemas/Sum"}
    body = document["paths"]["/sums"]["post"]["requestBody"]["content"]["application/json"]
    assert body["schema"] == {"$ref": "#/components/schemas/Sum"}


def test_it_is_made_once_for_each_seal(views, ask, monkeypatch):
    """With a tag; anew when something is declared."""
    from carboy.resource.openapi import routes

    calls, make = [], routes.document
    monkeypatch.setattr(routes, "document", lambda app: calls.append(app) or make(app))
    first = ask("GET", "/api/openapi.json")
    tag = {"If-None-Match": first.headers["ETag"]}
    assert ask("GET", "/api/openapi.json", headers=tag).status_code == 304
    assert len(calls) == 1
    views.config["MAX_FIELDS"] = 2_000
    assert ask("GET", "/api/openapi.json").status_code == 200
    assert len(calls) == 2


def test_operations_have_names_of_their_own(document):
    """Clients make methods of them."""
    names = [one["operationId"] for item in document["paths"].values()
             for verb, one in item.items() if verb != "parameters"]  # fmt: skip
    assert len(names) == len({*names})
    assert {"list_volumes", "create_volume", "get_volume", "update_volume"} <= {*names}


# The page


def test_the_page_is_the_whole_reference(views, ask, document):
    """Every operation, parameter and status, without a script; nothing inline."""
    answer = ask("GET", "/api/docs")
    page = answer.text
    assert answer.status_code == 200
    for path, item in document["paths"].items():
        assert path in page
        for verb, one in item.items():
            if verb == "parameters":
                continue
            assert f'id="{one["operationId"]}"' in page
            for parameter in one.get("parameters", ()):
                assert f"<code>{parameter.get('name', '')}" in page
    assert "style=" not in page
    assert not re.search(r"<script(?! src=)|\son\w+=", page)
    assert "'unsafe" not in answer.headers["Content-Security-Policy"]
    assert ask("GET", "/api/docs/try.js").mimetype == "text/javascript"
    assert ask("GET", "/api/docs/plain.css").mimetype == "text/css"
    assert ask("GET", "/api/docs/nix").status_code == 404


def test_the_page_escapes_what_models_say(app, ask):
    """A label is text."""
    import library as lib

    was = lib.Volume.__doc__
    lib.Volume.__doc__ = "<script>alert(1)</script>"
    try:
        page = ask("GET", "/api/docs").text
    finally:
        lib.Volume.__doc__ = was
    assert "<script>alert" not in page
