"""Write a migration file: what a person would have written, to be read and reviewed.

Plan  ->  write()  ->  migrations/0003_add_books.py
      ->  source() ->  the same as text, for `diff` and for the development database
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from carboy.data.migrations.folder import LONGEST, Folder
from carboy.data.migrations.lines import Change, block
from carboy.data.migrations.rendertypes import quoted
from carboy.data.migrations.wrap import wrapped

if TYPE_CHECKING:
    from pathlib import Path

    from carboy.data.migrations.plan import Plan

__all__ = ["source", "title_of", "write"]

NAMED = 2  # tables in a title before "and 3 more"


def write(folder: Folder, plan: Plan, message: str = "") -> Path:
    """Write the next file of *folder* and return its path.

    message: its title; without one, the first changes in words.
    Raises SetupError when the folder has two heads.
    """
    head = folder.head()
    title = message.strip() or title_of(plan.changes)
    revision = f"{folder.next_number()}_{_slug(title)}"[:LONGEST].rstrip("_")
    folder.path.mkdir(parents=True, exist_ok=True)
    path = folder.path / f"{revision}.py"
    path.write_text(source(plan, revision, head.revision if head else None, title), "utf-8")
    return path


def source(plan: Plan, revision: str, parent: str | None, title: str) -> str:
    """Return the text of a migration file."""
    up = block(line for change in plan.changes for line in change.up)
    down = block(line for change in reversed(plan.changes) for line in change.down)
    body = "\n".join([*up, *down])
    said = "\n".join(f"- {change.words}" for change in plan.changes)
    document = f"{title}\n\n{said}\n".replace("\\", "\\\\").replace('"""', "'''")
    return (
        f'"""{document}"""\n\n'
        + _imports(plan.imports, body)
        + f"\nrevision = {quoted(revision)}\ndown_revision = {quoted(parent) if parent else None}\n"
        + f"\n\ndef upgrade() -> None:\n{_indented(up)}\n\n\ndef downgrade() -> None:\n"
        + f"{_indented(down)}\n"
    )


def title_of(changes: Iterable[Change]) -> str:
    """Return a title for a file: "Add books", "Change books and reviews"."""
    changes = list(changes)
    new = [c.on for c in changes if c.words.startswith("new table")]
    if new:
        return f"Add {_and(new)}"
    return f"Change {_and(dict.fromkeys(c.on.partition('.')[0] for c in changes))}"


def _and(names: Iterable[str]) -> str:
    *most, last = names
    if len(most) > NAMED:
        most, last = most[:NAMED], f"{len(most) - NAMED + 1} more"
    return f"{', '.join(most)} and {last}" if most else last


def _slug(title: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_") or "change"
    return f"{words}_" if keyword.iskeyword(words) else words


def _imports(others: Iterable[str], body: str) -> str:
    """Return the import lines that *body* needs: others' packages, then ours."""
    found = set(others)
    if re.search(r"\bsa\.", body):
        found.add("import sqlalchemy as sa")
    if re.search(r"\bop\.", body):
        found.add("from alembic import op")
    ours = [name for name in ("kinds", "ops") if re.search(rf"\b{name}\.", body)]
    plain = sorted(line for line in found if line.startswith("import"))
    parts = [*plain, *sorted(found - set(plain))]
    mine = f"from carboy.data.migrations import {', '.join(ours)}\n" if ours else ""
    return "\n".join(parts) + ("\n" if parts else "") + ("\n" if parts and mine else "") + mine


def _indented(lines: list[str]) -> str:
    if not lines:
        return "    pass"
    return "\n".join(f"    {part}" if part else "" for line in lines for part in wrapped(line))
