"""What many models share: when a row was written, and which version it is.

class Page(Timestamps, Versioned, Model): ...
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Mapped, declared_attr

from carboy.base import clock
from carboy.data.fields import field

__all__ = ["Timestamps", "Versioned", "now"]

LAST = 1_000  # sort order: after the fields of the model itself


def now() -> datetime:
    """Return this moment, in UTC; by `base.clock`, so that tests may move it."""
    return datetime.fromtimestamp(clock.now_s(), UTC)


class Timestamps:
    """`created_at` and `updated_at`, kept by themselves."""

    created_at: Mapped[datetime] = field(
        default=now, write="never", label="Created", sort_order=LAST
    )
    updated_at: Mapped[datetime] = field(
        default=now, onupdate=now, write="never", label="Updated", sort_order=LAST
    )


class Versioned:
    """`version`, one more with each change.

    A change to a row that somebody changed meanwhile raises `Outdated` (409) instead of
    overwriting: the UPDATE and the DELETE name the version they were made from.
    """

    version: Mapped[int] = field(write="never", sort_order=LAST)

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:
        """Let SQLAlchemy count the column and compare it."""
        return {"version_id_col": cls.version}
