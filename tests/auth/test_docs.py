"""docs/how-to/accounts.md: its application answers as the page shows, and nothing is left out."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from carboy.auth.battery import Accounts

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/accounts.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
CALL = re.compile(r"^([AB])  (GET|POST) +(\S+)((?: \w+=\S+)*) +-> (\d{3})(?: (.*))?$", re.MULTILINE)
SOURCES = [*(ROOT / "src/carboy/auth").glob("*.py"), ROOT / "src/carboy/cli/users.py"]
OURS = r'"((?:accounts|sessions|users)\.[a-z_]+)"'
LINES = {"accounts.session_doubled", "accounts.purge_put_off", "accounts.late"}
ENDPOINTS = {"accounts.sign_in_form", "accounts.sign_in_post", "accounts.sign_up_form",
             "accounts.account"}  # fmt: skip
CODES = set(re.findall(OURS, "".join(path.read_text() for path in SOURCES))) - LINES - ENDPOINTS

VISIT = """
import json, sys
from app import *
from carboy import unscoped
app.config.update(DATABASE_URL="sqlite:///shop.db", PASSWORD_MEMORY="8 KiB", LOG_LEVEL="error")
app.secret_key = "only for tests, and long enough"
with app.app_context(), unscoped("the tables of the page"):
    db.create_all()
clients = {"A": app.test_client(), "B": app.test_client()}
for who, method, path, form in json.load(sys.stdin):
    answer = clients[who].open(path, method=method, data=form, headers={"Accept": "text/html"})
    said = answer.headers.get("Location") or (answer.json if answer.is_json else answer.text)
    print(json.dumps([answer.status_code, said]))
key = clients["A"].post("/enter/1")
print(json.dumps([key.status_code, key.json]))
print(json.dumps([clients["A"].post("/leave").status_code, clients["A"].get("/").text]))
"""


@pytest.mark.slow
def test_the_application_answers_as_shown(tmp_path):
    """With all default batteries, in a process of its own."""
    (tmp_path / "app.py").write_text("\n".join(EXAMPLES))
    calls = CALL.findall(PAGE)
    assert len(calls) == 13
    asked = [
        (who, method, path, dict(pair.split("=") for pair in form.split()))
        for who, method, path, form, *_ in calls
    ]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", VISIT],
        input=json.dumps(asked), cwd=tmp_path, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    *found, entered, left = map(json.loads, done.stdout.splitlines())
    for call, (status, said) in zip(calls, found, strict=True):
        assert status == int(call[4]), (call, status, said)
        if call[5].startswith("{"):
            assert said == json.loads(call[5]), call
        elif call[5]:
            assert said == call[5], call
    assert entered == [200, {"welcome": "Ada"}]
    assert left == [200, "Hello"]


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_is_explained(code):
    """Whoever meets one finds it here."""
    assert f"[{code}]" in PAGE


@pytest.mark.parametrize("option", Accounts.options, ids=lambda option: option.name)
def test_every_option_is_listed_with_its_default(option):
    """The table says what is so."""
    assert f"| `{option.name}` | {option.show(option.default)} |" in PAGE
