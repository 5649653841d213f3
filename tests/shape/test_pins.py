"""requirements/*.txt: exact versions, no addresses, inside the ranges of pyproject.toml."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LINE = re.compile(
    r"-r [a-z]+\.txt"
    r"|[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][\w.]*( ; [\w .'\"<>=]+)?( \\)?"
    r"|    --hash=sha256:[0-9a-f]{64}( \\)?"
    r"|(#.*)?"
)


def test_every_line_is_a_pin(root):
    """A file of pins names packages and versions; hashes are allowed, addresses are not."""
    wrong = [
        f"{path.name}: {line}"
        for path in (root / "requirements").glob("*.txt")
        for line in path.read_text().splitlines()
        if not LINE.fullmatch(line)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("line", ["flask>=3", "flask", "-i https://x/simple", "x @ file:///x"])
def test_what_is_no_pin_is_seen(line):
    """Ranges, bare names, indexes and addresses are refused."""
    assert not LINE.fullmatch(line)


def test_pins_agree_with_the_ranges(root):
    """What we test with is what pyproject.toml lets users install."""
    project = tomllib.loads((root / "pyproject.toml").read_text())
    wanted = project["project"]["dependencies"] + [
        item for items in project["dependency-groups"].values() for item in items
    ]
    pinned = pins(root)
    wrong = [
        f"{need}: pinned is {pinned.get(canonicalize_name(need.name))}"
        for need in (Requirement(text) for text in wanted if isinstance(text, str))
        if not need.specifier.contains(pinned.get(canonicalize_name(need.name), "0"))
    ]
    assert not wrong, "\n".join(wrong)


def test_no_package_is_pinned_twice_differently(root):
    """runtime, build and test pins can be installed together."""
    seen = {}
    for stem in ("runtime", "build", "test"):
        for name, version in read(root, stem).items():
            assert seen.setdefault(name, version) == version, name


def pins(root):
    """Return {name: version} of everything that bin/test installs."""
    return {**read(root, "runtime"), **read(root, "build"), **read(root, "test")}


def read(root, stem):
    """Return {name: version} of one file, without those it includes."""
    text = (root / "requirements" / f"{stem}.txt").read_text()
    return dict(re.findall(r"^([a-z0-9.-]+)==([\w.]+)", text, re.MULTILINE))
