"""CSV: what a file of delimited text is written in, and its rows.

    bytes  ->  encoding()  ->  dialect()  ->  header()  ->  rows: (line, cells)

The whole file is looked at once for its encoding: the first umlaut may come on line
90,000. Everything else is told by the beginning.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carboy.base.errors import SetupError
from carboy.cli.adopt.drafts import RawColumn, RawTable
from carboy.cli.adopt.formats import FORMATS, formats_for

__all__ = ["CsvFile", "encoding_of", "open_csv"]

SAMPLE = 256 * 1024  # bytes from which the dialect is told
CHUNK = 1 << 20
CELL = 4 << 20  # characters of one value; a quote that never ends must not read the whole file
DELIMITERS = ",;\t|"
UNDEFINED = frozenset(b"\x81\x8d\x8f\x90\x9d")  # bytes that Windows-1252 does not have
FEW = 16  # control characters that a text may hold, however short it is
CONTROL = bytes({*range(32)} - {9, 10, 12, 13, 27}) + b"\x7f"


@dataclass
class CsvFile:
    """One file, and how to read it."""

    path: Path
    encoding: str
    delimiter: str
    table: RawTable
    has_header: bool
    width: int
    blank: list[int]
    """Columns without a name, which count only when something is in them."""
    short: int = 0
    first_short: int = 0

    def rows(self) -> Iterator[tuple[int, list[str], str]]:
        """Yield (line, cells, what is wrong); the line is where the row begins."""
        with self.path.open(encoding=self.encoding, newline="") as file:
            yield from self._rows(file)

    def _rows(self, file: io.TextIOBase) -> Iterator[tuple[int, list[str], str]]:
        reader = _reader(file, self.delimiter)
        width, skip, line = self.width, self.has_header, 1
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise _unreadable(self.path, line, error) from error
            begin, line = line, reader.line_num + 1
            if not cells or (len(cells) == 1 and width > 1 and not cells[0].strip()):
                continue
            if skip:
                skip = False
                continue
            if len(cells) != width:
                if len(cells) > width and any(map(str.strip, cells[width:])):
                    wrong = f"has {len(cells)} values under {width} headers"
                    yield begin, cells, wrong
                    continue
                if len(cells) < width:
                    self.short += 1
                    self.first_short = self.first_short or begin
                cells = [*cells[:width], *[""] * (width - len(cells))]
            yield begin, cells, ""


def open_csv(path: Path) -> CsvFile:
    """Find out how *path* is written. Raises SetupError for what is no table of text."""
    encoding = encoding_of(path)
    with path.open(encoding=encoding, newline="", errors="replace") as file:
        text = file.read(SAMPLE)
    if not text.strip():
        raise _empty(path)
    cut = len(text) == SAMPLE
    delimiter = _delimiter(text, cut)
    sample = _sample(text, delimiter, cut)
    if not sample:
        raise _empty(path)
    head, body = sample[0], sample[1:]
    has_header = not _is_data(head)
    names = list(head) if has_header else [""] * len(head)
    notes = [] if has_header else ["has no line of headers: the columns are numbered"]
    widths = Counter(map(len, body))
    if has_header and body and min(widths) > len(head):
        names += [""] * (min(widths) - len(head))
        notes.append(f"has {len(head)} headers over {min(widths)} values: the last have no name")
    if has_header and not body and not cut:
        raise SetupError(
            "new.from.rows",
            f"{path} has a line of headers and no rows, so nothing tells what its columns hold.",
            hint="Add some rows, or write the models by hand: carboy new NAME",
        )
    if encoding not in ("utf-8", "utf-8-sig"):
        notes.append(f"is not UTF-8: read as {encoding}")
    table = RawTable(path.stem, path.name, row="line", typed=False, notes=notes)
    table.columns = [RawColumn(name.strip()) for name in names]
    blank = [at for at, name in enumerate(names) if not name.strip()]
    return CsvFile(path, encoding, delimiter, table, has_header, len(names), blank)


def encoding_of(path: Path) -> str:
    """Return the encoding of a file, told by its marks and by all of its bytes.

    Raises SetupError (new.from.binary) for what is no text.
    """
    utf8, odd = codecs.getincrementaldecoder("utf-8")(), set[int]()
    valid, controls, size = True, 0, 0
    with path.open("rb") as file:
        head = file.read(4096)
        if (marked := _marked(head)) is not None:
            return marked
        chunk = head
        while chunk:
            size += len(chunk)
            controls += len(chunk) - len(chunk.translate(None, CONTROL))
            if valid:
                try:
                    utf8.decode(chunk)
                except UnicodeDecodeError:
                    valid = False
            if not chunk.isascii():
                odd |= UNDEFINED.intersection(chunk)
            chunk = file.read(CHUNK)
    if size and (b"\0" in head or (controls > FEW and controls * 100 > size)):
        raise SetupError(
            "new.from.binary",
            f"{path} is no text: it holds bytes that no table of text has.",
            hint="--from takes CSV, JSON and SQLite files. Save a spreadsheet as CSV first.",
        )
    try:
        utf8.decode(b"", final=True)
    except UnicodeDecodeError:
        valid = False
    return "utf-8" if valid else "latin-1" if odd else "cp1252"


def _marked(head: bytes) -> str | None:
    """Return an encoding that the first bytes tell."""
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    half = len(head) // 2
    if half >= 4:
        # Most letters of most files are ASCII: every other byte of UTF-16 is then a zero.
        even, odd = head[0 : half * 2 : 2].count(0), head[1::2].count(0)
        if odd > half * 0.6 and even < half * 0.05:
            return "utf-16-le"
        if even > half * 0.6 and odd < half * 0.05:
            return "utf-16-be"
    return None


def _reader(file: io.TextIOBase, delimiter: str) -> Any:
    csv.field_size_limit(CELL)
    return csv.reader(file, delimiter=delimiter)


def _sample(text: str, delimiter: str, cut: bool) -> list[list[str]]:
    """Return the first rows; the last one of a sample that was cut is left out."""
    try:
        rows = list(_reader(io.StringIO(text, newline=""), delimiter))
    except csv.Error:
        return []
    rows = rows[:-1] if cut else rows
    return [row for row in rows if any(map(str.strip, row))]


def _delimiter(text: str, cut: bool) -> str:
    """Return the sign that gives most rows the same number of values, above one."""
    best, score = ",", 0.0
    for sign in DELIMITERS:
        widths = Counter(map(len, _sample(text, sign, cut)[:2000]))
        if not widths:
            continue
        width, count = widths.most_common(1)[0]
        same = count / widths.total()
        if width > 1 and same * 100 + min(width, 50) / 50 > score:
            best, score = sign, same * 100 + min(width, 50) / 50
    return best


def _is_data(head: list[str]) -> bool:
    """Tell whether the first line is no header: each of its cells is a number or a date."""
    cells = [cell.strip() for cell in head if cell.strip()]
    return bool(cells) and all(
        any(one.fits_one(cell) for one in (*formats_for(cell)[:6], *FORMATS[4:])) for cell in cells
    )


def _empty(path: Path) -> SetupError:
    return SetupError(
        "new.from.empty",
        f"{path} is empty.",
        hint="--from reads tables from a file or a database that has some.",
    )


def _unreadable(path: Path, line: int, error: csv.Error) -> SetupError:
    return SetupError(
        "new.from.csv",
        f"{path}, line {line}: {error}.",
        hint="Usually a quotation mark is opened there and never closed.",
    )
