"""The databases of an application, each with its migrations and with what it should hold.

    app  ->  targets()  ->  Target(name, folder, metadata), Target(...)

Models are there once the application is imported. Other metadata (plain SQLAlchemy, an
extension's) is named once: `migrations.include(app, Legacy.metadata)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import MetaData

from carboy.base.errors import SetupError
from carboy.data.db import EXTENSION
from carboy.data.migrations.folder import Folder
from carboy.data.models import Model
from carboy.data.places import MAIN

if TYPE_CHECKING:
    from sqlalchemy import Engine, Table

    from carboy.data.places import Places

__all__ = ["Target", "include", "target", "targets"]

INCLUDED = "carboy.data.metadata"  # app.extensions: what include() was told
FOLDERS = "carboy.data.migrations"  # app.extensions: name to Folder, so that files are read once


@dataclass(frozen=True)
class Target:
    """One database. name: in the configuration. metadata: the tables it should have."""

    name: str
    folder: Folder
    places: Places
    sources: tuple[MetaData, ...]

    @property
    def engine(self) -> Engine:
        """The application's engine."""
        return self.places.engine(self.name)

    @property
    def metadata(self) -> MetaData:
        """A copy of all tables that live here, in one MetaData.

        Tables with a schema of their own are somebody else's.
        """
        models, *others = self.sources
        mine = [t for t in models.tables.values() if t.info.get("database", MAIN) == self.name]
        rest = [table for other in others for table in other.tables.values()]
        whole = MetaData(naming_convention=models.naming_convention)
        for table in (*mine, *rest):
            if table.schema is None:
                _copy(table, whole)
        return whole


def include(app: Any, metadata: MetaData, *, database: str = MAIN) -> None:
    """Let migrations keep the tables of *metadata* too, in the database called *database*."""
    app.extensions.setdefault(INCLUDED, []).append((database, metadata))


def targets(app: Any) -> list[Target]:
    """Return the databases of *app*. Raises SetupError without the data battery."""
    battery = app.extensions.get(EXTENSION)
    if battery is None:
        raise SetupError(
            "migrations.no_data",
            f"The application {app.name!r} has no data battery, so there is nothing to migrate.",
            hint='The presets have it; else add "data" to batteries=(...).',
        )
    places, folders = battery.places, app.extensions.setdefault(FOLDERS, {})
    root = Path(app.root_path, app.config.get("DATABASE_MIGRATIONS") or "migrations")
    found = []
    for name in places.names:
        path = root if name == MAIN else root / name
        folder = folders.setdefault(path, Folder(path))
        others = [m for where, m in app.extensions.get(INCLUDED, ()) if where == name]
        found.append(Target(name, folder, places, (Model.metadata, *others)))
    return found


def target(app: Any, name: str = MAIN) -> Target:
    """Return the database called *name*. Raises SetupError when there is none."""
    known = {one.name: one for one in targets(app)}
    if name not in known:
        raise SetupError(
            "migrations.database",
            f"There is no database called {name!r}.",
            hint=f"Known: {', '.join(known)}. Others are added in DATABASES.",
        )
    return known[name]


def _copy(table: Table, whole: MetaData) -> None:
    """Copy *table*; SQLAlchemy's copy forgets which constraints are for one dialect alone."""
    ours = {one.name: one._ddl_if for one in table.constraints if one._ddl_if is not None}
    for one in table.to_metadata(whole).constraints:
        one._ddl_if = ours.get(one.name)
