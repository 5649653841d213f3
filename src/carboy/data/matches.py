"""Text that contains or begins with another: exact, and the same on every database.

    Matches(column, bind)      col GLOB '*em*'             SQLite, whose LIKE ignores case
                               col LIKE '%em%' ESCAPE '!'  the others
    bindparam("v", type_=PatternType("contains"))

Case and accents count, as everywhere in our columns. The pattern is made of the value
when it is bound, in the words of the database: % and * in it are just signs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlalchemy import Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.visitors import InternalTraversal
from sqlalchemy.types import Boolean, TypeDecorator

if TYPE_CHECKING:
    from sqlalchemy import Dialect

__all__ = ["Matches", "PatternType", "pattern"]

GLOB = re.compile(r"([*?\[])")
LIKE = re.compile(r"([%_!])")


def pattern(kind: str, value: str, dialect: str) -> str:
    """Return the pattern for *value*. kind: "contains" or "startswith".

    >>> pattern("contains", "50%*", "postgresql"), pattern("startswith", "50%*", "sqlite")
    ('%50!%*%', '50%[*]*')
    """
    if dialect == "sqlite":
        escaped, any_ = GLOB.sub(r"[\1]", value), "*"
    else:
        escaped, any_ = LIKE.sub(r"!\1", value), "%"
    return f"{any_}{escaped}{any_}" if kind == "contains" else f"{escaped}{any_}"


class PatternType(TypeDecorator[str]):
    """The bind of a pattern: a plain text going in."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return the pattern for *value*."""
        return None if value is None else pattern(self.kind, value, dialect.name)


class Matches(ColumnElement[bool]):
    """True where the text of *column* matches the pattern."""

    __visit_name__ = "carboy_matches"
    inherit_cache = True
    type = Boolean()
    _traverse_internals = [  # noqa: RUF012  # SQLAlchemy's protocol
        ("column", InternalTraversal.dp_clauseelement),
        ("pattern", InternalTraversal.dp_clauseelement),
    ]

    def __init__(self, column: Any, pattern: Any) -> None:
        self.column = column
        self.pattern = pattern

    def self_group(self, against: Any = None) -> Any:
        """Return self: it brings its parentheses."""
        return self


@compiles(Matches)
def _like(element: Matches, compiler: Any, **kw: Any) -> str:
    column, text = (compiler.process(part, **kw) for part in (element.column, element.pattern))
    return f"({column} LIKE {text} ESCAPE '!')"


@compiles(Matches, "sqlite")
def _glob(element: Matches, compiler: Any, **kw: Any) -> str:
    column, text = (compiler.process(part, **kw) for part in (element.column, element.pattern))
    return f"({column} GLOB {text})"


@compiles(Matches, "mysql")
@compiles(Matches, "mariadb")
def _binary(element: Matches, compiler: Any, **kw: Any) -> str:
    column, text = (compiler.process(part, **kw) for part in (element.column, element.pattern))
    # A pattern of a _bin collation compares by code point, whatever the column's own is.
    return f"({column} LIKE {text} COLLATE utf8mb4_bin ESCAPE '!')"
