"""Writes: an UPDATE, DELETE or upsert reaches only what may be written, and stays in sight.

    UPDATE book SET author_id = :a      WHERE .. AND rule AND rule[author_id := :a]
                                              AND (:a IS NULL OR person :a may be read)

In one statement, so that no change in between can slip through.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa
from sqlalchemy.sql import visitors

from carboy.policy import seam
from carboy.policy.book import Governed, as_sql
from carboy.policy.errors import Refused
from carboy.policy.floor import Floor, passed
from carboy.policy.inserts import compiled, may_refer
from carboy.policy.witness import Witnessed

if TYPE_CHECKING:
    from carboy.policy.binds import Inside
    from carboy.policy.rules import Columns, Condition

__all__ = ["Writes"]


class Writes(Floor):
    """The part of the compiler that restricts what is written."""

    _witnessing = False  # in a rule that decides on a write

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
                    *may_refer(governed, keys, columns, shape),
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
            insert_stmt, self._inserted = compiled(insert_stmt, governed, self._shape())
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

    def visit_policy_witnessed(self, element: Witnessed, **kw: Any) -> str:
        """Render a rule with locks on the rows of others that it leans on."""
        outer, self._witnessing = self._witnessing, True
        try:
            return self.visit_policy_inside(element, **kw)
        finally:
            self._witnessing = outer

    def for_update_clause(self, select: Any, **kw: Any) -> str:
        """Leave the lock of a rule out where nothing is written."""
        if self._raw and not self._witnessing:
            return ""
        text: str = cast("Any", super()).for_update_clause(select, **kw)
        return text

    def _raw_text(self, element: Inside, kw: Any) -> str:
        self._raw += 1
        try:
            text: str = self.process(element.rule, **passed(kw))
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
                found[column.key] = self.process(self.binds[name], **passed(kw))
            elif isinstance(value, sa.ClauseElement):
                found[column.key] = self.process(value.self_group(), **passed(kw))
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
        after += may_refer(governed, keys, columns, shape)
        if any(_about(rule) & keys for rule in after):
            raise _replacing("ON CONFLICT DO UPDATE of a column that a rule is about")
        guarded = copy.copy(on_conflict)
        parts: list[Any] = [Witnessed(as_sql(rule)) for rule in rules if rule is not True]
        if on_conflict.update_whereclause is not None:
            parts.insert(0, on_conflict.update_whereclause)
        guarded.update_whereclause = sa.and_(*parts) if parts else None
        return guarded


def _restricted(statement: Any, rules: list[Condition], after: list[Condition]) -> Any:
    """Return *statement* with the rules in its WHERE, as they are and as they will be."""
    parts: list[Inside] = [Witnessed(as_sql(rule)) for rule in rules if rule is not True]
    parts += [Witnessed(as_sql(rule), after=True) for rule in after if rule is not True]
    return statement.where(*parts) if parts else statement


def _about(rule: Condition) -> set[str]:
    """Return the keys of the columns that *rule* mentions, of whatever table."""
    if isinstance(rule, bool):
        return set()
    return {part.key for part in visitors.iterate(rule) if isinstance(part, sa.Column)}


def _if_about(keys: set[str], rule: Condition) -> Condition:
    """Return *rule*, or True when nothing it is about is set: then it held before."""
    return rule if isinstance(rule, bool) or _about(rule) & keys else True


def _replacing(what: str) -> Refused:
    return Refused(
        "policy.replacing",
        f"{what} would overwrite rows that are hidden.",
        hint="Read the row first and update it, or wrap it in `with unscoped('why'):`.",
    )
