"""Who sees what of people, and who may change it."""

import pytest
import sqlalchemy as sa

from carboy.auth.models import User, UserLink, UserSession, name_flaw, role_names
from carboy.base.errors import RequestFault
from carboy.data.db import db

ADMIN = {"user": 99, "roles": {"admin"}}
FIELDS = ("name", "email", "roles", "password_hash", "created_at")


@pytest.fixture
def two(shop, add):
    """Ada, who is staff, and Bob."""
    return add("ada", ["staff"]), add("bob")


@pytest.mark.parametrize(
    ("who", "seen"),
    [
        pytest.param({}, {"name"}, id="visitor"),
        pytest.param({"user": 2}, {"name"}, id="somebody-else"),
        pytest.param({"user": 1}, {"name", "email", "roles", "created_at"}, id="oneself"),
        pytest.param(ADMIN, {"name", "email", "roles", "created_at"}, id="admin"),
    ],
)
def test_what_is_seen_of_a_person(shop, two, who, seen):
    """Everybody sees a name; nobody a hash, not even an admin."""
    with shop.scope(**who):
        ada = db.session.get(User, 1)
        assert {name for name in FIELDS if getattr(ada, name) is not None} == seen
        found = db.session.execute(sa.select(*(getattr(User, name) for name in FIELDS)))
        assert {name for name, value in found.mappings().first().items() if value} == seen


def test_nobody_finds_people_by_what_is_hidden(shop, two):
    """Neither by the address nor by the beginning of a hash."""
    with shop.scope(user=2):
        for hidden in (User.email == "ada@example.org", User.password_hash.like("$argon2%")):
            found = db.session.scalars(sa.select(User).where(hidden)).all()
            assert 1 not in [user.id for user in found]


@pytest.mark.parametrize(
    ("who", "values", "status"),
    [
        pytest.param({"user": 1}, {"name": "Countess"}, 0, id="own-name"),
        pytest.param({"user": 1}, {"roles": ["admin"]}, 404, id="own-roles"),
        pytest.param({"user": 1}, {"email": "x@y.z"}, 404, id="own-address"),
        pytest.param({"user": 1}, {"password_hash": "x"}, 404, id="own-hash"),
        pytest.param({"user": 2}, {"name": "Countess"}, 404, id="name-of-another"),
        pytest.param({}, {"name": "Countess"}, 404, id="visitor"),
        pytest.param(ADMIN, {"roles": ["admin"], "email": "x@y.z", "active": False}, 0, id="admin"),
        pytest.param(ADMIN, {"password_hash": "x"}, 404, id="admin-hash"),
    ],
)
def test_what_can_be_changed(shop, two, who, values, status):
    """One's own name; the rest is the admins', and hashes are nobody's."""
    got = 0
    with shop.scope(**who):
        ada = db.session.get(User, 1)
        for name, value in values.items():
            setattr(ada, name, value)
        try:
            db.session.commit()
        except RequestFault as fault:
            got = fault.status
            db.session.rollback()
    assert got == status


@pytest.mark.parametrize("who", [{}, {"user": 1}, ADMIN], ids=["visitor", "person", "admin"])
def test_nobody_sees_sessions_and_links(shop, two, browser, who):
    """They are the system's."""
    from carboy.auth import directory

    browser("ada")
    with shop.app_context():
        directory.new_link(1)
    with shop.scope(**who):
        assert db.session.scalars(sa.select(UserSession)).all() == []
        assert db.session.scalars(sa.select(UserLink)).all() == []


def test_the_hash_leaves_by_no_door(shop, two):
    """The field says so, too: no API, no form, no default read has it."""
    field = User.facts().fields["password_hash"]
    assert (field.api, field.write) == ("hidden", "never")
    with shop.scope(**ADMIN):
        assert "argon2" not in User.read().json().decode()
    assert "argon2" not in repr(User(name="x", password_hash="$argon2id$"))


def test_an_address_is_kept_once_in_any_case(shop, add):
    """The database says no, whoever asks."""
    from carboy.auth import directory

    add("ada")
    with shop.app_context(), pytest.raises(RequestFault) as caught:
        directory.add(" ADA@Example.org", "Ada", None)
    assert caught.value.status == 409


@pytest.mark.parametrize(
    "roles", [["a b"], [""], ["x" * 41], [7], ["é"], ["r" + str(n) for n in range(51)]]
)
def test_roles_are_names(roles):
    """422, naming the field."""
    with pytest.raises(RequestFault) as caught:
        role_names(roles)
    assert caught.value.errors[0]["loc"] == ["roles"]


def test_roles_are_sorted_and_told_once():
    """So that two lists of the same are equal."""
    assert role_names(("staff", "admin", "staff")) == ["admin", "staff"]


@pytest.mark.parametrize("name", ["", "  ", "x" * 81, "a\tb", "\u202eevil", "a\u2066b", "\ufeffa"])
def test_names_that_cannot_be_shown(name):
    """Nobody looks like another by characters that cannot be seen."""
    assert name_flaw(name)
    with pytest.raises(RequestFault):
        User(name=name)


def test_a_person_who_goes_takes_their_sessions_along(shop, two, browser):
    """By the database."""
    from auth_kit import rows

    browser("ada")
    browser("bob")
    with shop.scope(**ADMIN):
        db.session.delete(db.session.get(User, 1))
        db.session.commit()
    assert [row["user_id"] for row in rows(shop)] == [2]
