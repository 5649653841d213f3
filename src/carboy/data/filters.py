"""Filters: what a client may narrow a list by, as names that were allowed.

    filters(Book, "price", "title", "author.name", ...)     declared once
        .parse(request.args)   ?price.ge=5&title.contains=em&author.name=Jane
            ->  Filtered       clauses for a Reading, .where() for a select
            ->  RequestFault   every wrong parameter at once, with what is known

A parameter is a name, or a name and an operator after a dot: the words of `field(ge=5)`
and of "author.name". A name only chooses among columns that were allowed, an operator
among conditions written here, and a value is read as what its field holds and bound: none
of them is ever part of SQL.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, bindparam

from carboy.base.errors import RequestFault, SetupError
from carboy.data.clauses import Clause
from carboy.data.conditions import conditions
from carboy.data.fields import Field, message
from carboy.data.listed import check_public, column_of, fields_of, unknown_name
from carboy.data.matches import Matches, PatternType
from carboy.data.nearby import reached, related
from carboy.data.typed_text import BOOLEANS, KINDS, Unreadable, read, written
from carboy.data.types import KINDS as KIND_OF

__all__ = ["MOST", "OPERATORS", "OTHERS", "Filtered", "Filters", "filters"]

MOST = 20  # parameters; more is nobody's question, and each is work for the database
LONGEST = 1_000  # characters of a value
LISTED = 50  # values of one "in"
SIZES = (1, 2, 5, 10, 20, LISTED)  # of lists in SQL: few forms, few texts
SHOWN = 80  # characters of a parameter's name that are said back

OTHERS = frozenset({"cursor", "page", "per_page", "q", "size", "sort"})
"""Parameters of lists that are no filters, unless they are allowed as such."""

ORDERED = ("lt", "le", "gt", "ge", "between")
SAME = ("eq", "ne", "in")
OPERATORS: dict[str, tuple[str, ...]] = {
    "text": (*SAME, "contains", "startswith", *ORDERED),
    "integer": (*SAME, *ORDERED),
    "number": (*SAME, *ORDERED),
    "decimal": (*SAME, *ORDERED),
    "datetime": (*SAME, *ORDERED),
    "date": (*SAME, *ORDERED),
    "time": (*SAME, *ORDERED),
    "boolean": ("eq", "ne"),
    "uuid": SAME,
    "choice": SAME,
}
"""Operators by kind of field; "null" is one more for a field that may be empty."""

RULES = {
    **dict.fromkeys(ORDERED, frozenset({"type", "ge", "le", "max_length"})),
    **dict.fromkeys(("contains", "startswith"), frozenset({"type", "max_length"})),
}
"""Which rules of a field a value must keep; where nothing is said, all of them."""


class Filtered(tuple[Clause, ...]):
    """The conditions a client asked for: `reading.rows(*found)`."""

    model: Any

    def where(self, entity: Any = None) -> list[ColumnElement[bool]]:
        """Return them for `select(Book).where(*...)`, or for a select of an alias."""
        return conditions(entity or self.model, self)


@dataclass(frozen=True)
class Target:
    """What one allowed name stands for.

    path: the relation to go along first, or "". attribute: of the row there.
    """

    name: str
    path: str
    attribute: str
    field: Field
    type: Any

    @property
    def operators(self) -> tuple[str, ...]:
        """The operators it has."""
        return (*OPERATORS[self.field.kind], *(("null",) if self.field.optional else ()))


class Filters:
    """The names that lists of *model* may be narrowed by; made by `filters`."""

    def __init__(self, model: Any, names: Sequence[str]) -> None:
        self.model = model
        self.names = tuple(names)
        self._targets: dict[str, Target] = {}
        for name in names:
            if not all(name.split(".")):
                raise unknown_name(model, name, fields_of(model), "column or relation")
            if "." not in name:
                self._targets[name] = _target(model, name)

    @property
    def targets(self) -> Mapping[str, Target]:
        """What the names stand for. Other models need not be there before this is used."""
        for name in self.names:
            if name not in self._targets:
                self._targets[name] = _target(self.model, name)
        return self._targets

    def parse(
        self, args: Any, *, others: Iterable[str] = OTHERS, known_only: bool = True
    ) -> Filtered:
        """Return the conditions in *args*: a query string's MultiDict, a dict, or pairs.

        An empty value asks for nothing, as an empty field of a form does.
        others: parameters that are not meant for us. known_only: refuse all the rest.
        Raises RequestFault, code data.filter: 400 for an unknown name or operator, a
        parameter given twice, more than 20; 422 for values that cannot be.
        """
        given = _given(args, frozenset(others) - set(self.names))
        if not known_only:
            given = {name: texts for name, texts in given.items() if self._resolve(name)}
        if len(given) > MOST:
            raise RequestFault(
                400, "data.filter", f"A list is narrowed by at most {MOST} parameters."
            )
        found, wrong = [], []
        for name, texts in given.items():
            try:
                found.append(self._clause(name, texts))
            except _Wrong as error:
                wrong.append(error)
        if wrong:
            raise _refused(wrong)
        made = Filtered(found)
        made.model = self.model
        return made

    def _resolve(self, name: str) -> tuple[Target, str] | None:
        """Return (what the name stands for, its operator); None for an unknown name."""
        targets = self.targets
        if name in targets:
            return targets[name], "eq"
        before, _, operator = name.rpartition(".")
        return (targets[before], operator) if before in targets else None

    def _clause(self, name: str, texts: list[str]) -> Clause:
        resolved = self._resolve(name)
        if resolved is None:
            known = ", ".join(self.names)
            raise _Wrong(400, name, f"There is no such filter. Known are: {known}.", "name")
        target, operator = resolved
        if operator not in target.operators:
            known = ", ".join(target.operators)
            raise _Wrong(
                400, name, f"{target.name} has no such operator. Known are: {known}.", "operator"
            )
        if len(texts) > 1 and operator != "in":
            raise _Wrong(400, name, f"This is given twice. Use {target.name}.in=a,b.", "twice")
        return self._made(target, operator, _values(name, target, operator, texts))

    def _made(self, target: Target, operator: str, values: list[Any]) -> Clause:
        empty = values[0] if operator == "null" else None
        count = len(values)
        names = [f"value{n}" for n in range(0 if operator == "null" else count)]
        kind = PatternType(operator) if operator in ("contains", "startswith") else target.type

        def build(columns: Any) -> ColumnElement[bool]:
            binds = [bindparam(name, type_=kind) for name in names]
            optional = target.field.optional

            def condition(column: Any) -> ColumnElement[bool]:
                found: ColumnElement[bool]
                found = _condition(operator, column, binds, optional, empty)
                return found

            if not target.path:
                return condition(columns[target.attribute])
            return reached(self.model, target.path, columns, target.attribute, condition)

        form = ("filter", target.name, operator, count, empty)
        return Clause(form, build, dict(zip(names, values, strict=False)))


def filters(model: Any, *names: str) -> Filters:
    """Return what lists of *model* may be narrowed by.

    names: attributes; a relation ("author") stands for the key of the row it leads to, and
    "author.name" for a column of that row, of any of them where there are many.
    Raises SetupError for an unknown name (data.list_name), one whose values are not for
    everybody (data.not_public), one that cannot be compared (data.filter_field).
    """
    return Filters(model, names)


class _Wrong(Exception):
    def __init__(self, status: int, name: str, message: str, kind: str) -> None:
        super().__init__(message)
        self.status, self.name, self.message, self.kind = status, name, message, kind


def _target(model: Any, name: str) -> Target:
    path, _, attribute = name.rpartition(".")
    if path:
        model = related(model, path, act="filtered by")
    fields = fields_of(model)
    by_relation = {field.relation: key for key, field in fields.items() if field.relation}
    attribute = by_relation.get(attribute, attribute)
    if attribute not in fields:
        raise unknown_name(model, attribute, {*fields, *by_relation}, "column or relation")
    check_public(model, [attribute], "filtered by")
    column = column_of(model, attribute)
    field = fields[attribute]
    if column.foreign_keys:
        python = next(iter(column.foreign_keys)).column.type.python_type
        field = replace(field, kind=KIND_OF.get(python, "other"), python=python)
    if field.kind not in KINDS:
        raise SetupError(
            "data.filter_field",
            f"{model.__name__} cannot be filtered by {attribute!r}: its values cannot be compared.",
            hint="Take a field of text, numbers, dates, choices, keys or booleans.",
        )
    return Target(name, path, attribute, field, column.type)


def _given(args: Any, others: frozenset[str]) -> dict[str, list[str]]:
    """Return the parameters that ask for something, with their values."""
    if hasattr(args, "items"):
        try:
            pairs = args.items(multi=True)  # Werkzeug's MultiDict
        except TypeError:
            pairs = args.items()
    else:
        pairs = args
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        if value != "" and name not in others:
            found.setdefault(str(name), []).append(str(value))
            if len(found) > MOST * 10:
                break  # it is refused in any case
    return found


def _values(name: str, target: Target, operator: str, texts: list[str]) -> list[Any]:
    """Return what is compared with. Raises _Wrong for values that cannot be."""
    if any(len(text) > LONGEST for text in texts):
        raise _Wrong(422, name, f"{target.name} has more than {LONGEST} characters.", "too_long")
    if operator == "null":
        if texts[0] not in BOOLEANS:
            raise _Wrong(422, name, "This is true or false.", "type")
        return [BOOLEANS[texts[0]]]
    if operator not in ("in", "between"):
        return [_value(name, target, operator, texts[0])]
    parts = [part for text in texts for part in _listed(name, text)]
    if operator == "between" and len(parts) != 2:
        raise _Wrong(422, name, f"This takes two values: {target.name}.between=a,b.", "between")
    if not parts:  # a line break alone
        raise _Wrong(422, name, f"This takes values: {target.name}.in=a,b.", "in")
    if len(parts) > LISTED:
        raise _Wrong(422, name, f"This takes at most {LISTED} values.", "too_long")
    values = [_value(name, target, operator, part) for part in parts]
    size = next(size for size in SIZES if size >= len(values))
    return values + [values[-1]] * (size - len(values) if operator == "in" else 0)


def _listed(name: str, text: str) -> list[str]:
    """Return the values in a list with commas; one with a comma is quoted, as in CSV."""
    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error:
        problem = 'A value with a comma is written "a,b", and " in it twice.'
        raise _Wrong(422, name, problem, "quotes") from None


def _value(name: str, target: Target, operator: str, text: str) -> Any:
    try:
        return read(target.field, text, rules=RULES.get(operator))
    except Unreadable as error:
        sentence = message(target.field, error.rule)
        if error.rule == "choice":
            sentence += f" Written here: {', '.join(written(target.field))}."
        raise _Wrong(422, name, sentence, error.rule) from None


def _condition(
    operator: str, column: Any, binds: list[Any], optional: bool, empty: bool | None
) -> Any:
    if operator == "null":
        return column.is_(None) if empty else column.is_not(None)
    if operator == "in":
        return column.in_(binds)
    if operator == "between":
        return column.between(*binds)
    if operator == "ne" and optional:
        return column.is_distinct_from(binds[0])  # what is empty is something else, too
    return _SIMPLE[operator](column, binds[0])


_SIMPLE: dict[str, Callable[[Any, Any], Any]] = {
    "eq": lambda column, bind: column == bind,
    "ne": lambda column, bind: column != bind,
    "lt": lambda column, bind: column < bind,
    "le": lambda column, bind: column <= bind,
    "gt": lambda column, bind: column > bind,
    "ge": lambda column, bind: column >= bind,
    "contains": Matches,
    "startswith": Matches,
}


def _refused(wrong: Sequence[_Wrong]) -> RequestFault:
    errors = [
        {"loc": ["query", _shown(one.name)], "msg": one.message, "type": one.kind} for one in wrong
    ]
    first = f"{_shown(wrong[0].name)}: {wrong[0].message}"
    more = f" And {len(wrong) - 1} more." if len(wrong) > 1 else ""
    status = min(one.status for one in wrong)
    return RequestFault(status, "data.filter", first + more, errors=errors)


def _shown(name: str) -> str:
    """Return a parameter's name to say back: short, and without signs that nobody sees."""
    return "".join(sign if sign.isprintable() else "?" for sign in name[:SHOWN])
