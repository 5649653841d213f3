"""Backups: a database into one file, and back.

    backup(engine, path)     written beside, checked, flushed to disk, then named *path*
    restore(engine, path)    into an empty database, unless told to replace what is there

SQLite is copied by its online backup API; servers by their own programs (dumps.py).
Whoever uses the database goes on meanwhile. A file is whole or not there: what fails
leaves nothing behind. It holds all data, so nobody but its owner may read it.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from carboy.base.errors import ServiceDown, SetupError
from carboy.data import dumps

if TYPE_CHECKING:
    from sqlalchemy import Engine

__all__ = ["backup", "restore"]

OWNER = 0o600  # rights of a file that holds everybody's data
PATIENCE_S = 30.0  # for a writer who holds a SQLite database
MAGIC = b"SQLite format 3\x00"  # sqlite.org/fileformat.html, section 1.3.1
BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def backup(engine: Engine, path: str | os.PathLike[str], *, replace: bool = False) -> Path:
    """Write the whole database of *engine* into the file *path*, and return it.

    replace: whether a file that is there may be overwritten. Raises SetupError for one
    that is there (backup.exists) and a program that is not installed (backup.program);
    ServiceDown when the disk is full (backup.full) or the database fails (backup.failed).
    """
    target = Path(path).absolute()
    if target.exists() and not replace:
        raise _exists(target)
    with _beside(target, replace) as part:
        if engine.dialect.name == "sqlite":
            _copy_sqlite(engine, part)
        else:
            dumps.dump(engine, part)
    return target


def restore(engine: Engine, path: str | os.PathLike[str], *, replace: bool = False) -> None:
    """Fill the database of *engine* from a backup.

    replace: whether what is in the database may go. Raises SetupError when it is not
    empty (backup.not_empty), and for a file that is no backup of such a database
    (backup.broken); ServiceDown when it fails (backup.failed).
    """
    source = Path(path).absolute()
    if not source.is_file():
        raise SetupError(
            "backup.broken", f"There is no file {source}.", hint="Look at the path once more."
        )
    if engine.dialect.name == "sqlite":
        return _restore_sqlite(engine, source, replace)
    tables = dumps.tables(engine)
    if tables and not replace:
        raise _not_empty(tables)
    dumps.load(engine, source)


@contextmanager
def _beside(target: Path, replace: bool) -> Iterator[Path]:
    """Yield the name of a file to be written; it becomes *target* when all went well."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWNER))
        yield part
        _flush(part)
        if replace:
            part.replace(target)
        else:
            os.link(part, target)  # unlike a rename, this never takes another's place
        _flush(target.parent)
    except FileExistsError:
        raise _exists(target) from None
    except OSError as error:
        raise _no_file(target, error) from error
    finally:
        part.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _copy_sqlite(engine: Engine, part: Path) -> None:
    with _driver(engine) as source:
        copy = sqlite3.connect(part)
        try:
            with _translated(str(engine.url.database)):
                # In one step: a writer would make a copy in several begin again and again.
                source.backup(copy, pages=-1, progress=_patience())
                copy.execute("PRAGMA journal_mode = DELETE")  # one file, no -wal beside it
                _check(copy, part)
        finally:
            copy.close()


def _restore_sqlite(engine: Engine, source: Path, replace: bool) -> None:
    """Copy the file over the database, in one transaction."""
    with open(source, "rb") as file:
        if file.read(len(MAGIC)) != MAGIC:  # an empty file would pass for an empty database
            raise _broken(source, "it does not begin as one")
    tables = dumps.tables(engine)
    if tables and not replace:
        raise _not_empty(tables)
    with _driver(engine) as target:
        copy = sqlite3.connect(f"file:{_quoted(source)}?mode=ro", uri=True)
        try:
            with _translated(str(source)):
                _check(copy, source)
                # In one step: whoever reads meanwhile sees all of the old, then all of the new.
                copy.backup(target, pages=-1, progress=_patience())
        finally:
            copy.close()


def _check(copy: sqlite3.Connection, path: Path) -> None:
    try:
        found = copy.execute("PRAGMA integrity_check").fetchone()[0]
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorname", "") not in ("SQLITE_NOTADB", "SQLITE_CORRUPT"):
            raise
        found = str(error)
    if found != "ok":
        raise _broken(path, found)


@contextmanager
def _driver(engine: Engine) -> Iterator[sqlite3.Connection]:
    connection = engine.raw_connection()
    try:
        driver = connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        yield driver
    finally:
        connection.close()


def _patience() -> Callable[[int, int, int], None]:
    """Return what ends a copy that waits for somebody else too long."""
    deadline = time.monotonic() + PATIENCE_S

    def progress(status: int, remaining: int, total: int) -> None:
        if status in BUSY and time.monotonic() > deadline:
            raise sqlite3.OperationalError("database is locked")

    return progress


@contextmanager
def _translated(where: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "") or ""
        if name == "SQLITE_FULL" or name.startswith("SQLITE_IOERR_WRITE"):
            raise _full(where) from error
        raise ServiceDown(
            "backup.failed",
            f"SQLite could not copy {where}: {error}",
            hint="Usually somebody writes for a long time, or the disk has errors.",
        ) from error


def _quoted(path: Path) -> str:
    return str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def _broken(path: Path, why: str) -> SetupError:
    return SetupError(
        "backup.broken",
        f"{path.name} is no whole SQLite database: {why}",
        hint="Take another backup. If this one was just made, the database itself is damaged:"
        " look at its disk.",
    )


def _exists(target: Path) -> SetupError:
    return SetupError(
        "backup.exists",
        f"{target} is there already, and a backup overwrites nothing.",
        hint="Choose another name, or let it go: `carboy db backup --replace FILE`,"
        " backup(engine, path, replace=True).",
    )


def _not_empty(tables: list[str]) -> SetupError:
    return SetupError(
        "backup.not_empty",
        f"The database has tables already: {', '.join(tables[:5])}.",
        hint="Restore into an empty database, or let what is there go:"
        " `carboy db restore --replace FILE`, restore(engine, path, replace=True).",
    )


def _no_file(target: Path, error: OSError) -> Exception:
    if error.errno in SPACE:
        return _full(str(target))
    return SetupError(
        "backup.file",
        f"{target} cannot be written: {error.strerror or error}.",
        hint="Look whether the folder exists and may be written to.",
    )


def _full(where: str) -> ServiceDown:
    return ServiceDown(
        "backup.full",
        f"There is no room left for {where}.",
        hint="Free space on that disk, or write elsewhere; nothing was left behind.",
    )
