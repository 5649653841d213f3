"""The scope: who asks. Every query, job and command runs on somebody's behalf.

    with scope(user=7, roles={"staff"}):     what is asked here, user 7 asks
        current().user                       ->  7
        with unscoped("nightly count"):      the one escape: named, placed, told
            current().system                 ->  True
    current()                                ->  NobodyAsking, unless a request brings its own

A scope is a value; entering one makes a *frame*, with a number, the place in the
code, and what must be closed when it ends. A new thread starts without any.
"""

from __future__ import annotations

import functools
import itertools
import sys
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from carboy.base.errors import CarboyError

__all__ = [
    "SYSTEM",
    "VISITOR",
    "Frame",
    "NobodyAsking",
    "Scope",
    "ask",
    "current",
    "finding",
    "forbidden",
    "frame",
    "listeners",
    "opened",
    "openers",
    "scope",
    "scope_of",
    "unscoped",
]


@dataclass(frozen=True, slots=True)
class Scope:
    """Who asks, and for what they may be taken. Equal scopes see the same rows.

    user: the key of the user, None for a visitor. tenant: the key of theirs, or None.
    roles: names of the roles held. tokens: what an API token is limited to; None: no token.
    system: everything may be seen; only `unscoped` makes such a scope.
    """

    user: Hashable = None
    roles: frozenset[str] = frozenset()
    tenant: Hashable = None
    tokens: frozenset[str] | None = None
    system: bool = False


SYSTEM = Scope(system=True)
VISITOR = Scope()


class NobodyAsking(CarboyError):
    """A governed row was asked for, and nobody is asking."""


@dataclass(eq=False, slots=True)
class Frame:
    """One entry into a scope; compares by identity.

    generation: unique in this process, rising: a key for what lives as long as the frame.
    place: "file:line" of the `with`. reason: why, when unscoped, else "".
    notes: for upper floors to keep what they computed from the scope.
    """

    scope: Scope
    generation: int
    place: str
    reason: str = ""
    notes: dict[Any, Any] = field(default_factory=dict)
    closers: list[Callable[[], None]] = field(default_factory=list)


_frame: ContextVar[Frame | str | None] = ContextVar("carboy.scope", default=None)
_generation = itertools.count(1)

openers: list[Callable[[], Frame | None]] = []
"""Asked for a frame where none was entered: the engine brings that of the request."""

listeners: list[Callable[[Frame], None]] = []
"""Called with the frame each time `unscoped` begins: logs, metrics, audit."""


def frame() -> Frame:
    """Return the frame we are in.

    Raises NobodyAsking outside of every scope, and where asking is forbidden.
    """
    found = _frame.get()
    # PERF: the usual case first; this runs for each statement.
    if found.__class__ is Frame:
        return found
    if isinstance(found, str):
        raise NobodyAsking(
            "scope.forbidden",
            f"{found} may not ask who is asking.",
            hint="What it computes is kept for everybody; use owner(), role() or asker.user.",
        )
    for opener in openers:
        if (brought := opener()) is not None:
            return brought
    raise NobodyAsking(
        "scope.nobody",
        "Nobody is asking: this runs outside of every scope, so no row may be seen.",
        hint="A request brings its scope. Elsewhere (shell, job, script, test) write"
        " `with app.scope(user):`, or `with unscoped('why'):` for work of the system.",
    )


def current() -> Scope:
    """Return who asks.

    Raises NobodyAsking outside of every scope.

    >>> with scope(user=7):
    ...     current().user
    7
    """
    return frame().scope


@contextmanager
def scope(
    who: Scope | None = None,
    *,
    user: Hashable = None,
    roles: Iterable[str] = (),
    tenant: Hashable = None,
    tokens: Iterable[str] | None = None,
) -> Iterator[Frame]:
    """Run the block on behalf of *who*, or of the person described by the keywords.

    A nested scope replaces the outer one until it ends; it never adds to it.
    Raises TypeError when roles or tokens are one string: a set of letters is nobody's.
    """
    if isinstance(roles, str) or isinstance(tokens, str):
        raise TypeError("roles and tokens are sets of names, for example {'staff'}.")
    given = who or Scope(
        user, frozenset(roles), tenant, None if tokens is None else frozenset(tokens)
    )
    entered = Frame(given, next(_generation), _place(sys._getframe(2)))
    with _entered(entered):
        yield entered


@contextmanager
def unscoped(reason: str) -> Iterator[Frame]:
    """Run the block on behalf of the system: every row is seen. Told to the listeners.

    reason: one line for the log, why no person can be named here.
    Raises ValueError without a reason, NobodyAsking where it is forbidden (inside rules).
    """
    if not isinstance(reason, str) or not reason.strip():
        raise ValueError("unscoped() needs a reason, for example unscoped('nightly report').")
    if isinstance(_frame.get(), str):
        frame()
    entered = Frame(Scope(system=True), next(_generation), _place(sys._getframe(2)), reason.strip())
    for listener in listeners:
        listener(entered)
    with _entered(entered):
        yield entered


@contextmanager
def finding(where: str) -> Iterator[None]:
    """Run the block as the system, told to nobody: for what shows nobody any row.

    policy/cascades.py looks so at what hangs on a row that is deleted.
    """
    with _entered(Frame(SYSTEM, next(_generation), where, "a look at hidden rows")):
        yield


def ask(loader: Callable[[], Any]) -> Scope:
    """Return the scope of whom *loader* names; it runs as the system, and nobody is told.

    For the engine: it finds out who asks in a request.
    """
    # PERF: each request that asks comes by here; no generators, 2 us.
    entered = Frame(SYSTEM, next(_generation), "scope_loader", "who asks")
    token = _frame.set(entered)
    try:
        return scope_of(loader())
    finally:
        _frame.reset(token)
        if entered.closers:
            _close(entered)


def opened(who: Scope, place: str) -> Frame:
    """Return a frame for *who* that nobody entered: a request's, which ends with its sessions."""
    return Frame(who, next(_generation), place)


def scope_of(who: Any) -> Scope:
    """Return the scope of *who*: a Scope, None for a visitor, a user object, or a user's key.

    A user object has an `id`, and may have `roles` (names, or objects with a `name`),
    `tenant_id` or `tenant` and `tokens`.

    >>> scope_of(7).user, scope_of(None).user
    (7, None)
    """
    if who is None or isinstance(who, Scope):
        return who or VISITOR
    if type(who) in (int, str):
        return _of_key(who)
    if not hasattr(who, "id"):
        return Scope(who)
    roles = getattr(who, "roles", ())
    if isinstance(roles, str):
        raise TypeError("roles is a set of names, for example {'staff'}.")
    tokens = getattr(who, "tokens", None)
    tenant = getattr(who, "tenant_id", None)
    if tenant is None:
        tenant = getattr(getattr(who, "tenant", None), "id", getattr(who, "tenant", None))
    return Scope(
        who.id,
        frozenset(str(getattr(role, "name", role)) for role in roles),
        tenant,
        None if tokens is None else frozenset(tokens),
    )


@functools.lru_cache(1024, typed=True)
def _of_key(key: int | str) -> Scope:
    # PERF: the same few people ask again and again; a frozen value costs 1 us to make.
    return Scope(key)


@contextmanager
def forbidden(where: str) -> Iterator[None]:
    """Make `current()` and `unscoped()` raise inside the block, named *where*."""
    token = _frame.set(where)
    try:
        yield
    finally:
        _frame.reset(token)


@contextmanager
def _entered(entered: Frame) -> Iterator[None]:
    outer = _frame.get()
    token = _frame.set(entered)
    try:
        yield
    finally:
        try:
            _frame.reset(token)
        except ValueError:  # a generator closed from another context: its own is gone
            _frame.set(outer if _frame.get() is entered else _frame.get())
        _close(entered)


def _close(entered: Frame) -> None:
    """Run every closer, the last one first; the first failure is raised at the end."""
    failure: BaseException | None = None
    while entered.closers:
        try:
            entered.closers.pop()()
        except BaseException as error:  # the remaining closers must run too
            failure = failure or error
    if failure is not None:
        raise failure


def _place(caller: FrameType) -> str:
    """Return file:line of the `with` statement; contextlib's own frame is between."""
    while caller.f_back is not None and caller.f_globals.get("__name__") == "contextlib":
        caller = caller.f_back
    return f"{caller.f_code.co_filename}:{caller.f_lineno}"
