"""The leak checks of tests/conftest.py can fail: each leak, made on purpose, is caught."""

import pathlib
import subprocess
import sys

import pytest

CONFTEST = pathlib.Path(__file__).parents[1] / "conftest.py"

LEAKS = {
    "context": ("def test(app): app.app_context().push()", "still pushed: <flask.ctx.AppContext"),
    "thread": (
        "from threading import Timer\ndef test(): Timer(3, print).start()",
        "left behind: thread",
    ),
    "descriptor": (
        "import os\ndef test(): os.open(__file__, os.O_RDONLY)",
        "left behind: descriptor",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("leak", LEAKS)
def test_each_kind_of_leak_fails_the_test_that_made_it(tmp_path, leak):
    """The test that leaks is the one reported, not one that follows."""
    code, complaint = LEAKS[leak]
    (tmp_path / "conftest.py").write_text(CONFTEST.read_text())
    (tmp_path / "test_leak.py").write_text(code + "\n")

    result = run_pytest(tmp_path)

    assert result.returncode == 1, result.stdout
    assert complaint in result.stdout


@pytest.mark.slow
def test_a_clean_test_passes(tmp_path):
    """What is opened and closed again is no leak."""
    (tmp_path / "conftest.py").write_text(CONFTEST.read_text())
    (tmp_path / "test_clean.py").write_text(
        "def test(app, client):\n    app.get('/')(lambda: 'ok')\n    client.get('/')\n"
    )

    assert run_pytest(tmp_path).returncode == 0


def run_pytest(folder):
    """Run pytest on *folder* alone, without the project's configuration."""
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:randomly",
            "-p",
            "no:cacheprovider",
            folder,
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
