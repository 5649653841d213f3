"""Lanes: everything that happens on a route, as tuples, computed at seal.

    stages (named, ordered)  +  Flask's hooks  +  the view   ->   Lane

A stage stands around the view like a layer of an onion: its `before` runs on
the way in, its `after` on the way out. Flask's own hooks are the stage "flask":
inside the batteries, outside the application's own stages.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from carboy.base.errors import SetupError

__all__ = ["FLASK", "Lane", "Stage", "adapt_after", "adapt_before", "ordered"]

FLASK = "flask"  # the name of the stage that holds Flask's own hooks

Before = Callable[[Any], Any]
After = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Stage:
    """One layer around a view.

    before: called with the Context; anything but None answers the request.
    after: called with the Context and the response; returns the response.
    on: None for every route, else the name of a blueprint or an endpoint.
    under, over: names of stages that this one is inside of, outside of.
    place: file and line of the function, for messages.
    """

    name: str
    before: Before | None = None
    after: After | None = None
    on: str | None = None
    under: tuple[str, ...] = ()
    over: tuple[str, ...] = ()
    place: str = ""

    def covers(self, endpoint: str | None, blueprints: Sequence[str]) -> bool:
        """Return whether this stage stands around that route."""
        return self.on is None or self.on == endpoint or self.on in blueprints


@dataclass(eq=False)
class Lane:
    """One route, ready to serve.

    endpoint, pattern, methods, blueprints: the route; None, "-", () for no match.
    before, after: what runs around the view, in order.
    own_after: `after` without Flask's own hooks, for when Flask has run them.
    view: called with the path arguments. bind: makes them from the request.
    teardown: Flask's teardown hooks for this route, in order.
    notes: what batteries computed for this route at seal.
    """

    endpoint: str | None
    pattern: str
    methods: frozenset[str]
    blueprints: tuple[str, ...]
    rule: Any
    view: Callable[..., Any]
    bind: Callable[[Any, dict[str, Any]], dict[str, Any]] | None = None
    before: tuple[Before, ...] = ()
    after: tuple[After, ...] = ()
    own_after: tuple[After, ...] = ()
    teardown: tuple[Callable[[Any], Any], ...] = ()
    before_names: tuple[str, ...] = ()
    after_names: tuple[str, ...] = ()
    notes: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<lane {self.endpoint} {self.pattern}>"


def ordered(stages: Iterable[Stage]) -> tuple[Stage, ...]:
    """Return *stages* from the outermost to the innermost.

    Registration order, changed only as far as `under` and `over` ask. Names of
    stages that are not there are no error: a battery may be switched off.
    Raises SetupError for two stages of one name, or a circle.
    """
    by_name: dict[str, Stage] = {}
    for stage in stages:
        if stage.name in by_name:
            raise _twice(stage, by_name[stage.name])
        by_name[stage.name] = stage
    outside: dict[str, set[str]] = {name: set() for name in by_name}
    for stage in by_name.values():
        outside[stage.name].update(name for name in stage.under if name in by_name)
        for name in stage.over:
            if name in by_name:
                outside[name].add(stage.name)
    return tuple(by_name[name] for name in _sorted(outside))


def _sorted(outside: dict[str, set[str]]) -> list[str]:
    """Return the names so that each follows all those *outside* of it."""
    done: list[str] = []
    waiting = list(outside)
    while waiting:
        free = next((name for name in waiting if outside[name] <= set(done)), None)
        if free is None:
            raise SetupError(
                "stages.circle",
                f"Stages stand inside each other in a circle: {', '.join(sorted(waiting))}.",
                hint="Remove one under= or over= from these stages.",
            )
        waiting.remove(free)
        done.append(free)
    return done


def _twice(stage: Stage, first: Stage) -> SetupError:
    return SetupError(
        "stages.twice",
        f"Two stages are called {stage.name!r}: {first.place} and {stage.place}.",
        hint='Give one of them another name, for example @app.before(name="...").',
    )


def adapt_before(function: Callable[..., Any], sync: Callable[..., Any]) -> Before:
    """Return *function*, written as `f()` or `f(request)`, as a stage takes it."""
    call = sync(function)
    if _positional(function) == 0:
        return lambda ctx: call()
    return lambda ctx: call(ctx.request)


def adapt_after(function: Callable[..., Any], sync: Callable[..., Any]) -> After:
    """Return *function*, written as `f(response)` or `f(request, response)`.

    Returning None means the response as it was given.
    """
    call = sync(function)
    if _positional(function) == 1:
        return lambda ctx, response: call(response) or response
    return lambda ctx, response: call(ctx.request, response) or response


def _positional(function: Callable[..., Any]) -> int:
    """Return how many arguments *function* must be given."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(function).parameters.values()
    return sum(p.kind in kinds and p.default is p.empty for p in parameters)
