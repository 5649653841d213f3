"""The compiler floor: every table of a statement is rendered as what may be seen of it.

    FROM book               ->  FROM (SELECT .. FROM book AS book_1 WHERE rule) AS book
    UPDATE book SET .. W    ->  UPDATE book SET .. W AND rule AND rule[as set]
    DELETE FROM book W      ->  DELETE FROM book W AND rule
    ON CONFLICT DO UPDATE   ->  .. WHERE rule AND rule[as set]
    text naming book        ->  Refused

One mixin over a dialect's own compiler, so that ORM and Core, joins, aliases, unions,
CTEs and subqueries pass through the same door. The rule is no part of the statement:
the compiled caches are keyed by the shape of who asks (`ScopedCache`), and what was
compiled for another shape refuses to run (`construct_params`).

Source: POLICY-NOTES, sections 2, 3, 5 and 7, measured on SQLAlchemy 2.1.9.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.sql import visitors

from carboy.base.errors import CarboyError
from carboy.policy import seam
from carboy.policy.binds import Inside
from carboy.policy.book import Rulebook, as_sql
from carboy.policy.caches import ScopedCache
from carboy.policy.clashes import told
from carboy.policy.dml import Writes
from carboy.policy.driver import check_driver_sql
from carboy.policy.floor import passed
from carboy.policy.refusals import Refusals
from carboy.policy.texts import CheckedNames

if TYPE_CHECKING:
    from carboy.policy.rules import Columns, Condition

__all__ = ["PolicyCompiler", "compile_into", "install"]


def install(engine: sa.Engine, book: Rulebook) -> None:
    """Compile the rules of *book* into every statement of *engine*.

    Call it before the first statement, once; a second call changes nothing.
    Raises SetupError on an SQLAlchemy that was not checked.
    """
    if isinstance(engine.dialect.identifier_preparer, CheckedNames):
        return
    compile_into(engine.dialect, book)
    cache = type("EngineCache", (ScopedCache,), {"book": book})
    seam.give_engine_cache(engine, cache)
    # The flush keeps its statements per mapper, where an engine's cache does not reach.
    book.on_read.append(lambda book: seam.give_mapper_caches(book.registries, ScopedCache, cache))
    book.keep_cache = lambda mapper: seam.give_mapper_cache(mapper, ScopedCache, cache)
    book.stale = True
    check_driver_sql(engine.dialect, book)
    event.listen(engine, "handle_error", _unwrapped)
    event.listen(engine, "handle_error", lambda context: told(book, context))


def compile_into(dialect: sa.Dialect, book: Rulebook) -> None:
    """Give *dialect* a compiler that knows the rules, and a preparer that checks names."""
    seam.check_version()
    base = dialect.statement_compiler
    ours = type(f"Policy{base.__name__}", (PolicyCompiler, base), {"book": book})
    dialect.statement_compiler = ours
    preparer = copy.copy(dialect.identifier_preparer)
    names = staticmethod(lambda: book.names)
    preparer.__class__ = type("Preparer", (CheckedNames, type(preparer)), {"names": names})
    dialect.identifier_preparer = preparer


class PolicyCompiler(Writes, Refusals):
    """A dialect's compiler that sees only what the policy shows. Mixed in by `install`."""

    def visit_table(self, table: Any, asfrom: bool = False, **kw: Any) -> str:
        """Render a table in FROM as a derived table of what may be seen."""
        text: str = cast("Any", super()).visit_table(table, asfrom=asfrom, **kw)
        if not (asfrom or kw.get("within_tstring")) or kw.get("ashint") or self._raw:
            return text
        governed = self._governed(table)
        if governed is None or self._is_target(table, kw):
            return text
        self._no_hints(table, kw)
        shape = self._shape()
        inner = table.alias()
        columns = cast("Columns", inner.c)
        rule = governed.condition("read", columns, shape)
        masks = governed.masks(columns, shape)
        if rule is True and not masks:
            return text
        return self._derived(table, inner, rule, masks, kw)

    def _derived(
        self, table: Any, inner: Any, rule: Condition, masks: dict[str, Condition], kw: Any
    ) -> str:
        """Return `(SELECT columns FROM table AS inner WHERE rule) AS name`."""
        quote = self.preparer.quote
        taken = passed(kw)
        with self._frame(inner):
            columns = ", ".join(self._seen(inner, c, masks, taken) for c in table.c)
            source = self.process(inner, asfrom=True, **taken)
            where = self.process(as_sql(rule), **taken)
        name = quote(self._derived_name(table, kw))
        aliased = kw.get("enclosing_alias")
        suffix = "" if aliased is not None and aliased.element is table else f" AS {name}"
        return f"(SELECT {columns} FROM {source} WHERE {where}){suffix}"  # noqa: S608  # compiled

    def _seen(self, inner: Any, column: Any, masks: dict[str, Condition], taken: Any) -> str:
        """Return one column of the derived table, behind its field rule if it has one."""
        text: str = self.process(inner.c[column.key], **taken)
        rule = masks.get(column.key)
        name = self.preparer.quote(column.name)
        if rule is None:
            return f"{text} AS {name}"
        return f"CASE WHEN {self.process(as_sql(rule), **taken)} THEN {text} END AS {name}"

    @contextmanager
    def _frame(self, inner: Any) -> Iterator[None]:
        """Render what is in the block raw, with *inner* as the table around it."""
        froms = {inner}
        self.stack.append(
            {
                "correlate_froms": froms,
                "asfrom_froms": froms,
                "selectable": self.stack[-1]["selectable"] if self.stack else inner,
            }
        )
        self._raw += 1
        try:
            yield
        finally:
            self._raw -= 1
            self.stack.pop(-1)

    def _derived_name(self, table: Any, kw: Any) -> str:
        """Return the name other parts of the statement call the table by."""
        ambiguous = kw.get("ambiguous_table_name_map")
        if not table.schema and ambiguous and table.name in ambiguous:
            name: str = self._truncated_identifier("alias", ambiguous[table.name])
            return name
        return f"{table.schema}_{table.name}" if table.schema else str(table.name)

    def visit_column(self, column: Any, *args: Any, **kw: Any) -> str:
        """Render a column: as what it is set to, behind its field rule, or as it is."""
        if getattr(column, "is_literal", False) and not self._raw:
            self._check_text(column.name)
        if self._as_set and column.key in self._as_set and column.table == self._dml_table():
            return self._as_set[column.key]
        text: str = cast("Any", super()).visit_column(column, *args, **kw)
        if self._raw or not isinstance(column.table, sa.Table):
            return text
        if not self._writes_to(column.table):
            return self._unqualified(column, text, args, kw)
        return self._masked(column, text)

    def _masked(self, column: Any, text: str) -> str:
        """A column of the table that is written: the derived table is not there to mask it."""
        governed = self._governed(column.table)
        if governed is None or column.key not in governed.fields:
            return text
        rule = governed.masks(cast("Columns", governed.table.c), self._shape()).get(column.key)
        if rule is None:
            return text
        return f"CASE WHEN {self.process(Inside(as_sql(rule)))} THEN {text} END"

    def _unqualified(self, column: Any, text: str, args: Any, kw: Any) -> str:
        """A derived table has no schema: `app.book.id` becomes `app_book.id`."""
        table = column.table
        include = kw.get("include_table", args[1] if len(args) > 1 else True)
        if not table.schema or not include or not self._is_derived(table):
            return text
        kw = {k: v for k, v in kw.items() if k not in ("include_table", "add_to_result_map")}
        bare = cast("Any", super()).visit_column(column, include_table=False, **kw)
        return f"{self.preparer.quote(f'{table.schema}_{table.name}')}.{bare}"

    def _is_derived(self, table: Any) -> bool:
        governed = self._governed(table)
        if governed is None:
            return False
        columns, shape = cast("Columns", table.c), self._shape()
        return governed.condition("read", columns, shape) is not True or bool(
            governed.masks(columns, shape)
        )

    def group_by_clause(self, select: Any, **kw: Any) -> str:
        """Add the columns that the grouped key determines: a derived table has no key."""
        if self.dialect.name == "postgresql" and select._group_by_clauses and not self._raw:
            extra = _determined(select)
            if extra:
                select = select._clone()
                select._group_by_clauses = (*select._group_by_clauses, *extra)
        text: str = cast("Any", super()).group_by_clause(select, **kw)
        return text


def _unwrapped(context: Any) -> BaseException | None:
    """Let our own errors out as they are; SQLAlchemy wraps those met before executing."""
    error: BaseException = context.original_exception
    return error.with_traceback(None) if isinstance(error, CarboyError) else None


def _determined(select: Any) -> list[Any]:
    """Return the columns of fully keyed tables that the grouped SELECT mentions."""
    grouped = {part for one in select._group_by_clauses for part in visitors.iterate(one)}
    keyed = {
        column.table
        for column in grouped
        if isinstance(column, sa.ColumnClause)
        and column.table is not None
        and set(getattr(column.table, "primary_key", ())) <= grouped
    }
    having = select._having_criteria
    parts = (*select.selected_columns, *select._order_by_clauses, *having)
    mentioned = dict.fromkeys(part for one in parts for part in visitors.iterate(one))
    return [
        part
        for part in mentioned
        if isinstance(part, sa.ColumnClause) and part.table in keyed and part not in grouped
    ]
