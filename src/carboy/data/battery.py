"""Data as the application meets it: where the databases are, and that they answer.

    DATABASE_URL, DATABASES, DATABASE_REPLICA  ->  Places  ->  db.session, when first used
    readiness                                  ->  a statement on a connection of its own

SQLAlchemy is imported when the first model is, or the first session is asked for. An idle
request costs one attribute look-up at its end.
"""

from __future__ import annotations

import importlib
import sys
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import flask

from carboy.base.battery import Battery
from carboy.base.errors import SetupError
from carboy.base.facts import Facts
from carboy.base.options import Count, Names, Option, Seconds, Text
from carboy.engine.seam import cv_app, cv_request

if TYPE_CHECKING:
    from carboy.base.checks import Finding
    from carboy.data.places import Places
    from carboy.data.session import Sessions

__all__ = ["EXTENSION", "SESSIONS", "Data"]

EXTENSION = "carboy.data"  # app.extensions: the battery
SESSIONS = "carboy_sessions"  # attribute of an application context: its Sessions
WROTE = "carboy_wrote"  # cookie of somebody who wrote a moment ago


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
        Option(
            "DATABASE_MIGRATIONS", Text, default="migrations", bounds=(1, 4096),
            help="Keep migrations in this folder, relative to the application's own.",
        ),
        Option(
            "DATABASE_REPEATS", Count, default=5, bounds=(0, 100_000),
            help="Outside of production, report a statement that one line of code runs more"
            " often than this in one request; 0 reports nothing.",
            because="One query per row is the usual way to be slow. In production relations are"
            " loaded for all rows of a result at once.",
        ),
    )  # fmt: skip

    def __init__(self) -> None:
        self._ref: Any = None
        self._settings: object = None
        self._places: Places | None = None
        self._made: Any = None  # the class Sessions, once it is imported
        self._probing: Places | None = None
        self._others: list[Places] = []

    def init(self, app: Any) -> None:
        """Become what `db` asks, and close its sessions with the context."""
        self._ref = weakref.ref(app)  # an application is freed when nobody holds it
        app.extensions[EXTENSION] = self
        app.teardown_appcontext(close)

    def seal(self, app: Any) -> None:
        """Take in options that were set since."""
        if self.in_use:
            _ = self.places

    @property
    def _app(self) -> Any:
        return self._ref()

    @property
    def in_use(self) -> bool:
        """Whether this program has models, or was told where its data are."""
        config = self._app.config
        told = config["DATABASE_URL"] or config["DATABASES"]
        return bool(told) or "carboy.data.models" in sys.modules

    @property
    def places(self) -> Places:
        """The databases, as the options say now."""
        if self._others:
            return self._others[-1]
        opening = _opening()
        settings = opening.read(self._app)
        if self._places is None or settings != self._settings:
            self.close()
            self._settings = settings
            self._places, self._made = opening.open_places(self._app, settings), opening.Sessions
        found: Places = self._places
        return found

    @contextmanager
    def using(self, places: Places) -> Iterator[Places]:
        """Make the application use *places* inside `with`: for tests."""
        self._others.append(places)
        try:
            yield places
        finally:
            self._others.remove(places)

    def sessions(self) -> Sessions:
        """Return the sessions for one application context."""
        # PERF: the options are read at the seal; parsing addresses costs 20 us each.
        places = self._places
        if places is None or self._others or not self._ref().sealed:
            places, self._made = self.places, _opening().Sessions
        opened = self._made
        if not places.has_replica or (ctx := cv_request.get(None)) is None:
            return opened(places)  # type: ignore[no-any-return]  # Sessions
        reads = ctx.request.method in ("GET", "HEAD") and WROTE not in ctx.request.cookies
        sessions: Sessions = opened(places, replica=reads)
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
        if not self.in_use:
            return []
        try:
            return [*_opening().findings(app, self.places)]
        except SetupError as error:
            return [_opening().wrong(app, error)]

    def late(self, app: Any) -> Iterable[Finding]:
        """Tell of migrations that are pending, before serving; unlike `checks` it connects."""
        return [*_opening().late_migrations(app)]

    def probes(self) -> Sequence[tuple[str, Any]]:
        """Return one probe for each database, and one for migrations that were forgotten.

        A replica is not needed to serve.
        """
        if not self.in_use:
            return []
        _ = self.places  # forgets what older options said
        if self._probing is not None:
            self._probing.dispose()
        self._probing, found = _opening().probes(_opening().read(self._app)[0])
        return [*found, ("data.migrations", _opening().migrated(self._app))]

    def facts(self, app: Any) -> Facts:
        """Tell which servers are needed, or which folder must outlive a restart."""
        found: Facts = _opening().facts(app) if self.in_use else Facts()
        return found

    def close(self) -> None:
        """Close the connections."""
        for places in (self._places, self._probing):
            if places is not None:
                places.dispose()
        self._places = self._probing = None


def close(error: BaseException | None = None) -> None:
    """Close what this application context opened; what was not committed is undone."""
    sessions = cv_app.get().__dict__.pop(SESSIONS, None)
    if sessions is not None:
        sessions.close()


def _opening() -> Any:
    """Return the module that does it; importing SQLAlchemy takes a fifth of a second."""
    return sys.modules.get("carboy.data.opening") or importlib.import_module("carboy.data.opening")
