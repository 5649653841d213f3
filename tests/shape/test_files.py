"""Promises about every file in the repository."""

import re

import pytest

SLUG = re.compile(r"[a-z0-9][a-z0-9_-]*\.md")
MAX_FRAGMENT_LINES = 6
LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)[^)]*\)")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)

# Written apart, so that this file does not accuse itself.
UNFINISHED = re.compile(r"\b(" + "TO" + "DO|FIX" + r"ME)\b")
MACHINE_PATH = re.compile(r"(?<![\w.})\]>:/*-])/(work|root|home/\w+)/[\w.]")
REGISTRY = re.compile(
    "|".join(
        a + re.escape(b)
        for a, b in [
            ("pypi", ".org"),
            ("python", "hosted.org"),
            ("npm", "js.org"),
            ("deb.", "debian.org"),
            ("extra-", "index-url"),
        ]
    )
)


def test_nothing_is_left_unfinished(texts):
    """What is not done is an issue, not a remark in the code."""
    assert search(texts, UNFINISHED) == []


def test_no_path_of_one_machine(texts):
    """A checkout works wherever it lies."""
    assert search(texts, MACHINE_PATH) == []


def test_no_address_of_a_package_registry(texts):
    """Packages are named; where they come from is the machine's own setting."""
    assert search(texts, REGISTRY) == []


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (UNFINISHED, "# TO" + "DO later"),
        (MACHINE_PATH, "see /ro" + "ot/x"),
        (REGISTRY, "pypi" + ".org"),
    ],
    ids=["unfinished", "path", "registry"],
)
def test_each_search_can_fail(pattern, line):
    """A line that breaks the promise is found."""
    assert search({"x.py": line}, pattern) == [f"x.py:1: {line}"]


def test_change_fragments_are_well_formed(root):
    """One short paragraph for users: what is new, against what was before."""
    wrong = [
        f"changes.d/{path.name}: {complaint}"
        for path in sorted((root / "changes.d").iterdir())
        if path.name != "README.md" and (complaint := flaw(path.name, path.read_text()))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Fast JSON.md", "Faster.\n"),
        ("a.txt", "Faster.\n"),
        ("a.md", "# Heading\n"),
        ("a.md", "\n"),
        ("a.md", "No full stop\n"),
        ("a.md", "One.\n" * 7),
    ],
    ids=["name", "ending", "heading", "empty", "no full stop", "long"],
)
def test_each_flaw_of_a_fragment_is_seen(name, text):
    """The rule for fragments can fail."""
    assert flaw(name, text)


def test_links_between_pages_lead_somewhere(texts, root):
    """A relative link in a page names a file of the repository."""
    broken = [
        f"{path}: {target}"
        for path, text in texts.items()
        if path.endswith(".md")
        for target in LINK.findall(CODE.sub("", text))
        if not (root / path).parent.joinpath(target).exists()
    ]
    assert not broken, "\n".join(broken)


def flaw(name, text):
    """Return what is wrong with a change fragment, or an empty string."""
    lines = text.strip().splitlines()
    if not SLUG.fullmatch(name):
        return "call it <slug>.md, in lower case"
    if not 1 <= len(lines) <= MAX_FRAGMENT_LINES:
        return f"write 2 to 4 lines, {MAX_FRAGMENT_LINES} at most; these are {len(lines)}"
    if lines[0].startswith("#"):
        return "no heading: fragments become entries of one list"
    if not text.rstrip().endswith((".", "```", ")")):
        return "end with a full stop"
    return ""


def search(texts, pattern):
    """Return "path:line: text" of each line of *texts* that *pattern* finds."""
    return [
        f"{path}:{number}: {line.strip()[:120]}"
        for path, text in texts.items()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


@pytest.fixture(scope="module")
def texts(tracked, root):
    """{path: text} of the tracked files that are text."""
    found = {}
    for path in tracked:
        raw = path.read_bytes()
        if b"\0" not in raw:
            found[str(path.relative_to(root))] = raw.decode(errors="replace")
    return found
