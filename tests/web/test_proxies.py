"""Who is believed about the client, and about what."""

import ipaddress

import pytest
from flask import request
from hypothesis import given, strategies as st

from carboy.base.errors import RequestFault, SetupError
from carboy.web.proxies import HEADERS, Proxies, judge


def judged(listed=("10.0.0.0/8",), sets=("for", "proto"), peer="10.0.0.1", **headers):
    environ = {
        "REMOTE_ADDR": peer, "wsgi.url_scheme": "http", "HTTP_HOST": "localhost",
        "SERVER_PORT": "80", "SCRIPT_NAME": "",
    }  # fmt: skip
    environ |= {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    judge(environ, Proxies.of(listed, sets))
    return environ


ALL = dict.fromkeys((name.removeprefix("HTTP_").lower() for name in HEADERS), "1.2.3.4")


@pytest.mark.parametrize("listed", [(), ("10.0.0.0/8",)], ids=["nobody", "others"])
@pytest.mark.parametrize("peer", ["127.0.0.1", "192.0.2.1", "", "nonsense"])
def test_from_anyone_else_every_such_header_is_removed(listed, peer):
    """Loopback is not special: gunicorn's default of trusting it is a known hole."""
    environ = judged(listed, peer=peer, **ALL)
    assert not HEADERS & set(environ)
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == (peer, "http")


CHAINS = {
    "one hop": ("203.0.113.7", "203.0.113.7"),
    "forged on the left": ("6.6.6.6, 203.0.113.7", "203.0.113.7"),
    "two listed hops": ("203.0.113.7, 10.0.0.2", "203.0.113.7"),
    "forged listed address": ("10.9.9.9, 203.0.113.7, 10.0.0.2", "203.0.113.7"),
    "all listed": ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
    "unknown": ("203.0.113.7, unknown", "10.0.0.1"),
    "empty": ("", "10.0.0.1"),
    "with a port": ("203.0.113.7:4711", "203.0.113.7"),
    "IPv6 with a port": ("[2001:db8::1]:4711", "2001:db8::1"),
    "IPv6": ("2001:db8::1", "2001:db8::1"),
    "IPv4 in IPv6": ("::ffff:203.0.113.7", "203.0.113.7"),
    "script": ("<script>, 10.0.0.2", "10.0.0.2"),
}


@pytest.mark.parametrize(("header", "client"), CHAINS.values(), ids=CHAINS)
def test_the_client_is_the_first_unlisted_address_from_the_right(header, client):
    assert judged(x_forwarded_for=header)["REMOTE_ADDR"] == client


addresses = st.ip_addresses(v=4).map(str)


@given(st.lists(addresses, max_size=6), addresses)
def test_no_forged_prefix_changes_who_the_client_is(forged, client):
    """Whatever a client writes, what the listed proxy appended decides."""
    if ipaddress.ip_address(client) in ipaddress.ip_network("10.0.0.0/8"):
        client = "203.0.113.7"
    header = ", ".join([*forged, client])
    assert judged(x_forwarded_for=header)["REMOTE_ADDR"] == client


def test_scheme_is_believed_and_the_rest_only_when_the_proxy_sets_it():
    said = {
        "x_forwarded_proto": "https", "x_forwarded_host": "shop.example",
        "x_forwarded_port": "8443", "x_forwarded_prefix": "/shop/",
    }  # fmt: skip
    environ = judged(**said)
    assert environ["wsgi.url_scheme"] == "https"
    assert (environ["HTTP_HOST"], environ["SERVER_PORT"]) == ("localhost", "80")
    environ = judged(sets=("for", "proto", "host", "port", "prefix"), **said)
    assert (environ["HTTP_HOST"], environ["SERVER_PORT"]) == ("shop.example", "8443")
    assert environ["SCRIPT_NAME"] == "/shop"
    assert not HEADERS & set(environ)


def test_of_several_schemes_the_outermost_listed_proxy_counts():
    chain = {"x_forwarded_for": "203.0.113.7, 10.0.0.2", "x_forwarded_proto": "http, https, http"}
    assert judged(**chain)["wsgi.url_scheme"] == "https"


WRONG = {
    "proto": {"x_forwarded_proto": "javascript"},
    "port": {"x_forwarded_port": "0x50"},
    "prefix": {"x_forwarded_prefix": "//evil.example"},
    "prefix ": {"x_forwarded_prefix": "/a/../b\\"},
}


@pytest.mark.parametrize("headers", WRONG.values(), ids=WRONG)
def test_nonsense_from_a_listed_proxy_is_400(headers):
    with pytest.raises(RequestFault) as caught:
        judged(sets=("proto", "port", "prefix"), **headers)
    assert caught.value.status == 400


FORWARDED = {
    "one": ("for=203.0.113.7;proto=https;host=shop.example", "203.0.113.7", "https"),
    "forged": ("for=6.6.6.6;proto=http, for=203.0.113.7;proto=https", "203.0.113.7", "https"),
    "IPv6": ('for="[2001:db8::1]:4711";proto=https', "2001:db8::1", "https"),
    "hidden": ("for=_secret;proto=https", "10.0.0.1", "https"),
    "comma in quotes": ('for=203.0.113.7;by="a,b"', "203.0.113.7", "http"),
    "nonsense": ("for=203.0.113.7, ;;;=", "10.0.0.1", "http"),
}


@pytest.mark.parametrize(("header", "client", "scheme"), FORWARDED.values(), ids=FORWARDED)
def test_forwarded_of_rfc_7239(header, client, scheme):
    environ = judged(sets=("forwarded",), forwarded=header, x_forwarded_for="6.6.6.6")
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == (client, scheme)


def test_a_peer_on_a_unix_socket_is_listed_as_unix():
    assert judged(("unix",), peer="", x_forwarded_for="203.0.113.7")["REMOTE_ADDR"] == "203.0.113.7"


# --- through the application -------------------------------------------------------


def test_views_see_what_is_believed(make_app):
    app = make_app(TRUSTED_PROXIES=["127.0.0.1"], ALLOWED_HOSTS=["shop.example"])
    app.get("/who")(lambda: [request.remote_addr, request.scheme, request.is_secure])
    headers = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
    assert app.test_client().get("/who", headers=headers).json == ["203.0.113.7", "https", True]


def test_a_forwarded_host_must_be_allowed_too(make_app):
    app = make_app(TRUSTED_PROXIES=["127.0.0.1"], PROXY_SETS=["for", "proto", "host"])
    answer = app.test_client().get("/", headers={"X-Forwarded-Host": "evil.example"})
    assert answer.status_code == 421


def test_by_default_nobody_is_believed(app):
    app.get("/who")(lambda: [request.remote_addr, request.scheme, dict(request.headers)])
    headers = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
    address, scheme, seen = app.test_client().get("/who", headers=headers).json
    assert (address, scheme) == ("127.0.0.1", "http")
    assert not any(name.startswith("X-Forwarded") for name in seen)


@pytest.mark.parametrize(
    "config", [{"TRUSTED_PROXIES": ["10.0.0"]}, {"PROXY_SETS": ["fro"]}], ids=["address", "word"]
)
def test_a_list_that_cannot_be_read_stops_the_application(make_app, config):
    with pytest.raises(SetupError, match=r"hosts\.proxies"):
        make_app(**config).seal()
