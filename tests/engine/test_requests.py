"""Request is Flask's, read when asked: every part equals Werkzeug's."""

from __future__ import annotations

from typing import Any

import flask
import pytest
from hypothesis import given, strategies as st
from werkzeug.test import EnvironBuilder

from carboy import Request

PARTS = ("method", "scheme", "server", "root_path", "path", "query_string", "remote_addr", "host")


def twins(**changes: Any) -> tuple[flask.Request, Request]:
    environ = EnvironBuilder(path="/a/b", query_string="x=1&y=2").get_environ() | changes
    return flask.Request(dict(environ)), Request(dict(environ))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"REQUEST_METHOD": "post"},
        {"PATH_INFO": "//a/\xc3\xa9", "SCRIPT_NAME": "/app/"},
        {"PATH_INFO": "", "QUERY_STRING": "q=\xe9"},
        {"HTTP_HOST": "EXAMPLE.com:80"},
        {"HTTP_HOST": "bad host"},
        {"wsgi.url_scheme": "https", "HTTP_HOST": "example.com:443", "REMOTE_ADDR": "::1"},
    ],
    ids=lambda changes: ",".join(changes) or "plain",
)
def test_each_part_is_what_werkzeug_reads(changes):
    """Whatever is asked first, and after all others."""
    theirs, ours = twins(**changes)

    for name in (*PARTS, *reversed(PARTS)):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert ours.url == theirs.url
    assert list(ours.headers) == list(theirs.headers)


@given(st.text(alphabet="ab=&%+;41é \x00", max_size=12))
def test_every_query_is_read_as_werkzeug_reads_it(query):
    """Empty names, empty values, escapes, and what is no query at all."""
    theirs, ours = twins(QUERY_STRING=query.encode().decode("latin-1"))

    assert list(ours.args.items(multi=True)) == list(theirs.args.items(multi=True))
    assert type(ours.args) is type(theirs.args)


@pytest.mark.parametrize(
    ("arguments", "keywords"),
    [
        (("X-Foo",), {}),
        (("x-foo", "none"), {}),
        (("X-Missing",), {}),
        (("X-Missing", "none"), {}),
        (("Content-Type",), {}),
        (("content-length", 7), {}),
        (("X-Foo",), {"type": int}),
        (("X-Text", 5), {"type": int}),
        ((3,), {}),
        ((None, "none"), {}),
    ],
)
def test_a_header_is_got_as_werkzeug_gets_it(arguments, keywords):
    """Missing or there, with a default, with a type, with nonsense."""
    theirs, ours = twins(HTTP_X_FOO="12", HTTP_X_TEXT="a", CONTENT_TYPE="text/plain")

    assert ours.headers.get(*arguments, **keywords) == theirs.headers.get(*arguments, **keywords)


def test_an_unknown_attribute_is_an_attribute_error():
    """hasattr() must not be fooled by laziness."""
    _, ours = twins()

    with pytest.raises(AttributeError, match="'Request' object has no attribute 'nope'"):
        _ = ours.nope
    assert not hasattr(ours, "user")


def test_trusted_hosts_are_minded():
    """A host that is not listed raises, also when another request had it before."""
    _, ours = twins(HTTP_HOST="evil.example")
    assert ours.host == "evil.example"

    _, ours = twins(HTTP_HOST="evil.example")
    ours.trusted_hosts = ["good.example"]
    with pytest.raises(Exception, match="not trusted"):
        _ = ours.host


def test_the_id_is_the_environs():
    """Set by the ids battery, read by whoever shows it."""
    assert twins()[1].id == ""
    assert twins(**{"carboy.id": "abc-1"})[1].id == "abc-1"
