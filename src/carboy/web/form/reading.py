"""Reading a post: from names and texts to values by field, every mistake noted.

    posted, files  ->  read()  ->  Reading: values for the schema, texts to show again,
                                   errors by field, the button that was pressed

    title=Emma                     one field              items-0-title=...   a column of a row
    author_id-q, author_id-search  a search for choices   items-add, items-0-remove   buttons

Nothing is dropped silently: a name that no field has is an error, and so is a second value.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from werkzeug.datastructures import FileStorage, MultiDict

from carboy.web.form.files import checked
from carboy.web.form.messages import sentence, unknown
from carboy.web.form.spec import FILES, FieldSpec
from carboy.web.form.values import Refused, parsed

__all__ = ["KEY_NAME", "OURS", "WRONG", "Reading", "Row", "read"]

KEY_NAME = "form_key"
OURS = frozenset({"csrf_token", KEY_NAME, "row_version"})  # and whatever begins with "_"
MOST_ROWS = 200  # of one list in a form
MOST_UNKNOWN = 10  # names that are told
INDEXED = re.compile(r"(\d{1,4})-(.+)", re.ASCII | re.DOTALL)
WRONG: Any = type("Wrong", (), {"__repr__": lambda self: "WRONG"})()
"""Stands for a value that could not be read, so that no default takes its place."""

Texts = MultiDict[str, str]
Files = MultiDict[str, FileStorage]


@dataclass
class Row:
    """A row of a list, as it was typed."""

    texts: Texts
    files: Files


@dataclass
class Reading:
    """What was found in a post.

    values: for the schema. emptied: fields that were sent without a value.
    texts: what was typed, by field. rows: the same of lists. searches: of combos.
    redo: a button was pressed that changes the form and does not send it.
    """

    values: dict[str, Any] = field(default_factory=dict)
    emptied: set[str] = field(default_factory=set)
    texts: dict[str, list[str]] = field(default_factory=dict)
    rows: dict[str, list[Row]] = field(default_factory=dict)
    searches: dict[str, str] = field(default_factory=dict)
    errors: dict[str, list[str]] = field(default_factory=dict)
    form_errors: list[str] = field(default_factory=list)
    redo: bool = False
    blank: bool = True  # nothing was typed anywhere: an empty row is none

    def refuse(self, spec: FieldSpec, rule: str, name: str = "") -> None:
        """Note that the value of a field breaks *rule*."""
        self.errors.setdefault(name or spec.name, []).append(sentence(spec, rule))


def read(
    fields: Sequence[FieldSpec], posted: Texts, files: Files, beside: Collection[str] = ()
) -> Reading:
    """Return what *posted* and *files* hold for *fields*."""
    found = Reading()
    known: set[str] = set()
    for spec in fields:
        known.add(spec.name)
        if not isinstance(spec.choices, tuple):
            known |= {f"{spec.name}-q", f"{spec.name}-search"}
        if spec.kind == "rows":
            known |= _read_rows(found, spec, posted, files)
        elif spec.kind in FILES:
            _read_files(found, spec, files)
        else:
            _read_field(found, spec, posted)
    _read_buttons(found, fields, posted)
    uploads = {spec.name for spec in fields if spec.kind in FILES}
    names = [name for name in posted if name not in known or name in uploads]
    names += [name for name, file in files.items(multi=True) if file and name not in known]
    names += [spec.name for spec in fields if spec.kind not in FILES and files.get(spec.name)]
    _note_unknown(found, names, beside)
    return found


def _note_unknown(found: Reading, names: Iterable[str], beside: Collection[str]) -> None:
    for name in dict.fromkeys(names):
        if name in OURS or name in beside or name.startswith("_"):
            continue
        if len(found.form_errors) >= MOST_UNKNOWN:
            return
        found.form_errors.append(unknown(name))


def _read_field(found: Reading, spec: FieldSpec, posted: Texts) -> None:
    texts = posted.getlist(spec.name)
    if texts:
        found.texts[spec.name] = texts
        found.blank = found.blank and (spec.kind == "boolean" or not any(texts))
    if spec.multiple:
        _read_many(found, spec, texts)
    elif len(texts) > 1:
        found.refuse(spec, "doubled")
        found.values[spec.name] = WRONG
    elif texts:
        _read_one(found, spec, texts[0])
    elif spec.kind == "boolean" and spec.widget not in ("select", "radio"):
        found.values[spec.name] = False  # HTML sends no unticked box


def _read_one(found: Reading, spec: FieldSpec, text: str) -> None:
    try:
        value = parsed(spec, text)
    except Refused as refused:
        found.refuse(spec, refused.rule)
        value = WRONG
    if value is None:
        found.emptied.add(spec.name)
    else:
        found.values[spec.name] = value


def _read_many(found: Reading, spec: FieldSpec, texts: list[str]) -> None:
    values = []
    for text in dict.fromkeys(texts):  # the same box twice is that box
        try:
            value = parsed(spec, text)
        except Refused as refused:
            found.refuse(spec, refused.rule)
            found.values[spec.name] = WRONG
            return
        values += [] if value is None else [value]
    if spec.required and not values:
        found.refuse(spec, "required")
    found.values[spec.name] = values


def _read_files(found: Reading, spec: FieldSpec, files: Files) -> None:
    sent = [file for file in files.getlist(spec.name) if file]
    found.blank = found.blank and not sent
    if len(sent) > 1 and not spec.multiple:
        found.refuse(spec, "doubled")
        return
    try:
        made = [checked(spec, file) for file in sent]
    except Refused as refused:
        found.refuse(spec, refused.rule)
        return
    if made:
        found.values[spec.name] = made if spec.multiple else made[0]


def _read_rows(found: Reading, spec: FieldSpec, posted: Texts, files: Files) -> set[str]:
    """Read the rows of a list in their order; return the names that were theirs."""
    rows: dict[int, Row] = {}
    theirs = {f"{spec.name}-add"}
    columns = {one.name for one in spec.fields}
    for source, into in ((posted, "texts"), (files, "files")):
        for name, value in source.items(multi=True):
            match = INDEXED.fullmatch(name[len(spec.name) + 1 :])
            if not name.startswith(f"{spec.name}-") or match is None:
                continue
            number, column = int(match[1]), match[2]
            if column == "remove" or column.split("-")[0] in columns:
                theirs.add(name)
                row = rows.setdefault(number, Row(MultiDict(), MultiDict()))
                getattr(row, into).add(column, value)
    gone = {number for number, row in rows.items() if "remove" in row.texts}
    kept = [rows[number] for number in sorted(rows) if number not in gone]
    if len(kept) > MOST_ROWS:
        found.errors.setdefault(spec.name, []).append(
            sentence(spec, "too_long", {"max_length": MOST_ROWS})
        )
        kept = kept[:MOST_ROWS]
    found.redo |= bool(gone)
    found.rows[spec.name] = kept
    found.values[spec.name] = _values_of(found, spec, kept)
    return theirs


def _values_of(found: Reading, spec: FieldSpec, rows: list[Row]) -> list[dict[str, Any]]:
    """Return the values of *rows*; those in which nothing was typed are left out."""
    values = []
    filled: list[Row] = []
    for row in rows:
        one = read(spec.fields, row.texts, row.files)
        found.redo |= one.redo
        if one.blank:
            continue
        head = f"{spec.name}-{len(filled)}"
        found.errors |= {f"{head}-{name}": texts for name, texts in one.errors.items()}
        found.form_errors += one.form_errors
        found.searches |= {f"{head}-{name}": text for name, text in one.searches.items()}
        filled.append(row)
        values.append(one.values)
    found.blank = found.blank and not filled
    if len(filled) < len(rows) and not found.redo:
        rows[:] = filled
    return values


def _read_buttons(found: Reading, fields: Sequence[FieldSpec], posted: Texts) -> None:
    """Note searches, and whether a button asks for another row or for choices."""
    for spec in fields:
        if f"{spec.name}-q" in posted:
            found.searches[spec.name] = posted[f"{spec.name}-q"][:100]
        if not isinstance(spec.choices, tuple):
            found.redo |= f"{spec.name}-search" in posted
        if spec.kind == "rows" and f"{spec.name}-add" in posted:
            found.redo = True
            if len(found.rows[spec.name]) < MOST_ROWS:
                found.rows[spec.name].append(Row(MultiDict(), MultiDict()))
