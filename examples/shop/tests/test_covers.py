"""Covers: pure functions need no application, no database and no browser."""

import re
from xml.etree import ElementTree as ET

import pytest
from covers import MOTIFS, PALETTES, cover, fit, width
from hypothesis import example, given, settings, strategies as st

SVG = "{http://www.w3.org/2000/svg}"


def drawn(title="Emma", author="Jane Austen", subject="romance"):
    """Return the cover as an XML tree: it must be one."""
    svg = str(cover(title, author, subject))
    return ET.fromstring(svg.replace("<svg", f'<svg xmlns="{SVG[1:-1]}"', 1))


def test_equal_words_give_an_equal_cover():
    first = str(cover("Emma", "Jane Austen", "romance"))
    cover.cache_clear()
    assert str(cover("Emma", "Jane Austen", "romance")) == first
    assert len({str(cover(f"Emma {n}", "Jane Austen", "romance")) for n in range(50)}) == 50


def test_each_subject_has_its_motif():
    assert len({str(cover("Emma", "Jane Austen", subject)) for subject in MOTIFS}) == len(MOTIFS)
    assert cover("Emma", "Jane Austen", "no such subject")


def test_type_can_be_read_on_every_ground():
    """WCAG asks for 4.5:1; jackets are looked at from across the room."""

    def light(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return sum(c * share for c, share in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))

    for ground, _, _, ink in PALETTES:
        low, high = sorted((light(ground), light(ink)))
        assert (high + 0.05) / (low + 0.05) >= 7


def test_nothing_the_content_policy_would_refuse():
    svg = cover("Emma", "Jane Austen", "romance")
    assert not re.search(r"\s(style|id|on\w+|href|src)=|<style|<script|url\(", svg)


def test_a_long_title_is_cut_with_an_ellipsis():
    size, lines = fit("word " * 100, 128, (26, 16), 4)
    assert (size, len(lines)) == (16, 4)
    assert lines[-1].endswith("…")


@pytest.mark.parametrize(
    "title",
    [
        "<script>alert(1)</script>",
        "A & B",
        '"><image href="x"/>',
        "Donau\u00addampf\u200bschifffahrts" + "gesellschaft" * 20,
        "ألف ليلة وليلة",
        "紅樓夢" * 12,
        "👩‍👩‍👧 " * 30,
        "\u202eabc\u0000\ufffe\ud800",
        "",
        " : ",
    ],
    ids=["markup", "entity", "attribute", "long word", "right to left", "wide", "emoji",
         "control", "empty", "colon"],
)  # fmt: skip
def test_odd_titles(title):
    fits(title.encode("utf-8", "replace").decode(), "J. A.")


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=300), st.text(max_size=100), st.sampled_from([*MOTIFS, ""]))
@example("W" * 200, "W" * 100, "sea")
def test_any_words_give_a_cover_that_holds_them(title, author, subject):
    fits(title, author, subject)


def fits(title, author, subject="sea"):
    """Assert that the cover is valid XML and each line of type stays on it."""
    for one in drawn(title, author, subject).iter(f"{SVG}text"):
        size, x = float(one.get("font-size")), float(one.get("x"))
        wide = float(one.get("textLength") or width(one.text or "", size))
        left = x - wide / 2 if one.get("text-anchor") == "middle" else x
        assert left >= 0, one.text
        assert left + wide <= 200.5, one.text
        assert float(one.get("y")) <= 300
