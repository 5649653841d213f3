"""Numbers of all workers: each writes its own file, everybody reads them all."""

import os
import signal
import struct
import subprocess
import sys
import threading

import pytest

from carboy.observe import store as stores
from carboy.observe.store import Store, living, read_all, retire


@pytest.fixture
def store(tmp_path):
    """A store with a file, closed after the test."""
    store = Store(tmp_path)
    yield store
    store.close()


def totals(directory):
    """Return {key: sum of the first number over all files}."""
    found = {}
    for key, numbers in read_all(directory):
        found[key] = found.get(key, 0) + numbers[0]
    return found


def test_a_row_begins_at_zero_and_is_found_again(store, tmp_path):
    """The same key is the same row."""
    index = store.row(("a", "b"), 3)
    store.values[index + 2] += 2.5

    assert store.row(("a", "b"), 3) == index
    assert read_all(tmp_path) == [(("a", "b"), (0.0, 0.0, 2.5))]
    assert store.rows() == read_all(tmp_path)


def test_without_a_directory_the_numbers_live_in_memory():
    """A plain server process needs no launcher."""
    store = Store()
    store.add(("a",), 2)
    store.add(("a",))

    assert store.rows() == [(("a",), (3.0,))]
    store.close()
    assert store.rows() == []


def test_keys_of_any_text_survive(store, tmp_path):
    """Route patterns may hold anything."""
    key = ("seconds", 'GET"\n', "/caf\u00e9/<path:p>\x00")
    store.add(key)

    assert read_all(tmp_path) == [(key, (1.0,))]


def test_threads_lose_no_count(store):
    """8 threads times 2,000 additions."""

    def work():
        for _ in range(2_000):
            store.add(("n",))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert store.rows() == [(("n",), (16_000.0,))]


def test_when_the_file_is_full_new_rows_are_refused(tmp_path):
    """What is there goes on counting; nothing is overwritten."""
    store = Store(tmp_path, capacity=4096)
    kept = [store.row((f"key{n}",), 8) for n in range(100)]

    assert -1 in kept
    assert store.full == kept.count(-1)
    assert store.row(("key0",), 8) == kept[0]
    assert len(store.rows()) == 100 - kept.count(-1)
    store.close()


def test_a_full_disk_means_memory_instead(tmp_path, monkeypatch):
    """Touching a hole on a full disk would kill the worker (SIGBUS)."""

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    store = Store(tmp_path)
    store.add(("n",))

    assert store.rows() == [(("n",), (1.0,))]
    assert read_all(tmp_path) == []
    assert list(tmp_path.glob("*.bin")) == []
    store.close()


def test_a_disk_that_fills_up_later_refuses_new_rows(store, monkeypatch):
    """Rows that have their room keep counting."""
    first = store.row(("first",), 1)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    assert store.row(("big",), stores.CHUNK) == -1
    store.add(("first",))
    assert store.values[first] == 1.0


WORKER = """
import pathlib, sys
from carboy.observe.store import Store
store = Store(pathlib.Path(sys.argv[1]))
for _ in range(int(sys.argv[2])):
    store.add(("n",))
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def worker(tmp_path):
    """Start processes that count and then wait; they are ended after the test."""
    started = []

    def start(count):
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(tmp_path), str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        started.append(process)
        assert process.stdout.readline() == b"ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_three_processes_are_added_up_and_the_dead_count_on(worker, tmp_path):
    """kill -9 takes a worker from the living, not its numbers from the totals."""
    processes = [worker(count) for count in (3, 5, 7)]
    assert totals(tmp_path) == {("n",): 15.0}
    assert living(tmp_path) == sorted(process.pid for process in processes)

    processes[1].send_signal(signal.SIGKILL)
    processes[1].wait()

    assert totals(tmp_path) == {("n",): 15.0}
    assert living(tmp_path) == sorted(p.pid for p in (processes[0], processes[2]))


def test_a_forked_child_counts_into_its_own_file(store, tmp_path):
    """The parent's numbers stay the parent's; indices kept in caches are void."""
    cache = {"index": store.row(("n",), 1)}
    store.caches.append(cache)
    store.add(("n",), 10)
    child = os.fork()
    if child == 0:
        code = 0 if cache == {} and store.rows() == [] else 1
        store.add(("n",), 5)
        os._exit(code)
    _, status = os.waitpid(child, 0)

    assert status == 0
    assert cache != {}
    assert store.rows() == [(("n",), (10.0,))]
    assert totals(tmp_path) == {("n",): 15.0}
    assert living(tmp_path) == [os.getpid()]


def test_files_of_the_dead_are_folded_into_one(store, tmp_path):
    """Recycled workers do not pile up; totals are the same before and after."""
    for number in range(stores.MANY_DEAD):
        dead = Store(tmp_path)
        dead.add(("n",), number)
        dead.close()
    store.add(("n",), 100)
    before = totals(tmp_path)

    assert retire(tmp_path) == stores.MANY_DEAD
    assert totals(tmp_path) == before
    assert len(list(tmp_path.glob("*.bin"))) == 2
    assert retire(tmp_path) == 0


def test_a_file_that_just_began_is_not_folded(tmp_path):
    """Between open and lock a file looks abandoned; its magic is not there yet."""
    for number in range(stores.MANY_DEAD):
        (tmp_path / f"metrics-1-{number}.bin").touch()

    assert retire(tmp_path) == 0
    assert len(list(tmp_path.glob("*.bin"))) == stores.MANY_DEAD


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"carboym1",
        b"something else entirely",
        b"carboym1" + struct.pack("=Q", 1 << 60),
        b"carboym1" + struct.pack("=QII", 4096, 1 << 30, 1 << 30),
        b"carboym1" + struct.pack("=QII", 32, 8, 1) + b"not json",
    ],
    ids=["empty", "magic only", "foreign", "huge", "huge row", "bad key"],
)
def test_a_damaged_file_is_passed_over(store, tmp_path, content):
    """One bad file must not take the metrics of the others away."""
    store.add(("n",))
    (tmp_path / "metrics-1-bad.bin").write_bytes(content)

    assert totals(tmp_path) == {("n",): 1.0}
