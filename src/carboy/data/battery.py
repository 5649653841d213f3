"""Data as the application meets it: where the databases are, and that they answer.

    DATABASE_URL, DATABASES, DATABASE_REPLICA  ->  Places  ->  db.session, when first used
    readiness                                  ->  a statement on a connection of its own

An idle request costs one attribute look-up at its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import flask
from sqlalchemy import text

from carboy.base.battery import Battery
from carboy.base.checks import ERROR, WARNING, Finding
from carboy.base.errors import SetupError
from carboy.base.facts import Facts
from carboy.base.options import Count, Names, Option, Seconds, Text
from carboy.data import db as verbs
from carboy.data.backends.sqlite import in_memory
from carboy.data.engines import Limits, backend_of, resolve
from carboy.data.places import MAIN, Places
from carboy.data.session import Sessions
from carboy.engine.seam import cv_request

__all__ = ["Data"]

WROTE = "carboy_wrote"  # cookie of somebody who wrote a moment ago
PROBE_S = 2.0  # seconds for a connection of the readiness probe


class Data(Battery):
    """Gives the application its databases; `db` finds them here."""

    name = "data"
    options = (
        Option(
            "DATABASE_URL", Text, bounds=(8, 4096),
            help="Keep data in this database, such as 'postgresql://user:password@host/shop';"
            " unset means the file app.db in the instance folder.",
            because="SQLite needs no server and is set up for production; a relative path"
            " starts at the instance folder.",
        ),
        Option(
            "DATABASES", Names, default=(),
            help="Name more databases, each written 'name=address'; a model says"
            " database = 'name'.",
        ),
        Option(
            "DATABASE_REPLICA", Text, bounds=(8, 4096),
            help="Send reads of GET requests here until the request writes.",
        ),
        Option(
            "DATABASE_REPLICA_LAG", Seconds, default="5 s", bounds=("1 s", "1 h"),
            help="After somebody wrote, read from the main database for them this long.",
            because="So that everyone sees what they have just saved.",
        ),
        Option(
            "DATABASE_POOL", Count, default=5, bounds=(1, 1000),
            help="Keep up to this many connections open, and open twice as many more at peaks.",
            because="One per thread is enough; a server allows about a hundred in all.",
        ),
        Option(
            "DATABASE_LOCK_TIMEOUT", Seconds, default="5 s", bounds=("10 ms", "10 min"),
            help="Give up with 503 when a row or the file stays locked by another this long.",
        ),
        Option(
            "DATABASE_CONNECT_TIMEOUT", Seconds, default="5 s", bounds=("1 s", "1 min"),
            help="Give up with 503 when a server does not take the connection for this long.",
        ),
    )  # fmt: skip

    def __init__(self) -> None:
        self._app: Any = None
        self._settings: object = None
        self._places: Places | None = None
        self._probing: Places | None = None

    def init(self, app: Any) -> None:
        """Become what `db` asks, and close its sessions with the context."""
        self._app = app
        app.extensions[verbs.EXTENSION] = self
        app.teardown_appcontext(verbs.close)

    def seal(self, app: Any) -> None:
        """Take in options that were set since."""
        _ = self.places

    @property
    def places(self) -> Places:
        """The databases, as the options say now."""
        settings = _read(self._app)
        if self._places is None or settings != self._settings:
            self.close()
            addresses, replicas, limits = self._settings = settings
            self._places = Places(addresses, replicas=replicas, limits=limits)
        return self._places

    def sessions(self) -> Sessions:
        """Return the sessions for one application context."""
        # PERF: the options are read at the seal; parsing addresses costs 20 us each.
        places = self._places if self._app.sealed and self._places else self.places
        ctx = cv_request.get(None)
        if ctx is None or not places.has_replica:
            return Sessions(places)
        reads = ctx.request.method in ("GET", "HEAD") and WROTE not in ctx.request.cookies
        sessions = Sessions(places, replica=reads)
        lag_s = max(1, round(self._app.config["DATABASE_REPLICA_LAG"]))

        def remember(response: Any) -> Any:
            if sessions.wrote:
                secure = ctx.request.is_secure
                response.set_cookie(
                    WROTE, "1", max_age=lag_s, httponly=True, samesite="Lax", secure=secure
                )
            return response

        flask.after_this_request(remember)
        return sessions

    def checks(self, app: Any) -> Iterable[Finding]:
        """Tell what is wrong with the addresses; nothing connects."""
        try:
            addresses, replicas, _ = _read(app)
            urls = {name: resolve(url)[0] for name, url in (addresses | replicas).items()}
            for name in self.places.names:
                self.places.engine(name)
        except SetupError as error:
            return [Finding(ERROR, error.code, error.message, hint=error.hint, where=_where(app))]
        return [
            Finding(
                WARNING, "data.memory",
                f"The database {name!r} is in memory: what it holds ends with the process.",
                hint="Set DATABASE_URL to 'sqlite:///app.db', or to a server.", where=_where(app),
            )
            for name, url in urls.items()
            if url.drivername.startswith("sqlite") and in_memory(url) and not app.testing
        ]  # fmt: skip

    def probes(self) -> Sequence[tuple[str, Any]]:
        """Return one probe for each database; a replica is not needed to serve."""
        _ = self.places  # forgets what older options said
        if self._probing is None:
            addresses = _read(self._app)[0]
            own = Limits(pool=1, overflow=0, pool_wait_s=PROBE_S, connect_s=PROBE_S)
            self._probing = Places(addresses, limits=own)
        names = self._probing.names
        return [(f"data.{name}", _probe(self._probing, name)) for name in names]

    def facts(self, app: Any) -> Facts:
        """Tell which servers are needed, or which folder must outlive a restart."""
        facts = Facts(secrets=["DATABASE_URL"])
        addresses, replicas, _ = _read(app)
        for address in (*addresses.values(), *replicas.values()):
            url, backend = resolve(address)
            if backend.extra:
                facts.add(Facts(services=[backend.name]))
            elif not in_memory(url):
                facts.add(Facts(volumes=[str(Path(url.database or "").parent)]))
        return facts

    def close(self) -> None:
        """Close the connections."""
        for places in (self._places, self._probing):
            if places is not None:
                places.dispose()
        self._places = self._probing = None


def _read(app: Any) -> tuple[dict[str, str], dict[str, str], Limits]:
    """Return (addresses, replicas, limits) that the options of *app* say."""
    config = app.config
    addresses = {MAIN: config["DATABASE_URL"] or "sqlite:///app.db"}
    for entry in config["DATABASES"]:
        name, sign, address = entry.partition("=")
        if not (sign and name.isidentifier()) or name in addresses:
            raise SetupError(
                "data.databases",
                "An entry of DATABASES is not 'name=address', or its name is taken.",
                hint="Write for example DATABASES = ['reports=postgresql://host/reports'].",
            )
        addresses[name] = address
    replica = config["DATABASE_REPLICA"]
    replicas = {MAIN: _placed(app, replica)} if replica else {}
    pool = config["DATABASE_POOL"]
    limits = Limits(
        pool=pool,
        overflow=2 * pool,
        lock_s=config["DATABASE_LOCK_TIMEOUT"],
        connect_s=config["DATABASE_CONNECT_TIMEOUT"],
    )
    return {name: _placed(app, address) for name, address in addresses.items()}, replicas, limits


def _placed(app: Any, address: str) -> str:
    """Return *address*; a relative path of SQLite starts at the instance folder."""
    url, backend = resolve(address)
    if backend.name != "sqlite" or in_memory(url) or url.query.get("uri"):
        return address
    path = Path(app.instance_path, url.database or "")
    return url.set(database=str(path)).render_as_string(hide_password=False)


def _probe(places: Places, name: str) -> Any:
    def probe() -> str | None:
        """Return None when the database answers, else why it does not."""
        try:
            engine = places.engine(name)
            with engine.connect() as connection:
                connection.execute(text(backend_of(engine).ping))
        except Exception as error:
            return str(error).splitlines()[0]
        return None

    return probe


def _where(app: Any) -> str:
    return f"DATABASE_URL, from {app.config.origin('DATABASE_URL')}"
