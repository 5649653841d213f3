"""Explain: what somebody may do with a model, in words and in SQL, and the whole matrix.

    explain(book, Book, who, dialect)   ->  one line per action: the rule, then its SQL
    matrix(book, roles)                 ->  rows: model, action, one answer per role

Answers of the matrix: "all", "some" (it depends on the row), "none".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy.sql.visitors import iterate

from carboy.base.scope import Scope, scope
from carboy.policy.binds import PolicyBind

if TYPE_CHECKING:
    from collections.abc import Iterable

    import sqlalchemy as sa

    from carboy.policy.book import Governed, Rulebook
    from carboy.policy.rules import Columns, Condition

__all__ = ["ACTIONS", "Explained", "explain", "matrix"]

ACTIONS = ("read", "create", "update", "delete")


@dataclass(frozen=True)
class Explained:
    """One action on one model, for one person.

    field: the column a field rule is about, else "". answer: "all", "some" or "none".
    words: the rule as it was declared. sql: what is left of it for this person; values of
    the person are shown by name (:user, :tenant).
    """

    action: str
    answer: str
    words: str
    sql: str
    field: str = ""

    def __str__(self) -> str:
        what = f"{self.action} {self.field}".strip()
        sql = f"\n    WHERE {self.sql}" if self.answer == "some" else ""
        if self.words in ("always", "never"):
            return f"{what}: {self.answer}."
        return f"{what}: {self.answer}. Allowed when {self.words}.{sql}"


def explain(
    book: Rulebook, model: Any, who: Scope, dialect: sa.Dialect | None = None
) -> list[Explained]:
    """Return what *who* may do with the rows of *model*, and why.

    model: a mapped class or a Table. No statement is executed.
    """
    table = getattr(model, "__table__", model)
    governed = book.governed(table)
    with scope(who) as entered:
        shape = book.shape(entered)
    columns = cast("Columns", table.c)
    found = []
    for action in ACTIONS:
        rule = governed.condition(action, columns, shape)
        found.append(Explained(action, *_told(rule, _words(governed, action), dialect)))
    for name, one in governed.fields.items():
        for action, part in (("read", one.read), ("update", one.write)):
            told = _told(part.condition(columns, shape), part.words(), dialect)
            found.append(Explained(action, *told, field=name))
    return found


def matrix(book: Rulebook, roles: Iterable[str] = ()) -> list[tuple[str, ...]]:
    """Return a heading and rows: model, action, and the answer for each standing.

    Standings are: a visitor, somebody signed in, and each of *roles* (none given: all
    that some rule asks for).
    """
    named = sorted(roles or book.mentioned)
    standings = {
        "visitor": Scope(),
        "signed in": Scope(user=0),
        **{name: Scope(user=0, roles=frozenset((name,))) for name in named},
    }
    rows = [("model", "action", *standings)]
    for governed in book.tables():
        told = [explain(book, governed.table, who) for who in standings.values()]
        for number, action in enumerate(ACTIONS):
            rows.append((governed.name, action, *(one[number].answer for one in told)))
    return rows


def _words(governed: Governed, action: str) -> str:
    words = governed.rules[action].words()
    seen = governed.rules["read"].words()
    if action in ("read", "create") or seen in (words, "always"):
        return words
    return f"it may be read ({seen}), and {words}"


def _told(rule: Condition, words: str, dialect: sa.Dialect | None) -> tuple[str, str, str]:
    if isinstance(rule, bool):
        return ("all" if rule else "none"), words, "true" if rule else "false"
    return "some", words, _sql(rule, dialect)


def _sql(rule: Any, dialect: sa.Dialect | None) -> str:
    """Return the condition as SQL, with the values of the rule written out."""
    made: Any = type(dialect)
    named = None if dialect is None else made(paramstyle="named")
    compiled = rule.compile(dialect=named, compile_kwargs={"render_postcompile": True})
    text = " ".join(str(compiled).split())
    for bind in sorted(
        (part for part in iterate(rule) if isinstance(part, PolicyBind)),
        key=lambda part: -len(part.key),
    ):
        shown = f":{bind.source}" if bind.source != "constant" else repr(bind.given)
        text = text.replace(f":{bind.key}", shown)
    return text
