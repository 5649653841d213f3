"""The proofs can fail: each mistake is planted, and its test turns red."""

import inspect

import pytest
import test_pages
import test_sessions

from carboy.auth import directory, pages, session, sessions, store, throttle
from carboy.auth.passwords import Passwords, Verdict


def same_id_after_sign_in(plant):
    def begin(self, person):
        self.look()
        self.person, self.begun, self.ended = person, True, False

    def keep(self, one):
        store.drop(one.found.id) if one.found else None
        one.renewed = one.renewed or one.token or "B" * 43
        store.insert(sessions._new_row(one))
        return one.renewed

    plant.setattr(session.ServerSession, "begin", begin)
    plant.setattr(sessions.ServerSessions, "_keep_new", keep)


def roles_do_not_count(plant):
    plant.setattr(session, "stamp_of", lambda person: "")
    plant.setattr(sessions, "stamp_of", lambda person: "")


def never_too_old(plant):
    plant.setattr(session.ServerSession, "_is_good", lambda self, found: True)


def ids_in_the_clear(plant):
    for module in (session, sessions):
        plant.setattr(module, "hashed", lambda token: token)


def the_first_cookie_counts(plant):
    def token(environ, name):
        pairs = (part.partition("=") for part in environ.get("HTTP_COOKIE", "").split(";"))
        return next((value for key, _, value in pairs if key.strip() == name), "")

    plant.setattr(sessions, "_token", token)


def the_last_one_wins(plant):
    plant.setattr(sessions, "merged", lambda theirs, before, mine: dict(mine))


def no_hash_for_strangers(plant):
    real = Passwords.verify
    plant.setattr(
        Passwords, "verify",
        lambda self, kept, given: real(self, kept, given) if kept else Verdict(False),
    )  # fmt: skip


def known_addresses_are_told(plant):
    real = directory.add

    def add(email, *more):
        if directory.look_up(email) is not None:
            raise pages.RequestFault(409, "accounts.known", "There is one already.")
        return real(email, *more)

    plant.setattr(directory, "add", add)


def no_device_is_known(plant):
    plant.setattr(pages, "device_of", lambda *asked: "")


def no_throttle(plant):
    plant.setattr(throttle.Throttle, "_hit", lambda self, *names: None)


def links_are_not_used_up(plant):
    real = directory.use_link

    def use(token, purpose="sign-in"):
        user = real(token, purpose)
        if user is not None:
            row = {"id": session.hashed(token), "user_id": user, "purpose": purpose}
            with store.writing() as connection:
                until = directory.now() + directory.LINK_FOR
                connection.execute(
                    directory.sa.insert(directory._L).values(**row, expires_at=until)
                )
        return user

    plant.setattr(directory, "use_link", use)


def others_stay_signed_in(plant):
    plant.setattr(store, "drop_of", lambda user, but="": 0)


S, P = test_sessions, test_pages
PLANTED = [
    (same_id_after_sign_in, S.test_signing_in_changes_the_id_and_kills_the_old_one),
    (roles_do_not_count, S.test_another_role_means_another_id),
    (never_too_old, S.test_somebody_who_is_no_longer_active_is_out_at_once),
    (ids_in_the_clear, S.test_the_cookie_is_kept_as_a_hash),
    (the_first_cookie_counts, S.test_of_two_session_cookies_none_is_believed),
    (the_last_one_wins, S.test_two_requests_of_one_session_keep_each_others_keys),
    (no_hash_for_strangers, P.test_a_failed_sign_in_tells_nothing),
    (known_addresses_are_told, P.test_signing_up_with_a_known_address_gives_the_same_answer),
    (no_device_is_known, P.test_nobody_can_be_locked_out_by_a_stranger),
    (no_throttle, P.test_guessing_the_password_of_an_open_browser_is_stopped),
    (links_are_not_used_up, P.test_a_link_signs_in_once),
    (others_stay_signed_in, P.test_changing_the_password_ends_every_other_session),
]


@pytest.fixture
def hashes(monkeypatch):
    """As in test_pages."""
    return test_pages.hashes.__wrapped__(monkeypatch)


@pytest.mark.parametrize(("mistake", "proof"), PLANTED, ids=lambda one: one.__name__)
def test_a_mistake_is_noticed(request, monkeypatch, mistake, proof):
    """The test passes without it (it runs by itself), and fails with it."""
    given = {name: request.getfixturevalue(name) for name in inspect.signature(proof).parameters}
    mistake(monkeypatch)
    with pytest.raises(AssertionError):
        proof(**given)
