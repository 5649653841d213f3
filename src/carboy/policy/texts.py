"""Text in statements: refused when it names a table under a policy.

    names_in("SELECT * FROM book", {"book"})  ->  {"book"}

Nobody can check text, so every word of it counts, in whatever quotes. A string literal
is left out only where it is certain to be one: a backslash, a comment or a foreign
quote makes the same text mean different things on different databases.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

from carboy.policy.errors import Refused

__all__ = ["FUNCTIONS", "CheckedNames", "check_text", "names_in"]

FUNCTIONS = frozenset(
    (
        "connectby",
        "crosstab",
        "cursor_to_xml",
        "database_to_xml",
        "database_to_xml_and_xmlschema",
        "dblink",
        "dblink_exec",
        "dblink_open",
        "edit",
        "eval",
        "load_extension",
        "load_file",
        "pg_read_binary_file",
        "pg_read_file",
        "query_to_xml",
        "query_to_xml_and_xmlschema",
        "query_to_xmlschema",
        "schema_to_xml",
        "schema_to_xml_and_xmlschema",
        "sys_eval",
        "sys_exec",
        "table_to_xml",
        "table_to_xml_and_xmlschema",
        "table_to_xmlschema",
        "ts_rewrite",
        "ts_stat",
        "xpath_table",
    )
)
"""Functions that run SQL from text, or read files: no policy reaches into them."""

_WORD = re.compile(r"[^\W\d][\w$]*")
_LITERAL = re.compile(r"'(?:[^']|'')*'")
_UNCERTAIN = re.compile(r"[\"`\[\\$#]|--|/\*")
_ESCAPED_NAME = re.compile(r"\bU&\s*\"", re.IGNORECASE)


def names_in(text: str, names: frozenset[str]) -> set[str]:
    """Return those of *names* (lower case) that *text* may refer to.

    >>> names_in("a = 'book'", frozenset({"book"}))
    set()
    >>> names_in('x IN (SELECT 1 FROM "Book")', frozenset({"book"}))
    {'book'}
    """
    code = text if _UNCERTAIN.search(text) else _LITERAL.sub("''", text)
    if _ESCAPED_NAME.search(code):
        return set(names)
    found = {word.lower() for word in _WORD.findall(code)} & names
    # A name that is no plain word ("order line") is looked for as it stands.
    return found | {name for name in names if not name.isidentifier() and name in code.lower()}


def check_text(text: str, names: frozenset[str]) -> None:
    """Raise Refused when *text* names a table, or calls a function that runs text."""
    found = names_in(text, names | FUNCTIONS)
    if not found:
        return
    name = min(found)
    if name in FUNCTIONS and name not in names:
        raise function_refused(name)
    raise Refused(
        "policy.text",
        f"This SQL names `{name}`, which has a policy, and text cannot be checked.",
        hint="Write it with `select(...)` of the model, or wrap it in `with unscoped('why'):`.",
    )


def function_refused(name: str) -> Refused:
    """Return the refusal of a function that runs text."""
    return Refused(
        "policy.function",
        f"The function `{name}` reads what no policy can be compiled into.",
        hint="Write the query with `select(...)`, or wrap it in `with unscoped('why'):`.",
    )


class CheckedNames:
    """Mixed into a dialect's preparer of names: `quoted_name(.., quote=False)` is text."""

    names: Callable[[], frozenset[str]]

    def quote(self, ident: str) -> str:
        """Return *ident* quoted where needed; refuse one that is more than a name."""
        if getattr(ident, "quote", None) is False and not ident.isidentifier():
            check_text(str(ident), type(self).names())
        found: str = cast("Any", super()).quote(ident)
        return found
