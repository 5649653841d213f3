"""The text of models.py: what a good engineer would have typed.

    drafts  ->  imports, Enums, classes, each field on a line with its comment

Lines are wrapped as `ruff format` wraps them.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from carboy.data.naming import label_of

if TYPE_CHECKING:
    from carboy.cli.adopt.drafts import Column, Draft, Link

__all__ = ["call", "models_text", "quoted"]

WIDTH = 100
PYTHON = {
    "text": "str", "integer": "int", "number": "float", "boolean": "bool", "decimal": "Decimal",
    "date": "dt.date", "datetime": "dt.datetime", "time": "dt.time", "uuid": "uuid.UUID",
    "bytes": "bytes",
}  # fmt: skip
JSON = {"dict": "dict[str, Any]", "list": "list[Any]", "": "dict[str, Any]"}


def models_text(drafts: Sequence[Draft], title: str, sources: str) -> str:
    """Return models.py. title: of the project. sources: where the data came from."""
    by_number = {one.number: one for one in drafts}
    written: set[int] = set()
    parts = [_opening(drafts, title, sources)]
    for one in drafts:
        parts += [_enum(column) for column in one.columns if column.kind == "choice"]
        parts.append(_class(one, by_number, written))
        written.add(one.number)
    return "\n\n\n".join(parts) + "\n"


def quoted(text: str) -> str:
    """Return *text* as Python source, with double quotes where that needs no escapes.

    >>> print(quoted("it's"), quoted('5"'))
    "it's" '5"'
    """
    shown = repr(text)
    if shown.startswith("'") and '"' not in text:
        return f'"{shown[1:-1]}"'
    return shown


def call(before: str, arguments: Sequence[str], indent: int, after: str = ")") -> str:
    """Return a call, wrapped as ruff does: whole, then its arguments on a line, then each."""
    whole = f"{before}{', '.join(arguments)}{after}"
    if indent + len(whole) <= WIDTH or not arguments:
        return whole
    space, inner = " " * indent, " " * (indent + 4)
    line = inner + ", ".join(arguments)
    if len(line) <= WIDTH:
        return f"{before}\n{line}\n{space}{after}"
    lines = "\n".join(_each(argument, indent + 4) for argument in arguments)
    return f"{before}\n{lines}\n{space}{after}"


def _each(argument: str, indent: int) -> str:
    """Return one argument on its line; a tuple that is too long on several."""
    space = " " * indent
    if indent + len(argument) + 1 <= WIDTH or not argument.endswith(")") or "=(" not in argument:
        return f"{space}{argument},"
    before, _, items = argument.partition("=(")
    lines = [f"{space}    {item}," for item in items.removesuffix(")").split(", ")]
    return "\n".join([f"{space}{before}=(", *lines, f"{space}),"])


def _opening(drafts: Sequence[Draft], title: str, sources: str) -> str:
    columns = [column for one in drafts for column in one.columns if not _is_plain_id(column)]
    kinds = {column.kind for column in columns if not column.link}
    text = f'"""The models of {title}.\n\n'
    text += textwrap.fill(
        f"Made by `carboy new --from` of {sources}, and yours now: change labels and rules, then"
        " run `carboy db make`. A comment that begins with \"?\" wants your decision.",
        WIDTH - 4, break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    text = text.replace("\\", "\\\\").replace('"""The', "\0").replace('"""', "'''")
    lines = [text.replace("\0", '"""The') + '\n"""', ""]
    standard = []
    if kinds & {"date", "datetime", "time"}:
        standard.append("import datetime as dt")
    if "choice" in kinds:
        standard.append("import enum")
    if "uuid" in kinds:
        standard.append("import uuid")
    if "decimal" in kinds:
        standard.append("from decimal import Decimal")
    if "json" in kinds:
        standard.append("from typing import Any")
    lines += [*standard, ""] if standard else []
    ours = ["Model", "Policy"]
    links = any(one.parent or any(column.link for column in one.columns) for one in drafts)
    ours += ["belongs_to"] if links else []
    ours += ["field"] if any(not column.link for column in columns) else []
    ours.append("role")
    ours += ["unique"] if any(one.uniques for one in drafts) else []
    lines.append(f"from carboy import {', '.join(ours)}")
    if any(one.links_of_many for one in drafts):
        lines.append("from sqlalchemy import ForeignKeyConstraint")
    lines.append("from sqlalchemy.orm import Mapped")
    return "\n".join(lines)


def _is_plain_id(column: Column) -> bool:
    """Tell whether a field is the id that every model has."""
    return column.key and column.name == "id" and column.kind == "integer"


def _enum(column: Column) -> str:
    what = f"{label_of(column.name)}: the values it may have."
    lines = [f"class {column.enum}(enum.Enum):", f'    """{what}"""', ""]
    lines += [f"    {name} = {quoted(value)}" for name, value in column.members.items()]
    return "\n".join(lines)


def _class(one: Draft, by_number: dict[int, Draft], written: set[int]) -> str:
    lines = [f"class {one.cls}(Model):", f'    """{_document(one)}"""', ""]
    for note in one.notes:
        lines += _comment(note)
    for note in one.unsure:
        lines += _comment(f"? {note}")
    for check in one.raw.checks:
        lines += _comment(f"? over there: CHECK ({check}); see `check` in docs/how-to/models.md")
    if one.parent is not None:
        lines += _relation(one, one.parent, False, False, "", by_number, written)
    for column in one.columns:
        lines += _lines(one, column, by_number, written)
    if lines[-1] == "":
        lines.pop()
    lines += ["", *_rules(one, by_number)]
    lines.append('    policy = Policy(read=role("staff") | role("admin"), write=role("admin"))')
    lines += _str(one)
    return "\n".join(lines)


def _document(one: Draft) -> str:
    words = label_of(one.cls)
    origin = one.raw.origin.replace("\\", "/").replace('"', "'")
    text = f"{words}: a row of {origin}."
    return text if len(text) < WIDTH - 10 else f"{words}."


def _comment(text: str) -> list[str]:
    text = " ".join(text.split())
    return textwrap.wrap(
        text, WIDTH - 4, initial_indent="    # ", subsequent_indent="    # ",
        break_on_hyphens=False,
    )  # fmt: skip


def _lines(one: Draft, column: Column, by_number: dict[int, Draft], written: set[int]) -> list[str]:
    notes = [*column.notes, *(f"? {said}" for said in column.unsure)]
    if _is_plain_id(column):
        return []
    if column.link is not None:
        lines = _relation(
            one, column.link, column.optional, column.unique, column.label, by_number, written
        )
    else:
        lines = [_field(column)]
    return _beside(lines, "; ".join(notes))


def _beside(lines: list[str], note: str) -> list[str]:
    """Put a comment beside a line, or above when it does not fit."""
    if not note:
        return lines
    if len(lines) == 1 and "\n" not in lines[0] and len(lines[0]) + len(note) + 4 <= WIDTH:
        return [f"{lines[0]}  # {' '.join(note.split())}"]
    return [*_comment(note), *lines]


def _field(column: Column) -> str:
    python = column.enum if column.kind == "choice" else PYTHON.get(column.kind, "")
    python = JSON[column.shape] if column.kind == "json" else python
    python = f"{python} | None" if column.optional else python
    return "    " + call(f"{column.name}: Mapped[{python}] = field(", _arguments(column), 4)


def _arguments(column: Column) -> list[str]:
    found = []
    if column.label:
        found.append(f"label={quoted(column.label)}")
    if column.unit:
        found.append(f"unit={quoted(column.unit)}")
    if column.kind == "text" and column.max_length:
        found.append(f"max_length={column.max_length}")
    if column.kind == "decimal":
        found += [f"digits={column.digits}"] if column.digits != 18 else []
        found += [f"places={column.places}"] if column.places != 2 else []
    if column.kind == "choice" and any(label_of(n) != v for n, v in column.members.items()):
        found.append(f"choices=[(one, one.value) for one in {column.enum}]")
    found += [f"{name}=True" for name in ("search", "unique", "key") if getattr(column, name)]
    if column.widget and column.kind == "text":
        found.append(f"widget={quoted(column.widget)}")
    return found


def _relation(
    one: Draft, link: Link, optional: bool, unique: bool, label: str,
    by_number: dict[int, Draft], written: set[int],
) -> list[str]:  # fmt: skip
    target = by_number[link.target]
    later = target.number not in written
    name = target.cls
    if later:
        name = f'"{name} | None"' if optional else f'"{name}"'
    elif optional:
        name = f"{name} | None"
    arguments = ['on_delete="cascade"'] if link is one.parent else []
    arguments += [f"label={quoted(label)}"] if label else []
    arguments += ["unique=True"] if unique else []
    return ["    " + call(f"{link.name}: Mapped[{name}] = belongs_to(", arguments, 4)]


def _rules(one: Draft, by_number: dict[int, Draft]) -> list[str]:
    """Return unique() over several fields, and foreign keys that only SQL can say."""
    lines = []
    if one.uniques:
        rules = [
            f"unique({', '.join(quoted(_meant(one, at)) for at in columns)})"
            for columns in one.uniques
        ]
        whole = f"    constraints = ({', '.join(rules)}{',' if len(rules) == 1 else ''})"
        if len(whole) > WIDTH:
            whole = "\n".join(
                ["    constraints = (", *(f"        {one}," for one in rules), "    )"]
            )
        lines.append(whole)
    if one.links_of_many:
        lines += _comment("belongs_to() refers to one key column; this is said in SQLAlchemy.")
        tables = {other.table: other for other in by_number.values()}
        lines.append("    __table_args__ = (")
        for columns, table, targets in one.links_of_many:
            mine = ", ".join(quoted(_stored(one, at)) for at in columns)
            there = ", ".join(quoted(f"{table}.{_stored(tables[table], at)}") for at in targets)
            made = call("ForeignKeyConstraint(", [f"[{mine}]", f"[{there}]"], 8)
            lines.append(f"        {made},")
        lines.append("    )")
    return lines


def _meant(one: Draft, at: str) -> str:
    column = one.column(int(at))
    assert column is not None
    return column.link.name if column.link else column.name


def _stored(one: Draft, at: str) -> str:
    column = one.column(int(at))
    assert column is not None
    return f"{column.link.name}_id" if column.link else column.name


def _str(one: Draft) -> list[str]:
    title = next((column for column in one.columns if column.name == one.title), None)
    if title is None:
        return []
    value = f'self.{title.name} or ""' if title.optional else f"self.{title.name}"
    return ["", "    def __str__(self) -> str:", f"        return {value}"]
