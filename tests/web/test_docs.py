"""docs/how-to/harden.md is complete: every code, every option, and its defaults."""

import re
from pathlib import Path

import pytest

from carboy.web import battery

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/harden.md").read_text()
SOURCE = "".join(path.read_text() for path in sorted((ROOT / "src/carboy/web").glob("*.py")))
OPTIONS = [
    option
    for kind in (battery.Limits, battery.Hosts, battery.Headers, battery.Csp, battery.Pages)
    for option in kind.options
]


def codes():
    """Return every code that this folder writes out in full."""
    return sorted(set(re.findall(r'"((?:gate|json|headers|hosts|csp)\.[a-z_.]+)"', SOURCE)))


def test_codes_are_found():
    assert len(codes()) > 15


@pytest.mark.parametrize("code", codes())
def test_every_code_is_explained(code):
    assert f"[{code}]" in PAGE


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_every_option_is_explained_and_gives_a_reason(option):
    assert f"`{option.name}" in PAGE
    assert option.because


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_limits_are_documented_with_their_default(option):
    if option.name.startswith("MAX_"):
        shown = option.show(option.default)
        shown = f"{int(shown):,}" if shown.isdigit() else shown
        assert f"| `{option.name}` | {shown} |" in PAGE
