"""Findings: what `carboy check` and the seal have to say about an application.

Battery.checks()  ->  [Finding, ...]  ->  printed, or an ERROR refuses to serve
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

__all__ = ["ERROR", "NOTE", "WARNING", "Finding", "Level"]


class Level(enum.IntEnum):
    """How grave a finding is. An ERROR refuses to serve in production."""

    NOTE = 10
    WARNING = 20
    ERROR = 30


NOTE, WARNING, ERROR = Level.NOTE, Level.WARNING, Level.ERROR


@dataclass(frozen=True)
class Finding:
    """One observation about the set-up.

    code: stable, dotted: ``"hosts.unset"``.
    message: what was found, one sentence.
    hint: what to do, ready to paste.
    where: file and line, option and origin, or route; may be empty.
    """

    level: Level
    code: str
    message: str
    hint: str = ""
    where: str = ""

    def __str__(self) -> str:
        place = f"\n  at {self.where}" if self.where else ""
        hint = f"\n  {self.hint}" if self.hint else ""
        return f"{self.level.name}: {self.message}{hint}{place}  [{self.code}]"
