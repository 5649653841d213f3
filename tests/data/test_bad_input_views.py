"""What a client may send to a view that uses the database: a 4xx, never a 500.

The views are written as naively as views are: what the JSON holds goes straight into
models, conditions, keys and lists. After each request the database is as it was, and
serves the next one.
"""

import enum
import json
import logging
import uuid
from datetime import date, datetime, time
from decimal import Decimal

import pytest
from flask import Response, jsonify, request
from sqlalchemy import func, select
from sqlalchemy.orm import Mapped

from carboy import Carboy
from carboy.data.db import db
from carboy.data.fields import field
from carboy.data.filters import filters
from carboy.data.relations import belongs_to
from carboy.data.search import search
from carboy.data.sorts import sorts

pytestmark = pytest.mark.slow


class State(enum.Enum):
    NEW = "new"
    OLD = "old"


SQL = (
    "'", '"', "\\", "\\'", "`", ";", "--", "/*", "%", "%s", "%(a)s", ":a", "?", "$1", "{}", "\\0",
    "' OR '1'='1", "1; DROP TABLE things; --", "x') UNION SELECT 1,2,3,4,5,6,7,8,9,10,11 -- ",
    "\N{FULLWIDTH APOSTROPHE} OR 1=1", "\u02bc OR 1=1 --", "\x1a", "\r\n", "things.id",
)  # fmt: skip
TEXTS = (
    *SQL, "", " ", "\0", "a\0b", "\ud800", "\udfff\ud800", "\U0010ffff", "\ufeff", "x" * 1000,
    "é" * 300, "null", "NaN", "Infinity", "1e400", "9" * 400, "-0", "0x10", "1_000", "\u0661",
    "0000-00-00", "2026-02-30", "10000-01-01T00:00:00Z", "24:00", "true",
)  # fmt: skip
NUMBERS = (
    0, -1, 2**31, 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**400, 0.5, -0.0, 1e308, 5e-324,
    float("nan"), float("inf"), float("-inf"), True, False,
)  # fmt: skip
DEEP = json.loads("[" * 90 + "]" * 90)
SHAPES = (None, [], {}, [1], ["a", "b"], [None], {"a": 1}, {"id": 1}, [[1, 2], [3]], DEEP)
VALUES = (*TEXTS, *NUMBERS, *SHAPES)

GOOD = {
    "name": "one", "count": 1, "ratio": 0.5, "price": "1.50", "flag": True, "day": "2026-05-01",
    "at": "2026-05-01T12:00:00+00:00", "clock": "12:30", "token": str(uuid.UUID(int=7)),
    "state": "new", "tree": {"a": 1}, "raw": "ab", "parent": None,
}  # fmt: skip
FIELDS = tuple(GOOD)


def thing_of(values):
    """Return good values as what the fields hold; what a client changed stays as sent."""
    known = {
        "price": Decimal, "day": date.fromisoformat, "at": datetime.fromisoformat,
        "clock": time.fromisoformat, "token": uuid.UUID, "state": State, "raw": str.encode,
    }  # fmt: skip
    made = {name: known.get(name, lambda same: same)(value) for name, value in GOOD.items()}
    made.update(values)
    made["parent_id"] = made.pop("parent")
    return made


@pytest.fixture
def thing(base):
    class Thing(base):
        name: Mapped[str] = field(max_length=80, search=True)
        count: Mapped[int] = field(index=True)
        ratio: Mapped[float]
        price: Mapped[Decimal]
        flag: Mapped[bool]
        day: Mapped[date]
        at: Mapped[datetime]
        clock: Mapped[time]
        token: Mapped[uuid.UUID]
        state: Mapped[State]
        tree: Mapped[dict]
        raw: Mapped[bytes]
        parent: Mapped["Thing | None"] = belongs_to()

    base.registry.configure()
    return Thing


@pytest.fixture
def client(database, base, thing, tmp_path):
    """A client of an application whose views trust what they get."""
    app = Carboy("app", batteries="compatible", root_path=str(tmp_path))
    app.config.update(SECRET_KEY="only for tests", DATABASE_URL=database.url)
    base.metadata.create_all(database.engine)
    _views(app, thing)
    with app.app_context():
        db.session.add(thing(**thing_of({})))
        db.session.commit()
    yield app.test_client()
    app.batteries["data"].close()


def _views(app, thing):
    reading = thing.read("id", "name", "count", "at", order=("count",))
    narrowed = filters(thing, "name", "count", "ratio", "price", "flag", "day", "at", "state")
    ordered = sorts(thing, "count", "name")

    @app.post("/make")
    def make():
        row = thing(**thing_of(request.json))
        db.session.add(row)
        db.session.commit()
        return {"id": row.id}, 201

    @app.post("/change")
    def change():
        row = db.get_or_404(thing, 1)
        for name, value in request.json.items():
            setattr(row, "parent_id" if name == "parent" else name, value)
        db.session.flush()
        db.session.rollback()
        return "", 204

    @app.post("/bulk")
    def bulk():
        return {"made": db.bulk(thing, [thing_of({}), thing_of(request.json)])}, 201

    @app.post("/find")
    def find():
        query = select(func.count()).select_from(thing)
        for name, value in request.json.items():
            column = getattr(thing, "parent_id" if name == "parent" else name)
            query = query.where(column == value)
        return {"found": db.session.scalar(query)}

    @app.post("/among")
    def among():
        ((name, value),) = request.json.items()
        column = getattr(thing, "parent_id" if name == "parent" else name)
        return {"found": len(db.session.scalars(select(thing).where(column.in_([value]))).all())}

    @app.post("/get")
    def get():
        return {"id": db.get_or_404(thing, request.json["key"]).id}

    @app.post("/read")
    def read():
        return Response(reading.one_json(request.json["key"]), mimetype="application/json")

    @app.get("/pages")
    def pages():
        return {"items": [one.id for one in db.paginate(select(thing).order_by(thing.id))]}

    @app.get("/list")
    def listed():
        found = search(thing, request.args.get("q", ""))
        asked = narrowed.parse(request.args)
        order = ordered.parse(request.args.get("sort"))
        page = db.keyset(db.select(thing), found.clause, *asked, order=order)
        return jsonify(items=[one.id for one in page], next=page.next)


def refused_or_done(client, answer):
    """Assert that it is the client's fault or nobody's, and that the next request is served."""
    assert answer.status_code < 500, answer.text[:2000]
    assert client.post("/get", json={"key": 1}).json == {"id": 1}


def send(client, path, body):
    return client.post(path, data=json.dumps(body), content_type="application/json")


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("path", ["/make", "/change", "/find", "/among"])
def test_any_value_in_any_field(client, path, name):
    """Written, changed, compared with, and looked for in a list."""
    for value in VALUES:
        refused_or_done(client, send(client, path, {name: value}))


def test_any_row_in_bulk(client, thing):
    """Wrong rows are refused as a whole: the right one before them is not saved either."""
    for name in FIELDS:
        for value in VALUES:
            answer = send(client, "/bulk", {name: value})
            refused_or_done(client, answer)
            assert answer.status_code in (201, 409, 422) or value is DEEP
    for name in (*SQL, "a" * 5000, "\0", "\ud800", "__class__", "metadata"):
        assert send(client, "/bulk", {name: 1}).status_code == 422


@pytest.mark.parametrize("path", ["/get", "/read"])
def test_any_key(client, path):
    """What no row can have as its key is not there: 404."""
    for value in VALUES:
        answer = send(client, path, {"key": value})
        refused_or_done(client, answer)
        assert answer.status_code == 404 or value in ({"id": 1}, DEEP), value


@pytest.mark.parametrize("name", ["page", "per_page"])
def test_any_page(client, name):
    """Numbers that are none, too large or below 1."""
    for value in map(str, VALUES):
        query = {name: value.encode("utf-8", "surrogatepass")}
        refused_or_done(client, client.get("/pages", query_string=query))


@pytest.mark.parametrize(
    "name", ["q", "sort", "cursor", "size", "name", "name.contains", "count.ge", "at.lt", "price",
             "flag", "day.in", "state.ne", "name.between", *SQL[:12]],
)  # fmt: skip
def test_any_text_in_a_list(client, name):
    """Searched, sorted, filtered, paged by, and as the name of a parameter."""
    for value in (*TEXTS, *map(str, NUMBERS)):
        query = {name: value.encode("utf-8", "surrogatepass")}
        refused_or_done(client, client.get("/list", query_string=query))


def test_a_hundred_filters(client):
    """Are refused before they are a statement."""
    many = "&".join(f"count.ge={number}" for number in range(100))
    for query in (many, "&".join(f"name{n}=1" for n in range(100)), "name.in=" + "a," * 5000):
        answer = client.get(f"/list?{query}")
        refused_or_done(client, answer)
        assert answer.status_code in (400, 413, 414, 422), answer.status_code


def test_nothing_was_dropped_or_added(client, thing):
    """After all SQL there is in every place: the row that was there, and no other."""
    for value in SQL:
        for path in ("/change", "/find", "/among"):
            send(client, path, {"name": value})
    with client.application.app_context():
        rows = db.session.scalars(select(thing)).all()
        assert [(row.id, row.name) for row in rows] == [(1, "one")]


def test_texts_are_kept_as_they_are(client, thing):
    """SQL in a text is a text: what is stored is what was sent, or it was refused."""
    for value in TEXTS:
        answer = send(client, "/make", {"name": value})
        refused_or_done(client, answer)
        if answer.status_code == 201:
            with client.application.app_context():
                assert db.session.get(thing, answer.json["id"]).name == value
            assert send(client, "/find", {"name": value, "count": 1}).json["found"] >= 1


def test_a_number_finds_no_text(client):
    """On MariaDB 0 would equal every text that begins with no digit: a token, a password."""
    for value in (0, 0.0, False, True, [0], ["one"]):
        answer = send(client, "/find", {"name": value})
        assert answer.status_code == 422 or answer.json == {"found": 0}, value


@pytest.fixture(autouse=True)
def quiet():
    """Errors are looked at here, not in a log."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)
