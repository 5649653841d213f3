"""Sources: what `--from` was given, and how to read it.

    "movies.csv", "postgresql://..."  ->  read()  ->  a Stage with all that is in it

A file is known by what is in it rather than by its name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from carboy.base.errors import SetupError
from carboy.cli.adopt.csvs import CsvFile, encoding_of, open_csv
from carboy.cli.adopt.jsons import read_json
from carboy.cli.adopt.sqlites import MAGIC, read_sqlite

if TYPE_CHECKING:
    from carboy.cli.adopt.staging import Stage

__all__ = ["is_address", "read", "shown"]

JSONS = (".json", ".jsonl", ".ndjson", ".geojson")
SQLITE = re.compile(r"sqlite(?:\+\w+)?:///(.+)")


def read(sources: Sequence[str], stage: Stage) -> None:
    """Read all *sources* into *stage*. Raises SetupError for what cannot be read."""
    for source in sources:
        found = SQLITE.fullmatch(source)
        if is_address(source) and not found:
            from carboy.cli.adopt.servers import read_server  # here: it needs a driver

            read_server(source, stage)
        else:
            _file(Path(found[1] if found else source), stage)
    stage.flush()


def is_address(source: str) -> bool:
    """Tell a database's address from a path."""
    return re.match(r"[A-Za-z][\w+.-]*://", source) is not None


def shown(source: str) -> str:
    """Return *source* for people: a password is not shown.

    >>> shown("postgresql://ada:secret@db/shop"), shown("data/movies.csv")
    ('postgresql://db/shop', 'movies.csv')
    """
    if not is_address(source):
        return Path(source).name
    # SECURITY: what is between // and the last @ may be or hold a password.
    return re.sub(r"//.*@", "//", source).partition("?")[0]


def _file(path: Path, stage: Stage) -> None:
    try:
        if path.is_dir():
            raise _letter("new.from.folder", f"{path} is a folder.", MANY)
        if not path.is_file():
            what = "is no ordinary file" if path.exists() else "is not there"
            raise _letter("new.from.missing", f"{path} {what}.", f"Looked from {os.getcwd()}.")
        with path.open("rb") as file:
            head = file.read(4096)
        _read(path, head, stage)
    except PermissionError:
        raise _letter(
            "new.from.permission", f"{path} may not be read by you.", f"Try: ls -l {path}"
        ) from None
    except OSError as error:
        said = f"{path} cannot be read: {error.strerror}."
        raise _letter("new.from.missing", said, "") from None


MANY = "Name its files, each with --from: --from authors.csv --from books.csv"


def _read(path: Path, head: bytes, stage: Stage) -> None:
    if not head:
        said = f"{path} is empty."
        raise _letter("new.from.empty", said, "--from reads tables from a file that has some.")
    if head.startswith(MAGIC):
        read_sqlite(path, stage)
    elif path.suffix.lower() in JSONS or _is_json(path, head):
        read_json(path, stage)
    else:
        _stage_csv(open_csv(path), stage)


def _is_json(path: Path, head: bytes) -> bool:
    """Tell whether a file of no telling name is JSON."""
    if path.suffix.lower() in (".csv", ".tsv", ".tab", ".txt"):
        return False
    text = head.decode(encoding_of(path), "replace").lstrip()
    return re.match(r'\[\s*[{\]]|\{\s*["}]', text) is not None


def _stage_csv(file: CsvFile, stage: Stage) -> None:
    """Stage a CSV; an empty cell is nothing."""
    sheet = stage.sheet(file.table)
    for line, cells, wrong in file.rows():
        if wrong:
            sheet.reject(line, wrong, cells)
        else:
            sheet.put(line, [cell or None for cell in cells])
    sheet.flush()
    if file.short:
        sheet.raw.notes.append(
            f"{file.short} short rows were filled up with nothing, the first on line"
            f" {file.first_short}"
        )


def _letter(code: str, said: str, hint: str) -> SetupError:
    return SetupError(code, said, hint=hint)
