"""docs/how-to/harden.md is complete about forged requests, and its examples work."""

import re
from pathlib import Path

import pytest

from carboy import Carboy
from carboy.web.csrf.battery import Csrf

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/how-to/harden.md").read_text()
SECTION = PAGE.partition("## Forged requests")[2].partition("\n## ")[0]
SOURCE = "".join(path.read_text() for path in (ROOT / "src/carboy/web/csrf").glob("*.py"))


@pytest.mark.parametrize("code", sorted(set(re.findall(r'"(web\.csrf\.[a-z_]+)"', SOURCE))))
def test_every_code_is_explained(code):
    assert f"[{code}]" in SECTION


@pytest.mark.parametrize("option", Csrf.options, ids=lambda option: option.name)
def test_every_option_is_explained_and_gives_a_reason(option):
    assert f"`{option.name}" in SECTION
    assert option.because


def test_the_example_runs():
    """A hook takes what another site sends, the other view does not."""
    app = Carboy("harden_page", batteries=("pages", "csrf"))
    app.testing = True
    exec(re.search(r"```python\n(.*?)```", SECTION, re.DOTALL)[1], {"app": app})
    client = app.test_client()
    attack = {"Sec-Fetch-Site": "cross-site"}
    assert client.post("/hooks/payment", headers=attack).json == {"taken": True}
    assert client.post("/enter", headers=attack).status_code == 403
    assert client.post("/enter").json == {"entered": True}
