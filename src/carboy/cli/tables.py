"""Plain columns for terminals and pipes: nothing to import, nothing to unlearn in grep."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import rich_click as click

__all__ = ["columns", "width"]

GAP = 2
ELLIPSIS = "..."
LEAST = 12  # characters that the last column keeps however narrow the terminal


def width() -> int:
    """Return the width of the terminal in characters; COLUMNS overrides it."""
    return shutil.get_terminal_size((100, 24)).columns


def columns(head: Sequence[str], rows: Sequence[Sequence[str]], *, limit: int = 0) -> list[str]:
    """Return the lines of a table: *head* in bold, columns as wide as their content.

    head: n titles. rows: (m, n) texts. limit: cut the last column so that lines
    fit; its end is what stays, since the end of a path says most. 0 cuts nothing.
    """
    sizes = [max(len(row[index]) for row in (head, *rows)) for index in range(len(head))]
    before = sum(sizes[:-1]) + GAP * (len(sizes) - 1)
    last = max(LEAST, limit - before) if limit else sizes[-1]
    lines = [_line([*row[:-1], _cut(row[-1], last)], sizes) for row in (head, *rows)]
    return [click.style(lines[0], bold=True), *lines[1:]]


def _line(cells: Sequence[str], sizes: Sequence[int]) -> str:
    padded = (cell.ljust(size) for cell, size in zip(cells, sizes, strict=True))
    return (" " * GAP).join(padded).rstrip()


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else ELLIPSIS + text[len(ELLIPSIS) - size :]
