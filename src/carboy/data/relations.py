"""Relations between models, said by the annotation.

    book: Mapped[Book] = belongs_to()                 column book_id, its key and index
    reviews: Mapped[list[Review]] = has_many()        the other side of it
    tags: Mapped[list[Tag]] = many_to_many()          a table between, made here

    declared in a class  ->  Link  ->  paired when mappers are configured

The two sides of a relation find each other; a name is needed only where there is a
choice. What happens to the rows that refer to a deleted one is decided by the
database: `on_delete` says "restrict" (refuse), "cascade" or "set_null".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field as item
from typing import TYPE_CHECKING, Any, Literal, get_args

from sqlalchemy import Column, ForeignKey, Table
from sqlalchemy.orm import MappedColumn, Relationship, mapped_column, relationship

from carboy.base.errors import SetupError
from carboy.data.fields import INFO, UNSET, Rules, Write, providers
from carboy.data.naming import constraint_name, label_of, table_name

if TYPE_CHECKING:
    from carboy.data.models import Model

__all__ = ["Link", "belongs_to", "has_many", "link_up", "many_to_many", "pair"]

OnDelete = Literal["restrict", "cascade", "set_null"]

WRAPPERS = re.compile(r"(?:[\w.]*\.)?(?:Mapped|Optional|list|List|set|Sequence)\[(.*)\]$")
NONE = re.compile(r"\|\s*None\b|\bNone\s*\||\bOptional\[")


@dataclass(eq=False)
class Link:
    """One side of a relation, as declared and as found.

    kind: "one" (belongs_to), "many" (has_many), "both" (many_to_many).
    by: the attribute on the other side, when said. target: the other class's name.
    """

    kind: Literal["one", "many", "both"]
    by: str = ""
    on_delete: OnDelete = "restrict"
    via: str = ""
    rules: Rules = item(default_factory=Rules, repr=False)
    unique: bool = False
    more: dict[str, Any] = item(default_factory=dict, repr=False)
    owner: Any = item(default=None, repr=False)
    name: str = ""
    target: str = ""
    prop: Any = item(default=None, repr=False)
    other: Link | None = item(default=None, repr=False)

    def __call__(self, *args: Any, **named: Any) -> Any:
        """Say what `policy = Policy(read=owner("owner"))` below `owner = belongs_to()` meets."""
        raise SetupError(
            "data.shadowed",
            "A relation was called like a function: inside of its class, its name hides the"
            " function of that name.",
            hint="Usually a relation called `owner` above a policy with the rule owner(...)."
            "\nGive one of them another name:  from carboy import owner as owned_by",
        )


def belongs_to(
    *,
    on_delete: OnDelete = "restrict",
    default: Any = UNSET,
    unique: bool = False,
    label: str = "",
    help: str = "",
    widget: str = "",
    write: Write = "always",
    **more: Any,
) -> Any:
    """Declare that each row refers to one of another model: `book: Mapped[Book]`.

    Adds the column `book_id` with its foreign key and an index. `Mapped[Book | None]`
    makes it optional. default: an id, a function that gives one, or the name of a
    provider: "current_user". unique: at most one row for each. more: for `relationship`.
    """
    if on_delete not in ("restrict", "cascade", "set_null"):
        raise SetupError(
            "data.relation", f"on_delete={on_delete!r} is not known.",
            hint="Write 'restrict', 'cascade' or 'set_null'.",
        )  # fmt: skip
    rules = Rules(label=label, help=help, widget=widget, write=write, default=default)
    return Link("one", on_delete=on_delete, rules=rules, unique=unique, more=more)


def has_many(*, by: str = "", **more: Any) -> Any:
    """Declare the other side of a `belongs_to`: `reviews: Mapped[list[Review]]`.

    by: which `belongs_to` of the other model, when it has several to this one.
    """
    return Link("many", by=by, more=more)


def many_to_many(*, by: str = "", via: str = "", **more: Any) -> Any:
    """Declare a relation through a table between: `tags: Mapped[list[Tag]]`.

    The table is called after both, in alphabetical order: books_tags.
    via: another name, needed when two models are so related twice. by: the attribute
    on the other side, when it has several.
    """
    return Link("both", by=by, via=via, more=more)


def link_up(cls: type[Model]) -> dict[str, Link]:
    """Turn the relations declared in *cls* and its mixins into SQLAlchemy's.

    Called before the class is mapped. Returns name to link.
    """
    links = {}
    for name, (link, annotation) in _declared(cls).items():
        target, optional = _target(cls, name, annotation)
        mine = Link(**{**link.__dict__, "owner": cls, "name": name, "target": target})
        cls.__annotations__[name] = annotation
        mine.prop = _MAKERS[mine.kind](cls, mine, optional)
        setattr(cls, name, mine.prop)
        links[name] = mine
    return links


def pair(links: list[Link]) -> None:
    """Let the two sides of each relation know of one another.

    Called once all classes exist, before their mappers are configured.
    Raises SetupError when there is nothing to pair with, or a choice.
    """
    for link in links:
        if link.kind == "many" and link.other is None:
            _marry(link, _choose(link, "one"))
    for link in links:
        if link.kind == "both" and link.other is None and (other := _partner(link)):
            _marry(link, other)


def _declared(cls: type[Model]) -> dict[str, tuple[Link, Any]]:
    """Return the links of the class and of what is not mapped above it."""
    found: dict[str, tuple[Link, Any]] = {}
    for base in reversed(cls.__mro__):
        if "__mapper__" in vars(base):
            found.clear()  # inherited with the mapping
            continue
        annotations = vars(base).get("__annotations__", {})
        for name, value in vars(base).items():
            if isinstance(value, Link):
                found[name] = (value, annotations.get(name))
    return found


def _target(cls: type, name: str, annotation: Any) -> tuple[str, bool]:
    """Return (name of the class, optional) that *annotation* speaks of."""
    text, optional = annotation, False
    while not isinstance(text, str) and (inner := get_args(text)):
        optional = optional or type(None) in inner
        text = next(arg for arg in inner if arg is not type(None))
    text = getattr(text, "__forward_arg__", text)
    text = text if isinstance(text, str) else getattr(text, "__name__", "")
    optional = optional or bool(NONE.search(text))
    while found := WRAPPERS.match(text.strip()):
        text = found[1]
    text = NONE.sub("", text).strip("'\" ")
    if not text:
        raise SetupError(
            "data.relation",
            f"{cls.__name__}.{name} does not say to which model.",
            hint=f"Write  {name}: Mapped[Book] = belongs_to()  with the model's name.",
        )
    return text.rpartition(".")[2], optional


def _one(cls: type[Model], link: Link, optional: bool) -> Relationship[Any]:
    column = f"{link.name}_id"
    if link.on_delete == "set_null" and not optional:
        raise SetupError(
            "data.relation",
            f"{cls.__name__}.{link.name} is never None, so on_delete='set_null' cannot be.",
            hint=f"Write  {link.name}: Mapped[{link.target} | None], or another on_delete.",
        )
    if column not in vars(cls):
        setattr(cls, column, _reference(cls, link, optional))
    reference: MappedColumn[Any] = vars(cls)[column]
    more = dict(link.more)
    if link.target == cls.__name__:
        more["remote_side"] = lambda: list(cls.__mapper__.primary_key)
    return relationship(foreign_keys=[reference.column], **more)


def _reference(cls: type[Model], link: Link, optional: bool) -> MappedColumn[Any]:
    table, key = _table_of(cls, link.target)
    default = link.rules.default
    more = {} if default is UNSET else {"default": _provided(default)}
    return mapped_column(
        ForeignKey(
            f"{table}.{key}",
            ondelete=link.on_delete.replace("_", " ").upper(),
            name=constraint_name("fk", _own_table(cls), f"{link.name}_id"),
        ),
        nullable=optional,
        index=not link.unique,  # a unique constraint is an index already
        info={INFO: _labelled(link)},
        **more,
    )


def _labelled(link: Link) -> Rules:
    rules = link.rules
    label = rules.label or label_of(link.name)
    return Rules(**{**rules.__dict__, "label": label, "unique": link.unique})


def _provided(default: Any) -> Any:
    """Return a column default; a text names a provider, asked at each insert."""
    if not isinstance(default, str):
        return default

    def ask() -> Any:
        if default not in providers:
            raise SetupError(
                "data.provider",
                f"Nothing here knows {default!r}, which a model has as its default.",
                hint=f"Set the value, or register: providers[{default!r}] = function.",
            )
        return providers[default]()

    ask.provider = default  # type: ignore[attr-defined]  # for whoever must know the value before
    return ask


def _many(cls: type[Model], link: Link, optional: bool) -> Relationship[Any]:
    def references() -> Any:
        assert link.other is not None  # pair() ran, or said why not
        return [link.other.owner.__table__.c[f"{link.other.name}_id"]]

    return relationship(foreign_keys=references, **link.more)


def _both(cls: type[Model], link: Link, optional: bool) -> Relationship[Any]:
    if link.target == cls.__name__:
        raise SetupError(
            "data.relation",
            f"{cls.__name__}.{link.name} relates {cls.__name__} to itself, many to many.",
            hint="Make the link a model of its own, with two belongs_to().",
        )
    mine, theirs = (_own_table(cls), "id"), _table_of(cls, link.target)
    link.via = link.via or "_".join(sorted((mine[0], theirs[0])))
    table = cls.metadata.tables.get(link.via)
    if table is None:
        table = _between(cls, link.via, mine, theirs)
    return relationship(secondary=table, **link.more)


_MAKERS = {"one": _one, "many": _many, "both": _both}


def _between(cls: type[Model], name: str, *sides: tuple[str, str]) -> Table:
    first, second = sorted(sides)
    columns: list[Column[Any]] = [
        Column(
            f"{table}_{key}",
            ForeignKey(
                f"{table}.{key}",
                ondelete="CASCADE",  # a pair means nothing without its ends
                name=constraint_name("fk", name, f"{table}_{key}"),
            ),
            primary_key=True,
            index=(table, key) == second,
        )
        for table, key in (first, second)
    ]
    info = {"database": cls.database} if cls.database else {}
    return Table(name, cls.metadata, *columns, info=info, **cls.__table_options__)


def _own_table(cls: type[Model]) -> str:
    return str(getattr(cls, "__tablename__", "") or table_name(cls.__name__))


def _table_of(cls: type[Model], target: str) -> tuple[str, str]:
    """Return (table, key column) of a model; by the naming rule when it comes later."""
    for mapper in cls.registry.mappers:
        if mapper.class_.__name__ == target:
            if len(mapper.primary_key) != 1:
                raise SetupError(
                    "data.relation",
                    f"{cls.__name__} refers to {target}, whose key has several columns.",
                    hint=f"Give {target} one key column; unique() keeps the others together.",
                )
            return str(mapper.local_table.name), mapper.primary_key[0].name  # type: ignore[attr-defined]  # a Table
    return (_own_table(cls) if target == cls.__name__ else table_name(target)), "id"


def _choose(link: Link, kind: str) -> Link:
    """Return the one link on the other side that can be meant."""
    found = _candidates(link, kind)
    if len(found) == 1:
        return found[0]
    names = ", ".join(repr(other.name) for other in found)
    where = f"{link.owner.__name__}.{link.name}"
    raise SetupError(
        "data.relation",
        f"{where} has many {link.target}, which has {'several' if found else 'no'}"
        f" belongs_to() to {link.owner.__name__}{f': {names}' if names else ''}.",
        hint=f"Write has_many(by={found[0].name!r})."
        if found
        else f"Add  {link.owner.__name__.lower()}: Mapped[{link.owner.__name__}] = belongs_to()"
        f"  to {link.target}.",
    )


def _candidates(link: Link, kind: str) -> list[Link]:
    return [
        other
        for mapper in link.owner.registry.mappers
        if mapper.class_.__name__ == link.target
        for other in getattr(mapper.class_, "__links__", {}).values()
        if other.kind == kind
        and other.target == link.owner.__name__
        and other is not link
        and link.by in ("", other.name)
    ]


def _partner(link: Link) -> Link | None:
    """Return the other side of a many-to-many, which need not be declared."""
    found = [other for other in _candidates(link, "both") if other.via == link.via]
    return found[0] if len(found) == 1 else None


def _marry(link: Link, other: Link) -> None:
    link.other, other.other = other, link
    link.prop.back_populates, other.prop.back_populates = other.name, link.name
    if link.kind == "many":
        # The database decides what becomes of the rows; loading them first would cost
        # a query, and nulling their keys would fail.
        cascades = other.on_delete == "cascade"
        link.prop.passive_deletes = True if cascades else "all"
        if cascades:
            link.prop.cascade = "save-update, merge, expunge, delete"
