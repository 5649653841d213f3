"""The development database follows the models, without files; nothing is ever lost.

    models change  ->  what only adds           applied, and told in a line each
                   ->  what may lose something  not applied; told, with the command to type

For SQLite, the database of `carboy dev`. Files are for the others: `carboy db make`
compares the models with the migrations and does not care what happened here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, table as plain_table
from sqlalchemy.exc import SQLAlchemyError

from carboy.base.errors import CarboyError
from carboy.base.scope import unscoped
from carboy.data.backends.sqlite import in_memory
from carboy.data.migrations.files import source
from carboy.data.migrations.history import History
from carboy.data.migrations.lines import Change, Line
from carboy.data.migrations.lock import locked
from carboy.data.migrations.plan import Plan, Said, history_of, plan
from carboy.data.migrations.project import Target, targets
from carboy.data.migrations.renames import unclear
from carboy.data.migrations.rendertypes import quoted
from carboy.data.migrations.runner import Options, engine_of, mark, perform, upgrade
from carboy.data.migrations.status import applied, waiting

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["Outcome", "follow", "is_there_already", "module_of", "ran_ahead", "sync"]


@dataclass(frozen=True)
class Outcome:
    """done: what was changed, in words. left: what was not, and what to type."""

    done: list[str]
    left: list[str]


def follow(app: Any) -> list[str]:
    """Bring the SQLite databases of *app* up to its models; return lines to show.

    Never raises: a development server starts with a database that is behind, and says so.
    """
    lines = []
    try:
        for target in targets(app) if "carboy.data" in app.extensions else ():
            if target.folder.all() or target.metadata.tables:
                lines += [f"{target.name}: {line}" for line in _follow(target)]
    except (CarboyError, SQLAlchemyError) as error:
        lines += f"The database was left as it is. {error}".splitlines()
    return lines


def sync(target: Target, said: Said | None = None) -> Outcome:
    """Make a development database like the models, as far as nothing is lost unsaid.

    Raises SetupError (migrations.rename) for what looks like a rename and is not said.
    """
    engine, close = engine_of(target)
    try:
        with unscoped("migration"), locked(engine) as connection:
            found = plan(connection, target.metadata, history_of(target), said, only_known=False)
            wanted, left = _sorted(connection, found, said or Said())
            if wanted:
                perform(
                    connection, module_of(replace(found, changes=wanted)).upgrade, "of the models"
                )
            return Outcome([change.words for change in wanted], left)
    finally:
        close()


def is_there_already(target: Target) -> bool:
    """Tell whether the database has all that the models say."""
    engine, close = engine_of(target)
    try:
        with unscoped("migration"), engine.connect() as connection:
            return not plan(connection, target.metadata, History()).changes
    finally:
        close()


def ran_ahead(target: Target) -> bool:
    """Tell whether a development database has what the last file has just been written for."""
    url = target.engine.url
    there = not in_memory(url) and Path(url.database or "").exists()
    return target.engine.dialect.name == "sqlite" and there and is_there_already(target)


def _follow(target: Target) -> Iterator[str]:
    if target.engine.dialect.name != "sqlite":
        with unscoped("migration"), target.engine.connect() as connection:
            left = waiting(target.folder, applied(connection, target.folder))
        if left:
            yield f"{len(left)} migrations wait; type: carboy db upgrade"
        return
    yield from _apply_files(target)
    outcome = sync(target)
    yield from outcome.done
    yield from outcome.left


def _apply_files(target: Target) -> Iterator[str]:
    """Apply migrations that came with a pull; note those whose changes are there already."""
    last = target.folder.head()
    if last is None:
        return
    with unscoped("migration"), target.engine.connect() as connection:
        left = waiting(target.folder, applied(connection, target.folder))
    moves_data = any("op.execute(" in one.path.read_text("utf-8") for one in left)
    if left and not moves_data and is_there_already(target):
        mark(target, last.revision)
        yield f"has the changes of {', '.join(one.revision for one in left)} already"
    elif left:
        for name in upgrade(target, options=Options(review=False)):
            yield f"applied {name}"


def _sorted(connection: Connection, found: Plan, said: Said) -> tuple[list[Change], list[str]]:
    """Return (changes to make, lines about the others)."""
    wanted: list[Change] = []
    left: list[str] = []
    unsure = {one.old.partition(".")[0] for one in found.unclear}
    unsure |= {new for one in found.unclear if "." not in one.old for new in one.new}
    if found.unclear:
        left += str(unclear(found.unclear)).replace("--renamed", "carboy db sync --renamed")\
            .replace("--dropped", "carboy db sync --dropped").splitlines()  # fmt: skip
    for change in found.changes:
        table = change.on.partition(".")[0]
        if table in unsure:
            continue
        if change.loses and change.on not in said.dropped:
            wanted += _kept(change)
            left.append(f"not done: {change.words}. If meant: carboy db sync --dropped {change.on}")
        elif change.needs_value and (rows := _count(connection, table)):
            left.append(
                f"not done: {change.words}, which is required, and {rows} rows have no value for"
                f" it. Say one: carboy db sync --fill {change.on}=..."
            )
        else:
            wanted.append(change)
    return wanted, left


def _kept(change: Change) -> list[Change]:
    """Return what lets rows be written without a column that no model has any more."""
    table, _, column = change.on.partition(".")
    if not change.required:
        return []
    call = f"table.alter_column({quoted(column)}, nullable=True)"
    words = f"{change.on} is in no model any more: kept, and optional from now on"
    return [Change(words, change.on, [Line(call, table)], [])]


def _count(connection: Connection, table: str) -> int:
    count = connection.scalar(select(func.count()).select_from(plain_table(table)))
    connection.rollback()
    return int(count or 0)


def module_of(found: Plan) -> Any:
    """Return the migration that *found* would be, written nowhere."""
    module = ModuleType("carboy_models")
    code = compile(source(found, "models", None, "The models"), "<models>", "exec")
    exec(code, vars(module))  # noqa: S102  # our own text, the one that `make` writes
    return module
