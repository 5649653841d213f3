"""Numbers that all workers of an application share: one mapped file per process.

    Store.row(key, width)   ->  index of *width* doubles, zero at first
    Store.values[index] += 1                      no system call, no copy
    read_all(directory)     ->  [(key, (n, ...)), ...] of every process, dead or alive

A process writes only its own file, `metrics-<pid>-<random>.bin` in
CARBOY_RUNTIME_DIR, and holds a lock (flock) on it while it lives. A killed
worker's numbers stay: counters never fall. `retire()` folds the files of the
dead into one. Without a directory the numbers live in memory.

File: magic (8 bytes), bytes used (8 bytes, native order), then rows: key length
and width (two uint32), the key as JSON padded to 8 bytes, *width* doubles.
A row is visible once "bytes used" includes it, so a reader never sees half.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import mmap
import os
import secrets
import struct
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["Key", "Row", "Store", "living", "read_all", "retire"]

Key = tuple[str, ...]
Row = tuple[Key, tuple[float, ...]]

MAGIC = b"carboym1"
HEAD = 16  # bytes before the first row
CAPACITY = 4 << 20  # bytes mapped; about 15,000 routes and methods
CHUNK = 64 << 10  # bytes of disk taken at a time: touching a hole of a full disk kills (SIGBUS)
MANY_DEAD = 8  # files of dead workers that are worth folding into one

_KEEPER = "metrics.lock"  # shared by readers, exclusive while files are folded
_stores: weakref.WeakSet[Store] = weakref.WeakSet()


class Store:
    """This process's rows.

    values: all doubles; hold `lock` to change them.
    full: rows that were refused because the file had no room left.
    caches: dicts of indices, emptied when these are void: after a fork or `close()`.
    """

    def __init__(self, directory: Path | None = None, *, capacity: int = CAPACITY) -> None:
        self.directory = directory
        self.capacity = capacity
        self.full = 0
        self.caches: list[dict[Any, Any]] = []
        self._forget()
        _stores.add(self)

    def row(self, key: Key, width: int) -> int:
        """Return the index of the first of *width* doubles kept under *key*.

        Returns -1 when there is no room for a new row.
        """
        with self.lock:
            index = self._rows.get(key)
            return index if index is not None else self._append(key, width)

    def add(self, key: Key, amount: float = 1.0) -> None:
        """Add *amount* to the single number under *key*."""
        index = self.row(key, 1)
        if index >= 0:
            with self.lock:
                self.values[index] += amount

    def rows(self) -> list[Row]:
        """Return this process's own rows."""
        with self.lock:
            return list(_rows_of(bytes(self._buffer[: self._used]))) if self._used else []

    def close(self) -> None:
        """Let go of the file; its numbers stay on the disk."""
        if self._file >= 0:
            os.close(self._file)
        self._forget()

    def _forget(self) -> None:
        self.lock = threading.RLock()
        self.values: memoryview[float] = memoryview(bytearray()).cast("d")
        for cache in self.caches:
            cache.clear()
        self._rows: dict[Key, int] = {}
        self._buffer: mmap.mmap | bytearray = bytearray()
        self._used = 0
        self._reserved = 0
        self._file = -1

    def _append(self, key: Key, width: int) -> int:
        if not self._used:
            self._open()
        name = json.dumps(key).encode()
        name += b" " * (-len(name) % 8)
        end = self._used + 8 + len(name) + 8 * width
        if end > self.capacity or not self._reserve(end):
            self.full += 1
            return -1
        struct.pack_into("=II", self._buffer, self._used, len(name), width)
        self._buffer[self._used + 8 : self._used + 8 + len(name)] = name
        index = self._rows[key] = (self._used + 8 + len(name)) // 8
        self._used = end
        struct.pack_into("=Q", self._buffer, 8, end)
        return index

    def _reserve(self, end: int) -> bool:
        """Tell whether there is room on the disk up to *end*, taking it when needed."""
        if self._file < 0 or end <= self._reserved:
            return True
        try:
            os.posix_fallocate(self._file, 0, min(self.capacity, end + CHUNK))
        except OSError:
            return False
        self._reserved = min(self.capacity, end + CHUNK)
        return True

    def _open(self) -> None:
        self._buffer = self._map(self.directory) if self.directory else bytearray(self.capacity)
        self.values = memoryview(self._buffer).cast("B").cast("d")
        self._used = HEAD
        self._buffer[:8] = MAGIC
        struct.pack_into("=Q", self._buffer, 8, HEAD)

    def _map(self, directory: Path) -> mmap.mmap | bytearray:
        """Return this process's file, mapped; memory when it cannot be made."""
        file = directory / f"metrics-{os.getpid()}-{secrets.token_hex(4)}.bin"
        try:
            self._file = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX)
            os.ftruncate(self._file, self.capacity)
            if self._reserve(HEAD):
                return mmap.mmap(self._file, self.capacity)
        except OSError:
            pass  # a full disk costs the other workers' view, not this request
        if self._file >= 0:
            file.unlink(missing_ok=True)
            os.close(self._file)
            self._file = -1
        return bytearray(self.capacity)


def read_all(directory: Path) -> list[Row]:
    """Return the rows of every process that ever wrote to *directory*."""
    with _keeper(directory, fcntl.LOCK_SH):
        return [row for file in _files(directory) for row in _read(file)]


def living(directory: Path) -> list[int]:
    """Return the process ids of the writers that are still there."""
    alive = (file for file in _files(directory) if not _is_dead(file))
    return sorted(int(file.name.split("-")[1]) for file in alive)


def retire(directory: Path) -> int:
    """Fold the files of dead processes into one; return how many there were.

    Nothing happens below `MANY_DEAD` files. A reader waits for the folding and
    sees each number exactly once.
    """
    with _keeper(directory, fcntl.LOCK_EX):
        dead = [file for file in _files(directory) if _is_dead(file)]
        if len(dead) < MANY_DEAD:
            return 0
        heir = Store(directory)
        for key, numbers in (row for file in dead for row in _read(file)):
            index = heir.row(key, len(numbers))
            if index < 0:
                heir.close()
                return 0
            for offset, number in enumerate(numbers):
                heir.values[index + offset] += number
        heir.close()
        for file in dead:
            file.unlink(missing_ok=True)
    return len(dead)


@contextlib.contextmanager
def _keeper(directory: Path, how: int) -> Iterator[None]:
    lock = os.open(directory / _KEEPER, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, how)
        yield
    finally:
        os.close(lock)


def _files(directory: Path) -> list[Path]:
    return sorted(directory.glob("metrics-*-*.bin"))


def _is_dead(file: Path) -> bool:
    """Tell whether the process that wrote *file* is gone: the kernel freed its lock.

    A file without its magic is about to be locked by a process that just began.
    """
    try:
        fd = os.open(file, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.read(fd, 8) == MAGIC
    except OSError:
        return False
    finally:
        os.close(fd)


def _read(file: Path) -> list[Row]:
    """Return the rows of *file*; nothing when it is not one of ours or unreadable."""
    try:
        with file.open("rb") as stream:
            head = stream.read(HEAD)
            if len(head) < HEAD or head[:8] != MAGIC:
                return []
            used = min(struct.unpack_from("=Q", head, 8)[0], CAPACITY)
            return list(_rows_of(head + stream.read(used - HEAD)))
    except (OSError, ValueError, struct.error):
        return []


def _rows_of(data: bytes) -> Iterator[Row]:
    at = HEAD
    while at < len(data):
        length, width = struct.unpack_from("=II", data, at)
        key = tuple(json.loads(data[at + 8 : at + 8 + length]))
        at += 8 + length
        yield key, struct.unpack_from(f"={width}d", data, at)
        at += 8 * width


def _after_fork() -> None:
    """Start anew in the child: the parent's file is the parent's alone."""
    for store in list(_stores):
        store.close()


os.register_at_fork(after_in_child=_after_fork)
