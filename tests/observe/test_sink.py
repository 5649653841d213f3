"""A sink writes whole lines and never fails the request."""

import os
import subprocess
import sys
import threading
import time

import pytest

from carboy.base.clock import ticks_s
from carboy.base.errors import SetupError
from carboy.observe.sink import Sink


@pytest.fixture
def pipe():
    """Return (reader, writer) descriptors, closed after the test if still open."""
    ends = list(os.pipe())
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            pass  # the test closed this end itself


def test_a_line_arrives_whole(pipe):
    """One write, the bytes as given."""
    sink = Sink(pipe[1])

    sink.write(b"one\n")
    sink.write(b"two\n")

    assert os.read(pipe[0], 100) == b"one\ntwo\n"
    assert sink.lost == 0


def test_a_full_disk_costs_the_line_only():
    """/dev/full answers every write with ENOSPC."""
    sink = Sink.to("/dev/full")
    told = []
    sink.on_loss = told.append

    sink.write(b"lost\n")
    sink.write(b"lost too\n")
    sink.close()

    assert sink.lost == 2
    assert told == [1, 1]


def test_a_reader_that_went_away_costs_the_line_only(pipe):
    """EPIPE is no exception of the request's."""
    os.close(pipe[0])
    sink = Sink(pipe[1])

    sink.write(b"lost\n")

    assert sink.lost == 1


def test_a_reader_that_is_too_slow_costs_the_line_only(pipe):
    """A pipe that does not block answers EAGAIN when it is full."""
    os.set_blocking(pipe[1], False)
    sink = Sink(pipe[1])
    while not sink.lost:
        sink.write(b"x" * 4095 + b"\n")

    os.read(pipe[0], 1 << 20)
    sink.write(b"after\n")

    assert sink.lost == 1
    assert os.read(pipe[0], 100).lstrip(b"\n") == b"after\n"


def test_the_line_after_a_torn_one_begins_anew(pipe):
    """Half a line stays half a line; the next one can be parsed."""
    os.set_blocking(pipe[1], False)
    sink = Sink(pipe[1])

    sink.write(b"x" * (1 << 20) + b"\n")  # more than a pipe holds: written in part
    os.read(pipe[0], 1 << 20)
    sink.write(b"after\n")

    assert sink.lost == 1
    assert os.read(pipe[0], 100) == b"\nafter\n"


def test_a_file_is_appended_to(tmp_path):
    """Restarting keeps what was logged before."""
    file = tmp_path / "app.log"
    for line in (b"one\n", b"two\n"):
        sink = Sink.to(str(file))
        sink.write(line)
        sink.close()

    assert file.read_bytes() == b"one\ntwo\n"


def test_a_file_that_cannot_be_opened_is_a_set_up_mistake(tmp_path):
    """Found before serving, with the reason."""
    with pytest.raises(SetupError) as caught:
        Sink.to(str(tmp_path / "missing" / "app.log"))

    assert caught.value.code == "logs.unwritable"
    assert "No such file or directory" in str(caught.value)


def test_the_first_line_goes_out_at_once_and_the_next_ones_together(pipe):
    """A quiet application shows each line when it happens; a busy one holds back."""
    sink = Sink(pipe[1])
    sink.hold_s = 0.5

    sink.write(b"one\n")
    assert os.read(pipe[0], 100) == b"one\n"
    sink.write(b"two\n")
    sink.write(b"three\n")
    sink.flush()

    assert os.read(pipe[0], 100) == b"two\nthree\n"


def test_held_lines_go_out_by_themselves_in_order(pipe):
    """Within hold_s, without another line or a flush; then the thread is gone."""
    sink = Sink(pipe[1])
    sink.hold_s = 0.2

    for number in range(5):
        sink.write(b"%d\n" % number)
    thread = sink._flusher
    assert thread is not None
    thread.join(5)

    assert os.read(pipe[0], 100) == b"0\n1\n2\n3\n4\n"
    assert sink._flusher is None


def test_held_lines_are_written_a_pipe_buf_at_a_time(pipe, monkeypatch):
    """So that lines of several workers on one pipe are never mixed."""
    sizes = []
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: sizes.append(len(data)) or write(fd, data))
    sink = Sink(pipe[1])
    sink.hold_s = 1.0

    for _ in range(50):
        sink._held.append((bytes, (b"x" * 199 + b"\n",)))
    sink.flush()

    assert sum(sizes) == 50 * 200
    assert max(sizes) <= 4096


def test_a_file_gets_all_that_is_held_at_once(tmp_path, monkeypatch):
    """Appending to a file is whole at any size."""
    sizes = []
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: sizes.append(len(data)) or write(fd, data))
    sink = Sink.to(str(tmp_path / "log"))
    sink._held.extend((bytes, (b"%049d\n" % number,)) for number in range(200))

    sink.close()

    assert sizes == [10_000]
    assert len((tmp_path / "log").read_bytes().splitlines()) == 200


@pytest.mark.parametrize("hold_s", [0.0, 0.1], ids=["at once", "held"])
def test_a_line_that_cannot_be_made_is_lost_and_counted(tmp_path, hold_s):
    """The lines around it are written."""
    sink = Sink.to(str(tmp_path / "log"))
    sink.write(b"one\n")
    sink.hold_s = hold_s
    sink._wrote = ticks_s()

    sink.put(lambda value: 1 / value, (0,))
    sink.put(lambda value: b"%d\n" % value, (2,))
    sink.hold_s = 0.0
    sink.flush()
    sink.close()
    while sink._flusher is not None:
        time.sleep(0.01)

    assert (tmp_path / "log").read_bytes() == b"one\n2\n"
    assert sink.lost == 1


def test_a_pipe_that_nobody_reads_costs_lines_and_no_memory(pipe, monkeypatch):
    """What is held is bounded; the rest is counted as lost, and no request waits."""
    monkeypatch.setattr("carboy.observe.sink.MOST_HELD", 10)
    sink = Sink(pipe[1])
    sink.hold_s = 0.2
    sink._wrote = ticks_s()

    for number in range(25):
        sink.write(b"%d\n" % number)

    assert len(sink._held) == 10
    assert sink.lost == 15
    sink._flusher.join(5)
    assert os.read(pipe[0], 100).split() == [b"%d" % number for number in range(10)]


def test_nothing_held_is_lost_when_the_process_ends(tmp_path):
    """The interpreter waits for the thread that writes."""
    program = (
        "import sys; from carboy.observe.sink import Sink; s = Sink.to(sys.argv[1]);"
        "s.hold_s = 0.2; [s.write(b'%d\\n' % n) for n in range(100)]"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "log")], check=True)

    assert (tmp_path / "log").read_bytes() == b"".join(b"%d\n" % n for n in range(100))


def test_lines_of_many_threads_all_arrive(tmp_path):
    """Appending and flushing race; no line is lost or torn."""
    sink = Sink.to(str(tmp_path / "log"))
    sink.hold_s = 0.001

    def work(name):
        for number in range(500):
            sink.write(b"%d-%d\n" % (name, number))

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while sink._flusher is not None:
        time.sleep(0.001)
    sink.close()

    lines = (tmp_path / "log").read_bytes().split()
    assert sorted(lines) == sorted(b"%d-%d" % (a, b) for a in range(8) for b in range(500))


def test_a_forked_child_writes_its_own_lines_only(tmp_path):
    """What the parent holds is the parent's to write."""
    sink = Sink.to(str(tmp_path / "log"))
    sink.hold_s = 0.5
    sink.write(b"first\n")
    sink.write(b"parent\n")
    child = os.fork()
    if not child:
        sink.write(b"child\n")
        sink.flush()
        os._exit(0)
    os.waitpid(child, 0)
    sink.close()
    while sink._flusher is not None:
        time.sleep(0.01)

    assert sorted((tmp_path / "log").read_bytes().split()) == [b"child", b"first", b"parent"]
