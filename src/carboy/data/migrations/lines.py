"""A change, and the lines of source that make it and take it back.

Line, Line, Line  ->  block()  ->  statements; those of one table under one `with`
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from carboy.data.migrations.rendertypes import quoted

__all__ = ["Change", "Line", "block"]


@dataclass(frozen=True)
class Line:
    """One statement.

    table: it belongs into `with ops.alter_table(table) as table:`. only: on this database.
    alone: the block has nothing else, for what follows uses a new name.
    """

    text: str
    table: str = ""
    only: str = ""
    alone: bool = False


@dataclass
class Change:
    """One difference. words: for people. up, down: statements, in order.

    loses: data, or may; then nobody applies it without being told to. on: table, or
    table.column. needs_value: rows that exist need one, and none is known. required: a
    column that goes may not be left out of a row until then.
    """

    words: str
    on: str
    up: list[Line]
    down: list[Line]
    loses: bool = False
    needs_value: bool = False
    required: bool = False


def block(lines: Iterable[Line]) -> list[str]:
    """Return *lines* as source, those of one table put into one block."""
    source: list[str] = []
    before: tuple[str, str] = ("", "")
    for line in lines:
        here = (line.table, line.only)
        before = ("", "") if line.alone else before
        indent = 0
        if line.only:
            if here != before or not line.table:
                source.append(f"if kinds.on({quoted(line.only)}):")
            indent = 1
        if line.table:
            if here != before:
                head = f"with ops.alter_table({quoted(line.table)}) as table:"
                source.append("    " * indent + head)
            indent += 1
        source += ["    " * indent + text for text in line.text.split("\n")]
        before = ("", "") if line.alone else here
    return source
