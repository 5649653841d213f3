"""The rulebook: every table a registry maps, and the rule it stands under.

    Rulebook(Base.registry)
        .governed(table)   ->  Governed: rules bound to the table's columns
        .shape(frame)      ->  what the compiled SQL may depend on, one object per shape

A model without a policy shows no rows. A joined child table shows what its parent
shows; an association table shows the pairs whose two ends may be read.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, event, orm

from carboy.base.errors import SetupError
from carboy.data import search
from carboy.policy.errors import Refused
from carboy.policy.links import ActionLink, Link, Linked, Refers, equal_pairs, links
from carboy.policy.policies import Field, Policy
from carboy.policy.rules import Both, Columns, Condition, Either, Rule, Shape, nobody
from carboy.policy.shapes import Shapes

if TYPE_CHECKING:
    from carboy.base.scope import Frame

__all__ = ["Governed", "Place", "Rulebook", "as_sql"]

_books: weakref.WeakSet[Rulebook] = weakref.WeakSet()
_versions = itertools.count(1)  # no two books share one: a shape tells them apart


@dataclass
class Place:
    """Where a rule is bound: resolves names, and says in errors where it was declared."""

    book: Rulebook
    table: sa.Table
    subject: Any
    mapper: orm.Mapper[Any] | None
    declared: str

    def __str__(self) -> str:
        return f"{self.declared} (policy of {getattr(self.subject, '__name__', self.table.name)})"

    def column(self, name: str) -> sa.Column[Any]:
        """Return the column of the table that the attribute or relation *name* is kept in."""
        if self.mapper is not None and name in self.mapper.all_orm_descriptors:
            prop = self.mapper.attrs.get(name)
            if isinstance(prop, orm.RelationshipProperty):
                return self.own(self._local(prop, name), name)
            if isinstance(prop, orm.ColumnProperty) and isinstance(prop.columns[0], sa.Column):
                return self.own(prop.columns[0], name)
        if name in self.table.c:
            return self.table.c[name]
        raise self._unknown(name)

    def link(self, name: str, rule: Rule | None) -> Link:
        """Return the way along the relation *name*, to a row that fulfils *rule*."""
        prop = None if self.mapper is None else self.mapper.relationships.get(name)
        if prop is None:
            raise self._unknown(name)
        return Link.along(self, prop, rule)

    def _local(self, prop: orm.RelationshipProperty[Any], name: str) -> sa.Column[Any]:
        pairs = prop.local_remote_pairs
        if prop.direction is orm.MANYTOONE and pairs and len(pairs) == 1:
            column = pairs[0][0]
            assert isinstance(column, sa.Column)
            return column
        raise SetupError(
            "policy.not_one",
            f"{name!r} in the rule at {self} is not one key.",
            hint=f"owner() needs a many-to-one relation; use related({name!r}, ...) for many.",
        )

    def own(self, column: sa.Column[Any], name: str) -> sa.Column[Any]:
        """Return *column* of this table; raise SetupError for one of another table."""
        if column.table == self.table:
            return self.table.c[column.key]
        raise SetupError(
            "policy.other_table",
            f"{name!r} in the rule at {self} is kept in another table, {column.table.name!r}.",
            hint="A rule is about the columns of its own table; reach others with related(...).",
        )

    def _unknown(self, name: str) -> SetupError:
        known = [*self.mapper.attrs.keys()] if self.mapper is not None else [*self.table.c.keys()]
        return SetupError(
            "policy.unknown_name",
            f"{name!r} in the rule at {self} is no column or relation.",
            hint=f"Known are: {', '.join(sorted(map(str, known)))}.",
        )


@dataclass(eq=False)
class Governed:
    """A table and its rules, bound to its columns.

    name: what people call a row: the class, or the table. foreign: per column with a
    foreign key, the rule that its target may be read.
    """

    table: sa.Table
    name: str
    policy: Policy
    mapper: orm.Mapper[Any] | None = None
    rules: dict[str, Rule] = field(default_factory=dict)
    fields: dict[str, Field] = field(default_factory=dict)
    foreign: dict[str, Rule] = field(default_factory=dict)

    def condition(self, action: str, columns: Columns, shape: Shape) -> Condition:
        """Return the condition for *action* on *columns*; whoever writes must see, too."""
        rules = [self.rules[action]]
        if action in ("update", "delete", "check"):
            rules.insert(0, self.rules["read"])
        return Both(tuple(rules)).condition(columns, shape)

    def masks(self, columns: Columns, shape: Shape) -> dict[str, Condition]:
        """Return, per column that this shape may not see in every row, when it may."""
        found = {key: one.read.condition(columns, shape) for key, one in self.fields.items()}
        return {key: one for key, one in found.items() if one is not True}

    def setting(self, keys: set[str], columns: Columns, shape: Shape) -> list[Condition]:
        """Return what must be true of a row before the columns *keys* of it may be set."""
        return [
            one.write.condition(columns, shape) for key, one in self.fields.items() if key in keys
        ]


class Rulebook:
    """The rules of all tables of some registries. Thread-safe once it has been read.

    undeclared: the policy of models that state none; nobody may do anything by default.
    keep_cache: sees to it that what a flush compiles is kept per shape; see `filters.install`.
    """

    def __init__(self, *registries: orm.registry, undeclared: Policy | None = None) -> None:
        self.registries = list(registries)
        self.undeclared = undeclared
        self._governed: dict[sa.Table, Governed] = {}
        self._places: dict[sa.Table, Place] = {}
        self._shapes = Shapes()
        self._mentioned: frozenset[str] = frozenset()
        self._names: frozenset[str] = frozenset()
        self.version = 0
        self.on_read: list[Callable[[Rulebook], None]] = []
        self.keep_cache: Callable[[orm.Mapper[Any]], None] = lambda mapper: None
        self.stale = True
        _books.add(self)

    def add(self, registry: orm.registry) -> None:
        """Take the models of *registry* in."""
        if registry not in self.registries:
            self.registries.append(registry)
            self.stale = True

    @property
    def names(self) -> frozenset[str]:
        """The names of all tables, in lower case: what text may not mention."""
        self._fresh()
        return self._names

    @property
    def edition(self) -> int:
        """The version, after all models that were added have been read."""
        self._fresh()
        return self.version

    @property
    def mentioned(self) -> frozenset[str]:
        """The names of all roles and tokens that some rule asks for."""
        self._fresh()
        return self._mentioned

    def tables(self) -> list[Governed]:
        """Return all governed tables, by name."""
        self._fresh()
        return sorted(self._governed.values(), key=lambda one: str(one.table.fullname))

    def governed(self, table: sa.Table) -> Governed:
        """Return the rules of *table*. Raises Refused for a table nobody described."""
        self._fresh()
        found = self._governed.get(table)
        if found is not None:
            return found
        if self.undeclared is not None:
            return self._governed.setdefault(table, _open_table(table, self.undeclared))
        raise Refused(
            "policy.no_policy",
            f"The table {table.name!r} has no policy, so nobody may use it.",
            hint="Map it to a model with a policy, or describe it with"
            " Table(..., info={'policy': Policy(...)}), or work in `with unscoped('why'):`.",
        )

    def place(self, table: sa.Table) -> Place:
        """Return where rules of *table* are bound."""
        return self._places[table]

    def shape(self, frame: Frame) -> Shape:
        """Return the shape of who asks: the same object for equal shapes."""
        # PERF: three times per statement; hence no call in the usual case.
        if self.stale:
            self._read()
        known: Shape | None = frame.notes.get(self)
        if known is None or known.version != self.version:
            known = self._shapes.of(frame.scope, self.version, self._mentioned)
            frame.notes[self] = known
        return known

    def _fresh(self) -> None:
        if self.stale:
            self._read()

    def _read(self) -> None:
        """Read all mapped classes again; every rule is bound and checked."""
        for registry in self.registries:
            registry.configure()
        self.stale = False
        try:
            self._places = dict(self._found_places())
            self._governed = {}
            for table, place in self._places.items():
                self._governed[table] = self._bound(table, place)
            for one in self._governed.values():
                one.foreign = self._foreign(one.table)
            self._associations()
            self._no_circles()
        except BaseException:
            self.stale = True
            raise
        self._shapes = Shapes()
        self._mentioned = frozenset().union(*(_mentions(g) for g in self._governed.values()))
        closed = (g.table for g in self._governed.values() if g.policy is not self.undeclared)
        tables = closed if self.undeclared else itertools.chain(
            self._governed, *(_all_tables(registry) for registry in self.registries)
        )  # fmt: skip
        known = list(tables)
        self._names = frozenset(table.name.lower() for table in known) | search.closed(known)
        self.version = next(_versions)
        for listener in self.on_read:
            listener(self)

    def _found_places(self) -> Iterator[tuple[sa.Table, Place]]:
        for registry in self.registries:
            # Parents first: a single-table child shares its parent's place.
            mappers = sorted(registry.mappers, key=lambda m: len(list(m.iterate_to_root())))
            seen: set[sa.Table] = set()
            for mapper in mappers:
                table = mapper.local_table
                if isinstance(table, sa.Table) and table not in seen:
                    seen.add(table)
                    yield table, self._mapped(mapper, table)
                elif "policy" in vars(mapper.class_):
                    raise _shared(mapper)
            for table in registry.metadata.tables.values():
                policy = table.info.get("policy")
                if isinstance(policy, Policy) and table not in seen:
                    yield table, Place(self, table, table, None, policy.place)

    def _mapped(self, mapper: orm.Mapper[Any], table: sa.Table) -> Place:
        policy = getattr(mapper.class_, "policy", None)
        declared = policy.place if isinstance(policy, Policy) else "nowhere"
        if _is_child(mapper) and "policy" in vars(mapper.class_):
            raise _shared(mapper)
        mapper.confirm_deleted_rows = False  # a warning; flushed.py looks, and raises NotFound
        return Place(self, table, mapper.class_, mapper, declared)

    def _bound(self, table: sa.Table, place: Place) -> Governed:
        mapper = place.mapper
        found = table.info.get("policy") if mapper is None else _policy_of(mapper)
        policy = found if isinstance(found, Policy) else self.undeclared or Policy()
        name = table.name if mapper is None else mapper.class_.__name__
        if mapper is not None and _is_child(mapper):
            return Governed(table, name, policy, mapper, self._as_parent(mapper, table))
        rules = {action: rule.bind(place) for action, rule in policy.rules.items()}
        fields = {
            place.column(key).key: Field(one.read.bind(place), one.write.bind(place))
            for key, one in policy.fields.items()
        }
        return Governed(table, name, policy, mapper, rules, fields)

    def _as_parent(self, mapper: orm.Mapper[Any], table: sa.Table) -> dict[str, Rule]:
        """A joined child's row stands under the rules of its parent's row."""
        assert mapper.inherits is not None
        parent = mapper.inherits.local_table
        assert isinstance(parent, sa.Table)
        on = mapper.inherit_condition
        pairs = [
            (left.key, right) if left.table == table else (right.key, left)
            for left, right in equal_pairs(on)
        ]
        text = f"its {mapper.inherits.class_.__name__} may be {{}}"
        words = {"read": "read", "create": "created", "update": "updated", "delete": "deleted"}
        return {
            action: Linked(ActionLink(self, parent, pairs, None, action=action),
                           text.format(words.get(action, "updated")))
            for action in ("read", "create", "update", "delete", "check")
        }  # fmt: skip

    def _foreign(self, table: sa.Table) -> dict[str, Rule]:
        """Return, per column that refers to a governed row, that this row may be read."""
        found: dict[str, Rule] = {}
        for key in table.foreign_keys:
            target = key.column.table
            if target not in self._governed or self._is_parents(key):
                continue
            link = Link(self, target, [(key.parent.key, key.column)], None)
            rule: Rule = Refers(link, f"its {key.parent.key} refers to what may be read")
            before = found.get(key.parent.key)
            found[key.parent.key] = rule if before is None else Both((before, rule))
        return found

    def _is_parents(self, key: sa.ForeignKey) -> bool:
        """Tell whether *key* leads a joined child to its own row: its rules see to that."""
        place = self._places.get(key.parent.table)
        mapper = None if place is None else place.mapper
        return (
            mapper is not None
            and _is_child(mapper)
            and mapper.inherits is not None
            and key.parent.primary_key
            and key.column.table is mapper.inherits.local_table
        )

    def _associations(self) -> None:
        """Give association tables their rule: both ends visible, one of them mine to change."""
        for registry in self.registries:
            for mapper in registry.mappers:
                for prop in mapper.relationships:
                    table = prop.secondary
                    if isinstance(table, sa.Table) and table not in self._governed:
                        self._governed[table] = self._association(table)

    def _association(self, table: sa.Table) -> Governed:
        ends = self._foreign(table)
        seen = (Linked(one.link, one.text) for one in ends.values() if isinstance(one, Refers))
        both: Rule = Both(tuple(seen)) if ends else nobody
        change = [
            ActionLink(self, key.column.table, [(key.parent.key, key.column)], None, "update")
            for key in table.foreign_keys
            if key.column.table in self._governed
        ]
        either = Either(tuple(Linked(one, "an end of it may be updated") for one in change))
        write = Both((both, either))
        rules = {"read": both, **dict.fromkeys(("create", "update", "delete", "check"), write)}
        return Governed(table, table.name, Policy(), None, rules)

    def _no_circles(self) -> None:
        for one in self._governed.values():
            _walk(one, self, (one.name,))


def as_sql(condition: Condition) -> ColumnElement[bool]:
    """Return *condition* as SQL, also when it is the answer already."""
    if isinstance(condition, bool):
        return sa.literal_column("1") == sa.literal_column("1" if condition else "0")
    return condition


def _policy_of(mapper: orm.Mapper[Any]) -> Any:
    policy = getattr(mapper.class_, "policy", None)
    if policy is None or isinstance(policy, Policy):
        return policy
    raise SetupError(
        "policy.no_policy_object",
        f"{mapper.class_.__name__}.policy is {policy!r}, which is no Policy.",
        hint="Write  policy = Policy(read=everyone, write=role('staff')).",
    )


def _open_table(table: sa.Table, policy: Policy) -> Governed:
    """Return the rules of a table that no registry maps, where those are not closed."""
    return Governed(table, table.name, policy, None, dict(policy.rules))


def _is_child(mapper: orm.Mapper[Any]) -> bool:
    return mapper.inherits is not None and not mapper.concrete


def _shared(mapper: orm.Mapper[Any]) -> SetupError:
    base = mapper.base_mapper.class_.__name__
    return SetupError(
        "policy.child",
        f"{mapper.class_.__name__} has a policy of its own, but its rows are rows of {base}.",
        hint=f"State the policy at {base}; where(...) may use the discriminator.",
    )


def _mentions(governed: Governed) -> frozenset[str]:
    fields = [rule for one in governed.fields.values() for rule in (one.read, one.write)]
    return frozenset().union(
        *(rule.mentioned() for rule in (*governed.policy.rules.values(), *fields))
    )


def _all_tables(registry: orm.registry) -> list[sa.Table]:
    return list(registry.metadata.tables.values())


def _leaned_on(rule: Rule) -> Iterator[Link]:
    """Yield the links to what may be read, also those inside the rules of other links."""
    for link in links(rule):
        if link.rule is None:
            yield link
        else:
            yield from _leaned_on(link.rule)


def _walk(governed: Governed, book: Rulebook, above: tuple[str, ...]) -> None:
    """Follow the relations that read rules lean on; raise SetupError in a circle."""
    for link in _leaned_on(governed.rules["read"]):
        target = book.governed(link.target)
        if target.name in above:
            raise SetupError(
                "policy.circle",
                f"Read rules lean on each other: {' -> '.join((*above, target.name))}.",
                hint="Give one of the related(...) a rule of its own.",
            )
        _walk(target, book, (*above, target.name))


def _mark_stale(*_: Any) -> None:
    for book in _books:
        book.stale = True


# A class mapped later must be read before the next statement is compiled, not during it.
event.listen(orm.Mapper, "after_mapper_constructed", _mark_stale)
