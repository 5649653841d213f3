"""The gate: each limit at its bound and one above; framing; what is never let in."""

import io

import pytest

from carboy.base.errors import RequestFault
from carboy.web.gate import Bounds, Gate

SMALL = Bounds(
    headers=30, header_bytes=4_000, path_bytes=100, query_bytes=200, query_args=5, cookies=4,
    body_bytes=1_000, fields=10,
)  # fmt: skip


def environ(**keys):
    body = keys.pop("body", b"")
    return {
        "REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/", "QUERY_STRING": "",
        "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_HOST": "localhost", "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(body), "wsgi.errors": None,
    } | keys  # fmt: skip


def verdict(bounds=SMALL, **keys):
    """Return "in", or "status code" of the refusal."""
    try:
        Gate(bounds).admit(environ(**keys))
    except RequestFault as fault:
        return f"{fault.status} {fault.code}"
    return "in"


def headers(count):
    """Headers that make *count* together with Host."""
    return {f"HTTP_X_{n}": "v" for n in range(count - 1)}


def post(**keys):
    return {"REQUEST_METHOD": "POST", **keys}


AT_THE_BOUND = {
    "headers": headers(30),
    "header bytes": {"HTTP_X": "v" * (4_000 - len("HOST: localhost\r\n") - len("X: \r\n") + 0)},
    "path": {"PATH_INFO": "/" + "p" * 99},
    "query": {"QUERY_STRING": "q" * 200},
    "query arguments": {"QUERY_STRING": "a&b&c&d&e"},
    "cookies": {"HTTP_COOKIE": "a=1; b=2; c=3; d=4"},
    "body": post(CONTENT_LENGTH="1000"),
    "no body": post(CONTENT_LENGTH="0"),
    "empty length": {"CONTENT_LENGTH": ""},
}


@pytest.mark.parametrize("keys", AT_THE_BOUND.values(), ids=AT_THE_BOUND)
def test_what_is_exactly_as_large_as_allowed_is_let_in(keys):
    assert verdict(**keys) == "in"


TOO_MUCH = {
    "headers": (headers(31), "431 gate.headers.many"),
    "header bytes": ({"HTTP_X": "v" * 4_000}, "431 gate.headers.long"),
    "path": ({"PATH_INFO": "/" + "p" * 100}, "414 gate.path.long"),
    "query": ({"QUERY_STRING": "q" * 201}, "414 gate.query.long"),
    "query arguments": ({"QUERY_STRING": "a&b&c&d&e&f"}, "414 gate.query.many"),
    "cookies": ({"HTTP_COOKIE": "a=1; b=2; c=3; d=4; e=5"}, "431 gate.cookie.many"),
    "body": (post(CONTENT_LENGTH="1001"), "413 gate.body.long"),
    "body of a GET": ({"CONTENT_LENGTH": "1001"}, "413 gate.body.long"),
    "length of 5,000 digits": (post(CONTENT_LENGTH="9" * 5_000), "431 gate.headers.long"),
    "length of 100 digits": (post(CONTENT_LENGTH="9" * 100), "413 gate.body.long"),
}


@pytest.mark.parametrize(("keys", "refusal"), TOO_MUCH.values(), ids=TOO_MUCH)
def test_one_more_than_allowed_is_refused(keys, refusal):
    assert verdict(**keys) == refusal


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "compatible"])
@pytest.mark.parametrize("control", ["\r", "\n", "\0", "\r\nX-Evil: 1"], ids=ascii)
@pytest.mark.parametrize(
    "key", ["HTTP_X_A", "HTTP_COOKIE", "HTTP_HOST", "CONTENT_TYPE", "PATH_INFO", "QUERY_STRING"]
)
def test_line_breaks_and_nul_are_refused_wherever_they_stand(key, control, strict):
    bounds = Bounds(strict=strict)
    code = "gate.path.control" if key in ("PATH_INFO", "QUERY_STRING") else "gate.header.control"
    assert verdict(bounds, **{key: f"/a{control}b"}) == f"400 {code}"


def test_line_breaks_outside_the_request_do_no_harm():
    """A server that copies its process environment brings some along."""
    assert verdict(LS_COLORS="a\nb", BASH_FUNC="() {\n}") == "in"


LENGTHS = ["+5", "-1", "0x5", "5,5", "5, 5", "0_5", " 5", "5.0", "five", "٥"]


@pytest.mark.parametrize("length", LENGTHS, ids=ascii)
def test_a_length_that_is_not_digits_is_refused(length):
    """Servers join doubled Content-Length headers with a comma: refused alike."""
    keys = post(CONTENT_LENGTH=length)
    assert verdict(Bounds(strict=False), **keys) == "400 gate.length.malformed"


FRAMING = {
    "both": ({"CONTENT_LENGTH": "5", "HTTP_TRANSFER_ENCODING": "chunked"}, "ambiguous"),
    "gzip": ({"HTTP_TRANSFER_ENCODING": "gzip, chunked"}, "coding"),
    "identity": ({"HTTP_TRANSFER_ENCODING": "identity"}, "coding"),
    "twice": ({"HTTP_TRANSFER_ENCODING": "chunked, chunked"}, "coding"),
    "vertical tab": ({"HTTP_TRANSFER_ENCODING": "\x0bchunked\x00"[:-1] + "x"}, "coding"),
}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(("keys", "code"), FRAMING.values(), ids=FRAMING)
def test_a_body_whose_end_is_ambiguous_is_refused(keys, code, method):
    """Also with GET: a smuggled request rides on whatever method gets through."""
    assert verdict(REQUEST_METHOD=method, **keys) == f"400 gate.framing.{code}"


METHODS = {
    "PROPFIND": "in", "M-SEARCH": "in", "get": "400 gate.method.malformed",
    "Post": "400 gate.method.malformed", "": "400 gate.method.malformed",
    "GET ": "400 gate.method.malformed", "G(T": "400 gate.method.malformed",
    "A" * 41: "400 gate.method.malformed",
}  # fmt: skip


@pytest.mark.parametrize(("method", "answer"), METHODS.items(), ids=ascii)
def test_a_method_is_a_token_in_capitals(method, answer):
    """A well-formed unknown method goes on to matching, which answers 405 with Allow."""
    assert verdict(REQUEST_METHOD=method) == answer


def test_small_letters_are_flasks_business_when_not_strict():
    assert verdict(Bounds(strict=False), REQUEST_METHOD="get") == "in"


STRICT_ONLY = {
    "percent in query": ({"QUERY_STRING": "a=%zz"}, "400 gate.query.percent"),
    "cut percent": ({"QUERY_STRING": "a=100%"}, "400 gate.query.percent"),
    "query not utf-8": ({"QUERY_STRING": "a=%ff"}, "400 gate.query.encoding"),
    "raw query not utf-8": ({"QUERY_STRING": "a=\xff"}, "400 gate.path.encoding"),
    "path not utf-8": ({"PATH_INFO": "/\xff"}, "400 gate.path.encoding"),
    "overlong utf-8": ({"PATH_INFO": "/\xc0\xaf"}, "400 gate.path.encoding"),
    "percent in path": ({"PATH_INFO": "/%zz", "RAW_URI": "/%zz?a"}, "400 gate.path.percent"),
    "cookie without =": ({"HTTP_COOKIE": "a=1; b"}, "400 gate.cookie.malformed"),
    "cookie without name": ({"HTTP_COOKIE": "=1"}, "400 gate.cookie.malformed"),
    "nameless __Host-": ({"HTTP_COOKIE": "a=1; =__Host-s=x"}, "400 gate.cookie.malformed"),
    "cookie with a control": ({"HTTP_COOKIE": "a=\x01"}, "400 gate.cookie.malformed"),
    "gzip body": (
        post(CONTENT_LENGTH="5", HTTP_CONTENT_ENCODING="gzip"),
        "415 gate.body.encoding",
    ),
    "multipart without boundary": (
        post(CONTENT_LENGTH="5", CONTENT_TYPE="multipart/form-data"),
        "400 gate.multipart.boundary",
    ),
}


@pytest.mark.parametrize(("keys", "refusal"), STRICT_ONLY.values(), ids=STRICT_ONLY)
def test_what_flask_reads_in_its_own_way_is_refused_when_strict_only(keys, refusal):
    assert verdict(Bounds(), **keys) == refusal
    assert verdict(Bounds(strict=False), **keys) == "in"


PRESETS = {
    "default": (("limits", "headers", "hosts"), None, 400),
    "default, opened": (("limits", "headers", "hosts"), False, 200),
    "compatible": (("limits", "headers"), None, 200),
    "compatible, closed": (("limits", "headers"), True, 400),
}


@pytest.mark.parametrize(("batteries", "chosen", "status"), PRESETS.values(), ids=PRESETS)
def test_strict_is_what_is_chosen_else_what_the_preset_says(make_app, batteries, chosen, status):
    client = make_app(batteries, STRICT_INPUT=chosen).test_client()
    assert client.get("/?a=%zz").status_code == status
    answer = client.post("/json", data=b"[NaN]", content_type="application/json")
    assert answer.status_code == status


def test_a_path_that_is_no_latin_1_is_refused_always():
    """PEP 3333; Werkzeug would raise UnicodeEncodeError, a 500."""
    assert verdict(Bounds(strict=False), PATH_INFO="/€") == "400 gate.path.encoding"


HONEST = {
    "utf-8 path": {"PATH_INFO": "/é".encode().decode("latin-1")},
    "utf-8 query": {"QUERY_STRING": "a=%C3%A9&b=+%2B"},
    "literal percent": {"PATH_INFO": "/50%", "RAW_URI": "/50%25"},
    "cookies": {"HTTP_COOKIE": 'a=1; b="x y"; c=; d=e=f;'},
    "cookie in utf-8": {"HTTP_COOKIE": "a=é".encode().decode("latin-1")},
    "browser": {"HTTP_ACCEPT": "text/html,*/*;q=0.8", "HTTP_USER_AGENT": "Mozilla/5.0 " * 9},
    "identity body": post(CONTENT_LENGTH="5", HTTP_CONTENT_ENCODING="identity"),
    "tab in a header": {"HTTP_X_A": "a\tb"},
}


@pytest.mark.parametrize("keys", HONEST.values(), ids=HONEST)
def test_honest_requests_are_let_in(keys):
    assert verdict(Bounds(), **keys) == "in"


def test_an_ordinary_request_is_not_touched():
    """Nothing in the environ is replaced for a GET, or for a body of known length."""
    for keys in ({}, post(CONTENT_LENGTH="5", CONTENT_TYPE="application/json", body=b"{1:2}")):
        before = environ(**keys)
        after = dict(before)
        Gate().admit(after)
        assert after == before


def test_what_is_no_text_never_hides_a_header():
    """The gate learns which keys hold no text; a broken server must not blind it."""
    gate = Gate()
    gate.admit(environ(**{"wsgi.input": object(), "HTTP_X_A": None, "server.socket": 7}))
    assert "server.socket" in gate.blanks
    assert "HTTP_X_A" not in gate.blanks
    with pytest.raises(RequestFault):
        gate.admit(environ(HTTP_X_A="a\nb"))


def test_cookie_check_takes_linear_time():
    """A hundred kilobytes of near-misses are judged at once (CWE-1333)."""
    from carboy.web.syntax import COOKIES

    for text in ("a=" * 50_000, ";" * 100_000, " " * 100_000 + "=", "a" * 100_000):
        COOKIES.fullmatch(text)  # pytest-timeout would end a quadratic one
