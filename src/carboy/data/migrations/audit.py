"""What must not be released: for CI, and for who has just written a migration.

problems()   pending, models that differ, two last ones, an edited file, unsafe()
unsafe()     each file judged on the tables that the files before it leave behind
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from carboy.base.errors import CarboyError, SetupError
from carboy.base.scope import unscoped
from carboy.data.engines import engine_for
from carboy.data.migrations.lint import tables_of
from carboy.data.migrations.plan import drafted
from carboy.data.migrations.runner import check_edited, run_all
from carboy.data.migrations.safety import review
from carboy.data.migrations.status import applied, check_history, waiting

if TYPE_CHECKING:
    from carboy.data.migrations.project import Target

__all__ = ["problems", "unsafe"]


def problems(target: Target, dialect: str | None = None) -> Iterator[str]:
    """Yield what is wrong with the migrations of one database, in a letter each.

    dialect: judge for this kind of database; None: for the one that is set.
    Raises ServiceDown when the database does not answer.
    """
    try:
        target.folder.head()
    except SetupError as error:
        yield str(error)
        return
    with unscoped("migration"), target.engine.connect() as connection:
        done = applied(connection, target.folder)
    for look in (check_history, check_edited):
        try:
            look(target.folder, done)
        except SetupError as error:
            yield str(error)
    left = waiting(target.folder, done)
    if left:
        yield f"pending: {', '.join(one.revision for one in left)}. Type: carboy db upgrade"
    yield from _differences(target)
    yield from unsafe(target, dialect or target.engine.dialect.name)


def unsafe(target: Target, dialect: str, *, only: str = "") -> Iterator[str]:
    """Yield what the linter says of each file, or of the one called *only*.

    The tables before it are made in memory, on SQLite; from a file on that SQLite cannot
    run, they are not known, and what needs them is refused.
    """
    engine = engine_for("sqlite://")
    try:
        with unscoped("migration"), engine.connect() as connection:
            known = True
            for one in target.folder.all():
                if only in ("", one.revision):
                    existing = tables_of(connection) if known else None
                    for complaint in review(one.load(), dialect, existing=existing):
                        yield f"{one.path.name}, {complaint}"
                try:
                    if known:
                        run_all(connection, [one])
                except CarboyError:
                    known = False
    finally:
        engine.dispose()


def _differences(target: Target) -> Iterator[str]:
    try:
        plan = drafted(target)
    except SetupError as error:
        if error.code != "migrations.pending":  # that is said already
            yield str(error)
        return
    for change in plan.changes:
        yield f"not in a migration: {change.words}. Type: carboy db make"
