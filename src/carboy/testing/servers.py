"""Private database servers for tests: started in a folder of their own, ended by pid.

    with postgresql(folder) as url: ...      "postgresql://carboy@127.0.0.1:PORT/postgres"
    with mariadb(folder) as url: ...         "mariadb://root@127.0.0.1:PORT/carboy"

They listen on loopback alone, at a free port, and keep nothing safe from power cuts.
A server that is not installed raises NotInstalled, which says what to install.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

__all__ = ["NotInstalled", "mariadb", "postgresql"]

START_S = 30.0
PROGRAMS = Path("/usr/lib/postgresql")


class NotInstalled(RuntimeError):
    """The server's programs are not on this machine."""


@contextlib.contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """Run a PostgreSQL server in *folder* and yield its address. Raises NotInstalled."""
    programs = sorted(PROGRAMS.glob("*/bin"))
    if not programs:
        raise NotInstalled("PostgreSQL: no /usr/lib/postgresql/*/bin; apt-get install postgresql")
    with _home("postgres", folder) as (folder, run):
        bin_, data, port = programs[-1], folder / "d", _free_port()
        init = [bin_ / "initdb", "-D", data, "-U", "carboy", "-A", "trust", "-E", "UTF8"]
        _run([*run, *map(str, init), "--no-sync"], folder)
        serve = [bin_ / "postgres", "-D", data, "-p", port, "-k", folder, "-h", "127.0.0.1"]
        with _server([*run, *map(str, serve), "-F"], folder, signal.SIGINT):
            url = f"postgresql://carboy@127.0.0.1:{port}/postgres"
            _wait_for(url.replace("postgresql:", "postgresql+psycopg:"), folder)
            yield url


@contextlib.contextmanager
def mariadb(folder: Path) -> Iterator[str]:
    """Run a MariaDB server in *folder* and yield its address. Raises NotInstalled."""
    program = shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin")
    if program is None:
        raise NotInstalled("MariaDB: no mariadbd; apt-get install mariadb-server")
    with _home("mysql", folder) as (folder, run):
        data, port = f"--datadir={folder / 'd'}", _free_port()
        install = ["mariadb-install-db", "--no-defaults", data, "--skip-test-db"]
        _run([*run, *install, "--auth-root-authentication-method=normal"], folder)
        serve = [program, "--no-defaults", data, "--bind-address=127.0.0.1", f"--port={port}"]
        serve += [f"--socket={folder}/s", f"--pid-file={folder}/p", "--skip-name-resolve"]
        serve += ["--innodb-flush-log-at-trx-commit=0"]
        with _server([*run, *serve], folder, signal.SIGTERM):
            url = f"mariadb://root@127.0.0.1:{port}/"
            driver = url.replace("mariadb:", "mariadb+pymysql:")
            _wait_for(driver, folder)
            engine = create_engine(driver)
            with engine.begin() as connection:
                connection.execute(text("CREATE DATABASE carboy"))
            engine.dispose()
            yield f"{url}carboy"


@contextlib.contextmanager
def _server(command: list[str], folder: Path, stop: signal.Signals) -> Iterator[None]:
    with open(folder / "log", "w") as log:
        process = subprocess.Popen(
            list(map(str, command)), cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield
    finally:
        process.send_signal(stop)
        process.wait(START_S)


def _run(command: list[str], folder: Path) -> None:
    # In its own folder: a server refuses to start where its user may not look.
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[-1]} failed:\n{done.stderr[-2000:]}")


def _wait_for(url: str, folder: Path) -> None:
    engine = create_engine(make_url(url))
    deadline = time.monotonic() + START_S
    while True:
        try:
            engine.connect().close()
            break
        except SQLAlchemyError as error:
            if time.monotonic() > deadline:
                log = (folder / "log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"The server did not answer. Its log ends:\n{log}") from error
            time.sleep(0.1)
    engine.dispose()


@contextlib.contextmanager
def _home(user: str, folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield where a server keeps its data, and the prefix that runs it there.

    Root runs it as *user*, who is given a folder of its own: pytest closes its folders to
    others whenever another run begins.
    """
    if os.geteuid() != 0:
        yield folder, []
        return
    own = Path(tempfile.mkdtemp(prefix="carboy-"))
    try:
        shutil.chown(own, user)
        ids = [f"--reuid={user}", f"--regid={user}", "--init-groups"]
        # Whoever starts it may be killed; the server must not stay behind.
        yield own, ["setpriv", *ids, "--pdeathsig=TERM"]
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
