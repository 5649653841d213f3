"""The report: what was inferred, and what was not sure, in a few lines.

The same stands beside the lines of models.py; here it is for the terminal and the README.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from carboy.cli.adopt.tables import field_name

if TYPE_CHECKING:
    from carboy.cli.adopt.drafts import Column, Draft

__all__ = ["mapping", "summary", "unsure"]

TOLD = 12  # lines about what was not sure; the rest is in models.py


def summary(drafts: Sequence[Draft]) -> Iterator[str]:
    """Yield a line for each table: what it is called, how many rows, keys, relations."""
    by_number = {one.number: one for one in drafts}
    for one in drafts:
        parts = [f"{one.rows:,} rows", f"{len(one.columns)} columns"]
        keys = [column.name for column in one.key]
        parts.append(f"key {', '.join(keys)}" if keys else "a new id")
        links = [column.link for column in one.columns if column.link]
        links += [one.parent] if one.parent else []
        if links:
            parts.append("belongs to " + ", ".join(by_number[link.target].cls for link in links))
        yield f"{one.raw.origin} -> {one.cls}: {', '.join(parts)}"


def unsure(drafts: Sequence[Draft], notes: Sequence[str] = ()) -> list[str]:
    """Return what wants somebody's eye, shortened when it is much."""
    found = [*notes]
    for one in drafts:
        found += [f"{one.cls}: {note}" for note in (*one.notes, *one.unsure)]
        for column in one.columns:
            found += [f"{one.cls}.{field_name(column)}: {said}" for said in column.unsure]
    if len(found) > TOLD:
        rest = len(found) - TOLD
        found = [*found[:TOLD], f'{rest} more: look for "?" in models.py']
    return found


def mapping(drafts: Sequence[Draft]) -> Iterator[str]:
    """Yield the lines of a Markdown table: what came from where."""
    yield "| source | column | here | kind |"
    yield "|---|---|---|---|"
    for one in drafts:
        for column in one.columns:
            here = f"`{one.cls}.{field_name(column)}`"
            yield f"| {_cell(one.raw.origin)} | {_cell(column.source)} | {here} | {_kind(column)} |"


def _kind(column: Column) -> str:
    if column.link:
        return "reference"
    return f"{column.kind}, or nothing" if column.optional else column.kind


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;") or "(no name)"
