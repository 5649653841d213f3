"""Plans: everything one form of a read needs, worked out before it is executed.

    Node, order, clauses  ->  Froms      joins and columns, by path
                          ->  Plan       the first statement, its builders
                              Relation   for each relation: a statement for a few keys

A plan is good for one engine and one shape of who asks.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, bindparam, inspect, or_, select
from sqlalchemy.orm import aliased
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BinaryExpression

from carboy.data.clauses import place
from carboy.data.encoders import to_json, to_python
from carboy.data.moments import Inline
from carboy.data.orders import order_of, terms
from carboy.data.rows import Builder, Flavour, Layout, builder
from carboy.data.selections import Many, Node, to_one
from carboy.data.statements import Statement, compiled, key_name, one_name

if TYPE_CHECKING:
    from sqlalchemy import Engine, Select
    from sqlalchemy.types import TypeEngine

    from carboy.base.scope import Scope
    from carboy.data.clauses import Clause
    from carboy.data.moments import Conversion
    from carboy.data.reading import Rows

__all__ = ["Execute", "Plan", "Question"]

KEYS = (1, 2, 5, 10, 20, 50, 100, 200, 500)  # how many a statement asks for; few texts, few plans

Execute = Callable[[str, Any, "Reader"], "Rows"]
"""Runs SQL with its parameters for a reader; returns the rows."""

TO: dict[Flavour, Callable[..., Conversion]] = {
    "rows": to_python, "json": to_json, "iso": partial(to_json, moments="iso"),
}  # fmt: skip


@dataclass(frozen=True)
class Question:
    """One form of a read: what is compiled once for it.

    node: what is read. where: conditions that never change. order: names, with "-" for
    descending. clauses: conditions of the call. backward: the other way round.
    one: the row with a certain primary key.
    """

    node: Node
    where: Sequence[ColumnElement[bool]]
    order: Sequence[str]
    clauses: Sequence[Clause]
    backward: bool = False
    one: bool = False


class Froms:
    """The tables of one statement, joined as paths ask for them. A clause's Columns."""

    def __init__(self, model: Any, dialect: str) -> None:
        self.model, self.dialect = model, dialect
        self.start: Callable[[Any], Any] = lambda found: found.select_from(model)
        self.joins: list[Any] = []
        self.wanted: dict[Any, ColumnElement[Any]] = {}  # what is selected, by what it is
        self._entities: dict[tuple[str, ...], Any] = {(): model}

    def __getitem__(self, path: str) -> ColumnElement[Any]:
        """Return the column at *path*: "title", "author.name"."""
        *steps, name = path.split(".")
        entity = self.entity(tuple(steps))
        if name not in inspect(entity).mapper.all_orm_descriptors:
            to_one(inspect(entity).mapper.class_, name, path)  # says what is known
        found: ColumnElement[Any] = getattr(entity, name)
        return found

    def entity(self, path: tuple[str, ...]) -> Any:
        """Return the class, or the alias joined for *path*."""
        if path not in self._entities:
            parent, name = self.entity(path[:-1]), path[-1]
            target = to_one(inspect(parent).mapper.class_, name, ".".join(path))
            alias = self._entities[path] = aliased(target)
            self.joins.append(getattr(parent, name).of_type(alias))
        return self._entities[path]

    def position(self, path: tuple[str, ...], name: str) -> int:
        """Return where the attribute *name* of the row at *path* is selected."""
        return self.select((path, name), getattr(self.entity(path), name))

    def of_column(self, path: tuple[str, ...], column: Any) -> int:
        """Return where a table's column of the row at *path* is selected."""
        entity = self.entity(path)
        name = inspect(entity).mapper.get_property_by_column(column).key
        return self.position(path, name)

    def select(self, key: Any, column: ColumnElement[Any]) -> int:
        """Return where *column* is selected; it is, from now on."""
        self.wanted.setdefault(key, column)
        return list(self.wanted).index(key)

    def statement(self) -> Select[Any]:
        """Return the select so far."""
        columns = [column.label(f"c{n}") for n, column in enumerate(self.wanted.values())]
        found: Select[Any] = self.start(select(*columns))
        for join in self.joins:
            found = found.outerjoin(join)
        return found

    def layout(self, node: Node, group: tuple[int, ...] = ()) -> Layout:
        """Select what *node* shows, and return where."""
        layout = Layout({}, {}, {}, group)
        self._place(node, layout)
        return layout

    def _place(self, node: Node, layout: Any) -> None:
        if node.path:
            key = inspect(node.model).primary_key[0]
            layout.markers[node] = self.of_column(node.path, key)
        for name, member in node.members.items():
            if member is None:
                layout.columns[node, name] = self.position(node.path, name)
            elif isinstance(member, Node):
                self._place(member, layout)
            else:
                layout.keys[member] = tuple(
                    self.of_column(node.path, column) for column in _local(member.prop)
                )


class Reader:
    """Makes objects of the rows of a statement; the first rows tell how to convert."""

    def __init__(self, node: Node, layout: Layout, engine: Engine, shape: Hashable) -> None:
        self.node, self.layout, self.engine, self.shape = node, layout, engine, shape
        self.relations = [
            Relation(many, layout.keys[many], engine, shape) for _, many in node.manies()
        ]
        self.types: Sequence[TypeEngine[Any]] = ()
        self.coltypes: list[Any] | None = None  # until the first statement was executed
        self._builders: dict[Flavour, Builder] = {}

    def objects(self, flavour: Flavour, rows: Rows, execute: Execute, scope: Scope | None) -> Any:
        """Return what the builder of *flavour* makes of rows."""
        build = self._builders.get(flavour) or self._make(flavour)
        if not self.relations:
            return build(rows)
        found = [one.load(flavour, rows, execute, scope) for one in self.relations]
        return build(rows, *found)

    def _make(self, flavour: Flavour) -> Builder:
        dialect, types, coltypes = self.engine.dialect, self.types, self.coltypes or ()
        conversions = [
            TO[flavour](kind, dialect, coltype)
            for kind, coltype in zip(types, coltypes, strict=True)
        ]
        made = self._builders[flavour] = builder(self.node, self.layout, conversions, flavour)
        return made


class Plan(Reader):
    """The first statement of a read, and what follows from its rows.

    key_positions: of the columns that the rows are sorted by, when asked for.
    """

    def __init__(
        self, question: Question, engine: Engine, shape: Hashable, *, keys: bool = False
    ) -> None:
        froms = Froms(question.node.model, engine.dialect.name)
        layout = froms.layout(question.node)
        order = [(name.removeprefix("-"), name.startswith("-")) for name in question.order]
        self.key_positions = tuple(
            froms.select(_split(name), froms[name]) for name, _ in order if keys
        )
        sort: list[ColumnElement[Any]] = [
            froms[name].desc() if down is not question.backward else froms[name].asc()
            for name, down in order
        ]
        if keys:  # a page: rows without a value have their place in it
            way = order_of(question.node.model, question.order)
            way = way.reversed() if question.backward else way
            sort = terms(way, froms.__getitem__, froms.dialect)
        conditions = [place(one, n, froms) for n, one in enumerate(question.clauses)]
        if question.one:
            conditions += _is_one(question.node.model)
        made = froms.statement().where(*question.where, *conditions).order_by(*sort)
        self.statement = compiled(made, engine, shape, paged=True, clauses=question.clauses)
        super().__init__(question.node, layout, engine, shape)
        self.types = self.statement.types
        self._key_ways: list[tuple[int, Callable[[Any], Any] | None]] | None = None

    def key(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the values that *row* is sorted by, as Python values."""
        ways = self._key_ways
        if ways is None:
            ways = self._key_ways = [(at, self._way(at)) for at in self.key_positions]
        return tuple(
            [row[at] if how is None or row[at] is None else how(row[at]) for at, how in ways]
        )

    def _way(self, position: int) -> Callable[[Any], Any] | None:
        """Return what makes a Python value of what the driver gives at *position*."""
        coltypes = self.coltypes or ()
        how = to_python(self.types[position], self.engine.dialect, coltypes[position])
        return bool if isinstance(how, Inline) else how  # the only one for Python values


class Relation(Reader):
    """The rows of one relation, for the keys of a page."""

    def __init__(
        self, many: Many, positions: tuple[int, ...], engine: Engine, shape: Hashable
    ) -> None:
        self.many, self.positions = many, positions
        self.froms = Froms(many.node.model, engine.dialect.name)
        self._keys = self._hang()
        group = tuple(self.froms.select(("key", n), column) for n, column in enumerate(self._keys))
        layout = self.froms.layout(many.node, group)
        self._statements: dict[int, Statement] = {}
        super().__init__(many.node, layout, engine, shape)

    def load(
        self, flavour: Flavour, above: Rows, execute: Execute, scope: Scope | None
    ) -> Callable[[Any], Any]:
        """Return what gives the objects for a key, for the rows *above*."""
        keys = self._wanted(above)
        rows: list[tuple[Any, ...]] = []
        for start in range(0, len(keys), KEYS[-1]):
            chunk = keys[start : start + KEYS[-1]]
            size = next(size for size in KEYS if size >= len(chunk))
            statement = self._statement(size)
            chunk += [chunk[-1]] * (size - len(chunk))
            rows += execute(statement.text(0, 0), statement.bind((), chunk, scope), self)
        if not keys:
            return {}.get
        made = self.objects(flavour, rows, execute, scope)
        return made.get  # type: ignore[no-any-return]  # grouped: a dict

    def _wanted(self, above: Rows) -> list[tuple[Any, ...]]:
        """Return the keys in *above*, each once, without those of rows that are not there."""
        if len(self.positions) == 1:
            position = self.positions[0]
            one = dict.fromkeys(row[position] for row in above)
            one.pop(None, None)
            return [(key,) for key in one]
        several = dict.fromkeys(tuple(row[p] for p in self.positions) for row in above)
        return [key for key in several if None not in key]

    def _statement(self, size: int) -> Statement:
        found = self._statements.get(size)
        if found is None:
            made = self.froms.statement().where(self._among(size)).order_by(*_order(self.many))
            found = compiled(made, self.engine, self.shape, paged=False, clauses=())
            self._statements[size] = found
            self.types = found.types
        return found

    def _among(self, size: int) -> ColumnElement[bool]:
        """Return the condition that a row hangs on one of *size* keys."""
        if len(self._keys) == 1:
            column = self._keys[0]
            return column.in_([_key_bind(n, 0, column) for n in range(size)])
        return or_(
            *(
                and_(*(c == _key_bind(n, part, c) for part, c in enumerate(self._keys)))
                for n in range(size)
            )
        )

    def _hang(self) -> list[ColumnElement[Any]]:
        """Let the statement start where the rows above are; return the columns of their keys."""
        prop, target = self.many.prop, self.many.node.model
        if _is_plain(prop) and prop.secondary is None:
            columns = [remote for _, remote in prop.local_remote_pairs]
            names = [inspect(target).get_property_by_column(column).key for column in columns]
            return [getattr(target, name) for name in names]
        if _is_plain(prop) and not _to_itself(prop):
            self.froms.start = lambda found: found.select_from(prop.secondary).join(
                target, prop.secondaryjoin
            )
            return [remote for _, remote in prop.synchronize_pairs]
        above = aliased(prop.parent)
        names = [prop.parent.get_property_by_column(column).key for column in _local(prop)]
        self.froms.start = lambda found: found.select_from(above).join(getattr(above, prop.key))
        return [getattr(above, name) for name in names]


def _local(prop: Any) -> list[Any]:
    """Return the columns of the row above that a relation hangs on."""
    if _is_plain(prop) and not (prop.secondary is not None and _to_itself(prop)):
        pairs = prop.local_remote_pairs if prop.secondary is None else prop.synchronize_pairs
        return [local for local, _ in pairs]
    return list(prop.parent.primary_key)


def _is_plain(prop: Any) -> bool:
    """Tell whether a relation is nothing but the equality of one pair of columns."""
    join = prop.primaryjoin
    return (
        isinstance(join, BinaryExpression)
        and join.operator is operators.eq
        and len(prop.synchronize_pairs) == 1
    )


def _to_itself(prop: Any) -> bool:
    return bool(prop.mapper.common_parent(prop.parent))


def _order(many: Many) -> list[Any]:
    """Return what the rows of a relation are sorted by: as it says, then by key."""
    said = list(many.prop.order_by or ())
    return [*said, *inspect(many.node.model).primary_key]


def _is_one(model: Any) -> list[ColumnElement[bool]]:
    """Return the conditions that a row has a certain key."""
    mapper = inspect(model)
    names = [mapper.get_property_by_column(column).key for column in mapper.primary_key]
    columns = [getattr(model, name) for name in names]
    return [
        c == bindparam(one_name(n), None, c.type, required=False) for n, c in enumerate(columns)
    ]


def _key_bind(number: int, part: int, column: ColumnElement[Any]) -> Any:
    return bindparam(key_name(number, part), None, type_=column.type)


def _split(path: str) -> tuple[tuple[str, ...], str]:
    *steps, name = path.split(".")
    return tuple(steps), name
