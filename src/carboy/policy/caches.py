"""Compiled caches with entries of their own for each shape of who asks.

    get(key)  ->  inner.get((shape, key))

One bound for all shapes together: an LRU cache lets go of what nobody asks for, be it a
statement, or a combination of roles that has not been seen for long.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING, Any

from carboy.base.scope import NobodyAsking, frame

if TYPE_CHECKING:
    from carboy.policy.book import Rulebook
    from carboy.policy.rules import Shape

__all__ = ["ScopedCache"]


class ScopedCache(MutableMapping[Any, Any]):
    """A compiled cache with entries of their own for each shape of who asks.

    inner: what keeps the entries, a bounded mapping of SQLAlchemy's.
    """

    book: Rulebook

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self._get = inner.get

    def get(self, key: Any, default: Any = None) -> Any:
        """Return what was compiled for *key* and this shape."""
        return self._get((self._shape(), key), default)

    def _shape(self) -> Shape | int:
        """Return the shape; outside of every scope the version, as text is checked there."""
        try:
            return self.book.shape(frame())
        except NobodyAsking:
            return self.book.edition

    def __getitem__(self, key: Any) -> Any:
        return self.inner[self._shape(), key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self.inner[self._shape(), key] = value

    def __delitem__(self, key: Any) -> None:
        del self.inner[self._shape(), key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.inner)

    def __len__(self) -> int:
        return len(self.inner)

    def clear(self) -> None:
        """Forget everything, of all shapes."""
        self.inner.clear()
