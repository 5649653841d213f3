"""Where log lines go: whole lines, few system calls, and never a failed request.

    Sink.to("stdout" | "stderr" | path)  ->  .write(line)  ->  .lost counts

A line after a quiet moment is written at once; lines that follow within `hold_s`
are held until it is over and go out together. So a quiet application shows each
line when it happens, and a busy one does not make a system call per request.
What SIGKILL can cost is the last `hold_s`; every other end writes what is held.

A full disk, a closed pipe or a reader that is too slow costs the line, not the
request: the loss is counted and the next line starts on a line of its own.
"""

from __future__ import annotations

import os
import stat
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

from carboy.base.clock import ticks_s
from carboy.base.errors import SetupError

__all__ = ["Sink"]

STREAMS = {"stdout": 1, "stderr": 2}
PIPE_BUF = 4096  # POSIX: writes to a pipe up to here are never mixed with others
BATCH = 64  # lines; so many facts stay in the cache until they are written
MOST_HELD = 20_000  # lines, some 12 MB; a pipe that nobody reads must not eat the memory
FILE_BUF = 65_536  # to anything else, a write of any size goes out whole


class Sink:
    """A file descriptor that takes whole lines and swallows failures.

    lost: lines that could not be written (or only in part) since the start.
    on_loss: called with the number of lines after each loss.
    hold_s: how long lines may wait for each other; 0 writes each at once.
    """

    def __init__(self, fd: int, *, owned: bool = False) -> None:
        self.lost = 0
        self.hold_s = 0.0
        self.on_loss: Callable[[int], None] | None = None
        self._fd = fd
        self._owned = owned
        self._torn = False
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._wrote = 0.0
        self._held: deque[tuple[Callable[..., bytes], tuple[Any, ...]]] = deque()
        self._flusher: threading.Thread | None = None
        _sinks.add(self)

    @classmethod
    def to(cls, target: str) -> Sink:
        """Return the sink for "stdout", "stderr" or the path of a file.

        A file is opened for appending, so `logrotate` with `copytruncate` works.
        Raises SetupError when the file cannot be opened.
        """
        if target in STREAMS:
            return cls(STREAMS[target] if getattr(sys, f"__{target}__") else -1)
        try:
            fd = os.open(target, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        except OSError as error:
            raise SetupError(
                "logs.unwritable",
                f"LOG_TO names {target!r}, which cannot be opened: {error.strerror}.",
                hint="Use 'stdout', 'stderr', or a file this process may write.",
            ) from error
        return cls(fd, owned=True)

    @property
    def is_terminal(self) -> bool:
        """Whether a person is reading."""
        return self._fd >= 0 and os.isatty(self._fd)

    def write(self, line: bytes) -> None:
        """Write *line* (it ends with a newline), now or within `hold_s`; never raise.

        Lines up to PIPE_BUF bytes are never mixed with other processes'.
        """
        self.put(bytes, (line,))

    def put(self, make: Callable[..., bytes], facts: tuple[Any, ...]) -> None:
        """Write the line *make(*facts)*, now or within `hold_s`; never raise.

        PERF: a held line is made when it is written, many in a row: half the price of
        making it between two requests, and none of it on the way of an answer.
        """
        if self.hold_s:
            if self._held or ticks_s() - self._wrote < self.hold_s:
                held = len(self._held)
                if held < MOST_HELD:
                    self._held.append((make, facts))
                else:
                    self._count_loss(1)
                if self._flusher is None:
                    self._start()
                if held >= BATCH:
                    self.flush(wait=False)
                return
            self._wrote = ticks_s()
        self._write(self._made(make, facts))

    def flush(self, wait: bool = True) -> None:
        """Write what is held, in the order it came; to a pipe a PIPE_BUF at a time.

        wait: for another thread that is at it; without, what is held is left to it.
        """
        if not self._flushing.acquire(blocking=wait):
            return
        try:
            self._flush()
        finally:
            self._flushing.release()

    def _flush(self) -> None:
        most = PIPE_BUF if _is_pipe(self._fd) else FILE_BUF
        chunk: list[bytes] = []
        size = 0
        while self._held:
            line = self._taken()
            if size + len(line) > most and chunk:
                self._write(b"".join(chunk))
                chunk, size = [], 0
            chunk.append(line)
            size += len(line)
        if size:
            self._wrote = ticks_s()
            self._write(b"".join(chunk))

    def _taken(self) -> bytes:
        """Return the line that has waited longest, b"" when another thread took it."""
        try:
            return self._made(*self._held.popleft())
        except IndexError:
            return b""

    def _made(self, make: Callable[..., bytes], facts: tuple[Any, ...]) -> bytes:
        """Return the line, b"" when it cannot be made: then it counts as lost."""
        try:
            return make(*facts)
        except Exception:
            self._count_loss(1)
            return b""

    def _start(self) -> None:
        with self._lock:
            if self._flusher is None:
                # Not a daemon: the interpreter waits for it, so nothing held is lost at exit.
                self._flusher = threading.Thread(target=self._flush_soon, name="carboy-log")
                self._flusher.start()

    def _flush_soon(self) -> None:
        """Flush every `hold_s` while lines come; end when none did, or with the program."""
        # PERF: starting a thread is 0.1 ms, so one serves as long as the application is busy.
        busy = True
        while busy and threading.main_thread().is_alive():
            time.sleep(self.hold_s)
            busy = bool(self._held)
            self.flush()
        self._flusher = None  # before flushing: a line that comes now starts the next one
        self.flush()

    def _write(self, line: bytes) -> None:
        data = b"\n" + line if self._torn else line
        written = 0
        try:
            written = os.write(self._fd, data)
            self._torn = written < len(data)  # the disk filled up, or the pipe did, in between
        except OSError:
            pass  # ENOSPC, EPIPE, EAGAIN, EBADF, EIO: nobody to tell but the counter
        if written < len(data):
            self._count_loss(data[written:].count(b"\n"))

    def close(self) -> None:
        """Write what is held and close the file, when it is one that was opened here."""
        self.flush()
        if self._owned:
            self._owned = False
            os.close(self._fd)
            self._fd = -1

    def _count_loss(self, lines: int) -> None:
        with self._lock:
            self.lost += lines
        if self.on_loss is not None:
            self.on_loss(lines)


def _is_pipe(fd: int) -> bool:
    try:
        return stat.S_ISFIFO(os.fstat(fd).st_mode)
    except OSError:
        return False


_sinks: weakref.WeakSet[Sink] = weakref.WeakSet()


def _forget_after_fork() -> None:
    """Leave what the parent holds to the parent; its flusher did not come along."""
    for sink in _sinks:
        sink._held.clear()
        sink._flusher = None
        sink._lock, sink._flushing = threading.Lock(), threading.Lock()


os.register_at_fork(after_in_child=_forget_after_fork)
