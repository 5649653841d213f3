"""Extensions do on Carboy what they do on Flask: their own suites say so."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import lab  # its folder is put on the path above

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

REDUCED = [extension for extension in lab.extensions() if extension.reduced]


@pytest.fixture(scope="module")
def results() -> dict[str, lab.Result]:
    """The suites of the reduced set, once in every way."""
    return {result.extension.name: result for result in lab.examine(REDUCED)}


@pytest.mark.parametrize("name", [extension.name for extension in REDUCED])
def test_the_suite_of_an_extension_ends_as_on_flask(
    results: dict[str, lab.Result], name: str
) -> None:
    """Test for test, without batteries and with the compatible ones."""
    result = results[name]

    assert not result.surprises(), result.surprises()
    assert result.runs["stock"].subject == "flask.app.Flask"
    assert result.runs["bare"].subject == "carboy.engine.app.Carboy"
    assert result.runs["bare"].requests == result.runs["stock"].requests > 0
    assert list(result.runs["stock"].outcomes.values()).count("passed") > 20


def test_the_page_shows_every_extension_of_the_lab() -> None:
    """docs/extensions.md was written by a run of the whole set, at these versions."""
    page = lab.PAGE.read_text()

    for extension in lab.extensions():
        assert f"| {extension.name} | {extension.version} |" in page, "run bin/lab"
    assert len(lab.extensions()) >= 8
