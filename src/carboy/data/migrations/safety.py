"""Is a migration safe while the program runs? Each operation is judged, before any is done.

    upgrade()  ->  recorded()  ->  changes  ->  rules of the database  ->  Complaint, Complaint
                                                allow = {...}          ->  less those with a reason

A Complaint has a stable code and a recipe that can be pasted. A migration lets one through
by saying why, next to `upgrade`:

    allow = {"unsafe.drop_column books.subtitle": "unused since 1.4, released in May"}
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from carboy.data.engines import BACKENDS
from carboy.data.migrations.changes import changes_of
from carboy.data.migrations.recipes import recipe
from carboy.data.migrations.recording import Recorded, dialect_of, recorded
from carboy.data.migrations.rules import Rules, State
from carboy.data.migrations.rules_mariadb import MariaDBRules
from carboy.data.migrations.rules_postgresql import PostgreSQLRules
from carboy.data.migrations.rules_sqlite import SQLiteRules

if TYPE_CHECKING:
    from sqlalchemy import MetaData

    from carboy.data.migrations.change import Change

__all__ = ["Complaint", "Recorded", "recorded", "review"]

RULES: dict[str, type[Rules]] = {
    "sqlite": SQLiteRules,
    "postgresql": PostgreSQLRules,
    "mariadb": MariaDBRules,
    "mysql": MariaDBRules,
}
"""Dialect name to what is unsafe there. MySQL is judged as MariaDB, and is untested."""


@dataclass(frozen=True)
class Complaint:
    """One thing that a migration must not do as it stands.

    code: stable, "unsafe.drop_column". table, name: where; name is the column, index or
    constraint. message: why. hint: what to do instead. line: in the migration's file, or 0.
    """

    code: str
    table: str
    name: str
    message: str
    hint: str
    line: int = 0

    @property
    def entry(self) -> str:
        """What stands in `allow` to let it through."""
        place = f"{self.table}.{self.name}" if self.name else self.table
        return f"{self.code} {place}".strip()

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        return f"{where}{self.entry}\n  {self.message}\n  {self.hint}  [{self.code}]"


def review(
    migration: Any, dialect_name: str, *, existing: MetaData | None = None
) -> list[Complaint]:
    """Return what is unsafe in a migration on a kind of database; nothing connects.

    migration: a module with `upgrade()`, and perhaps `allow` and `transaction = False`.
    dialect_name: "sqlite", "postgresql", "mariadb" or "mysql".
    existing: the tables before it, as reflected; without them, what is unknown is refused.
    An entry of `allow` is unused when no kind of database needs it: the file serves all.
    """
    found = _found(migration, dialect_name, existing)
    allow: Mapping[str, str] = getattr(migration, "allow", {})
    reasons = {entry: str(reason or "").strip() for entry, reason in allow.items()}
    left = [complaint for complaint in found if not reasons.get(complaint.entry)]
    needed = {complaint.entry for complaint in found}
    if reasons.keys() - needed:
        for other in RULES.keys() - {dialect_name}:
            needed |= {complaint.entry for complaint in _found(migration, other, existing)}
    return [*left, *_wrong_entries(needed, reasons, dialect_name)]


def _found(migration: Any, dialect_name: str, existing: MetaData | None) -> list[Complaint]:
    """Return each complaint once, in the order of the migration."""
    dialect = dialect_of(dialect_name)
    transactional = getattr(migration, "transaction", True) is not False
    state = State(
        dialect, existing, transactional and "transactional_ddl" in BACKENDS[dialect_name].can
    )
    rules = RULES[dialect_name](state)
    found: dict[tuple[str, str], Complaint] = {}
    for one in recorded(migration.upgrade, dialect_name):
        for change in changes_of(one, dialect):
            for code, why in rules.judge(change):
                complaint = _complaint(code, why, change, dialect_name)
                found.setdefault((complaint.entry, complaint.message), complaint)
    return list(found.values())


def _complaint(code: str, why: str, change: Change, dialect_name: str) -> Complaint:
    table, name = change.table, change.name
    if not table or change.kind == "unclear":  # the SQL itself, by its digest, is the place
        digest = hashlib.blake2b(change.said.encode(), digest_size=4).hexdigest()
        table, name = "sql", digest
    code = f"unsafe.{code}"
    return Complaint(code, table, name, why, recipe(code, dialect_name, table, name), change.line)


def _wrong_entries(
    needed: set[str], reasons: Mapping[str, str], dialect_name: str
) -> Iterator[Complaint]:
    for entry, reason in reasons.items():
        if not reason:
            yield _about(
                entry, "unsafe.reason", "It is let through without a reason.", dialect_name
            )
        elif entry not in needed:
            yield _about(
                entry, "unsafe.unused", "It lets through what does not happen.", dialect_name
            )


def _about(entry: str, code: str, why: str, dialect_name: str) -> Complaint:
    return Complaint(code, "allow", entry, why, recipe(code, dialect_name, "allow", entry))
