"""Which routes are open to whom: closed unless somebody said otherwise.

    @public, @signed_in, @require(rule)      on the view
    app.access("flask_admin.*", rule)        on what nobody can decorate
        who_may(...)      at seal   ->  public (no stage), a rule, or None: nobody said
        Door.__call__     request   ->  None, the way to the sign-in page, or a fault

Pure but for the scope of the request; `battery.py` finds routes and marks.
"""

from __future__ import annotations

import fnmatch
import logging
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeVar

from carboy.base import access, scope
from carboy.base.access import PUBLIC
from carboy.base.errors import RequestFault, SetupError
from carboy.web.negotiate import wants_page

if TYPE_CHECKING:
    from carboy.base.scope import Scope

__all__ = ["NOTE", "Route", "ask_to_sign_in", "checked", "keep", "require", "who_may"]

LOG = logging.getLogger("carboy.access")

V = TypeVar("V", bound=Callable[..., Any])

NOTE = "access"  # in lane.notes: public, a rule, or None
CHALLENGE = {"WWW-Authenticate": "Bearer"}  # SPEC: RFC 9110 section 15.5.2: a 401 names one
ADD = 'Add @public, @signed_in or @require(role("...")) above {name}'


def require(rule: Any) -> Callable[[V], V]:
    """Open a view to those whom *rule* takes: ``@require(role("staff"))``.

    Goes below ``@app.route``. rule: of what is known without a row: roles, tokens, signed_in,
    and their combinations. Raises SetupError for any other.
    """
    found = checked(rule, "@require")

    def mark(view: V) -> V:
        return access.mark(view, found)

    return mark


def checked(who: Any, place: str) -> Any:
    """Return *who* as `public` or a rule that needs no row. place: where it is said."""
    if who is PUBLIC or (isinstance(who, str) and who == "public"):
        return PUBLIC
    if not hasattr(who, "needs_row") or not hasattr(who, "decide"):
        raise SetupError(
            "access.no_rule",
            f"{place} got {who!r}, which is neither `public` nor a rule.",
            hint='For example signed_in, role("staff") or role("staff") | role("admin").',
        )
    if _needs_row(who):
        raise SetupError(
            "access.needs_row",
            f"{place} got a rule about a row: {_words(who)}. A route has no row yet.",
            hint="Put that rule into the Policy of the model, where it filters every query,"
            " and let the route be @signed_in.",
        )
    return PUBLIC if getattr(who, "answer", None) is True else who


def who_may(endpoint: str, said: Mapping[str, Any], marks: Iterable[Any]) -> Any:
    """Return who may use *endpoint*, None when nobody says.

    The endpoint by its name in *said*; else the first of *marks* (of the view, then of its
    blueprints); else the longest pattern in *said* that matches.
    """
    if endpoint in said:
        return said[endpoint]
    for mark in marks:
        if mark is not None:
            return checked(mark, endpoint)
    fitting = [pattern for pattern in said if fnmatch.fnmatchcase(endpoint, pattern)]
    return said[max(fitting, key=_weight)] if fitting else None


class Route(NamedTuple):
    """One endpoint, for messages. view: what answers it. place: "file:line" of that."""

    endpoint: str
    pattern: str
    view: Any
    place: str

    def advice(self) -> str:
        """Return what to add, and where."""
        name = getattr(self.view, "__name__", self.endpoint)
        line = ADD.format(name=f"`{name}`")
        return f'{line}, or say app.access("{self.endpoint}", public).'


def keep(ctx: Any, who: Any, sign_in: str, route: Callable[[], Route]) -> Any:
    """Return None when who asks in *ctx* may go on, else the answer. Raises RequestFault.

    who: a rule, or None: nobody said. sign_in: the path of that page, "" for none.
    route: tells about the route, for its developers.
    """
    told = bool(ctx.app.debug or ctx.app.testing)
    if who is None:
        _undeclared(ctx, route(), told)
    asker = scope.current()
    if asker.system or who.decide(_no_row, asker) is True:
        return None
    if asker.user is None and getattr(who, "answer", None) is not False:
        return ask_to_sign_in(ctx, sign_in)
    return _denied(ctx, asker, who, told)


def _undeclared(ctx: Any, route: Route, told: bool) -> NoReturn:
    if told:
        raise RequestFault(
            403,
            "access.undeclared",
            f"Nothing says who may use {route.pattern} (endpoint {route.endpoint!r}).",
            hint=f"{route.advice()} It is at {route.place}.",
        )
    LOG.error("access.undeclared", extra={"endpoint": route.endpoint, "place": route.place})
    raise RequestFault(403, "access.undeclared", "This page is not open yet.")


def _denied(ctx: Any, asker: Scope, who: Any, told: bool) -> NoReturn:
    LOG.warning(
        "access.denied",
        extra={
            "endpoint": ctx.lane.endpoint, "user": str(asker.user), "roles": sorted(asker.roles),
        },
    )  # fmt: skip
    metrics = ctx.app.batteries.get("metrics")
    if metrics is not None:
        metrics.event("access.denied", ctx.lane.endpoint)
    raise RequestFault(
        403,
        "access.denied",
        "Your account may not use it. Ask whoever runs this site for access.",
        hint=f"Open when {_words(who)}." if told else "",
    )


def ask_to_sign_in(ctx: Any, page: str) -> Any:
    """Answer a visitor: people are led to the sign-in page and back, programs get a 401."""
    environ = ctx.environ
    if not page or not wants_page(environ):
        raise RequestFault(
            401, "access.sign_in", "This is for people who are signed in.",
            hint="Send the session cookie or a token along.", headers=CHALLENGE,
        )  # fmt: skip
    target = environ.get("SCRIPT_NAME", "") + page
    if "HTTP_HX_REQUEST" in environ:  # it would swap the page into a part of this one
        headers = {"HX-Redirect": target + _next(_shown(environ)), **CHALLENGE}
        response = ctx.app.response_class("", 401, headers)
    else:
        back = _here(environ) if environ["REQUEST_METHOD"] in ("GET", "HEAD") else ""
        response = ctx.app.redirect(target + _next(back), 303)
    response.headers["Cache-Control"] = "no-store"
    response.vary.add("Cookie")
    return response


def _next(back: str) -> str:
    return f"?next={urllib.parse.quote(back, safe='/')}" if back else ""


def _here(environ: dict[str, Any]) -> str:
    """Return the address that was asked for, from the root of this site.

    SECURITY: one slash at its beginning: "//evil.example" would be another site's.
    """
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    path = "/" + urllib.parse.quote(path.encode("latin-1", "replace")).lstrip("/")
    query = environ.get("QUERY_STRING", "")
    return f"{path}?{query}" if query else path


def _shown(environ: dict[str, Any]) -> str:
    """Return the address of the page that the person sees, as htmx tells it."""
    try:
        shown = urllib.parse.urlsplit(environ.get("HTTP_HX_CURRENT_URL", ""))
    except ValueError:
        return ""
    path = "/" + shown.path.lstrip("/") if shown.path else ""
    return f"{path}?{shown.query}" if path and shown.query else path


def _needs_row(rule: Any) -> bool:
    parts = getattr(rule, "parts", ()) or ([rule.part] if hasattr(rule, "part") else ())
    return any(map(_needs_row, parts)) if parts else bool(rule.needs_row)


def _no_row(name: str) -> NoReturn:
    raise LookupError(f"a route has no row, so it has no {name}")


def _weight(pattern: str) -> tuple[int, int]:
    """Return how much *pattern* says: letters before the first wildcard, letters at all."""
    first = min((pattern.find(sign) for sign in "*?[" if sign in pattern), default=len(pattern))
    return first, len(pattern)


def _words(who: Any) -> str:
    try:
        return str(who.words())
    except Exception:  # a rule that is not bound yet may have no words
        return repr(who)
