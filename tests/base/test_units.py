"""Durations and sizes: what is read, what is refused, and that writing is reading back."""

import pytest
from hypothesis import given, strategies as st

from carboy.base.units import duration, show_duration, show_size, size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30 min", 1800),
        ("30min", 1800),
        ("1.5 h", 5400),
        ("90", 90),
        ("0", 0),
        ("0.25", 0.25),
        ("250 ms", 0.25),
        ("1 day", 86_400),
        ("31 days", 2_678_400),
        ("2 weeks", 1_209_600),
        ("1 Hour", 3600),
        ("  5 s ", 5),
        ("1_000 s", 1000),
        ("1e3 s", 1000),
    ],
)
def test_duration_is_a_number_and_a_unit_of_time(text, seconds):
    """A bare number is seconds; units in any case, with or without a space."""
    assert duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("16 MB", 16_000_000),
        ("16 MiB", 16_777_216),
        ("16mb", 16_000_000),
        ("1 kB", 1000),
        ("1 KB", 1000),
        ("1 KiB", 1024),
        ("1.5 kB", 1500),
        ("1.5 KiB", 1536),
        ("2 GB", 2_000_000_000),
        ("2 GiB", 2_147_483_648),
        ("1 TB", 10**12),
        ("4096", 4096),
        ("4_096 bytes", 4096),
        ("0", 0),
    ],
)
def test_size_tells_thousands_from_1024s(text, count):
    """MB is decimal and MiB is binary (IEC 80000-13); a bare number is bytes."""
    assert size(text) == count


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "min",
        "-1 s",
        "1,5 h",
        "1 h 30 min",
        "1 month",
        "1 parsec",
        "nan",
        "inf",
        "1 MB",
        "1__0 x",
        "0x10",
        "1e999 s",
        "٣ s",
        "1 s\x00",
        "1m",
    ],
)
def test_what_is_no_duration_is_refused(text):
    """Nothing is guessed: "1m" could be a minute or a month."""
    with pytest.raises(ValueError, match=r"is (not a number with a unit|too large)"):
        duration(text)


@pytest.mark.parametrize("text", ["16M", "16K", "1 bit", "-1", "1 s", "MB", "", "1e30 TB", "１ MB"])
def test_what_is_no_size_is_refused(text):
    """ "16M" is 16,000,000 to some and 16,777,216 to others."""
    with pytest.raises(ValueError, match=r"is (not a number with a unit|too large)"):
        size(text)


def test_part_of_a_byte_is_refused():
    """A size is a whole number of bytes."""
    with pytest.raises(ValueError, match=r"'1\.0001 kB' is not a whole number of bytes"):
        size("1.0001 kB")


@given(st.integers(min_value=0, max_value=2**63))
def test_a_size_that_is_shown_reads_the_same(count):
    """size(show_size(n)) == n."""
    assert size(show_size(count)) == count


@given(st.floats(min_value=0, max_value=2.0**62, allow_nan=False))
def test_a_duration_that_is_shown_reads_the_same(seconds):
    """duration(show_duration(x)) == x, for every float."""
    assert duration(show_duration(seconds)) == seconds


@given(st.integers(0, 10_000), st.sampled_from(["ms", "s", "min", "h", "days"]))
def test_whole_units_survive_being_shown(number, unit):
    """No rounding: 7 min stays 7 min, whatever floats do between."""
    seconds = duration(f"{number} {unit}")
    assert duration(show_duration(seconds)) == seconds
    assert "." not in show_duration(seconds)


@given(st.text(max_size=40))
def test_any_text_is_a_value_or_a_value_error(text):
    """No other error escapes, whatever is written."""
    for read in (duration, size):
        try:
            assert read(text) >= 0
        except ValueError:
            pass


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0 s"),
        (1800, "30 min"),
        (5400, "90 min"),
        (86_400, "1 day"),
        (0.001, "1 ms"),
        (1.5, "1500 ms"),
    ],
)
def test_a_duration_is_shown_in_the_largest_whole_unit(value, shown):
    """What people would have written."""
    assert show_duration(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0 B"),
        (1000, "1 kB"),
        (1024, "1 KiB"),
        (16_000_000, "16 MB"),
        (2**24, "16 MiB"),
        (1025, "1025 B"),
    ],
)
def test_a_size_is_shown_with_the_shortest_number(value, shown):
    """Decimal or binary, whichever is shorter."""
    assert show_size(value) == shown
