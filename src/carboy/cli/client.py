"""The database's own client, with credentials that no process list shows.

SQLite       sqlite3 shop.db
PostgreSQL   psql, told by PGHOST, PGPASSWORD ...
MariaDB      mariadb --defaults-extra-file=(0600, deleted when the client ends)
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from carboy.base.errors import SetupError

if TYPE_CHECKING:
    from sqlalchemy import URL

__all__ = ["client", "open_client"]

INSTALL = {"sqlite3": "sqlite3", "psql": "postgresql-client", "mariadb": "mariadb-client"}
"""Program to the Debian package that has it."""

PG = {"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT",
      "sslkey": "PGSSLKEY", "options": "PGOPTIONS", "host": "PGHOST", "port": "PGPORT"}  # fmt: skip


def open_client(url: URL) -> int:
    """Run the client on this terminal until it ends; return its exit code.

    Raises SetupError (db.client) when it is not installed.
    """
    with client(url) as (command, environ):
        program = shutil.which(command[0], path=environ.get("PATH"))
        if program is None:
            raise SetupError(
                "db.client",
                f"The program {command[0]!r} is not installed.",
                hint=f"On Debian: apt-get install {INSTALL[command[0]]}",
            )
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the client's
        try:
            return subprocess.run([program, *command[1:]], env=environ, check=False).returncode
        finally:
            signal.signal(signal.SIGINT, before)


@contextmanager
def client(url: URL) -> Iterator[tuple[list[str], dict[str, str]]]:
    """Yield (command, environment) for the client of a database; no password in the command."""
    kind = url.drivername.partition("+")[0]
    if kind == "sqlite":
        checks = ["-cmd", "PRAGMA foreign_keys = ON"]
        yield ["sqlite3", *checks, url.database or ":memory:"], dict(os.environ)
    elif kind in ("postgresql", "postgres"):
        yield ["psql"], {**os.environ, **_libpq(url)}
    else:
        with tempfile.NamedTemporaryFile("w", prefix="carboy-", suffix=".cnf") as file:
            os.chmod(file.name, 0o600)
            file.write(_options(url))
            file.flush()
            command = ["mariadb", f"--defaults-extra-file={file.name}", url.database or ""]
            yield command, dict(os.environ)


def _libpq(url: URL) -> dict[str, str]:
    said = {
        "PGHOST": url.host, "PGPORT": url.port, "PGUSER": url.username,
        "PGPASSWORD": url.password, "PGDATABASE": url.database,
    }  # fmt: skip
    more = {PG[name]: value for name, value in url.query.items() if name in PG}
    return {name: str(value) for name, value in {**said, **more}.items() if value}


def _options(url: URL) -> str:
    said = {
        "host": url.host, "port": url.port, "user": url.username, "password": url.password,
        "socket": url.query.get("unix_socket"),
    }  # fmt: skip
    lines = [f'{name} = "{_escaped(str(value))}"' for name, value in said.items() if value]
    return "\n".join(["[client]", *lines, ""])


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
