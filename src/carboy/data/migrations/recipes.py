"""The safe recipe for each thing that safety.py refuses: expand, backfill, contract.

    expand     add what is new beside what is old; programs of both ages run
    backfill   fill it, a few rows at a time
    contract   take the old away, in a later release, when nothing uses it any more

{table} and {name} are filled in. The page docs/how-to/safe-migrations.md lists each code.
"""

from __future__ import annotations

__all__ = ["RECIPES", "recipe"]

LATER = (
    "Release a program that does not use it; when no older one runs, take it away in a later"
    " migration and say so there: "
)

RECIPES: dict[str, str] = {
    "unsafe.drop_table": LATER + "allow = {{'unsafe.drop_table {table}': 'unused since 1.4'}}",
    "unsafe.drop_column": LATER
    + "allow = {{'unsafe.drop_column {table}.{name}': 'unused since 1.4'}}",
    "unsafe.rename_table": "Keep the name in the database: __tablename__ = '{table}'. Or add a new"
    " table, write to both, ops.backfill, read from the new one, and drop the old one later.",
    "unsafe.rename_column": "Keep the name in the database: mapped_column('{name}'). Or"
    " ops.add_column the new one, write to both, ops.backfill, read from the new one, and drop the"
    " old one later.",
    "unsafe.type": "ops.add_column a new column of the new type, write to both,"
    " ops.backfill('{table}', ...), read from the new one, and drop the old one later.",
    "unsafe.not_null": "First ops.backfill('{table}', {{'{name}': ...}}), then"
    " ops.set_not_null('{table}', '{name}').",
    "unsafe.add_not_null": "Give it a server_default; or add it with nullable=True,"
    " ops.backfill('{table}', {{'{name}': ...}}), then ops.set_not_null('{table}', '{name}').",
    "unsafe.volatile_default": "Add it with nullable=True and no default,"
    " op.alter_column('{table}', '{name}', server_default=...) for new rows, then ops.backfill.",
    "unsafe.drop_default": "Release a program that always gives a value; then drop the default in"
    " a later migration: allow = {{'unsafe.drop_default {table}.{name}': 'given since 1.4'}}",
    "unsafe.index": "ops.create_index('{name}', '{table}', [...])",
    "unsafe.drop_index": "ops.drop_index('{name}', '{table}'); for one that is needed, make its"
    " successor first, in an earlier migration.",
    "unsafe.unique": "ops.add_unique('{name}', '{table}', [...])",
    "unsafe.foreign_key": "ops.add_foreign_key('{name}', '{table}', ...)",
    "unsafe.check": "ops.add_check('{name}', '{table}', ...)",
    "unsafe.primary_key": "Make a new table with the new key, write to both, copy with"
    " ops.backfill or in batches, read from the new one, and drop the old one later.",
    "unsafe.drop_constraint": "Release a program that does not count on it; then drop it in a later"
    " migration: allow = {{'unsafe.drop_constraint {table}.{name}': 'not needed since 1.4'}}",
    "unsafe.rows": "ops.backfill('{table}', {{...}}, where=...): in batches, with a commit after"
    " each. Rows to delete: mark them, and let a job delete them a few at a time.",
    "unsafe.rewrite": "Make a new column or table beside it and fill it with ops.backfill; or do it"
    " in an announced pause, by hand.",
    "unsafe.transaction": "Put each into a migration of its own, or use the steps of ops, which"
    " commit. CONCURRENTLY stands in op.get_context().autocommit_block().",
    "unsafe.lock": "Leave it out: the steps of ops take the weakest lock, and give way to others.",
    "unsafe.enum": "Add values, never change or remove one that a running program knows. Release"
    " the program that can read a value before the one that writes it.",
    "unsafe.rebuild": "with ops.alter_table('{table}') as table: ...",
    "unsafe.unclear": "Use op and ops, which can be reviewed; or read it yourself and say why it is"
    " safe: allow = {{'unsafe.unclear {table}.{name}': 'creates a function, locks nothing'}}",
    "unsafe.reason": "Write the reason: allow = {{'<code> <table>.<column>': 'why it is safe'}}",
    "unsafe.unused": "Take the entry out; or correct it, when it was meant for something else.",
}
"""Code to what to do instead, which may be pasted."""

SPECIAL: dict[tuple[str, str], str] = {
    ("unsafe.check", "mariadb"): "The models check values themselves. To have it in the database as"
    " well, add it in a quiet hour with ops.add_check, which keeps writers out while it copies:"
    " allow = {{'unsafe.check {table}.{name}': 'small table'}}",
    ("unsafe.index", "mariadb"): "Writers wait while a full-text index is built: do it in a quiet"
    " hour with allow = {{'unsafe.index {table}.{name}': 'small table'}}",
    ("unsafe.volatile_default", "sqlite"): "ops.add_column('{table}', ...), which rebuilds the"
    " table; or add it without a default, and ops.backfill.",
    ("unsafe.rewrite", "sqlite"): "Do it by hand while nobody uses the database.",
}
"""The same where one database differs."""


def recipe(code: str, dialect_name: str, table: str, name: str) -> str:
    """Return what to do instead, for a table and a column, index or constraint.

    >>> recipe("unsafe.check", "postgresql", "books", "ck_price")
    "ops.add_check('ck_price', 'books', ...)"
    """
    kind = "mariadb" if dialect_name == "mysql" else dialect_name
    said = SPECIAL.get((code, kind), RECIPES[code])
    return said.format(table=table or "...", name=name or "...")
