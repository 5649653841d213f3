"""Choices: the rows that a reference may name, through the policy of who asks.

choices_of(Author).options("aus", 20)   ->  [(3, "Jane Austen"), ...]
                  .label(3)             ->  "Jane Austen", None for what is hidden
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from carboy.base.errors import RequestFault
from carboy.data.clauses import Clause
from carboy.data.validity import broken_rule
from carboy.resource.plan import title_of

__all__ = ["FEW", "Choices", "choices_of"]

FEW = 50  # options of a select; more are searched for as one types


class Choices:
    """The rows of *model* as choices; what is hidden from who asks is none."""

    def __init__(self, model: Any, url: str = "") -> None:
        self.model, self.url = model, url
        self.title = title_of(model)
        self.key = next(name for name, one in model.facts().fields.items() if one.key)
        names = tuple(dict.fromkeys((self.key, self.title)))
        self._reading = model.read(*names, order=(self.title,))

    def options(self, query: str, limit: int) -> list[tuple[Any, str]]:
        """Return (key, title) pairs whose title begins with, or contains, *query*."""
        words = query.strip()
        if words and self.title == self.key:  # nothing of it can be searched but the key itself
            value: Any = int(words) if words.isascii() and words.isdecimal() else words
            found = self.label(value)
            return [] if found is None else [(value, found)]
        rows = self._reading.rows(*([self._like(words)] if words else []), limit=limit)
        return [(getattr(row, self.key), str(getattr(row, self.title))) for row in rows]

    def label(self, value: Any) -> str | None:
        """Return the title of the row with the key *value*; None when there is none to see."""
        if broken_rule(self.model.facts().fields[self.key], value):
            return None
        try:
            row = self._reading.one(value)
        except RequestFault:
            return None
        return str(getattr(row, self.title))

    def _like(self, query: str) -> Clause:
        text = query[:100].replace("\0", "")
        for sign in ("\\", "%", "_"):
            text = text.replace(sign, f"\\{sign}")
        name = self.title

        def build(columns: Any) -> Any:
            wanted = sa.func.lower(sa.bindparam("like", type_=sa.String))
            return sa.func.lower(columns[name]).like(wanted, escape="\\")

        return Clause(("choices", name), build, {"like": f"%{text}%"})


@lru_cache(maxsize=1024)
def choices_of(model: Any, url: str = "") -> Choices:
    """Return the choices of *model*, made once. url: where a page searches for more."""
    return Choices(model, url)
