"""docs/how-to/from-data.md shows what happens."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/from-data.md").read_text()
SOURCES = [*(ROOT / "src/carboy/cli/adopt").glob("*.py"), ROOT / "src/carboy/cli/generate.py"]
CODES = {
    code
    for path in SOURCES
    for code in re.findall(r'"((?:new\.from|generate)\.[a-z_]+)"', path.read_text())
}


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_is_explained(code):
    """Whoever meets one finds it here."""
    assert f"[{code}]" in PAGE


def test_the_models_shown_are_those_made(adopt, tmp_path):
    """Of the two files on the page."""
    files = re.findall(r"```csv\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "authors.csv").write_text(files[0])
    (tmp_path / "books.csv").write_text(files[1])
    found = adopt(tmp_path / "authors.csv", tmp_path / "books.csv")
    (shown,) = re.findall(r"```python\n(class Author.*?)```", PAGE, re.DOTALL)
    assert shown in found.text


def test_the_doubt_shown_is_that_told(adopt):
    """A day that may be a month."""
    text = adopt(csv="sold,n\n1/5/2026,1\n2/6/2026,2\n").text
    (shown,) = re.findall(r"# (\? '1/5.*)", PAGE)
    assert shown in " ".join(re.sub(r"\n\s*#", " ", text).split())
