"""SQL that no compiler of ours has seen: `exec_driver_sql` and text as DDL.

    statement as text  ->  execution context  ->  check_text  ->  Refused, or it runs

PERF: an execution context is made for each statement anyway, by a constructor of its own
for each kind; a listener for `before_cursor_execute` cost every compiled query 8 us of 66.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from sqlalchemy.sql.ddl import DDL

from carboy.policy.floor import shape_now
from carboy.policy.texts import check_text

if TYPE_CHECKING:
    import sqlalchemy as sa

    from carboy.policy.book import Rulebook

__all__ = ["PolicyContext", "check_driver_sql"]


def check_driver_sql(dialect: sa.Dialect, book: Rulebook) -> None:
    """Let *dialect* look at text before it is sent. See `seam` for what is private."""
    base = dialect.execution_ctx_cls
    made = type(f"Policy{base.__name__}", (PolicyContext, base), {"book": book})
    dialect.execution_ctx_cls = made


class PolicyContext:
    """Mixed into a dialect's execution context: refuses text that names a governed table."""

    book: Rulebook

    @classmethod
    def _init_statement(cls, *given: Any) -> Any:
        """Make the context of `exec_driver_sql`. given: see DefaultExecutionContext."""
        cls._look_at(given[4])
        return cast("Any", super())._init_statement(*given)

    @classmethod
    def _init_ddl(cls, *given: Any) -> Any:
        """Make the context of DDL; only `DDL("...")` is text, the rest is made of tables."""
        compiled = given[4]
        if isinstance(compiled.statement, DDL):
            cls._look_at(str(compiled))
        return cast("Any", super())._init_ddl(*given)

    @classmethod
    def _look_at(cls, statement: str) -> None:
        shape = shape_now(cls.book)
        if shape is None or not shape.system:
            check_text(statement, cls.book.names)
