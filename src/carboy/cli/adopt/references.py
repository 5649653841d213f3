"""References: which rows belong to which.

declared   a foreign key of the source; one column is belongs_to(), several stay SQL
guessed    a column called like another table or its key, all of whose values are there
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from carboy.base.errors import SetupError
from carboy.cli.adopt.drafts import Column, Draft, Link, RawReference
from carboy.cli.adopt.keys import as_text, can_be_key, in_words, is_unique, take_key
from carboy.cli.adopt.names import attribute, plain, unique_name

if TYPE_CHECKING:
    from carboy.cli.adopt.staging import Sheet, Stage

__all__ = ["find_references"]

ENDINGS = re.compile(r"_(?:id|key|code|no|nr|number|fk|ref)$")
THEMSELVES = {"parent", "manager", "boss", "supervisor", "reports_to", "reply_to", "predecessor"}
SHOWN = 30  # characters of a value in a comment


def find_references(drafts: list[Draft], stage: Stage, *, skip_bad: bool) -> None:
    """Link every column that refers to another table."""
    for one in drafts:
        for reference in one.raw.references:
            _declared(one, reference, drafts, stage, skip_bad)
    for one in drafts:
        for column in one.columns:
            if column.link is None and column.at >= 0 and _may_refer(one, column):
                _guess(one, column, drafts, stage)


def _declared(
    one: Draft, reference: RawReference, drafts: list[Draft], stage: Stage, skip_bad: bool
) -> None:
    target = next((d for d in drafts if d.raw.name.lower() == reference.table.lower()), None)
    if target is None:
        said = f"refers to {reference.table}, which is not there"
        one.unsure.append(f"({', '.join(reference.columns)}) {said}")
        return
    columns = [_called(one, name) for name in reference.columns]
    targets = [_called(target, name) for name in reference.targets if name] or [
        _called(target, name) for name in target.raw.key
    ]
    if len(columns) != len(targets):
        one.unsure.append(f"({', '.join(reference.columns)}) does not fit {reference.table}'s key")
        return
    if len(columns) == 1 and columns[0].link is not None:
        return  # said twice
    if len(columns) == 1 and targets == target.key and not columns[0].key:
        if not _orphans(one, columns[0], target, targets[0], stage, skip_bad):
            _link(one, columns[0], target, targets[0], guessed=False)
        return
    one.links_of_many.append(
        (
            tuple(str(column.at) for column in columns),
            target.table,
            tuple(str(column.at) for column in targets),
        )
    )
    for column in (*columns, *targets):
        as_text(column)


def _orphans(
    one: Draft, column: Column, target: Draft, key: Column, stage: Stage, skip_bad: bool
) -> bool:
    """Tell whether a declared reference is broken in some rows; refuse unless these may go."""
    sheet, other = stage.sheets[one.number], stage.sheets[target.number]
    count, row, value = sheet.strays(column.at, other, key.at)
    if not count or skip_bad:
        return False
    raise SetupError(
        "new.from.rows_wrong",
        f"{one.raw.origin}, {one.raw.row} {row}, {column.source}: {str(value)[:SHOWN]!r} is no"
        f" {key.source} of {target.raw.name}"
        + (f", nor are {count - 1} more." if count > 1 else "."),
        hint="Nothing was written. Correct the source, or leave such rows out: --skip-bad puts"
        " them into rejected.csv with the reason.",
    )


def _called(one: Draft, source: str) -> Column:
    """Return the column called so; SQL does not mind capitals."""
    return next(c for c in one.columns if c.at >= 0 and c.source.lower() == source.lower())


def _link(one: Draft, column: Column, target: Draft, key: Column, *, guessed: bool) -> None:
    taken = {c.name for c in one.columns if c is not column}
    taken |= {c.link.name for c in one.columns if c.link}
    taken |= {one.parent.name} if one.parent else set()
    name = ENDINGS.sub("", column.name)
    if name == "id" or not name:
        name = "_".join(in_words(target))
    if name in taken:
        name = f"{name}_ref"
        column.notes.append(f"{name.removesuffix('_ref')} is another column")
    column.link = Link(unique_name(attribute(name, 1), taken), target.number, key.at, guessed)
    as_text(column)
    if column.kind == "text" or key.kind == "text":
        as_text(key)
    column.label = "" if ENDINGS.search(column.name) or not column.label else column.label
    if guessed:
        column.notes.append(f"each {column.source} is a {key.source or 'row'} of {target.raw.name}")


def _may_refer(one: Draft, column: Column) -> bool:
    return column.kind in ("integer", "text", "choice", "uuid") and not column.key


def _guess(one: Draft, column: Column, drafts: list[Draft], stage: Stage) -> None:
    """Link *column* when its name and all of its values say so; else tell what is missing."""
    sheet = stage.sheets[one.number]
    if not sheet.profiles[column.at].types:
        return
    for target, key in _candidates(one, column, drafts, stage):
        other = stage.sheets[target.number]
        if _group(column) != _group(key) or sheet.raw.typed != other.raw.typed:
            continue
        count, row, value = sheet.strays(column.at, other, key.at)
        if count:
            if count < sheet.count:
                column.unsure.append(
                    f"like a {key.source} of {target.raw.name}, but {count} are not there:"
                    f" {str(value)[:SHOWN]!r}, {one.raw.row} {row}"
                )
            continue
        if not key.key:
            take_key(target, key)
        _link(one, column, target, key, guessed=True)
        return


def _group(column: Column) -> str:
    return "text" if column.kind == "choice" else column.kind


def _candidates(
    one: Draft, column: Column, drafts: list[Draft], stage: Stage
) -> Iterator[tuple[Draft, Column]]:
    """Yield (table, its key) that *column* may refer to by its name."""
    stem = ENDINGS.sub("", column.name)
    for target in drafts:
        noun, plural = "_".join(in_words(target)), plain(target.raw.name)
        meant = stem in (noun, plural) or stem.endswith((f"_{noun}", f"_{plural}"))
        if target is one:
            meant = ENDINGS.search(column.name) is not None and (stem in THEMSELVES or meant)
        for key in _keys(target, stage.sheets[target.number]):
            same = plain(key.source) == plain(column.source) != "id" and target is not one
            long = column.name in (f"{noun}_{plain(key.source)}", f"{plural}_{plain(key.source)}")
            if key is not column and (meant or same or long):
                yield target, key


def _keys(target: Draft, sheet: Sheet) -> Iterator[Column]:
    """Yield the key of a table; where it has none of its own, columns that could be one."""
    if len(target.key) == 1:
        yield target.key[0]
    elif target.own_id and not target.raw.key and target.raw.parent is None:
        for column in target.columns:
            if column.unique and can_be_key(column, sheet) and is_unique(column, sheet):
                yield column
