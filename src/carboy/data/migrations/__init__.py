"""Migrations: from a change of the models to a change of every database, on Alembic.

models, folder    ->  make       migrations/0003_add_books.py, to be read and reviewed
folder, database  ->  upgrade    under a lock, one transaction each where there are some
                  ->  pending    what is still to be applied
"""

from carboy.data.migrations.project import include
from carboy.data.migrations.status import pending

__all__ = ["include", "pending"]
