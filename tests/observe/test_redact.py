"""Secrets do not reach a log: names decide, and URLs are looked into."""

import pytest

from carboy.observe.redact import MASK, is_secret, masked, scrubbed


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "PASSWORD",
        "db_passwd",
        "pwd",
        "secret_key",
        "client-secret",
        "access_token",
        "csrf_token",
        "Authorization",
        "Set-Cookie",
        "api_key",
        "X-Api-Key",
        "private_key",
        "session_id",
        "otp",
        "card_number",
    ],
)
def test_a_secret_name_is_known(name):
    """The usual spellings are all secret."""
    assert is_secret(name)


@pytest.mark.parametrize(
    "name", ["user", "title", "path", "keyboard", "status", "passenger", "pinned"]
)
def test_a_common_name_is_no_secret(name):
    """Masking too much would make logs useless."""
    assert not is_secret(name)


def test_values_under_secret_names_are_masked_at_any_depth():
    """The original stays as it was."""
    value = {"user": "ann", "form": {"password": "x", "items": [{"api_key": "y"}]}}

    assert masked(value) == {
        "user": "ann",
        "form": {"password": MASK, "items": [{"api_key": MASK}]},
    }
    assert value["form"]["password"] == "x"


def test_a_structure_that_contains_itself_ends():
    """Beyond six levels everything is masked."""
    endless = {}
    endless["next"] = endless

    assert MASK in repr(masked(endless))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cannot reach postgresql://app:hunter2@db/shop", "postgresql://app:***@db/shop"),
        ("sent Bearer abcdefgh12345678 along", "sent Bearer *** along"),
        ("see https://example.com/a:b@c", "https://example.com/a:b@c"),
    ],
    ids=["password in a URL", "bearer token", "no password"],
)
def test_secrets_within_text_are_masked(text, expected):
    """Only the secret goes."""
    assert expected in scrubbed(text)
