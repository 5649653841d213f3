"""Where log lines go: one write(2) per line, and never a failed request.

    Sink.to("stdout" | "stderr" | path)  ->  .write(line)  ->  .lost counts

A full disk, a closed pipe or a reader that is too slow costs the line, not the
request: the loss is counted and the next line starts on a line of its own.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable

from carboy.base.errors import SetupError

__all__ = ["Sink"]

STREAMS = {"stdout": 1, "stderr": 2}


class Sink:
    """A file descriptor that takes whole lines and swallows failures.

    lost: lines that could not be written (or only in part) since the start.
    on_loss: called after each loss, without arguments.
    """

    def __init__(self, fd: int, *, owned: bool = False) -> None:
        self.lost = 0
        self.on_loss: Callable[[], None] | None = None
        self._fd = fd
        self._owned = owned
        self._torn = False
        self._lock = threading.Lock()

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
        """Write *line* (it ends with a newline) with one system call; never raise.

        Lines up to 4,096 bytes (PIPE_BUF) are never mixed with other processes'.
        """
        if self._torn:
            line = b"\n" + line
        try:
            if os.write(self._fd, line) == len(line):
                self._torn = False
                return
            self._torn = True  # the disk filled up, or the pipe did, within the line
        except OSError:
            pass  # ENOSPC, EPIPE, EAGAIN, EBADF, EIO: nobody to tell but the counter
        self._count_loss()

    def close(self) -> None:
        """Close the file, when it is one that was opened here."""
        if self._owned:
            self._owned = False
            os.close(self._fd)
            self._fd = -1

    def _count_loss(self) -> None:
        with self._lock:
            self.lost += 1
        if self.on_loss is not None:
            self.on_loss()
