"""Passwords: how they are kept, compared, refused, and kept from taking all memory."""

import threading
import unicodedata

import pytest
from werkzeug.security import generate_password_hash

from carboy.auth.common import COMMON, is_common
from carboy.auth.passwords import Passwords, composed
from carboy.base.errors import RequestFault, ServiceDown

WORDS = "a crate of green glass"


@pytest.fixture
def cheap():
    """Passwords whose hashes take 8 KiB."""
    return Passwords(memory_bytes=8 * 1024)


def test_the_default_is_what_owasp_asks_for():
    """argon2id, 46 MiB, one iteration, one thread; a salt each time."""
    kept = Passwords().hash(WORDS)
    assert kept.startswith("$argon2id$v=19$m=47104,t=1,p=1$")


def test_right_and_wrong(cheap):
    """Each hash has its own salt; only the password itself is right."""
    kept = cheap.hash(WORDS)
    assert kept != cheap.hash(WORDS)
    assert cheap.verify(kept, WORDS) == (True, False)
    for wrong in ("", WORDS + " ", WORDS.upper(), WORDS[:-1]):
        assert cheap.verify(kept, wrong) == (False, False)


@pytest.mark.parametrize(
    "kept", ["x", "$argon2id$", "$2b$12$abc", "$argon2id$v=19$m=1$x", "scrypt:"]
)
def test_a_hash_that_cannot_be_read_is_nobodys(cheap, kept):
    """Never an error, never right."""
    assert not cheap.verify(kept, WORDS).right


@pytest.mark.parametrize("method", ["scrypt:1024:8:1", "pbkdf2:sha256:1000"])
def test_hashes_of_werkzeug_are_read_and_replaced(cheap, method):
    """An application that comes from Flask brings its people along."""
    kept = generate_password_hash(WORDS, method)
    assert cheap.verify(kept, WORDS) == (True, True)
    assert cheap.verify(kept, "another") == (False, False)


def test_other_parameters_ask_for_another_hash(cheap):
    """Raising PASSWORD_MEMORY reaches everybody with their next sign-in."""
    kept = cheap.hash(WORDS)
    assert Passwords(memory_bytes=16 * 1024).verify(kept, WORDS) == (True, True)
    assert Passwords(memory_bytes=16 * 1024).verify(kept, "wrong") == (False, False)


def test_every_keyboard_gives_the_same(cheap):
    """ "é" is one character or two, as the system likes: composed once, it is the same."""
    one = "caf\u00e9 au lait chaud"
    two = unicodedata.normalize("NFD", one)
    assert one != two
    assert cheap.verify(cheap.hash(one), two).right


def test_for_somebody_unknown_the_same_work_is_done(cheap, monkeypatch):
    """The time of an answer does not tell who has an account: one run of argon2 each."""
    runs = []
    real = Passwords._right
    monkeypatch.setattr(
        Passwords, "_right", lambda self, kept, data: runs.append(kept) or real(self, kept, data)
    )
    kept = cheap.hash(WORDS)
    for known in (kept, None, ""):
        before = len(runs)
        cheap.verify(known, "wrong")
        assert len(runs) == before + 1
        assert runs[-1].split("$")[3] == kept.split("$")[3]  # the same parameters


@pytest.mark.parametrize(
    ("password", "said"),
    [
        pytest.param("x" * 1_025, "1,024 bytes", id="too-many-characters"),
        pytest.param("é" * 513, "1,024 bytes", id="too-many-bytes"),
        pytest.param("x" * 10_000_000, "1,024 bytes", id="ten-megabytes"),
        pytest.param("abc\ud800defgh", "half a character", id="surrogate"),
    ],
)
def test_what_is_no_password_is_refused_by_name(cheap, password, said):
    """422, at the field, before anything is hashed."""
    for act in (cheap.hash, lambda text: cheap.verify(None, text)):
        with pytest.raises(RequestFault) as caught:
            act(password)
        assert caught.value.status == 422
        assert caught.value.errors[0]["loc"] == ["password"]
        assert said in caught.value.message
    assert said in cheap.weakness(password)


def test_the_longest_password_works(cheap):
    """1,024 bytes, NUL among them, and all of them count."""
    longest = "x" * 1_022 + "\0y"
    assert len(composed(longest)) == 1_024
    kept = cheap.hash(longest)
    assert cheap.verify(kept, longest).right
    assert not cheap.verify(kept, longest[:-1] + "z").right


@pytest.mark.parametrize(
    ("password", "said"),
    [
        pytest.param("", "0 characters; 8 more are needed", id="none"),
        pytest.param("correct", "7 characters; 1 more is needed", id="short"),
        pytest.param("é" * 7, "7 characters", id="short-in-characters"),
        pytest.param("Password1!", "first that are tried", id="common"),
        pytest.param("qwertyuiop", "first that are tried", id="keys"),
        pytest.param("12345678", "first that are tried", id="row"),
        pytest.param("98765432", "first that are tried", id="row-backwards"),
        pytest.param("aaaaaaaaaaaa", "first that are tried", id="one-letter"),
        pytest.param("abababababab", "first that are tried", id="two-letters"),
        pytest.param("lovelove", "first that are tried", id="twice"),
        pytest.param("ines.kowalska1", "a name that others know", id="of-the-address"),
        pytest.param("Demijohn2026", "a name that others know", id="of-the-application"),
    ],
)
def test_weak_passwords_are_refused_in_a_sentence(cheap, password, said):
    """It says what to do, and is shown beside the field."""
    why = cheap.weakness(password, email="ines.kowalska@example.org", names=("demijohn",))
    assert said in why


@pytest.mark.parametrize("password", [WORDS, "korrekt hest batteri", "x7#kQ!zP", "pässwört mit ö"])
def test_good_passwords_pass(cheap, password):
    """No rule about signs and figures: length is what counts."""
    assert cheap.weakness(password, email="ada@example.org", names=("shop", "glass")) == ""


def test_a_name_inside_a_long_sentence_is_no_harm(cheap):
    """What is left without it is long enough by itself."""
    assert cheap.weakness("my demijohn holds five gallons", names=("demijohn",)) == ""


def test_the_list_is_a_list_of_words():
    """About three hundred, in lower case, each of which is found."""
    assert 200 <= len(COMMON) <= 400
    assert all(word == word.casefold() and len(word) >= 3 for word in COMMON)
    assert all(is_common(word) and is_common(f"{word.title()}123!") for word in COMMON)


def test_too_many_at_once_get_503():
    """Who finds no place to wait is told to come back; the others get their turn."""
    passwords = Passwords(memory_bytes=8 * 1024, at_once=1, waiting=1)
    inside, go = threading.Event(), threading.Event()

    class Slow:
        def hash(self, data):
            inside.set()
            assert go.wait(10)
            return "hash"

    passwords.__dict__["_hasher"] = Slow()
    made = []
    threads = [
        threading.Thread(target=lambda: made.append(passwords.hash(WORDS))) for _ in range(2)
    ]
    threads[0].start()
    assert inside.wait(10)
    threads[1].start()
    while passwords._places._value:  # until the second waits
        pass
    with pytest.raises(ServiceDown) as caught:
        passwords.hash(WORDS)
    assert (caught.value.code, caught.value.retry_after_s) == ("accounts.busy", 3)
    go.set()
    for thread in threads:
        thread.join()
    assert made == ["hash", "hash"]
    assert passwords._places._value == 2


def test_who_waits_too_long_gives_up(monkeypatch):
    """A turn that never comes is a 503, too, and leaves no place taken."""
    from carboy.auth import passwords as module

    monkeypatch.setattr(module, "PATIENCE_S", 0.01)
    passwords = Passwords(memory_bytes=8 * 1024, at_once=1)
    with passwords._turn(), pytest.raises(ServiceDown):
        passwords.hash(WORDS)
    assert passwords.hash(WORDS)
