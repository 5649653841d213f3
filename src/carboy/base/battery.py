"""The Battery: a feature as the application meets it, and the only door in.

    names or instances  ->  load()  ->  order()  ->  init, seal, close by the app

Built-in batteries come in like anyone's, through the entry point group
`carboy.batteries`. A battery is declared by a class; every member has an empty
default.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from importlib import metadata
from typing import TYPE_CHECKING, Any, ClassVar

from carboy.base.errors import SetupError
from carboy.base.facts import Facts

if TYPE_CHECKING:
    from carboy.base.checks import Finding
    from carboy.base.options import Option

__all__ = ["COMPATIBLE", "DEFAULT", "Battery", "resolve"]

GROUP = "carboy.batteries"

COMPATIBLE = ("ids", "logs", "metrics", "health", "limits", "headers", "data")
"""What changes no answer's meaning: adopted by an existing Flask application."""

DEFAULT = (
    *COMPATIBLE, "policy", "hosts", "csp", "csrf", "pages", "typed", "access",
    "look", "forms", "accounts", "resources", "admin",
)  # fmt: skip
"""Everything, including what closes the application."""

PRESETS = {"compatible": COMPATIBLE, "default": DEFAULT}

App = Any  # the application; floor 0 cannot name class Carboy


class Battery:
    """A feature as the application meets it. Every member has an empty default.

    name: config prefix, command group, check prefix, metric prefix.
    needs: names of batteries that come first; they are added when missing.
    options: declared once beside the code that reads them.
    """

    name: ClassVar[str] = ""
    needs: ClassVar[tuple[str, ...]] = ()
    options: ClassVar[tuple[Option, ...]] = ()

    def init(self, app: App) -> None:
        """Declare: routes, stages, Flask hooks. Called once, in `Carboy()`."""

    def seal(self, app: App) -> None:
        """Compute everything a request needs. May be called again after a late
        registration; it must then replace what it computed before."""

    def commands(self) -> Sequence[Any]:
        """Return click commands for the `carboy` command."""
        return ()

    def checks(self, app: App) -> Iterable[Finding]:
        """Return what is wrong with the set-up, for `carboy check` and the seal."""
        return ()

    def probes(self) -> Iterable[tuple[str, Callable[[], str | None]]]:
        """Return (name, probe) pairs for readiness.

        A probe returns None when all is well, else one line that says what is not.
        """
        return ()

    def facts(self, app: App) -> Facts:
        """Return what operations must provide."""
        return Facts()

    def close(self) -> None:
        """Let go of threads, files and connections. Called at shutdown."""

    def __repr__(self) -> str:
        return f"<battery {self.name or type(self).__name__}>"


def resolve(wanted: str | Iterable[str | Battery]) -> tuple[Battery, ...]:
    """Return the batteries meant by *wanted*, each after those it needs.

    wanted: a preset ("default", "compatible"), or names and instances. One that is given
    beside a preset stands in the place of the preset's own.
    Raises SetupError for an unknown name, a doubled one, or a circle of needs.
    """
    chosen: dict[str, Battery] = {}
    preset: set[str] = set()
    for item, of_preset in _spread(wanted):
        if of_preset and item in chosen:
            continue  # one that was given stands for the preset's
        battery = item if isinstance(item, Battery) else load(item)
        _check(battery)
        if of_preset:
            preset.add(battery.name)
        elif battery.name in preset:
            preset.remove(battery.name)
        elif battery.name in chosen:
            raise SetupError(
                "battery.twice",
                f"Battery {battery.name!r} is given twice.",
                hint="Name each battery once in batteries=(...).",
            )
        chosen[battery.name] = battery
    ordered: dict[str, Battery] = {}
    for battery in tuple(chosen.values()):
        _place(battery, chosen, ordered, ())
    return tuple(ordered.values())


def load(name: str) -> Battery:
    """Return a new instance of the battery that is installed as *name*."""
    known = _installed(tuple(sys.path))
    if name in known:
        battery = known[name].load()()
        assert isinstance(battery, Battery), f"{known[name].value} is not a Battery"
        return battery
    near = difflib.get_close_matches(name, [*known, *PRESETS], n=1)
    raise SetupError(
        "battery.unknown",
        f"There is no battery called {name!r}.",
        hint=(f"Did you mean {near[0]!r}? " if near else "")
        + f"Installed: {', '.join(sorted(known))}. Presets: {', '.join(PRESETS)}.",
    )


@lru_cache(maxsize=8)
def _installed(path: tuple[str, ...]) -> dict[str, metadata.EntryPoint]:
    """Return what is installed along *path*, by name.

    PERF: 5 ms, for every package that is installed is looked into.
    """
    return {entry.name: entry for entry in metadata.entry_points(group=GROUP)}


def _spread(wanted: str | Iterable[str | Battery]) -> Iterable[tuple[Any, bool]]:
    """Yield each battery, and whether it is one of a preset."""
    for item in (wanted,) if isinstance(wanted, (str, Battery)) else wanted:
        if isinstance(item, str) and item in PRESETS:
            yield from ((name, True) for name in PRESETS[item])
        else:
            yield item, False


def _check(battery: Battery) -> None:
    if not battery.name.isidentifier():
        raise SetupError(
            "battery.name",
            f"{type(battery).__module__}.{type(battery).__qualname__} has no usable name.",
            hint='Give the class a name, for example  name = "audit".',
        )


def _place(
    battery: Battery,
    chosen: dict[str, Battery],
    ordered: dict[str, Battery],
    above: tuple[str, ...],
) -> None:
    """Put *battery* into *ordered* after everything it needs (depth first)."""
    if battery.name in ordered:
        return
    if battery.name in above:
        raise SetupError(
            "battery.circle",
            f"Batteries need each other in a circle: {' -> '.join((*above, battery.name))}.",
            hint="Remove one of these from `needs`.",
        )
    for name in battery.needs:
        needed = chosen.setdefault(name, chosen[name] if name in chosen else load(name))
        _place(needed, chosen, ordered, (*above, battery.name))
    ordered[battery.name] = battery
