"""Readiness flips in time, in both directions, and hangs with nobody."""

import json
import threading

import pytest

from carboy.base import clock
from carboy.observe.health import Drain, Readiness, ready_body


@pytest.fixture
def ticks(monkeypatch):
    """A monotonic clock that a test moves by hand."""

    class Ticks:
        now = 1000.0

    monkeypatch.setattr(clock, "ticks_s", lambda: Ticks.now)
    return Ticks


def test_all_well_is_ready():
    """No probe, or only contented ones."""
    assert Readiness(()).failing() == {}
    assert Readiness([("db", lambda: None)]).failing() == {}


def test_a_probe_says_what_is_wrong():
    """The others are not shown."""
    readiness = Readiness([("db", lambda: "no connection"), ("disk", lambda: None)])

    assert readiness.failing() == {"db": "no connection"}


def test_a_probe_that_raises_fails():
    """Its exception is the reason."""

    def probe():
        raise ConnectionError("refused")

    assert Readiness([("db", probe)]).failing() == {"db": "ConnectionError: refused"}


def test_an_outcome_is_kept_for_a_second(ticks):
    """A hundred load balancers cost one query a second."""
    asked = []
    readiness = Readiness([("db", lambda: asked.append(1))])

    for _ in range(100):
        readiness.failing()
    ticks.now += 1.0
    readiness.failing()

    assert len(asked) == 2


def test_readiness_flips_both_ways_within_three_seconds(ticks):
    """Kept for one second, limited to two."""
    trouble = [None]
    told = []
    readiness = Readiness([("db", lambda: trouble[0])], on_change=lambda f: told.append(dict(f)))
    assert readiness.failing() == {}

    trouble[0] = "gone"
    ticks.now += 1.0
    assert readiness.failing() == {"db": "gone"}

    trouble[0] = None
    ticks.now += 1.0
    assert readiness.failing() == {}
    assert told == [{"db": "gone"}, {}]


def test_a_probe_that_hangs_fails_and_holds_one_thread():
    """Asked again and again, it gets no second thread; when it returns, all is well."""
    release, begun = threading.Event(), []

    def probe():
        begun.append(1)
        release.wait(10)

    readiness = Readiness([("db", probe), ("disk", lambda: None)], limit_s=0.02, keep_s=0.0)
    for _ in range(3):
        assert readiness.failing() == {"db": "no answer within 0.02 s"}
    assert len(begun) == 1

    release.set()
    for thread in threading.enumerate():
        if thread.name == "probe-db":
            thread.join()
    assert readiness.failing() == {}


def test_probes_run_side_by_side():
    """Two slow probes take as long as one: each waits for the other here."""
    both = threading.Barrier(2, timeout=5)

    def probe():
        both.wait()

    assert Readiness([("a", probe), ("b", probe)]).failing() == {}


def test_threads_that_ask_at_once_share_one_run():
    """The second waits for the first."""
    asked, answers = [], []
    gate = threading.Event()

    def probe():
        asked.append(1)
        gate.wait(5)
        return "gone"

    readiness = Readiness([("db", probe)], keep_s=60)
    askers = [
        threading.Thread(target=lambda: answers.append(readiness.failing())) for _ in range(4)
    ]
    for asker in askers:
        asker.start()
    gate.set()
    for asker in askers:
        asker.join()

    assert answers == [{"db": "gone"}] * 4
    assert len(asked) == 1


def test_the_flag_of_the_launcher_means_draining(tmp_path):
    """Present: draining. Gone, or no launcher: not."""
    drain = Drain(tmp_path)
    assert not drain.now()

    (tmp_path / "draining").touch()
    assert drain.now()
    assert not Drain(None).now()


@pytest.mark.parametrize(
    ("failing", "draining", "in_full", "expected"),
    [
        ({}, False, True, {"status": "ready"}),
        (
            {"b": "x", "a": "y"},
            False,
            True,
            {
                "status": "not ready",
                "failing": [{"name": "a", "reason": "y"}, {"name": "b", "reason": "x"}],
            },
        ),
        ({"b": "x"}, False, False, {"status": "not ready", "failing": [{"name": "b"}]}),
        ({}, True, False, {"status": "draining"}),
    ],
    ids=["ready", "in full", "names only", "draining"],
)
def test_the_body_tells_strangers_names_only(failing, draining, in_full, expected):
    """What a probe says may hold addresses and names of accounts."""
    assert json.loads(ready_body(failing, draining=draining, in_full=in_full)) == expected
