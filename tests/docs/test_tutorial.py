"""docs/tutorial: ten steps from nothing to a shop, each block run as a newcomer would."""

import os
import re
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorial"
STEPS = sorted(TUTORIAL.glob("[01]*.md"))
BLOCK = re.compile(r"^```(\w+)(?: (.*?))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
CALL = re.compile(r"(GET|POST) (\S+)(?: (.*?))? -> (\d{3})(?: (.*))?")

VISITOR = """
import json, sys
from app import app
app.testing = True
client = app.test_client()
for method, path, sent, status, shown in json.load(sys.stdin):
    headers = {} if path.startswith("/api") else {"Accept": "text/html"}
    answer = client.open(path, method=method, data=sent, headers=headers)
    told = f"{method} {path}: {answer.status_code}, not {status}\\n{answer.text[:3000]}"
    assert answer.status_code == status, told
    assert shown in answer.text, f"{method} {path} lacks {shown!r}\\n{answer.text[:6000]}"
"""


TABLES = """
import sqlalchemy
from app import app
from carboy import db
with app.app_context():
    print(*sqlalchemy.inspect(db.engine).get_table_names())
"""


class Newcomer:
    """Somebody who types what the page says."""

    def __init__(self, folder):
        self.folder = folder
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environ = {**os.environ, "PATH": path, "CARBOY_SECRET_KEY": "k3y" * 20}
        self.environ.pop("CARBOY_DATABASE_URL", None)
        (folder / "password.txt").write_text("correct-horse-staple-9\n")

    def follow(self, step):
        for kind, said, text in BLOCK.findall(step.read_text()):
            getattr(self, f"_{kind}")(said, text)

    def _python(self, said, text):
        name, _, where = said.partition(" ")
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        before = path.read_text() + "\n\n" if where else ""
        path.write_text(before + text)

    _html = _python

    def _console(self, said, text):
        """Shown, not run: servers, and what the test's own environment stands for."""

    def _text(self, said, text):
        """What the database holds by now."""
        done = self._run([sys.executable, "-c", TABLES])
        for name in text.split():
            assert name in done.split(), done

    def _sh(self, said, text):
        for line in text.strip().splitlines():
            command, _, given = line.partition(" < ")
            stdin = (self.folder / given).read_text() if given else None
            self._run(shlex.split(command), stdin)

    def _http(self, said, text):
        import json

        calls = []
        for line in text.strip().splitlines():
            method, path, sent, status, shown = CALL.fullmatch(line).groups()
            form = dict(pair.split("=", 1) for pair in (sent or "").split(" ") if pair)
            form = {name: value.replace("+", " ") for name, value in form.items()}
            calls.append(
                (method, path, form if method == "POST" else None, int(status), shown or "")
            )
        self._run([sys.executable, "-c", VISITOR], json.dumps(calls))

    def _run(self, command, stdin=None):
        done = subprocess.run(
            command, cwd=self.folder, env=self.environ, input=stdin, capture_output=True,
            text=True, timeout=100,
        )  # fmt: skip
        assert done.returncode == 0, f"{command[:3]}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ten_steps(tmp_path):
    """Each file is written, each command run, each request answered as the page says."""
    assert len(STEPS) == 10
    newcomer = Newcomer(tmp_path)
    for step in STEPS:
        newcomer.follow(step)


def test_each_step_leads_to_the_next():
    """A newcomer is never left alone."""
    for step, following in pairwise(STEPS):
        assert f"({following.name})" in step.read_text()
        assert f"({following.name})" in (TUTORIAL / "README.md").read_text()
