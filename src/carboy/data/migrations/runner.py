"""Apply migrations, and take them back.

    lock  ->  what is applied?  ->  review  ->  each: begin, upgrade(), note it, commit

Where the database can, a migration is one transaction: it happens whole or not at all.
Where it cannot (MariaDB, CONCURRENTLY), a failure says what stays and how to go on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from alembic.migration import MigrationContext
from alembic.operations import Operations

from carboy.base.errors import SetupError
from carboy.base.scope import unscoped
from carboy.data.backends.sqlite import in_memory
from carboy.data.engines import Limits, engine_for
from carboy.data.migrations.failures import Journal, failure
from carboy.data.migrations.lint import complaints, refuse, tables_of
from carboy.data.migrations.lock import WAIT_S, locked
from carboy.data.migrations.status import APPLIED, applied, check_history, waiting
from carboy.data.mixins import now

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from carboy.data.migrations.folder import Folder, Migration
    from carboy.data.migrations.project import Target

__all__ = [
    "Options",
    "check_edited",
    "downgrade",
    "engine_of",
    "mark",
    "perform",
    "run_all",
    "upgrade",
]

Say = Callable[[str], None]

PATIENT_S = 3600  # seconds: a long ALTER TABLE is no dead server


@dataclass(frozen=True)
class Options:
    """How to migrate.

    wait_s: for another process. review: let the linter refuse. accept: revisions whose
    files may have changed since they were applied. say: told each migration as it ends.
    """

    wait_s: float = WAIT_S
    review: bool = True
    accept: Collection[str] = ()
    say: Say = lambda text: None


def upgrade(target: Target, to: str | None = None, options: Options | None = None) -> list[str]:
    """Apply what is pending, up to *to* or to the last; return the names of what was applied.

    Raises SetupError and ServiceDown, after which the database is at the last migration
    that succeeded.
    """
    options = options or Options()
    last = target.folder.find(to) if to else target.folder.head()
    wanted = target.folder.before(last) if last else set()
    with _at(target, options) as (connection, done):
        check_edited(target.folder, done, options.accept)
        todo = [one for one in waiting(target.folder, done) if one.revision in wanted]
        if options.review:
            _review(todo, done, connection)
        for place, one in enumerate(todo):
            if options.review and place:
                _review([one], done, connection)  # by now it is known on what it builds
            _step(connection, one, "upgrade")
            options.say(f"applied {one.revision}  {one.title}")
        return [one.revision for one in todo]


def downgrade(target: Target, to: str, options: Options | None = None) -> list[str]:
    """Take back what came after *to*; return the names of what was taken back.

    to: a revision, which stays; "-1" for the last one, "-2" for two; "base" for all.
    """
    options = options or Options()
    with _at(target, options) as (connection, done):
        mine = [one for one in target.folder.all() if one.revision in done]
        todo = _after(target.folder, mine, to)
        for one in todo:
            _step(connection, one, "downgrade")
            options.say(f"took back {one.revision}  {one.title}")
        return [one.revision for one in todo]


def mark(target: Target, to: str, options: Options | None = None) -> list[str]:
    """Note *to* and all before it as applied, without running them; return their names."""
    wanted = target.folder.before(target.folder.find(to))
    with _at(target, options or Options()) as (connection, done):
        todo = [one for one in waiting(target.folder, done) if one.revision in wanted]
        _note(connection, todo)
        connection.commit()
        return [one.revision for one in todo]


def perform(connection: Connection, work: Callable[[], None], name: str) -> None:
    """Run *work*, which uses `alembic.op`, in one transaction where there are some.

    Raises SetupError (migrations.failed), which says what stays, when it fails.
    """
    sqlite = connection.dialect.name == "sqlite"
    if sqlite:  # only between transactions; a table that is rebuilt must not take rows along
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        connection.rollback()
    try:
        with Journal(connection) as journal:
            try:
                _transact(connection, work, sqlite)
            except Exception as error:
                connection.rollback()
                raise failure(name, error, journal) from error
    finally:
        if sqlite and not connection.closed:
            connection.exec_driver_sql("PRAGMA foreign_keys = ON")
            connection.rollback()


def run_all(connection: Connection, migrations: Iterable[Migration]) -> None:
    """Apply *migrations* to an empty database of our own; nobody reviews, nothing is noted."""
    for one in migrations:
        perform(connection, one.load().upgrade, one.revision)


def engine_of(target: Target) -> tuple[Engine, Callable[[], None]]:
    """Return an engine for migrations and what closes it.

    One of its own: it is patient with long statements, and no policy stands before it.
    A database in memory has only the application's.
    """
    url = target.engine.url
    if url.drivername.startswith("sqlite") and in_memory(url):
        return target.engine, lambda: None
    if "pymysql" in url.drivername:
        patient = {"read_timeout": str(PATIENT_S), "write_timeout": str(PATIENT_S)}
        url = url.update_query_dict(patient)
    engine = engine_for(url, name=target.name, limits=Limits(pool=2, lock_s=10.0))
    return engine, engine.dispose


@contextmanager
def _at(target: Target, options: Options) -> Iterator[tuple[Connection, dict[str, str]]]:
    """Yield a connection under the lock, and what its database has applied."""
    engine, close = engine_of(target)
    try:
        with unscoped("migration"), locked(engine, wait_s=options.wait_s) as connection:
            done = applied(connection, target.folder)
            check_history(target.folder, done)
            connection.rollback()
            _keep_books(connection, target.folder, done)
            yield connection, done
    finally:
        close()


def _keep_books(connection: Connection, folder: Folder, done: dict[str, str]) -> None:
    """Make our table; what Alembic applied before us goes into it."""
    if connection.dialect.has_table(connection, APPLIED.name):
        connection.rollback()
        return
    APPLIED.create(connection, checkfirst=True)
    _note(connection, [one for one in folder.all() if one.revision in done])
    connection.commit()


def _note(connection: Connection, migrations: Iterable[Migration]) -> None:
    rows = [
        {"revision": one.revision, "digest": one.digest, "applied_at": now()} for one in migrations
    ]
    if rows:
        connection.execute(APPLIED.insert(), rows)


def _step(connection: Connection, one: Migration, way: str) -> None:
    """Apply or take back one migration, and note it in the same transaction."""
    module = one.load()
    work = getattr(module, way, None)
    if work is None:
        raise SetupError(
            "migrations.one_way",
            f"{one.path.name} has no {way}(), so it cannot be applied that way.",
            hint="Write it, or restore a backup from before.",
        )

    def work_and_note() -> None:
        work()
        if way == "upgrade":
            _note(connection, [one])
        else:
            connection.execute(APPLIED.delete().where(APPLIED.c.revision == one.revision))

    perform(connection, work_and_note, one.revision)


def _transact(connection: Connection, work: Callable[[], None], sqlite: bool) -> None:
    context = MigrationContext.configure(
        connection,
        opts={
            "transaction_per_migration": True,
            # Alembic takes pysqlite's own transactions for granted; ours are SQLite's.
            "transactional_ddl": True if sqlite else None,
        },
    )
    with Operations.context(context), context.begin_transaction(_per_migration=True):
        if sqlite:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        work()
        if sqlite:
            _prove(connection)


def _prove(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        raise SetupError(
            "migrations.rows",
            f"Row {broken[1]} of {broken[0]} would refer to a row of {broken[2]} that is not"
            " there.",
            hint="Correct such rows in the migration, before the reference is made.",
        )


def _after(folder: Folder, done: list[Migration], to: str) -> list[Migration]:
    """Return what to take back, the last one first."""
    if to == "base":
        return done[::-1]
    if to.startswith("-") and to[1:].isdigit():
        return done[::-1][: int(to[1:])]
    stays = folder.find(to)
    if stays not in done:
        raise SetupError(
            "migrations.unknown",
            f"{stays.revision} is not applied, so there is no way back to it.",
            hint=f"Applied: {', '.join(one.revision for one in done[-8:]) or 'nothing'}.",
        )
    kept = folder.before(stays)
    return [one for one in done[::-1] if one.revision not in kept]


def check_edited(folder: Folder, done: Mapping[str, str], accept: Collection[str] = ()) -> None:
    """Raise SetupError for files that do not do any more what was applied."""
    edited = [
        one for one in folder.all()
        if done.get(one.revision, "") not in ("", one.digest) and one.revision not in accept
    ]  # fmt: skip
    if edited:
        names = ", ".join(one.path.name for one in edited)
        raise SetupError(
            "migrations.edited",
            f"Changed since it was applied to this database: {names}.",
            hint="What it does now never happened here. Put it back as it was, and write a new"
            " migration\nfor the change. If the change is meant and harmless: "
            + " ".join(f"--accept {one.revision}" for one in edited),
        )


def _review(todo: list[Migration], done: dict[str, str], connection: Connection) -> None:
    """Let the linter refuse what is unsafe. A database with nothing in it has no users."""
    if not todo:
        return
    existing = tables_of(connection)
    if done or existing.tables:
        refuse(complaints(todo, connection.dialect.name, existing))
