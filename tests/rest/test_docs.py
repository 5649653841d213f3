"""docs/how-to/rest.md: its examples run, and every code is on it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/rest.md").read_text()
SOURCES = [*(ROOT / "src/carboy/resource").glob("rest*.py"), ROOT / "src/carboy/resource/once.py"]
CODES = sorted(
    {
        code
        for path in SOURCES
        for code in re.findall(r'"((?:resources|once)\.[a-z_]+)"', path.read_text())
    }
)  # fmt: skip

BEFORE = """
from carboy.base.scope import unscoped
from carboy.data.db import db
import carboy.resource.once
with app.app_context(), unscoped("example"):
    db.create_all()
"""


@pytest.mark.parametrize("code", CODES)
def test_every_code_is_explained(code):
    """Whoever meets one finds it here."""
    assert f"[{code}]" in PAGE


@pytest.mark.slow
def test_the_examples_run(tmp_path):
    """In the order they stand."""
    first, *rest = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    after = '\nwith app.app_context(), app.scope(1):\n    assert pay(7, "k") == pay(7, "k") == 7\n'
    (tmp_path / "shop.py").write_text(first + BEFORE + "\n".join(rest) + after)
    done = subprocess.run(
        [sys.executable, "-W", "error", "shop.py"], cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
