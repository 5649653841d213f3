"""What is unsafe in a change, on every database: for programs that are still running.

    Change  ->  Rules.judge()  ->  (code, why) for each thing that is wrong

While a new release is rolled out, programs of both ages use the database; so nothing may
go away or change its meaning at once. What locks and what rewrites differs: see
rules_postgresql.py, rules_mariadb.py and rules_sqlite.py, where each fact has its source.
A table that the same migration made has no rows and no users, and so no rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import CheckConstraint, Column, Dialect, Index, MetaData, Table, UniqueConstraint

if TYPE_CHECKING:
    from carboy.data.migrations.change import Change

__all__ = ["Found", "Rules", "State", "parts_of", "wider_text"]

Found = Iterator[tuple[str, str]]
"""Codes without their "unsafe.", each with a sentence that says why."""

TYPE = re.compile(r"([A-Z ]+?) ?(?:\((\d+)(?:, ?(\d+))?\))?( .*)?$", re.S)
VALUES = re.compile(r"\bIN ?\(([^()]*)\)|\bARRAY\[([^\]]*)\]", re.I)
CAST = re.compile(r"::[a-z ]+(\(\d+\))?", re.I)
WIDTH = re.compile(r"\b(BIGINT|INTEGER|INT|SMALLINT|TINYINT)\(\d+\)")
FIRST = re.compile(r"^\w+")
ALIASES = {"BOOL": "TINYINT", "JSON": "LONGTEXT", "INTEGER": "INT", "NUMERIC": "DECIMAL"}
"""What MariaDB calls a type that was asked for, to its own word."""
LITERAL = re.compile(r"'(?:[^']|'')*'|-?\d+")
STABLE = {"now", "current_timestamp", "current_date", "current_time", "localtimestamp",
          "localtime", "transaction_timestamp", "statement_timestamp", "timezone", "curdate",
          "utc_timestamp", "sysdate", "date", "datetime", "strftime", "json_array", "json_object",
          "true", "false", "null"}  # fmt: skip
"""Functions that give one answer throughout a statement; all others are taken as volatile."""


@dataclass
class State:
    """What is known when a change comes.

    existing: the tables before the migration, if known. transactional: in one transaction.
    created: tables it made. filled: (table, column) of its backfills.
    dropped: (table, name) of the checks it dropped, to their conditions.
    holding: tables whose locks the transaction holds. unproven: (table, constraint).
    """

    dialect: Dialect
    existing: MetaData | None = None
    transactional: bool = True
    created: set[str] = field(default_factory=set)
    filled: set[tuple[str, str]] = field(default_factory=set)
    dropped: dict[tuple[str, str], str] = field(default_factory=dict)
    holding: set[str] = field(default_factory=set)
    unproven: set[tuple[str, str]] = field(default_factory=set)

    def table(self, name: str) -> Table | None:
        """Return the table as it was before, if known."""
        return None if self.existing is None else self.existing.tables.get(name)

    def column(self, table: str, name: str) -> Column[Any] | None:
        """Return the column as it was before, if known."""
        found = self.table(table)
        return None if found is None else found.c.get(name)

    def type_before(self, change: Change) -> str:
        """Return the type that a column has; "" when unknown.

        A database does not tell all of it (collations): what the migration says counts
        where it agrees with the tables.
        """
        column = self.column(change.table, change.name)
        said, there = self.type(change.old), self.type(None if column is None else column.type)
        agree = said and parts_of(said)[:3] == parts_of(there)[:3]
        return said if agree or not there else there

    def type(self, said: Any) -> str:
        """Return a type as this database writes it; "" when unknown."""
        if said is None or isinstance(said, str):
            return str(said or "")
        kind = said() if isinstance(said, type) else said
        written = WIDTH.sub(r"\1", str(kind.compile(dialect=self.dialect)).upper())
        if self.dialect.name in ("mysql", "mariadb"):
            written = FIRST.sub(lambda found: ALIASES.get(found[0], found[0]), written)
        return written


class Rules:
    """The rules that hold everywhere; a method for each kind of change, by its name."""

    def __init__(self, state: State) -> None:
        self.state = state

    def judge(self, change: Change) -> Found:
        """Yield what is unsafe in *change*, and remember what later changes build on."""
        if change.table in self.state.created:
            return self._remember(change)
        judge = getattr(self, change.kind, None)
        if judge is not None:
            yield from judge(change)
        self._remember(change)

    def drop_table(self, change: Change) -> Found:
        """Programs that are running use it."""
        yield "drop_table", "What runs now still uses the table, and its rows are gone for good."

    def rename_table(self, change: Change) -> Found:
        """The same."""
        yield "rename_table", "What runs now looks for it under its old name."

    def drop_column(self, change: Change) -> Found:
        """The same."""
        yield "drop_column", "What runs now still reads and writes it, and its values are lost."

    def rename_column(self, change: Change) -> Found:
        """The same."""
        yield "rename_column", "What runs now looks for it under its old name."

    def primary_key(self, change: Change) -> Found:
        """Rows are found, referred to and stored by it."""
        yield "primary_key", "The table is stored by its key, and everything refers to it."

    def add_column(self, change: Change) -> Found:
        """A new column must not be in the way of rows there are, nor of who does not know it."""
        if change.key:
            yield from self.primary_key(change)
        elif change.required and change.default is None and not change.stored:
            yield "add_not_null", "Rows have no value for it, and what runs now gives none."

    def drop_default(self, change: Change) -> Found:
        """Who leaves the column out counts on its default."""
        column = self.state.column(change.table, change.name)
        if column is None or not column.nullable:
            yield "drop_default", "What runs now may leave it out, and would be refused."

    def not_null(self, change: Change) -> Found:
        """There must be nothing left to fill."""
        column = self.state.column(change.table, change.name)
        if column is not None and not column.nullable:
            return
        if not change.online:
            yield "not_null", self.not_null_blocks
        elif (change.table, change.name) not in self.state.filled:
            yield "not_null", "Nothing in this migration fills the rows that have no value."

    not_null_blocks = "It looks at every row, and nobody reads or writes meanwhile."

    def drop_index(self, change: Change) -> Found:
        """Somebody may count on it."""
        table = self.state.table(change.table)
        found = [] if table is None else [i for i in table.indexes if i.name == change.name]
        for index in found:
            if index.unique:
                yield "drop_index", "It keeps rows unique; duplicates would come in at once."
            elif table is not None and _serves_a_key(table, index):
                yield "drop_index", "A foreign key needs it: each deletion would read the table."

    def drop_constraint(self, change: Change) -> Found:
        """Who runs now counts on it; and what it keeps out comes in at once."""
        kind = change.new or self._kind_of(change)
        if kind == "primary_key":
            yield from self.primary_key(change)
        elif kind != "check":
            yield "drop_constraint", "What runs now counts on it, and it may not be had back."

    def check(self, change: Change) -> Found:
        """A list of values that becomes shorter is refused to who still writes them."""
        before = self.state.dropped.get((change.table, change.name))
        after = _values(str(change.new or ""))
        if before is not None and after is not None:
            known = _values(before)
            if known is None:
                yield "enum", "What it allowed before is not known here, so nothing shows it grows."
            elif gone := known - after:
                yield "enum", f"It no longer allows {', '.join(sorted(gone))}, which rows may have."

    def enum(self, change: Change) -> Found:
        """A value that is changed or removed is met by programs that know the old one."""
        yield "enum", "Programs and rows have the old values."

    def rows(self, change: Change) -> Found:
        """All rows at once stay locked until the end."""
        yield "rows", "It changes any number of rows at once, and keeps them locked to its end."

    def rewrite(self, change: Change) -> Found:
        """The whole table is written anew."""
        yield "rewrite", "It writes the whole table anew; nobody can use it meanwhile."

    def lock(self, change: Change) -> Found:
        """Nobody can work until it ends."""
        yield "lock", "It keeps everybody out until the transaction ends."

    def unclear(self, change: Change) -> Found:
        """What nobody can judge is refused."""
        yield "unclear", f"It cannot be reviewed: {change.said[:120]}"

    def volatile(self, change: Change) -> bool:
        """Tell whether the default of a new column may differ from row to row."""
        said = LITERAL.sub("", change.default or "").lower()
        words = set(re.findall(r"([a-z_]\w*) ?\(", said))
        return bool(words - STABLE) or said.strip(" ()") == "uuid"

    def _kind_of(self, change: Change) -> str:
        """Return the kind of a constraint by its name, as far as it is known."""
        table = self.state.table(change.table)
        for constraint in table.constraints if table is not None else ():
            if constraint.name == change.name:
                if isinstance(constraint, CheckConstraint):
                    return "check"
                return "unique" if isinstance(constraint, UniqueConstraint) else "other"
        return ""

    def _remember(self, change: Change) -> None:
        state, table = self.state, change.table
        if change.kind == "create_table":
            if not change.if_missing and state.table(table) is None:
                state.created.add(table)
        elif change.kind == "rename_table" and table in state.created:
            state.created.add(str(change.new))
        elif change.kind == "backfill":
            state.filled.update((table, column) for column in change.columns)
        elif change.kind == "drop_constraint":
            found = state.table(table)
            known = (
                [c for c in found.constraints if c.name == change.name] if found is not None else []
            )
            if known and isinstance(known[0], CheckConstraint):
                text = known[0].sqltext.compile(
                    dialect=state.dialect, compile_kwargs={"literal_binds": True}
                )
                state.dropped[table, change.name] = str(text)
            elif change.new == "check" or not known:
                state.dropped[table, change.name] = ""


def parts_of(written: str) -> tuple[str, int | None, int | None, str]:
    """Return (name, first number, second number, rest) of a type as it is written.

    >>> parts_of("NUMERIC(8, 2)"), parts_of('VARCHAR COLLATE "C"')
    (('NUMERIC', 8, 2, ''), ('VARCHAR', None, None, 'COLLATE "C"'))
    """
    plain, sign, collation = written.partition(" COLLATE ")
    found = TYPE.match(plain)
    if found is None:
        return written, None, None, ""
    first, second = (int(n) if n else None for n in found.group(2, 3))
    rest = f"{found[4] or ''}{sign}{collation}".strip()
    return found[1].strip(), first, second, rest


def wider_text(old: str, new: str) -> bool:
    """Tell whether every text of the type *old* fits *new*, compared alike."""
    name, length, _, rest = parts_of(old)
    other, longer, _, after = parts_of(new)
    if rest != after or name not in ("VARCHAR", "TEXT") or other not in ("VARCHAR", "TEXT"):
        return False
    return longer is None or (length is not None and longer >= length)


def _values(condition: str) -> set[str] | None:
    """Return the values that a condition lists; None when it lists none."""
    found = VALUES.search(CAST.sub("", condition))
    return set(LITERAL.findall(found[1] or found[2] or "")) if found else None


def _serves_a_key(table: Table, index: Index) -> bool:
    """Tell whether *index* alone begins with the column of a foreign key."""
    first = next(iter(index.columns), None)
    if first is None or not first.foreign_keys:
        return False
    others = [i for i in table.indexes if i is not index and next(iter(i.columns), None) is first]
    return not others
