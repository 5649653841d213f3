"""`carboy users`: the first person, roles, passwords, links."""

import json
import re

import pytest
from auth_kit import WORDS, rows
from click.testing import CliRunner

from carboy.base.errors import SetupError


@pytest.fixture
def users(shop):
    """Run the command: users("list") -> what it prints. Raises what it raises."""
    from carboy.cli.main import App
    from carboy.cli.users import users

    told = App()
    told._app = shop

    def run(*arguments, input=None):
        done = CliRunner().invoke(users, arguments, obj=told, input=input)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.output

    return run


def test_the_first_person(shop, users, browser):
    """Added with a role and a password that is typed twice; then they sign in."""
    assert users("list").startswith("Nobody yet.")
    said = users("add", "Ada@example.org", "--role", "admin", input=f"{WORDS}\n{WORDS}\n")
    assert "Added ada@example.org with the role admin." in said
    assert WORDS not in said
    assert browser("ada").get("/").json == {"name": "ada", "roles": ["admin"]}


def test_a_weak_password_is_asked_for_again(users):
    """With the reason, until it is good."""
    said = users("add", "ada@example.org", input=f"password\npassword\n{WORDS}\n{WORDS}\n")
    assert "first that are tried" in said


def test_a_password_from_a_pipe(shop, users, browser):
    """For scripts; a weak one ends it."""
    users("add", "ada@example.org", "--name", "Ada", "--password-stdin", input=f"{WORDS}\n")
    assert browser("ada").get("/").json["name"] == "Ada"
    with pytest.raises(SetupError, match="characters"):
        users("add", "bob@example.org", "--password-stdin", input="short\n")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        pytest.param(("add", "ada@", "--no-password"), "users.email", id="no-address"),
        pytest.param(("add", "ADA@example.org", "--no-password"), "users.taken", id="taken"),
        pytest.param(("role", "no@example.org", "+x"), "users.unknown", id="unknown"),
        pytest.param(("link", "no@example.org"), "users.unknown", id="link-for-nobody"),
        pytest.param(("role", "ada@example.org", "staff"), "users.role", id="no-sign"),
        pytest.param(("role", "ada@example.org", "+"), "users.role", id="no-name"),
    ],
)
def test_mistakes_are_explained(ada, users, arguments, code):
    """What is wrong, and what to do."""
    with pytest.raises(SetupError) as caught:
        users(*arguments)
    assert caught.value.code == code


def test_a_role_with_a_strange_name_is_refused(ada, users):
    """Names end in policies, pages and commands."""
    from carboy.base.errors import RequestFault

    with pytest.raises(RequestFault, match="letters, digits"):
        users("role", "ada@example.org", "+a b")


def test_roles_are_given_and_taken(ada, users, browser):
    """They count from the next request on."""
    client = browser("ada")
    assert "has staff now" in users("role", "ada@example.org", "+staff", "-admin")
    assert client.get("/").json["roles"] == ["staff"]
    assert "no roles" in users("role", "ada@example.org", "-staff")
    assert client.get("/").json["roles"] == []


def test_everybody_is_listed(ada, add, users):
    """For people, and for programs; without hashes."""
    add("bob", ["staff"])
    assert re.search(r"bob@example.org\s+Bob\s+staff\s+yes", users("list"))
    assert json.loads(users("list", "--json"))[0] == {
        "email": "ada@example.org", "name": "Ada", "roles": [], "active": True,
    }  # fmt: skip
    assert "argon2" not in users("list", "--json")


def test_another_password_signs_them_out(ada, users, browser):
    """Everywhere."""
    client = browser("ada")
    said = users("password", "ada@example.org", "--password-stdin", input="korrekt hest batteri\n")
    assert "1 sessions were ended" in said
    assert client.get("/").json["name"] is None


def test_a_link_for_who_has_no_password(shop, users, browser):
    """It is what the first admin comes in by; then they set a password, once."""
    users("add", "ada@example.org", "--role", "admin", "--no-password")
    link = users("link", "ada@example.org").strip()
    assert link.startswith("http://127.0.0.1:8000/sign-in/link?token=")
    client = browser()
    client.post("/sign-in/link", data={"token": link.partition("token=")[2]})
    assert client.get("/").json == {"name": "ada", "roles": ["admin"]}
    assert "Password now" not in client.get("/account").text
    sent = {"act": "password", "password": WORDS}
    assert client.post("/account", data=sent).status_code == 303
    assert client.post("/account", data=sent).status_code == 422
    assert browser("ada").get("/").json["name"] == "ada"
    assert rows(shop, "user_links") == []


def test_a_link_for_the_address_that_people_use(ada, users):
    """The origin is said, or the first allowed host."""
    assert users("link", "ada@example.org", "--origin", "https://shop.example/").startswith(
        "https://shop.example/sign-in/link?token="
    )


def test_without_people_there_is_nothing_to_do(users, shop):
    """It says which line is missing."""
    shop.batteries["accounts"].begun = False
    with pytest.raises(SetupError, match="no people"):
        users("list")
