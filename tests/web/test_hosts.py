"""Host: syntax, whose names, and what is open to probes."""

import pytest

from carboy.base.checks import ERROR, WARNING
from carboy.base.errors import RequestFault, SetupError
from carboy.web.hosts import LOOPBACK, REMEMBERED, Allowed, HostGate, is_loopback, split_host

GOOD = {
    "example.com": ("example.com", ""),
    "Example.COM:8000": ("example.com", "8000"),
    "example.com.": ("example.com", ""),
    "a_b.example": ("a_b.example", ""),
    "127.0.0.1:1": ("127.0.0.1", "1"),
    "[::1]": ("[::1]", ""),
    "[2001:DB8::1]:443": ("[2001:db8::1]", "443"),
    "xn--bcher-kva.example": ("xn--bcher-kva.example", ""),
}


@pytest.mark.parametrize(("host", "parts"), GOOD.items())
def test_well_formed_hosts_are_split(host, parts):
    assert split_host(host) == parts


BAD = [
    "a/b@c", "user@example.com", "a b", "a,b", "example.com:", "example.com:99999", "a:b",
    "example.com:80:80", "[::1", "::1", "[::1%eth0]", "[zz::1]", "[1:2:3:4:5:6:7:8:9]", "-a", ".a",
    "a..b", "é.example", "%41.example", "a\\b", "a?b", "a#b", "http://a", "a" * 64 + ".b",
    "a." * 200 + "b", "[::1]x", "a:٣", "*", "'", "<script>", "a\tb", "[]",
]  # fmt: skip


@pytest.mark.parametrize("host", BAD, ids=ascii)
def test_anything_else_is_malformed(host, app, call, environ_of):
    with pytest.raises(ValueError, match=r"."):
        split_host(host)
    status, _, body = call(app, environ_of(HTTP_HOST=host))
    assert status == 400
    assert b"gate.host.malformed" in body


ALLOWED = [
    (["example.com"], "example.com", True),
    (["example.com"], "example.com:8000", True),
    (["example.com"], "www.example.com", False),
    (["example.com"], "example.com.evil.net", False),
    (["example.com"], "notexample.com", False),
    ([".example.com"], "example.com", True),
    ([".example.com"], "a.b.example.com:1", True),
    ([".example.com"], "notexample.com", False),
    (["example.com:8443"], "example.com:8443", True),
    (["example.com:8443"], "example.com", False),
    ([".example.com:8443"], "a.example.com:8443", True),
    ([".example.com:8443"], "a.example.com:1", False),
    (["EXAMPLE.com"], "example.COM", True),
    (["[2001:db8::1]"], "[2001:DB8::1]:80", True),
    (["*"], "anything.example", True),
    (LOOPBACK, "localhost:5000", True),
    (LOOPBACK, "shop.localhost", True),
    (LOOPBACK, "127.0.0.1", True),
    (LOOPBACK, "[::1]:8000", True),
    (LOOPBACK, "127.0.0.1.evil.net", False),
    (LOOPBACK, "localhost.evil.net", False),
    (LOOPBACK, "notlocalhost", False),
]


@pytest.mark.parametrize(("patterns", "host", "answer"), ALLOWED)
def test_patterns_match_whole_names(patterns, host, answer):
    assert (split_host(host) in Allowed(tuple(patterns))) is answer


def test_is_loopback_takes_anything():
    assert is_loopback("localhost:8000")
    assert not any(map(is_loopback, (None, "", "a/b", "example.com")))


def test_remembered_hosts_are_bounded():
    """A wildcard lets in endless names; memory must not grow with them."""
    gate = HostGate(Allowed((".example.com",)))
    for n in range(REMEMBERED + 50):
        gate.admit({"HTTP_HOST": f"n{n}.example.com", "PATH_INFO": "/"})
    assert len(gate.good) == REMEMBERED


def test_refused_hosts_are_not_remembered():
    gate = HostGate()
    for _ in range(2):
        with pytest.raises(RequestFault):
            gate.admit({"HTTP_HOST": "evil.example", "PATH_INFO": "/"})
    assert not gate.good


# --- through the application -------------------------------------------------------


def test_an_unknown_host_is_421_and_says_nothing_about_the_setup(app):
    answer = app.test_client().get("/", base_url="http://evil.example")
    assert (answer.status_code, answer.json["code"]) == (421, "gate.host.unknown")
    assert "ALLOWED_HOSTS" not in answer.text


def test_in_debug_the_answer_says_which_line_to_add(make_app):
    app = make_app()
    app.debug = True
    answer = app.test_client().get("/", base_url="http://shop.example:8000")
    assert 'ALLOWED_HOSTS = ["shop.example"]' in answer.json["hint"]


def test_a_missing_host_is_400(app, call, environ_of):
    environ = environ_of()
    del environ["HTTP_HOST"]
    assert call(app, environ)[0] == 400
    assert call(app, environ_of(HTTP_HOST=""))[0] == 400


HONOURED = {
    "ALLOWED_HOSTS": {"ALLOWED_HOSTS": ["shop.example"]},
    "TRUSTED_HOSTS of Flask": {"TRUSTED_HOSTS": ["shop.example"]},
    "SERVER_NAME of Flask": {"SERVER_NAME": "shop.example"},
}


@pytest.mark.parametrize("config", HONOURED.values(), ids=HONOURED)
def test_stated_hosts_are_answered(make_app, config):
    app = make_app(**config)
    assert app.test_client().get("/", base_url="http://shop.example").status_code == 200
    assert app.test_client().get("/", base_url="http://other.example").status_code != 200


def test_a_change_of_the_option_counts_at_once(make_app):
    app = make_app(ALLOWED_HOSTS=["one.example"])
    client = app.test_client()
    assert client.get("/", base_url="http://one.example").status_code == 200
    app.config["ALLOWED_HOSTS"] = ["two.example"]
    assert client.get("/", base_url="http://two.example").status_code == 200
    assert client.get("/", base_url="http://one.example").status_code == 421


def test_probes_are_answered_under_any_well_formed_host(make_app, call, environ_of):
    """An orchestrator asks by address, some load balancers without any Host."""
    app = make_app(("health", "limits", "hosts", "pages"))
    environ = environ_of("/healthz", HTTP_HOST="10.1.2.3:8000")
    assert call(app, dict(environ))[0] == 200
    del environ["HTTP_HOST"]
    assert call(app, environ)[0] == 200


def test_an_open_path_needs_no_known_host_but_a_well_formed_one():
    gate = HostGate()
    gate.tune(Allowed(LOOPBACK), frozenset(("/up",)))
    for host in ({"HTTP_HOST": "10.1.2.3:8000"}, {}):
        gate.admit({"PATH_INFO": "/up", **host})
    assert not gate.good
    for environ in (
        {"PATH_INFO": "/up", "HTTP_HOST": "a/b@c"},
        {"PATH_INFO": "/", "HTTP_HOST": "10.1.2.3"},
    ):
        with pytest.raises(RequestFault):
            gate.admit(environ)


def test_compatible_answers_any_host(make_app):
    app = make_app(("limits", "headers"))
    assert app.test_client().get("/", base_url="http://any.example").status_code == 200


def codes(app):
    return {finding.code: finding.level for finding in app.findings()}


def test_findings_tell_of_open_and_unset_hosts(make_app):
    assert codes(make_app())["hosts.unset"] == WARNING
    assert codes(make_app(ALLOWED_HOSTS=["*"]))["hosts.any"] == ERROR
    assert not {"hosts.unset", "hosts.any"} & set(codes(make_app(ALLOWED_HOSTS=["a.example"])))
    assert codes(make_app(TRUSTED_PROXIES=["0.0.0.0/0"]))["hosts.proxies.any"] == ERROR


@pytest.mark.parametrize("name", ["https://a.example", "a/b", "*.example.com", ":80"])
def test_a_pattern_that_cannot_match_stops_the_application(make_app, name):
    with pytest.raises(SetupError, match=r"hosts\.malformed"):
        make_app(ALLOWED_HOSTS=[name]).seal()
