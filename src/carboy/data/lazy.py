"""Lazy relations as SQLAlchemy knows them: every private part that `batches` touches.

    relation(Book.author.property)  ->  Relation: its columns, its statement, or None
        .key(state)                 ->  what one row is looked up by
        .fetch(session, state, keys)  ->  {key: value} by one statement
    asked_for(context)          ->  Asked: what a statement of the ORM was to load

Checked on SQLAlchemy 2.1; tests/data/test_batches.py fails when one of them is gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, inspect, select, tuple_
from sqlalchemy.orm.base import LoaderCallableStatus, PassiveFlag
from sqlalchemy.orm.context import QueryContext, _ORMCompileState
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

__all__ = [
    "ANYTHING", "NOT_THERE", "WITHOUT_SQL", "Asked", "Relation", "asked_for",
    "attribute", "deletes", "relation", "tables",
]  # fmt: skip

ANYTHING = PassiveFlag.PASSIVE_OFF
WITHOUT_SQL = PassiveFlag.PASSIVE_NO_FETCH
NOT_THERE = LoaderCallableStatus.PASSIVE_NO_RESULT

NEVER = ("raise", "raise_on_sql", "noload", "dynamic", "write_only", None)
"""Values of `lazy=` whose attribute is not filled by loading one value."""

Key = tuple[Any, ...]


class Relation:
    """One relation, as it is loaded for several rows at once.

    name: the attribute. by_key: many-to-one by the primary key of the other side, which
    the identity map may have. tables: what its statement reads.
    """

    def __init__(self, relationship: Any, pairs: list[tuple[Any, Any]], remote: list[Any]) -> None:
        self.relationship = relationship
        self.name = relationship.key
        self.parent, self.target = relationship.parent, relationship.mapper
        self.many = relationship.uselist
        self.by_key = relationship._use_get
        self.tables = set(self.target.tables)
        if relationship.secondary is not None:
            self.tables.add(relationship.secondary)
        self._names = tuple(self.parent.get_property_by_column(local).key for local, _ in pairs)
        self._order = _order(self.target, [remote for _, remote in pairs]) if self.by_key else ()
        self._statement = _statement(relationship, remote)

    def has(self, state: Any) -> bool:
        """Return whether the class of *state* has this relation."""
        mapper = state.manager.mapper
        return mapper is self.parent or bool(mapper.isa(self.parent))

    def key(self, state: Any) -> Key | None:
        """Return what *state* refers by; None where a part is absent or not loaded."""
        values = state.dict
        key = tuple([values.get(name) for name in self._names])
        return None if None in key else key

    def is_there(self, session: Session, key: Key) -> bool:
        """Return whether the row that *key* names needs no loading."""
        if not self.by_key:
            return False
        identity = tuple([key[place] for place in self._order])
        return self.target.identity_key_from_primary_key(identity) in session.identity_map

    def fetch(self, session: Session, state: Any, keys: list[Key]) -> dict[Key, Any] | None:
        """Return the value for each of *keys*; None when one by one must be asked.

        state: the first row that asked; its options hold for all. One statement.
        """
        if not _told_apart(keys):
            return None
        found: dict[Key, list[Any]] = {key: [] for key in keys}
        values = [key[0] for key in keys] if len(self._names) == 1 else keys
        options = QueryContext.default_load_options + {
            "_invoke_all_eagers": False, "_lazy_loaded_from": state,
        }  # fmt: skip
        rows = session.execute(
            self._statement_for(state),
            {"keys": values},
            execution_options={"_sa_orm_load_options": options},
        ).unique()
        for *key, row in rows:
            owner = found.get(tuple(key))
            if owner is None:  # the database takes for equal what Python does not
                return None
            owner.append(row)
        if self.many:
            return found
        if any(len(rows) > 1 for rows in found.values()):
            return None  # SQLAlchemy warns
        return {key: rows[0] if rows else None for key, rows in found.items()}

    def _statement_for(self, state: Any) -> Any:
        """Return the statement with the options and the path of a lazy load."""
        statement = self._statement._clone()
        path = state.mapper._path_registry[self.relationship]
        if state.load_options:
            path = state.load_path[self.relationship]
            statement._with_options = state.load_options
        statement._compile_options = _ORMCompileState.default_compile_options + {
            "_current_path": path
        }
        return statement


@dataclass(frozen=True)
class Asked:
    """What a statement was to load. what: in words. advice: how to ask once."""

    what: str
    advice: str


def asked_for(context: Any) -> Asked:
    """Return what the statement of an execution context (or None) was to load."""
    compiled: Any = getattr(context, "compiled", None)
    compiling: Any = getattr(compiled, "compile_state", None)
    options = getattr(context, "execution_options", {}).get("_sa_orm_load_options")
    if getattr(options, "_lazy_loaded_from", None) is not None:
        return _of_relation(compiling.compile_options._current_path.path[-1])
    subject = getattr(compiling, "select_statement", None)
    mapper = getattr(subject, "_propagate_attrs", {}).get("plugin_subject")
    if mapper is None or not mapper.is_mapper:
        return Asked("the same question", "Ask once, before the loop, for all of them.")
    name, key = mapper.class_.__name__, mapper.get_property_by_column(mapper.primary_key[0]).key
    together = f"select({name}).where({name}.{key}.in_(keys))."
    if getattr(options, "_refresh_state", None) is not None:
        return Asked(
            f"{name} was read again",
            f"Rows expire at commit: commit once, after the loop, or read them together:"
            f" {together}",
        )
    if compiled.binds and all(bind.startswith("pk_") for bind in compiled.binds):
        return Asked(f"{name} was loaded by its key", f"Load them together: {together}")
    return Asked(
        f"{name} was asked for",
        f"Ask once, before the loop: select({name}).where({name}.….in_(values)).",
    )


def _of_relation(relationship: Any) -> Asked:
    name = f"{relationship.parent.class_.__name__}.{relationship.key}"
    loader = "selectinload" if relationship.uselist else "joinedload"
    return Asked(
        f"{name} was loaded for each row",
        f"Load it with the rows: select({relationship.parent.class_.__name__})"
        f".options({loader}({name})), or the option {loader}({name}) on your query.",
    )


def relation(relationship: Any) -> Relation | None:
    """Return how *relationship* is loaded for several rows; None when that is not plain.

    Plain: its condition says that columns of one side equal columns of the other.
    """
    if not relationship.entity.is_mapper or relationship._target_correlates_to_parent:
        return None
    both = {pair: pair for pair in relationship.local_remote_pairs}  # not the condition's copies
    pairs = []
    for part in _parts(relationship.primaryjoin):
        sides = _sides(part)
        if sides in both:
            pairs.append(both[sides])
        elif sides[::-1] in both:
            pairs.append(both[sides[::-1]])
        else:
            return None
    remote = [_readable(relationship, column) for _, column in pairs]
    if any(one is None for one in remote):
        return None
    return Relation(relationship, pairs, remote)


def attribute(mapper: Any, relationship: Any) -> Any:
    """Return the attribute that loads a relation of *mapper*'s class; None if none does."""
    if relationship.lazy in NEVER:
        return None
    found = mapper.class_manager[relationship.key].impl
    return found if getattr(found, "callable_", None) is not None else None


def tables(row: Any) -> set[Any]:
    """Return the tables that the flush of *row* writes to, those between two included."""
    state: Any = inspect(row)
    held = vars(state)
    changed = {*held.get("committed_state", ()), *held.get("_pending_mutations", ())}
    if row in state.session.new:
        changed.update(state.dict)
    between = {one.secondary for one in state.mapper.relationships if one.key in changed}
    return {*state.mapper.tables, *between} - {None}


def deletes(context: Any) -> bool:
    """Return whether a flush deletes anything: then the database may delete more."""
    return any(gone for gone, _ in context.states.values())


def _told_apart(keys: list[Key]) -> bool:
    """Return whether any collation tells the texts among *keys* apart, or there are none."""
    texts = [part for key in keys for part in key if isinstance(part, str)]
    if not texts:
        return True
    folded = {
        tuple([part.casefold().strip() if isinstance(part, str) else part for part in key])
        for key in keys
    }
    return len(folded) == len(keys) and all(map(str.isascii, texts))


def _parts(condition: Any) -> list[Any]:
    if isinstance(condition, BooleanClauseList) and condition.operator is operators.and_:
        return list(condition.clauses)
    return [condition]


def _sides(part: Any) -> tuple[Any, Any]:
    if isinstance(part, BinaryExpression) and part.operator is operators.eq:
        return part.left, part.right
    return None, None


def _readable(relationship: Any, column: Any) -> Any:
    """Return *column* of the other side as a query names it; None where it cannot."""
    if relationship.secondary is not None:
        return column if column.table is relationship.secondary else None
    mapper = relationship.mapper
    if column not in mapper._columntoproperty:
        return None
    return getattr(mapper.class_, mapper.get_property_by_column(column).key)


def _order(target: Any, remote: list[Any]) -> tuple[int, ...]:
    """Return the places, in a key of ours, of the parts of the primary key."""
    same = target._equivalent_columns
    return tuple(
        next(n for n, one in enumerate(remote) if one is part or one in same.get(part, ()))
        for part in target.primary_key
    )


def _statement(relationship: Any, remote: list[Any]) -> Any:
    target = relationship.mapper.class_
    statement = select(*remote, target)
    if relationship.secondary is not None:
        statement = statement.select_from(relationship.secondary).join(
            target, relationship.secondaryjoin
        )
    column: Any = remote[0] if len(remote) == 1 else tuple_(*remote)
    statement = statement.where(column.in_(bindparam("keys", expanding=True)))
    return statement.order_by(*relationship.order_by) if relationship.order_by else statement
