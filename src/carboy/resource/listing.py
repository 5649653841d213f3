"""A list as a page: what was asked, the rows, and the addresses of what is near.

request.args  ->  search, filters, sort, cursor  ->  one page of the compiled reading
                                                 ->  Listing, for the template
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from weakref import WeakKeyDictionary

from flask import request

from carboy.base.errors import RequestFault
from carboy.data.db import db
from carboy.data.search import search
from carboy.resource.cells import shower
from carboy.resource.may import may, those
from carboy.resource.narrow import Control, controls

if TYPE_CHECKING:
    from collections.abc import Callable

    from markupsafe import Markup

    from carboy.data.clauses import Clause
    from carboy.data.keyset import Page
    from carboy.resource.plan import Column, Plan

__all__ = ["Heading", "Listing", "Row", "asked", "listing"]

OURS = frozenset({"q", "sort", "size", "cursor"})
MAX_SIZE = 100


@dataclass(frozen=True)
class Heading:
    """The head of a column. sorted: "ascending", "descending" or ""; url: sorts by it, or ""."""

    label: str
    number: bool
    sorted: str
    url: str


@dataclass(frozen=True)
class Row:
    """One row: the key in addresses, its title, cells in the order of the columns."""

    key: str
    title: str
    cells: tuple[Markup, ...]
    editable: bool
    deletable: bool


@dataclass(frozen=True)
class Listing:
    """What `resource/list.html` shows.

    q: the words searched for. controls: of filters. narrowed: whether any is in use.
    prev, next: addresses, or "". query: what narrows and sorts, for exports.
    """

    plan: Plan
    headings: tuple[Heading, ...]
    rows: tuple[Row, ...]
    q: str
    sort: str
    controls: tuple[Control, ...]
    narrowed: bool
    prev: str
    next: str
    query: str
    may_create: bool
    picks: bool


def asked(plan: Plan, args: Any) -> tuple[list[Clause], tuple[str, ...]]:
    """Return the conditions and the order that *args* ask for.

    Raises RequestFault 400 or 422 for names and values that cannot be.
    """
    clauses = [*plan.resource.clauses(), *plan.filters.parse(_ungiven(args))]
    words = args.get("q", "").strip()
    if words and plan.searched:
        clauses.append(search(plan.model, words).clause)
    return clauses, plan.sorts.parse(args.get("sort"))


def listing(plan: Plan) -> Listing:
    """Return the list that this request asks for."""
    args = request.args
    clauses, order = asked(plan, args)
    page = db.keyset(plan.listing, *clauses, order=order, size=_size(plan, args), name=plan.name)
    rows = page.items
    keys = [_key(plan, row) for row in rows]
    editable = those(plan, keys, "update")
    deletable = those(plan, keys, "delete")
    showers = _showers(plan)
    found = controls(plan, args)
    return Listing(
        plan=plan,
        headings=tuple(_heading(one, order, args) for one in plan.columns),
        rows=tuple(
            Row(plan.key_text(row), plan.title_of(row), tuple(show(row) for show in showers),
                key in editable, key in deletable)
            for row, key in zip(rows, keys, strict=True)
        ),
        q=args.get("q", ""),
        sort=args.get("sort", ""),
        controls=found,
        narrowed=any(one.used for one in found) or bool(args.get("q")),
        prev=_turned(args, page, page.prev),
        next=_turned(args, page, page.next),
        query=urlencode([(k, v) for k, v in args.items(multi=True) if k not in ("cursor", "size")]),
        may_create=may(plan.model, "create"),
        picks=bool(deletable),
    )  # fmt: skip


def _key(plan: Plan, row: Any) -> Any:
    parts = tuple(getattr(row, name) for name in plan.key)
    return parts[0] if len(parts) == 1 else parts


def _showers(plan: Plan) -> Sequence[Callable[[Any], Markup]]:
    found = _made.get(plan)
    if found is None:
        found = _made[plan] = tuple(shower(one) for one in plan.columns)
    return found


_made: WeakKeyDictionary[Plan, Sequence[Callable[[Any], Markup]]] = WeakKeyDictionary()


def _size(plan: Plan, args: Any) -> int:
    text = args.get("size", "")
    if not text:
        return plan.size
    if text.isascii() and text.isdecimal() and len(text) < 5 and 1 <= int(text) <= MAX_SIZE:
        return int(text)
    raise RequestFault(
        422, "resources.size", f"size must be a whole number from 1 to {MAX_SIZE}.",
        errors=[{"loc": ["query", "size"], "msg": "size is no such number.", "type": "size"}],
    )  # fmt: skip


def _ungiven(args: Any) -> Any:
    """Return *args* without what is ours, and without fields that were left empty."""
    kept = [(name, text) for name, text in args.items(multi=True)
            if name not in OURS and text.strip()]  # fmt: skip
    return kept


def _heading(column: Column, order: tuple[str, ...], args: Any) -> Heading:
    first = order[0] if order else ""
    is_first = bool(column.sort) and first.removeprefix("-") == column.sort
    down = first.startswith("-")
    url = ""
    if column.sort:
        url = _with(args, sort=f"-{column.sort}" if is_first and not down else column.sort)
    sorted_ = ("descending" if down else "ascending") if is_first else ""
    return Heading(column.label, column.number, sorted_, url)


def _turned(args: Any, page: Page, cursor: str | None) -> str:
    return _with(args, cursor=cursor) if cursor else ""


def _with(args: Any, **changed: str) -> str:
    """Return the query of this page with parameters changed; a new order begins at page one."""
    kept = [(k, v) for k, v in args.items(multi=True) if k not in changed and k != "cursor" and v]
    return "?" + urlencode([*kept, *changed.items()])
