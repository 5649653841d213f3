"""A sink writes whole lines and never fails the request."""

import os

import pytest

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
    sink.on_loss = lambda: told.append(1)

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

    sink.write(b"x" * (1 << 20))  # more than a pipe holds: written in part
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
