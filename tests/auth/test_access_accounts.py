"""Closed routes, the guard against forged requests and accounts, met in one visit."""

import re

import pytest
from auth_kit import SECRET, WORDS, adder, batteries, tables

from carboy import Carboy, public, require, role, signed_in

HTML = {"Accept": "text/html"}
MOZILLA = {**HTML, "User-Agent": "Mozilla/5.0 (Windows NT 6.1) Gecko/20100101"}
TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


@pytest.fixture
def shop(people, tmp_path):
    """A page for everybody, one for people, one for staff; Ada is none of the staff."""
    from carboy.auth.battery import Access
    from carboy.auth.models import User
    from carboy.base.scope import unscoped
    from carboy.data.db import db
    from carboy.web.csrf.battery import Csrf

    app = Carboy(
        "shop", batteries=(*batteries(), Csrf(), Access()),
        root_path=str(tmp_path), instance_path=str(tmp_path),
    )  # fmt: skip
    app.secret_key = SECRET
    address = f"sqlite:///{tmp_path}/shop.db"
    app.config.update(DATABASE_URL=address, LOG_LEVEL="error", PASSWORD_MEMORY="8 KiB")
    app.get("/", endpoint="home")(public(lambda: "home"))
    mine = signed_in(lambda: "mine")
    app.add_url_rule("/mine", "mine", mine, methods=["GET", "POST"])
    app.get("/staff", endpoint="staff")(require(role("staff"))(lambda: "staff"))
    with app.app_context(), unscoped("tables"):
        User.metadata.create_all(db.engine, tables=tables())
    adder(app)("ada")
    yield app
    for battery in app.batteries.values():
        battery.close()


def sign_in(client, **more):
    data = {"email": "ada@example.org", "password": WORDS, **more.pop("data", {})}
    return client.post("/sign-in", data=data, **more)


def test_to_sign_in_and_back(shop):
    """A visitor is led to the page, signs in, and is where they wanted to go."""
    client = shop.test_client()
    led = client.get("/mine", headers=HTML)
    assert (led.status_code, led.headers["Location"]) == (303, "/sign-in?next=/mine")
    assert client.get(led.headers["Location"], headers=HTML).status_code == 200
    back = sign_in(client, data={"next": "/mine"})
    assert (back.status_code, back.headers["Location"]) == (303, "/mine")
    assert client.get("/mine").text == "mine"
    assert client.get("/staff", headers=HTML).status_code == 403


def test_a_forged_sign_in_is_refused(shop):
    """Another site cannot sign a visitor in as somebody it knows."""
    client = shop.test_client()
    assert sign_in(client, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.get("/mine").status_code == 401


def test_a_forged_request_is_refused_before_anybody_asks_whose_it_is(shop):
    """The guard stands outside of the door: no session is read for it."""
    answer = shop.test_client().post("/mine", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.json["code"] == "web.csrf.cross_site"


def test_an_old_browser_needs_the_token_and_gets_it(shop):
    """One that says nothing of where requests come from; its token ends with the sign-in."""
    client = shop.test_client()
    del client.environ_base["HTTP_SEC_FETCH_SITE"]
    assert sign_in(client, headers=MOZILLA).status_code == 403
    page = client.get("/sign-in", headers=MOZILLA).text
    token = TOKEN.search(page)[1]
    assert sign_in(client, headers=MOZILLA, data={"csrf_token": token}).status_code == 303
    assert client.get("/mine").text == "mine"
    old = client.post("/sign-out", headers=MOZILLA, data={"csrf_token": token})
    assert old.status_code == 403
    assert client.get("/mine").text == "mine"


def test_every_route_of_the_batteries_says_who_may_use_it(shop):
    """Nobody has to open what is ours."""
    found = [finding.message for finding in shop.findings() if finding.code == "access.undeclared"]
    assert found == []


def test_so_do_all_default_batteries(people, tmp_path):
    app = Carboy("shop", root_path=str(tmp_path), instance_path=str(tmp_path))
    found = [f.message for f in app.batteries["access"].checks(app)]
    assert found == []
    assert len(list(app.url_map.iter_rules())) > 5
