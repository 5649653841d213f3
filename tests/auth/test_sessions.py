"""`flask.session` in the database: what is kept, for how long, and who gets at it."""

import base64
import threading
from datetime import timedelta
from http.cookies import SimpleCookie

import pytest
from auth_kit import SECRET, adder, rows, visit

from carboy.auth import store
from carboy.auth.session import hashed, merged
from carboy.testing.budget import queries
from carboy.testing.clocks import frozen


def cookie_of(answer, name="session"):
    """Return the Morsel of a cookie that *answer* sets, or None."""
    for line in answer.headers.getlist("Set-Cookie"):
        parsed = SimpleCookie(line)
        if name in parsed:
            return parsed[name]
    return None


def sending(app, cookies, **more):
    """Return the first page for a request with that Cookie header, exactly."""
    return app.test_client(use_cookies=False).get("/", headers={"Cookie": cookies}, **more)


def test_a_visitor_without_a_cookie_costs_nothing(shop, browser):
    """No query, no row, no cookie; not even when the page asks who asks."""
    client = browser()
    client.get("/plain")
    with queries(exactly=0):
        assert client.get("/plain").headers.get("Vary") is None
        answer = client.get("/")
    assert answer.json == {"name": None, "roles": []}
    assert answer.headers["Vary"] == "Cookie"
    assert "Cache-Control" not in answer.headers
    assert "Set-Cookie" not in answer.headers
    assert rows(shop) == []


def test_a_signed_in_page_costs_one_query(ada, browser):
    """Session and user come together; `me` and the scope need no more."""
    client = browser("ada")
    client.get("/")
    with queries(exactly=1):
        assert client.get("/").json == {"name": "Ada", "roles": []}


def test_a_signed_in_page_that_asks_nothing_costs_nothing(ada, browser):
    """The cookie alone opens nothing."""
    client = browser("ada")
    with queries(exactly=0):
        answer = client.get("/plain")
    assert "Vary" not in answer.headers
    assert "Set-Cookie" not in answer.headers


def test_the_query_goes_by_primary_keys(shop, ada):
    """It stays as quick with a million sessions as with one."""
    import sqlalchemy as sa

    from carboy.base.scope import unscoped
    from carboy.data.db import db

    with shop.app_context(), unscoped("plan"), db.engine.connect() as connection:
        text = str(store._FIND.compile(db.engine)).replace("?", "'x'")
        plan = connection.execute(sa.text(f"EXPLAIN QUERY PLAN {text}")).all()
    lines = [row[-1] for row in plan]
    assert all(line.startswith("SEARCH") for line in lines), lines


def test_what_is_put_in_comes_out(shop, browser):
    """Flask's session, with all that its cookie could hold, and more than a cookie could."""
    from carboy import session

    values = {"cart": [1, 2], "pair": (1, 2), "raw": b"\0\xff", "long": "x" * 100_000}

    @shop.get("/fill")
    def fill():
        session.update(values)
        return {}

    @shop.get("/same")
    def same():
        return {"same": dict(session) == values, "new": session.new}

    client = browser()
    client.get("/fill")
    assert client.get("/same").json == {"same": True, "new": False}


def test_a_change_deep_inside_is_kept(shop, browser):
    """Nobody has to remember `session.modified = True`."""
    from carboy import session

    @shop.get("/more")
    def more():
        session.setdefault("cart", {"books": []})["books"].append(7)
        return {}

    client = browser()
    client.get("/more")
    client.get("/more")
    assert client.get("/kept").json == {"cart": {"books": [7, 7]}}


def test_reading_writes_nothing(browser):
    """Only what changed is written."""
    client = browser()
    client.post("/keep", json={"a": 1})
    with queries(exactly=1):
        assert client.get("/kept").json == {"a": 1}


def test_an_emptied_session_leaves_neither_row_nor_cookie(shop, browser):
    """There is nothing to remember any more."""
    from carboy import session

    @shop.get("/clear")
    def clear():
        session.clear()
        return {}

    client = browser()
    client.post("/keep", json={"a": 1})
    answer = client.get("/clear")
    assert rows(shop) == []
    assert cookie_of(answer).value == ""


def test_what_the_view_did_not_commit_is_not_committed_with_the_session(shop, browser):
    """The session has a transaction of its own; on SQLite the view's would hold the lock."""
    from carboy import session
    from carboy.auth.models import User
    from carboy.base.scope import unscoped
    from carboy.data.db import db

    @shop.get("/half")
    def half():
        with unscoped("half"):
            db.session.add(User(email="half@example.org", name="Half"))
            db.session.flush()
            session["half"] = True
        return {}

    @shop.get("/half2")
    def half2():
        db.session.get(User, 1)
        session["two"] = True
        return {}

    client = browser()
    assert client.get("/half").status_code == 200
    assert client.get("/half2").status_code == 200
    assert client.get("/kept").json == {"half": True, "two": True}
    assert rows(shop, "users") == []


def test_the_cookie_is_kept_as_a_hash(shop, ada, browser):
    """Whoever reads the table gets no session from it."""
    client = browser("ada")
    token = client.get_cookie("session").value
    assert len(base64.urlsafe_b64decode(token + "=")) == 32
    (row,) = rows(shop)
    assert row["id"] == hashed(token)
    assert token not in str(row)


# Cookies


def test_over_https_the_cookie_is_locked_to_the_host(shop, ada):
    """__Host-, Secure, HttpOnly, Lax, the whole path, no domain, and no lifetime unless asked."""
    client = shop.test_client()
    sent = {"email": "ada@example.org", "password": "a crate of green glass"}
    answer = client.post("/sign-in", data=sent, base_url="https://localhost")
    cookie = cookie_of(answer, "__Host-session")
    assert cookie["secure"] is True
    assert cookie["httponly"] is True
    assert (cookie["samesite"], cookie["path"], cookie["domain"]) == ("Lax", "/", "")
    assert cookie["max-age"] == ""
    assert cookie_of(answer) is None
    assert client.get("/", base_url="https://localhost").json["name"] == "Ada"


def test_on_this_machine_plain_http_will_do(shop, ada, browser):
    """Developers have no certificate; the cookie is HttpOnly and Lax all the same."""
    sent = {"email": "ada@example.org", "password": "a crate of green glass", "stay": "1"}
    cookie = cookie_of(browser().post("/sign-in", data=sent))
    assert cookie["secure"] == ""
    assert cookie["httponly"] is True
    assert cookie["samesite"] == "Lax"
    assert cookie["max-age"] == str(14 * 24 * 3600)


def test_over_plain_http_elsewhere_nobody_signs_in(make_app):
    """Others on the way could take the session, so there is none."""
    app = make_app(ALLOWED_HOSTS=["shop.example"])
    adder(app)("ada")
    client = app.test_client()
    sent = {"email": "ada@example.org", "password": "a crate of green glass"}
    answer = client.post("/sign-in", json=sent, base_url="http://shop.example")
    assert answer.status_code == 400
    assert answer.json["code"] == "accounts.plain_http"
    client.post("/keep", json={"a": 1}, base_url="http://shop.example")
    assert rows(app) == []


def test_no_option_of_flask_makes_the_cookie_weaker(make_app):
    """There is no switch to drop HttpOnly."""
    app = make_app(
        SESSION_COOKIE_HTTPONLY=False, SESSION_COOKIE_SECURE=False, SESSION_COOKIE_SAMESITE="None",
        SESSION_COOKIE_DOMAIN="localhost", SESSION_COOKIE_PATH="/x", SESSION_COOKIE_NAME="mine",
    )  # fmt: skip
    answer = app.test_client().post("/keep", json={"a": 1}, base_url="https://localhost")
    cookie = cookie_of(answer, "__Host-mine")
    assert cookie["secure"] is True
    assert cookie["httponly"] is True
    assert (cookie["samesite"], cookie["path"], cookie["domain"]) == ("Lax", "/", "")


def test_an_answer_out_of_a_session_is_kept_by_no_cache(shop, ada, browser):
    """Loaded or sent, it is one person's; a view that says so itself is left alone."""
    from carboy import make_response, session

    @shop.get("/public")
    def public():
        answer = make_response({"a": session.get("a")})
        answer.headers["Cache-Control"] = "public, max-age=60"
        return answer

    @shop.get("/own")
    def own():
        answer = make_response({"a": session.get("a")})
        answer.headers["Cache-Control"] = "private, max-age=60"
        return answer

    client = browser("ada")
    for path, said in [("/", "private, no-store"), ("/public", "private, no-store"),
                       ("/own", "private, max-age=60")]:  # fmt: skip
        answer = client.get(path)
        assert answer.headers["Cache-Control"] == said
        assert "Cookie" in answer.headers["Vary"]


# Attacks


def test_a_session_id_cannot_be_chosen(shop, ada, browser):
    """Fixation: an id that we did not make is never taken on."""
    planted = "A" * 43
    client = browser()
    client.set_cookie("session", planted)
    client.post("/keep", json={"a": 1})
    assert client.get_cookie("session").value != planted
    assert hashed(planted) not in {row["id"] for row in rows(shop)}


def test_signing_in_changes_the_id_and_kills_the_old_one(shop, ada, browser):
    """Fixation: who planted a visitor's session has nothing once somebody signs in with it."""
    thief, victim = browser(), browser()
    thief.post("/keep", json={"cart": 1})
    planted = thief.get_cookie("session").value
    victim.set_cookie("session", planted)
    sent = {"email": "ada@example.org", "password": "a crate of green glass"}
    victim.post("/sign-in", data=sent)

    assert victim.get("/").json["name"] == "Ada"
    assert victim.get("/kept").json["cart"] == 1  # the cart came along
    assert thief.get("/").json["name"] is None
    assert thief.get("/kept").json == {}
    assert len(rows(shop)) == 1


def test_signing_out_ends_the_session_for_every_copy_of_the_cookie(shop, ada, browser):
    """It is the row that counts."""
    client, copy = browser("ada"), browser()
    copy.set_cookie("session", client.get_cookie("session").value)
    assert copy.get("/").json["name"] == "Ada"
    client.post("/sign-out")
    assert copy.get("/").json["name"] is None
    assert rows(shop) == []


def test_what_is_put_in_after_signing_out_is_a_visitors(shop, ada, browser):
    """A message after signing out goes into a new session, which is nobody's."""
    from carboy import flash, session
    from carboy.auth.acts import sign_out

    @shop.post("/leave")
    def leave():
        session["secret"] = 1
        sign_out()
        flash("Come again")
        return {"left": dict(session)}

    client = browser("ada")
    token = client.get_cookie("session").value
    client.post("/leave")
    (row,) = rows(shop)
    assert row["user_id"] is None
    assert row["id"] != hashed(token)
    assert "secret" not in row["data"]
    assert client.get("/").json["name"] is None


def test_another_role_means_another_id(shop, ada, browser):
    """What was stolen before somebody became staff is worth nothing afterwards."""
    from carboy.auth import directory

    client, thief = browser("ada"), browser()
    thief.set_cookie("session", client.get_cookie("session").value)
    with shop.app_context():
        directory.keep_roles(ada, ["staff"])

    assert client.get("/").json == {"name": "Ada", "roles": ["staff"]}
    assert thief.get("/").json["name"] is None
    with queries(exactly=1):  # once
        assert client.get("/").json["roles"] == ["staff"]


def test_a_session_is_ended_at_once(shop, ada, browser):
    """Revoked means: not for the next request, nor saved by one that still runs."""
    from carboy import session
    from carboy.auth.acts import end_sessions

    @shop.get("/revoke-me")
    def revoke_me():
        _ = session["a"]
        end_sessions(ada)
        session["a"] = 2
        return {}

    client, other = browser("ada"), browser("ada")
    client.post("/keep", json={"a": 1})
    client.get("/revoke-me")
    assert client.get("/").json["name"] is None
    assert other.get("/").json["name"] is None
    assert rows(shop) == []


def test_somebody_who_is_no_longer_active_is_out_at_once(shop, ada, browser):
    """The same query that finds the session finds that."""
    import sqlalchemy as sa

    from carboy.auth.models import User
    from carboy.auth.store import writing

    client = browser("ada")
    with shop.app_context(), writing() as connection:
        connection.execute(sa.update(User.__table__).values(active=False))
    assert client.get("/").json["name"] is None
    assert client.post("/sign-in", data={"email": "ada@example.org"}).status_code == 422


@pytest.mark.parametrize(
    ("step", "times", "name"),
    [
        pytest.param(timedelta(hours=11), 3, "Ada", id="used-every-11-hours"),
        pytest.param(timedelta(hours=12, seconds=1), 1, None, id="idle-too-long"),
        pytest.param(timedelta(hours=11, minutes=59), 29, None, id="too-old-however-busy"),
    ],
)
def test_a_session_expires(shop, ada, browser, step, times, name):
    """Idle for 12 hours, or 14 days after signing in."""
    with frozen() as clock:
        client = browser("ada")
        for _ in range(times):
            clock.advance(step)
            answer = client.get("/")
        assert answer.json["name"] == name


def test_seen_is_written_now_and_then(ada, browser):
    """Not with every request: a read is cheaper than a write."""
    with frozen() as clock:
        client = browser("ada")
        clock.advance(60)
        with queries(exactly=1):
            client.get("/")
        clock.advance(300)
        with queries(exactly=2):
            client.get("/")
        with queries(exactly=1):
            client.get("/")


def test_expired_rows_go_with_the_next_new_one(shop, ada, browser):
    """One DELETE an hour, over an index."""
    with frozen() as clock:
        browser("ada")
        browser("ada")
        clock.advance(timedelta(days=15))
        browser("ada")
    assert len(rows(shop)) == 1


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="empty"),
        pytest.param("x", id="short"),
        pytest.param("x" * 10_000, id="overlong"),
        pytest.param("A" * 42 + "=", id="padded"),
        pytest.param("A" * 21 + "%00" + "A" * 19, id="nul-encoded"),
        pytest.param("A" * 42 + "\u00e9", id="latin-1"),
        pytest.param("' OR 1=1 --" + "A" * 32, id="sql"),
        pytest.param("../../etc/passwd", id="path"),
        pytest.param("A" * 43, id="well-formed-and-unknown"),
        pytest.param('"' + "A" * 43 + '"', id="quoted"),
        pytest.param(hashed("A" * 43)[:43], id="a-hash"),
    ],
)
def test_a_cookie_that_is_none_of_ours_is_no_session(shop, ada, browser, value):
    """Nobody is signed in by it, nothing is written, nothing fails."""
    browser("ada")
    answer = sending(shop, f"session={value}")
    assert answer.status_code in (200, 400)
    assert answer.status_code == 400 or answer.json["name"] is None
    assert len(rows(shop)) == 1


def test_a_nul_in_the_cookie_is_no_session(shop):
    """Where the gate is off, too: the value is looked at before the database is."""
    from carboy.auth.sessions import _token

    assert _token({"HTTP_COOKIE": "session=A\0B"}, "session") == "A\0B"
    from carboy.auth.session import ServerSession

    assert ServerSession(shop, "A\0" + "B" * 41, {}).token == ""
    assert ServerSession(shop, "A" * 43 + "\n", {}).token == ""


def test_of_two_session_cookies_none_is_believed(shop, ada, browser):
    """One of them was put there by somebody else; which, cannot be told."""
    client = browser("ada")
    token = client.get_cookie("session").value
    for header in (f"session={token}; session={'B' * 43}", f"session={'B' * 43}; session={token}"):
        assert sending(shop, header).json["name"] is None
    assert sending(shop, f"a=session; session={token}").json["name"] == "Ada"


def test_the_cookie_of_plain_http_counts_nothing_over_https(shop, ada, browser):
    """What a neighbour could set without TLS is not believed with it."""
    client = browser("ada")
    token = client.get_cookie("session").value
    both = f"session={token}"
    assert sending(shop, both).json["name"] == "Ada"
    assert sending(shop, both, base_url="https://localhost").json["name"] is None
    host = f"__Host-session={token}"
    assert sending(shop, host, base_url="https://localhost").json["name"] == "Ada"


def test_a_session_of_flask_is_not_read(shop, browser):
    """A cookie that was signed with the same key is none of ours."""
    from flask.sessions import SecureCookieSessionInterface

    signed = SecureCookieSessionInterface().get_signing_serializer(shop).dumps({"_user_id": 1})
    assert shop.secret_key == SECRET
    client = browser()
    client.set_cookie("session", signed)
    assert client.get("/kept").json == {}


# Two at once


def test_two_requests_of_one_session_keep_each_others_keys(shop, browser):
    """Key by key: what each changed is there; what one removed is gone."""
    client = browser()
    client.post("/keep", json={"old": 1, "same": 0})
    token = client.get_cookie("session").value

    def send(values):
        one = shop.test_client()
        one.set_cookie("session", token)
        one.post("/slowly", json=values)

    threads = [
        threading.Thread(target=send, args=({"a": 1, "same": 1},)),
        threading.Thread(target=send, args=({"b": 2, "same": 1},)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.get("/kept").json == {"a": 1, "b": 2, "same": 1}


@pytest.mark.parametrize(
    ("theirs", "before", "mine", "after"),
    [
        pytest.param({"a": 1}, {"a": 1}, {"a": 1, "b": 2}, {"a": 1, "b": 2}, id="added"),
        pytest.param({"a": 9}, {"a": 1}, {"a": 1}, {"a": 9}, id="changed-by-them"),
        pytest.param({"a": 9}, {"a": 1}, {"a": 2}, {"a": 2}, id="changed-by-both"),
        pytest.param({"a": 9, "b": 1}, {"a": 1}, {}, {"b": 1}, id="removed-by-me"),
        pytest.param({}, {"a": 1}, {"a": 1}, {}, id="removed-by-them"),
        pytest.param({}, {"a": [1]}, {"a": [1, 2]}, {"a": [1, 2]}, id="changed-inside"),
    ],
)
def test_merging(theirs, before, mine, after):
    """What I changed wins; what I did not touch is theirs."""
    assert merged(theirs, before, mine) == after


def test_two_sign_ins_at_once_with_one_cookie_both_hold(shop, ada, add):
    """Each gets an id of its own; the visitor's is gone."""
    from carboy.auth.acts import sign_in

    inside = threading.Barrier(2, timeout=10)

    @shop.post("/enter/<int:user>")
    def enter(user):
        sign_in(user)
        inside.wait()
        return {}

    bob = add("bob")
    first = shop.test_client()
    first.post("/keep", json={"cart": 1})
    token = first.get_cookie("session").value
    clients = [shop.test_client(), shop.test_client()]

    def send(client, user):
        client.set_cookie("session", token)
        client.post(f"/enter/{user}")

    threads = [
        threading.Thread(target=send, args=pair) for pair in zip(clients, (ada, bob), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [client.get("/").json["name"] for client in clients] == ["Ada", "Bob"]
    assert first.get("/kept").json == {}
    assert len(rows(shop)) == 2
    assert len({client.get_cookie("session").value for client in clients}) == 2


# Flask's ways


def test_session_transaction_of_flasks_client_works(browser):
    """Tests that put something into the session before a request go on as they did."""
    client = browser()
    with client.session_transaction() as session:
        session["cart"] = [1]
    assert client.get("/kept").json == {"cart": [1]}
    with client.session_transaction() as session:
        assert session["cart"] == [1]
        session["cart"].append(2)
    assert client.get("/kept").json == {"cart": [1, 2]}


def test_flash_works(shop, browser):
    """A message waits for the next page, and is shown once."""
    from carboy import flash, get_flashed_messages

    @shop.post("/say")
    def say():
        flash("Saved")
        return {}

    @shop.get("/said")
    def said():
        return get_flashed_messages()

    client = browser()
    client.post("/say")
    assert client.get("/said").json == ["Saved"]
    assert client.get("/said").json == []
    assert rows(shop) == []


def test_what_is_too_large_for_a_session_is_refused(shop, browser):
    """Every page would read it."""
    client = browser()
    answer = client.post("/keep", json={"a": "x" * 300_000})
    assert answer.status_code == 500
    assert rows(shop) == []


def test_without_people_the_session_is_flasks(people, monkeypatch):
    """Nothing of accounts is there before `User` is imported; then all of it is."""
    from flask.sessions import SecureCookieSession

    from carboy import Carboy, session
    from carboy.auth.battery import Accounts

    monkeypatch.setattr(people, "imported", False)
    monkeypatch.setattr(people, "_waiting", [])
    app = Carboy("bare", batteries=("compatible", "policy", Accounts()))
    app.secret_key = SECRET
    with app.test_request_context():
        assert isinstance(session._get_current_object(), SecureCookieSession)
    assert "accounts.sign_in_form" not in app.view_functions
    assert app.who_asks is None

    people.arrived()
    assert "accounts.sign_in_form" in app.view_functions
    assert app.who_asks is not None


def test_people_who_come_too_late_are_told_of(people, monkeypatch, caplog):
    """After the first request nothing can be added; the import itself does not fail."""
    from carboy import Carboy
    from carboy.auth.battery import Accounts

    monkeypatch.setattr(people, "imported", False)
    monkeypatch.setattr(people, "_waiting", [])
    app = Carboy("late", batteries=("policy", Accounts()))
    app.test_client().get("/")
    people.arrived()
    assert "accounts.late" in caplog.text
    assert "accounts.sign_in_form" not in app.view_functions


def test_an_application_with_its_own_sessions_keeps_them(shop):
    """Then sign_in() says why it cannot."""
    from flask.sessions import SecureCookieSessionInterface

    from carboy.auth.acts import sign_in
    from carboy.base.errors import CarboyError

    shop.session_interface = SecureCookieSessionInterface()
    with shop.test_request_context(), pytest.raises(CarboyError, match="session_interface"):
        sign_in(1)


EVERYWHERE = [
    pytest.param(name, marks=[pytest.mark.server, pytest.mark.slow]) for name in ("pg", "mariadb")
]


@pytest.mark.parametrize("kind", EVERYWHERE)
def test_the_same_on_servers(request, make_app, kind):
    """Kept, merged, moved, ended and purged, on PostgreSQL and MariaDB."""
    app = make_app(request.getfixturevalue(kind))
    add = adder(app)
    ada = add("ada")
    with frozen() as clock:
        client = visit(app, "ada")
        assert client.get("/").json == {"name": "Ada", "roles": []}
        with queries(exactly=1):
            client.get("/")
        client.post("/keep", json={"a": 1})
        client.post("/keep", json={"b": "é\u2028😀"})
        kept = client.get("/kept").json
        assert (kept["a"], kept["b"]) == (1, "é\u2028😀")
        test_two_requests_of_one_session_keep_each_others_keys(app, lambda: app.test_client())
        clock.advance(600)
        assert client.get("/").json["name"] == "Ada"
        old = client.get_cookie("session").value
        assert client.post("/account", data={"act": "end_others"}).status_code == 303
        test_another_role_means_another_id(app, ada, lambda name=None: visit(app, name))
        client.post("/sign-out")
        client.set_cookie("session", old)
        assert client.get("/").json["name"] is None
        clock.advance(timedelta(days=20))
        client.delete_cookie("session")
        visit(app, "ada")
        assert len(rows(app)) == 1
    with app.app_context():
        app.extensions["carboy.data"].close()
