"""Links: rules about the row that a relation leads to, as EXISTS.

    related("notebook")   ->  Link.along(...)  ->  EXISTS (SELECT 1 FROM notebook AS n
                                                           WHERE n.id = notebook_id AND rule)

The tables inside are aliases of their own, so that nothing of the statement around can
be meant, and they stand under no policy but the rule that is written out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa
from sqlalchemy import ColumnElement, orm
from sqlalchemy.sql import elements, operators

from carboy.base.errors import SetupError
from carboy.policy.binds import PolicyBind, constant
from carboy.policy.errors import Refused
from carboy.policy.expressions import Unprovable
from carboy.policy.rules import Both, Columns, Condition, Either, Not, Related, Rule, Shape
from carboy.policy.witness import by_keys

if TYPE_CHECKING:
    from carboy.policy.book import Place, Rulebook

__all__ = ["ActionLink", "Link", "Linked", "Refers", "equal_pairs", "links", "without"]


@dataclass(eq=False)
class Link:
    """EXISTS: a row of *target* that is linked to this one and fulfils a rule.

    pairs: (own column key, column of the next table). via: an association table and its
    pairs (its column, column of the target), for many-to-many. kinds: the discriminator
    and its values, when the relation leads to a class that shares its parent's table.
    """

    book: Rulebook
    target: sa.Table
    pairs: list[tuple[str, sa.Column[Any]]]
    rule: Rule | None  # bound to the target; None: the read rule of the target
    via: sa.Table | None = None
    onward: list[tuple[sa.Column[Any], sa.Column[Any]]] = field(default_factory=list)
    kinds: tuple[str, PolicyBind] | None = None

    @classmethod
    def along(cls, place: Place, prop: orm.RelationshipProperty[Any], rule: Rule | None) -> Link:
        """Return the link along a relationship. Raises SetupError for an unusual join."""
        target = prop.mapper.local_table
        _plain_join(prop, place)
        if not isinstance(target, sa.Table):
            raise Refused("policy.no_table", f"{prop} leads to no table.")
        there = replace(place.book.place(target), subject=prop.mapper.class_, mapper=prop.mapper)
        bound = None if rule is None else rule.bind(there)
        kinds = _kinds(prop.mapper, target, place)
        if prop.secondary is None:
            pairs = [(_key(one), _col(other)) for one, other in prop.local_remote_pairs or ()]
            return cls(place.book, target, pairs, bound, kinds=kinds)
        assert isinstance(prop.secondary, sa.Table)
        near = [(_key(one), _col(other)) for one, other in prop.synchronize_pairs]
        far = [(_col(other), _col(one)) for one, other in prop.secondary_synchronize_pairs or ()]
        return cls(place.book, target, near, bound, prop.secondary, far, kinds)

    def condition(self, columns: Columns, shape: Shape) -> Condition:
        """Return the EXISTS, or False when no row can fulfil the rule."""
        there = self.target.alias()
        rule = self.target_rule().condition(cast("Columns", there.c), shape)
        if rule is False:
            return False
        via = None if self.via is None else self.via.alias()
        near = there if via is None else via
        on = [columns[own] == near.c[other.key] for own, other in self.pairs]
        query: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(there)
        if via is not None:
            on += [via.c[one.key] == there.c[other.key] for one, other in self.onward]
            query = query.select_from(via)
        if self.kinds is not None:
            on.append(there.c[self.kinds[0]].in_(self.kinds[1]))
        if not isinstance(rule, bool):
            on.append(rule)
        on += self._old(there, via)
        # Rendered where something is written (witness.py): it must still be so then.
        query = query.where(*on).with_for_update(read=True, key_share=by_keys(rule, there))
        return _correlated(query, columns, there, via)

    def _old(self, there: Any, via: Any) -> list[Any]:
        """Return that a row which leads back here is none of those `without` was told of."""
        columns, keys = _new.get()
        tables = {column.table for column in columns}
        if via is not None and self.via in tables:
            return [_none_of(via, columns, keys)]
        one = {other.key for _, other in self.pairs} == {c.key for c in self.target.primary_key}
        if via is None and not one and self.target in tables:
            return [_none_of(there, columns, keys)]
        return []

    def target_rule(self) -> Rule:
        """Return the rule that the other row must fulfil, bound to its table."""
        if self.rule is not None:
            return self.rule
        return self.book.governed(self.target).rules["read"]


_new: ContextVar[tuple[list[Any], list[Any]]] = ContextVar("carboy.policy.links", default=([], []))


@contextmanager
def without(columns: list[Any], keys: list[Any]) -> Iterator[None]:
    """Make rules in the block as if the rows with *keys* in *columns* were not there yet.

    Else a row that was just inserted could grant the right to insert it: who adds themselves
    to the members of a notebook would be a member, who may add members.
    """
    token = _new.set((columns, keys))
    try:
        yield
    finally:
        _new.reset(token)


def _none_of(there: Any, columns: list[Any], keys: list[Any]) -> Any:
    own = [there.c[column.key] for column in columns]
    if len(own) == 1:
        return own[0].not_in([key[0] for key in keys])
    return sa.tuple_(*own).not_in([tuple(key) for key in keys])


@dataclass(frozen=True, eq=False)
class Linked(Rule):
    """The row a link leads to fulfils the rule of the link."""

    link: Link
    text: str

    def condition(self, columns: Columns, shape: Shape) -> Condition:
        """Return the EXISTS of the link."""
        return self.link.condition(columns, shape)

    def decide(self, values: Any, scope: Any) -> bool | None:
        """Return None: other rows are known to the database alone."""
        return None

    def words(self) -> str:
        """Return the text."""
        return self.text


class Refers(Linked):
    """What a foreign key refers to may be read; whether it exists, the constraint checks."""

    def condition(self, columns: Columns, shape: Shape) -> Condition:
        """Return the EXISTS, or True when everything there may be read."""
        there = cast("Columns", self.link.target.c)
        if self.link.target_rule().condition(there, shape) is True:
            return True
        return self.link.condition(columns, shape)

    def decide(self, values: Any, scope: Any) -> bool | None:
        """Return True when everything there may be read, else None."""

        def unknown(key: str) -> Any:
            raise Unprovable

        return True if self.link.target_rule().decide(unknown, scope) else None


@dataclass(eq=False)
class ActionLink(Link):
    """A link whose rule is that of an action on the target, seen and written alike."""

    action: str = "read"

    def __init__(
        self,
        book: Rulebook,
        target: sa.Table,
        pairs: list[tuple[str, sa.Column[Any]]],
        rule: Rule | None,
        action: str,
    ) -> None:
        super().__init__(book, target, pairs, rule)
        self.action = action

    def target_rule(self) -> Rule:
        """Return the rule of the action on the target."""
        rules = self.book.governed(self.target).rules
        if self.action in ("read", "create"):
            return rules[self.action]
        return Both((rules["read"], rules[self.action]))


def equal_pairs(on: Any) -> list[tuple[Any, Any]]:
    """Return the column pairs of `a = b AND c = d`. Raises ValueError for anything else."""
    if isinstance(on, elements.BooleanClauseList) and on.operator is operators.and_:
        return [pair for part in on.clauses for pair in equal_pairs(part)]
    equal = isinstance(on, elements.BinaryExpression) and on.operator is operators.eq
    if equal and isinstance(on.left, sa.Column) and isinstance(on.right, sa.Column):
        return [(on.left, on.right)]
    raise ValueError(str(on))


def links(rule: Rule) -> Iterator[Link]:
    """Yield the links that *rule* leans on."""
    if isinstance(rule, (Both, Either)):
        for part in rule.parts:
            yield from links(part)
    elif isinstance(rule, Not):
        yield from links(rule.part)
    elif isinstance(rule, (Related, Linked)):
        yield rule.link


def _correlated(
    query: sa.Select[Any], columns: Columns, there: Any, via: Any
) -> ColumnElement[bool]:
    """Return EXISTS(query), whose own tables are only *there* and *via*."""
    return sa.exists(query.correlate_except(there, *([] if via is None else [via])))


def _plain_join(prop: orm.RelationshipProperty[Any], place: Place) -> None:
    """Refuse joins that say more than equal keys: the rest would silently be left out."""
    joins = [prop.primaryjoin, *([] if prop.secondaryjoin is None else [prop.secondaryjoin])]
    try:
        for join in joins:
            equal_pairs(join)
    except ValueError:
        raise SetupError(
            "policy.join",
            f"The relation {prop.key!r} in the rule at {place} joins by more than equal keys.",
            hint="Write a relation by keys alone, and the rest as a rule of related(...).",
        ) from None


def _kinds(
    mapper: orm.Mapper[Any], target: sa.Table, place: Place
) -> tuple[str, PolicyBind] | None:
    """Return (discriminator, its values) of a class whose rows are in its parent's table."""
    if not mapper.single:
        return None
    column = mapper.polymorphic_on
    if not isinstance(column, sa.Column) or column.table is not target:
        raise SetupError(
            "policy.kind",
            f"The rule at {place} leads to {mapper.class_.__name__}, which only a column of"
            " another table tells from its parent.",
            hint=f"Lead to the parent, or map {mapper.class_.__name__} to a table of its own.",
        )
    values = [one.polymorphic_identity for one in mapper.self_and_descendants]
    return column.key, constant(values, column.type, expanding=True)


def _key(column: Any) -> str:
    return str(column.key)


def _col(column: Any) -> sa.Column[Any]:
    assert isinstance(column, sa.Column)
    return column
