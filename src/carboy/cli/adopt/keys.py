"""Keys: what tells the rows of a table apart.

declared   one whole number: it becomes `id`; a text: the key; several columns: see `_several`
not so     a column called id, or book_id in books, that is whole numbers without repetition
else       every row gets an id of ours, and codes that never repeat are unique
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from carboy.cli.adopt import converters as to
from carboy.cli.adopt.drafts import Column, Draft, Link
from carboy.cli.adopt.infer import CODES
from carboy.cli.adopt.names import plain, singular, unique_name

if TYPE_CHECKING:
    from carboy.cli.adopt.staging import Sheet, Stage

__all__ = ["can_be_key", "find_keys", "in_words", "is_unique", "link_nested", "take_key"]

INDEXED = 768  # characters; more than these no index of MariaDB takes
KEYS = frozenset({"text", "integer", "uuid", "date"})


def find_keys(drafts: Iterable[Draft], stage: Stage) -> None:
    """Choose the key of every table, and what is unique in it."""
    everything = [*drafts]
    for one in everything:
        sheet = stage.sheets[one.number]
        if one.raw.key:
            _declared(one, sheet, everything)
        else:
            _guessed(one, sheet)
        _free_id(one)
        for columns in one.raw.uniques:
            if set(columns) != set(one.raw.key) or one.own_id:
                _unique(one, [one.named(name) for name in columns])


def take_key(one: Draft, column: Column) -> None:
    """Make *column* the key; a whole number is called id."""
    column.optional, column.unique = False, False
    column.key, one.own_id = True, False
    as_text(column)
    if column.kind == "integer" and all(other.name != "id" for other in one.columns):
        column.name, column.label = "id", ""


def as_text(column: Column) -> None:
    """Let a key or reference be plain text, not an Enum; and short enough for an index."""
    if column.kind == "choice":
        column.kind, column.members = "text", {}
        column.notes = [note for note in column.notes if "values there are" not in note]
    column.search, column.widget = False, ""
    if column.kind == "text":
        column.max_length = min(column.max_length or 200, INDEXED)


def can_be_key(column: Column, sheet: Sheet) -> bool:
    """Tell whether a column could be one: of a plain kind, short, never empty."""
    kind = "text" if column.kind == "choice" else column.kind
    profile = sheet.profiles[column.at]
    return kind in KEYS and not profile.nulls and profile.longest <= INDEXED and sheet.count > 0


def is_unique(column: Column, sheet: Sheet) -> bool:
    """Tell whether no two rows agree in *column*; asks the stage."""
    distinct = sheet.profiles[column.at].distinct
    if distinct is not None and len(distinct) < sheet.count:
        return False
    return sheet.repeated([column.at]) is None


def link_nested(drafts: list[Draft]) -> None:
    """Let rows that were nested in others refer to them."""
    by_number = {one.number: one for one in drafts}
    for one in drafts:
        if one.raw.parent is None:
            continue
        parent = by_number[one.raw.parent]
        key = parent.key
        taken = {column.name for column in one.columns}
        name = unique_name("_".join(in_words(parent)), taken)
        one.parent = Link(name, parent.number, key[0].at if len(key) == 1 else -1)


def in_words(one: Draft) -> list[str]:
    """Return what one row of a table is called: ["order", "line"]."""
    words = (plain(one.raw.name) or "row").split("_")
    return [*words[:-1], singular(words[-1])]


def _declared(one: Draft, sheet: Sheet, drafts: list[Draft]) -> None:
    columns = [one.named(name) for name in one.raw.key]
    if len(columns) == 1:
        (column,) = columns
        if (not sheet.count or can_be_key(column, sheet)) and _kind(column) in KEYS:
            take_key(one, column)
        else:
            column.unique = column.kind != "json"
            one.unsure.append(f"the key {column.source} is no key for us: every row gets an id")
        return
    _several(one, columns, sheet, drafts)


def _several(one: Draft, columns: list[Column], sheet: Sheet, drafts: list[Draft]) -> None:
    """A key of several columns: kept where others refer to it, or nothing in it refers.

    Else the table says that rows of others belong together: an id and unique() say that in
    the way of Carboy, whose belongs_to() needs no key.
    """
    names = {column.source.lower() for column in columns}
    used = any(
        len(ref.columns) > 1 and ref.table.lower() == one.raw.name.lower()
        for other in drafts
        for ref in other.raw.references
    )
    refers = any(
        len(ref.columns) == 1 and ref.columns[0].lower() in names for ref in one.raw.references
    )
    fit = all(_kind(column) in KEYS and not sheet.profiles[column.at].nulls for column in columns)
    if fit and (used or not refers or any(column.name == "id" for column in columns)):
        one.own_id = False
        for column in columns:
            column.key, column.optional = True, False
            as_text(column)
        return
    one.notes.append(f"the key ({', '.join(one.raw.key)}) is kept by unique(); rows get an id")
    one.raw.uniques.insert(0, one.raw.key)


def _guessed(one: Draft, sheet: Sheet) -> None:
    noun = "_".join(in_words(one))
    wanted = ("id", f"{noun}_id", f"{plain(one.raw.name)}_id", "pk", "uuid", "_id")
    by_name = {column.name: column for column in one.columns}
    for name in wanted:
        column = by_name.get(name)
        if column is None or not can_be_key(column, sheet):
            continue
        if is_unique(column, sheet):
            take_key(one, column)
            column.notes.append("never repeats: taken as the key")
            return
        column.unsure.append("called like a key, but it repeats")
    for column in one.columns:
        fits = CODES.fullmatch(column.name) and column.convert is to.text
        if fits and sheet.count > 1 and can_be_key(column, sheet) and is_unique(column, sheet):
            _unique(one, [column])
            column.notes.append("never repeats")


def _unique(one: Draft, columns: list[Column]) -> None:
    """Say that rows differ in *columns*, where an index can."""
    room = sum(column.max_length or INDEXED + 1 for column in columns if _kind(column) == "text")
    if room > INDEXED or any(column.kind in ("json", "bytes") for column in columns):
        names = ", ".join(column.source for column in columns)
        one.unsure.append(f"({names}) is unique over there, and too long for an index here")
    elif len(columns) == 1:
        columns[0].unique = not columns[0].key
        as_text(columns[0])
    else:
        one.uniques.append(tuple(str(column.at) for column in columns))


def _kind(column: Column) -> str:
    return "text" if column.kind == "choice" else column.kind


def _free_id(one: Draft) -> None:
    """Keep the name `id` for the key."""
    for column in one.columns:
        if column.name == "id" and not column.key:
            column.name = unique_name("source_id", {c.name for c in one.columns})
            column.notes.append("called id over there")
