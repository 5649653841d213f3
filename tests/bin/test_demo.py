"""bin/demo as a newcomer meets it: it starts, says where, serves, and stops on Ctrl-C."""

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = re.compile(r"Serving .*http://127\.0\.0\.1:(\d+)")
START_S = 60
STOP_S = 20

pytestmark = pytest.mark.server


@pytest.fixture
def demo(tmp_path):
    """Start bin/demo from another folder; whatever is left of it is killed afterwards."""
    started = []

    def start(*arguments):
        process = subprocess.Popen(
            [ROOT / "bin" / "demo", *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, "SETUP_VENV": sys.prefix},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # so that Ctrl-C goes to all of it, as from a terminal
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        process.stdout.close()


def test_demo_serves_and_stops_cleanly(demo):
    """The printed address answers; Ctrl-C ends all of it with code 0 and no traceback."""
    process = demo(free_port())

    port, said = printed_address(process)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as response:
        page = response.read().decode()
    os.killpg(process.pid, signal.SIGINT)
    rest = process.communicate(timeout=STOP_S)[0]

    assert "New on the shelf" in page
    assert "Readers say" in page
    assert re.search(r"open this once: http://127\.0\.0\.1:\d+/sign-in/link\?token=.", said)
    assert process.returncode == 0, rest
    assert "Traceback" not in rest
    assert group_is_gone(process.pid)


def test_demo_of_the_other_example(demo):
    """bin/demo hello starts the site of typed views."""
    process = demo("hello", free_port())

    port, _ = printed_address(process)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as response:
        assert "How much is there to keep?" in response.read().decode()


def test_demo_takes_the_next_port_and_says_so(demo):
    """A taken port is no failure."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        wanted = taken.getsockname()[1]
        process = demo(wanted)

        port, said = printed_address(process)
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=STOP_S)

    assert wanted < port <= wanted + 100
    assert f"Port {wanted} is taken" in said


def test_demo_keeps_one_secret_that_only_its_owner_reads(demo):
    """Made at the first start, used again afterwards, never committed."""
    process = demo(free_port())
    printed_address(process)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=STOP_S)
    secret = ROOT / "examples/shop/instance/secret"

    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert len(secret.read_text().strip()) >= 32
    ignored = subprocess.run(
        ["git", "-c", "safe.directory=*", "check-ignore", "-q", secret], cwd=ROOT, check=False
    )
    assert ignored.returncode == 0


@pytest.mark.parametrize("port", ["eighty", "70000", "-1"])
def test_demo_refuses_what_is_no_port(demo, port):
    """Before anything is installed or started."""
    process = demo(port)

    said = process.communicate(timeout=START_S)[0]

    assert process.returncode == 1
    assert f"A port is a number up to 65535, not '{port}'." in said


def printed_address(process):
    """Return (port, all lines up to the address) of what *process* prints."""
    said = ""
    for line in process.stdout:
        said += line
        if found := ADDRESS.search(line):
            return int(found[1]), said
    pytest.fail(f"bin/demo ended with {process.wait()} and no address:\n{said}")


def free_port():
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def group_is_gone(group):
    """Tell whether no process of this process group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False
