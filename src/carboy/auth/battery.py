"""Accounts as the application meets them.

    User is imported  ->  Accounts: sessions in the database, who asks, the pages

Nothing of it exists before. What closes the routes is `Access`, below.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from flask.sessions import SecureCookieSessionInterface
from werkzeug.local import LocalProxy

from carboy.auth import people
from carboy.base.battery import Battery
from carboy.base.checks import WARNING, Finding
from carboy.base.options import Bytes, Choice, Count, Flag, Option, Seconds
from carboy.engine.sessions import CookieSessions

if TYPE_CHECKING:
    from carboy.auth.passwords import Passwords
    from carboy.auth.throttle import Throttle

__all__ = ["Accounts"]

MIB = 1_024 * 1_024
LEAST_MEMORY = {1: 46, 2: 19, 3: 12, 4: 9}  # MiB by iterations. OWASP Password Storage


class Accounts(Battery):
    """Lets people sign up, sign in and out, and look after their account."""

    name: ClassVar[str] = "accounts"
    needs: ClassVar[tuple[str, ...]] = ("policy",)
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
    return _module("acts").current_user() if people.imported else None


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
