"""Every option that a battery declares is explained: completeness is a test."""

from importlib import metadata

import pytest

from carboy.base.battery import GROUP, load
from carboy.base.options import Bytes, Count, Seconds, document

BATTERIES = sorted({entry.name for entry in metadata.entry_points(group=GROUP)})
DECLARED = [
    pytest.param(option, id=f"{name}-{option.name}")
    for name in BATTERIES
    for option in load(name).options
]


def test_there_are_batteries_with_options():
    """The tests below look at something."""
    assert len(DECLARED) > 10


@pytest.mark.parametrize("option", DECLARED)
def test_each_option_says_what_it_does(option):
    """One sentence about effect: begins with a capital, fits a table, is no name again."""
    assert option.help[0].isupper()
    assert 15 <= len(option.help) <= 300
    assert option.help.replace(" ", "_").upper().rstrip(".") != option.name


@pytest.mark.parametrize("option", DECLARED)
def test_each_number_has_bounds_or_a_reason(option):
    """A limit without an end is no limit; a default without a reason is a guess."""
    if option.kind in (Bytes, Count, Seconds):
        assert option.bounds or option.because


@pytest.mark.parametrize("option", DECLARED)
def test_no_secret_has_a_default(option):
    """A secret that is in the source is none."""
    assert option.default is None or not option.secret


@pytest.mark.parametrize("name", BATTERIES)
def test_no_name_is_declared_twice(name):
    """Any two batteries can be on together; the same name means the same thing."""
    mine = {option.name: option for option in load(name).options}
    for other in BATTERIES:
        for option in load(other).options:
            assert mine.get(option.name, option) == option, other


def test_all_of_them_make_one_table():
    """One row each, every cell filled."""
    table = document(param.values[0] for param in DECLARED)
    rows = table.splitlines()[2:]
    assert len(rows) == len(DECLARED)
    assert all(len(row.replace("\\|", "").split("|")) == 8 for row in rows)
    assert "|  |" not in table
