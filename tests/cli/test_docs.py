"""docs/reference/cli.md knows every command, option and finding, and no others."""

import importlib
import re
from pathlib import Path

import pytest

from carboy.cli import preflight
from carboy.cli.main import COMMANDS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"


def command(name):
    module, _, attribute = COMMANDS[name][0].partition(":")
    return getattr(importlib.import_module(module), attribute)


def section(name):
    """Return the text under the heading of a command."""
    return PAGE.read_text().split(f"## carboy {name}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name):
    """Each option by its long name in the section of its command; none that is gone."""
    options = {
        option
        for parameter in command(name).params
        for option in (*parameter.opts, *parameter.secondary_opts)
        if option.startswith("--")
    }
    text = section(name)
    assert options <= set(re.findall(r"--[a-z-]+", text))
    assert set(re.findall(r"^\| `(--[a-z-]+)", text, re.MULTILINE)) <= options
    assert f"`carboy {name}" in PAGE.read_text().split("\n## ")[0]


def test_every_finding_of_the_preflight_is_documented():
    """Codes are anchors: they stand in the table of `carboy check`."""
    source = Path(preflight.__file__).read_text()
    codes = set(re.findall(r'"((?:secret|debug)\.[a-z]+)"', source))
    assert codes == set(re.findall(r"^\| `([a-z.]+)`", section("check"), re.MULTILINE))


@pytest.mark.parametrize("name", COMMANDS)
def test_listed_help_says_what_the_command_says(name):
    """The line in `carboy --help` is written twice, so that nothing is imported for it."""
    assert command(name).help.splitlines()[0] == COMMANDS[name][1]
