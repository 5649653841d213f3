"""The rule language: who may do what with which row, said once per model.

    policy = Policy(read=everyone, create=signed_in,
                    update=owner("author"), delete=owner("author") | role("moderator"))

    declared rule  --bind(place)-->  bound rule
                                       condition(columns, shape)  ->  SQL
                                       decide(values, scope)      ->  True | False | None
                                       words()                    ->  "its author is who asks"

What depends on who asks alone (roles, signed in) is folded in Python before any SQL is
made: `(? OR owner_id = ?)` would cost the database its index. A rule that is NULL is
not fulfilled, and its negation is: nobody needs to know about NULL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from carboy.base import access
from carboy.base.errors import SetupError
from carboy.base.scope import Scope, forbidden
from carboy.policy.binds import asking
from carboy.policy.errors import checked_name
from carboy.policy.expressions import (
    Unprovable,
    Values,
    adopted,
    element_of,
    foreign_columns,
    kleene,
    moved,
    provable,
)
from carboy.policy.shapes import Shape

if TYPE_CHECKING:
    from carboy.policy.book import Place

__all__ = [
    "Columns",
    "Rule",
    "Shape",
    "everyone",
    "nobody",
    "owner",
    "related",
    "role",
    "signed_in",
    "tenant",
    "token",
    "where",
]

V = TypeVar("V", bound=Callable[..., Any])

Columns = Mapping[str, ColumnElement[Any]]
"""Column key to the column, of the table, an alias of it, or values."""

Condition = bool | ColumnElement[bool]
"""SQL, or the answer already."""


class Rule:
    """A condition on who asks and on the row; combined by `|`, `&` and `~`."""

    needs_row: ClassVar[bool] = True  # False: who asks is enough, so that a route may have it

    def bind(self, place: Place) -> Rule:
        """Return this rule with its names resolved for a table. Raises SetupError."""
        return self

    def condition(self, columns: Columns, shape: Shape) -> Condition:
        """Return the SQL condition on *columns*, or True or False."""
        raise NotImplementedError

    def decide(self, values: Values, scope: Scope) -> bool | None:
        """Return whether a row with *values* fulfils it; None: only the database knows."""
        raise NotImplementedError

    def words(self) -> str:
        """Return the rule as a clause of an English sentence."""
        raise NotImplementedError

    def mentioned(self) -> frozenset[str]:
        """Return the names of roles and tokens that it asks for."""
        return frozenset()

    def __or__(self, other: Rule) -> Rule:
        return Either((self, _rule(other)))

    def __and__(self, other: Rule) -> Rule:
        return Both((self, _rule(other)))

    def __invert__(self) -> Rule:
        return Not(self)

    def __bool__(self) -> bool:
        raise TypeError("Combine rules with |, & and ~ ('or', 'and', 'not' would drop one).")


@dataclass(frozen=True)
class Fixed(Rule):
    """The same answer for everybody."""

    needs_row: ClassVar[bool] = False
    answer: bool

    def condition(self, columns: Columns, shape: Shape) -> Condition:
        """Return the SQL, or the answer."""
        return self.answer

    def decide(self, values: Values, scope: Scope) -> bool | None:
        """Return the answer for a row."""
        return self.answer

    def words(self) -> str:
        """Return it in words."""
        return "always" if self.answer else "never"


@dataclass(frozen=True)
class SignedIn(Rule):
    """A user is known. Also a decorator of views: `@signed_in`."""

    needs_row: ClassVar[bool] = False

    def __call__(self, view: V) -> V:
        """Open *view* to everybody who is signed in, and to nobody else."""
        return access.mark(view, self)

    def condition(self, columns: Columns, shape: Shape) -> Condition:
        """Return the SQL, or the answer."""
        return shape.signed_in

    def decide(self, values: Values, scope: Scope) -> bool | None:
        """Return the answer for a row."""
        return scope.user is not None

    def words(self) -> str:
        """Return it in words."""
        return "who asks is signed in"


@dataclass(frozen=True)
class Holds(Rule):
    """Who asks has a role, or a token that reaches so far (no token: no limit)."""

    needs_row: ClassVar[bool] = False
    kind: str
    name: str

    def condition(self, columns: Columns, shape: Shape) -> Condition:
        """Return the SQL, or the answer."""
        return self._held(shape.roles, shape.tokens)

    def decide(self, values: Values, scope: Scope) -> bool | None:
        """Return the answer for a row."""
        return self._held(scope.roles, scope.tokens)

    def words(self) -> str:
        """Return it in words."""
        return f"who asks has the {self.kind} {self.name!r}"

    def mentioned(self) -> frozenset[str]:
        """Return the names asked for."""
        return frozenset((self.name,))

    def _held(self, roles: frozenset[str], tokens: frozenset[str] | None) -> bool:
        if self.kind == "role":
            return self.name in roles
        return tokens is None or self.name in tokens


@dataclass(frozen=True)
class Same(Rule):
    """A column holds the key of who asks (source "user") or of their tenant."""

    source: str
    name: str
    column: sa.Column[Any] | None = None

    def bind(self, place: Place) -> Rule:
        """Resolve the names."""
        return Same(self.source, self.name, place.column(self.name))

    def condition(self, columns: Columns, shape: Shape) -> Condition:
        """Return the SQL, or the answer."""
        if not (shape.signed_in if self.source == "user" else shape.has_tenant):
            return False
        assert self.column is not None
        return columns[self.column.key] == asking(self.source, self.column.type)

    def decide(self, values: Values, scope: Scope) -> bool | None:
        """Return the answer for a row."""
        mine = getattr(scope, self.source)
        if mine is None:
            return False
        assert self.column is not None
        try:
            value = values(self.column.key)
        except Unprovable:
            return None
        if value is None:
            return False
        if type(value) is not type(mine) or not provable(mine, self.column.type):
            return None
        return bool(value == mine)

    def words(self) -> str:
        """Return it in words."""
        whose = "who asks" if self.source == "user" else "the tenant of who asks"
        return f"its {self.name} is {whose}"


@dataclass(frozen=True, eq=False)
class Where(Rule):
    """A condition in SQLAlchemy's language on the columns of the row."""

    given: Any
    expr: ColumnElement[Any] | None = None
    table: sa.Table | None = None

    def bind(self, place: Place) -> Rule:
        """Resolve the names."""
        expr = self.given
        if callable(expr) and not isinstance(expr, ColumnElement):
            with forbidden(f"The rule at {place}"):
                expr = expr(place.subject)
        if not isinstance(expr, ColumnElement):
            expr = element_of(expr, str(place))
        ours = adopted(expr, str(place))
        for other in foreign_columns(ours, place.table):
            place.own(other, other.key)
        return Where(self.given, ours, place.table)

    def condition(self, columns: Columns, shape: Shape) -> Condition:
        """Return the SQL, or the answer."""
        assert self.expr is not None
        assert self.table is not None
        return moved(self.expr, self.table, columns)

    def decide(self, values: Values, scope: Scope) -> bool | None:
        """Return the answer for a row."""
        assert self.table is not None
        try:
            return kleene(self.expr, self.table, values, scope) is True
        except Unprovable:
            return None

    def words(self) -> str:
        """Return it in words."""
        return f"({self.expr if self.expr is not None else 'a condition'})"


@dataclass(frozen=True)
class Related(Rule):
    """A related row exists that fulfils a rule (none given: that may be read)."""

    name: str
    rule: Rule | None = None
    link: Any = None

    def bind(self, place: Place) -> Rule:
        """Resolve the names."""
        return Related(self.name, self.rule, place.link(self.name, self.rule))

    def condition(self, columns: Columns, shape: Shape) -> Condition:
        """Return the SQL, or the answer."""
        found: Condition = self.link.condition(columns, shape)
        return found

    def decide(self, values: Values, scope: Scope) -> bool | None:
        """Return the answer for a row."""
        return None

    def words(self) -> str:
        """Return it in words."""
        if self.rule is None:
            return f"its {self.name} may be read"
        return f"among its {self.name} is one where {self.rule.words()}"

    def mentioned(self) -> frozenset[str]:
        """Return the names asked for."""
        return self.rule.mentioned() if self.rule is not None else frozenset()


@dataclass(frozen=True)
class Either(Rule):
    """One of several rules."""

    parts: tuple[Rule, ...]

    def bind(self, place: Place) -> Rule:
        """Resolve the names."""
        return Either(tuple(part.bind(place) for part in self.parts))

    def condition(self, columns: Columns, shape: Shape) -> Condition:
        """Return the SQL, or the answer."""
        found = [part.condition(columns, shape) for part in self.parts]
        if any(one is True for one in found):
            return True
        return _joined(found, sa.or_, empty=False)

    def decide(self, values: Values, scope: Scope) -> bool | None:
        """Return the answer for a row."""
        found = [part.decide(values, scope) for part in self.parts]
        return True if True in found else None if None in found else False

    def words(self) -> str:
        """Return it in words."""
        return " or ".join(part.words() for part in self.parts)

    def mentioned(self) -> frozenset[str]:
        """Return the names asked for."""
        return frozenset().union(*(part.mentioned() for part in self.parts))


@dataclass(frozen=True)
class Both(Rule):
    """All of several rules."""

    parts: tuple[Rule, ...]

    def bind(self, place: Place) -> Rule:
        """Resolve the names."""
        return Both(tuple(part.bind(place) for part in self.parts))

    def condition(self, columns: Columns, shape: Shape) -> Condition:
        """Return the SQL, or the answer."""
        found = [part.condition(columns, shape) for part in self.parts]
        if any(one is False for one in found):
            return False
        return _joined(found, sa.and_, empty=True)

    def decide(self, values: Values, scope: Scope) -> bool | None:
        """Return the answer for a row."""
        found = [part.decide(values, scope) for part in self.parts]
        return False if False in found else None if None in found else True

    def words(self) -> str:
        """Return it in words."""
        return " and ".join(_grouped(part) for part in self.parts)

    def mentioned(self) -> frozenset[str]:
        """Return the names asked for."""
        return frozenset().union(*(part.mentioned() for part in self.parts))


@dataclass(frozen=True)
class Not(Rule):
    """The rule is not fulfilled; what is NULL is not fulfilled."""

    part: Rule

    def bind(self, place: Place) -> Rule:
        """Resolve the names."""
        return Not(self.part.bind(place))

    def condition(self, columns: Columns, shape: Shape) -> Condition:
        """Return the SQL, or the answer."""
        found = self.part.condition(columns, shape)
        if isinstance(found, bool):
            return not found
        # CASE, not NOT: two-valued, so that a NULL author is not "not mine" by NULL.
        return sa.case((found, sa.literal_column("0")), else_=sa.literal_column("1")) == (
            sa.literal_column("1")
        )

    def decide(self, values: Values, scope: Scope) -> bool | None:
        """Return the answer for a row."""
        found = self.part.decide(values, scope)
        return None if found is None else not found

    def words(self) -> str:
        """Return it in words."""
        return f"not ({self.part.words()})"

    def mentioned(self) -> frozenset[str]:
        """Return the names asked for."""
        return self.part.mentioned()


everyone: Rule = Fixed(True)
nobody: Rule = Fixed(False)
signed_in: SignedIn = SignedIn()


def owner(name: str) -> Rule:
    """Return the rule: the relation or column *name* is the user who asks."""
    return Same("user", checked_name(name, "owner"))


def tenant(name: str) -> Rule:
    """Return the rule: the relation or column *name* is the tenant of who asks."""
    return Same("tenant", checked_name(name, "tenant"))


def role(name: str) -> Rule:
    """Return the rule: who asks holds the role *name*."""
    return Holds("role", checked_name(name, "role"))


def token(name: str) -> Rule:
    """Return the rule: who asks uses no token, or one that reaches to *name*."""
    return Holds("token", checked_name(name, "token"))


def related(name: str, rule: Rule | None = None) -> Rule:
    """Return the rule: a row of the relation *name* fulfils *rule* (none: may be read)."""
    return Related(checked_name(name, "related"), None if rule is None else _rule(rule))


def where(condition: Any) -> Rule:
    """Return the rule: *condition* is true of the row.

    condition: an SQLAlchemy expression, or a function of the model that returns one; the
        function is called once, when the model is complete, and may not ask who asks.
    >>> where(lambda book: book.year > 1900)
    Where(...)
    """
    return Where(condition)


def _joined(found: list[Condition], join: Callable[..., Any], *, empty: bool) -> Condition:
    """Join what is SQL; what is left of bools cannot change the outcome."""
    sql = [one for one in found if not isinstance(one, bool)]
    if not sql:
        return empty
    joined: ColumnElement[bool] = join(*sql) if len(sql) > 1 else sql[0]
    return joined


def _grouped(part: Rule) -> str:
    return f"({part.words()})" if isinstance(part, Either) else part.words()


def _rule(other: Any) -> Rule:
    if isinstance(other, Rule):
        return other
    raise SetupError(
        "policy.no_rule",
        f"{other!r} is no rule, and cannot be combined with one.",
        hint="A condition on columns becomes a rule inside where(...).",
    )
