"""Sorts: what a client may ask a list to be sorted by, as names that were allowed.

    sorts(Book, "published", "title", default=("-published",))
        .parse("-published,title")  ->  ("-published", "title")   for keyset, reads and select

A name that was not allowed never gets further than the answer that lists the allowed ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from carboy.base.errors import RequestFault
from carboy.data.orders import order_of

__all__ = ["MOST", "Sorts", "sorts"]

MOST = 4  # names in one sort; nobody reads a list sorted by more
LONGEST = 500  # characters of what a client sends


class Sorts:
    """The names a list of *model* may be sorted by; made by `sorts`."""

    def __init__(self, model: Any, names: Sequence[str], default: Sequence[str]) -> None:
        self.model = model
        self.names = tuple(names)
        self.default = tuple(default)
        self._checked = False

    def parse(self, text: str | None) -> tuple[str, ...]:
        """Return the names in *text*, such as "-published,title"; the default for none.

        Raises RequestFault (400, data.sort) for a name that is not allowed or comes
        twice, and for more than four.
        """
        if not self._checked:
            self.check(dotted=True)
        if not text:
            return self.default
        asked = tuple(text.split(",", MOST)) if len(text) <= LONGEST else ("",)
        bare = [name.removeprefix("-") for name in asked]
        if len(asked) > MOST:
            raise self._refused(f"A list is sorted by at most {MOST} names.")
        if not {*bare} <= {*self.names}:
            raise self._refused("There is no such name to sort by.")
        if len({*bare}) < len(bare):
            raise self._refused("A name to sort by comes twice.")
        return asked

    def check(self, *, dotted: bool) -> None:
        """Raise SetupError for a name that cannot be sorted by.

        dotted: also those of other models, which need not be there before the first use.
        """
        for name in (*self.names, *self.default):
            if dotted or "." not in name:
                order_of(self.model, (name,))
        self._checked = dotted

    def _refused(self, problem: str) -> RequestFault:
        known = ", ".join(self.names)
        hint = f"Known are: {known}. Write - before a name for the last ones first."
        error = {"loc": ["query", "sort"], "msg": f"{problem} {hint}", "type": "sort"}
        return RequestFault(400, "data.sort", problem, hint=hint, errors=[error])


def sorts(model: Any, *names: str, default: Sequence[str] = ()) -> Sorts:
    """Return what lists of *model* may be sorted by.

    names: attributes, also "author.name" where a Reading is sorted. default: as in
    order=(...), when nothing is asked for.
    Raises SetupError for an unknown name (data.list_name), one whose values are not for
    everybody (data.not_public), one that has no order (data.sort_key).
    """
    made = Sorts(model, names, default)
    made.check(dotted=False)
    return made
