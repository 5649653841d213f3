"""Opening: from the options of an application to its databases.

    DATABASE_URL, DATABASES, DATABASE_REPLICA, limits  ->  read()  ->  Places
    readiness  ->  a statement on a connection of its own

Imported when data are first used: an application that has none pays nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import text

from carboy.base.checks import ERROR, WARNING, Finding
from carboy.base.errors import ServiceDown, SetupError
from carboy.base.facts import Facts
from carboy.data import guards, repeats
from carboy.data.backends.sqlite import in_memory
from carboy.data.engines import Limits, backend_of, resolve
from carboy.data.migrations.status import pending
from carboy.data.models import Model
from carboy.data.places import MAIN, Places
from carboy.data.session import Sessions

__all__ = [
    "PROBE_S",
    "Sessions",
    "Settings",
    "facts",
    "findings",
    "late_migrations",
    "migrated",
    "open_places",
    "probes",
    "read",
]

PROBE_S = 2.0  # seconds for a connection of the readiness probe

Settings = tuple[dict[str, str], dict[str, str], Limits]
"""Addresses by name, replicas by name, limits."""


def read(app: Any) -> Settings:
    """Return what the options of *app* say now. Raises SetupError for what they cannot mean."""
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


def open_places(app: Any, settings: Settings) -> Places:
    """Return the databases of *app*, under the guard of its policies.

    Raises SetupError when a model states a policy that nobody would enforce.
    """
    addresses, replicas, limits = settings
    guarded = app.extensions.get("carboy.policy")
    if guarded is None and guards.declared(Model.registry):
        raise SetupError(
            "data.no_policy_battery",
            "A model states a policy, and this application has no policy battery to enforce it.",
            hint='Write  Carboy(__name__)  for the default batteries, or add "policy" to yours.',
        )
    guard = guarded.guard if guarded else None
    places = Places(addresses, replicas=replicas, limits=limits, guard=guard)
    if app.debug or app.testing:
        repeats.watch(places, app.config["DATABASE_REPEATS"])
    return places


def findings(app: Any, places: Places) -> Iterable[Finding]:
    """Yield what is wrong with the addresses; nothing connects."""
    addresses, replicas, _ = read(app)
    urls = {name: resolve(url)[0] for name, url in (addresses | replicas).items()}
    for name in places.names:
        places.engine(name)
    for name, url in urls.items():
        if url.drivername.startswith("sqlite") and in_memory(url) and not app.testing:
            yield Finding(
                WARNING, "data.memory",
                f"The database {name!r} is in memory: what it holds ends with the process.",
                hint="Set DATABASE_URL to 'sqlite:///app.db', or to a server.", where=where(app),
            )  # fmt: skip


def wrong(app: Any, error: SetupError) -> Finding:
    """Return the finding for options that cannot be meant."""
    return Finding(ERROR, error.code, error.message, hint=error.hint, where=where(app))


def probes(addresses: dict[str, str]) -> tuple[Places, Sequence[tuple[str, Any]]]:
    """Return places of their own for probes, and one for each database."""
    own = Limits(pool=1, overflow=0, pool_wait_s=PROBE_S, connect_s=PROBE_S)
    places = Places(addresses, limits=own)
    return places, [(f"data.{name}", _probe(places, name)) for name in places.names]


def facts(app: Any) -> Facts:
    """Tell which servers are needed, or which folder must outlive a restart."""
    found = Facts(secrets=["DATABASE_URL"])
    addresses, replicas, _ = read(app)
    for address in (*addresses.values(), *replicas.values()):
        url, backend = resolve(address)
        if backend.extra:
            found.add(Facts(services=[backend.name]))
        elif not in_memory(url):
            found.add(Facts(volumes=[str(Path(url.database or "").parent)]))
    return found


def migrated(app: Any) -> Any:
    """Return the probe that tells of pending migrations; once there are none it stops asking."""
    asked: list[bool] = []

    def probe() -> str | None:
        """Return None when the database is as new as the code."""
        if asked:
            return None
        try:
            late = pending(app)
        except Exception as error:
            return str(error).splitlines()[0]
        if late:
            return f"pending: {', '.join(late)}; type: carboy db upgrade"
        asked.append(True)
        return None

    return probe


def late_migrations(app: Any) -> Iterable[Finding]:
    """Yield an ERROR for migrations that are pending; this connects.

    A database that does not answer is readiness's to tell, and one that is newer than the
    code is what a rolling deployment makes.
    """
    try:
        late = pending(app)
    except ServiceDown as error:
        yield Finding(WARNING, error.code, error.message, hint=error.hint, where=where(app))
    except SetupError as error:
        yield Finding(WARNING, error.code, error.message, hint=error.hint, where=where(app))
    else:
        if late:
            yield Finding(
                ERROR, "migrations.pending", f"The database lacks {', '.join(late)}.",
                hint="Type: carboy db upgrade", where=where(app),
            )  # fmt: skip


def where(app: Any) -> str:
    """Return where the address comes from."""
    return f"DATABASE_URL, from {app.config.origin('DATABASE_URL')}"


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
