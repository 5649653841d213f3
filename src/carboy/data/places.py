"""Places: the databases of an application, by name, each opened when first used.

{"main": url, "reports": url}, {"main": url of a replica}  ->  Places  ->  Engine
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from carboy.base.errors import SetupError
from carboy.data.engines import Limits, engine_for

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

    from carboy.data.guards import Guard

__all__ = ["MAIN", "Places"]

MAIN = "main"
"""The name of the database that models live in unless they say otherwise."""


class Places:
    """Engines by the names of their databases.

    addresses, replicas: name to URL. guard: stands before each engine and session.
    more: for `create_engine`.
    """

    def __init__(
        self,
        addresses: Mapping[str, str | URL],
        *,
        replicas: Mapping[str, str | URL] | None = None,
        limits: Limits | None = None,
        guard: Guard | None = None,
        **more: Any,
    ) -> None:
        self.guard = guard
        self.watch: Callable[[Engine], None] | None = None  # called with each engine; see repeats
        self._addresses = dict(addresses)
        self._replicas = dict(replicas or {})
        self._limits = limits or Limits()
        self._more = more
        self._engines: dict[str, Engine] = {}
        self._lock = threading.Lock()
        _everywhere.add(self)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the databases."""
        return tuple(self._addresses)

    @property
    def only_main(self) -> bool:
        """Whether there is one database, so that nobody need ask which."""
        return len(self._addresses) == 1

    @property
    def has_replica(self) -> bool:
        """Whether any database has a replica."""
        return bool(self._replicas)

    def engine(self, name: str) -> Engine:
        """Return the engine of a database. Raises SetupError for an unknown name."""
        return self._engines.get(name) or self._make(name, name, self._addresses)

    def reader(self, name: str) -> Engine:
        """Return the engine of a database's replica, or its own when it has none."""
        if name not in self._replicas:
            return self.engine(name)
        key = f"{name} replica"
        return self._engines.get(key) or self._make(key, name, self._replicas)

    @property
    def opened(self) -> dict[str, Engine]:
        """The engines that have been used."""
        return dict(self._engines)

    def dispose(self) -> None:
        """Close every connection that is not in use."""
        with self._lock:
            engines, self._engines = self._engines, {}
        for engine in engines.values():
            engine.dispose()

    def _make(self, key: str, name: str, addresses: Mapping[str, str | URL]) -> Engine:
        if name not in addresses:
            raise SetupError(
                "data.database",
                f"There is no database called {name!r}.",
                hint=f"Known: {', '.join(self._addresses)}. Add it to DATABASES.",
            )
        with self._lock:  # two threads must not make two pools
            if key not in self._engines:
                engine = self._open(key, name, addresses[name])
                if self.guard is not None:
                    self.guard.install(engine)
                if self.watch is not None:
                    self.watch(engine)
                self._engines[key] = engine
            return self._engines[key]

    def _open(self, key: str, name: str, address: str | URL) -> Engine:
        """Return a new engine; key: what messages call it."""
        return engine_for(address, name=key, limits=self._limits, **self._more)


_everywhere: WeakSet[Places] = WeakSet()


def _after_fork() -> None:
    """Leave the parent's connections to the parent: two processes cannot talk on one."""
    for places in _everywhere:
        places._lock = threading.Lock()  # the parent's may be held, by a thread that is not here
        for engine in places._engines.values():
            engine.dispose(close=False)


os.register_at_fork(after_in_child=_after_fork)
