"""What a database has applied, and what is still to come.

    carboy_migrations: revision, digest, applied_at       one row for each that was applied

    folder - rows  =  pending            rows - folder  =  the database is newer than the code

A database that Alembic has kept so far is understood: its alembic_version says where it
is, and becomes rows with the next upgrade. Nothing here imports Alembic: it is asked by
readiness, again and again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, MetaData, String, Table, inspect, select

from carboy.base.errors import SetupError
from carboy.base.scope import unscoped
from carboy.data.migrations.folder import LONGEST, Folder, Migration
from carboy.data.migrations.project import targets
from carboy.data.types import Utc

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["APPLIED", "BOOKKEEPING", "applied", "check_history", "pending", "waiting"]

_own = MetaData()
APPLIED = Table(
    "carboy_migrations",
    _own,
    Column("revision", String(LONGEST), primary_key=True),
    Column("digest", String(16), nullable=False),
    Column("applied_at", Utc(), nullable=False),
    mysql_charset="utf8mb4",
    mariadb_charset="utf8mb4",
)
ALEMBIC = Table("alembic_version", _own, Column("version_num", String(32), primary_key=True))

BOOKKEEPING = frozenset({APPLIED.name, ALEMBIC.name})
"""Tables that no model has and no migration drops."""


def pending(app: Any) -> list[str]:
    """Return what *app*'s databases have not applied yet, as "database: revision".

    Cheap enough for readiness: two short statements for each database that has
    migrations; their files are read again only when one has changed.
    Raises DatabaseDown when a database does not answer, SetupError for a broken folder
    and for a database that is newer than the code.
    """
    found = []
    with unscoped("migration"):
        for target in targets(app) if "carboy.data" in app.extensions else ():
            if not target.folder.all():
                continue
            with target.engine.connect() as connection:
                done = applied(connection, target.folder)
            check_history(target.folder, done)
            found += [f"{target.name}: {one.revision}" for one in waiting(target.folder, done)]
    return found


def applied(connection: Connection, folder: Folder) -> dict[str, str]:
    """Return {revision: digest} of what was applied; a digest may be "": not known."""
    look = inspect(connection)
    if look.has_table(APPLIED.name):
        rows = connection.execute(select(APPLIED.c.revision, APPLIED.c.digest))
        return {row.revision: row.digest for row in rows}
    if look.has_table(ALEMBIC.name):
        known = {one.revision: one for one in folder.all()}
        heads = connection.scalars(select(ALEMBIC.c.version_num)).all()
        below = {name for head in heads if head in known for name in folder.before(known[head])}
        return dict.fromkeys([*below, *heads], "")
    return {}


def waiting(folder: Folder, done: Iterable[str]) -> list[Migration]:
    """Return the migrations that are not *done*, in the order to apply them."""
    return [one for one in folder.all() if one.revision not in set(done)]


def check_history(folder: Folder, done: Mapping[str, str]) -> None:
    """Raise SetupError when the database has applied what is not in *folder*."""
    known = {one.revision for one in folder.all()}
    strange = sorted(set(done) - known)
    if strange:
        raise SetupError(
            "migrations.newer",
            f"The database has applied {', '.join(strange)}, which {folder.path} does not have.",
            hint="Usually the database is newer than this code: deploy the newer code, or"
            " downgrade with it first.\nIf a file was lost, get it back from version control.",
        )
