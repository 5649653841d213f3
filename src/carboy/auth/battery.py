"""Accounts as the application meets them.

    User is imported  ->  Accounts: sessions in the database, who asks, the pages

Nothing of it exists before. What closes the routes is `Access`, below.
"""

from __future__ import annotations

import difflib
import fnmatch
import importlib
import logging
import os
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from flask.sessions import SecureCookieSessionInterface
from werkzeug.exceptions import HTTPException
from werkzeug.local import LocalProxy
from werkzeug.routing import RequestRedirect

from carboy.auth import access, people
from carboy.base import scope
from carboy.base.access import PUBLIC, marked
from carboy.base.battery import Battery
from carboy.base.checks import ERROR, WARNING, Finding
from carboy.base.errors import SetupError
from carboy.base.options import Bytes, Choice, Count, Flag, Option, Seconds, Text
from carboy.engine.mistakes import place
from carboy.engine.seam import cv_app
from carboy.engine.sessions import CookieSessions

if TYPE_CHECKING:
    from carboy.auth.passwords import Passwords
    from carboy.auth.throttle import Throttle

__all__ = ["Access", "Accounts"]

LOG = logging.getLogger("carboy.accounts")

MIB = 1_024 * 1_024
LEAST_MEMORY = {1: 46, 2: 19, 3: 12, 4: 9}  # MiB by iterations. OWASP Password Storage


class Accounts(Battery):
    """Lets people sign up, sign in and out, and look after their account."""

    name: ClassVar[str] = "accounts"
    needs: ClassVar[tuple[str, ...]] = ("policy", "forms")
    options: ClassVar[tuple[Option, ...]] = (
        Option(
            "SIGN_UP", Choice("open", "closed"), default="open",
            help="Let anybody make an account, or only `carboy users add` and admins.",
        ),
        Option(
            "ACCOUNT_PAGES", Flag, default=True,
            help="Serve /sign-in, /sign-up, /sign-out and /account; off for an application"
            " that has its own and calls sign_in() there.",
        ),
        Option(
            "SESSION_IDLE", Seconds, default="12 h", bounds=("1 min", "90 days"),
            help="End a session after this long without a request.",
            because="OWASP ASVS asks for a limit by sensitivity; 30 min suits a bank.",
        ),
        Option(
            "SESSION_LONGEST", Seconds, default="14 days", bounds=("10 min", "400 days"),
            help="End a session this long after signing in, however busy it is.",
            because="A stolen session ends some day. 8 h suits a bank.",
        ),
        Option(
            "PASSWORD_LEAST", Count, default=8, bounds=(8, 64),
            help="Refuse new passwords with fewer characters than this.",
            because="NIST SP 800-63B; the pages advise 15, which need no second factor.",
        ),
        Option(
            "PASSWORD_MEMORY", Bytes, default=46 * MIB, bounds=(8 * 1_024, 4_096 * MIB),
            help="Let each hash of a password (argon2id) take this much memory.",
            because="OWASP's minimum for one iteration is 46 MiB.",
        ),
        Option(
            "PASSWORD_TIME", Count, default=1, bounds=(1, 100),
            help="Let each hash of a password go over its memory this often.",
        ),
        Option(
            "PASSWORD_PARALLELISM", Count, default=1, bounds=(1, 64),
            help="Let each hash of a password use this many threads.",
        ),
        Option(
            "PASSWORD_AT_ONCE", Count, default=0, bounds=(0, 1_000),
            help="Compute this many hashes at a time; 0 is one for each processor.",
            because="Each takes a core and its memory: sign-ins must not stop all else.",
        ),
        Option(
            "PASSWORD_WAITING", Count, default=20, bounds=(0, 10_000),
            help="Let this many sign-ins wait for their turn; others get 503 with Retry-After.",
        ),
    )  # fmt: skip

    def init(self, app: Any) -> None:
        """Give templates `me`, and wait for people."""
        self._config = app.config
        self.begun = False
        app.extensions["carboy.accounts"] = self
        app.jinja_environment = _with_me(app.jinja_environment)
        people.tell(self.begin, app)

    def begin(self, app: Any) -> None:
        """Make what people need: their sessions, who asks, the pages."""
        if app._got_first_request:
            LOG.error("accounts.late", extra={"hint": "Import User where the application is made."})
            return
        self.begun = True
        if type(app.session_interface) in (CookieSessions, SecureCookieSessionInterface):
            app.session_interface = _module("sessions").ServerSessions()
        if app.who_asks is None:
            app.who_asks = _module("acts").who_asks
        if app.config["ACCOUNT_PAGES"]:
            app.register_blueprint(_module("pages").pages)

    @cached_property
    def passwords(self) -> Passwords:
        """What hashes and verifies, with the parameters of the options."""
        config = self._config
        found: Passwords = _module("passwords").Passwords(
            memory_bytes=config["PASSWORD_MEMORY"], time=config["PASSWORD_TIME"],
            parallelism=config["PASSWORD_PARALLELISM"], at_once=config["PASSWORD_AT_ONCE"],
            waiting=config["PASSWORD_WAITING"],
        )  # fmt: skip
        return found

    @cached_property
    def throttle(self) -> Throttle:
        """What counts tries."""
        found: Throttle = _module("throttle").Throttle()
        return found

    def seal(self, app: Any) -> None:
        """Forget the parameters of older options."""
        self.__dict__.pop("passwords", None)

    def checks(self, app: Any) -> Iterable[Finding]:
        """Tell when hashes are cheaper than they should be."""
        if not self.begun or app.testing:
            return
        config = app.config
        least = LEAST_MEMORY.get(config["PASSWORD_TIME"], 7) * MIB
        if config["PASSWORD_MEMORY"] < least:
            yield Finding(
                WARNING,
                "accounts.weak_hashes",
                f"PASSWORD_MEMORY is below {least // MIB} MiB: stolen hashes are cheap to guess.",
                hint="Remove it, or give PASSWORD_TIME more iterations.",
                where=app.config.origin("PASSWORD_MEMORY"),
            )


def _module(name: str) -> Any:
    """Return one of our modules; most import SQLAlchemy, which takes a fifth of a second."""
    return importlib.import_module(f"carboy.auth.{name}")


def _me() -> Any:
    """Return the User who asks, or None; without people, always None."""
    context = cv_app.get(None)
    battery = None if context is None else context.app.extensions.get("carboy.accounts")
    return _module("acts").current_user() if battery is not None and battery.begun else None


def _with_me(base: type[Any]) -> type[Any]:
    """Return the Jinja environment class *base* with `me` among its globals.

    `me` stands for the User who asks and is false for a visitor; who it is, is found out
    by the first template that asks.
    """

    class Environment(base):  # type: ignore[misc]  # whichever class the application has
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.globals["me"] = LocalProxy(_me)

    return Environment


# Access: which routes are open to whom. It stands from here to the end of the file.


class Access(Battery):
    """Closes every route that does not say who may use it, once there are people to know."""

    name: ClassVar[str] = "access"
    options: ClassVar[tuple[Option, ...]] = (
        Option(
            "SIGN_IN_PAGE", Text, default="/sign-in",
            help="Lead visitors of pages for people here; where no route answers, they get a 401.",
        ),
    )  # fmt: skip

    def __init__(self) -> None:
        self.said: dict[str, Any] = {}
        self.sign_in = ""

    def init(self, app: Any) -> None:
        """Stand before every view; give the application `access`, and templates `who`."""
        app.stage(before=self.door, name=self.name, under="csrf")
        app.jinja_environment = _with_global(app.jinja_environment, "who", _who)
        touch = app.config.on_change  # the application itself would make a cycle

        def say(pattern: str, who: Any) -> None:
            found = access.checked(who, f"app.access({pattern!r})")
            if self.said.setdefault(pattern, found) is not found:
                raise SetupError(
                    "access.twice",
                    f"app.access({pattern!r}) is said twice, of different people.",
                    hint="Keep one of them; join rules by & and |.",
                )
            touch()

        app.access = say

    def seal(self, app: Any) -> None:
        """Find out who may use what; views for everybody lose the stage."""
        self.sign_in = _answered(app, app.config["SIGN_IN_PAGE"])
        closed = _has_people(app)
        for lane in app.lanes:
            if closed:
                lane.notes[access.NOTE] = self.who_may(app, lane.endpoint)
            if not closed or lane.notes[access.NOTE] is PUBLIC:
                lane.before = tuple(stage for stage in lane.before if stage != self.door)
                lane.before_names = tuple(name for name in lane.before_names if name != self.name)

    def door(self, ctx: Any) -> Any:
        """Let pass who may use the route; see `access.keep`."""
        lane = ctx.lane
        if access.NOTE in lane.notes:
            who = lane.notes[access.NOTE]
            return access.keep(ctx, who, self.sign_in, lambda: _route(ctx.app, lane.rule))
        # What is left: no route, and the answer that Flask gives to OPTIONS by itself.
        automatic = lane.rule is None or (
            ctx.environ["REQUEST_METHOD"] == "OPTIONS" and lane.rule.provide_automatic_options
        )
        if automatic or not _has_people(ctx.app):
            return None
        return access.keep(ctx, None, self.sign_in, lambda: _route(ctx.app, lane.rule))

    def who_may(self, app: Any, endpoint: str) -> Any:
        """Return `public`, a rule, or None for a route that says nothing."""
        view = app.view_functions.get(endpoint)
        parts = endpoint.split(".")[:-1]
        above = [app.blueprints.get(".".join(parts[:n])) for n in range(len(parts), 0, -1)]
        of_view = PUBLIC if _is_static(endpoint, view) else marked(view)
        return access.who_may(endpoint, self.said, (of_view, *map(marked, above)))

    def checks(self, app: Any) -> Iterable[Finding]:
        """List the routes that say nothing, and what is said of no route."""
        rules = {rule.endpoint: rule for rule in app.url_map.iter_rules()}
        if _has_people(app):
            for endpoint, rule in rules.items():
                if self.who_may(app, endpoint) is None:
                    yield _undeclared(_route(app, rule), app.debug or app.testing)
        for pattern in self.said:
            if not fnmatch.filter(rules, pattern):
                near = difflib.get_close_matches(pattern, rules, n=1)
                yield Finding(
                    WARNING,
                    "access.unmatched",
                    f"app.access({pattern!r}) is about no endpoint of this application.",
                    hint=f"Did you mean {near[0]!r}?" if near else "`carboy routes` lists them.",
                )


def _has_people(app: Any) -> bool:
    """Return whether requests of *app* are asked by somebody; else there is nothing to close."""
    return app.who_asks is not None or people.imported


def _answered(app: Any, page: str) -> str:
    """Return *page* when a route answers GET there, else ""."""
    try:
        app.url_map.bind("localhost").match(page, "GET")
    except (HTTPException, RequestRedirect):
        return ""
    return page


def _is_static(endpoint: str, view: Any) -> bool:
    """Return whether it is Flask's own view of an application's or a blueprint's files."""
    module = getattr(view, "__module__", "") or ""
    return endpoint.rpartition(".")[2] == "static" and module.startswith("flask.")


def _route(app: Any, rule: Any) -> access.Route:
    view = app.view_functions.get(rule.endpoint)
    return access.Route(rule.endpoint, rule.rule, view, _place(view))


def _place(view: Any) -> str:
    """Return "file:line" of *view*, from the folder we are in where that is shorter."""
    where = place(getattr(view, "view_class", view)).partition(" (")[0]
    return where.removeprefix(os.getcwd() + os.sep)


def _undeclared(route: access.Route, developing: bool) -> Finding:
    return Finding(
        WARNING if developing else ERROR,
        "access.undeclared",
        f"Nothing says who may use {route.pattern} (endpoint {route.endpoint!r}).",
        hint=route.advice(),
        where=route.place,
    )


def _who() -> Any:
    """Return the Scope that asks; that of a visitor where nobody does."""
    try:
        return scope.current()
    except scope.NobodyAsking:
        return scope.VISITOR


def _with_global(base: type[Any], name: str, found: Callable[[], Any]) -> type[Any]:
    """Return the Jinja environment class *base* with what *found* returns, as *name*."""

    class Environment(base):  # type: ignore[misc]  # whichever class the application has
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.globals[name] = LocalProxy(found)

    return Environment
