"""What the parts of the policy's compiler stand on: whose rules, raw or not, which binds.

    Floor    the shape this SQL is good for, the tables it met, the policy's own values

The parts are `filters` (reads), `dml` (writes) and `refusals` (text).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa

from carboy.base.scope import NobodyAsking, frame
from carboy.policy import seam
from carboy.policy.binds import PolicyBind
from carboy.policy.errors import Refused
from carboy.policy.texts import check_text

if TYPE_CHECKING:
    from carboy.policy.book import Governed, Rulebook
    from carboy.policy.inserts import Inserted
    from carboy.policy.rules import Shape

__all__ = ["Floor", "passed", "shape_now"]

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


def shape_now(book: Rulebook) -> Shape | None:
    """Return the shape of who asks; None outside of every scope."""
    try:
        return book.shape(frame())
    except NobodyAsking:
        return None


_Values = tuple[dict[str, Any], list[tuple[str, str]]]


class _Compiler:
    """Stands for the dialect's own compiler, which `install` puts behind the mixin."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

        def construct_params(self, *args: Any, **kw: Any) -> dict[str, Any]: ...


class Floor(_Compiler):
    """The state and the helpers that all parts share."""

    book: Rulebook
    _raw = 0  # depth of Inside: nothing is filtered in a rule
    _target: sa.Table | None = None  # of the UPDATE or DELETE whose table clause is rendered
    _as_set: dict[str, str] | None = None  # column key to the value an UPDATE sets it to
    _compiled_for: Any = None  # the shape; () when nothing governed was met
    _values: _Values | None = None
    _escaped: bool | None = None  # whether the names in _values are
    _inserted: Inserted | None = None

    # What is executed

    def construct_params(self, *args: Any, **kw: Any) -> Any:
        """Return the parameters with the policy's own written last.

        Raises Refused when the SQL was compiled for another shape of who asks.
        """
        found: dict[str, Any] = super().construct_params(*args, **kw)
        if self._compiled_for is None:
            return found
        now = frame()
        if self.book.shape(now) is not self._compiled_for:
            raise Refused(
                "policy.other_shape",
                "This SQL was compiled for somebody else, or before a model was added.",
                hint="Execute the statement, not what compile() made of it earlier.",
            )
        # PERF: for each row of each statement; of the binds only the values are new.
        fixed, asked = self._policy_values(kw.get("escape_names", True))
        found.update(fixed)
        for name, source in asked:
            found[name] = getattr(now.scope, source)
        if self._inserted is not None and "extracted_parameters" in kw:  # it is executed
            self._inserted.check(found, self.insert_prefetch, now.scope)
        return found

    def _policy_values(self, escape: bool) -> _Values:
        """Return the values of constants by name, and (name, source) of what the scope gives."""
        if self._values is not None and escape is self._escaped:
            return self._values
        names = self.escaped_bind_names if escape else {}
        ours = [
            (names.get(name, name), bind)
            for bind, name in self.bind_names.items()
            if isinstance(bind, PolicyBind)
        ]
        fixed = {name: bind.given for name, bind in ours if bind.source == "constant"}
        asked = [(name, bind.source) for name, bind in ours if bind.source != "constant"]
        if getattr(self, "string", None):  # complete: no bind will be added
            self._values, self._escaped = (fixed, asked), escape
        return fixed, asked

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


def passed(kw: Any) -> dict[str, Any]:
    """Return what a rule takes over from the keywords of where it is rendered."""
    return {key: value for key, value in kw.items() if key in _PASSED_ON}
