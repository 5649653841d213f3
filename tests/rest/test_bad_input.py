"""Every field of every body with what cannot be: a 4xx that names it, and nothing written."""

import json

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings, strategies as st

from carboy.base.scope import unscoped

pytestmark = pytest.mark.slow

WRONG = {
    "nothing": None, "boolean": True, "list": [1], "object": {"a": 1}, "empty": "",
    "word": "x", "long": "x" * 5_000, "nul": "a\0b", "bidi": "a\u202eb", "isolate": "\u2066a\u2069",
    "zero width": "a\u200bb", "mark": "\ufeffa", "control": "a\x08b", "huge": 10**30,
    "below": -(10**30), "fraction": 1.5, "beyond": 1e308, "text of a number": "5",
    "seconds": "1700000000.5",
}  # fmt: skip

GOOD = {
    "writers": {
        "name": ["word", "text of a number", "seconds"], "born": ["nothing"],
        "secret": ["boolean"],
    },
    "volumes": {
        "title": ["word", "text of a number", "seconds", "empty"], "code": ["nothing", "word"],
        "price_cents": [], "published": ["nothing"], "binding": [], "writer_id": [],
    },
    "opinions": {
        "volume_id": [], "stars": [], "text": ["word", "empty", "text of a number", "seconds"],
        "weight": ["nothing", "fraction"], "price": ["nothing", "fraction", "text of a number"],
        "read_at": ["nothing"], "day": ["nothing"], "hour": ["nothing"], "mark": ["nothing"],
        "tags": ["nothing", "object"], "public": ["boolean"],
    },
}  # fmt: skip
GOOD["writers"]["name"].append("empty")

FIELDS = [(name, field) for name, fields in GOOD.items() for field in fields]


def whole(name, rows):
    """Return a body that is right."""
    return {
        "writers": {"name": "Jane"},
        "volumes": {"title": "Emma", "price_cents": 1, "writer_id": rows["jane"]},
        "opinions": {"volume_id": rows["sanditon"], "stars": 1, "text": "Good"},
    }[name]


def count(app):
    """Return everything that is in the tables."""
    import library as lib

    from carboy.data.db import db

    with app.app_context(), unscoped("test"):
        return [
            [
                tuple(row)
                for row in db.session.execute(sa.select(table).order_by(*table.primary_key))
            ]
            for table in lib.Base.metadata.sorted_tables
        ]


@pytest.mark.parametrize(("name", "field"), FIELDS, ids=[".".join(pair) for pair in FIELDS])
def test_a_wrong_value_names_its_field(app, staff, rows, name, field):
    """For POST, PUT and PATCH."""
    before = count(app)
    row = {"writers": "jane", "volumes": "emma", "opinions": "opinion"}[name]
    for kind, value in WRONG.items():
        if kind in GOOD[name][field]:
            continue
        body = json.dumps({**whole(name, rows), field: value})
        for method, path in (("POST", f"/api/{name}"), ("PUT", f"/api/{name}/{rows[row]}"),
                             ("PATCH", f"/api/{name}/{rows[row]}")):  # fmt: skip
            answer = staff(method, path, data=body, content_type="application/json")
            if answer.status_code in (403, 404):
                continue  # an opinion of somebody else
            assert answer.status_code == 422, (method, kind, answer.json)
            places = [one["loc"] for one in answer.json["errors"]]
            assert ["body", field] in places, (method, kind, answer.json)
    assert count(app) == before


NAMES = st.text(max_size=20) | st.sampled_from(
    ["id", "version", "created_at", "person", "note", "__class__", "metadata", "writer", "policy"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)  # fmt: skip


def test_whatever_is_sent(app, staff, rows):
    """No 5xx; what is unknown, read-only or hidden is refused by name, and nothing written."""

    @settings(max_examples=150, deadline=None, database=None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=4), st.sampled_from([*GOOD]))
    def send(more, name):
        before = count(app)
        body = json.dumps({**more, **whole(name, rows)})
        strange = {key for key in more if key not in GOOD[name]}
        answer = staff("POST", f"/api/{name}", data=body, content_type="application/json")
        if strange:
            assert answer.status_code in (400, 422), answer.json
            if answer.status_code == 422:
                told = {one["loc"][1] for one in answer.json["errors"]}
                assert strange <= told
            assert count(app) == before
        else:
            assert answer.status_code in (201, 409, 422), answer.json

    send()


def test_forged_queries(staff, rows):
    """Any text for any parameter: 200 or a 4xx, never more."""
    known = ["q", "sort", "size", "cursor", "fields", "include", "title.contains", "price_cents.in",
             "published.between", "writer", "created_at.gt", "code.null", "binding"]  # fmt: skip

    @settings(max_examples=200, deadline=None, database=None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(st.dictionaries(st.sampled_from(known), st.text(max_size=40), min_size=1, max_size=3))
    def send(query):
        answer = staff("GET", "/api/volumes", query_string=query)
        assert answer.status_code in (200, 400, 422), (query, answer.json)

    send()


# Who sees what


def test_nobody_finds_a_row_they_should_not(app, ask, ada, bob, staff, rows):
    """Every GET of the API, with every include, as everybody: no secret is in it."""
    secrets = {"Ghost": (ask, ada, bob), "Good": (ask, bob)}
    paths = ["/api/openapi.json", "/api/docs"]
    for name in GOOD:
        paths += [f"/api/{name}", f"/api/{name}?size=100&sort=-id"]
        paths += [f"/api/{name}/{key}" for key in range(1, 5)]
    nested = ("/api/volumes?include=writer,opinions", "/api/volumes?fields=writer.name",
              "/api/volumes/1?include=opinions", "/api/writers/2?include=volumes",
              "/api/opinions?include=volume", "/api/volumes?q=ghost",
              "/api/writers?name.contains=Gh", "/api/volumes?writer=2")  # fmt: skip
    for word, people in secrets.items():
        for client in people:
            for path in (*paths, *nested):
                answer = client("GET", path)
                assert answer.status_code in (200, 404), path
                assert f'"{word}"' not in answer.text, (word, path)
    assert '"Ghost"' in staff("GET", "/api/writers").text
    assert '"Good"' in ada("GET", "/api/opinions").text


def test_nobody_changes_what_they_do_not_see(ask, bob, rows, staff):
    """404 for a hidden row, by every method; what is seen and not theirs: 403, 401."""
    path, body = f"/api/opinions/{rows['opinion']}", {"stars": 1, "text": "x", "volume_id": 1}
    for client in (ask, bob, staff):
        for method in ("GET", "PATCH", "PUT", "DELETE"):
            sent = {"stars": 1} if method == "PATCH" else body if method == "PUT" else None
            answer = client(method, path, sent)
            assert answer.status_code == 404, (method, answer.json)
