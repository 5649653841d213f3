"""Values that only the policy writes, and the frame inside which tables are raw.

    asker.user, asker.tenant    who asks, inside where(...)
    constant(5, Integer())      a value of the rule itself
    by_code_point(String())     text that no collation takes for another
    Inside(rule)                rendered without any policy: a rule cannot need itself

A caller's `execute(stmt, {...})` may override any bind of SQLAlchemy's, also the
unique ones. A PolicyBind is written last, when the parameters are complete.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ColumnElement, String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import BindParameter
from sqlalchemy.sql.visitors import InternalTraversal
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine

    from carboy.base.scope import Scope

__all__ = ["Inside", "PolicyBind", "asker", "constant"]

_number = itertools.count(1)


class PolicyBind(BindParameter[Any]):
    """A bind whose value comes from the scope or from the rule, never from a caller.

    source: "user", "tenant", or "constant" (then `given` is the value).
    """

    inherit_cache = True
    source: str = "constant"
    given: Any = None

    def now(self, scope: Scope) -> Any:
        """Return the value for *scope*, not yet processed for the driver."""
        return self.given if self.source == "constant" else getattr(scope, self.source)


class ByCodePoint(TypeDecorator[Any]):
    """The type of a policy's text: "bob" is not "Bob", nor "bob " with a blank.

    MySQL's usual collations take them for equal: one person's rows would be another's.
    """

    impl = String
    cache_ok = True

    def __init__(self, given: TypeEngine[Any]) -> None:
        super().__init__()
        self.given = given
        self.impl = given  # type: ignore[assignment]  # processes values as the column does

    def bind_expression(self, bindvalue: Any) -> Any:
        """Return the bind, with the collation where one is needed."""
        return CodePoints(bindvalue)


class CodePoints(ColumnElement[Any]):
    """A bind of text that is compared by code point, whatever the column's collation."""

    _traverse_internals = [("bind", InternalTraversal.dp_clauseelement)]  # noqa: RUF012  # theirs
    inherit_cache = True

    def __init__(self, bind: Any) -> None:
        self.bind = bind
        self.type = bind.type


@compiles(CodePoints)
def _plain(element: CodePoints, compiler: Any, **kw: Any) -> str:
    text: str = compiler.process(element.bind, **kw)
    return text


@compiles(CodePoints, "mysql")
@compiles(CodePoints, "mariadb")
def _collated(element: CodePoints, compiler: Any, **kw: Any) -> str:
    # On the bind, not on the column: that one would lose its index.
    maria = compiler.dialect.is_mariadb
    collation = "utf8mb4_nopad_bin" if maria else "utf8mb4_0900_bin"
    return f"{_plain(element, compiler, **kw)} COLLATE {collation}"


def by_code_point(type_: TypeEngine[Any] | None) -> TypeEngine[Any] | None:
    """Return what a policy's value is bound as: text of no chosen collation by code point."""
    if isinstance(type_, String) and type_.collation is None:
        return ByCodePoint(type_)
    return type_


def asking(source: str, type_: TypeEngine[Any] | None = None) -> PolicyBind:
    """Return the bind for who asks, with the type of the column it meets."""
    # One name per type: binds of one name share one processor. A fixed name keeps the
    # cache key of a statement that uses it the same.
    kind = "" if type_ is None else f"_{type(type_).__name__.lower()}"
    bind = PolicyBind(f"carboy_{source}{kind}", None, by_code_point(type_))
    bind.source = source
    return bind


def constant(value: Any, type_: TypeEngine[Any], *, expanding: bool = False) -> PolicyBind:
    """Return a bind for *value*.

    The name is never used twice: the name is what tells two constants of equally
    built statements apart in the compiled cache.
    """
    kind = by_code_point(type_)
    bind = PolicyBind(f"carboy_value_{next(_number)}", value, kind, expanding=expanding)
    bind.given = value
    return bind


class _Asker:
    """Who asks, to compare columns with inside `where(...)`."""

    @property
    def user(self) -> PolicyBind:
        """The key of the user."""
        return asking("user")

    @property
    def tenant(self) -> PolicyBind:
        """The key of the tenant."""
        return asking("tenant")


asker: Final = _Asker()


class Inside(ColumnElement[Any]):
    """An expression inside of which no policy applies: a rule, or a check of one.

    after: render the columns an UPDATE sets as the values they are set to.
    """

    __visit_name__ = "policy_inside"
    _traverse_internals = [  # noqa: RUF012  # SQLAlchemy's protocol
        ("rule", InternalTraversal.dp_clauseelement),
        ("after", InternalTraversal.dp_boolean),
    ]
    inherit_cache = True

    def __init__(self, rule: ColumnElement[Any], *, after: bool = False) -> None:
        self.rule = rule
        self.after = after
        self.type = rule.type

    def self_group(self, against: Any = None) -> Inside:
        """Return self: SQLite would get `(rule) = 1`, and lose its index."""
        return self
