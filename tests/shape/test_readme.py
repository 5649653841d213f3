"""README.md: what stands where, and that its commands exist; tests/docs/test_first.py runs it."""

import pytest


@pytest.fixture(scope="module")
def readme(root):
    """The text that a stranger reads first."""
    return (root / "README.md").read_text()


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
