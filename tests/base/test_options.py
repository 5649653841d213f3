"""Options: what each kind reads, bounds, messages word for word, and documentation."""

import pathlib
from datetime import timedelta

import pytest
from hypothesis import given, strategies as st

from carboy.base.errors import SetupError
from carboy.base.options import (
    RETIRED,
    Bytes,
    Choice,
    Count,
    Flag,
    Names,
    Option,
    Path,
    Seconds,
    Secret,
    Text,
    document,
    without_credentials,
)

HERE = "here"


def option(kind=Bytes, **more):
    return Option("NAME", kind, **{"help": "Does something.", **more})


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        (Seconds, "30 min", 1800.0),
        (Seconds, 5, 5.0),
        (Seconds, timedelta(hours=1), 3600.0),
        (Bytes, "16 MB", 16_000_000),
        (Bytes, 1.0, 1),
        (Count, "1_000", 1000),
        (Count, 7, 7),
        (Flag, "Yes", True),
        (Flag, "off", False),
        (Flag, 1, True),
        (Flag, False, False),
        (Text, "as it is ", "as it is "),
        (Secret, "hush", "hush"),
        (Names, "a.example, b.example", ("a.example", "b.example")),
        (Names, "a b\nc", ("a", "b", "c")),
        (Names, '["a", "b c"]', ("a", "b c")),
        (Names, ["a"], ("a",)),
        (Names, {"b", "a"}, ("a", "b")),
        (Names, "", ()),
        (Path, "/var/lib/x", pathlib.Path("/var/lib/x")),
        (Path, pathlib.Path("x"), pathlib.Path("x")),
        (Choice("json", "Text"), "text", "Text"),
    ],
)
def test_each_kind_gives_its_type(kind, raw, value):
    """The application meets a float, int, bool, str, tuple or Path; never the text."""
    parsed = option(kind, default=raw).parse(raw, place=HERE)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        (Seconds, "soon"),
        (Seconds, -1),
        (Seconds, True),
        (Seconds, float("nan")),
        (Seconds, float("inf")),
        (Seconds, timedelta(-1)),
        (Bytes, 1.5),
        (Bytes, float("nan")),
        (Bytes, "16M"),
        (Bytes, []),
        (Count, "1.5"),
        (Count, 1.0),
        (Count, True),
        (Count, "-1"),
        (Count, "9" * 5000),
        (Flag, "maybe"),
        (Flag, 2),
        (Flag, 1.0),
        (Text, 5),
        (Secret, b"bytes"),
        (Names, [1]),
        (Names, [""]),
        (Names, "[1"),
        (Names, 5),
        (Path, "nul\0"),
        (Path, 5),
        (Choice("a", "b"), "c"),
        (Choice("a", "b"), 1),
        (Seconds, object()),
    ],
)
def test_what_does_not_fit_is_a_set_up_error(kind, raw):
    """No other error escapes, and nothing is guessed."""
    with pytest.raises(SetupError) as caught:
        option(kind).parse(raw, place=HERE)
    assert caught.value.code == "options.value"


@given(st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.binary(), st.none(),
                 st.lists(st.text()), st.dictionaries(st.text(), st.integers())))  # fmt: skip
def test_any_value_is_typed_or_refused(raw):
    """For every kind and any value: a value of the right type, None, or SetupError."""
    for kind in (Seconds, Bytes, Count, Flag, Text, Secret, Names, Path, Choice("a", "b")):
        o = option(kind)
        try:
            value = o.parse(raw, place=HERE)
        except SetupError:
            continue
        assert value is None or kind.parse(value) == value
        assert isinstance(o.show(value), str)


def test_message_for_a_value_that_does_not_parse():
    """It names option, value, place, what is accepted, and why."""
    size = Option(
        "MAX_BODY",
        Bytes,
        default="16 MB",
        bounds=("1 kB", "1 GB"),
        help="Refuse a larger body.",
        because="Larger bodies belong in uploads.",
    )

    with pytest.raises(SetupError) as caught:
        size.parse("16M", place="environment CARBOY_MAX_BODY")

    assert str(caught.value) == (
        "Option MAX_BODY cannot be '16M', from environment CARBOY_MAX_BODY.\n"
        'Accepted: a size such as "16 MB" or "16 MiB" (a bare number means bytes), '
        "from 1 kB to 1 GB.\nLarger bodies belong in uploads.  [options.value]"
    )


def test_message_for_a_value_out_of_bounds():
    """The bounds are written as people write them."""
    idle = option(Seconds, default="30 min", bounds=("1 min", "30 days"))

    with pytest.raises(SetupError) as caught:
        idle.parse("40 days", place="carboy.toml:3")

    assert str(caught.value) == (
        "Option NAME is out of bounds with '40 days', from carboy.toml:3.\n"
        'Accepted: a duration such as "30 min", "1.5 h" or "250 ms" (a bare number means '
        "seconds), from 1 min to 30 days.  [options.bounds]"
    )


def test_message_for_a_secret_does_not_tell_it():
    """A refused secret is masked, and so is a password inside an address."""
    secret = option(Secret, bounds=(32, None))
    address = option(Choice("a", "b"))

    with pytest.raises(SetupError) as caught:
        secret.parse("hunter2", place=".env:1")
    with pytest.raises(SetupError) as in_address:
        address.parse("postgresql://shop:hunter2@db/shop", place=".env:1")

    assert str(caught.value) == (
        "Option NAME is out of bounds with '***', from .env:1.\n"
        "Accepted: secret text, at least 32 characters, or empty for unset.  [options.bounds]"
    )
    assert "hunter2" not in str(in_address.value)


def test_a_long_value_is_cut_in_the_message():
    """A megabyte in a variable does not become a megabyte in the log."""
    with pytest.raises(SetupError) as caught:
        option(Count).parse("x" * 1_000_000, place=HERE)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("raw", [None, "", "none", "null", "None"])
def test_unset_is_allowed_when_it_is_the_default(raw):
    """An empty variable means unset, as compose files write it."""
    assert option(Bytes).parse(raw, place=HERE) is None


@pytest.mark.parametrize("raw", [None, "", "none"])
def test_unset_is_refused_when_there_is_a_default(raw):
    """Nobody switches a limit off by an empty variable."""
    with pytest.raises(SetupError):
        option(Bytes, default=1).parse(raw, place=HERE)


def test_a_choice_may_be_called_none():
    """SameSite has a value None; it is not unset."""
    assert option(Choice("Lax", "None")).parse("none", place=HERE) == "None"


@pytest.mark.parametrize(
    ("kind", "bounds", "good", "bad"),
    [
        (Count, (1, 10), 10, 11),
        (Count, (1, None), 10**9, 0),
        (Seconds, (None, "1 h"), "1 h", "61 min"),
        (Text, (1, 3), "abc", "abcd"),
        (Secret, (3, None), "abc", "ab"),
        (Names, (1, 2), "a b", "a b c"),
    ],
)
def test_bounds_are_inclusive_and_apply_to_lengths_of_text(kind, bounds, good, bad):
    """Both ends are allowed values; either may be left open."""
    bounded = option(kind, bounds=bounds)
    assert bounded.parse(good, place=HERE) is not None
    with pytest.raises(SetupError) as caught:
        bounded.parse(bad, place=HERE)
    assert caught.value.code == "options.bounds"


@pytest.mark.parametrize(
    ("definition", "says"),
    [
        ({"name": "max_body"}, "upper case"),
        ({"name": "A__B"}, "single underscores"),
        ({"kind": int}, "needs a kind"),
        ({"help": ""}, "needs a help text"),
        ({"help": "no stop"}, "needs a help text"),
        ({"read": "never"}, "is read at 'never'"),
        ({"kind": Flag, "bounds": (0, 1)}, "bounds that do not fit"),
        ({"bounds": ("1 kB",)}, "bounds that do not fit"),
        ({"bounds": ("a", "b")}, "bounds that do not fit"),
        ({"default": "much"}, "cannot be 'much', from its default"),
        ({"default": 1, "bounds": (2, 3)}, "is out of bounds with 1, from its default"),
    ],
)
def test_an_ill_defined_option_is_refused_at_once(definition, says):
    """The developer of a battery learns of it at import, by name."""
    wanted = {"name": "NAME", "kind": Bytes, "help": "Does something."} | definition
    with pytest.raises(SetupError, match=says):
        Option(wanted.pop("name"), wanted.pop("kind"), **wanted)


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        (Seconds, 1800.0, "30 min"),
        (Bytes, 16_000_000, "16 MB"),
        (Flag, True, "true"),
        (Names, ("a", "b"), "a, b"),
        (Secret, "hunter2", "***"),
        (Secret, "", ""),
        (Text, "redis://:hunter2@cache/0", "redis://:***@cache/0"),
        (Text, "text", "text"),
        (Text, None, ""),
        (Bytes, "nonsense", "'nonsense'"),
    ],
)
def test_values_are_shown_as_people_write_them(kind, value, shown):
    """With units, and never a secret."""
    assert option(kind).show(value) == shown


def test_addresses_lose_their_passwords_only():
    """Everything else in the text stays."""
    assert without_credentials("see amqp://u:p@h:5/v and http://h/a:b@c") == (
        "see amqp://u:***@h:5/v and http://h/a:b@c"
    )


def test_document_writes_one_row_for_each_option():
    """Sorted by name; default and bounds with units; a pipe does not break the table."""
    table = document(
        [
            option(Bytes, default="16 MB", bounds=("1 kB", "1 GB"), because="RFC 1."),
            Option("ANOTHER", Choice("a", "b"), help="Chooses a|b."),
            Option("EMPTY", Names, default=(), help="Lists."),
        ]
    )
    assert table.splitlines()[2:] == [
        "| `ANOTHER` | one of a, b | unset | none | seal | Chooses a\\|b. |",
        (
            '| `EMPTY` | a list of names, such as "a, b" or ["a", "b"] | empty | none | seal '
            "| Lists. |"
        ),
        (
            '| `NAME` | a size such as "16 MB" or "16 MiB" (a bare number means bytes) | `16 MB` '
            "| from 1 kB to 1 GB | seal | Does something. RFC 1. |"
        ),
    ]


def test_a_secret_default_is_not_documented():
    """Documentation is public."""
    assert "hunter2" not in document([option(Secret, default="hunter2")])


def test_retired_names_tell_their_successor():
    """Every answer says what to do instead."""
    assert RETIRED
    assert all(hint.endswith(".") and "nstead" in hint for hint in RETIRED.values())
