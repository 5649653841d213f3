"""The sealed route table answers what Werkzeug would, or leaves it to Werkzeug."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.routing.converters import BaseConverter

from carboy.engine.routes import RouteTable

SEGMENTS = (
    "a",
    "b",
    "42",
    "<x>",
    "<int:x>",
    "<int(max=50):x>",
    "<int(signed=True):x>",
    "<float:x>",
    "<any(a, b):x>",
    "<string(length=2):x>",
    "v-<x>",
    "<x>.<y>",
    "<path:x>",
    "<odd:x>",
)
TEXTS = ("a", "b", "ab", "42", "-7", "60", "1.5", "v-1", "a.b", "", "é", "x y", "%41")
METHODS = ("GET", "HEAD", "POST", "DELETE", "OPTIONS", "get", "BREW")


class OddConverter(BaseConverter):
    """Somebody's own converter, with a group of its own and a slash inside."""

    regex = r"[ab](?:/([ab]))?"
    part_isolating = False


COMMON = st.sampled_from(("a", "b", "<x>", "<int:x>"))  # so that rules get in each other's way
TEXT = st.sampled_from(("a", "b", "42", "a", "b", "")) | st.sampled_from(TEXTS)


@st.composite
def rules(draw: st.DrawFn) -> list[dict[str, Any]]:
    found = []
    for number in range(draw(st.integers(2, 7))):
        parts = draw(st.lists(COMMON | COMMON | st.sampled_from(SEGMENTS), max_size=3))
        named = [
            part.replace("x>", f"x{i}>").replace("y>", f"y{i}>") for i, part in enumerate(parts)
        ]
        path = "/" + "/".join(named) + draw(st.sampled_from(("", "/")) if parts else st.just(""))
        websocket = draw(st.sampled_from((False, False, False, True)))
        methods = draw(st.sampled_from((None, ["GET"], ["GET", "POST"], ["DELETE"])))
        found.append(
            {
                "string": path,
                "endpoint": draw(st.sampled_from((f"e{number}", "shared"))),
                "methods": ["GET"] if websocket else methods,
                "strict_slashes": draw(st.sampled_from((None, False))),
                "defaults": None if "x0" in path else draw(st.sampled_from((None, {"x0": 42}))),
                "websocket": websocket,
                "redirect_to": draw(st.sampled_from((None, None, None, "/elsewhere"))),
            }
        )
    return found


def build(specs: list[dict[str, Any]], **options: Any) -> Map:
    url_map = Map(converters={"odd": OddConverter}, **options)
    for spec in specs:
        url_map.add(Rule(**spec))
    return url_map


def by_werkzeug(url_map: Map, path: str, method: str) -> Any:
    adapter = url_map.bind("localhost")
    try:
        return adapter.match(path, method, return_rule=True)
    except HTTPException as error:
        return error


@given(
    rules(), st.lists(st.sampled_from(TEXTS), max_size=5), st.sampled_from(METHODS), st.booleans()
)
def test_what_the_table_answers_werkzeug_answers(
    specs: list[dict[str, Any]], texts: list[str], method: str, merge: bool
) -> None:
    """Same rule, same arguments, for random rules and paths; or no answer."""
    url_map = build(specs, merge_slashes=merge)
    table = RouteTable(url_map, lambda rule, method: rule)
    path = "/" + "/".join(texts)

    hit = table.match(path, method)

    if hit is not None:
        expected = by_werkzeug(url_map, path, method)
        assert not isinstance(expected, HTTPException), expected
        assert hit[0] is expected[0]
        assert hit[1] == expected[1]


@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        ("/", {}),
        ("/a/b/", {}),
        ("/users/7/orders/x9", {"id": 7, "order": "x9"}),
        ("/files/a/b/c", {"name": "a/b/c"}),
        ("/v/1.5", {"number": 1.5}),
    ],
)
def test_the_common_rules_are_answered_by_the_table(path: str, arguments: dict[str, Any]) -> None:
    """Without this the property above would hold for a table that never answers."""
    strings = ("/", "/a/b/", "/users/<int:id>/orders/<order>", "/files/<path:name>")
    specs = [
        {"string": s, "endpoint": s, "methods": ["GET"]} for s in (*strings, "/v/<float:number>")
    ]
    table = RouteTable(build(specs), lambda rule, method: rule)

    hit = table.match(path, "GET")

    assert hit is not None
    assert hit[1] == arguments


@pytest.mark.parametrize(
    "path", ["", "x", "//a/b/", "/a/b", "/users/x/orders/y", "/é", "/users/7/orders/"]
)
def test_anything_unusual_is_left_to_werkzeug(path: str) -> None:
    """A slash to add, a converter that refuses, no match: Werkzeug says it."""
    strings = ("/a/b/", "/users/<int:id>/orders/<order>")
    specs = [{"string": s, "endpoint": s, "methods": ["GET"]} for s in strings]
    table = RouteTable(build(specs), lambda rule, method: rule)

    assert table.match(path, "GET") is None


GET = {"methods": ["GET"]}
CORNERS = {
    "a slash to add wins over a later way": ("/a/b", {"/a/b/": GET, "/<x>/b": GET}),
    "a default that has a rule of its own is redirected": (
        "/page/1",
        {
            "/page": {"defaults": {"x": 1}, "endpoint": "p", **GET},
            "/page/<int:x>": {"endpoint": "p", **GET},
        },
    ),
    "a rule that is not strict takes a slash": (
        "/a/",
        {"/a": {"strict_slashes": False, **GET}, "/<x>/": GET},
    ),
    "a way that fails leaves no value behind": ("/v-1/b", {"/v-<x>/a": GET, "/<y>/b": GET}),
    "a rule for any method": ("/a", {"/a": {"methods": None}}),
    "a websocket": ("/a", {"/a": {"websocket": True, **GET}}),
    "an alias": ("/b", {"/a": {"endpoint": "e", **GET}, "/b": {"endpoint": "e", "alias": True}}),
    "a redirect": ("/a", {"/a": {"redirect_to": "/b", **GET}}),
}


@pytest.mark.parametrize(("path", "strings"), CORNERS.values(), ids=CORNERS)
def test_in_the_corners_the_table_says_what_werkzeug_says(
    path: str, strings: dict[str, dict[str, Any]]
) -> None:
    """One case for each reason the table has to be careful."""
    url_map = build([{"string": s, "endpoint": s, **rest} for s, rest in strings.items()])
    table = RouteTable(url_map, lambda rule, method: rule)

    hit, expected = table.match(path, "GET"), by_werkzeug(url_map, path, "GET")

    assert hit is None or hit == tuple(expected)


def test_hosts_and_subdomains_are_left_to_werkzeug() -> None:
    """The table looks at paths alone; a map that looks at hosts has no table."""
    hosts = Map([Rule("/", endpoint="e", host="a.example")], host_matching=True)
    subdomains = Map([Rule("/", endpoint="e", subdomain="<name>"), Rule("/x", endpoint="x")])

    for url_map in (hosts, subdomains):
        table = RouteTable(url_map, lambda rule, method: rule)
        assert table.match("/", "GET") is table.match("/x", "GET") is None
