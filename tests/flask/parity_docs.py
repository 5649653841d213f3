"""The difference lists of docs/coming_from_flask.md, read back as data."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["PAGE", "documented"]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "coming_from_flask.md"
ROW = re.compile(r"^\| `(?P<id>[^`]+)` \| (?P<reason>[^|]*) \|$")


def documented(way: str) -> dict[str, str]:
    """Return test id -> reason, from the table after ``<!-- differences: WAY -->``.

    Raises ValueError when the page has no such table, or a row that is not one.
    """
    _, marker, rest = PAGE.read_text().partition(f"<!-- differences: {way} -->\n")
    if not marker:
        raise ValueError(f"{PAGE.name} has no table marked 'differences: {way}'.")
    table, _, _ = rest.partition("<!-- end -->")
    rows = [line for line in table.splitlines() if line.startswith("|")][2:]
    return dict(_row(line) for line in rows)


def _row(line: str) -> tuple[str, str]:
    found = ROW.match(line)
    if found is None:
        raise ValueError(f"{PAGE.name}: not '| `test id` | reason |': {line}")
    return found["id"], found["reason"].strip()
