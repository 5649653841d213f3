"""Refusals: what no policy can be compiled into, when it may reach a governed table.

Text, literal columns, operators, hints and functions that run text. A part that names no
governed table passes: it works on what may be seen.
"""

from __future__ import annotations

from typing import Any, cast

import sqlalchemy as sa

from carboy.policy.errors import Refused
from carboy.policy.floor import Floor
from carboy.policy.texts import FUNCTIONS, function_refused

__all__ = ["Refusals"]


class Refusals(Floor):
    """The part of the compiler that looks at text."""

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
