"""Signing up, in and out, and the account: the answers, and what they do not tell."""

import logging
import re

import pytest
from auth_kit import SECRET, WORDS, adder, rows, visit

from carboy.auth.acts import current_user
from carboy.auth.passwords import Passwords
from carboy.auth.throttle import BOUNDS, PAIR
from carboy.testing.clocks import frozen

ADA = "ada@example.org"
NEW = {"name": "Ines", "email": "ines@example.org", "password": "korrekt hest batteri"}


@pytest.fixture
def hashes(monkeypatch):
    """What argon2 did: "hash" and "verify", in order."""
    done = []
    for name, verb in (("hash", "hash"), ("_right", "verify")):
        real = getattr(Passwords, name)
        monkeypatch.setattr(
            Passwords, name,
            lambda self, *a, real=real, verb=verb: done.append(verb) or real(self, *a),
        )  # fmt: skip
    return done


def shown(answer):
    """Return the page without what is new each time, to compare two."""
    return re.sub(r'value="[^"]*"', "", answer.text)


# Signing in


def test_signing_in_with_a_form(shop, ada, browser):
    """See other; then the page knows who asks."""
    client = browser()
    answer = client.post("/sign-in", data={"email": ADA, "password": WORDS})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert client.get("/").json["name"] == "Ada"


@pytest.mark.parametrize("email", [" Ada@Example.ORG ", "ADA@EXAMPLE.ORG"])
def test_an_address_is_the_same_in_any_case(ada, browser, email):
    """As people type it."""
    assert browser().post("/sign-in", data={"email": email, "password": WORDS}).status_code == 303


def test_signing_in_with_json(ada, browser):
    """204; a problem document when it fails."""
    client = browser()
    answer = client.post("/sign-in", json={"email": ADA, "password": WORDS, "stay": True})
    assert (answer.status_code, answer.data) == (204, b"")
    assert client.get("/").json["name"] == "Ada"
    wrong = browser().post("/sign-in", json={"email": ADA, "password": "wrong"})
    assert wrong.status_code == 401
    assert wrong.content_type == "application/problem+json"
    assert wrong.json["code"] == "accounts.wrong"


@pytest.mark.parametrize(
    ("sent", "names"),
    [
        pytest.param({}, {"email", "password"}, id="nothing"),
        pytest.param({"email": ADA, "password": 7}, {"password"}, id="a-number"),
        pytest.param({"email": None, "password": "x"}, {"email"}, id="null"),
        pytest.param({"email": [ADA], "password": {"$ne": ""}}, {"email", "password"}, id="nested"),
        pytest.param({"email": ADA, "password": "x", "admin": True}, {"admin"}, id="unknown"),
        pytest.param(
            {"email": ADA, "password": "x", "stay": "yes", "next": 1}, {"next", "stay"}, id="next"
        ),
        pytest.param({"email": ADA, "password": "x" * 2_000}, {"password"}, id="overlong"),
    ],
)
def test_json_that_does_not_fit_is_answered_by_field(ada, browser, sent, names):
    """422, with each field that is wrong."""
    answer = browser().post("/sign-in", json=sent)
    assert answer.status_code == 422, answer.text
    assert {error["loc"][-1] for error in answer.json["errors"]} == names


@pytest.mark.parametrize("path", ["/sign-in", "/sign-up", "/sign-in/link"])
def test_half_a_character_is_refused_at_the_gate(browser, path):
    """400: no text has one."""
    assert browser().post(path, json={"email": "\ud800", "token": "\ud800"}).status_code == 400


@pytest.mark.parametrize("sent", [[], "x", 7, None])
def test_json_must_be_an_object(browser, sent):
    """Whatever else it is."""
    assert browser().post("/sign-in", json=sent).status_code in (400, 422)


@pytest.mark.parametrize(
    "email",
    ["", "x", "a" * 5_000, "ada@", "\0", "ada\0@example.org", "' OR 1=1 --", "%", "😀"],
)
def test_what_is_no_address_fails_like_any_other(ada, browser, email):
    """The same 401, never an error of ours."""
    answer = browser().post("/sign-in", json={"email": email, "password": WORDS})
    assert (answer.status_code, answer.json["code"]) == (401, "accounts.wrong")


def test_a_failed_sign_in_tells_nothing(shop, ada, add, browser, hashes):
    """Unknown, wrong, inactive: one page, one status, one run of argon2, one query."""
    import sqlalchemy as sa

    from carboy.auth.models import User
    from carboy.auth.store import writing
    from carboy.testing.budget import queries

    out = add("out")
    with shop.app_context(), writing() as connection:
        table = User.__table__
        connection.execute(sa.update(table).where(table.c.id == out).values(active=False))
    pages, work = set(), set()
    for email, password in [(ADA, "wrong wrong"), ("nobody@example.org", WORDS),
                            ("out@example.org", WORDS), ("no address", WORDS)]:  # fmt: skip
        hashes.clear()
        with queries() as sent:
            answer = browser().post("/sign-in", data={"email": email, "password": password})
        assert answer.status_code == 422
        assert "do not belong together" in answer.text
        pages.add(shown(answer))
        work.add((tuple(hashes), len(sent)))
    assert len(pages) == 1
    assert work == {(("verify",), 1)}


def test_what_was_typed_comes_back_but_for_the_password(browser):
    """Nobody has to type the address again; a password is never sent back."""
    page = browser().post("/sign-in", data={"email": '"><b>@x.y', "password": "hidden words"}).text
    assert "&#34;&gt;&lt;b&gt;@x.y" in page
    assert "hidden words" not in page


def test_the_hash_is_made_again_when_the_parameters_changed(make_app):
    """With the next sign-in, and nobody notices."""
    from werkzeug.security import generate_password_hash

    from carboy.auth import directory

    app = make_app()
    with app.app_context():
        directory.add(ADA, "Ada", generate_password_hash(WORDS, "scrypt:1024:8:1"))
    visit(app, "ada")
    (row,) = rows(app, "users")
    assert row["password_hash"].startswith("$argon2id$v=19$m=8,")
    visit(app, "ada")


def test_the_page_for_signing_in_has_what_password_managers_need(browser):
    """Labels, autocomplete, and nothing that a strict CSP would refuse."""
    page = browser().get("/sign-in").text
    assert 'autocomplete="username"' in page
    assert 'autocomplete="current-password"' in page
    assert page.count("<label") == 3
    assert "style=" not in page
    assert "<script" not in page
    assert 'href="/sign-up"' in page


def test_another_person_in_the_same_browser_starts_with_nothing(shop, ada, add, browser):
    """What Ada had in her session, Bob does not see."""
    add("bob")
    client = browser("ada")
    client.post("/keep", json={"secret": 1})
    client.post("/sign-in", data={"email": "bob@example.org", "password": WORDS})
    assert client.get("/").json["name"] == "Bob"
    assert "secret" not in client.get("/kept").json


# Throttle


def test_guessing_is_stopped_and_says_for_how_long(ada, browser):
    """429 with Retry-After, for the right password too; known or not makes no difference."""
    tries = BOUNDS[PAIR][0]
    for email in (ADA, "nobody@example.org"):
        answers = [
            browser().post("/sign-in", json={"email": email, "password": "wrong"}).status_code
            for _ in range(tries + 1)
        ]
        assert answers == [401] * tries + [429]
        answer = browser().post("/sign-in", json={"email": email, "password": WORDS})
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["Retry-After"]) <= 900
    page = browser().post("/sign-in", data={"email": ADA, "password": WORDS})
    assert page.status_code == 429
    assert "too many tries" in page.text
    assert page.headers["Retry-After"]


def test_nobody_can_be_locked_out_by_a_stranger(shop, ada, browser):
    """Somebody else's guesses count for their address; a device that was here has its own."""
    mine = browser("ada")
    mine.post("/sign-out")
    for number in range(120):  # more than the account may have from everywhere
        environ = {"REMOTE_ADDR": f"203.0.113.{number}"}
        browser().post(
            "/sign-in", json={"email": ADA, "password": "wrong"}, environ_overrides=environ
        )
    sent = {"email": ADA, "password": WORDS}
    stranger = browser().post("/sign-in", json=sent, environ_overrides={"REMOTE_ADDR": "192.0.2.1"})
    assert stranger.status_code == 429
    assert mine.post("/sign-in", json=sent).status_code == 204


def test_a_device_is_known_to_one_account_only(shop, ada, add, browser):
    """The cookie of one helps with no other; a forged one helps with none."""
    from flask import request

    from carboy.auth.devices import device_of

    add("bob")
    client = browser("ada")
    value = client.get_cookie("carboy_device").value
    forged, bob = value[:-2] + "xx", "bob@example.org"
    for cookie, email, known in [(value, ADA, True), (value, bob, False),
                                 (forged, ADA, False), ("x" * 5_000, ADA, False)]:  # fmt: skip
        with shop.test_request_context(headers={"Cookie": f"carboy_device={cookie}"}):
            assert bool(device_of(shop, request, email)) is known


def test_an_ipv6_network_counts_as_one_address(ada, browser):
    """Whoever has 2^64 addresses gets no more tries than anybody else."""
    codes = [
        browser().post(
            "/sign-in", json={"email": ADA, "password": "wrong"},
            environ_overrides={"REMOTE_ADDR": f"2001:db8::{number:x}"},
        ).status_code
        for number in range(1, BOUNDS[PAIR][0] + 2)
    ]  # fmt: skip
    assert codes[-1] == 429


def test_a_right_password_forgives_the_wrong_ones(ada, browser):
    """Who mistyped it a few times starts anew."""
    for _ in range(3):
        for _ in range(BOUNDS[PAIR][0] - 1):
            browser().post("/sign-in", json={"email": ADA, "password": "wrong"})
        assert browser().post("/sign-in", json={"email": ADA, "password": WORDS}).status_code == 204


# Signing up


def test_signing_up_and_in(shop, browser):
    """An account has no roles, its password is hashed, and nobody is signed in by it."""
    client = browser()
    answer = client.post("/sign-up", data=NEW)
    assert answer.status_code == 303
    assert "no account for that address" in client.get(answer.headers["Location"]).text
    assert client.get("/").json["name"] is None
    (row,) = rows(shop, "users")
    assert (row["email"], row["name"], row["roles"]) == ("ines@example.org", "Ines", [])
    assert row["password_hash"].startswith("$argon2id$")
    answer = client.post("/sign-in", data={key: NEW[key] for key in ("email", "password")})
    assert answer.status_code == 303


def test_signing_up_with_a_known_address_gives_the_same_answer(shop, ada, browser, hashes):
    """The same text and the same work; the account that is there stays as it is."""
    before = rows(shop, "users")
    answers, work = set(), []
    for email in ("ADA@example.org", "new@example.org"):
        hashes.clear()
        answer = browser().post("/sign-up", data={**NEW, "email": email})
        answers.add((answer.status_code, answer.headers.get("Location"), answer.text))
        work.append(list(hashes))
    assert len(answers) == 1
    assert work == [["hash"], ["hash"]]
    assert rows(shop, "users")[0] == before[0]


def test_all_errors_come_at_once(browser):
    """Each beside its field, with what was typed; the title counts them."""
    answer = browser().post("/sign-up", data={"name": " ", "email": "ines", "password": "correct"})
    assert answer.status_code == 422
    assert "A name is needed." in answer.text
    assert "ada@example.org" in answer.text
    assert "7 characters; 1 more is needed." in answer.text
    assert answer.text.count('aria-invalid="true"') == 3
    assert "<title>3 errors: Make an account</title>" in answer.text
    assert 'value="ines"' in answer.text
    assert 'value="correct"' not in answer.text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("name", "x" * 81, id="long-name"),
        pytest.param("name", "a\u202eb", id="bidi"),
        pytest.param("name", "a\u200bb", id="zero-width"),
        pytest.param("name", "a\nb", id="line"),
        pytest.param("name", "a\0b", id="nul"),
        pytest.param("email", "x" * 250 + "@example.org", id="long-address"),
        pytest.param("email", "a\0@example.org", id="nul-in-address"),
        pytest.param("email", "a@b@c", id="two-ats"),
        pytest.param("email", "a\u202e@example.org", id="bidi-in-address"),
        pytest.param("password", "password2026", id="common"),
        pytest.param("password", "x" * 2_000, id="long-password"),
    ],
)
def test_what_cannot_be_kept_is_answered_by_field(shop, browser, field, value):
    """422, nothing written."""
    answer = browser().post("/sign-up", json={**NEW, field: value})
    assert answer.status_code == 422, answer.text
    assert {error["loc"][-1] for error in answer.json["errors"]} == {field}
    assert rows(shop, "users") == []


def test_roles_cannot_be_taken(shop, browser):
    """What a form or JSON has too much is refused."""
    for name, value in {"roles": "admin", "active": "1", "id": "7", "password_hash": "x"}.items():
        assert browser().post("/sign-up", data={**NEW, name: value}).status_code == 422
        assert browser().post("/sign-up", json={**NEW, name: [value]}).status_code == 422
    assert rows(shop, "users") == []


def test_a_name_in_any_script_will_do(shop, browser):
    """Persian needs a character that cannot be seen."""
    name = "\u0646\u06cc\u200c\u0645\u0627 \u00d8stergaard \u674e"
    browser().post("/sign-up", data={**NEW, "name": name})
    assert rows(shop, "users")[0]["name"] == name


def test_signing_up_can_be_closed(make_app):
    """Then people are made by those who may, and no page offers it."""
    app = make_app(SIGN_UP="closed")
    client = app.test_client()
    assert client.get("/sign-up").status_code == 403
    assert client.post("/sign-up", data=NEW).status_code == 403
    assert "/sign-up" not in client.get("/sign-in").text
    assert rows(app, "users") == []


def test_the_pages_can_be_left_out(people, make_app):
    """An application with its own pages calls sign_in()."""
    from auth_kit import batteries

    from carboy import Carboy

    class Own(Carboy):
        default_config = {**Carboy.default_config, "ACCOUNT_PAGES": False}

    app = Own("own", batteries=batteries())
    assert "accounts.sign_in_form" not in app.view_functions
    assert app.who_asks is not None


# The account


def test_the_account_is_for_those_who_are_signed_in(ada, browser):
    """Others sign in first, and come back."""
    answer = browser().get("/account")
    assert answer.headers["Location"] == "/sign-in?next=/account"
    assert browser().post("/account", data={"act": "name"}).status_code == 303
    assert browser().post("/account", json={}).status_code == 401
    page = browser("ada").get("/account").text
    assert ADA in page
    assert "This device" in page


def test_changing_the_name(shop, ada, browser):
    """Seen by everybody from then on."""
    client = browser("ada")
    answer = client.post("/account", data={"act": "name", "name": " Ada L. "})
    assert answer.headers["Location"] == "/account?done=name"
    assert "Your name is changed" in client.get(answer.headers["Location"]).text
    assert client.get("/").json["name"] == "Ada L."
    for name in ("", "x" * 81, "a\u202eb"):
        answer = client.post("/account", data={"act": "name", "name": name})
        assert answer.status_code == 422
        assert 'aria-invalid="true"' in answer.text


def test_changing_the_password_ends_every_other_session(shop, ada, browser):
    """This one goes on, under another id; the old password is good for nothing."""
    client, other = browser("ada"), browser("ada")
    before = client.get_cookie("session").value
    sent = {"act": "password", "current": WORDS, "password": "korrekt hest batteri"}
    assert client.post("/account", data=sent).status_code == 303
    assert client.get("/").json["name"] == "Ada"
    assert other.get("/").json["name"] is None
    assert client.get_cookie("session").value != before
    thief = browser()
    thief.set_cookie("session", before)
    assert thief.get("/").json["name"] is None
    assert browser().post("/sign-in", json={"email": ADA, "password": WORDS}).status_code == 401


@pytest.mark.parametrize(
    ("current", "password", "field"),
    [
        pytest.param("wrong", "korrekt hest batteri", "current", id="wrong"),
        pytest.param(WORDS, "short", "password", id="weak"),
        pytest.param(WORDS, "password2026", "password", id="common"),
        pytest.param("x" * 2_000, "korrekt hest batteri", "current", id="overlong"),
    ],
)
def test_a_password_that_cannot_be_changed_is_not(ada, browser, current, password, field):
    """422 beside the field, every session stays."""
    client, other = browser("ada"), browser("ada")
    answer = client.post(
        "/account", data={"act": "password", "current": current, "password": password}
    )
    assert answer.status_code == 422
    assert f'id="password-{field}-error"' in answer.text
    assert other.get("/").json["name"] == "Ada"


def test_guessing_the_password_of_an_open_browser_is_stopped(ada, browser):
    """The account page is no way around the throttle."""
    client = browser("ada")
    sent = {"act": "password", "current": "wrong", "password": "korrekt hest batteri"}
    codes = [client.post("/account", data=sent).status_code for _ in range(BOUNDS[PAIR][0] + 1)]
    assert codes[-1] == 429


def test_a_session_elsewhere_can_be_ended(shop, ada, add, browser):
    """One of mine; never somebody else's."""
    add("bob")
    client, other, bob = browser("ada"), browser("ada"), browser("bob")
    kept = {row["user_id"]: row["id"] for row in rows(shop)}
    assert client.post("/account", data={"act": "end", "session": kept[2]}).status_code == 303
    assert bob.get("/").json["name"] == "Bob"
    page = client.get("/account").text
    (key,) = re.findall(r'name="session" value="(\w+)"', page)
    client.post("/account", data={"act": "end", "session": key})
    assert other.get("/").json["name"] is None
    assert client.get("/").json["name"] == "Ada"


def test_every_other_session_can_be_ended(ada, browser):
    """All but this one."""
    client, others = browser("ada"), [browser("ada"), browser("ada")]
    client.post("/account", data={"act": "end_others"})
    assert [one.get("/").json["name"] for one in (client, *others)] == ["Ada", None, None]


@pytest.mark.parametrize("act", ["", "roles", "__class__", "delete"])
def test_no_other_act_is_known(ada, browser, act):
    """422."""
    assert browser("ada").post("/account", data={"act": act}).status_code == 422


# Links


def test_a_link_signs_in_once(shop, ada, browser):
    """Looking at it does not use it up; using it does."""
    from carboy.auth import directory

    with shop.app_context():
        token = directory.new_link(ada)
    assert token not in str(rows(shop, "user_links"))
    page = browser().get("/sign-in/link", query_string={"token": token})
    assert page.headers["Referrer-Policy"] == "no-referrer"
    client = browser()
    assert client.post("/sign-in/link", data={"token": token}).headers["Location"] == "/account"
    assert client.get("/").json["name"] == "Ada"
    again = browser().post("/sign-in/link", data={"token": token})
    assert again.status_code == 422
    assert "has been used" in again.text


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "é", "x" * 100_000])
def test_no_other_link_signs_in(ada, browser, token):
    """401 for a program, never an error of ours."""
    assert browser().post("/sign-in/link", json={"token": token}).status_code == 401


def test_a_link_ends_after_an_hour(shop, ada, browser):
    """And is removed with the next one."""
    from carboy.auth import directory

    with frozen() as clock:
        with shop.app_context():
            token = directory.new_link(ada)
        clock.advance(3_601)
        assert browser().post("/sign-in/link", json={"token": token}).status_code == 401
        with shop.app_context():
            directory.new_link(ada)
    assert len(rows(shop, "user_links")) == 1


# Who asks


def test_current_user_is_the_same_object_and_can_be_changed(shop, ada, browser):
    """It lives in db.session of who asks, under the policy."""
    from carboy.auth.models import User
    from carboy.data.db import db

    @shop.post("/rename")
    def rename():
        me = current_user()
        same = me is current_user() and me is db.session.get(User, me.id)
        me.name = "Countess"
        db.session.commit()
        return {"same": same, "name": current_user().name, "hash": me.password_hash}

    client = browser("ada")
    assert client.post("/rename").json == {"same": True, "name": "Countess", "hash": None}
    assert rows(shop, "users")[0]["name"] == "Countess"


def test_in_the_request_that_signs_in_the_user_is_known_at_once(shop, ada, browser):
    """Who asks is asked anew; so it is after signing out."""
    from carboy.auth.acts import sign_in, sign_out

    @shop.post("/both")
    def both():
        names = [current_user()]
        sign_in(ada)
        names.append(current_user().name)
        sign_out()
        names.append(current_user())
        return names

    assert browser().post("/both").json == [None, "Ada", None]


def test_templates_have_me(shop, ada, browser):
    """False for a visitor, the User for everybody else."""
    from carboy import render_template_string

    @shop.get("/hello")
    def hello():
        return render_template_string("{% if me %}{{ me.name }}{% else %}stranger{% endif %}")

    assert browser().get("/hello").text == "stranger"
    assert browser("ada").get("/hello").text == "Ada"


def test_as_user_needs_no_session(shop, ada):
    """The test kit says who asks; `me` is that person."""
    from carboy.testing.clients import Acting, who

    client = Acting(shop, shop.response_class).be(who(ada, {"staff"}, None))
    assert client.get("/").json == {"name": "Ada", "roles": ["staff"]}
    assert client.get("/account").status_code == 200
    nobody = Acting(shop, shop.response_class).be(who(99, (), None))
    assert nobody.get("/").json == {"name": None, "roles": []}
    assert rows(shop) == []


def test_outside_of_a_request_nobody_is_signed_in(shop, ada):
    """A job or a command says who asks."""
    assert current_user() is None
    with shop.app_context():
        assert current_user() is None
    with shop.scope(user=ada):
        assert current_user().name == "Ada"


@pytest.mark.parametrize("user", [None, 99])
def test_nobody_signs_in_who_is_not_there(shop, user):
    """403, and the session is as before."""
    from carboy.auth.acts import sign_in
    from carboy.base.errors import RequestFault

    with shop.test_request_context(), pytest.raises(RequestFault, match="cannot sign in"):
        sign_in(user)


# What is told


def test_events_are_logged_without_secrets(shop, ada, browser, caplog):
    """Who and from where; no password, no address, no token."""
    caplog.set_level(logging.INFO, "carboy.accounts")
    logging.getLogger("carboy.accounts").addHandler(caplog.handler)
    try:
        client = browser("ada")
        browser().post("/sign-in", data={"email": "typo@example.org", "password": "my secret"})
        sent = {"act": "password", "current": WORDS, "password": "korrekt hest batteri"}
        client.post("/account", data=sent)
        client.post("/sign-out")
    finally:
        logging.getLogger("carboy.accounts").removeHandler(caplog.handler)
    told = [record for record in caplog.records if record.name == "carboy.accounts"]
    names = list(dict.fromkeys(record.getMessage() for record in told))
    assert names == ["accounts.sign_in", "accounts.failed", "accounts.password_changed",
                     "accounts.sign_out"]  # fmt: skip
    everything = " ".join(str(vars(record)) for record in told)
    for secret in (WORDS, "my secret", "korrekt", "typo@", ADA, SECRET):
        assert secret not in everything
    assert told[0].user == ada
    assert told[0].remote == "127.0.0.1"


def test_events_are_counted(shop, ada, browser, monkeypatch):
    """One metric each."""
    counted = []
    monkeypatch.setattr(
        type(shop.batteries["metrics"]), "event", lambda self, name, about="": counted.append(name)
    )
    browser("ada").post("/sign-out")
    assert counted == ["accounts.sign_in", "accounts.sign_out"]


def test_cheap_hashes_are_found(make_app):
    """`carboy check` says so, but for tests."""
    app = make_app()
    assert "accounts.weak_hashes" in {finding.code for finding in app.findings()}
    app.testing = True
    assert "accounts.weak_hashes" not in {finding.code for finding in app.findings()}


def test_pages_of_the_application_win(make_app, tmp_path):
    """A template of the same name, and a layout.html, replace ours."""
    (tmp_path / "templates" / "auth").mkdir(parents=True)
    (tmp_path / "templates" / "layout.html").write_text("<own>{% block content %}{% endblock %}")
    app = make_app()
    adder(app)("ada")
    assert app.test_client().get("/sign-in").text.startswith("<own>")
    (tmp_path / "templates" / "auth" / "sign_up.html").write_text("mine")
    assert app.test_client().get("/sign-up").text == "mine"
