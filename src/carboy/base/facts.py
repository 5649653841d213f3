"""What a battery tells operations: ports, volumes, services, secrets, probes."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Facts"]


@dataclass
class Facts:
    """What an application needs from the place it runs in.

    ports: TCP ports it listens on. volumes: paths that must outlive a restart.
    services: backing services by kind ("postgresql"). secrets: option names.
    probes: kind ("live", "ready", "metrics") to path.
    """

    ports: list[int] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)
    services: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    probes: dict[str, str] = field(default_factory=dict)

    def add(self, other: Facts) -> None:
        """Take in what *other* states; nothing is lost, nothing is doubled."""
        for name in ("ports", "volumes", "services", "secrets"):
            mine = getattr(self, name)
            mine.extend(item for item in getattr(other, name) if item not in mine)
        self.probes.update(other.probes)
