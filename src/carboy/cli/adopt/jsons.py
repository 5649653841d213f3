"""JSON: rows from a list of objects, an object of lists, or one object per line.

    text  ->  Text.value()   one element at a time, however long the file
          ->  Rows.put()     keys become columns; lists of objects, tables of their own

Objects inside an object stay what they are: JSON.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TextIO

from carboy.base.errors import SetupError
from carboy.cli.adopt.csvs import encoding_of
from carboy.cli.adopt.drafts import RawColumn, RawTable
from carboy.cli.adopt.staging import Sheet, Stage, stored

__all__ = ["read_json"]

READ = 1 << 16  # characters at a time, at first
ELEMENT = 16 << 20  # characters of one row
DEEP = 4  # tables in tables in tables; further down it stays JSON
SPACE = " \t\r\n"


def read_json(path: Path, stage: Stage) -> None:
    """Stage what is in *path*. Raises SetupError (new.from.json) for what has no rows."""
    encoding = encoding_of(path)
    with path.open(encoding=encoding) as file:
        text = Text(path, file)
        first = text.peek()
        if not first:
            raise SetupError("new.from.empty", f"{path} is empty.", hint=EXPECTED)
        if _has_lines(path, encoding):
            rows = Rows(stage, path.stem, path.name)
            while text.peek():
                _row(text, rows)
        elif first == "[":
            _array(text, Rows(stage, path.stem, path.name))
        elif first == "{":
            _tables(text, stage)
        else:
            raise text.wrong(f"it begins with {first!r}")
        if text.peek():
            raise text.wrong("something follows after its end")
    if not any(sheet.count for sheet in stage.sheets):
        raise text.wrong("there is no list of objects in it")


EXPECTED = (
    "Expected is a list of objects, an object whose values are such lists (one table each),"
    " or one object per line."
)


class Text:
    """A file of JSON, read element by element."""

    def __init__(self, path: Path, file: TextIO) -> None:
        self.path, self.file = path, file
        self.buffer, self.at, self.line = "", 0, 1
        self.ended = False
        self.constants = 0
        self._decode = json.JSONDecoder(parse_constant=self._constant).raw_decode

    def peek(self) -> str:
        """Return the next sign that is no space; "" at the end."""
        while True:
            end = self.at
            while end < len(self.buffer) and self.buffer[end] in SPACE:
                end += 1
            self._take(end)
            if end < len(self.buffer):
                return self.buffer[end]
            if self.ended:
                return ""
            self._more(READ)

    def skip(self, sign: str) -> bool:
        """Take *sign* if it is next."""
        if self.peek() != sign:
            return False
        self._take(self.at + 1)
        return True

    def value(self) -> Any:
        """Take one value. Raises SetupError (new.from.json) where there is none."""
        self.peek()
        size = READ
        while True:
            try:
                value, end = self._decode(self.buffer, self.at)
            except json.JSONDecodeError as error:
                if self.ended or len(self.buffer) - self.at > ELEMENT:
                    line = self.line + self.buffer.count("\n", self.at, error.pos)
                    raise self.wrong(error.msg, line) from None
            except RecursionError:
                raise self.wrong("it is nested too deeply") from None
            else:
                if end < len(self.buffer) or self.ended:
                    self._take(end)
                    return value
            self._more(size)  # also after a number at the end, which may go on
            size *= 2

    def wrong(self, what: str, line: int | None = None) -> SetupError:
        """Return the letter about what is wrong, and where."""
        said = f"{self.path}, line {line or self.line}, is no table in JSON: {what}."
        return SetupError("new.from.json", said, hint=EXPECTED)

    def _take(self, end: int) -> None:
        self.line += self.buffer.count("\n", self.at, end)
        self.at = end

    def _more(self, size: int) -> None:
        try:
            read = self.file.read(size)
        except UnicodeDecodeError as error:
            raise self.wrong(f"it is not all {error.encoding}") from None
        self.ended = not read
        self.buffer, self.at = self.buffer[self.at :] + read, 0

    def _constant(self, name: str) -> None:
        self.constants += 1  # NaN and Infinity are no JSON; pandas writes them for nothing


class Rows:
    """Objects that become rows of one table, and the tables below it."""

    def __init__(
        self, stage: Stage, name: str, origin: str, parent: int | None = None, depth: int = 0
    ) -> None:
        self.stage, self.depth = stage, depth
        row = "line" if parent is None else "row"
        self.raw = RawTable(name, origin, row=row, parent=parent)
        self.sheet: Sheet = stage.sheet(self.raw)
        self.columns: dict[str, int] = {}
        self.below: dict[str, Rows] = {}

    def put(self, row: dict[str, Any], line: int, parent: int | None = None) -> None:
        """Keep one object, and the rows of its lists."""
        values: list[Any] = [None] * len(self.columns)
        lists = []
        for key, value in row.items():
            if self.depth < DEEP and _is_table(value):
                lists.append((key, value))
                continue
            at = self.columns.get(key)
            if at is None:
                at = self.columns[key] = self.sheet.widen(RawColumn(key))
                values.append(None)
            values[at] = stored(value)
        number = self.sheet.put(line, values, parent)
        for key, value in lists:
            self._under(key, value, line, number)

    def _under(self, key: str, rows: list[dict[str, Any]], line: int, parent: int) -> None:
        below = self.below.get(key)
        if below is None:
            origin = f"{self.raw.origin}, {key}"
            below = Rows(self.stage, key, origin, self.sheet.number, self.depth + 1)
            self.below[key] = below
        for row in rows:
            below.put(row, line, parent)


def _is_table(value: Any) -> bool:
    return type(value) is list and bool(value) and all(type(one) is dict and one for one in value)


def _has_lines(path: Path, encoding: str) -> bool:
    """Tell whether each line of the file is an object."""
    with path.open(encoding=encoding) as file:
        try:
            line = ""
            while not line.strip() and (line := file.readline(ELEMENT)):
                pass
            if not isinstance(json.loads(line), dict):
                return False
            while (line := file.readline(READ)) and not line.strip():
                pass
        except (ValueError, RecursionError):
            return False
    return line.lstrip().startswith("{") or path.suffix.lower() in (".jsonl", ".ndjson")


def _row(text: Text, rows: Rows) -> None:
    line = text.line
    value = text.value()
    if type(value) is dict:
        rows.put(value, line)
    else:
        rows.sheet.reject(line, f"is no object but {json.dumps(value)[:40]}", [])


def _array(text: Text, rows: Rows) -> None:
    text.skip("[")
    if text.skip("]"):
        return
    while True:
        text.peek()
        _row(text, rows)
        if text.skip("]"):
            return
        if not text.skip(","):
            raise text.wrong(f"a comma is missing before {text.peek() or 'its end'!r}")


def _tables(text: Text, stage: Stage) -> None:
    """Read one object: each list of objects in it is a table."""
    text.skip("{")
    while not text.skip("}"):
        key = text.value()
        if not isinstance(key, str) or not text.skip(":"):
            raise text.wrong("a key or a colon is missing")
        if text.peek() == "[":
            _array(text, Rows(stage, key, f"{text.path.name}, {key}"))
        else:
            text.value()
            stage.notes.append(f"{text.path.name}: {key!r} is no list, so it was left out")
        if not text.skip(",") and text.peek() != "}":
            raise text.wrong(f"a comma is missing before {text.peek() or 'its end'!r}")
