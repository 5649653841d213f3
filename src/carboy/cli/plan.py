"""What `carboy run` is going to do, as one value that its processes share."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Self

from carboy.cli.find import Target

__all__ = ["DRAIN_S", "LAME_DUCK_S", "RECYCLE_S", "Plan", "Server"]

Server = Literal["granian", "gunicorn"]

LAME_DUCK_S = 5.0  # load balancers stop sending only after they have seen readiness fail
DRAIN_S = 20.0  # with the lame duck below Kubernetes' 30 s before it kills
RECYCLE_S = 12 * 3600.0  # a worker's life; leaks in C libraries stay small


@dataclass(frozen=True)
class Plan:
    """Where, with what and how long.

    path, origin, folder: the application, as in find.Target.
    host: address to bind. port: 0 lets the system choose.
    port_search: take the next free port when *port* is taken.
    workers: processes. threads: per worker. backlog: waiting connections.
    lame_duck_s: seconds between "not ready" and closing the door, on TERM.
    drain_s: seconds that running requests have after that.
    recycle_s: mean life of a worker in seconds, +- 10 %; 0 is for ever.
    """

    path: str
    origin: str
    folder: str
    server: Server = "granian"
    host: str = "127.0.0.1"
    port: int = 8000
    port_search: bool = False
    workers: int = 1
    threads: int = 8
    backlog: int = 1024
    lame_duck_s: float = LAME_DUCK_S
    drain_s: float = DRAIN_S
    recycle_s: float = RECYCLE_S
    traceback: bool = False

    @property
    def target(self) -> Target:
        """The application to serve."""
        return Target(self.path, self.origin, Path(self.folder))

    def to_json(self) -> str:
        """Return the plan for another process; it holds no secrets."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the plan that to_json() wrote."""
        return cls(**json.loads(text))
