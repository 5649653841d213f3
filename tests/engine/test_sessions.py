"""Flask's session cookie: the same bytes, the same errors, less work."""

from __future__ import annotations

from functools import cache
from typing import Any

import flask
import pytest
import time_machine
from flask.sessions import SecureCookieSessionInterface
from hypothesis import given, strategies as st
from itsdangerous import BadSignature, SignatureExpired

from carboy import Carboy, session
from carboy.engine.sessions import CookieSessions
from carboy.engine.signing import REMEMBERED, Serializer

KEY = "a key that only tests use"


@cache
def application(kind: type[flask.Flask]) -> flask.Flask:
    """Return one application of each kind: making it costs ten times what is tested."""
    return kind("app") if kind is flask.Flask else Carboy("app", batteries=())


def stock(key: str = KEY, fallbacks: list[str] | None = None) -> Any:
    app = application(flask.Flask)
    app.config.update(SECRET_KEY=key, SECRET_KEY_FALLBACKS=fallbacks)
    return SecureCookieSessionInterface().get_signing_serializer(app)


def ours(key: str = KEY, fallbacks: list[str] | None = None) -> Any:
    app = application(Carboy)
    app.config.update(SECRET_KEY=key, SECRET_KEY_FALLBACKS=fallbacks)
    serializer = CookieSessions().get_signing_serializer(app)
    assert type(serializer) is Serializer
    return serializer


@given(st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.text(max_size=9)))
def test_the_cookie_is_the_one_flask_writes(data):
    """Either side reads what the other wrote."""
    with time_machine.travel(1_800_000_000, tick=False):
        assert ours().dumps(data) == stock().dumps(data)
        for _ in range(2):
            assert ours().loads(stock().dumps(data), max_age=60) == data
        assert stock().loads(ours().dumps(data), max_age=60) == data


@pytest.mark.parametrize("change", range(0, 60, 7))
def test_a_cookie_that_was_tampered_with_is_refused_whatever_was_seen_before(change):
    """One character anywhere; the good cookie was verified first."""
    serializer = ours()
    cookie = serializer.dumps({"user": 1, "role": "reader"})
    serializer.loads(cookie)
    at = change % len(cookie)
    bad = cookie[:at] + ("A" if cookie[at] != "A" else "B") + cookie[at + 1 :]

    for _ in range(2):
        with pytest.raises(BadSignature):
            serializer.loads(bad)


def test_a_remembered_cookie_grows_old():
    """The age is checked each time, in both directions."""
    serializer = ours()
    with time_machine.travel(1_800_000_000, tick=False):
        cookie = serializer.dumps({"user": 1})
        assert serializer.loads(cookie, max_age=60) == {"user": 1}
    with time_machine.travel(1_800_000_060, tick=False):
        assert serializer.loads(cookie, max_age=60) == {"user": 1}
    for moment in (1_800_000_061, 1_799_999_000):
        with time_machine.travel(moment, tick=False), pytest.raises(SignatureExpired):
            serializer.loads(cookie, max_age=60)


@pytest.mark.parametrize("size", [10, 3000, 100_000], ids=["plain", "compressed", "too long"])
def test_compressed_cookies_are_read_again_and_again(size):
    """itsdangerous compresses what gets shorter by it."""
    serializer = ours()
    data = {"text": "ab" * size}
    cookie = stock().dumps(data)

    assert [serializer.loads(cookie) for _ in range(3)] == [data] * 3


def test_each_reader_gets_data_of_its_own():
    """What one request does to its session, the next does not see."""
    serializer = ours()
    cookie = serializer.dumps({"cart": [1]})

    serializer.loads(cookie)["cart"].append(2)

    assert serializer.loads(cookie) == {"cart": [1]}


def test_a_cookie_for_another_purpose_is_not_taken_for_a_session():
    """A good signature under another salt counts for nothing here."""
    serializer = ours()
    other = serializer.dumps({"user": 1}, salt="mail")
    assert serializer.loads(other, salt="mail") == {"user": 1}

    with pytest.raises(BadSignature):
        serializer.loads(other)


def test_keys_are_rotated_as_in_flask():
    """The newest key signs; old ones still verify until they are taken away."""
    cookie = stock("old").dumps({"user": 1})

    assert ours("new", ["old"]).loads(cookie) == {"user": 1}
    assert stock("new").loads(ours("new", ["old"]).dumps({"user": 2})) == {"user": 2}
    with pytest.raises(BadSignature):
        ours("new").loads(cookie)


def test_a_key_that_is_taken_away_counts_at_once():
    """Nothing is remembered across a change of keys."""
    app = Carboy("app", batteries=())
    app.secret_key = "first"
    app.add_url_rule("/in", "into", lambda: session.update(user=1) or "in")
    app.add_url_rule("/", "home", lambda: str(session.get("user")))
    client = app.test_client()
    client.get("/in")
    assert [client.get("/").text for _ in range(2)] == ["1", "1"]

    app.secret_key = "second"

    assert client.get("/").text == "None"


def test_what_is_remembered_is_bounded():
    """Somebody with many sessions cannot fill the memory."""
    serializer = ours()
    for number in range(REMEMBERED + 10):
        serializer.loads(serializer.dumps({"n": number}))
    serializer.loads(serializer.dumps({"long": "x" * 9000}))

    assert 0 < len(serializer._verified) <= REMEMBERED


def test_other_settings_get_flasks_own_signer():
    """A subclass, or a changed salt or digest: itsdangerous does it all."""
    app = Carboy("app", batteries=())
    app.secret_key = KEY
    changed = CookieSessions()
    changed.salt = "mine"
    for interface in (type("Mine", (CookieSessions,), {})(), changed):
        serializer = interface.get_signing_serializer(app)
        assert type(serializer) is not Serializer
        assert serializer.loads(serializer.dumps({"a": 1})) == {"a": 1}
