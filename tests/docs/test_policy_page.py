"""docs/how-to/policy.md: its application answers as the page shows, and no code is left out."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from carboy.policy.battery import Policies

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/policy.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
CALL = re.compile(
    r"^(visitor|\w+ \d) +(GET|POST) (\S+)(?: (\S+))? +-> (\d{3})(?: (.*))?$", re.MULTILINE
)
SOURCES = [*(ROOT / "src/carboy/policy").glob("*.py"), ROOT / "src/carboy/cli/policy.py"]
CODES = set(
    re.findall(
        r'"((?:policy|scope)\.[a-z_]+)"',
        "".join(p.read_text() for p in [*SOURCES, ROOT / "src/carboy/base/scope.py"]),
    )
)
NOTES = {"policy.inserted", "policy.set", "policy.denied"}  # keys and an event, no errors

VISIT = """
import json, sys
from app import *
from carboy import Scope, unscoped
app.config["DATABASE_URL"] = "sqlite:///notes.db"
app.testing = False
app.secret_key = "only for tests, and long enough"
with app.app_context(), unscoped("the rows of the page"):
    db.create_all()
    people = [Person(name=name) for name in ("Ada", "Bob", "Mod")]
    db.session.add_all(people)
    db.session.flush()
    db.session.add_all([
        Note(text="mine", author=people[0]),
        Note(text="open", author=people[0], public=True, rating=5),
        Note(text="his", author=people[1]),
    ])
    db.session.commit()
client = app.test_client()
for who, method, path, form in json.load(sys.stdin):
    role, _, user = who.partition(" ")
    scope = Scope(user=int(user) if user else None, roles=frozenset({role}))
    answer = client.open(path, method=method, data=form, environ_overrides={"carboy.scope": scope},
                         content_type="application/x-www-form-urlencoded")
    print(json.dumps([answer.status_code, answer.json if answer.is_json else None]))
"""


def run(code, folder, given=""):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        input=given, cwd=folder, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if line.startswith("[")]


@pytest.mark.slow
def test_the_application_answers_as_shown(tmp_path):
    """The first example, asked as the table below it says."""
    (tmp_path / "app.py").write_text(EXAMPLES[0])
    calls = CALL.findall(PAGE)
    assert len(calls) == 10
    found = run(VISIT, tmp_path, json.dumps([call[:4] for call in calls]))
    for call, answer in zip(calls, map(json.loads, found), strict=True):
        assert answer[0] == int(call[4]), call
        assert not call[5] or answer[1] == json.loads(call[5]), call


@pytest.mark.slow
def test_the_other_examples_run(tmp_path):
    """In the order they stand, after the first."""
    (tmp_path / "app.py").write_text(EXAMPLES[0])
    rest = "\n".join(EXAMPLES[1:])
    made = "from app import *\nfrom carboy import unscoped\n"
    made += "with app.app_context(), unscoped('test'): db.create_all()\n"
    run(made + rest, tmp_path)


@pytest.mark.parametrize("code", sorted(CODES - NOTES))
def test_every_code_is_explained(code):
    assert f"[{code}]" in PAGE


def test_every_option_is_listed():
    for option in Policies.options:
        assert f"| `{option.name}` | {option.default} |" in PAGE
