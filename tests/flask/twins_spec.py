"""A random application and what is done to it, as plain data.

    App(rules, blueprints, hooks, ...)  +  [Call | Late, ...]  =  one Case

The repr leaves out what is at its default, so what Hypothesis prints is a short
program: paste it into `twins_drive.compare(...)` to run it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

__all__ = ["App", "Blueprint", "Call", "Case", "Handler", "Hook", "Late", "Override", "Rule"]


class Short:
    """A repr that names only what differs from the default."""

    def __repr__(self) -> str:
        shown = [
            f"{f.name}={value!r}"
            for f in fields(self)  # type: ignore[arg-type]  # every heir is a dataclass
            if (value := getattr(self, f.name)) != _default(f)
        ]
        return f"{type(self).__name__}({', '.join(shown)})"


def _default(f: Any) -> Any:
    return f.default_factory() if callable(f.default_factory) else f.default


@dataclass(frozen=True, repr=False)
class Rule(Short):
    """A route. does: acts of the view. gives: what it returns. kind: how it is written.

    on: index of a blueprint, None for the application. options: for `add_url_rule`.
    """

    rule: str = "/"
    endpoint: str | None = None
    does: tuple[str, ...] = ()
    gives: str = "text"
    kind: str = "plain"
    on: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
class Hook(Short):
    """A hook. kind: the decorator's name. gives: for before and after hooks."""

    kind: str = "before_request"
    does: tuple[str, ...] = ()
    gives: str = ""
    on: int | None = None
    is_async: bool = False


@dataclass(frozen=True, repr=False)
class Handler(Short):
    """An error handler. key: a status code or the name of a class."""

    key: int | str = 404
    does: tuple[str, ...] = ()
    gives: str = "text"
    on: int | None = None
    is_async: bool = False


@dataclass(frozen=True, repr=False)
class Blueprint(Short):
    """A blueprint. parent: index of the one it is registered on, None for the application."""

    name: str = "bp"
    parent: int | None = None
    own: Mapping[str, Any] = field(default_factory=dict)
    at: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
class Override(Short):
    """A replaced method. way: "class", "instance", or "flask" (patched on flask.Flask).

    does: "log" calls the original; other words change the outcome, see twins_build.
    """

    method: str = "preprocess_request"
    way: str = "class"
    does: str = "log"


@dataclass(frozen=True, repr=False)
class App(Short):
    """Everything that is declared before the first request."""

    rules: tuple[Rule, ...] = ()
    blueprints: tuple[Blueprint, ...] = ()
    hooks: tuple[Hook, ...] = ()
    handlers: tuple[Handler, ...] = ()
    overrides: tuple[Override, ...] = ()
    signals: tuple[str, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    traits: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class Call(Short):
    """One request. path and query: as text, raw. via: how it is sent, see twins_drive."""

    path: str = "/"
    method: str = "GET"
    query: str = ""
    host: str = "localhost"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = "none"
    environ: Mapping[str, Any] = field(default_factory=dict)
    via: str = "wsgi"


@dataclass(frozen=True, repr=False)
class Late(Short):
    """Something done between requests. act: a name in twins_late.LATE."""

    act: str = ""


@dataclass(frozen=True, repr=False)
class Case(Short):
    """An application and the steps to take with it."""

    app: App = field(default_factory=App)
    steps: tuple[Call | Late, ...] = ()
