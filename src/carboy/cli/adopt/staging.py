"""The stage: every value of a source as it stands, in a scratch file of SQLite.

    readers  ->  Stage.sheet(table)  ->  Sheet.put(line, values)     profiled on the way
    infer    <-  Sheet.column(), Sheet.repeated(), Sheet.strays()    asked of SQLite
    loading  <-  Sheet.rows()

One reading of the source is enough, and questions that need all rows (is it unique? is each
of these a key over there?) are answered on disk, not in memory.

What SQLite has no type for is kept as bytes: see `stored`. A text is always a text.
"""

# SECURITY: SQL is put together from names that are our own or quoted; values are bound.
# ruff: noqa: S608

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from carboy.base.errors import SetupError
from carboy.cli.adopt.profiles import BITS, Profile

if TYPE_CHECKING:
    from carboy.cli.adopt.drafts import RawColumn, RawTable

__all__ = ["BYTES", "HALVES", "Bad", "Sheet", "Stage", "stored"]

BATCH = 4_000  # rows in memory at a time
MOST_COLUMNS = 500  # of one table; above this it is a matrix, no thing with properties
MOST_TABLES = 300
CACHE_KIB = 16_384
BYTES = b"b"  # what bytes of the source begin with; "t", "f", "{", "[" and digits are ours
HALVES = b"s"  # what a text begins with that no database can hold


@dataclass(frozen=True)
class Bad:
    """A row that was left out. column: where it is wrong, or "". row: its values."""

    line: int
    column: str
    reason: str
    row: Sequence[Any]


def stored(value: Any) -> Any:
    """Return *value* as the stage keeps it: None, int, float, str, or tagged bytes.

    >>> stored(True), stored([1]), stored(b"x"), stored("x")
    (b'true', b'[1]', b'bx', 'x')
    """
    kind = type(value)
    if value is None or kind is float:
        return value
    if kind is str:
        return value if value.isascii() else _whole(value)
    if kind is int:
        return value if -BITS <= value < BITS else str(value).encode()
    if kind is bytes:
        return BYTES + value
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


class Sheet:
    """The rows of one table of the source, staged.

    number: of the table. profiles: by column. rejected: what was wrong already when read.
    """

    def __init__(self, stage: Stage, number: int, raw: RawTable) -> None:
        self.stage, self.number, self.raw = stage, number, raw
        self.name = f"t{number}"
        self.profiles: list[Profile] = []
        self.rejected: list[Bad] = []
        self.count = 0
        self._waiting: list[tuple[Any, ...]] = []
        stage.run(f"CREATE TABLE {self.name} (n INTEGER PRIMARY KEY, line, parent)")
        columns, raw.columns = raw.columns, []
        for column in columns:
            self.widen(column)

    def widen(self, column: RawColumn) -> int:
        """Add a column; rows that are there have None in it. Return its number."""
        at = len(self.raw.columns)
        if at >= MOST_COLUMNS:
            raise SetupError(
                "new.from.columns",
                f"{self.raw.origin} has more than {MOST_COLUMNS} columns.",
                hint="That is a matrix rather than a thing with properties: make its columns"
                " rows of a table, (row, column, value), and read that.",
            )
        self.flush()
        self.raw.columns.append(column)
        profile = Profile(self.raw.typed)
        profile.nulls = self.count
        self.profiles.append(profile)
        self.stage.run(f"ALTER TABLE {self.name} ADD COLUMN c{at}")
        return at

    def put(self, line: int, values: Sequence[Any], parent: int | None = None) -> int:
        """Keep a row; return its number, from 1."""
        self.count += 1
        self._waiting.append((self.count, line, parent, *values))
        if len(self._waiting) >= BATCH:
            self.flush()
        return self.count

    def reject(self, line: int, reason: str, row: Sequence[Any], column: str = "") -> None:
        """Note a row that cannot be read; the first thousand in detail."""
        self.rejected.append(Bad(line, column, reason, row))

    def flush(self) -> None:
        """Write what waits, and profile it."""
        if not self._waiting:
            return
        rows, self._waiting = self._waiting, []
        width = len(self.raw.columns) + 3
        rows = [row if len(row) == width else (*row, *[None] * (width - len(row))) for row in rows]
        marks = ",".join("?" * width)
        self.stage.con.executemany(f"INSERT INTO {self.name} VALUES ({marks})", rows)
        columns = list(zip(*rows, strict=True))
        for profile, values in zip(self.profiles, columns[3:], strict=True):
            profile.feed(values, columns[1])

    # -- questions; a column is meant by its number, and "n" is the row's own --

    def column(self, at: int) -> Iterator[tuple[int, Any]]:
        """Yield (line, value) of all rows that have one."""
        yield from self.stage.ask(
            f"SELECT line, c{at} FROM {self.name} WHERE c{at} IS NOT NULL ORDER BY n"
        )

    def repeated(self, columns: Iterable[int]) -> tuple[Any, ...] | None:
        """Return (line, values) of a row that agrees with another in all of *columns*."""
        names = ", ".join(f"c{at}" for at in columns)
        some = " AND ".join(f"c{at} IS NOT NULL" for at in columns)
        found = self.stage.ask(
            f"SELECT max(line), {names} FROM {self.name} WHERE {some}"
            f" GROUP BY {names} HAVING count(*) > 1 LIMIT 1"
        )
        return next(iter(found), None)

    def strays(self, at: int, other: Sheet, on: int) -> tuple[int, int, Any]:
        """Return (how many, line, value) of rows whose column *at* is no value of *other*.

        on: the column over there.
        """
        other.index(on)
        condition = (
            f"c{at} IS NOT NULL AND c{at} NOT IN"
            f" (SELECT c{on} FROM {other.name} WHERE c{on} IS NOT NULL)"
        )
        sql = f"SELECT count(*), min(n) FROM {self.name} WHERE {condition}"
        ((count, first),) = self.stage.ask(sql)
        if not count:
            return 0, 0, None
        ((line, value),) = self.stage.ask(f"SELECT line, c{at} FROM {self.name} WHERE n = ?", first)
        return count, line, value

    def index(self, at: int) -> None:
        """Make looking for values of a column quick."""
        self.stage.run(f"CREATE INDEX IF NOT EXISTS {self.name}c{at} ON {self.name} (c{at})")

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield (number, line, parent, *values) of all rows, in order."""
        yield from self.stage.ask(f"SELECT * FROM {self.name} ORDER BY n")


class Stage:
    """The scratch file; a context manager, after which it is gone."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="carboy-stage-"))
        self.con = sqlite3.connect(self._folder / "stage.db", isolation_level=None)
        self.sheets: list[Sheet] = []
        self.notes: list[str] = []
        for setting in (
            "journal_mode = OFF", "synchronous = OFF", "temp_store = FILE",
            f"cache_size = -{CACHE_KIB}", "locking_mode = EXCLUSIVE",
        ):  # fmt: skip
            self.con.execute(f"PRAGMA {setting}").fetchall()
        self.con.execute("BEGIN")

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *error: object) -> None:
        self.con.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def sheet(self, raw: RawTable) -> Sheet:
        """Make room for a table."""
        if len(self.sheets) >= MOST_TABLES:
            raise SetupError(
                "new.from.tables",
                f"There are more than {MOST_TABLES} tables.",
                hint="Copy those that you want into a SQLite file, and read that.",
            )
        self.sheets.append(Sheet(self, len(self.sheets), raw))
        return self.sheets[-1]

    def flush(self) -> None:
        """Write what waits."""
        for sheet in self.sheets:
            sheet.flush()

    def run(self, sql: str) -> None:
        """Do something. The names in *sql* are our own: t1, c2."""
        self.con.execute(sql)

    def ask(self, sql: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """Yield rows; a cursor of its own, so that questions may overlap."""
        cursor = self.con.cursor()
        try:
            cursor.execute(sql, values)
            while rows := cursor.fetchmany(1000):
                yield from rows
        finally:
            cursor.close()


def _whole(text: str) -> str | bytes:
    try:
        text.encode()
    except UnicodeEncodeError:
        return HALVES + text.encode("utf-8", "backslashreplace")
    return text
