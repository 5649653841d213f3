"""README.md: its example runs as it stands, and the commands it names exist."""

import re

import pytest


@pytest.fixture(scope="module")
def readme(root):
    """The text that a stranger reads first."""
    return (root / "README.md").read_text()


@pytest.fixture
def client(readme):
    """A client of the first example, as it stands."""
    code = re.search(r"```python\n(.*?)```", readme, re.DOTALL)[1]
    names = {"__name__": "readme_example"}
    exec(compile(code, "README.md", "exec"), names)
    return names["app"].test_client()


def test_the_first_example_runs(client):
    """Copied into a file, it answers as the text beside it says."""
    assert client.get("/").json == {"hello": "world"}
    assert client.get("/?name=Ada").json == {"hello": "Ada"}


def test_what_the_visitor_sends_is_no_markup(client):
    """The first thing people copy has no hole (CWE-79)."""
    answer = client.get("/?name=<script>")

    assert answer.mimetype != "text/html" or "<script>" not in answer.text


def test_the_figures_have_their_place(readme):
    """bin/bench fills what stands between the marks, on the first screen."""
    lines = readme.splitlines()

    assert lines.index("<!-- figures -->") < lines.index("<!-- /figures -->")
    assert lines.index("<!-- figures -->") < 50


@pytest.mark.parametrize("command", ["bin/demo", "bin/test"])
def test_the_two_commands_can_be_run(root, readme, command):
    """They are named, and they are executable."""
    assert command in readme
    assert (root / command).stat().st_mode & 0o111
