"""What a client asks a list or a row for, out of the query string.

    ?fields=title,author.name&include=reviews   ->  a compiled reading, made once, kept
    ?q=whale&price.ge=5&sort=-published         ->  conditions and the order
    ?size=50&cursor=...                         ->  which page

Every name is looked up among those that the plan allows; none is ever part of SQL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect

from carboy.base.errors import RequestFault
from carboy.data.search import search

if TYPE_CHECKING:
    from carboy.data.clauses import Clause
    from carboy.data.reads import Reading
    from carboy.resource.declared import Resource
    from carboy.resource.plan import Plan

__all__ = ["MAX_SIZE", "OURS", "Asked", "Shapes", "ask"]

OURS = ("q", "sort", "size", "cursor", "fields", "include")
NAMED = frozenset(OURS)
MAX_SIZE = 100  # rows of a page
MOST_NAMES = 100  # in fields=
KEPT = 200  # readings of one resource; a client that asks for more sorts pays for them

Wrong = list[dict[str, Any]]


@dataclass(frozen=True)
class Asked:
    """What was asked: conditions, the order, the rows of a page, and what of each."""

    clauses: tuple[Clause, ...]
    order: tuple[str, ...]
    size: int
    cursor: str | None
    reading: Reading


class Shapes:
    """The readings of one resource, by what is wanted of its rows."""

    def __init__(self, plan: Plan, resources: Iterable[Resource]) -> None:
        self.plan = plan
        self._resources = resources
        self._kept: dict[tuple[str, ...], Reading] = {}
        self._asked: dict[tuple[str | None, str | None], Reading] = {}
        self.whole = self._reading(self.own)

    @property
    def own(self) -> tuple[str, ...]:
        """All that is shown of a row itself."""
        return tuple(dict.fromkeys((*self.plan.key, *self.plan.fields)))

    @cached_property
    def links(self) -> Mapping[str, Plan]:
        """The relations that may be included, and the plans of what they lead to."""
        by_model: dict[Any, Plan] = {}
        for one in self._resources:
            if one.api:
                by_model.setdefault(one.model, one.plan)
        relations = inspect(self.plan.model).relationships
        return {
            prop.key: by_model[prop.mapper.class_]
            for prop in relations
            if prop.mapper.class_ in by_model
        }

    def reading(self, fields: str | None, include: str | None) -> Reading:
        """Return the reading for two parameters of a query.

        Raises RequestFault 400 that names what is not allowed, and says what is.
        """
        if not fields and not include:
            return self.whole
        found = self._asked.get((fields, include))  # PERF: clients ask in the same words
        if found is None:
            if len(self._asked) >= KEPT:
                self._asked.clear()
            found = self._asked[fields, include] = self._checked(fields, include)
        return found

    def _checked(self, fields: str | None, include: str | None) -> Reading:
        wrong: Wrong = []
        wanted = {*(self._fields(fields, wrong) if fields else self.own)}
        for name in _split(include):
            if name in self.links:
                wanted |= {f"{name}.{one}" for one in self._members(name)}
            else:
                known = ", ".join(self.links) or "none"
                wrong.append(
                    _wrong("include", f"{_said(name)} cannot be included. Known: {known}.")
                )
        if wrong:
            raise RequestFault(400, "resources.fields", str(wrong[0]["msg"]), errors=wrong)
        return self._made(wanted)

    def _fields(self, text: str, wrong: Wrong) -> Iterable[str]:
        names = _split(text)
        if len(names) > MOST_NAMES:
            wrong.append(_wrong("fields", f"At most {MOST_NAMES} fields are named."))
            return ()
        for name in names:
            relation, dot, member = name.rpartition(".")
            known = self.own if not dot else self._members(relation)
            if (member if dot else name) not in known:
                listed = ", ".join(known or (*self.own, *(f"{one}.…" for one in self.links)))
                wrong.append(_wrong("fields", f"There is no {_said(name)}. Known: {listed}."))
        return names

    def _members(self, relation: str) -> tuple[str, ...]:
        plan = self.links.get(relation)
        return () if plan is None else tuple(dict.fromkeys((*plan.key, *plan.fields)))

    def _made(self, wanted: set[str]) -> Reading:
        # In one order, whatever the client's: as few readings as there are sets of names.
        everything = [*self.own]
        for relation in self.links:
            everything += [f"{relation}.{one}" for one in self._members(relation)]
        names = tuple(name for name in everything if name in wanted)
        found = self._kept.get(names)
        if found is None:
            if len(self._kept) >= KEPT:
                self._kept.clear()
            found = self._kept[names] = self._reading(names)
        return found

    def _reading(self, names: tuple[str, ...]) -> Reading:
        return self.plan.model.read(*names, order=self.plan.order)


def ask(shapes: Shapes, args: Any) -> Asked:
    """Return what *args*, a MultiDict, ask a list for.

    Raises RequestFault 400 or 422 for names and values that cannot be.
    """
    plan = shapes.plan
    ours: dict[str, str] = {}
    filters: list[tuple[str, str]] = []
    for name, texts in args.lists():
        if name not in NAMED:
            filters += [(name, text) for text in texts]
        elif len(texts) > 1:
            raise _refused(name, "This is given twice.")
        else:
            ours[name] = texts[0]
    words = ours.get("q")
    if words is not None and not plan.searched:
        raise _refused("q", "This list has no search.")
    clauses = [*plan.resource.clauses(), *plan.filters.parse(filters, others=())]
    if words and words.strip():
        clauses.append(search(plan.model, words).clause)
    return Asked(
        clauses=tuple(clauses),
        order=plan.sorts.parse(ours.get("sort")),
        size=_size(plan, ours.get("size")),
        cursor=ours.get("cursor") or None,
        reading=shapes.reading(ours.get("fields"), ours.get("include")),
    )


def row_reading(shapes: Shapes, args: Any) -> Reading:
    """Return what is wanted of one row. Raises RequestFault 400 for other parameters."""
    for name in args:
        if name not in ("fields", "include"):
            raise _refused(_said(name), "There is no such parameter. Known: fields, include.")
    return shapes.reading(_once(args, "fields"), _once(args, "include"))


def _once(args: Any, name: str) -> str | None:
    found = args.getlist(name)
    if len(found) > 1:
        raise _refused(name, "This is given twice.")
    return found[0] if found else None


def _size(plan: Plan, text: str | None) -> int:
    if not text:
        return plan.size
    if text.isascii() and text.isdecimal() and len(text) < 5 and 1 <= int(text) <= MAX_SIZE:
        return int(text)
    raise _refused("size", f"This is a whole number from 1 to {MAX_SIZE}.", 422)


def _split(text: str | None) -> list[str]:
    return text.split(",", MOST_NAMES + 1) if text else []


def _said(name: str) -> str:
    """Return a name to say back: short, and without signs that nobody sees."""
    return "".join(sign if sign.isprintable() else "?" for sign in name[:80])


def _wrong(name: str, message: str) -> dict[str, Any]:
    return {"loc": ["query", name], "msg": message, "type": "name"}


def _refused(name: str, message: str, status: int = 400) -> RequestFault:
    return RequestFault(
        status, "resources.query", f"{name}: {message}", errors=[_wrong(name, message)]
    )
