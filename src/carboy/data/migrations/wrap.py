"""Wrap long calls as a formatter would: one argument a line, a comma after the last.

ops.add_column("books", sa.Column(...))  ->  ops.add_column(
                                                 "books",
                                                 sa.Column(...),
                                             )
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["wrapped"]

WIDTH = 92  # characters, before the indent of the function
OPENING, CLOSING = "([{", ")]}"


def wrapped(line: str) -> list[str]:
    """Return *line* in several where it is too long; what cannot be split stays.

    >>> wrapped("f(" + "a" * 60 + ", " + "b" * 60 + ")")[0]
    'f('
    """
    if len(line) <= WIDTH:
        return [line]
    indent = line[: len(line) - len(line.lstrip())]
    start = _outer_bracket(line)
    if start < 0:
        return [line]
    end = _closing(line, start)
    inner, tail = line[start + 1 : end], line[end:]
    parts = list(_arguments(inner))
    if len(parts) < 2 and "(" not in inner:
        return [line]
    lines = [line[: start + 1]]
    for part in parts:
        *most, last = wrapped(f"{indent}    {part}")
        lines += [*most, f"{last},"]
    return [*lines, f"{indent}{tail}"]


def _outer_bracket(line: str) -> int:
    """Return where the first bracket outside of texts opens, or -1."""
    for place, sign in _outside(line):
        if sign == "(":
            return place
    return -1


def _closing(line: str, start: int) -> int:
    depth = 0
    for place, sign in _outside(line):
        if place < start:
            continue
        depth += (sign in OPENING) - (sign in CLOSING)
        if depth == 0:
            return place
    return len(line)


def _arguments(inner: str) -> Iterator[str]:
    depth, begun = 0, 0
    for place, sign in _outside(inner):
        depth += (sign in OPENING) - (sign in CLOSING)
        if sign == "," and depth == 0:
            yield inner[begun:place].strip()
            begun = place + 1
    if inner[begun:].strip():
        yield inner[begun:].strip()


def _outside(line: str) -> Iterator[tuple[int, str]]:
    """Yield (place, sign) of what stands outside of texts."""
    quote, skip = "", False
    for place, sign in enumerate(line):
        if skip:
            skip = False
        elif quote:
            skip = sign == "\\"
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        else:
            yield place, sign
