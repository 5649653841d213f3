"""Selections: from names as one writes them to a tree of what is read.

    "title", "author.name", "tags.word"
        ->  check()     at declaration: unknown and hidden names, as far as classes exist
        ->  select()    at the first read: Node(Book: title, author -> Node, tags -> Many)

A Node is one row and what it refers to, joined; a Many is a statement of its own.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect
from sqlalchemy.orm import InstrumentedAttribute, RelationshipProperty

from carboy.base.errors import SetupError

if TYPE_CHECKING:
    from carboy.data.models import Model

__all__ = ["MOST_NAMES", "MOST_STEPS", "Many", "Node", "check", "shown", "split"]

MOST_NAMES = 300  # columns of one selection; no page shows more, and each costs on every row
MOST_STEPS = 6  # relations in one path; a cycle such as a.b.a.b ends there

Path = tuple[str, ...]


@dataclass(eq=False)
class Node:
    """One kind of row in an answer.

    model: its class. path: the relations from the statement's own row to this one.
    members: what an object of it has, in the order of the declaration: a column (None),
        a row it refers to (Node), or rows of a relation (Many).
    """

    model: Any
    path: Path = ()
    members: dict[str, Node | Many | None] = field(default_factory=dict)

    def columns(self) -> list[str]:
        """Return the attributes that are columns."""
        return [name for name, member in self.members.items() if member is None]

    def manies(self) -> Iterator[tuple[Node, Many]]:
        """Yield every relation read by a statement of its own, with the row it hangs on."""
        for member in self.members.values():
            if isinstance(member, Many):
                yield self, member
            elif member is not None:
                yield from member.manies()


@dataclass(eq=False)
class Many:
    """Rows of a relation, read by a statement of their own.

    prop: the relation. node: one row of it. single: at most one, shown as an object.
    """

    prop: RelationshipProperty[Any]
    node: Node
    single: bool


def split(paths: Iterable[str], model: type[Model]) -> list[Path]:
    """Return the paths as parts. Raises SetupError for texts that are none, and too many."""
    found = []
    for path in paths:
        parts = tuple(path.split(".")) if isinstance(path, str) else ()
        if not parts or not all(part.isidentifier() for part in parts):
            raise SetupError(
                "data.path", f"{path!r} is no name of a field of {model.__name__}.",
                hint="Write names as in 'title', or 'author.name' along a relation.",
            )  # fmt: skip
        if len(parts) - 1 > MOST_STEPS:
            raise SetupError(
                "data.path",
                f"{path!r} follows {len(parts) - 1} relations; {MOST_STEPS} are the most.",
                hint="Usually a cycle. Read what is that far away in a read of its own.",
            )
        found.append(parts)
    if len(found) > MOST_NAMES:
        raise SetupError(
            "data.path",
            f"{len(found)} names of {model.__name__} are read at once; {MOST_NAMES} are the most.",
            hint="Make two reads of it.",
        )
    return found


def shown(model: type[Model]) -> tuple[str, ...]:
    """Return the names of all fields that may leave the application."""
    return tuple(name for name, one in model.facts().fields.items() if one.api != "hidden")


def check(model: type[Model], path: Path, *, hidden: bool, order: bool = False) -> None:
    """Raise SetupError for a path that cannot be, as far as its classes are there yet.

    hidden: allow fields that never leave the application. order: rows are sorted by it,
    so that only relations to one row may lead there.
    """
    written = ".".join(path)
    for step, name in enumerate(path):
        last = step == len(path) - 1
        link = model.facts().links.get(name)
        if link is None:
            _check_column(model, name, written, last=last, hidden=hidden)
            return
        if order and link.kind != "one":
            raise _order_of_many(model, name, written)
        if last:
            raise _no_field(model, name, written, link.target)
        target = _class(model, link.target)
        if target is None:
            return  # it comes later; `select` looks again
        model = target


def select(model: Any, paths: Iterable[Path], *, hidden: bool) -> Node:
    """Return the tree that *paths* make, with the mappers configured.

    Raises SetupError as `check` does, now for everything.
    """
    root = Node(model)
    for path in paths:
        node = root
        for name in path[:-1]:
            node = _step(node, name, ".".join(path))
        _check_mapped(node.model, path[-1], ".".join(path), hidden)
        node.members.setdefault(path[-1])
    return root


def to_one(model: Any, name: str, written: str) -> Any:
    """Return the class that the relation *name* of *model* refers to, one row at most.

    Raises SetupError when it is no such relation.
    """
    prop = _relation(model, name, written)
    if prop.uselist or prop.direction.name != "MANYTOONE":
        raise _order_of_many(model, name, written)
    return prop.mapper.class_


def _step(node: Node, name: str, written: str) -> Node:
    """Return the node of a relation, made at the first path along it."""
    member = node.members.get(name)
    if member is None:
        prop = _relation(node.model, name, written)
        target = prop.mapper.class_
        if prop.direction.name == "MANYTOONE" and not prop.uselist:
            member = Node(target, (*node.path, name))
        else:
            member = Many(prop, Node(target), single=not prop.uselist)
        node.members[name] = member
    return member.node if isinstance(member, Many) else member


def _relation(model: Any, name: str, written: str) -> RelationshipProperty[Any]:
    prop: RelationshipProperty[Any] | None = inspect(model).relationships.get(name)
    if prop is None:
        raise _unknown(model, name, written, "relation")
    return prop


def _check_mapped(model: Any, name: str, written: str, hidden: bool) -> None:
    mapper = inspect(model)
    if name in mapper.relationships:
        raise _no_field(model, name, written, mapper.relationships[name].mapper.class_.__name__)
    if name not in mapper.all_orm_descriptors:
        raise _unknown(model, name, written, "field")
    if not hasattr(getattr(model, name, None), "type"):
        raise _unknown(model, name, written, "field")  # a proxy, not a column
    _check_hidden(model, name, hidden)


def _check_column(model: Any, name: str, written: str, *, last: bool, hidden: bool) -> None:
    """Check a name that is none of our relations; what SQLAlchemy's own are comes later."""
    if name in model.facts().fields:
        if not last:
            raise _unknown(model, name, written, "relation")
        _check_hidden(model, name, hidden)
    elif not isinstance(_attribute(model, name), InstrumentedAttribute) and not hasattr(
        _attribute(model, name), "expression"
    ):
        raise _unknown(model, name, written, "field" if last else "relation")


def _attribute(model: Any, name: str) -> Any:
    """Return what the class has by that name, without running a hybrid."""
    return next((vars(base)[name] for base in model.__mro__ if name in vars(base)), None)


def _check_hidden(model: Any, name: str, hidden: bool) -> None:
    known = _fields(model).get(name)
    if known is not None and known.api == "hidden" and not hidden:
        raise SetupError(
            "data.hidden",
            f'{model.__name__}.{name} has api="hidden": it never leaves the application.',
            hint="For use inside of it, write  read(..., hidden=True).",
        )


def _fields(model: Any) -> Mapping[str, Any]:
    return model.facts().fields if hasattr(model, "facts") else {}


def _class(model: type[Model], name: str) -> type[Model] | None:
    for mapper in model.registry.mappers:
        if mapper.class_.__name__ == name:
            return mapper.class_ if hasattr(mapper.class_, "facts") else None
    return None


def _unknown(model: Any, name: str, written: str, kind: str) -> SetupError:
    links = list(model.facts().links) if hasattr(model, "facts") else []
    known = links if kind == "relation" else [*_fields(model), *links]
    near = difflib.get_close_matches(name, known, 1)
    meant = f" Did you mean {near[0]!r}?" if near else ""
    where = f" (in {written!r})" if written != name else ""
    return SetupError(
        "data.unknown",
        f"{model.__name__} has no {kind} {name!r}{where}.{meant}",
        hint=f"Known: {', '.join(sorted(known)) or 'none'}.",
    )


def _no_field(model: Any, name: str, written: str, target: str) -> SetupError:
    return SetupError(
        "data.path",
        f"{written!r} is a relation of {model.__name__}, and does not say what of it is read.",
        hint=f"Name fields of {target}, as in '{written}.id'.",
    )


def _order_of_many(model: Any, name: str, written: str) -> SetupError:
    return SetupError(
        "data.order",
        f"Rows cannot be sorted by {written!r}: {model.__name__}.{name} is many rows for each.",
        hint="Sort by a field, or by one of a relation to a single row.",
    )
