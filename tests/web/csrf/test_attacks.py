"""The table of attacks: method, headers, cookies and token of each, and what becomes of it.

Every row runs against the whole application; `done` is what the view says.
"""

import pytest
from flask.sessions import SecureCookieSession
from werkzeug.test import encode_multipart

from carboy.engine.sessions import CookieSessions

SITE, ORIGIN = "Sec-Fetch-Site", "Origin"
OURS = "http://localhost"
BEARER = {"Authorization": "Bearer cby_0123456789abcdef"}
MOZILLA = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101"}
PASS = None

HEADERS = [
    # headers, whether a cookie came along, code of the fault (None: it passes)
    ({SITE: "same-origin"}, True, PASS),
    ({SITE: "same-origin"}, False, PASS),
    ({SITE: "none"}, True, PASS),
    ({SITE: "same-site"}, True, "cross_site"),
    ({SITE: "same-site"}, False, "cross_site"),
    ({SITE: "cross-site"}, True, "cross_site"),
    ({SITE: "cross-site"}, False, "cross_site"),
    ({SITE: "cross-site", ORIGIN: OURS}, True, "cross_site"),
    ({SITE: "cross-site", ORIGIN: "https://evil.example"}, True, "cross_site"),
    ({SITE: "cross-site", ORIGIN: "null"}, True, "cross_site"),
    ({SITE: "same-site", ORIGIN: "http://a.localhost"}, True, "cross_site"),
    ({SITE: ""}, True, "malformed"),
    ({SITE: "Same-Origin"}, True, "malformed"),
    ({SITE: "same-origin,same-origin"}, True, "malformed"),
    ({SITE: "same-origin, cross-site"}, True, "malformed"),
    ({SITE: "same-origin;"}, True, "malformed"),
    ({SITE: "same-örigin"}, True, "malformed"),
    ({SITE: "x" * 5000}, True, "malformed"),
    ({SITE: "same-origin", ORIGIN: OURS}, True, PASS),
    ({SITE: "same-origin", ORIGIN: "https://localhost"}, True, PASS),  # TLS ends at a proxy
    ({SITE: "same-origin", ORIGIN: "http://localhost:8443"}, True, PASS),
    ({SITE: "same-origin", ORIGIN: "null"}, True, PASS),  # a page with no-referrer
    ({SITE: "none", ORIGIN: "null"}, True, PASS),
    ({SITE: "same-origin", ORIGIN: "https://evil.example"}, True, "contradiction"),
    ({SITE: "same-origin", ORIGIN: "http://localhost.evil.example"}, True, "contradiction"),
    ({SITE: "none", ORIGIN: "https://evil.example"}, True, "contradiction"),
    ({SITE: "same-origin", ORIGIN: "http://localhost, http://evil.example"}, True, "malformed"),
    ({SITE: "same-origin", ORIGIN: ""}, True, "malformed"),
    ({ORIGIN: OURS}, True, PASS),
    ({ORIGIN: OURS}, False, PASS),
    ({ORIGIN: "null"}, True, "origin"),
    ({ORIGIN: "null"}, False, "origin"),
    ({ORIGIN: "https://localhost"}, True, "origin"),
    ({ORIGIN: "http://localhost:81"}, True, "origin"),
    ({ORIGIN: "http://a.localhost"}, True, "origin"),
    ({ORIGIN: "http://localhost.evil.example"}, True, "origin"),
    ({ORIGIN: "http://evil.example"}, False, "origin"),
    ({ORIGIN: "http://localhost:80"}, True, "origin"),  # browsers leave it out
    ({ORIGIN: "http://LOCALHOST"}, True, "malformed"),
    ({ORIGIN: "http://localhost/"}, True, "malformed"),
    ({ORIGIN: "http://user@localhost"}, True, "malformed"),
    ({ORIGIN: "http://localhost http://localhost"}, True, "malformed"),
    ({ORIGIN: "http://localhost,http://localhost"}, True, "malformed"),
    ({ORIGIN: "file://"}, True, "malformed"),
    ({ORIGIN: "http://löcalhost"}, True, "malformed"),
    ({ORIGIN: ""}, True, "malformed"),
    ({}, True, "missing"),
    ({}, False, PASS),
    (MOZILLA, False, PASS),
    (BEARER, False, PASS),
    (BEARER | {SITE: "cross-site", ORIGIN: "https://app.example"}, False, PASS),
    (BEARER, True, "missing"),
    (BEARER | {SITE: "cross-site"}, True, "cross_site"),
    (BEARER | {ORIGIN: "https://evil.example"}, True, "origin"),
    (BEARER | {SITE: "same-origin"}, True, PASS),
    ({"Authorization": "Bearer"} | MOZILLA, False, "missing"),
    ({"Authorization": "Bearer a,Basic Yjpj", SITE: "cross-site"}, False, "cross_site"),
    ({"Authorization": "Basic YTpi", SITE: "cross-site"}, False, "cross_site"),
    ({"Authorization": "Basic YTpi"} | MOZILLA, False, "missing"),  # a browser repeats it by itself
    ({"Authorization": "Basic YTpi"}, False, PASS),
    ({"Referer": "http://localhost/notes"}, True, "missing"),
    ({"X-Requested-With": "XMLHttpRequest"}, True, "missing"),
    ({"X-HTTP-Method-Override": "GET", SITE: "cross-site"}, True, "cross_site"),
    ({"X-HTTP-Method-Override": "GET"}, True, "missing"),
]  # fmt: skip


def said(row):
    headers, cookie, code = row
    shown = "; ".join(f"{name}: {value[:40]}" for name, value in headers.items())
    return f"{shown or 'no header'}{' + cookie' if cookie else ''} -> {code or 'passes'}"


def verdict(answer):
    """Return None when the view ran, else the last word of the fault's code."""
    if answer.status_code == 200:
        return PASS
    assert answer.status_code == 403, answer.text
    if answer.mimetype == "text/html":
        return "missing" if "has gone stale" in answer.text else answer.text
    return answer.json["code"].removeprefix("web.csrf.")


@pytest.fixture(scope="module")
def shared(make_app):
    """One application for the rows that leave nothing behind."""
    return make_app()


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("row", HEADERS, ids=said)
def test_by_headers(shared, Browser, row, method):
    """Each unsafe method is judged by its headers alone, and nothing is done when refused."""
    app, browser = shared, Browser(shared)
    app.read.clear()
    headers, cookie, code = row
    if cookie:
        browser.set_cookie("theme", "dark")
    answer = browser.open("/notes", method=method, headers=headers, data=b"x")
    assert verdict(answer) == code
    assert len(app.read) == (code is PASS)


def flipped(token):
    return token[:40] + ("A" if token[40] != "A" else "B") + token[41:]


TOKENS = [
    ("its own", lambda token: {"csrf_token": token}, PASS),
    ("none", lambda token: {}, "missing"),
    ("empty", lambda token: {"csrf_token": ""}, "wrong"),
    ("under another name", lambda token: {"token": token}, "missing"),
    ("in capitals", lambda token: {"CSRF_TOKEN": token}, "missing"),
    ("truncated", lambda token: {"csrf_token": token[:-1]}, "wrong"),
    ("half of it", lambda token: {"csrf_token": token[:43]}, "wrong"),
    ("with a space", lambda token: {"csrf_token": token + " "}, "wrong"),
    ("overlong", lambda token: {"csrf_token": token * 1000}, "wrong"),
    ("one character changed", lambda token: {"csrf_token": flipped(token)}, "wrong"),
    ("all zeros", lambda token: {"csrf_token": "A" * 86}, "wrong"),
    ("no base64", lambda token: {"csrf_token": "!" * 86}, "wrong"),
    ("padding inside", lambda token: {"csrf_token": "=" * 86}, "wrong"),
    ("not ASCII", lambda token: {"csrf_token": "é" * 86}, "wrong"),
    ("NUL", lambda token: {"csrf_token": "\0" * 86}, "wrong"),
    ("doubled", lambda token: {"csrf_token": [token, token]}, "doubled"),
    ("doubled, one wrong", lambda token: {"csrf_token": [token, "x"]}, "doubled"),
]  # fmt: skip


def urlencoded(fields):
    return fields, "application/x-www-form-urlencoded"


def multipart(fields):
    """Return a body with a boundary of our own: Werkzeug's is sometimes longer than 70."""
    return encode_multipart(fields, "limit")[1], "multipart/form-data; boundary=limit"


@pytest.mark.parametrize("encoded", [urlencoded, multipart])
@pytest.mark.parametrize(
    ("fields", "code"), [row[1:] for row in TOKENS], ids=[r[0] for r in TOKENS]
)
def test_by_token_in_the_form(app, browser, fields, code, encoded):
    """Where headers say nothing, the token of the session decides."""
    data, kind = encoded(fields(browser.token()) | {"text": "hello"})
    answer = browser.post("/notes", data=data, content_type=kind)
    assert verdict(answer) == code
    assert len(app.read) == (code is PASS)


@pytest.mark.parametrize("sent", ["csrf_token", "X-CSRF-Token"])
def test_a_token_in_the_query_counts_for_nothing(browser, sent):
    """Addresses end up in logs and referrers."""
    assert verdict(browser.post("/notes", query_string={sent: browser.token()})) == "missing"


@pytest.mark.parametrize(
    ("header", "code"),
    [(lambda t: t, PASS), (lambda t: "", "wrong"), (lambda t: f"{t},{t}", "wrong"),
     (lambda t: "é" * 86, "wrong")],
    ids=["its own", "empty", "doubled", "not ASCII"],
)  # fmt: skip
def test_by_token_in_the_header(browser, header, code):
    """Scripts send it so, whatever the body is; it reaches the view whole."""
    sent = {"X-CSRF-Token": header(browser.token())}
    answer = browser.post("/echo", json={"a": 1}, headers=sent)
    assert verdict(answer) == code
    assert code is not PASS or answer.json["json"] == {"a": 1}


def test_a_json_body_holds_no_token(browser):
    """A form of another site may send text that reads as JSON."""
    token = browser.token()
    assert verdict(browser.post("/echo", json={"csrf_token": token})) == "missing"
    assert verdict(browser.post("/echo", data=f'{{"csrf_token": "{token}"}}',
                                content_type="text/plain")) == "missing"  # fmt: skip


def test_the_token_of_another_session(browser, other):
    """An attacker has a session, and a token, of their own."""
    browser.token()
    assert verdict(browser.post("/notes", data={"csrf_token": other.token()})) == "wrong"


def test_a_token_without_its_session(browser, other):
    """A cookie that is no session holds no token."""
    other.set_cookie("theme", "dark")
    assert verdict(other.post("/notes", data={"csrf_token": browser.token()})) == "session"


def test_a_token_of_a_session_that_ended(browser):
    """Signing out makes the tokens of before void."""
    old = browser.token()
    browser.get("/leave")
    browser.token()
    assert verdict(browser.post("/notes", data={"csrf_token": old})) == "wrong"


def test_a_token_of_before_the_session_got_a_new_id(app, browser):
    """Sessions that live on a server have an id, new on sign-in: older tokens are void."""
    app.ids = ["one"]

    class Session(SecureCookieSession):
        @property
        def sid(self):
            return app.ids[-1]

    class Interface(CookieSessions):
        session_class = Session

    app.session_interface = Interface()
    old = browser.token()
    assert verdict(browser.post("/notes", data={"csrf_token": old})) is PASS
    app.ids.append("two")
    assert verdict(browser.post("/notes", data={"csrf_token": old})) == "wrong"
    assert verdict(browser.post("/notes", data={"csrf_token": browser.token()})) is PASS


def test_keys_rotate(app, browser):
    """Tokens of the key before are taken as long as it is a fallback."""
    old = browser.token()
    app.config.update(SECRET_KEY="n" * 40, SECRET_KEY_FALLBACKS=[app.secret_key])
    assert verdict(browser.post("/notes", data={"csrf_token": old})) is PASS
    app.config.update(SECRET_KEY_FALLBACKS=["another" * 6])
    assert verdict(browser.post("/notes", data={"csrf_token": old})) == "session"


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_safe_methods_are_not_judged(browser, method):
    """A link from another site works."""
    browser.set_cookie("theme", "dark")
    assert browser.open("/notes", method=method, headers={SITE: "cross-site"}).status_code == 200


def test_a_method_override_changes_nothing(browser):
    """There is none: a POST is a POST, whatever its fields say."""
    browser.set_cookie("theme", "dark")
    data = {"_method": "GET", "_csrf": "x"}
    assert verdict(browser.post("/notes?_method=GET", data=data)) == "missing"


SIGN_IN = [
    ({SITE: "same-origin"}, PASS),
    ({SITE: "cross-site"}, "cross_site"),
    ({ORIGIN: OURS}, PASS),
    ({ORIGIN: "https://evil.example"}, "origin"),
    (MOZILLA, "missing"),
    ({"Accept": "text/html,*/*;q=0.8"}, "missing"),
    ({"User-Agent": "curl/8"}, PASS),
]


@pytest.mark.parametrize(("headers", "code"), SIGN_IN, ids=lambda value: str(value)[:60])
def test_sign_in_without_any_cookie(browser, headers, code):
    """A forged sign-in makes the visitor somebody else: a browser needs proof here too."""
    assert verdict(browser.post("/sign-in", headers=headers)) == code


def test_an_old_browser_signs_in_with_the_token(browser):
    """The page of the form begins a session to hold it."""
    data = {"csrf_token": browser.token("/sign-in")}
    assert browser.post("/sign-in", data=data, headers=MOZILLA).text == "signed in"


def test_an_endpoint_may_be_listed_instead(app, browser):
    """Extensions have sign-in views that nobody can decorate."""
    app.batteries["csrf"].always.add("echo")
    assert verdict(browser.post("/echo", headers=MOZILLA)) == "missing"


def test_an_exempt_view_takes_all(browser):
    browser.set_cookie("theme", "dark")
    assert browser.post("/hook", headers={SITE: "cross-site"}).text == "taken"
