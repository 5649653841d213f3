"""docs/how-to/access.md: its application answers as the page shows, and no code is left out."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from carboy.auth.battery import Access

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/access.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
CALL = re.compile(r"^(\w+) +(GET|POST) +(\S+) +-> (\d{3})(?: (.*))?$", re.MULTILINE)
SOURCES = ("auth/access.py", "auth/battery.py", "base/access.py")
SOURCE = "".join((ROOT / "src/carboy" / name).read_text() for name in SOURCES)

VISIT = """
import json, sys
client, answers = app.test_client(), []
for method, path in json.load(sys.stdin):
    answer = client.open(path, method=method)
    answers.append([answer.status_code, answer.json if answer.is_json else answer.text])
with open("answers.json", "w") as file:  # not to stdout, where the log is
    json.dump(answers, file)
"""


def run(code, folder, given=""):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        input=given, cwd=folder, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "answers.json").read_text())


@pytest.mark.slow
def test_the_application_answers_as_shown(tmp_path):
    """One visitor, who signs in and signs in again."""
    calls = CALL.findall(PAGE)
    assert len(calls) == 10
    found = run(EXAMPLES[0] + VISIT, tmp_path, json.dumps([call[1:3] for call in calls]))
    assert [got for got, _ in found] == [int(call[3]) for call in calls], found
    for (*_, body), (_, shown) in zip(calls, found, strict=True):
        assert not body or shown == (json.loads(body) if body.startswith("{") else body)


@pytest.mark.slow
def test_the_other_examples_run(tmp_path):
    """After the first, in the order they stand."""
    visit = json.dumps([("GET", "/ping"), ("GET", "/report")])
    found = run("\n".join([*EXAMPLES, VISIT]), tmp_path, visit)
    assert [found[0], found[1][0]] == [[200, "pong"], 401]


@pytest.mark.parametrize("code", sorted(set(re.findall(r'"(access\.[a-z_]+)"', SOURCE))))
def test_every_code_is_explained(code):
    assert f"[{code}]" in PAGE


@pytest.mark.parametrize("option", Access.options, ids=lambda option: option.name)
def test_every_option_is_explained(option):
    assert f"`{option.name}` (`{option.default}`)" in PAGE
