"""Planted leaks that the oracles themselves must find: one hook is taken away at a time.

Each runs a fixed number of examples that do not change from run to run; an oracle that
stays green has no use for that hook, or is blind.
"""

import pytest
import sqlalchemy as sa
import test_oracle
import test_oracle_writes
from oracle_bench import Bench
from oracle_databases import SERVERS, address
from oracle_loads import SMUGGLED

from carboy.base.errors import CarboyError
from carboy.policy import (
    caches,
    dml,
    driver,
    filters,
    flushed,
    inserts,
    session as sessions,
    texts,
)
from carboy.policy.book import Governed, as_sql
from carboy.policy.dml import Writes
from carboy.policy.floor import Floor
from carboy.policy.links import Linked
from carboy.policy.refusals import Refusals
from carboy.policy.rules import Not

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

EXAMPLES = 1_500  # at most: most are found within fifty
FOUND = (AssertionError, BaseExceptionGroup, CarboyError, sa.exc.SQLAlchemyError,
         pytest.fail.Exception, TypeError, AttributeError, KeyError)  # fmt: skip


class Untranslated:
    """In place of `translated`: errors come as they are."""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return False


READING = {
    (filters.PolicyCompiler, "visit_table"): None,
    (Floor, "construct_params"): None,
    (Governed, "masks"): lambda self, columns, shape: {},
    (Not, "condition"): lambda self, c, s: sa.not_(as_sql(self.part.condition(c, s))),
    (Floor, "_policy_values"): lambda self, escape: ({}, []),
    (Linked, "condition"): lambda self, columns, shape: True,
    (caches.ScopedCache, "_shape"): lambda self: None,
    (driver.PolicyContext, "_init_statement"): None,
    (texts.CheckedNames, "quote"): None,
    (Refusals, "visit_textclause"): None,
    (Refusals, "visit_custom_op_binary"): None,
    (Refusals, "visit_custom_op_unary_operator"): None,
    (Refusals, "visit_custom_op_unary_modifier"): None,
    (Refusals, "get_statement_hint_text"): None,
    (sessions.PolicyMixin, "guard"): lambda self: None,
    (sessions.PolicyMixin, "_identity_lookup"): None,
    (sessions.PolicyMixin, "_leave"): lambda self: None,
}
WRITING = {
    (filters.PolicyCompiler, "visit_column"): None,
    (Writes, "visit_update"): None,
    (Writes, "visit_delete"): None,
    (Writes, "visit_insert"): None,
    (Writes, "visit_on_conflict_do_update"): None,
    (dml, "_if_about"): lambda keys, rule: True,
    (flushed.FlushCheck, "inserted"): lambda self, objects, fields: None,
    (flushed.FlushCheck, "_referring"): lambda self, governed: True,
    # Not FlushCheck.deleted: cascades._may_delete stands before it. test_planted.py has both.
    (flushed.FlushCheck, "collected"): lambda self, rows, objects: None,
    (inserts.Inserted, "check"): lambda self, *given: None,
    (sessions.PolicyMixin, "_execute_internal"): None,
    (sessions.PolicyMixin, "_bulk_save_mappings"): None,
    (sessions.PolicyMixin, "flush"): None,
    (sessions.PolicyMixin, "refresh"): None,
    (sessions, "translated"): lambda: Untranslated(),
    (sessions, "follow"): lambda session, shape: None,
    (filters, "told"): lambda book, context: None,
}
FEW = {
    "visit_on_conflict_do_update": "upsert", "visit_on_duplicate_key_update": "upsert",
    "_if_about": "update", "_referring": "flush_insert", "collected": "link",
    "refresh": "vanish", "follow": "flush_delete", "told": "core_insert",
    "visit_column": "update",
}  # fmt: skip
"""Hooks that only one kind of write comes by."""

ELSEWHERE = {
    ("pg", filters.PolicyCompiler, "group_by_clause"): test_oracle,
    ("pg", Refusals, "visit_function"): test_oracle,
    ("pg", Refusals, "visit_extract"): test_oracle,
    ("pg", Refusals, "visit_tablesample"): test_oracle,
    ("mariadb", Writes, "visit_on_duplicate_key_update"): test_oracle_writes,
    ("mariadb", Writes, "update_tables_clause"): test_oracle_writes,
}
"""Hooks for what only one database renders.

Not `delete_extra_from_clause`: the oracle writes no DELETE over several tables, and without
the hook such a statement is an error of MariaDB's syntax; test_dialects.py compiles it.
"""


def named(hooks):
    """Return test ids that read as hooks."""
    return [".".join(getattr(part, "__name__", part) for part in hook) for hook in hooks]


def plant(monkeypatch, owner, name, leak):
    """Take a hook away, or put *leak* in its place."""
    if leak is None:
        monkeypatch.delattr(owner, name)
    else:
        monkeypatch.setattr(owner, name, leak)


def found_by(oracle, url, **more):
    """Run an oracle, which must not stay green."""
    with Bench(url, seed=1, pool=8) as bench, pytest.raises(FOUND):
        oracle.run(bench, EXAMPLES, derandomize=True, **more)


def drawn_for(owner, name):
    """Return what to draw from, where all forms and writes would take many examples."""
    if owner in (Refusals, texts.CheckedNames):
        return {"forms": tuple(sorted(SMUGGLED))}
    return {"hows": (FEW[name],)} if name in FEW else {}


@pytest.mark.parametrize("hook", READING, ids=named(READING))
def test_the_oracle_for_reads_finds_a_planted_leak(monkeypatch, hook):
    """Something hidden shows, or something permitted is missing."""
    plant(monkeypatch, *hook, READING[hook])
    found_by(test_oracle, "sqlite://", **drawn_for(*hook))


@pytest.mark.parametrize("hook", WRITING, ids=named(WRITING))
def test_the_oracle_for_writes_finds_a_planted_leak(monkeypatch, hook):
    """Something forbidden is written, or what is said of it is wrong."""
    plant(monkeypatch, *hook, WRITING[hook])
    found_by(test_oracle_writes, "sqlite://", **drawn_for(*hook))


@pytest.mark.parametrize(
    "hook",
    [
        pytest.param(h, marks=SERVERS, id=i)
        for h, i in zip(ELSEWHERE, named(ELSEWHERE), strict=True)
    ],
)
def test_the_oracle_finds_a_planted_leak_on_a_server(request, monkeypatch, hook):
    """What SQLite does not render."""
    plant(monkeypatch, *hook[1:], None)
    found_by(ELSEWHERE[hook], address(request, hook[0]), **drawn_for(*hook[1:]))
