"""Every text of ours is there in German, Spanish and French, with the same placeholders."""

import importlib.util
import re
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location("collect", Path(__file__).with_name("collect.py"))
collect = importlib.util.module_from_spec(spec)
spec.loader.exec_module(collect)

pytestmark = pytest.mark.slow  # all sources are read

HOLE = re.compile(r"%\((\w+)\)[sd]|%%")


@pytest.fixture(scope="module")
def texts():
    """Every text of src/carboy that is translated."""
    return collect.found()


@pytest.mark.parametrize("locale", ["de", "es", "fr"])
def test_every_text_is_translated(texts, locale):
    """`python tests/i18n/collect.py` adds what is new to the catalogues, to be filled in."""
    assert lacking(texts, collect.catalogue(locale)) == []


@pytest.mark.parametrize("locale", ["de", "es", "fr"])
def test_nothing_is_translated_that_nobody_says(texts, locale):
    """A text that was changed leaves its old translation behind."""
    known = {(context, one if isinstance(one, str) else one[0]) for context, one in texts}
    old = [
        text
        for one in collect.catalogue(locale)
        if one.id
        and (one.context, text := one.id if isinstance(one.id, str) else one.id[0]) not in known
    ]
    assert old == []


def lacking(texts, catalogue):
    """Return what a catalogue lacks, or has with other placeholders."""
    wrong = []
    for (context, text), where in texts.items():
        one = catalogue.get(text if isinstance(text, str) else text[0], context)
        said = () if one is None else (one.string if isinstance(text, tuple) else (one.string,))
        if not said or not all(said) or one.fuzzy:
            wrong.append(f"{where[0]}: {text!r} is not translated")
            continue
        holes = {
            frozenset(HOLE.findall(each)) for each in ((text,) if isinstance(text, str) else text)
        }
        if isinstance(said, str) or any(
            frozenset(HOLE.findall(each)) not in holes for each in said
        ):
            wrong.append(f"{where[0]}: {text!r} has other placeholders: {said!r}")
    return wrong


def test_the_search_can_fail(texts):
    """An empty text and a lost placeholder are seen."""
    catalogue = collect.catalogue("de")
    texts = {one: where for one, where in texts.items() if not lacking({one: where}, catalogue)}
    catalogue.get("Save").string = ""
    catalogue.get("%(label)s is needed.").string = "%(lable)s fehlt."
    assert len(lacking(texts, catalogue)) == 2
    assert len(texts) > 100
