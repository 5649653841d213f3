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
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.sql import visitors
from sqlalchemy.sql.ddl import DDL

from carboy.base.errors import CarboyError
from carboy.base.scope import NobodyAsking, frame
from carboy.policy import seam
from carboy.policy.binds import Inside, PolicyBind
from carboy.policy.book import Governed, Rulebook, as_sql
from carboy.policy.errors import Refused
from carboy.policy.inserts import check_insert
from carboy.policy.texts import FUNCTIONS, CheckedNames, check_text, function_refused

if TYPE_CHECKING:
    from carboy.policy.rules import Columns, Condition, Shape
__all__ = ["PolicyCompiler", "ScopedCache", "install"]

_PASSED_ON = frozenset(
    (
        "accumulate_bind_names",
        "literal_binds",
        "literal_execute",
        "render_postcompile",
        "visited_bindparam",
        "visiting_cte",
        "within_tstring",
    )
)
"""What a rule takes over from the place it is rendered in; the rest is about that place."""


def install(engine: sa.Engine, book: Rulebook) -> None:
    """Compile the rules of *book* into every statement of *engine*.

    Call it before the first statement, once; a second call changes nothing.
    """
    seam.check_version()
    dialect = engine.dialect
    if issubclass(dialect.statement_compiler, PolicyCompiler):
        return
    base = dialect.statement_compiler
    dialect.statement_compiler = type(
        f"Policy{base.__name__}", (PolicyCompiler, base), {"book": book}
    )
    preparer = copy.copy(dialect.identifier_preparer)
    names = staticmethod(lambda: book.names)
    preparer.__class__ = type("Preparer", (CheckedNames, type(preparer)), {"names": names})
    dialect.identifier_preparer = preparer
    cache = type("EngineCache", (ScopedCache,), {"book": book})
    seam.give_engine_cache(engine, cache)
    # The flush keeps its statements per mapper, where an engine's cache does not reach.
    book.on_read.append(lambda book: seam.give_mapper_caches(book.registries, ScopedCache, cache))
    book.stale = True
    event.listen(engine, "before_cursor_execute", _driver_sql(book))
    event.listen(engine, "handle_error", _unwrapped)


class ScopedCache(MutableMapping[Any, Any]):
    """A compiled cache with entries of their own for each shape of who asks."""

    book: Rulebook

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def get(self, key: Any, default: Any = None) -> Any:
        """Return what was compiled for *key* and this shape."""
        return self.inner.get((self._shape(), key), default)

    def _shape(self) -> Shape | None:
        return shape_now(self.book)

    def __getitem__(self, key: Any) -> Any:
        return self.inner[self._shape(), key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self.inner[self._shape(), key] = value

    def __delitem__(self, key: Any) -> None:
        del self.inner[self._shape(), key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.inner)

    def __len__(self) -> int:
        return len(self.inner)

    def clear(self) -> None:
        """Forget everything, of all shapes."""
        self.inner.clear()


def shape_now(book: Rulebook) -> Shape | None:
    """Return the shape of who asks; None outside of every scope."""
    try:
        return book.shape(frame())
    except NobodyAsking:
        return None


class _Compiler:
    """Stands for the dialect's own compiler, which `install` puts behind the mixin."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


class PolicyCompiler(_Compiler):
    """A dialect's compiler that sees only what the policy shows. Mixed in by `install`."""

    book: Rulebook
    _raw = 0  # depth of Inside: nothing is filtered in a rule
    _target: sa.Table | None = None  # of the UPDATE or DELETE whose table clause is rendered
    _as_set: dict[str, str] | None = None  # column key to the value an UPDATE sets it to
    _compiled_for: Any = None  # the shape; () when nothing governed was met
    _binds: tuple[tuple[str, PolicyBind], ...] | None = None
    _inserts: Governed | None = None

    # What may be read

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
        passed = _passed(kw)
        with self._frame(inner):
            columns = ", ".join(self._seen(inner, c, masks, passed) for c in table.c)
            source = self.process(inner, asfrom=True, **passed)
            where = self.process(as_sql(rule), **passed)
        name = quote(self._derived_name(table, kw))
        aliased = kw.get("enclosing_alias")
        suffix = "" if aliased is not None and aliased.element is table else f" AS {name}"
        return f"(SELECT {columns} FROM {source} WHERE {where}){suffix}"  # noqa: S608  # compiled

    def _seen(self, inner: Any, column: Any, masks: dict[str, Condition], passed: Any) -> str:
        """Return one column of the derived table, behind its field rule if it has one."""
        text: str = self.process(inner.c[column.key], **passed)
        rule = masks.get(column.key)
        name = self.preparer.quote(column.name)
        if rule is None:
            return f"{text} AS {name}"
        return f"CASE WHEN {self.process(as_sql(rule), **passed)} THEN {text} END AS {name}"

    @contextmanager
    def _frame(self, inner: Any) -> Iterator[None]:
        """Render what is in the block raw, with *inner* as the table around it."""
        froms = {inner}
        self.stack.append(
            {
                "correlate_froms": froms,
                "asfrom_froms": froms,
                "selectable": self.stack[-1]["selectable"],
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

    # What may be written

    def visit_update(self, update_stmt: Any, visiting_cte: Any = None, **kw: Any) -> str:
        """Add the rule, the rule as set, and the rules of the fields that are set."""
        governed = self._written(update_stmt)
        if governed is not None:
            shape, columns = self._shape(), cast("Columns", governed.table.c)
            keys = self._set_keys(update_stmt, governed)
            update_stmt = _restricted(
                update_stmt,
                [
                    governed.condition("update", columns, shape),
                    *governed.setting(keys, columns, shape),
                ],
                [
                    _if_about(keys, governed.condition("check", columns, shape)),
                    *_may_refer(governed, keys, columns, shape),
                ],
            )
        text: str = cast("Any", super()).visit_update(update_stmt, visiting_cte=visiting_cte, **kw)
        return text

    def visit_delete(self, delete_stmt: Any, visiting_cte: Any = None, **kw: Any) -> str:
        """Add the rule."""
        governed = self._written(delete_stmt)
        if governed is not None:
            columns = cast("Columns", governed.table.c)
            rule = governed.condition("delete", columns, self._shape())
            delete_stmt = _restricted(delete_stmt, [rule], [])
        text: str = cast("Any", super()).visit_delete(delete_stmt, visiting_cte=visiting_cte, **kw)
        return text

    def visit_insert(self, insert_stmt: Any, *args: Any, **kw: Any) -> str:
        """Remember what is inserted, for `construct_params`; refuse what cannot be checked."""
        governed = self._written(insert_stmt)
        if governed is not None:
            free = check_insert.statement(self, insert_stmt, governed, self._shape())
            if not free:
                self._inserts = governed
        text: str = cast("Any", super()).visit_insert(insert_stmt, *args, **kw)
        return text

    def visit_on_conflict_do_update(self, on_conflict: Any, **kw: Any) -> str:
        """Let an upsert update only what may be updated."""
        governed = self._governed(self.stack[-1]["selectable"].table)
        if governed is not None and not self._raw:
            on_conflict = self._guarded(on_conflict, governed, kw)
        text: str = cast("Any", super()).visit_on_conflict_do_update(on_conflict, **kw)
        return text

    def visit_on_duplicate_key_update(self, on_duplicate: Any, **kw: Any) -> str:
        """Refuse: MySQL's upsert has no WHERE to say what may be updated."""
        if self._governed(self.stack[-1]["selectable"].table) is not None:
            raise _replacing("ON DUPLICATE KEY UPDATE")
        text: str = cast("Any", super()).visit_on_duplicate_key_update(on_duplicate, **kw)
        return text

    def update_tables_clause(self, update_stmt: Any, *args: Any, **kw: Any) -> Any:
        """Render the table that is written as it is."""
        with self._targeting(update_stmt.table):
            return cast("Any", super()).update_tables_clause(update_stmt, *args, **kw)

    def delete_table_clause(self, delete_stmt: Any, *args: Any, **kw: Any) -> Any:
        """Render the table that is written as it is."""
        with self._targeting(delete_stmt.table):
            return cast("Any", super()).delete_table_clause(delete_stmt, *args, **kw)

    def delete_extra_from_clause(self, delete_stmt: Any, *args: Any, **kw: Any) -> Any:
        """Render the table that is written as it is: MySQL repeats it in USING."""
        with self._targeting(delete_stmt.table):
            return cast("Any", super()).delete_extra_from_clause(delete_stmt, *args, **kw)

    def visit_policy_inside(self, element: Inside, **kw: Any) -> str:
        """Render a rule: raw, and as the statement sets the columns if it is about that."""
        self._shape()
        if not element.after:
            return self._raw_text(element, kw)
        outer, self._as_set = self._as_set, self._values_set(kw)
        try:
            return self._raw_text(element, kw)
        finally:
            self._as_set = outer

    def _raw_text(self, element: Inside, kw: Any) -> str:
        self._raw += 1
        try:
            text: str = self.process(element.rule, **_passed(kw))
        finally:
            self._raw -= 1
        return f"({text})"

    def _values_set(self, kw: Any) -> dict[str, str]:
        """Return, per column that the UPDATE on top of the stack sets, the text of its value."""
        statement = self.stack[-1]["selectable"]
        given = seam.set_values(statement)
        found = {}
        for column in statement.table.c:
            value = given.get(column.key)
            name = (
                column.key if column.key in self.binds else f"{statement.table.name}_{column.key}"
            )
            if name in self.binds:
                found[column.key] = self.process(self.binds[name], **_passed(kw))
            elif isinstance(value, sa.ClauseElement):
                found[column.key] = self.process(value.self_group(), **_passed(kw))
            elif column.key in given:
                raise Refused(
                    "policy.update_in_cte",
                    f"What this statement sets {column.name!r} to cannot be checked.",
                    hint="Do not put the UPDATE into a CTE; run it as its own statement.",
                )
        return found

    def _guarded(self, on_conflict: Any, governed: Governed, kw: Any) -> Any:
        shape, columns = self._shape(), cast("Columns", governed.table.c)
        keys = {str(getattr(key, "key", key)) for key in dict(on_conflict.update_values_to_set)}
        rules = [
            governed.condition("update", columns, shape),
            *governed.setting(keys, columns, shape),
        ]
        after = [governed.condition("check", columns, shape)]
        after += _may_refer(governed, keys, columns, shape)
        if any(_about(rule) & keys for rule in after):
            raise _replacing("ON CONFLICT DO UPDATE of a column that a rule is about")
        guarded = copy.copy(on_conflict)
        parts = [Inside(as_sql(rule)) for rule in rules if rule is not True]
        if on_conflict.update_whereclause is not None:
            parts.insert(0, on_conflict.update_whereclause)
        guarded.update_whereclause = sa.and_(*parts) if parts else None
        return guarded

    # What no policy can be compiled into

    def visit_textclause(self, textclause: Any, *args: Any, **kw: Any) -> str:
        """Refuse text that names a governed table."""
        self._check_text(textclause.text)
        text: str = cast("Any", super()).visit_textclause(textclause, *args, **kw)
        return text

    def visit_tstring_text(self, element: Any, **kw: Any) -> str:
        """Refuse a part of a template string that names a governed table."""
        self._check_text(element.text)
        text: str = cast("Any", super()).visit_tstring_text(element, **kw)
        return text

    def visit_function(self, func: Any, *args: Any, **kw: Any) -> str:
        """Refuse functions that run SQL from text."""
        if not self._raw and func.name.lower() in FUNCTIONS and not self._is_system():
            raise function_refused(func.name.lower())
        text: str = cast("Any", super()).visit_function(func, *args, **kw)
        return text

    def visit_extract(self, extract: Any, **kw: Any) -> str:
        """Refuse a field that is more than a word: it is rendered as it stands."""
        self._check_text(str(extract.field))
        text: str = cast("Any", super()).visit_extract(extract, **kw)
        return text

    def visit_custom_op_binary(self, element: Any, operator: Any, **kw: Any) -> str:
        """Refuse an operator whose text names a governed table."""
        self._check_text(operator.opstring)
        text: str = cast("Any", super()).visit_custom_op_binary(element, operator, **kw)
        return text

    def visit_custom_op_unary_operator(self, element: Any, operator: Any, **kw: Any) -> str:
        """Refuse an operator whose text names a governed table."""
        self._check_text(operator.opstring)
        text: str = cast("Any", super()).visit_custom_op_unary_operator(element, operator, **kw)
        return text

    def visit_custom_op_unary_modifier(self, element: Any, operator: Any, **kw: Any) -> str:
        """Refuse an operator whose text names a governed table."""
        self._check_text(operator.opstring)
        text: str = cast("Any", super()).visit_custom_op_unary_modifier(element, operator, **kw)
        return text

    def visit_tablesample(self, tablesample: Any, *args: Any, **kw: Any) -> str:
        """Refuse: a sample is drawn from a table, and this would be none."""
        if isinstance(tablesample.element, sa.Table) and self._governed(tablesample.element):
            raise Refused(
                "policy.tablesample",
                f"TABLESAMPLE of `{tablesample.element.name}` would count hidden rows.",
                hint="Order by random() with a limit, or wrap it in `with unscoped('why'):`.",
            )
        text: str = cast("Any", super()).visit_tablesample(tablesample, *args, **kw)
        return text

    def get_statement_hint_text(self, hint_texts: Any) -> str:
        """Refuse a hint that names a governed table."""
        for text in hint_texts:
            self._check_text(text)
        found: str = cast("Any", super()).get_statement_hint_text(hint_texts)
        return found

    def format_from_hint_text(self, sqltext: str, table: Any, hint: str, iscrud: bool) -> str:
        """Refuse a hint that names a governed table."""
        self._check_text(hint)
        found: str = cast("Any", super()).format_from_hint_text(sqltext, table, hint, iscrud)
        return found

    # What is executed

    def construct_params(self, *args: Any, **kw: Any) -> Any:
        """Return the parameters with the policy's own written last.

        Raises Refused when the SQL was compiled for another shape of who asks.
        """
        found = cast("Any", super()).construct_params(*args, **kw)
        if self._compiled_for is None:
            return found
        now = frame()
        if self.book.shape(now) is not self._compiled_for:
            raise Refused(
                "policy.other_shape",
                "This SQL was compiled for somebody else, or before a model was added.",
                hint="Execute the statement, not what compile() made of it earlier.",
            )
        for name, bind in self._policy_binds(kw.get("escape_names", True)):
            found[name] = bind.now(now.scope)
        if self._inserts is not None and "extracted_parameters" in kw:  # it is executed
            check_insert.values(self._inserts, self._given(found), now.scope)
        return found

    def _given(self, found: Any) -> dict[str, Any]:
        """Return the values of the row; defaults that are computed later are not known."""
        given = dict(found)
        for column in self.insert_prefetch:
            if column.default is not None and column.default.is_scalar:
                given[column.key] = column.default.arg
            else:
                given.pop(column.key, None)
        return given

    def _policy_binds(self, escape: bool) -> tuple[tuple[str, PolicyBind], ...]:
        if self._binds is not None and escape:
            return self._binds
        names = self.escaped_bind_names if escape else {}
        found = tuple(
            (names.get(name, name), bind)
            for bind, name in self.bind_names.items()
            if isinstance(bind, PolicyBind)
        )
        if escape and getattr(self, "string", None):
            self._binds = found
        return found

    def render_literal_bindparam(self, bindparam: Any, *args: Any, **kw: Any) -> Any:
        """Render a policy's value into the text, when a caller wants literals."""
        if isinstance(bindparam, PolicyBind):
            kw["render_literal_value"] = bindparam.now(frame().scope)
        return cast("Any", super()).render_literal_bindparam(bindparam, *args, **kw)

    # Helpers

    def _shape(self) -> Shape:
        """Return the shape of who asks, and keep that this SQL is good for it alone."""
        shape = self.book.shape(frame())
        self._compiled_for = shape
        return shape

    def _is_system(self) -> bool:
        return self._shape().system

    def _governed(self, table: Any) -> Governed | None:
        """Return the rules of *table*; None when the system asks, or it is no table."""
        if not isinstance(table, sa.Table):
            if getattr(table, "name", None) and not self._is_subquery(table):
                self._check_text(str(table.name))
            return None
        if self._is_system():
            return None
        return self.book.governed(table)

    def _is_subquery(self, table: Any) -> bool:
        return bool(table.__visit_name__ != "table")

    def _written(self, statement: Any) -> Governed | None:
        """Return the rules of the table that *statement* writes. Refuses anything but a table."""
        table = statement.table
        if isinstance(table, sa.Table) or self._is_system():
            return None if self._raw else self._governed(table)
        raise Refused(
            "policy.write_target",
            "Only a table or a model can be written, not an alias, a join or text.",
            hint="Write update(Book).where(...), and reach other tables in its conditions.",
        )

    def _dml_table(self) -> Any:
        for entry in reversed(self.stack):
            if getattr(entry["selectable"], "is_dml", False):
                return entry["selectable"].table
        return None

    def _writes_to(self, table: Any) -> bool:
        return any(
            getattr(entry["selectable"], "is_dml", False) and entry["selectable"].table == table
            for entry in self.stack
        )

    @contextmanager
    def _targeting(self, table: Any) -> Iterator[None]:
        outer, self._target = self._target, table
        try:
            yield
        finally:
            self._target = outer

    def _is_target(self, table: Any, kw: Any) -> bool:
        aliased = kw.get("enclosing_alias")
        return self._target is not None and self._target == table and aliased is None

    def _set_keys(self, statement: Any, governed: Governed) -> set[str]:
        keys = {*seam.set_values(statement), *(self.column_keys or ())}
        return keys & set(governed.table.c.keys())

    def _check_text(self, text: str) -> None:
        if self.statement is None or self._raw:  # a constraint in DDL; a rule
            return
        if not self.book.names:
            return
        shape = shape_now(self.book)
        if shape is None or not shape.system:
            check_text(text, self.book.names)
        elif shape is not None:
            self._compiled_for = shape

    def _no_hints(self, table: Any, kw: Any) -> None:
        if table in (kw.get("fromhints") or ()):
            raise Refused(
                "policy.hint",
                f"A hint on `{table.name}` cannot stand on what may be seen of it.",
                hint="Leave the hint out, or wrap it in `with unscoped('why'):`.",
            )


def _driver_sql(book: Rulebook) -> Any:
    """Return the listener that refuses SQL which no compiler of ours has seen."""

    def check(*event: Any) -> None:  # connection, cursor, statement, parameters, context, many
        compiled = None if event[4] is None else event[4].compiled
        if compiled is not None and not isinstance(compiled.statement, DDL):
            return
        shape = shape_now(book)
        if shape is None or not shape.system:
            check_text(event[2], book.names)

    return check


def _unwrapped(context: Any) -> BaseException | None:
    """Let our own errors out as they are; SQLAlchemy wraps those met before executing."""
    error: BaseException = context.original_exception
    return error.with_traceback(None) if isinstance(error, CarboyError) else None


def _passed(kw: Any) -> dict[str, Any]:
    return {key: value for key, value in kw.items() if key in _PASSED_ON}


def _restricted(statement: Any, rules: list[Condition], after: list[Condition]) -> Any:
    """Return *statement* with the rules in its WHERE, as they are and as they will be."""
    parts = [Inside(as_sql(rule)) for rule in rules if rule is not True]
    parts += [Inside(as_sql(rule), after=True) for rule in after if rule is not True]
    return statement.where(*parts) if parts else statement


def _about(rule: Condition) -> set[str]:
    """Return the keys of the columns that *rule* mentions, of whatever table."""
    if isinstance(rule, bool):
        return set()
    return {part.key for part in visitors.iterate(rule) if isinstance(part, sa.Column)}


def _if_about(keys: set[str], rule: Condition) -> Condition:
    """Return *rule*, or True when nothing it is about is set: then it held before."""
    return rule if isinstance(rule, bool) or _about(rule) & keys else True


def _may_refer(
    governed: Governed, keys: set[str], columns: Columns, shape: Shape
) -> list[Condition]:
    """Return, per foreign key in *keys*, that its row may be read, or that there is none."""
    found: list[Condition] = []
    for key in sorted(keys & set(governed.foreign)):
        rule = governed.foreign[key].condition(columns, shape)
        if rule is not True:
            found.append(sa.or_(columns[key].is_(None), as_sql(rule)))
    return found


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


def _replacing(what: str) -> Refused:
    return Refused(
        "policy.replacing",
        f"{what} would overwrite rows that are hidden.",
        hint="Read the row first and update it, or wrap it in `with unscoped('why'):`.",
    )
