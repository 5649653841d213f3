"""Measuring: reading all values of a column once more, where one look is not enough.

Sheet.column()  ->  measure()   digits and places of numbers
                ->  reads()     whether a format reads every value

"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from carboy.cli.adopt.formats import SPELLED

if TYPE_CHECKING:
    from carboy.cli.adopt.staging import Sheet

__all__ = ["Measured", "example", "measure", "reads"]


class Measured:
    """What the numbers of a column are like, once all were read.

    whole, places: digits before and after the point, at most. fixed: whether all that have
    places have the same, of which some end in 0. floats: whether a float tells
    them apart. powers: whether some are written with one of ten, 1e+16.
    """

    def __init__(self) -> None:
        self.whole = self.places = 0
        self.fewest = 99
        self.zeros = False
        self.floats = True
        self.powers = False
        self.least, self.most = 0, 0

    @property
    def fixed(self) -> bool:
        """Whether these are numbers of fixed places, such as 12.50."""
        return self.places > 0 and self.fewest == self.places and self.zeros

    def take(self, text: str) -> None:
        """Take in one number in plain notation."""
        if "e" in text or "E" in text:
            self.powers = True
            return
        whole, point, rest = text.lstrip("-").partition(".")
        self.whole = max(self.whole, len(whole))
        if point:
            self.places = max(self.places, len(rest))
            self.fewest = min(self.fewest, len(rest))
            self.zeros = self.zeros or rest.endswith("0")
            if len(whole) + len(rest) > 15 and Decimal(repr(float(text))) != Decimal(text):
                self.floats = False
        else:
            number = int(text)
            self.least, self.most = min(self.least, number), max(self.most, number)
            if len(whole) > 15 and int(float(text)) != number:
                self.floats = False


def measure(sheet: Sheet, at: int, read: Callable[[Any], str]) -> Measured | None:
    """Read all numbers of a column; None when many of them are none."""
    found, wrong = Measured(), 0
    for _, value in sheet.column(at):
        try:
            found.take(read(value))
        except ValueError:
            if value not in SPELLED:
                wrong += 1
    return None if wrong * 20 > sheet.count else found


def reads(sheet: Sheet, at: int, read: Callable[[Any], Any]) -> bool:
    """Tell whether every value can be read, nothing and few misfits aside."""
    known: set[Any] = set()
    wrong = 0
    for _, value in sheet.column(at):
        if value in known:
            continue
        try:
            read(value)
        except (ValueError, IndexError):
            if value not in SPELLED:
                wrong += 1
                if wrong * 50 > sheet.count or not _may_miss(sheet, at):
                    return False
        if len(known) < 10_000:
            known.add(value)
    return True


def _may_miss(sheet: Sheet, at: int) -> bool:
    return sheet.profiles[at].nearly() is not None


def example(sheet: Sheet, at: int) -> str:
    """Return the first value that says something."""
    return next((str(v) for _, v in sheet.column(at) if v not in SPELLED), "")
