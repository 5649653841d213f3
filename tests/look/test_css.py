"""The style sheet: small, of tokens, and enough for every template we ship."""

import hashlib
import json
import re
import runpy
from pathlib import Path

import pytest

from carboy.web.look.assets import SHEETS, Assets, squeeze
from carboy.web.look.icons import ICONS

ROOT = Path(__file__).resolve().parents[2]
LOOK = ROOT / "src/carboy/web/look"
SOURCE = "".join(path.read_text("utf-8") for path in SHEETS)
BARE = squeeze(SOURCE)  # without comments
REST = squeeze("".join(path.read_text("utf-8") for path in SHEETS[1:]))
TEMPLATES = sorted((LOOK / "templates").rglob("*.html"))

MAX_BYTES = 30_000  # as served, before gzip
COLOUR = re.compile(r"#[0-9a-f]{3,8}\b(?=[^{}]*[;}])|\b(?:oklch|oklab|rgba?|hsla?|lab|lch)\(", re.I)
NAMED = re.compile(
    r":[^;{}]*\b(white|black|red|green|blue|gr[ae]y|silver|orange|brown)\b[^;{}]*[;}]"
)
DANGER = re.compile(
    r"<[^>]*\s(?:style|on[a-z]+|hx-on[:\w-]*)\s*=|<script(?![^>]*\ssrc=)|<style|javascript:|\bjs:"
)


def colours(css):
    """Return what looks like a raw colour."""
    return [found[0] for pattern in (COLOUR, NAMED) for found in pattern.finditer(css)]


def test_it_is_small():
    """One file for every page of an application."""
    assets = Assets()
    assets.join("carboy.css", SHEETS)
    assets.freeze()

    assert len(assets.named("carboy.css").body) < MAX_BYTES


def test_colours_are_in_the_tokens_alone():
    """So a brand is a handful of overrides, and dark is complete."""
    assert colours(REST) == []


@pytest.mark.parametrize("css", ["a{color:#fff}", "a{color:white}", "a{background:oklch(1 0 0)}"])
def test_a_raw_colour_is_seen(css):
    """The search above can fail."""
    assert colours(css)


def test_every_token_that_is_used_is_defined():
    """A misspelt token is silently nothing."""
    used = set(re.findall(r"var\((--[\w-]+)", BARE))
    defined = set(re.findall(r"(--[\w-]+):", BARE))

    assert used - defined == set()
    assert "--paper" in used


def test_every_token_that_is_defined_is_used():
    """What nobody uses is weight."""
    used = set(re.findall(r"var\((--[\w-]+)", BARE + "".join(map(Path.read_text, TEMPLATES))))
    defined = set(re.findall(r"(--[\w-]+):", squeeze(SHEETS[0].read_text("utf-8"))))

    assert defined - used - {"--r3"} == set()


def test_braces_are_closed():
    """In each of the three, so that they may be joined."""
    for path in SHEETS:
        css = squeeze(path.read_text("utf-8"))
        assert css.count("{") == css.count("}"), path.name


def test_squeezing_leaves_the_rules_alone():
    """Comments and indents go, text stays."""
    css = '/* a\n b */\na { content: "x  y" }\n\n  b {\n    c: d;\n  }\n'

    assert squeeze(css) == 'a { content: "x  y" }\nb {\nc: d;\n}\n'


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_needs_a_looser_policy(path):
    """No style attribute, no inline script, no handler: the page policy refuses them."""
    assert DANGER.findall(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "text",
    ['<p style="x">', "<a\n onclick='x'>", "<script>", "<style>", '<a href="javascript:x">',
     '<p hx-on:click="x">'],
)  # fmt: skip
def test_a_danger_is_seen(text):
    """The search above can fail."""
    assert DANGER.findall(text)


def test_our_script_evaluates_nothing():
    """Nor does it write HTML."""
    script = (LOOK / "static/carboy.js").read_text("utf-8")

    assert not re.search(
        r"\beval\b|Function\(|innerHTML|insertAdjacentHTML|document\.write", script
    )
    assert len(script) < 4_000


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_every_class_has_a_rule(path):
    """A class that no rule knows was misspelt."""
    known = set(re.findall(r"\.([a-zA-Z][\w-]*)", BARE))
    text = re.sub(
        r"{{.*?}}", "1", re.sub(r"{%.*?%}|{#.*?#}", " ", path.read_text("utf-8"), flags=re.S)
    )
    words = {word for found in re.findall(r'class="([^"]*)"', text) for word in found.split()}

    assert {word for word in words if not word.isdigit()} - known == set()


@pytest.mark.parametrize("name", ICONS)
def test_icons_are_paths_on_their_grid(name):
    """Numbers and letters of path data only; after a closed shape the pen is moved for good."""
    path = ICONS[name]

    assert re.fullmatch(r"[MmLlHhVvCcSsQqTtAaZz0-9 .-]+", path)
    assert not re.search(r"zm", path)
    assert all(-25 <= float(number) <= 25 for number in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", path))


def test_what_others_wrote_is_what_the_manifest_says():
    """Version, licence and hash of each file that we ship and did not write."""
    packages = json.loads((LOOK / "vendor/manifest.json").read_text())
    listed = {}
    for package in packages:
        assert package["version"]
        assert package["licence"] in ("0BSD", "MIT", "BSD-2-Clause", "BSD-3-Clause", "ISC")
        listed |= package["sha256"]
    for name, digest in listed.items():
        (path,) = LOOK.rglob(name)
        assert hashlib.sha256(path.read_bytes()).hexdigest() == digest, name
    assert {path.name for path in (LOOK / "static").glob("*.min.*")} <= set(listed)


def test_the_manifest_is_what_the_script_would_fetch():
    """bin/vendor and the manifest name the same versions."""
    packages = runpy.run_path(str(ROOT / "bin/vendor"))["PACKAGES"]
    manifest = json.loads((LOOK / "vendor/manifest.json").read_text())

    assert [(name, version, licence) for name, version, licence, *_ in packages] == [
        (each["name"], each["version"], each["licence"]) for each in manifest
    ]


def test_the_error_page_has_the_same_colours():
    """It inlines its own few rules, so that it comes out when nothing else does."""

    def tokens(path):
        return dict(re.findall(r"--([\w-]+): (light-dark\(oklch[^;]*);", path.read_text("utf-8")))

    ours, theirs = tokens(SHEETS[0]), tokens(LOOK.parent / "templates/carboy/error.css")
    assert len(theirs) > 10
    assert theirs.items() <= ours.items()
