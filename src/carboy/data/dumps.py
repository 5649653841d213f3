"""Dumps: backups of servers by their own programs.

    PostgreSQL   pg_dump -Fc            pg_restore | psql, in one transaction
    MariaDB      mariadb-dump           mariadb; its DDL commits by itself

SECURITY: what a program is told on its command line can be read by everybody on the
machine. Addresses and passwords are in the environment or in a file of the owner alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect, text

from carboy.base.errors import ServiceDown, SetupError
from carboy.base.options import without_credentials
from carboy.base.scope import unscoped

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

__all__ = ["dump", "load", "tables"]

PG_FOLDERS = Path("/usr/lib/postgresql")  # where Debian keeps several versions
CHUNK = 1 << 16  # bytes
TAIL = 200  # bytes of a dump that hold its last line
DONE = b"-- Dump completed"  # the last line of a dump by MariaDB
FULL = ("No space left", "disk full", "File too large", "Errcode: 28", "errno: 28")

SCHEMAS = """
SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
"""


def tables(engine: Engine) -> list[str]:
    """Return the names of the tables and views that are there."""
    with engine.connect() as connection:
        found = inspect(connection)
        return [*found.get_table_names(), *found.get_view_names()]


def dump(engine: Engine, path: Path) -> None:
    """Write the database into *path*, as it is at one moment, while others work."""
    if engine.dialect.name == "postgresql":
        with _pg_settings(engine.url) as environment, open(path, "wb") as file:
            program = _program("pg_dump", "postgresql-client")
            command = [program, "--format=custom", "--no-owner", "--no-privileges", "--no-password"]
            _run(command, environment, stdout=file)
        _listed(path)
        return
    with _maria_settings(engine.url) as settings, open(path, "wb") as file:
        program = _program("mariadb-dump", "mariadb-client", "mysqldump")
        options = ["--single-transaction", "--quick", "--routines", "--triggers", "--hex-blob"]
        charset = "--default-character-set=utf8mb4"
        command = [program, settings, *options, charset, str(engine.url.database)]
        _run(command, None, stdout=file)
    _complete(path)


def load(engine: Engine, path: Path) -> None:
    """Replace what is in the database with the dump *path*."""
    if engine.dialect.name == "postgresql":
        _load_postgresql(engine, path)
    else:
        _load_mariadb(engine, path)


def _load_postgresql(engine: Engine, path: Path) -> None:
    """Feed the dump to psql; nothing changes unless all of it went through."""
    _listed(path)
    read = [_program("pg_restore", "postgresql-client"), "--no-owner", "--no-privileges"]
    with engine.connect() as connection:
        quote = connection.dialect.identifier_preparer.quote
        schemas = connection.execute(text(SCHEMAS)).scalars().all()
        drop = "".join(f"DROP SCHEMA {quote(name)} CASCADE; " for name in schemas)
    write = [_program("psql", "postgresql-client"), "--no-psqlrc", "--quiet", "--no-password"]
    write += ["--single-transaction", "--set=ON_ERROR_STOP=1", "--output=/dev/null"]
    write += [f"--command={drop}CREATE SCHEMA public", "--file=-"]
    with _pg_settings(engine.url) as environment:
        _pump([*read, "--file=-", str(path)], write, environment)


def _pump(read: list[str], write: list[str], environment: dict[str, str]) -> None:
    """Pipe one program into another, which commits at the end of its input.

    So the end is shown to it only when the first one has succeeded.
    """
    with tempfile.TemporaryFile() as said:
        source = subprocess.Popen(read, stdout=subprocess.PIPE, stderr=said)
        target = subprocess.Popen(write, stdin=subprocess.PIPE, stderr=said, env=environment)
        assert source.stdout
        assert target.stdin
        try:
            while chunk := source.stdout.read(CHUNK):
                target.stdin.write(chunk)
            if source.wait() == 0:
                target.stdin.close()
                target.wait()
        except BrokenPipeError:  # the second one stopped, and said why
            target.wait()
        finally:
            for process in (source, target):
                process.kill()
                process.wait()
            source.stdout.close()
            _close(target.stdin)
        if source.returncode or target.returncode:
            said.seek(0)
            raise _failed(write[0], said.read())


def _close(file: Any) -> None:
    try:
        file.close()
    except BrokenPipeError:
        pass


def _load_mariadb(engine: Engine, path: Path) -> None:
    _complete(path)
    program = _program("mariadb", "mariadb-client", "mysql")
    with unscoped("restore"), engine.connect() as connection:
        quote = connection.dialect.identifier_preparer.quote
        found = inspect(connection)
        connection.execute(text("SET SESSION foreign_key_checks = 0"))
        for view in found.get_view_names():
            connection.execute(text(f"DROP VIEW {quote(view)}"))
        for table in found.get_table_names():
            connection.execute(text(f"DROP TABLE {quote(table)}"))
        connection.execute(text("SET SESSION foreign_key_checks = 1"))
    with _maria_settings(engine.url) as settings, open(path, "rb") as file:
        charset = "--default-character-set=utf8mb4"
        _run([program, settings, charset, str(engine.url.database)], None, stdin=file)


def _listed(path: Path) -> None:
    """Refuse what pg_restore cannot read."""
    command = [_program("pg_restore", "postgresql-client"), "--list", str(path)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise _broken(path, done.stderr.decode(errors="replace").strip())


def _complete(path: Path) -> None:
    """Refuse a dump that broke off."""
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL))
        if DONE not in file.read():
            raise _broken(path, "its last line is missing")


def _broken(path: Path, why: str) -> SetupError:
    return SetupError(
        "backup.broken",
        f"{path.name} is no whole backup of such a database: {why}",
        hint="Take another backup; nothing was changed.",
    )


@contextmanager
def _pg_settings(url: URL) -> Iterator[dict[str, str]]:
    """Yield the environment that leads libpq to the database of *url*."""
    said = {name: str(value) for name, value in url.query.items()}
    said |= {"dbname": url.database or "", "host": url.host or said.get("host", "")}
    said |= {"port": str(url.port or said.get("port", "")), "user": url.username or ""}
    if any("\n" in value for value in said.values()):
        raise SetupError("backup.file", "The address of the database has a line break in it.")
    lines = ["[carboy]", *(f"{name}={value}" for name, value in said.items() if value)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "service")
        file.write_text("\n".join(lines) + "\n")
        environment = {**os.environ, "PGSERVICEFILE": str(file), "PGSERVICE": "carboy"}
        if url.password is not None:
            environment["PGPASSWORD"] = str(url.password)
        yield environment


@contextmanager
def _maria_settings(url: URL) -> Iterator[str]:
    """Yield the option that leads MariaDB's programs to the server of *url*."""
    said: dict[str, Any] = {"host": url.host, "port": url.port, "user": url.username}
    said |= {"password": url.password, "socket": url.query.get("unix_socket")}
    said |= {f"ssl-{n}": url.query.get(f"ssl_{n}") for n in ("ca", "cert", "key")}
    with tempfile.TemporaryDirectory() as folder:  # nobody else may look into it
        file = Path(folder, "client.cnf")
        lines = [f"{name}={_option(str(v))}" for name, v in said.items() if v is not None]
        file.write_text("\n".join(["[client]", *lines]) + "\n")
        yield f"--defaults-file={file}"


def _option(value: str) -> str:
    """Return *value* as an option file takes it."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _program(name: str, package: str, other: str = "") -> str:
    """Return the path of a client program. Raises SetupError when it is not installed."""
    found = shutil.which(name) or (shutil.which(other) if other else None)
    if found is None and name.startswith(("pg_", "psql")):
        newest = sorted(PG_FOLDERS.glob(f"*/bin/{name}"), key=lambda p: int(p.parts[-3]))
        found = str(newest[-1]) if newest else None
    if found is None:
        raise SetupError(
            "backup.program",
            f"The program {name} is not installed, which makes and reads backups.",
            hint=f"On Debian: apt-get install {package}",
        )
    return found


def _run(
    command: list[str], environment: dict[str, str] | None, *, stdin: Any = None, stdout: Any = None
) -> None:
    nothing = subprocess.DEVNULL
    done = subprocess.run(
        command, env=environment, check=False, stderr=subprocess.PIPE,
        stdin=stdin or nothing, stdout=stdout or nothing,
    )  # fmt: skip
    if done.returncode:
        raise _failed(command[0], done.stderr, done.returncode)


def _failed(program: str, said: bytes, status: int = 1) -> ServiceDown:
    words = without_credentials(said.decode(errors="replace").strip())
    if any(sign in words for sign in FULL) or status == -25:  # SIGXFSZ: a file too large
        return ServiceDown(
            "backup.full",
            "There is no room left for the backup.",
            hint="Free space on that disk, or write elsewhere; nothing was left behind.",
        )
    return ServiceDown(
        "backup.failed",
        f"{Path(program).name} stopped: {words[-500:]}",
        hint="A restore that stopped can be repeated. On PostgreSQL nothing was changed; on"
        " MariaDB the database is incomplete until then.",
    )
