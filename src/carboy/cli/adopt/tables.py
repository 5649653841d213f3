"""Tables: from staged sheets to drafts of models.

sheets  ->  names and fields  ->  keys, references (keys.py)  ->  title, search, list
        ->  drafts, those that others refer to first

"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from carboy.cli.adopt import converters as to
from carboy.cli.adopt.drafts import Column, Draft
from carboy.cli.adopt.infer import infer
from carboy.cli.adopt.keys import find_keys, link_nested
from carboy.cli.adopt.names import attribute, class_name, label, plain, unique_name
from carboy.cli.adopt.references import find_references
from carboy.data.naming import table_name

if TYPE_CHECKING:
    from carboy.cli.adopt.staging import Sheet, Stage

__all__ = ["draft"]

LISTED = 6  # columns of a list
BRIEF = 120  # characters of a text that may stand in a list
TITLES = ("title", "name", "label", "subject", "full_name", "display_name", "headline")
LONG_TEXT = re.compile(r"text|body|comment|notes?|summary|overview|plot|abstract|descri|bio$")
NOT_SEARCHED = {"rank", "rowid"}  # names that a full text index has itself


def draft(stage: Stage, project: str, *, skip_bad: bool = False) -> list[Draft]:
    """Return what to make of everything on the stage, in the order of their making."""
    drafts: list[Draft] = []
    tables: set[str] = set()
    for sheet in stage.sheets:
        taken = {one.cls for one in drafts}
        cls = class_name(sheet.raw.name, project, taken)
        while table_name(cls) in tables:
            cls = class_name(f"{cls}Row", project, taken)
        tables.add(table_name(cls))
        made = Draft(sheet.number, sheet.raw, cls, table_name(cls), [], rows=sheet.count)
        made.notes += sheet.raw.notes
        made.columns = _columns(sheet, made, stage, skip_bad)
        drafts.append(made)
    find_keys(drafts, stage)
    link_nested(drafts)
    find_references(drafts, stage, skip_bad=skip_bad)
    for one in drafts:
        _name_enums(one, drafts)
        one.title = _title(one)
        _search(one)
        one.listed = _listed(one, stage.sheets[one.number])
    return _uncircled(_ordered(drafts))


def _uncircled(drafts: list[Draft]) -> list[Draft]:
    """Cut references to tables that come later: they refer back, and no table could be first."""
    seen: set[int] = set()
    tables: set[str] = set()
    for one in drafts:
        seen.add(one.number)
        tables.add(one.table)
        for column in one.columns:
            if column.link is not None and column.link.target not in seen:
                target = next(d for d in drafts if d.number == column.link.target)
                column.unsure.append(f"refers to {target.cls}, which refers back: no belongs_to()")
                column.link = None
        cut = [link for link in one.links_of_many if link[1] not in tables]
        for link in cut:
            one.links_of_many.remove(link)
            one.unsure.append(f"refers to {link[1]}, which refers back: no foreign key")
    return drafts


def _columns(sheet: Sheet, made: Draft, stage: Stage, skip_bad: bool) -> list[Column]:
    found: list[Column] = []
    taken: set[str] = set()
    below = {one.raw.name for one in stage.sheets if one.raw.parent == sheet.number}
    for at, raw in enumerate(sheet.raw.columns):
        profile = sheet.profiles[at]
        if not raw.name and not profile.types and not sheet.raw.typed:
            made.notes.append(f"column {at + 1} has no header and no values: left out")
            continue
        if raw.name in below and set(profile.distinct or ["?"]) == {b"[]"}:
            continue  # a list of rows that is empty here and there
        wanted = attribute(raw.name, at + 1)
        name = unique_name(wanted, taken)
        taken.add(name)
        column = infer(sheet, at, name, skip_bad=skip_bad)
        column.label = label(raw.name, name)
        if name != wanted:
            column.unsure.append(f"another column is called {raw.name!r} too")
        if not plain(raw.name):
            column.notes.append(f"column {at + 1} has no name that Python could use")
        found.append(column)
    return found


def _name_enums(one: Draft, drafts: Iterable[Draft]) -> None:
    """Give every Enum of the module a name of its own."""
    taken = {other.cls for other in drafts}
    taken |= {column.enum for other in drafts for column in other.columns}
    for column in one.columns:
        if column.kind == "choice" and not column.enum:
            name = "".join(word.capitalize() for word in column.name.split("_") if word)
            if name in taken or name in ("Enum", "Decimal", "Mapped", "Model", "Policy", "Carboy"):
                name = f"{one.cls}{name}"
            column.enum = unique_name(name, taken)
            taken.add(column.enum)


def _title(one: Draft) -> str:
    """Return the field that people call a row by."""
    texts = [c for c in one.columns if c.kind == "text" and not c.link and c.widget != "textarea"]
    by_name = {column.name: column for column in texts}
    for name in TITLES:
        if name in by_name:
            return name
    for column in texts:
        if column.name.endswith(("_title", "_name")) or column.name.startswith(("title_", "name_")):
            return column.name
    named = [
        c for c in texts if not c.optional and c.convert is to.text and (c.max_length or 0) > 2
    ]
    return named[0].name if named else ""


def _search(one: Draft) -> None:
    """Let people find rows by the words of their title and of long text."""
    for column in one.columns:
        if column.kind != "text" or column.link or column.key or column.name in NOT_SEARCHED:
            continue
        is_name = column.name == one.title or column.name.endswith(("_name", "_title", "name"))
        is_long = column.widget == "textarea" or bool(LONG_TEXT.match(column.name))
        column.search = (is_name or is_long) and (column.max_length or 99) > 3


def _listed(one: Draft, sheet: Sheet) -> tuple[str, ...]:
    """Return what a list shows; nothing when there is no choice."""
    brief = [column for column in one.columns if _brief(column)]
    if len(brief) <= LISTED and len(brief) == len(one.columns):
        return ()
    telling = [column for column in brief if _tells(column, sheet)] or brief
    first = [column for column in telling if column.name == one.title]
    rest = [column for column in telling if column.name != one.title]
    return tuple(field_name(column) for column in (*first, *rest)[:LISTED])


def field_name(column: Column) -> str:
    """Return the field of a column: that of a relation ends in _id."""
    return f"{column.link.name}_id" if column.link else column.name


def _brief(column: Column) -> bool:
    if column.kind in ("json", "bytes") or column.widget == "textarea":
        return False
    if column.key and column.name == "id" and column.kind == "integer":
        return False
    return column.kind != "text" or (column.max_length or BRIEF + 1) <= BRIEF or bool(column.link)


def _tells(column: Column, sheet: Sheet) -> bool:
    """Tell whether most rows have a value, and not all the same."""
    if column.at < 0:
        return True
    profile = sheet.profiles[column.at]
    distinct = profile.distinct
    return profile.nulls * 2 <= sheet.count and (distinct is None or len(distinct) > 1)


def _ordered(drafts: list[Draft]) -> list[Draft]:
    """Return *drafts* so that each comes after those it refers to, as far as that goes."""
    by_number = {one.number: one for one in drafts}
    done: list[Draft] = []
    entered: set[int] = set()

    def visit(one: Draft) -> None:
        if one.number in entered:
            return
        entered.add(one.number)
        for number in sorted(targets(one, drafts)):
            visit(by_number[number])
        done.append(one)

    for one in drafts:
        visit(one)
    return done


def targets(one: Draft, drafts: Iterable[Draft]) -> set[int]:
    """Return the numbers of the tables that *one* refers to, without itself."""
    numbers = {column.link.target for column in one.columns if column.link}
    numbers |= {one.parent.target} if one.parent else set()
    tables = {table for _, table, _ in one.links_of_many}
    numbers |= {other.number for other in drafts if other.table in tables}
    return numbers - {one.number}
