"""Raw WSGI environs, malformed on purpose, against an application with the default batteries.

    refused      each known malformation gets its 4xx, and a reason a person can act on
    fuzz         random environs, and valid requests broken at random: never a 500, never a hang

Nothing here goes through a test client, which would mend what it is given.
"""

import io
import json
import os
import signal
import urllib.parse
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

import flask
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from pydantic import BaseModel
from werkzeug.datastructures import FileStorage

from carboy import Carboy
from carboy.engine.params import Body, Cookie, Form, Header, Query

pytestmark = [
    # Werkzeug leaves the file of a half-received part to the garbage collector, on Flask too.
    pytest.mark.filterwarnings("ignore:Unclosed file <tempfile:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

HANG_S = 5  # a refusal takes milliseconds; 100,000 levels of JSON a few tens

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
PARTS = "multipart/form-data; boundary=cut"

UPLOAD = (
    b'--cut\r\nContent-Disposition: form-data; name="title"\r\n\r\nhello\r\n'
    b'--cut\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n'
    b"Content-Type: text/plain\r\n\r\ncontent\r\n--cut--\r\n"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """An application whose views look at every part of a request, with default batteries."""
    app = Carboy("fuzzed")
    app.secret_key = "only for the fuzz, long enough for any check of length"
    app.config["LOG_TO"] = str(tmp_path_factory.mktemp("fuzz") / "log")
    for rule, view in VIEWS.items():
        app.add_url_rule(rule, rule, view, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    app.seal()
    yield app
    for battery in app.batteries.values():
        battery.close()


# --- views -------------------------------------------------------------------------------


def sent_json():
    return {"json": flask.request.get_json()}


def sent_form():
    request = flask.request
    names = [file.filename for file in request.files.values()]
    return {"form": request.form.to_dict(flat=False), "files": names, **request.args}


def sent_body():
    return {"size": len(flask.request.get_data()), "again": len(flask.request.stream.read())}


def address(**arguments):
    request = flask.request
    seen = (request.url, request.host, request.base_url, request.full_path, request.remote_addr)
    return {"arguments": {k: str(v) for k, v in arguments.items()}, "seen": seen}


def looks():
    request = flask.request
    return {
        "cookies": dict(request.cookies),
        "user": str(request.authorization and request.authorization.username),
        "language": request.accept_languages.best_match(["en", "de"]),
        "type": request.accept_mimetypes.best_match(["text/html", JSON]),
        "cache": str(request.cache_control),
        "since": str(request.if_modified_since),
        "match": str(request.if_none_match),
        "range": str(request.range),
        "agent": request.user_agent.string,
        "mime": str(request.mimetype_params),
        "length": request.content_length,
        "date": str(request.date),
        "pragma": str(request.pragma),
    }


def counted():
    flask.session["count"] = flask.session.get("count", 0) + 1
    return {"count": flask.session["count"]}


def tagged():
    answer = flask.make_response("whole")
    answer.set_etag("e")
    return answer.make_conditional(flask.request, accept_ranges=True, complete_length=5)


def header_from_input():
    return "ok", {"X-Echo": flask.request.values.get("v", "")}


def redirect_from_input():
    return flask.redirect(flask.request.values.get("v", "") or "/")


def cookie_from_input():
    answer = flask.make_response("ok")
    answer.set_cookie("echo", flask.request.values.get("v", ""))
    return answer


def type_from_input():
    answer = flask.make_response("ok")
    answer.content_type = flask.request.values.get("v", "") or "text/plain"
    return answer


def download_from_input():
    name = flask.request.values.get("v", "") or "x"
    return flask.send_file(io.BytesIO(b"x"), mimetype="text/plain", download_name=name)


def typed(
    page: Annotated[int, Query(ge=1, le=1000)] = 1,
    ratio: float = 1.0,
    price: Decimal | None = None,
    when: datetime | None = None,
    day: date | None = None,
    key: UUID | None = None,
    tags: Annotated[list[str], Query(max_length=5)] = (),
    kind: Literal["a", "b"] = "a",
    session: Annotated[str, Cookie()] = "",
    agent: Annotated[str, Header(alias="User-Agent", max_length=200)] = "",
):
    return [page, ratio, price, when, day, key, tags, kind, session, agent]


class Note(BaseModel):
    title: str
    stars: int = 0
    tags: list[str] = []
    more: dict[str, float] = {}
    due: datetime | None = None


@dataclass
class Point:
    x: Decimal
    y: float | None = None


def typed_note(note: Note):
    return note


def typed_point(points: Annotated[list[Point], Body()]):
    return points


def typed_form(
    title: Annotated[str, Form(min_length=1)], file: FileStorage | None = None, stars: int = 0
):
    return {"title": title, "file": file and file.filename, "stars": stars}


VIEWS = {
    "/": looks,
    "/json": sent_json,
    "/form": sent_form,
    "/body": sent_body,
    "/address": address,
    "/int/<int:n>": address,
    "/float/<float:x>": address,
    "/uuid/<uuid:u>": address,
    "/path/<path:p>": address,
    "/one/<name>/": address,
    "/session": counted,
    "/tagged": tagged,
    "/header": header_from_input,
    "/redirect": redirect_from_input,
    "/cookie": cookie_from_input,
    "/type": type_from_input,
    "/download": download_from_input,
    "/typed": typed,
    "/typed/note": typed_note,
    "/typed/points": typed_point,
    "/typed/form": typed_form,
}


# --- asking ------------------------------------------------------------------------------


def environ(method="GET", path="/", query="", body=b"", **more):
    """Return an environ as a server would make it; *more* is taken as it stands."""
    made = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "localhost",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if body:
        made["CONTENT_LENGTH"] = str(len(body))
    made.update(more)
    return {name: value for name, value in made.items() if value is not None}


class Hang(BaseException):
    """The request took too long; no application may catch this."""


def _ring(*_):
    raise Hang(f"no answer after {HANG_S} s")


class Answer:
    """What a server would send: status, headers, body. Raises Hang."""

    def __init__(self, app, asked):
        old = signal.signal(signal.SIGALRM, _ring)
        signal.setitimer(signal.ITIMER_REAL, HANG_S)
        try:
            chunks = app(asked, self.start)
            try:
                self.body = b"".join(chunks)
            finally:
                getattr(chunks, "close", lambda: None)()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, old)

    def start(self, status, headers, exc_info=None):
        self.status, self.line, self.headers = int(status[:3]), status, headers
        return lambda data: None

    @property
    def problem(self):
        """The problem document; {} for other answers."""
        kinds = [value for name, value in self.headers if name.lower() == "content-type"]
        return json.loads(self.body) if kinds == ["application/problem+json"] else {}


def ask(app, asked):
    """Return the answer to one environ, after checking what every answer must be."""
    method = asked.get("REQUEST_METHOD")
    answer = Answer(app, asked)
    assert answer.status < 500, f"{answer.line}\n{answer.body[:2000]!r}"
    assert answer.line.isprintable()
    for name, value in answer.headers:
        assert type(name) is type(value) is str
        assert not set("\r\n\0") & set(name + value), (name, value)
        value.encode("latin-1")
    lengths = [value for name, value in answer.headers if name.lower() == "content-length"]
    if lengths and method != "HEAD" and answer.status != 304:
        assert lengths == [str(len(answer.body))]
    if answer.status >= 400 and method != "HEAD":
        assert_reason(answer)
    return answer


def assert_reason(answer):
    """A program gets a problem document with a code; a person gets a page that says why."""
    told = answer.problem
    if dict(answer.headers).get("Content-Type", "").startswith("text/plain"):  # a probe's door
        assert len(answer.body) > 10
    elif told:
        assert told["status"] == answer.status
        assert len(told["title"]) > 5
        assert len(told.get("detail", told["title"])) > 10
    else:
        assert b"<h1" in answer.body
        assert str(answer.status).encode() in answer.body
    for internal in (b"Traceback", b'File "', b".py", b"werkzeug"):
        assert internal not in answer.body


# --- each known malformation is refused -----------------------------------------------------


def posted(body, kind=JSON, path="/json", **more):
    return environ("POST", path, body=body, CONTENT_TYPE=kind, **more)


def named(count, one="a=1", between="&"):
    return between.join([one] * count)


def parts(count):
    part = b'--cut\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    return part * count + b"--cut--\r\n"


def chunked(body, kind, path):
    return posted(body, kind, path) | {
        "CONTENT_LENGTH": "",
        "wsgi.input_terminated": True,
        "HTTP_TRANSFER_ENCODING": "chunked",
    }


BREAK = urllib.parse.quote("a\r\nSet-Cookie: stolen=1")

REFUSED = {
    # Host
    "host-of-others": (421, "gate.host.unknown", environ(HTTP_HOST="evil.example")),
    "host-empty": (400, "gate.host.missing", environ(HTTP_HOST="")),
    "host-space": (400, "gate.host.malformed", environ(HTTP_HOST="local host")),
    "host-scheme": (400, "gate.host.malformed", environ(HTTP_HOST="http://localhost")),
    "host-path": (400, "gate.host.malformed", environ(HTTP_HOST="localhost/x")),
    "host-user": (400, "gate.host.malformed", environ(HTTP_HOST="localhost@evil.example")),
    "host-two": (400, "gate.host.malformed", environ(HTTP_HOST="localhost, evil.example")),
    "host-port-high": (400, "gate.host.malformed", environ(HTTP_HOST="localhost:99999")),
    "host-port-word": (400, "gate.host.malformed", environ(HTTP_HOST="localhost:http")),
    "host-bracket": (400, "gate.host.malformed", environ(HTTP_HOST="[::1")),
    "host-not-ascii": (400, "gate.host.malformed", environ(HTTP_HOST="localhost\xe9")),
    "host-line-break": (400, "gate.header.control", environ(HTTP_HOST="localhost\r\nX: y")),
    "host-long": (400, "gate.host.malformed", environ(HTTP_HOST="a" * 5000)),
    # address
    "query-percent": (400, "gate.query.percent", environ(query="a=%")),
    "query-percent-short": (400, "gate.query.percent", environ(query="a=%4")),
    "query-percent-word": (400, "gate.query.percent", environ(query="a=%zz")),
    "query-not-utf8": (400, "gate.query.encoding", environ(query="a=%ff")),
    "query-overlong-utf8": (400, "gate.query.encoding", environ(query="a=%c0%80")),
    "query-surrogate": (400, "gate.query.encoding", environ(query="a=%ed%a0%80")),
    "query-many": (414, "gate.query.long", environ(query=named(20_000, "a"))),
    "query-long": (414, "gate.query.long", environ(query="a" * 100_000)),
    "path-percent": (400, "gate.path.percent", environ(path="/%zz", RAW_URI="/%zz")),
    "path-not-utf8": (400, "gate.path.encoding", environ(path="/one/\xff/")),
    "path-nul": (400, "gate.path.control", environ(path="/one/\0/")),
    "path-line-break": (400, "gate.path.control", environ(path="/one/a\r\nb/")),
    "path-long": (414, "gate.path.long", environ(path="/path/" + "a" * 100_000)),
    "path-not-latin1": (400, "gate.path.encoding", environ(path="/one/\u20ac/")),
    # cookies
    "cookie-nameless": (400, "gate.cookie.malformed", environ(HTTP_COOKIE="=__Host-session=x")),
    "cookie-bare": (400, "gate.cookie.malformed", environ(HTTP_COOKIE="session")),
    "cookie-control": (400, "gate.cookie.malformed", environ(HTTP_COOKIE="a=b\x01")),
    "cookie-nul": (400, "gate.header.control", environ(HTTP_COOKIE="a=\0")),
    "cookie-line-break": (400, "gate.header.control", environ(HTTP_COOKIE="a=b\r\nX: y")),
    "cookie-many": (431, "gate.cookie.many", environ(HTTP_COOKIE=named(5000, "a=1", "; "))),
    # headers
    "header-line-break": (400, "gate.header.control", environ(HTTP_X_ANY="a\nb")),
    "header-nul": (400, "gate.header.control", environ(HTTP_X_ANY="a\0b")),
    "headers-many": (
        431,
        "gate.headers.many",
        environ(**{f"HTTP_X_{n}": "1" for n in range(20_000)}),
    ),
    "headers-long": (431, "gate.headers.long", environ(HTTP_X_ANY="a" * 1_000_000)),
    # methods
    "method-lower": (400, "gate.method.malformed", environ("get")),
    "method-empty": (400, "gate.method.malformed", environ("")),
    "method-space": (400, "gate.method.malformed", environ("GET /")),
    "method-line-break": (400, "gate.method.malformed", environ("GET\r\n")),
    "method-not-ascii": (400, "gate.method.malformed", environ("G\xc9T")),
    "method-long": (400, "gate.method.malformed", environ("A" * 10_000)),
    "method-unknown": (405, "http.405", environ("PROPFIND")),
    # lengths and framing
    "length-negative": (400, "gate.length.malformed", posted(b"{}", CONTENT_LENGTH="-1")),
    "length-word": (400, "gate.length.malformed", posted(b"{}", CONTENT_LENGTH="two")),
    "length-plus": (400, "gate.length.malformed", posted(b"{}", CONTENT_LENGTH="+2")),
    "length-list": (400, "gate.length.malformed", posted(b"{}", CONTENT_LENGTH="2, 2")),
    "length-exponent": (400, "gate.length.malformed", posted(b"{}", CONTENT_LENGTH="2e0")),
    "length-other-digits": (400, "gate.length.malformed", posted(b"{}", CONTENT_LENGTH="\xb2")),
    "length-astronomic": (413, "gate.body.long", posted(b"{}", CONTENT_LENGTH="9" * 5000)),
    "length-huge": (413, "gate.body.long", posted(b"{}", CONTENT_LENGTH="20000000")),
    "length-beyond-body": (400, "gate.body.truncated", posted(b"{}", CONTENT_LENGTH="20")),
    "framing-both": (
        400,
        "gate.framing.ambiguous",
        posted(b"{}", HTTP_TRANSFER_ENCODING="chunked"),
    ),
    "framing-unknown": (
        400,
        "gate.framing.coding",
        chunked(b"{}", JSON, "/json") | {"HTTP_TRANSFER_ENCODING": "cow"},
    ),
    "body-chunked-huge": (413, "gate.body.long", chunked(b" " * 17_000_000, "text/plain", "/body")),
    "body-gzip": (415, "gate.body.encoding", posted(b"\x1f\x8b", HTTP_CONTENT_ENCODING="gzip")),
    # JSON
    "json-deep-lists": (400, "json.deep", posted(b"[" * 100_000 + b"]" * 100_000)),
    "json-deep-objects": (400, "json.deep", posted(b'{"a":' * 100_000 + b"1" + b"}" * 100_000)),
    "json-deep-unclosed": (400, "json.deep", posted(b"[" * 100_000)),
    "json-deep-mixed": (400, "json.deep", posted(b'[{"a":' * 100_000)),
    "json-nan": (400, "json.constant", posted(b'{"a": NaN}')),
    "json-infinity": (400, "json.constant", posted(b"[-Infinity]")),
    "json-doubled-key": (400, "json.duplicate", posted(b'{"a": 1, "a": 2}')),
    "json-doubled-key-escaped": (400, "json.duplicate", posted(b'{"a": 1, "\\u0061": 2}')),
    "json-empty": (400, "json.malformed", posted(b"", CONTENT_LENGTH="0")),
    "json-cut": (400, "json.malformed", posted(b'{"a": ')),
    "json-two": (400, "json.malformed", posted(b"{} {}")),
    "json-single-quotes": (400, "json.malformed", posted(b"{'a': 1}")),
    "json-not-utf8": (400, "json.encoding", posted(b'{"a": "\xff"}')),
    "json-utf16": (400, "json.encoding", posted('{"a": 1}'.encode("utf-16"))),
    "json-surrogate": (400, "json.surrogate", posted(b'{"a": "\\ud800"}')),
    "json-endless-number": (400, "json.malformed", posted(b"[" + b"1" * 10_000 + b"]")),
    "json-as-form": (415, "http.415", posted(b"a=1", FORM)),
    "json-without-type": (415, "http.415", posted(b"{}", None)),
    "json-odd-type": (415, "http.415", posted(b"{}", "////")),
    # forms
    "form-percent": (400, "gate.form.percent", posted(b"a=%", FORM, "/form")),
    "form-percent-word": (400, "gate.form.percent", posted(b"a=%zz&b=1", FORM, "/form")),
    "form-percent-not-utf8": (400, "gate.form.encoding", posted(b"a=%ff", FORM, "/form")),
    "form-not-utf8": (400, "gate.form.encoding", posted(b"a=\xff", FORM, "/form")),
    "form-many-fields": (413, "gate.fields.many", posted(named(20_000).encode(), FORM, "/form")),
    "form-many-fields-chunked": (
        413,
        "gate.fields.many",
        chunked(named(20_000).encode(), FORM, "/form"),
    ),
    "form-many-parts": (413, "gate.form.large", posted(parts(20_000), PARTS, "/form")),
    "form-huge-field": (
        413,
        "gate.form.large",
        posted(UPLOAD.replace(b"hello", b"h" * 1_000_000), PARTS, "/form"),
    ),
    "multipart-without-boundary": (
        400,
        "gate.multipart.boundary",
        posted(UPLOAD, "multipart/form-data", "/form"),
    ),
    "multipart-empty-boundary": (
        400,
        "gate.multipart.boundary",
        posted(UPLOAD, 'multipart/form-data; boundary=""', "/form"),
    ),
    "multipart-long-boundary": (
        400,
        "gate.multipart.boundary",
        posted(UPLOAD, f"multipart/form-data; boundary={'b' * 100}", "/form"),
    ),
    "multipart-cut-in-data": (
        400,
        "gate.multipart.truncated",
        posted(UPLOAD[:120], PARTS, "/form"),
    ),
    "multipart-cut-in-header": (
        400,
        "gate.multipart.truncated",
        posted(UPLOAD[:30], PARTS, "/form"),
    ),
    "multipart-cut-before-end": (
        400,
        "gate.multipart.truncated",
        posted(UPLOAD[:-8], PARTS, "/form"),
    ),
    "multipart-other-boundary": (
        400,
        "gate.multipart.truncated",
        posted(UPLOAD, PARTS + "s", "/form"),
    ),
    "multipart-nameless": (
        400,
        "gate.multipart.malformed",
        posted(UPLOAD.replace(b'; name="title"', b""), PARTS, "/form"),
    ),
    "multipart-nameless-file": (
        400,
        "gate.multipart.malformed",
        posted(UPLOAD.replace(b'name="file"; ', b""), PARTS, "/form"),
    ),
    "multipart-name-broken": (
        400,
        "gate.multipart.malformed",
        posted(UPLOAD.replace(b'"file"', b'"file\r\n"'), PARTS, "/form"),
    ),
    "multipart-without-disposition": (
        400,
        "gate.multipart.malformed",
        posted(UPLOAD.replace(b"Content-Disposition", b"Disposition"), PARTS, "/form"),
    ),
    "multipart-header-not-utf8": (
        400,
        "gate.multipart.malformed",
        posted(UPLOAD.replace(b"title", b"\xff"), PARTS, "/form"),
    ),
    # typed views: all that is wrong, at once
    "typed-word": (422, "typed.invalid", environ(path="/typed", query="page=two")),
    "typed-beyond": (422, "typed.invalid", environ(path="/typed", query="page=" + "9" * 400)),
    "typed-endless": (422, "typed.invalid", environ(path="/typed", query="page=" + "9" * 5000)),
    "typed-nan": (422, "typed.invalid", environ(path="/typed", query="price=NaN")),
    "typed-inf": (422, "typed.invalid", environ(path="/typed", query="ratio=1e999")),
    "typed-year": (422, "typed.invalid", environ(path="/typed", query="when=99999999999999999999")),
    "typed-many": (422, "typed.invalid", environ(path="/typed", query=named(100, "tags=a"))),
    "typed-body-missing": (422, "typed.invalid", environ("POST", "/typed/note")),
    "typed-body-deep": (
        400,
        "json.deep",
        posted(b'{"title":' + b"[" * 100_000, path="/typed/note"),
    ),
    "typed-body-nan": (
        400,
        "json.constant",
        posted(b'{"title": "a", "more": {"a": NaN}}', path="/typed/note"),
    ),
    "typed-body-doubled": (
        400,
        "json.duplicate",
        posted(b'{"title": "a", "title": "b"}', path="/typed/note"),
    ),
    "typed-body-surrogate": (
        400,
        "json.surrogate",
        posted(b'{"title": "\\ud800"}', path="/typed/note"),
    ),
    "typed-body-wrong": (
        422,
        "typed.invalid",
        posted(b'{"title": 5, "stars": "5"}', path="/typed/note"),
    ),
    "typed-body-type": (415, "typed.content_type", posted(b"{}", "text/xml", "/typed/note")),
    "typed-body-cut": (400, "typed.json", posted(b'{"title": "a"', path="/typed/note")),
    "typed-list-wrong": (
        422,
        "typed.invalid",
        posted(b'[{"x": "NaN"}, {"y": 1}, 5]', path="/typed/points"),
    ),
    "typed-form-json": (415, "typed.content_type", posted(b"{}", JSON, "/typed/form")),
    "typed-form-empty": (422, "typed.invalid", posted(b"title=", FORM, "/typed/form")),
    "typed-form-cut": (400, "gate.multipart.truncated", posted(UPLOAD[:120], PARTS, "/typed/form")),
    # what comes back
    "answer-header": (400, "headers.unsendable", environ(path="/header", query=f"v={BREAK}")),
    "answer-header-form": (
        400,
        "headers.unsendable",
        posted(f"v={BREAK}".encode(), FORM, "/header"),
    ),
    "answer-type": (400, "headers.unsendable", environ(path="/type", query=f"v={BREAK}")),
}


@pytest.mark.parametrize("case", REFUSED)
def test_malformed_requests_are_refused_with_a_reason(site, case):
    """4xx, the one that fits, with a code and a sentence; never a 500, never a hang."""
    status, code, asked = REFUSED[case]
    answer = ask(site, dict(asked, **{"wsgi.input": io.BytesIO(asked["wsgi.input"].getvalue())}))
    assert (answer.status, answer.problem["code"]) == (status, code), answer.body
    assert "set-cookie" not in [name.lower() for name, _ in answer.headers]


@pytest.mark.parametrize("view", ["header", "redirect", "cookie", "type", "download"])
@pytest.mark.parametrize("text", ["\r\n", "a\nb", "a\rb", "\0", "a\x0bb", "\x85", "\u2028"])
def test_input_never_adds_a_header(site, view, text):
    """Whatever a view copies from the request into its answer, no new line comes of it."""
    query = "v=" + urllib.parse.quote(f"x{text}Set-Cookie: stolen=1")
    answer = ask(site, environ(path=f"/{view}", query=query))
    cookies = [value for name, value in answer.headers if name.lower() == "set-cookie"]
    assert not any(value.startswith("stolen") for value in cookies)


@pytest.mark.parametrize("rule", VIEWS)
def test_the_same_views_answer_well_formed_requests(site, rule):
    """The refusals above are refusals, not a site that is down."""
    path = rule.translate(str.maketrans("<>", "  ")).split(" ")[0]
    path += {"/int/": "1", "/float/": "1.5", "/one/": "x/", "/path/": "a/b"}.get(path, "")
    if path == "/uuid/":
        path += "12345678-1234-5678-1234-567812345678"
    bodies = {
        "/json": posted(b"{}"),
        "/typed/note": posted(b'{"title": "a", "due": "2026-01-01T00:00:00"}', path=path),
        "/typed/points": posted(b'[{"x": "1.5"}]', path=path),
        "/typed/form": posted(UPLOAD, PARTS, path),
    }
    asked = bodies.get(rule) or environ(path=path, query="v=text")
    answer = ask(site, asked)
    assert answer.status in (200, 302), answer.body


def test_a_whole_upload_arrives(site):
    """The corrupted uploads below begin from this one."""
    answer = ask(site, posted(UPLOAD, PARTS, "/form"))
    assert json.loads(answer.body) == {"form": {"title": ["hello"]}, "files": ["a.txt"]}


# --- random environs -----------------------------------------------------------------------

LATIN1 = st.text(st.characters(max_codepoint=255), max_size=30)
ANY = st.text(max_size=20)
ODD = st.sampled_from([
    "", " ", ",", ";", "=", "%", "%00", "%zz", "%ff", "\r\n", "\0", "\x7f", "\xff", "\u20ac",
    "\ud800", "-1", "0", "9" * 30, "1e9", "NaN", "é", '"', "'", "\\", "//", "..", "*", "*/*;q=x",
    "bytes=0-0", "bytes=-", "bytes=9-1,a", 'W/"e"', '"e', "Basic eA==", "Basic \xff", "Bearer",
    "Digest a=b", "max-age=x", "Thu, 99 Jan 9999", "Thu, 01 Jan 1970 00:00:00 +9999", "chunked",
    "utf-8;q=1e999", "a=b; a=c", "a" * 300, "[::1]:0", "localhost", "localhost:80", FORM, JSON,
    PARTS, "multipart/form-data; boundary=\xff", "text/html; charset=utf-99", "gzip, br",
    "charset=", "for=;by=", "for=unknown", "127.0.0.1, ::1", "application/json; a=\"",
    "Sun, 06 Nov 1994 08:49:37 GMT", "99999999999999999999", "q=\"", "HTTP/9.9",
])  # fmt: skip
VALUE = st.one_of(ODD, LATIN1, st.lists(ODD, max_size=4).map(",".join), ANY)

HEADERS = st.dictionaries(
    st.sampled_from([
        "HTTP_HOST", "HTTP_COOKIE", "HTTP_ACCEPT", "HTTP_ACCEPT_LANGUAGE", "HTTP_ACCEPT_CHARSET",
        "HTTP_ACCEPT_ENCODING", "HTTP_AUTHORIZATION", "HTTP_RANGE", "HTTP_IF_RANGE",
        "HTTP_IF_NONE_MATCH", "HTTP_IF_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_CACHE_CONTROL",
        "HTTP_IF_UNMODIFIED_SINCE", "HTTP_PRAGMA", "HTTP_DATE", "HTTP_ORIGIN", "HTTP_REFERER",
        "HTTP_USER_AGENT", "HTTP_TRANSFER_ENCODING", "HTTP_CONTENT_ENCODING", "HTTP_EXPECT",
        "HTTP_UPGRADE", "HTTP_CONNECTION", "HTTP_X_REQUEST_ID", "HTTP_X_FORWARDED_FOR",
        "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PREFIX",
        "HTTP_FORWARDED", "HTTP_TRACEPARENT", "HTTP_X_HTTP_METHOD_OVERRIDE", "HTTP_SEC_FETCH_SITE",
        "HTTP_CONTENT_MD5", "HTTP_MAX_FORWARDS", "CONTENT_TYPE", "CONTENT_LENGTH", "REMOTE_ADDR",
        "SERVER_PROTOCOL", "SCRIPT_NAME", "RAW_URI", "REQUEST_URI",
    ]),
    VALUE,
    max_size=6,
)  # fmt: skip

METHODS = st.one_of(
    st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get"]),
    VALUE,
)
SEGMENTS = st.one_of(
    VALUE, st.sampled_from(["1", "-1", "1.5", "x", "static", "healthz", "metrics"])
)
PATHS = st.one_of(
    st.sampled_from([rule.partition("<")[0] for rule in VIEWS]),
    st.tuples(
        st.sampled_from(["/int/", "/float/", "/uuid/", "/path/", "/one/", "/"]), SEGMENTS
    ).map("".join),
    st.lists(SEGMENTS, max_size=4).map("/".join),
)
QUERIES = st.one_of(VALUE, VALUE.map("v={}".format), st.lists(VALUE, max_size=5).map("&".join))
BODIES = st.one_of(
    st.binary(max_size=60),
    VALUE.map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.sampled_from([UPLOAD, b"{}", b"[1e999]", b'"\\ud800"', b"v=%0d%0a", b"a=%ff&b=%", b"null"]),
)

NEARLY_JSON = st.recursive(
    st.sampled_from(
        [b"1", b'"a"', b"NaN", b"null", b"1e999", b'"\\ud800"', b'"', b"\xff", b"-0.0", b"true",
         b'"2026-02-30"', b'"1e999999999"', b"9" * 400, b"9" * 5000, b'"' + b"9" * 5000 + b'"']
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda i: b"[" + b",".join(i) + b"]"),
        st.lists(inner, max_size=3).map(
            lambda i: b"{" + b",".join(b'"%d":%s' % (n, v) for n, v in enumerate(i)) + b"}"
        ),
        st.lists(inner, max_size=3).map(lambda i: b"{" + b",".join(b'"k":' + v for v in i) + b"}"),
        st.lists(inner, max_size=3).map(b" ".join),
    ),
)  # fmt: skip

DRAWN = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "150")),  # the search goes on where asked to
    deadline=None,  # Hang is the deadline, and it names the request
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.mark.slow
@DRAWN
@given(METHODS, PATHS, QUERIES, BODIES, HEADERS)
def test_no_environ_makes_it_fail(site, method, path, query, body, headers):
    """Any text anywhere: an answer below 500, sound headers, and a reason when refused."""
    ask(site, environ(method, path, query, body, **headers))


VALID = [
    posted(b'{"a": [1, 2.5, "x\\u00e9", null, {"b": true}]}'),
    posted(b"v=1&b=%C3%A9&c=a+b", FORM, "/form"),
    posted(UPLOAD, PARTS, "/form"),
    posted(UPLOAD, PARTS, "/header"),
    chunked(UPLOAD, PARTS, "/form"),
    environ(path="/int/7", query="a=1&v=%20", HTTP_COOKIE="session=abc; b=c"),
    environ(
        path="/session", HTTP_COOKIE="session=eyJjb3VudCI6MX0.aaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbb"
    ),
    environ(path="/tagged", HTTP_RANGE="bytes=0-1", HTTP_IF_NONE_MATCH='"e"', HTTP_IF_RANGE='"e"'),
    environ(path="/typed", query="page=2&ratio=1.5&when=2026-01-01T00:00:00Z&tags=a&tags=b&kind=b"),
    posted(b'{"title": "a", "stars": 3, "tags": ["x"], "more": {"k": 1.5}}', path="/typed/note"),
    posted(b"title=a&stars=3&tags=x&tags=y", FORM, "/typed/note"),
    posted(b'[{"x": "1.5", "y": 2}, {"x": 3}]', path="/typed/points"),
    posted(UPLOAD, PARTS, "/typed/form"),
]

WHERE = [
    "REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "CONTENT_TYPE", "CONTENT_LENGTH", "HTTP_COOKIE",
    "HTTP_HOST", "HTTP_RANGE", "HTTP_IF_NONE_MATCH", "HTTP_IF_RANGE", "body", "body", "body",
]  # fmt: skip


@pytest.mark.slow
@DRAWN
@given(
    st.sampled_from(VALID),
    st.lists(
        st.tuples(st.sampled_from(WHERE), st.floats(0, 1), st.integers(0, 12), VALUE), max_size=3
    ),
    st.booleans(),
)
def test_no_broken_request_makes_it_fail(site, whole, cuts, measured):
    """A valid request with pieces cut out and others put in; its length told right or wrong."""
    asked, body = dict(whole), whole["wsgi.input"].getvalue()
    for where, at, gone, put in cuts:
        if where == "body":
            start = int(at * len(body))
            body = body[:start] + put.encode("utf-8", "replace") + body[start + gone :]
        elif where in asked:
            text = asked[where]
            start = int(at * len(text))
            asked[where] = text[:start] + put + text[start + gone :]
    if measured and asked.get("CONTENT_LENGTH"):
        asked["CONTENT_LENGTH"] = str(len(body))
    asked["wsgi.input"] = io.BytesIO(body)
    ask(site, asked)


@pytest.mark.slow
@DRAWN
@given(NEARLY_JSON, st.integers(0, 200))
def test_no_json_makes_it_fail(site, text, depth):
    """Nearly JSON, at any depth: read, or refused with 400."""
    answer = ask(site, posted(b"[" * depth + text + b"]" * depth))
    assert answer.status in (200, 400)


@pytest.mark.slow
@DRAWN
@given(
    st.lists(
        st.tuples(st.sampled_from(["title", "stars", "tags", "more", "due", "x"]), NEARLY_JSON)
    ),
    st.sampled_from(["/typed/note", "/typed/points"]),
)
def test_no_model_makes_it_fail(site, fields, path):
    """Any values for the fields of a model: taken, or refused with every reason."""
    body = b"{" + b",".join(b'"%s":%s' % (name.encode(), text) for name, text in fields) + b"}"
    answer = ask(site, posted(body if path == "/typed/note" else b"[%s]" % body, path=path))
    assert answer.status in (200, 400, 422)


NAMES = st.sampled_from(
    ["page", "ratio", "price", "when", "day", "key", "tags", "kind", "title", "v"]
)


@pytest.mark.slow
@DRAWN
@given(
    st.lists(st.tuples(NAMES, st.one_of(VALUE, st.floats().map(str))), max_size=6),
    st.sampled_from(["/typed", "/typed/form", "/typed/note", "/form"]),
)
def test_no_text_makes_it_fail(site, pairs, path):
    """Any text for typed parameters and form fields, whole in its encoding."""
    text = urllib.parse.urlencode(pairs, errors="replace")
    ask(site, environ(path=path, query=text))
    ask(site, posted(text.encode(), FORM, path))


# --- the fuzz can fail ---------------------------------------------------------------------


def endless():
    while True:
        pass


def test_a_fault_in_a_view_would_be_seen(monkeypatch):
    """Proof that the checks above look: a 500, a hang and a smuggled header are caught."""
    broken = Carboy("broken", batteries=())
    broken.add_url_rule("/", "bug", lambda: 1 / int(flask.request.args.get("v", "0")))

    broken.add_url_rule("/endless", "endless", endless)
    monkeypatch.setitem(globals(), "HANG_S", 0.1)

    with pytest.raises(Hang, match=r"no answer after 0\.1 s"):
        ask(broken, environ(path="/endless"))
    with pytest.raises(AssertionError, match="500 INTERNAL SERVER ERROR"):
        ask(broken, environ(query="v=0"))
    with pytest.raises(AssertionError):
        ask(lambda e, start: start("200 OK", [("X", "a\r\nb")]) and [b""], environ())
    with pytest.raises(AssertionError):
        ask(lambda e, start: start("400 BAD REQUEST", []) and [b"no"], environ())
