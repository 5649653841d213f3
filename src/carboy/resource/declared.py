"""What an application says about a resource; the rest follows from its model.

app.resource(Book)                                   all that can be derived
app.resource(Book, columns=("title", "author"))      said otherwise
class Books(Resource): model = Book; ...             and done otherwise: app.resource(Books)
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from carboy.base.errors import SetupError

if TYPE_CHECKING:
    from carboy.data.clauses import Clause
    from carboy.resource.plan import Plan

__all__ = ["Resource", "declare"]


class Resource:
    """One model with its pages and its API. Every member has a default; override any.

    model: the class. name: of its addresses and endpoints, the table's by default: "books".
    title: the field that names a row for people. columns: of the list. details: of the page
    of one row. fields: of the forms, in order. filters, sorts: names a list may be narrowed
    and sorted by. order: of the list, as in "-published". size: rows of a page.
    pages, api, admin: whether there are any. icon: of the look, for the navigation.
    nav: whether the navigation has a line for it. prefix: before its path, "/admin".
    """

    model: ClassVar[Any] = None
    name: str = ""
    label: str = ""
    title: str = ""
    columns: Sequence[str] = ()
    details: Sequence[str] = ()
    fields: Sequence[str] = ()
    filters: Sequence[str] | None = None
    sorts: Sequence[str] | None = None
    order: Sequence[str] = ()
    size: int = 20
    pages: bool = True
    api: bool = True
    admin: bool = True
    icon: str = ""
    nav: bool = True
    prefix: str = ""
    plan: Plan  # set when the application is sealed

    def __init__(self, **options: Any) -> None:
        for name, value in options.items():
            if name not in OPTIONS:
                near = difflib.get_close_matches(name, OPTIONS, n=1)
                raise SetupError(
                    "resources.option",
                    f"A resource has no option {name!r}.",
                    hint=(f"Did you mean {near[0]!r}? " if near else "")
                    + f"Known: {', '.join(OPTIONS)}.",
                )
            setattr(self, name, value)

    @property
    def path(self) -> str:
        """The address of its list: "/order-lines"."""
        name = self.name.removeprefix(f"{self.prefix[1:]}_") if self.prefix else self.name
        return f"{self.prefix}/{name.replace('_', '-')}"

    def clauses(self) -> Sequence[Clause]:
        """Return conditions that hold for every list and row; asked once per request."""
        return ()

    def values(self, values: dict[str, Any], row: Any | None) -> Mapping[str, Any]:
        """Return what is to be saved, from what was sent and validated.

        row: what is changed; None for a new one.
        """
        return values

    def saved(self, row: Any, *, new: bool) -> None:
        """Do what belongs to saving *row*, in the same transaction."""

    def deleted(self, row: Any) -> None:
        """Do what belongs to deleting *row*, in the same transaction, before it goes."""


OPTIONS = tuple(name for name in Resource.__annotations__ if name not in ("model", "plan"))


def declare(what: Any, options: dict[str, Any]) -> Resource:
    """Return the resource meant by *what*: a model, or a class derived from `Resource`."""
    if isinstance(what, type) and issubclass(what, Resource):
        made = what(**options)
    else:
        made = type(f"{getattr(what, '__name__', 'Some')}Resource", (Resource,), {"model": what})(
            **options
        )
    if not hasattr(made.model, "facts"):
        raise SetupError(
            "resources.model",
            f"{made.model!r} is no model, so it cannot be a resource.",
            hint="Pass a class derived from Model, or a Resource class with `model = Book`.",
        )
    made.name = made.name or str(made.model.__table__.name)
    if not made.name.isidentifier():
        raise SetupError(
            "resources.name",
            f"{made.name!r} cannot be the name of a resource.",
            hint="It becomes part of addresses and endpoints: letters, digits and _ only.",
        )
    return made
