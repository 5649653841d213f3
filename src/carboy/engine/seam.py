"""Every Flask and Werkzeug internal that the engine touches, in one place.

Checked with Flask 3.1.3 and Werkzeug 3.1.9; pyproject.toml admits no other minor
versions, and an application on one refuses to start instead of guessing.

    require_checked() refuses a Flask that the engine was not checked with
    overridden(app)   which dispatch steps a subclass, an extension or an agent
                      has replaced; those steps are left to Flask's own methods
    watch(app, touch) hook tables that say so when they change after the seal
"""

from __future__ import annotations

import types
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import flask.app
import flask.sansio.app
from flask import Flask
from flask.globals import _cv_app as cv_app, _cv_request as cv_request
from werkzeug.routing import Map
from werkzeug.routing.converters import BaseConverter
from werkzeug.routing.matcher import State

from carboy.base.errors import SetupError

__all__ = [
    "DISPATCH",
    "SealedMap",
    "State",
    "cv_app",
    "cv_request",
    "flasks_own",
    "match_root",
    "overridden",
    "passes_through",
    "require_checked",
    "watch",
]

CHECKED = {"Flask": "3.1", "Werkzeug": "3.1"}

DISPATCH = (
    "app_context",
    "async_to_sync",
    "create_url_adapter",
    "dispatch_request",
    "do_teardown_appcontext",
    "do_teardown_request",
    "ensure_sync",
    "finalize_request",
    "full_dispatch_request",
    "handle_exception",
    "make_default_options_response",
    "make_response",
    "preprocess_request",
    "process_response",
    "raise_routing_exception",
    "request_context",
)
"""The methods of Flask that the engine does the work of; any may be replaced."""

FLASK_FILES = (flask.app.__file__, flask.sansio.app.__file__)

HOOK_TABLES = (
    "before_request_funcs",
    "after_request_funcs",
    "teardown_request_funcs",
    "url_value_preprocessors",
)

WATCHED = frozenset(
    (
        *DISPATCH,
        *HOOK_TABLES,
        "__class__",
        "config",
        "json",
        "request_class",
        "response_class",
        "session_interface",
        "subdomain_matching",
        "teardown_appcontext_funcs",
        "url_map",
        "view_functions",
    )
)
"""Attributes of the application that the plan was computed from."""


def require_checked(flask_version: str, werkzeug_version: str) -> None:
    """Raise SetupError unless the engine was checked with these versions."""
    found = {"Flask": flask_version, "Werkzeug": werkzeug_version}
    for name, version in found.items():
        if not version.startswith(f"{CHECKED[name]}."):
            raise SetupError(
                "seam.version",
                f"{name} {version} is installed; this Carboy was checked with"
                f" {name} {CHECKED[name]}.x and relies on its inside.",
                hint=f"Run: pip install 'carboy' '{name.lower()}=={CHECKED[name]}.*'"
                " or take a newer Carboy.",
            )


def overridden(app: Flask) -> frozenset[str]:
    """Return the dispatch methods that are not Flask's own on *app*.

    Sees subclasses, attributes set on the instance, and methods of Flask itself
    that an agent replaced, even before this module was imported: what counts is
    the file that the function's code was compiled from.
    """
    return frozenset(
        name for name in DISPATCH if name in vars(app) or not flasks_own(type(app), name)
    )


def flasks_own(cls: type[Flask], name: str) -> bool:
    """Return whether the method *name* of *cls* is the function that Flask ships."""
    function = getattr(cls, name)
    return (
        type(function) is types.FunctionType
        and function.__code__.co_name == name
        and function.__code__.co_filename in FLASK_FILES
    )


def match_root(url_map: Map) -> State | None:
    """Return the state that paths start from, or None when hosts take part.

    Werkzeug's matcher begins with a part for the domain, "" without subdomains,
    and one for the text before the first slash, always "".
    """
    url_map.update()
    root = url_map._matcher._root
    if root.dynamic or set(root.static) - {""} or "" not in root.static:
        return None
    start = root.static[""]
    if start.dynamic or start.rules or set(start.static) - {""}:
        return None
    return start.static.get("")


def passes_through(converter: BaseConverter) -> bool:
    """Return whether *converter* hands the matched text on unchanged."""
    return type(converter).to_python is BaseConverter.to_python


class SealedMap(Map):
    """A URL map that says when it changes."""

    touch: Callable[[], None] | None = None

    def add(self, rulefactory: Any) -> None:
        """Add rules as Werkzeug does, and unseal the application."""
        super().add(rulefactory)
        if self.touch is not None:
            self.touch()

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if self.touch is not None and name not in ("_remap", "_matcher"):
            self.touch()


class HookList(list[Any]):
    """A list of hooks that says when it changes."""

    touch: Callable[[], None]

    def __init__(self, touch: Callable[[], None], items: Iterable[Any] = ()) -> None:
        super().__init__(items)
        self.touch = touch

    def __reduce__(self) -> tuple[Any, ...]:  # a copy is a plain list
        return (list, (list(self),))


class HookTable(defaultdict[Any, Any]):
    """Flask's {blueprint name or None: [hook, ...]}, saying when it changes."""

    touch: Callable[[], None]

    def __init__(self, touch: Callable[[], None], table: dict[Any, Any]) -> None:
        super().__init__(lambda: HookList(touch))
        self.touch = touch
        for name, hooks in table.items():
            self[name] = hooks

    def __setitem__(self, name: Any, hooks: Any) -> None:
        watched = hooks if isinstance(hooks, HookList) else HookList(self.touch, hooks)
        super().__setitem__(name, watched)
        self.touch()

    def setdefault(self, name: Any, hooks: Any = None) -> Any:
        """Return the hooks under *name*, watched like all others."""
        if name not in self:
            self[name] = () if hooks is None else hooks
        return self[name]

    def __reduce__(self) -> tuple[Any, ...]:
        return (dict, (dict(self),))


class ViewTable(dict[str, Any]):
    """Flask's {endpoint: view}, saying when it changes."""

    touch: Callable[[], None]

    def __init__(self, touch: Callable[[], None], views: dict[str, Any]) -> None:
        super().__init__(views)
        self.touch = touch

    def __reduce__(self) -> tuple[Any, ...]:
        return (dict, (dict(self),))


def _announce(kind: type[Any], names: Iterable[str]) -> None:
    """Make each mutator *names* of *kind* call `touch()` after its work."""
    for name in names:
        setattr(kind, name, _announcing(name, getattr(kind, name)))


def _announcing(name: str, inner: Any) -> Any:
    def mutate(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = inner(self, *args, **kwargs)
        self.touch()
        return result

    mutate.__name__ = name
    return mutate


_LIST = ("append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse")
_DICT = ("pop", "popitem", "clear", "update", "__delitem__", "__ior__")
_announce(HookList, (*_LIST, "__setitem__", "__delitem__", "__iadd__", "__imul__"))
_announce(HookTable, _DICT)
_announce(ViewTable, (*_DICT, "setdefault", "__setitem__"))


def watch(name: str, value: Any, touch: Callable[[], None]) -> Any:
    """Return *value* for the attribute *name*, able to announce changes."""
    if name in HOOK_TABLES:
        return HookTable(touch, value)
    if name == "teardown_appcontext_funcs":
        return HookList(touch, value)
    if name == "view_functions":
        return ViewTable(touch, value)
    if name == "url_map" and isinstance(value, SealedMap):
        value.touch = touch
    return value
