"""docs/how-to/forms.md: its examples run, its options and codes are all there."""

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest

from carboy.web.form.battery import Forms

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/forms.md").read_text()
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
CALL = re.compile(r"(GET|POST) (\S+)(?: (\S+))?\s+->\s+(\d{3})(?: (.*))?")
EXAMPLES = [
    (code, calls) for (kind, code), (_, calls) in pairwise(BLOCK.findall(PAGE)) if kind == "python"
]
SOURCE = "".join(path.read_text() for path in (ROOT / "src/carboy/web/form").glob("*.py"))


@pytest.mark.parametrize(("code", "calls"), EXAMPLES, ids=["view", "page", "languages"])
def test_the_examples_run(code, calls):
    """Each request gets the status and the body that the page shows."""
    names = {"__name__": "example"}
    code = code.replace("Carboy(__name__)", "Carboy(__name__, batteries=BATTERIES)")
    names["BATTERIES"] = ("typed", "pages", Forms())
    exec(compile(code, "forms.md", "exec", dont_inherit=True), names)
    client = names["app"].test_client()
    found = CALL.findall(calls)
    assert len(found) == len(calls.strip().splitlines())
    for method, path, body, status, shown in found:
        kind = "application/x-www-form-urlencoded" if body else None
        answer = client.open(path, method=method, data=body or None, content_type=kind)
        assert answer.status_code == int(status), f"{method} {path}: {answer.text}"
        if shown:
            assert (answer.json == json.loads(shown)) if answer.is_json else answer.text == shown


@pytest.mark.parametrize("option", Forms.options, ids=lambda option: option.name)
def test_every_option_is_listed_with_its_default(option):
    """The table says what is so."""
    assert f"| `{option.name}` | `{option.show(option.default)}` |" in PAGE


@pytest.mark.parametrize("code", sorted(set(re.findall(r'"(forms\.[a-z_]+)"', SOURCE))))
def test_every_code_is_explained(code):
    """Whoever meets one finds it here."""
    assert f"[{code}]" in PAGE
