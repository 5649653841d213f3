"""Security headers: on every answer, never over those of the view."""

import re

import pytest
from flask import (
    Response,
    abort,
    make_response,
    redirect,
    render_template_string,
    stream_template_string,
)

from carboy.base.errors import SetupError
from carboy.web.csp import NONCE_BYTES, csp, csp_nonce, merged, parse, render
from carboy.web.headers import OURS

HARMLESS = {"X-Content-Type-Options", "Referrer-Policy", "Permissions-Policy"}
CLOSING = {"Content-Security-Policy", "Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy"}


@pytest.fixture
def site(make_app, tmp_path):
    """An application with one of each kind of answer."""

    def build(batteries):
        app = make_app(batteries)
        (tmp_path / "a.js").write_text("1")
        (tmp_path / "a.css").write_text("a{}")
        (tmp_path / "a.pdf").write_text("%PDF")
        (tmp_path / "a.svg").write_text("<svg/>")
        app.static_folder = str(tmp_path)
        app.get("/abort", endpoint="abort")(lambda: abort(403))
        app.get("/stream", endpoint="stream")(
            lambda: Response(iter(["a", "b"]), mimetype="text/plain")
        )
        app.get("/redirect", endpoint="redirect")(lambda: redirect("/"))
        app.get("/empty", endpoint="empty")(lambda: ("", 204))
        app.get("/handled/<int:n>", endpoint="handled")(lambda n: 1 / n)
        app.register_error_handler(ZeroDivisionError, lambda error: ("handled", 418))
        return app

    return build


PATHS = [
    "/", "/page", "/nowhere", "/abort", "/stream", "/redirect", "/empty", "/handled/0", "/broken",
    "/static/a.js", "/static/a.css", "/static/a.pdf", "/static/a.svg", "/static/none", "/?a=%zz",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST"])
def test_every_kind_of_answer_carries_them(site, method, path):
    app = site(("limits", "headers", "hosts", "csp", "pages"))
    answer = app.test_client().open(path, method=method, buffered=True)
    for name in HARMLESS | CLOSING:
        assert len(answer.headers.getlist(name)) == 1, name
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", PATHS)
def test_compatible_carries_only_what_breaks_nothing(site, path):
    answer = site(("limits", "headers")).test_client().get(path, buffered=True)
    assert set(answer.headers.keys()) >= HARMLESS
    assert not CLOSING & set(answer.headers.keys())


def test_a_refusal_of_the_gate_carries_them_too(app):
    answer = app.test_client().get("/", base_url="http://evil.example")
    assert set(answer.headers.keys()) >= HARMLESS | CLOSING


def test_a_header_of_the_view_wins(app):
    own = {"referrer-policy": "no-referrer", "Content-Security-Policy": "default-src *"}
    app.get("/own")(lambda: ("x", 200, own))
    answer = app.test_client().get("/own")
    assert answer.headers.getlist("Referrer-Policy") == ["no-referrer"]
    assert answer.headers.getlist("Content-Security-Policy") == ["default-src *"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("kind", ["application/json", "text/html"])
def test_the_only_header_of_a_stream_wins_too(app, kind):
    """Two headers are there, as with a type and a length; none is sent twice."""

    def stream():
        response = Response(iter("ab"), mimetype=kind)
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    app.get("/s")(stream)
    answer = app.test_client().get("/s")
    assert answer.headers.getlist("Referrer-Policy") == ["no-referrer"]


def test_one_answer_does_not_leak_into_the_next(app):
    """The prepared tuples are shared; a view may change its own copy."""

    @app.after
    def change(response):
        response.headers["Referrer-Policy"] = "no-referrer"

    client = app.test_client()
    for _ in range(2):
        assert len(client.get("/").headers.getlist("X-Content-Type-Options")) == 1


HSTS = "Strict-Transport-Security"


def test_hsts_is_sent_over_https_only(make_app):
    client = make_app(ALLOWED_HOSTS=["shop.example"]).test_client()
    assert HSTS not in client.get("/", base_url="http://shop.example").headers
    assert client.get("/", base_url="https://shop.example").headers[HSTS] == "max-age=63072000"


def test_hsts_is_not_sent_on_loopback(app):
    """It would close plain http for every other program on this machine."""
    assert HSTS not in app.test_client().get("/", base_url="https://localhost").headers


def test_hsts_is_an_option(make_app):
    at = "https://shop.example"
    client = make_app(ALLOWED_HOSTS=["shop.example"], HSTS=60, HSTS_SUBDOMAINS=True).test_client()
    assert client.get("/", base_url=at).headers[HSTS] == "max-age=60; includeSubDomains"
    client = make_app(ALLOWED_HOSTS=["shop.example"], HSTS=0).test_client()
    assert HSTS not in client.get("/", base_url=at).headers


# --- the page policy ---------------------------------------------------------------


def policy(answer):
    """Return {directive: sources} of the answer's policy."""
    header = answer.headers["Content-Security-Policy"]
    return {words[0]: words[1:] for words in (part.split() for part in header.split("; "))}


def test_the_page_policy_closes_what_pages_do_not_need(app):
    found = policy(app.test_client().get("/page"))
    assert found["default-src"] == ["'none'"]
    assert found["object-src"] == found["base-uri"] == found["frame-ancestors"] == ["'none'"]
    assert found["script-src"] == found["style-src"] == found["form-action"] == ["'self'"]
    assert "unsafe" not in str(found)


TYPES = {
    "/static/a.js": {"script-src", "connect-src", "worker-src", "default-src", "frame-ancestors"},
    "/static/a.svg": {"default-src", "frame-ancestors"},
    "/static/a.pdf": {"frame-ancestors"},
    "/": {"default-src", "frame-ancestors"},
}


@pytest.mark.parametrize(("path", "directives"), TYPES.items())
def test_other_types_have_a_policy_that_fits(site, path, directives):
    app = site(("headers", "csp"))
    assert set(policy(app.test_client().get(path, buffered=True))) == directives


def test_a_nonce_is_made_only_when_a_template_asks(app):
    app.get("/script")(lambda: render_template_string("<script nonce={{ csp_nonce() }}></script>"))
    client = app.test_client()
    assert "nonce" not in client.get("/page").headers["Content-Security-Policy"]
    answer = client.get("/script")
    nonce = re.search(r"nonce=([\w-]+)", answer.text)[1]
    found = policy(answer)
    assert f"'nonce-{nonce}'" in found["script-src"]
    assert f"'nonce-{nonce}'" in found["style-src"]


def test_nonces_are_128_bits_and_never_repeat(app):
    app.get("/nonce")(lambda: make_response(csp_nonce(), {"Content-Type": "text/html"}))
    client = app.test_client()
    seen = {client.get("/nonce").text for _ in range(200)}
    assert len(seen) == 200
    assert NONCE_BYTES * 8 == 128
    assert {len(nonce) for nonce in seen} == {22}  # base64 of 16 bytes without padding


def test_one_request_has_one_nonce(app):
    app.get("/two")(lambda: csp_nonce() + " " + csp_nonce())
    first, second = app.test_client().get("/two").text.split()
    assert first == second


def test_a_streamed_page_may_ask_after_its_headers_left(app):
    app.get("/s")(lambda: Response(stream_template_string("a {{ csp_nonce() }}")))
    answer = app.test_client().get("/s")
    assert f"'nonce-{answer.text.split()[1]}'" in policy(answer)["script-src"]


def test_outside_of_a_request_the_nonce_is_empty():
    """Templates of mails use the same macros."""
    assert csp_nonce() == ""


def test_csp_loosens_one_view_and_shows_up_in_the_findings(app):
    app.get("/map")(csp(img_src="https://tiles.example", frame_src=["https://a.example"])(tiles))
    client = app.test_client()
    found = policy(client.get("/map"))
    assert found["img-src"] == ["'self'", "data:", "https://tiles.example"]
    assert found["frame-src"] == ["https://a.example"]
    assert "https://tiles.example" not in policy(client.get("/page"))["img-src"]
    said = [str(finding) for finding in app.findings() if finding.code == "csp.loosened"]
    assert len(said) == 1
    assert "https://tiles.example" in said[0]


def tiles():
    return "<p>map"


def test_app_csp_loosens_every_page_also_late(app):
    client = app.test_client()
    client.get("/page")
    app.csp(connect_src="https://api.example")
    assert policy(client.get("/page"))["connect-src"] == ["'self'", "https://api.example"]
    assert "csp.loosened" in {finding.code for finding in app.findings()}


@pytest.mark.parametrize(
    "sources",
    [{"img_src": "a; script-src *"}, {"img_src": ["a b"]}, {"img_src": ["a,b"]}, {"x y": "a"}],
    ids=str,
)
def test_a_source_cannot_end_its_directive(sources):
    with pytest.raises(SetupError, match=r"csp\.malformed"):
        parse(sources)


def test_none_gives_way_to_a_source():
    assert render(merged({"object-src": ("'none'",)}, {"object-src": ("a",)})) == "object-src a"


def test_report_only_refuses_nothing_and_says_so(make_app):
    app = make_app(CSP_REPORT_ONLY=True)
    headers = app.test_client().get("/page").headers
    assert "Content-Security-Policy" not in headers
    assert "default-src 'none'" in headers["Content-Security-Policy-Report-Only"]
    assert "csp.report_only" in {finding.code for finding in app.findings()}


async def wait():
    return "<p>async"


def test_csp_leaves_async_views_async(app):
    app.get("/async")(csp(img_src="https://a.example")(wait))
    assert "https://a.example" in policy(app.test_client().get("/async"))["img-src"]


@pytest.mark.parametrize("report_only", [False, True])
def test_every_name_we_add_is_known_as_ours(make_app, report_only):
    """add_missing looks for clashes among these names only."""
    app = make_app(("headers", "csp"))
    app.config["CSP_REPORT_ONLY"] = report_only
    app.get("/page2", endpoint="page2")(lambda: "page")
    app.get("/data", endpoint="data")(lambda: {"a": 1})
    client = app.test_client()

    for path in ("/page2", "/data"):
        answer = client.get(path, base_url="https://shop.example")
        added = {name.lower() for name in answer.headers.keys()}  # noqa: SIM118 - not a dict
        assert added - {"content-type", "content-length"} <= OURS
        assert "strict-transport-security" in added
    assert {name.lower() for name in HARMLESS | CLOSING} <= OURS
