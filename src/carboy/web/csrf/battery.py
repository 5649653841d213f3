"""Csrf as the application meets it: one stage before the views that change something.

seal      views that only answer GET, and exempt ones, lose the stage: it costs them nothing
request   judge(headers)  ->  pass, refuse, or ask the form for its token

@csrf_exempt   below the route: this view judges by itself (a signed webhook)
@csrf_always   a browser without any cookie needs a token too: sign-in, sign-up
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, TypeVar

from carboy.base.battery import Battery
from carboy.base.checks import NOTE, Finding
from carboy.base.errors import SetupError
from carboy.base.options import Names, Option
from carboy.web.csrf import fields, tokens
from carboy.web.csrf.guard import ASK, ORIGIN, PASS, SAFE, judge
from carboy.web.csrf.letters import refusal

__all__ = ["Csrf", "csrf_always", "csrf_exempt"]

V = TypeVar("V", bound=Callable[..., Any])

MARK = "__carboy_csrf__"  # on a view: EXEMPT or ALWAYS
EXEMPT, ALWAYS = "exempt", "always"
NOTE_KEY = "csrf"  # in lane.notes
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


def csrf_exempt(view: V) -> V:
    """Let *view* take requests from anywhere: it proves by itself who sent them.

    Goes below ``@app.route``; `carboy check` lists the views that have it.
    """
    setattr(view, MARK, EXEMPT)
    return view


def csrf_always(view: V) -> V:
    """Ask browsers for a token even when they send no cookie.

    For views that begin a session: a forged sign-in would sign the visitor in as somebody
    else. Goes below ``@app.route``.
    """
    setattr(view, MARK, ALWAYS)
    return view


class Csrf(Battery):
    """Refuses requests that another site made a visitor's browser send.

    always: endpoints that count as marked with `csrf_always`; batteries and extensions add theirs.
    """

    name: ClassVar[str] = "csrf"
    options: ClassVar[tuple[Option, ...]] = (
        Option(
            "CSRF_TRUSTED_ORIGINS", Names, default=(),
            help="Take forms from these other origins too, such as 'https://forms.example.com'.",
            because="Compared exactly, scheme and port too: a whole domain is never trusted.",
        ),
    )  # fmt: skip

    def __init__(self) -> None:
        self.always: set[str] = set()
        self.trusted: frozenset[str] = frozenset()

    def init(self, app: Any) -> None:
        """Stand before every view, and give templates `csrf()` and `csrf_token()`."""
        app.stage(before=self.guard, name=self.name)
        app.jinja_environment = _with_tokens(app.jinja_environment)
        app.test_environ["HTTP_SEC_FETCH_SITE"] = "same-origin"  # test clients are browsers

    def seal(self, app: Any) -> None:
        """Read whom to trust, and leave the lanes that need no guard."""
        self.trusted = frozenset(map(_checked, app.config["CSRF_TRUSTED_ORIGINS"] or ()))
        for lane in app.lanes:
            mark = self._mark(app, lane.endpoint)
            lane.notes[NOTE_KEY] = mark == ALWAYS
            if mark == EXEMPT or lane.methods <= SAFE:
                lane.before = tuple(stage for stage in lane.before if stage != self.guard)
                lane.before_names = tuple(n for n in lane.before_names if n != self.name)

    def guard(self, ctx: Any) -> None:
        """Refuse a forged request. Raises RequestFault 403."""
        # PERF: on views that answer GET too, this line is all that a GET costs.
        if ctx.environ["REQUEST_METHOD"] in SAFE:
            return
        lane = ctx.lane
        if lane.endpoint is None:  # no such address, or not with this method: 404, 405
            return
        verdict = judge(ctx.environ, self.trusted, always=lane.notes.get(NOTE_KEY, False))
        if verdict == ASK:
            verdict = _by_token(ctx)
        if verdict != PASS:
            raise refusal(verdict, ctx)

    def checks(self, app: Any) -> Iterable[Finding]:
        """List what is open to requests from elsewhere."""
        for endpoint in app.view_functions:
            if self._mark(app, endpoint) == EXEMPT:
                yield Finding(
                    NOTE, "web.csrf.exempt",
                    f"{endpoint!r} takes requests that other sites forge (@csrf_exempt).",
                    hint="It must prove by itself who sent them, for example by a signature.",
                )  # fmt: skip

    def _mark(self, app: Any, endpoint: str | None) -> str:
        view = app.view_functions.get(endpoint)
        mark: str = getattr(view, MARK, "") or getattr(getattr(view, "view_class", None), MARK, "")
        return ALWAYS if not mark and endpoint in self.always else mark


def _by_token(ctx: Any) -> str:
    """Return the verdict of the token that came along."""
    request = ctx.request
    given = [request.environ[fields.HEADER]] if fields.HEADER in request.environ else []
    if not given and request.mimetype in FORMS:  # any other body stays unread
        given = request.form.getlist(fields.FIELD)
    if not given:
        return "web.csrf.missing"
    if len(given) > 1:
        return "web.csrf.doubled"
    keys, bound = fields.keys(ctx.app), fields.binding(ctx.session)
    if not keys or bound is None:
        return "web.csrf.session"
    return PASS if tokens.good(keys, bound, given[0]) else "web.csrf.wrong"


def _checked(origin: str) -> str:
    if ORIGIN.fullmatch(origin):
        return origin
    raise SetupError(
        "web.csrf.origins",
        f"CSRF_TRUSTED_ORIGINS has {origin!r}, which no browser writes so.",
        hint="Write scheme and host in lower case, and the port unless it is the usual one:"
        " 'https://forms.example.com', 'http://localhost:8080'.",
    )


def _with_tokens(base: type[Any]) -> type[Any]:
    """Return the Jinja environment class *base* with our two functions among its globals."""

    class Environment(base):  # type: ignore[misc]  # whichever class the application has
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.globals.update(csrf=fields.csrf, csrf_token=fields.csrf_token)

    return Environment
