"""Profiles: what the values of a column can be, told while they stream past.

    batch of values  ->  Profile.feed()  ->  which formats fit, how long, how many kinds

Only tallies are kept, so that a column of any length costs the same. What one look cannot
tell (places of a decimal, days that do not exist) is measured afterwards by `infer`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from carboy.cli.adopt.formats import FORMATS, SPELLED, Format, formats_for

__all__ = ["Misfit", "Profile", "few"]

EXACT = 2.0**53  # whole numbers below this are exact in a float
FEW = 24  # distinct values that are kept; more are no enumeration
BITS = 2**63


@dataclass
class Misfit:
    """How many values a format does not fit, and the first of them."""

    count: int = 0
    line: int = 0
    value: str = ""


def few(seen: int) -> int:
    """Return how many misfits of *seen* values leave a format in question."""
    return max(1, seen // 50) if seen >= 10 else 0


@dataclass
class Profile:
    """The tallies of one column.

    types: of the values, in a word each. nulls: None. formats: that fit, or nearly.
    distinct: value to count, or None when there are too many. spelled: words for nothing.
    longest: characters. broken: whether a value has several lines. wholes: whether every
    float is a whole number. seen: texts that were tried.
    """

    typed: bool
    types: Counter[str] = field(default_factory=Counter)
    nulls: int = 0
    formats: dict[Format, Misfit] | None = None
    distinct: Counter[Any] | None = field(default_factory=Counter)
    spelled: Counter[str] = field(default_factory=Counter)
    longest: int = 0
    broken: bool = False
    wholes: bool = True
    seen: int = 0

    def feed(self, values: Sequence[Any], lines: Sequence[int]) -> None:
        """Take in the values of some rows."""
        counts = Counter(values)
        self.nulls += counts.pop(None, 0)
        if not counts:
            return
        if self.distinct is not None:
            self.distinct.update(counts)
            if len(self.distinct) > FEW:
                self.distinct = None
        types = Counter(map(type, values))
        types.pop(type(None), None)
        if bytes in types:
            del types[bytes]
            self.types.update(_tag(value) for value in values if type(value) is bytes)
        self.types.update({one.__name__: count for one, count in types.items()})
        if str in types:
            self._texts(_texts(counts), values, lines)
        if float in types:
            self._numbers(counts)

    def _numbers(self, counts: Counter[Any]) -> None:
        if self.wholes:
            floats = (value for value in counts if type(value) is float)
            self.wholes = all(value.is_integer() and abs(value) < EXACT for value in floats)

    def _texts(self, counts: Counter[Any], values: Sequence[Any], lines: Sequence[int]) -> None:
        self.longest = max(self.longest, max(map(len, counts)))
        spelled = SPELLED.intersection(counts)
        if spelled:
            for word in spelled:
                self.spelled[word] += counts[word]
            counts = Counter({one: n for one, n in counts.items() if one not in SPELLED})
            if not counts:
                return
        self.seen += counts.total()
        joined = "\n".join(counts)
        if joined.count("\n") != len(counts) - 1 or "\r" in joined:
            self.broken = True
            self.formats = {}
            return
        if self.formats is None:
            ours = TYPED if self.typed else formats_for(next(iter(counts)))
            self.formats = {one: Misfit() for one in ours}
        for one, misfit in [*self.formats.items()]:
            if not one.fits(joined):
                self._tally(one, misfit, counts, values, lines)

    def _tally(
        self, one: Format, misfit: Misfit, counts: Counter[Any],
        values: Sequence[Any], lines: Sequence[int],
    ) -> None:  # fmt: skip
        """Count what does not fit; let go of a format that does not fit many."""
        assert self.formats is not None
        allowed = few(self.seen)
        for value, count in counts.items():
            if not one.fits_one(value):
                misfit.count += count
                if not misfit.line:
                    misfit.value, misfit.line = value, lines[values.index(value)]
                if misfit.count > allowed:
                    del self.formats[one]
                    return

    def fitting(self, kind: str) -> list[Format]:
        """Return the formats of *kind* that fit every value."""
        return [
            one
            for one, misfit in (self.formats or {}).items()
            if one.kind == kind and not misfit.count
        ]

    def nearly(self) -> tuple[Format, Misfit] | None:
        """Return the format that fits all but a few values, when none fits all."""
        found = [(one, misfit) for one, misfit in (self.formats or {}).items()]
        if not found or any(not misfit.count for _, misfit in found):
            return None
        return min(found, key=lambda pair: pair[1].count)


def _texts(counts: Counter[Any]) -> Counter[Any]:
    return Counter({one: count for one, count in counts.items() if type(one) is str})


def _tag(value: bytes) -> str:
    """Return what the stage keeps as bytes, in a word."""
    return _TAGS.get(value[:1], "huge")


_TAGS = {b"t": "bool", b"f": "bool", b"{": "dict", b"[": "list", b"b": "bytes", b"s": "halves"}


TYPED = tuple(one for one in FORMATS if one.name.startswith(("iso", "uuid", "time")))
"""Of values that have types: a text is a number only where somebody meant it so."""
