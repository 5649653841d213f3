"""What the linter says of migrations, with what is known of the database before each.

    pending  ->  refused()      before anything is applied: what is unsafe, with its recipe
    all      ->  complaints()   for CI and for the one who has just written a file

An empty database is not judged: nobody uses it.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Connection, MetaData

from carboy.base.errors import SetupError
from carboy.data.migrations.safety import Complaint, review
from carboy.data.migrations.status import BOOKKEEPING

if TYPE_CHECKING:
    from carboy.data.migrations.folder import Migration

__all__ = ["complaints", "refuse", "tables_of"]


def tables_of(connection: Connection) -> MetaData:
    """Return the tables of a database as they are now."""
    found = MetaData()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an index on an expression, a type we do not know
        found.reflect(connection, only=lambda name, _: name not in BOOKKEEPING)
    connection.rollback()
    return found


def complaints(
    migrations: Sequence[Migration], dialect: str, existing: MetaData
) -> list[tuple[Migration, Complaint]]:
    """Return what is unsafe in *migrations*, which follow each other on *existing* tables.

    What is about a table that an earlier one of them touches is left for later: what it
    will be then is not known yet.
    """
    found: list[tuple[Migration, Complaint]] = []
    before = ""
    for one in migrations:
        for complaint in review(one.load(), dialect, existing=existing):
            if f'"{complaint.table}"' not in before or complaint.table == "allow":
                found.append((one, complaint))
        before += one.path.read_text("utf-8").replace("'", '"')
    return found


def refuse(found: Sequence[tuple[Migration, Complaint]]) -> None:
    """Raise SetupError (migrations.unsafe) when there is something in *found*."""
    if not found:
        return
    said = "\n".join(f"{one.path.name}, {complaint}" for one, complaint in found)
    first = found[0][1].entry
    raise SetupError(
        "migrations.unsafe",
        f"Not while the program runs:\n{said}",
        hint="Nothing was applied. Change the migration as said, or say in it why it is safe"
        f" here:\nallow = {{{first!r}: 'the reason'}}",
    )
