"""The parts of the launcher that need no server: sizes, environment, sockets, tables."""

import errno
import importlib.util
import os
import signal
import socket
import tempfile
import types

import pytest

from carboy.base.errors import SetupError
from carboy.cli import on_granian, on_gunicorn, sizes
from carboy.cli.environ import scrub
from carboy.cli.listener import address, open_listeners, shut_door
from carboy.cli.plan import Plan
from carboy.cli.serve import LIFETIME_SPREAD, lifetime_s
from carboy.cli.tables import columns


def cgroup(tmp_path, line, **files):
    """Write a cgroup tree: files by "folder/name", dots for slashes in keywords."""
    (tmp_path / "cgroup").write_text(line)
    for name, text in files.items():
        path = tmp_path / "fs" / name.replace("__", "/").replace("DOT", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "fs", tmp_path / "cgroup"


def test_cpus_of_cgroup_v2_are_the_least_on_the_way_up(tmp_path, monkeypatch):
    """A quota of the pod counts even when the container itself has none."""
    monkeypatch.setattr(sizes, "_affinity", lambda: 8.0)
    places = cgroup(
        tmp_path, "0::/pod/box\n", pod__cpuDOTmax="150000 100000", pod__box__cpuDOTmax="max 100000"
    )
    assert sizes.cpus(*places) == 1.5


def test_cpus_of_cgroup_v1(tmp_path, monkeypatch):
    """-1 is no limit; half a period is half a CPU."""
    monkeypatch.setattr(sizes, "_affinity", lambda: 4.0)
    files = {"cpu__box__cpuDOTcfs_period_us": "100000", "cpu__box__cpuDOTcfs_quota_us": "50000"}
    assert sizes.cpus(*cgroup(tmp_path, "1:cpu:/box\n", **files)) == 0.5
    files["cpu__box__cpuDOTcfs_quota_us"] = "-1"
    assert sizes.cpus(*cgroup(tmp_path, "1:cpu:/box\n", **files)) == 4.0


def test_no_cgroups_means_the_affinity(tmp_path):
    """Outside containers, and where /proc says nothing, the CPUs we may run on."""
    assert sizes.cpus(tmp_path, tmp_path / "none") == len(os.sched_getaffinity(0))
    assert sizes.memory_bytes(tmp_path, tmp_path / "none") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("268435456", 268435456), ("max", None), ("9223372036854771712", None), ("junk", None)],
    ids=["limit", "v2 none", "v1 none", "junk"],
)
def test_memory_limit(tmp_path, text, expected):
    """A limit in bytes; "max" and v1's enormous number are none."""
    places = cgroup(tmp_path, "0::/\n", memoryDOTmax=text)
    assert sizes.memory_bytes(*places) == expected


@pytest.mark.parametrize(
    ("cpu", "memory", "expected"),
    [(4.0, None, 4), (0.5, None, 1), (1.6, None, 2), (8.0, 512_000_000, 3), (8.0, 1, 1)],
)
def test_workers_are_one_per_cpu_that_fits_memory(cpu, memory, expected):
    """At least one, at most what memory holds at 150 MB each."""
    assert sizes.workers(cpu, memory) == expected


def test_threads_make_up_for_fewer_workers_than_cpus():
    """8 per worker; more when --workers leaves CPUs free; 32 at most."""
    assert [sizes.threads(4, 4), sizes.threads(4, 2), sizes.threads(64, 1)] == [8, 16, 32]


def test_scrub_takes_what_a_request_would_believe():
    """CGI names and HTTP_* go, whatever their case says; the rest stays."""
    dirty = {
        "HTTP_X_FORWARDED_FOR": "1.2.3.4", "REMOTE_USER": "root", "SCRIPT_NAME": "/x",
        "HTTPS": "on",
        "wsgi.url_scheme": "https", "PATH": "/bin", "CARBOY_SECRET_KEY": "k", "SERVERLESS": "1",
        "HTTP_PROXY": "http://proxy",
    }  # fmt: skip
    assert scrub(dirty) == {
        "PATH": "/bin",
        "CARBOY_SECRET_KEY": "k",
        "SERVERLESS": "1",
        "http_proxy": "http://proxy",
    }


def test_a_changed_granian_is_refused():
    """When granian.wsgi does not read os.environ as we know it, the worker does not start."""
    with pytest.raises(RuntimeError, match="has changed"):
        on_granian.close_environ(types.ModuleType("granian.wsgi"))


def test_lifetimes_differ():
    """Within 10 % of the mean, so that replicas do not restart together."""
    plan = Plan("app", "--app", ".", recycle_s=1000)
    lives = {lifetime_s(plan) for _ in range(50)}
    assert len(lives) > 40
    assert all(abs(life - 1000) <= 1000 * LIFETIME_SPREAD for life in lives)


def test_plans_travel_between_processes():
    """JSON and back is the same plan."""
    plan = Plan("app:make('x')", "--app", "/srv", workers=3, lame_duck_s=0.5)
    assert Plan.from_json(plan.to_json()) == plan


# -- sockets --


@pytest.fixture
def listeners():
    """Open listeners that are closed afterwards."""
    opened = []

    def open_them(**options):
        opened.extend(
            open_listeners("127.0.0.1", **{"port": 0, "count": 1, "backlog": 8, **options})
        )
        return opened

    yield open_them
    for listener in opened:
        listener.close()


def test_several_sockets_share_a_port(listeners):
    """One per worker, all on the port that the first one got."""
    ports = {listener.getsockname()[1] for listener in listeners(count=3)}
    assert len(ports) == 1
    assert len(listeners()) == 4


def test_a_taken_port_is_a_letter(listeners):
    """Also when the other server shares its port with itself."""
    port = listeners(count=2)[0].getsockname()[1]
    with pytest.raises(SetupError) as caught:
        open_listeners("127.0.0.1", port, count=2, backlog=8)
    assert caught.value.code == "run.port.taken"
    assert f"--port {port + 1}" in caught.value.hint


def test_port_search_takes_the_next(listeners):
    """The next free port, for demonstrations."""
    port = listeners()[0].getsockname()[1]
    (found,) = open_listeners("127.0.0.1", port, count=1, backlog=8, search=True)
    with found:
        assert port < found.getsockname()[1] <= port + 100


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_a_foreign_address_is_a_letter(host):
    """An address that is not ours, and a name that is none."""
    with pytest.raises(SetupError) as caught:
        open_listeners(host, 0, count=1, backlog=8)
    assert caught.value.code == "run.host.unknown"
    assert repr(host) in caught.value.message


def test_addresses_are_ready_to_open(listeners):
    """IPv6 addresses have their brackets."""
    (listener,) = listeners()
    port = listener.getsockname()[1]
    assert address(listener, "127.0.0.1") == f"http://127.0.0.1:{port}"
    assert address(listener, "::1") == f"http://[::1]:{port}"


def test_behind_a_shut_door_those_inside_are_still_served(listeners):
    """New connections get no answer; one that waits in the queue is accepted."""
    (listener,) = listeners()
    place = listener.getsockname()
    with socket.create_connection(place) as inside:
        if not shut_door(listener):
            pytest.skip("this system has no socket filters")
        with pytest.raises(TimeoutError):
            socket.create_connection(place, timeout=0.2)
        inside.sendall(b"hello")
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.recv(5) == b"hello"


def test_tables_keep_the_end_of_the_last_column():
    """A limit shortens the last column only."""
    lines = columns(["A", "VIEW"], [["x", "some/long/path/views.py:12"]], limit=20)
    assert lines[1] == "x  ...th/views.py:12"
    assert columns(["A", "B"], [["x", "y" * 90]])[1] == "x  " + "y" * 90


def test_signals_are_a_queue():
    """A signal is noted and waits until it is asked for; handlers are put back."""
    from carboy.cli.launch import Signals

    before = signal.getsignal(signal.SIGTERM)
    with Signals() as signals:
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals.stop_within(5) == signal.SIGTERM
        assert signals.next(0) is None
    assert signal.getsignal(signal.SIGTERM) is before


def test_gunicorn_opens_no_control_socket(monkeypatch, tmp_path):
    """Since 25.1 gunicorn would listen in the home directory."""
    from gunicorn.config import Config

    monkeypatch.setenv("CARBOY_RUNTIME_DIR", str(tmp_path))
    config = Config()
    for name, value in on_gunicorn.settings(Plan("app", "--app", "."), [7]).items():
        config.set(name, value)
    assert config.control_socket_disable is True
    assert config.address == [7]
    assert (config.worker_class_str, config.graceful_timeout) == ("gthread", 20)


# -- letters before anything starts --


def test_a_read_only_system_is_a_letter(carboy, write, monkeypatch):
    """Without a place for the runtime folder there is nothing to serve from."""
    write("app.py", "from flask import Flask\napp = Flask(__name__)\n")
    error = OSError(errno.EROFS, "Read-only file system")
    monkeypatch.setattr(tempfile, "mkdtemp", lambda **_: (_ for _ in ()).throw(error))
    result = carboy("run")
    assert result.exit_code == 1
    assert "Read-only file system" in result.output
    assert "[run.folder]" in result.output


def test_a_missing_server_is_a_letter(carboy, write, monkeypatch):
    """The extra to install, ready to paste."""
    write("app.py", "from flask import Flask\napp = Flask(__name__)\n")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    result = carboy("run", "--server", "gunicorn")
    assert result.exit_code == 1
    assert 'pip install "carboy[gunicorn]"' in result.output
    assert "[run.server.missing]" in result.output


def test_recycling_too_often_is_a_letter(carboy, write):
    """Below a minute workers would be replaced all the time; 0 is never."""
    write("app.py", "")
    assert "[run.recycle.short]" in carboy("run", "--recycle", 5).output
    assert "recycle      never" in carboy("run", "--recycle", 0, "--print-config").output


def test_print_config_starts_nothing(carboy, write, monkeypatch):
    """What would run: from options and the variables of platforms."""
    write("wsgi.py", "1 / 0")
    monkeypatch.setenv("PORT", "8999")
    monkeypatch.setenv("WEB_CONCURRENCY", "3")
    output = carboy("run", "--print-config", "--server", "gunicorn").output
    for line in ("wsgi.py (from wsgi.py)", "server       gunicorn", "127.0.0.1:8999"):
        assert line in output
    assert "workers      3\n" in output
