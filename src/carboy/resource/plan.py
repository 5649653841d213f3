"""The plan of a resource: everything that follows from its model, worked out once.

    Resource  +  Model.facts()  +  Policy   ->   Plan
        columns, details      what is shown, and under which label
        create, update        what may be sent
        filters, sorts        what a list may be asked
        listing, reading      compiled reads, of the pages and of the API

Pages, REST, OpenAPI, admin and export read it, and nothing of it changes while serving.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote
from uuid import UUID

from sqlalchemy import inspect
from sqlalchemy.orm import RelationshipDirection

from carboy.base.errors import RequestFault, SetupError
from carboy.data.filters import OPERATORS, Filters, filters
from carboy.data.naming import label_of, table_name
from carboy.data.sorts import Sorts, sorts

if TYPE_CHECKING:
    from carboy.data.fields import Field
    from carboy.data.models import Model
    from carboy.data.reads import Reading
    from carboy.resource.declared import Resource

__all__ = ["Column", "Plan", "Related", "make", "title_of"]

LIST = 6  # columns of a list, unless said
TITLES = ("title", "name", "label", "subject", "email", "code")
LONG = 300  # characters; longer text is for the page of the row, not for a list
SORTED = 200  # characters of text that a cursor may carry
NUMBERS = frozenset({"integer", "number", "decimal"})
PLAIN = frozenset({*NUMBERS, "boolean", "datetime", "date", "time", "choice", "uuid"})


@dataclass(frozen=True)
class Column:
    """One thing that is shown of a row.

    name: the field. path: what is read for it, "author.name" for a reference. key: of what a
    reference refers to, "author.id"; else "". target: the resource it leads to, when there
    is one. sort: the name to sort by, or "". number: set at the end of its cell.
    """

    name: str
    label: str
    kind: str
    field: Field
    path: str
    key: str = ""
    target: Resource | None = None
    sort: str = ""
    number: bool = False


@dataclass(frozen=True)
class Related:
    """Rows of another resource that refer to this one, shown on its page.

    by: their field that holds our key.
    """

    name: str
    label: str
    resource: Resource
    by: str


@dataclass(frozen=True, eq=False)
class Plan:
    """A resource, worked out; see the module.

    singular, plural: in small letters, "order line", "order lines". title: the path that
    names a row. key: attributes of the primary key. fields: what may be shown, by name.
    create, update: names that may be sent. searched: fields found by their words.
    version: the field of optimistic locking, or "".
    """

    resource: Resource
    model: type[Model]
    name: str
    path: str
    singular: str
    plural: str
    title: str
    key: tuple[str, ...]
    fields: Mapping[str, Field]
    columns: tuple[Column, ...]
    details: tuple[Column, ...]
    create: tuple[str, ...]
    update: tuple[str, ...]
    related: tuple[Related, ...]
    filters: Filters
    sorts: Sorts
    searched: tuple[str, ...]
    order: tuple[str, ...]
    size: int
    version: str
    listing: Reading
    detail: Reading
    reading: Reading

    def key_text(self, row: Any) -> str:
        """Return the key of *row* as it stands in an address."""
        return ",".join(quote(str(getattr(row, name)), safe="") for name in self.key)

    def read_key(self, text: str) -> Any:
        """Return the key in an address, as `session.get` takes it.

        Raises RequestFault 404 for a text that no key can be.
        """
        parts = [unquote(part) for part in text.split(",")] if len(self.key) > 1 else [text]
        if len(parts) != len(self.key) or len(text) > 2_000:
            raise absent(self)
        all_fields = self.model.facts().fields
        found = [self._part(all_fields[name], part)
                 for name, part in zip(self.key, parts, strict=True)]  # fmt: skip
        return found[0] if len(found) == 1 else tuple(found)

    def _part(self, field: Field, text: str) -> Any:
        if field.kind in ("text", "other"):
            return text
        try:
            if field.kind == "uuid":
                return UUID(text)
            if len(text) < 20 and text.isascii() and str(int(text)) == text:
                return int(text)  # only as we write it: "007" would be another address of one row
        except ValueError:
            pass
        raise absent(self)

    def title_of(self, row: Any) -> str:
        """Return what people call *row*: an entity, or a row of a reading."""
        value: Any = row
        for step in self.title.split("."):
            value = getattr(value, step, None)
        return str(value) if value not in (None, "") else f"{self.singular} {self.key_text(row)}"


def absent(plan: Plan) -> RequestFault:
    """Return the error for a row that is not there, or hidden: nobody can tell which."""
    return RequestFault(404, "resources.not_found", f"There is no such {plan.singular}.")


def make(resource: Resource, known: Mapping[Any, Resource]) -> Plan:
    """Return the plan of *resource*. known: all resources, by model.

    Raises SetupError for names that are no fields, or may not be used so.
    """
    model = resource.model
    all_fields = _as_declared(model)
    shown = {name: one for name, one in all_fields.items() if one.api != "hidden"}
    _check(resource, shown)
    masked = _masked(model)
    title = resource.title or title_of(model)
    sortable = tuple(name for name, one in shown.items() if _sortable(one, masked))
    asked = sortable if resource.sorts is None else tuple(resource.sorts)
    details = tuple(_column(model, shown[name], known, asked)
                    for name in resource.details or _details(shown))  # fmt: skip
    columns = tuple(_column(model, shown[name], known, asked)
                    for name in resource.columns or _columns(shown, title))  # fmt: skip
    label = resource.label or label_of(model.__name__)
    order = tuple(resource.order) or _order(shown, title, sortable)
    key = tuple(name for name, one in all_fields.items() if one.key)
    writable = [name for name in resource.fields or all_fields if _writable(all_fields[name])]
    return Plan(
        resource=resource,
        model=model,
        name=resource.name,
        path=resource.path,
        singular=label.lower(),
        plural=label_of(table_name(model.__name__)).lower(),
        title=title,
        key=key,
        fields=shown,
        columns=columns,
        details=details,
        create=tuple(writable),
        update=tuple(name for name in writable if all_fields[name].write == "always"
                     and not all_fields[name].key),
        related=tuple(_related(model, known)),
        filters=filters(model, *(_filterable(shown, masked) if resource.filters is None
                                 else resource.filters)),
        sorts=sorts(model, *asked, default=order),
        searched=tuple(name for name, one in all_fields.items() if one.search),
        order=order,
        size=resource.size,
        version=next((n for n, one in all_fields.items()
                      if _is_version(model, one)), ""),
        listing=model.read(*_paths(key, title, columns), order=order),
        detail=model.read(*_paths(key, title, details), order=order),
        reading=model.read(*dict.fromkeys((*key, *shown)), order=order),
    )  # fmt: skip


def title_of(model: Any) -> str:
    """Return the field that names a row of *model* for people: its key when none does."""
    fields: Mapping[str, Field] = model.facts().fields
    masked = _masked(model)
    texts = [name for name, one in fields.items()
             if one.kind == "text" and one.api != "hidden" and name not in masked
             and one.widget != "textarea" and (one.max_length or LONG + 1) <= LONG]  # fmt: skip
    for name in (*TITLES, *texts):
        if name in texts:
            return name
    return next((name for name, one in fields.items() if one.key), "id")


def _as_declared(model: Any) -> Mapping[str, Field]:
    """Return the fields in the order of the class, where a relation stands for its column."""
    fields: Mapping[str, Field] = model.facts().fields
    written = [
        name
        for base in reversed(model.__mro__)
        if hasattr(base, "__mapper__")
        for name in vars(base).get("__annotations__", {})
    ]
    place = {name: at for at, name in enumerate(written)}

    def at(pair: tuple[str, Field]) -> int:
        name, one = pair
        if one.key and one.automatic:
            return -1
        return place.get(one.relation or name, len(place))

    return dict(sorted(fields.items(), key=at))


def _check(resource: Resource, shown: Mapping[str, Field]) -> None:
    """Raise SetupError for a name that is no field."""
    for option in ("columns", "details", "fields"):
        for name in getattr(resource, option):
            if name not in shown:
                raise SetupError(
                    "resources.field",
                    f"{option} of the resource {resource.name!r} names {name!r}, which"
                    f" {resource.model.__name__} does not have, or hides.",
                    hint=f"Known are: {', '.join(shown)}.",
                )


def _masked(model: Any) -> frozenset[str]:
    """Return the fields that not everybody may see."""
    fields = getattr(getattr(model, "policy", None), "fields", None) or {}
    return frozenset(map(str, fields))


def _sortable(field: Field, masked: frozenset[str]) -> bool:
    if field.name in masked:
        return False
    return field.kind in PLAIN or (field.kind == "text" and (field.max_length or LONG) <= SORTED)


def _filterable(shown: Mapping[str, Field], masked: frozenset[str]) -> list[str]:
    return [
        one.relation or name
        for name, one in shown.items()
        if name not in masked and (one.kind in OPERATORS or one.kind == "reference")
    ]


def _is_version(model: Any, field: Field) -> bool:
    counted = model.__mapper__.version_id_col
    return counted is not None and counted.name == field.column


def _writable(field: Field) -> bool:
    """Whether a client may send it; SECURITY: who owns a row is never theirs to say."""
    if (
        field.api == "hidden"
        or field.write == "never"
        or (field.key and field.automatic)
        or field.kind == "bytes"
    ):
        return False
    return not isinstance(field.default, str) or field.kind != "reference"


def _details(shown: Mapping[str, Field]) -> list[str]:
    return [name for name, one in shown.items() if not (one.key and one.automatic)]


def _columns(shown: Mapping[str, Field], title: str) -> list[str]:
    """Return what a list shows: the title, then short fields, the own ones first."""
    short = [
        name
        for name, one in shown.items()
        if name != title and not (one.key and one.automatic) and _brief(one)
    ]
    late = [name for name in short if shown[name].write == "never"]
    if "created_at" in late and "updated_at" in late:
        late.remove("updated_at")
        short.remove("updated_at")  # one moment is enough to find a row by
    first = [title] if title in shown else []
    return [*first, *(name for name in short if name not in late), *late][:LIST]


def _brief(field: Field) -> bool:
    if field.kind == "text":
        return field.widget != "textarea" and (field.max_length or LONG + 1) <= LONG
    return field.kind in PLAIN or field.kind == "reference"


def _order(shown: Mapping[str, Field], title: str, sortable: tuple[str, ...]) -> tuple[str, ...]:
    if "created_at" in sortable:
        # PERF: keys are given in the order of creation, and have an index.
        counted = [name for name, one in shown.items() if one.key and one.automatic]
        return (f"-{counted[0]}",) if len(counted) == 1 and _counts(shown) else ("-created_at",)
    return (title,) if title in sortable else ()


def _counts(shown: Mapping[str, Field]) -> bool:
    return [one.kind for one in shown.values() if one.key] == ["integer"]


def _column(
    model: Any, field: Field, known: Mapping[Any, Resource], sortable: tuple[str, ...]
) -> Column:
    sort = field.name if field.name in sortable else ""
    if field.kind != "reference" or not field.relation:
        number = field.kind in NUMBERS
        return Column(
            field.name, field.label, field.kind, field, field.name, "", None, sort, number
        )
    target = inspect(model).relationships[field.relation].mapper.class_
    key = next(name for name, one in target.facts().fields.items() if one.key)
    path = f"{field.relation}.{title_of(target)}"
    label = field.label.removesuffix(" id")
    return Column(
        field.name, label, "reference", field, path, f"{field.relation}.{key}", known.get(target)
    )


def _paths(key: tuple[str, ...], title: str, columns: tuple[Column, ...]) -> tuple[str, ...]:
    """Return what is read for a page, without repetitions."""
    paths = [*key, title]
    for one in columns:
        paths += [one.path, one.key] if one.key else [one.path]
    return tuple(dict.fromkeys(paths))


def _related(model: Any, known: Mapping[Any, Resource]) -> list[Related]:
    found = []
    for prop in inspect(model).relationships:
        target = prop.mapper.class_
        if prop.direction is RelationshipDirection.ONETOMANY and target in known:
            (_, remote), *more = prop.local_remote_pairs or [(None, None)]
            if remote is None or more:
                continue
            by = prop.mapper.get_property_by_column(remote).key
            found.append(Related(prop.key, label_of(prop.key), known[target], str(by)))
    return found
