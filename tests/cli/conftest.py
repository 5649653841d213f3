"""An empty folder to run commands in, the command itself, and real servers."""

import contextlib
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner

STRONG_KEY = "0f9e8d7c6b5a49382716051423324150"

COMMAND = [sys.executable, "-c", "from carboy.cli.main import main; main()"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, empty; what a command imports or sets is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("CARBOY_", "FLASK_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FLASK_RUN_FROM_CLI", "true")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if _is_below(getattr(sys.modules[name], "__file__", None), tmp_path):
            del sys.modules[name]


def _is_below(filename, folder):
    return filename is not None and folder in Path(filename).parents


@pytest.fixture
def carboy(folder):
    """Run the command in this process: carboy("routes", "--json") -> result."""
    from carboy.cli.main import carboy as group

    def run(*arguments, input=None):
        return CliRunner().invoke(group, [str(one) for one in arguments], input=input)

    return run


@pytest.fixture
def write(folder):
    """Write a file below the current folder: write("app.py", text)."""

    def write(name, text):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


class Server:
    """A `carboy run` or `carboy dev` process on a port of its own."""

    def __init__(self, folder, *arguments, command=COMMAND, **environ):
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CARBOY_", "FLASK_", "COV_"))
        }
        self.errors = folder / "errors.txt"
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                [*command, *arguments],
                cwd=folder,
                env={**clean, "CARBOY_SECRET_KEY": STRONG_KEY, "TMPDIR": str(folder), **environ},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )

    @property
    def url(self):
        """Where it serves; waits until it says so."""
        if not hasattr(self, "_url"):
            line = self.process.stdout.readline()
            assert " on http://" in line, line + self.stderr
            self._url = line.split(" on ")[1].split()[0]
        return self._url

    @property
    def stderr(self):
        return self.errors.read_text()

    def get(self, path="/"):
        with urllib.request.urlopen(self.url + path, timeout=30) as response:
            return response.read().decode()

    def stop(self, number=signal.SIGTERM):
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(40)

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)  # no lame duck
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def serve(tmp_path):
    """Start servers in the test's folder; they are gone afterwards."""
    started = []

    def start(*arguments, **options):
        started.append(Server(tmp_path, *arguments, **options))
        return started[-1]

    yield start
    for server in started:
        server.close()
