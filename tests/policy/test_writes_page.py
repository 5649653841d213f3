"""docs/how-to/policy-writes.md says what is so."""

import re
from pathlib import Path

from carboy.policy import errors
from carboy.policy.shapes import MOST

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/policy-writes.md").read_text()
PAGES = PAGE + (ROOT / "docs/how-to/policy.md").read_text()
SOURCE = "".join(path.read_text() for path in (ROOT / "src/carboy/policy").glob("*.py"))
CODES = {*re.findall(r'(?:code=|Refused\(\s*|SetupError\(\s*|, )"(policy\.[a-z_]+)"', SOURCE)}


def test_every_code_is_explained():
    """Whoever meets one finds it."""
    assert len(CODES) > 30
    assert {code for code in CODES if f"[{code}]" not in PAGES} == set()


def test_no_code_is_explained_that_nothing_says():
    """What went from the source goes from the page."""
    assert {c for c in re.findall(r"\[(policy\.\w+)\]", PAGE) if f'"{c}"' not in SOURCE} == set()


def test_the_listener_of_the_page_is_called(monkeypatch, capsys):
    """The example, run."""
    monkeypatch.setattr(errors, "denied", [])
    [example] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(example, {})
    errors.NotFound("Note")
    assert "read Note policy.not_found" in capsys.readouterr().out


def test_the_bound_of_shapes_is_the_one_that_is_named():
    """A number in prose."""
    assert f"{MOST} shapes are remembered" in PAGE
