"""app.config: the dict Flask knows, with types, provenance and masked secrets.

    declare(options)    defaults and types of Carboy's and the batteries' options
    load(root_path)     carboy.toml < .env < FLASK_... < CARBOY_...
    config["X"] = y     code wins; declared options are converted and checked
    config["X"]         exactly a dict read: nothing here is on that path

Until `declare` or `load` is called (`batteries=()`) this is flask.Config.
Every change calls `on_change`, by which the application unseals itself.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import sys
from collections.abc import Callable, Container, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import flask

from carboy.base import sources
from carboy.base.checks import ERROR, WARNING, Finding
from carboy.base.errors import SetupError
from carboy.base.options import MASK, RETIRED, Option, without_credentials
from carboy.engine.flask_options import FLASK_OPTIONS

if TYPE_CHECKING:
    from carboy.base.sources import Setting

__all__ = ["Config", "Row"]

C = TypeVar("C", bound="Config")

SECRET_NAME = re.compile(r"password|secret|token|key$", re.IGNORECASE)

OURS = frozenset({"flask", "carboy"})  # frames that only pass a value on
FALSE_IN_FLASK = frozenset({"", "0", "false", "no"})  # FLASK_DEBUG, flask.helpers.get_debug_flag


class Row(NamedTuple):
    """One line of `carboy config`; all texts, secrets masked."""

    name: str
    value: str
    default: str
    origin: str
    help: str
    unit: str


def _nothing() -> None:
    """Do nothing; stands in until the application wants to know of changes."""


class Config(flask.Config):
    """flask.Config that knows what its values mean and where they come from."""

    on_change: Callable[[], None] = staticmethod(_nothing)

    def __init__(
        self, root_path: str | os.PathLike[str], defaults: dict[str, Any] | None = None
    ) -> None:
        super().__init__(root_path, defaults)
        self._options: dict[str, Option] = {}
        self._origins: dict[str, str] = {}
        self._settings: tuple[Setting, ...] = ()
        self._ignored: tuple[Setting, ...] = ()

    # --- declare, load ---------------------------------------------------------------

    def declare(self, options: Iterable[Option]) -> None:
        """Make *options* known: set defaults, convert what is there already.

        May be called after `load`, and then takes what was loaded.
        Raises SetupError when a name is declared twice, differently.
        """
        names = set()
        for option in options:
            if self._options.setdefault(option.name, option) != option:
                raise _declared_twice(option.name)
            self._settle(option)
            names.add(option.name)
        self._apply_settings(names)

    def load(self, root_path: str | os.PathLike[str]) -> None:
        """Read carboy.toml, .env and the environment; see `base/sources.py`.

        What code has set already stays. Raises SetupError for a value that is
        not what its option accepts.
        """
        self._settings = sources.read(root_path, os.environ)
        self._apply_settings({setting.name for setting in self._settings})

    def _settle(self, option: Option) -> None:
        """Give a newly declared option its default, or type what was set so far."""
        name, origin = option.name, self.origin(option.name)
        if not origin.startswith(("class", "code")):
            super().__setitem__(name, option.default)
            self._origins[name] = "default"
        elif name not in FLASK_OPTIONS:
            super().__setitem__(name, option.parse(self[name], place=origin))

    def _apply_settings(self, names: Container[str]) -> None:
        """Set what the sources say of *names*, the last for each, lowest first."""
        known = [setting for setting in self._settings if self._is_known(setting)]
        winners = {setting.name: setting for setting in known}
        for setting in known:
            if winners[setting.name] is setting and setting.name in names:
                self._apply(setting)
        self._ignored = tuple(setting for setting in self._settings if setting not in known)
        self.on_change()

    def _is_known(self, setting: Setting) -> bool:
        """True when something will read the setting, or nobody can tell."""
        root, *inner = setting.name.split("__")
        if setting.namespace != "CARBOY" or self._option(setting.name) is not None:
            return True
        return root in self and not (inner and self._option(root))

    def _apply(self, setting: Setting) -> None:
        root, *inner = setting.name.split("__")
        if self.origin(root).startswith("code"):
            return
        option = self._option(setting.name)
        value = _untyped(setting) if option is None else _typed(option, setting)
        super().__setitem__(root, self._nested(root, inner, value, setting) if inner else value)
        self._origins[root] = setting.origin

    def _nested(self, root: str, inner: list[str], value: object, setting: Setting) -> object:
        """Return the dict under *root* with one inner item replaced; shares nothing."""
        old = self.get(root, {})
        layers = []
        for part in inner:
            if not isinstance(old, Mapping):
                raise _not_nested(root, setting)
            layers.append(dict(old))
            old = old.get(part, {})
        for part, layer in zip(reversed(inner), reversed(layers), strict=True):
            layer[part] = value
            value = layer
        return value

    def _option(self, name: str) -> Option | None:
        return self._options.get(name) or FLASK_OPTIONS.get(name)

    # --- what people ask -------------------------------------------------------------

    def origin(self, key: str) -> str:
        """Return where the value of *key* comes from.

        "default", "class" (default_config), "carboy.toml:3", ".env:2",
        "environment CARBOY_X", "code app.py:12", or "unset".
        """
        if key in self._origins:
            return self._origins[key]
        if key not in self:
            return "unset"
        builtin = flask.Flask.default_config
        # DEBUG: Flask.make_config always puts its own reading of FLASK_DEBUG here.
        stock = key == "DEBUG" or (key in builtin and builtin[key] == self[key])
        return "default" if stock else "class"

    def report(self) -> list[Row]:
        """Return a row for every key, by name, secrets masked."""
        return [self._row(key) for key in sorted(self, key=str)]

    def findings(self) -> list[Finding]:
        """Return what is wrong with names: unknown, or without effect any more."""
        spelled = [self._unknown(s) for s in self._ignored if s.name not in RETIRED]
        retired = {s.name: s.origin for s in self._ignored}
        retired |= {name: self.origin(name) for name in RETIRED if name in self}
        return spelled + [_retired(n, where) for n, where in retired.items() if n in RETIRED]

    def _row(self, key: str) -> Row:
        option = self._option(key)
        if option is None:
            return Row(key, _masked_repr(key, self[key]), "", self.origin(key), "", "")
        shown, default = option.show(self[key]), option.show(option.default)
        return Row(key, shown, default, self.origin(key), option.help, option.kind.unit)

    def _unknown(self, setting: Setting) -> Finding:
        near = self._nearest(setting.name)
        return Finding(
            ERROR if near else WARNING,
            "options.unknown",
            f"There is no option {setting.name}, so {setting.spelled} has no effect.",
            hint=f"Did you mean {_respelled(setting, near)}?" if near else _own_name(setting),
            where=setting.origin,
        )

    def _nearest(self, name: str) -> str:
        """Return the known name that *name* seems to be a slip of; "" when none is."""
        names = (*self._options, *FLASK_OPTIONS, *map(str, self))
        known = {key for key in names if key != name}
        plain = name.upper().removeprefix("CARBOY_").removeprefix("FLASK_")
        if plain in known:
            return plain
        return next(iter(difflib.get_close_matches(plain, sorted(known), n=1, cutoff=0.75)), "")

    def __repr__(self) -> str:
        if not self._options:
            return super().__repr__()
        items = (f"{key!r}: {self._shown(key)}" for key in self)
        return f"<{type(self).__name__} {{{', '.join(items)}}}>"

    def _shown(self, key: str) -> str:
        option = self._option(key)
        if option is None:
            return _masked_repr(key, self[key])
        return without_credentials(repr(MASK if option.secret and self[key] else self[key]))

    # --- every way a dict changes ----------------------------------------------------

    def __setitem__(self, key: str, value: Any) -> None:
        origin = _caller()
        super().__setitem__(key, self._checked(key, value, origin))
        self._origins[key] = origin
        self.on_change()

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        self._forget(key)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """As dict.update; nothing is set when one of the values is refused."""
        origin = _caller()
        new = {k: self._checked(k, v, origin) for k, v in dict(*args, **kwargs).items()}
        super().update(new)
        self._origins.update(dict.fromkeys(new, origin))
        self.on_change()

    def __ior__(self: C, other: Any) -> C:  # type: ignore[misc]  # dict's is overloaded
        self.update(other)
        return self

    def setdefault(self, key: str, default: Any = None) -> Any:
        """As dict.setdefault; a key that is there already is no change."""
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: str, *default: Any) -> Any:
        """As dict.pop."""
        value = super().pop(key, *default)
        self._forget(key)
        return value

    def popitem(self) -> tuple[str, Any]:
        """As dict.popitem."""
        key, value = super().popitem()
        self._forget(key)
        return key, value

    def clear(self) -> None:
        """As dict.clear."""
        super().clear()
        self._origins.clear()
        self.on_change()

    def from_prefixed_env(
        self, prefix: str = "FLASK", *, loads: Callable[[str], Any] = json.loads
    ) -> bool:
        """As flask.Config.from_prefixed_env, which reaches into nested dicts."""
        done = super().from_prefixed_env(prefix, loads=loads)
        self.on_change()
        return done

    def _checked(self, key: str, value: Any, origin: str) -> Any:
        """Return *value* typed, when *key* is a Carboy option; Flask's keys pass untouched."""
        option = self._options.get(key)
        if option is None or key in FLASK_OPTIONS:
            return value
        return option.parse(value, place=origin)

    def _forget(self, key: str) -> None:
        self._origins.pop(key, None)
        self.on_change()

    def __reduce__(self) -> tuple[Any, ...]:
        # Without on_change, which is bound to the application.
        state = {name: value for name, value in vars(self).items() if name != "on_change"}
        return _rebuilt, (type(self), dict(self), state)


def _rebuilt(kind: type[C], items: dict[str, Any], state: dict[str, Any]) -> C:
    config = kind.__new__(kind)
    dict.update(config, items)
    vars(config).update(state)
    return config


def _caller() -> str:
    """Return "code file:line" of whoever changes the configuration.

    PERF: a few frames up and no stack is built; only when a value is set.
    """
    frame = sys._getframe(2)
    while frame.f_back and str(frame.f_globals.get("__name__")).partition(".")[0] in OURS:
        frame = frame.f_back
    return f"code {frame.f_code.co_filename}:{frame.f_lineno}"


def _typed(option: Option, setting: Setting) -> Any:
    """Return the value of a declared option. FLASK_ text may be JSON, as in Flask."""
    raw = setting.raw
    if setting.spelled == "FLASK_DEBUG":
        return str(raw).lower() not in FALSE_IN_FLASK
    if setting.namespace == "FLASK" and isinstance(loaded := _untyped(setting), (str, list)):
        raw = loaded
    return option.parse(raw, place=setting.origin)


def _untyped(setting: Setting) -> Any:
    """Return the value as flask.Config.from_prefixed_env would: JSON, else text."""
    if not setting.variable or not isinstance(setting.raw, str):
        return setting.raw
    try:
        return json.loads(setting.raw)
    except (ValueError, RecursionError):
        return setting.raw


def _masked_repr(key: object, value: object) -> str:
    """Return repr(value), with what looks like a secret masked, in depth."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{k!r}: {_masked_repr(k, v)}' for k, v in value.items())}}}"
    secret = isinstance(key, str) and SECRET_NAME.search(key)
    if secret and value and not isinstance(value, (bool, int, float)):
        return repr(MASK)
    return without_credentials(repr(value))


def _respelled(setting: Setting, name: str) -> str:
    return f"{setting.namespace}_{name}" if setting.variable else name.lower()


def _own_name(setting: Setting) -> str:
    own = f"FLASK_{setting.name}" if setting.variable else f"{setting.name.lower()} under [app]"
    return (
        f"If your code or an extension reads it, write {own}. "
        "If a battery does, that battery is not switched on."
    )


def _retired(name: str, where: str) -> Finding:
    return Finding(
        WARNING, "options.retired", f"{name} has no effect.", hint=RETIRED[name], where=where
    )


def _declared_twice(name: str) -> SetupError:
    return SetupError(
        "options.twice",
        f"Option {name} is declared twice, in two ways.",
        hint="Give one of them another name; the name of its battery makes a good prefix.",
    )


def _not_nested(root: str, setting: Setting) -> SetupError:
    return SetupError(
        "options.nested",
        f"{setting.spelled} ({setting.origin}) sets an item inside {root}, which is not a dict.",
        hint=f"Remove it, or make {root} a dict in default_config.",
    )
