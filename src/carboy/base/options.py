"""Options: typed configuration, declared once beside the code that reads it.

    Option("MAX_BODY", Bytes, default="16 MB", help="...", bounds=("1 kB", "1 GB"))
        parse("32 MB")  ->  32000000        checked against the bounds
        show(32000000)  ->  "32 MB"         secrets masked

Kinds and what the application gets: Seconds float, Bytes int, Count int, Flag
bool, Text str, Names tuple of str, Choice("a", "b") str, Secret str, Path
pathlib.Path. Where values come from is `base/sources.py`; who holds them is
`engine/config.py`.
"""

from __future__ import annotations

import json
import math
import pathlib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, Literal, TypeGuard, TypeVar, get_args

from carboy.base.errors import SetupError
from carboy.base.units import duration, show_duration, show_size, size

__all__ = [
    "MASK",
    "RETIRED",
    "Bytes",
    "Choice",
    "Count",
    "Flag",
    "Kind",
    "Names",
    "Option",
    "Path",
    "Seconds",
    "Secret",
    "Text",
    "document",
    "without_credentials",
]

T = TypeVar("T")

MASK = "***"

CREDENTIALS = re.compile(r"(?<=://)([^/@\s:]*):[^@\s/]+(?=@)")  # postgresql://user:PASSWORD@host

Read = Literal["init", "seal", "start", "request"]
"""When the value is read: in `Carboy()`, at every seal, when a worker starts, on each request."""

RETIRED: dict[str, str] = {
    "ENV": "Set DEBUG instead, or use `carboy dev` and `carboy run`.",
    "JSON_AS_ASCII": "Set app.json.ensure_ascii instead.",
    "JSON_SORT_KEYS": "Set app.json.sort_keys instead.",
    "JSONIFY_MIMETYPE": "Set app.json.mimetype instead.",
    "JSONIFY_PRETTYPRINT_REGULAR": "Set app.json.compact instead.",
}
"""Names that have no effect any more, and what does. Flask 2.3 dropped these five."""


# --- kinds -----------------------------------------------------------------------------


class Kind(ABC, Generic[T]):
    """How the values of an option are read, bounded and shown.

    accepts: completes "Accepted: ...". unit: of the value, for tables.
    secret: never shown. measure: what bounds apply to.
    """

    accepts: str = ""
    unit: str = ""
    secret: bool = False
    bounded: bool = False

    @abstractmethod
    def parse(self, raw: object) -> T:
        """Return the typed value of *raw*; raise ValueError when it is not one."""

    def show(self, value: T) -> str:
        """Write *value* as one would in carboy.toml, without quotes."""
        return str(value)

    def measure(self, value: T) -> float:
        """Return what bounds are compared with."""
        raise TypeError(f"{type(self).__name__} has no bounds")

    def bound(self, raw: object) -> float:
        """Return one end of the bounds as `measure` would."""
        return self.measure(self.parse(raw))

    def show_bound(self, end: float) -> str:
        """Write one end of the bounds."""
        return self.show(end)  # type: ignore[arg-type]  # numbers: a bound is a value

    def __repr__(self) -> str:
        return type(self).__name__.lstrip("_")


class _Seconds(Kind[float]):
    accepts = 'a duration such as "30 min", "1.5 h" or "250 ms" (a bare number means seconds)'
    unit = "seconds"
    bounded = True

    def parse(self, raw: object) -> float:
        if isinstance(raw, timedelta):
            raw = raw.total_seconds()
        if isinstance(raw, str):
            return duration(raw)
        if _is_number(raw) and 0 <= raw < math.inf:
            return float(raw)
        raise ValueError

    def show(self, value: float) -> str:
        return show_duration(value)

    def measure(self, value: float) -> float:
        return value


class _Bytes(Kind[int]):
    accepts = 'a size such as "16 MB" or "16 MiB" (a bare number means bytes)'
    unit = "bytes"
    bounded = True

    def parse(self, raw: object) -> int:
        if isinstance(raw, str):
            return size(raw)
        if _is_number(raw) and 0 <= raw < math.inf and raw == int(raw):
            return int(raw)
        raise ValueError

    def show(self, value: int) -> str:
        return show_size(value)

    def measure(self, value: int) -> float:
        return value


class _Count(Kind[int]):
    accepts = "a whole number, 0 or more"
    bounded = True

    def parse(self, raw: object) -> int:
        if isinstance(raw, str) and re.fullmatch(r"\d[\d_]{0,18}", raw.strip(), re.ASCII):
            return int(raw.strip().replace("_", ""))
        if _is_number(raw) and isinstance(raw, int) and raw >= 0:
            return raw
        raise ValueError

    def measure(self, value: int) -> float:
        return value


class _Flag(Kind[bool]):
    accepts = "true or false (also yes and no, on and off, 1 and 0)"
    words: Mapping[str, bool] = {
        "true": True, "yes": True, "on": True, "1": True,
        "false": False, "no": False, "off": False, "0": False,
    }  # fmt: skip

    def parse(self, raw: object) -> bool:
        if isinstance(raw, (bool, int, str)):
            word = str(raw).strip().lower()
            if word in self.words:
                return self.words[word]
        raise ValueError

    def show(self, value: bool) -> str:
        return "true" if value else "false"


class _Text(Kind[str]):
    accepts = "text"
    bounded = True

    def parse(self, raw: object) -> str:
        if isinstance(raw, str):
            return raw
        raise ValueError

    def measure(self, value: str) -> float:
        return len(value)

    def bound(self, raw: object) -> float:
        return Count.parse(raw)

    def show_bound(self, end: float) -> str:
        return f"{end} characters"


class _Secret(_Text):
    accepts = "secret text"
    secret = True

    def show(self, value: str) -> str:
        return MASK


class _Names(Kind[tuple[str, ...]]):
    accepts = 'a list of names, such as "a, b" or ["a", "b"]'
    bounded = True

    def parse(self, raw: object) -> tuple[str, ...]:
        if isinstance(raw, str):
            text = raw.strip()
            listed = json.loads(text) if text.startswith("[") else re.split(r"[,\s]+", text)
            return self.parse([name for name in listed if name != ""])
        if isinstance(raw, (list, tuple, set, frozenset)):
            names = tuple(sorted(raw)) if isinstance(raw, (set, frozenset)) else tuple(raw)
            if all(isinstance(name, str) and name for name in names):
                return names
        raise ValueError

    def show(self, value: tuple[str, ...]) -> str:
        return ", ".join(value)

    def measure(self, value: tuple[str, ...]) -> float:
        return len(value)

    def bound(self, raw: object) -> float:
        return Count.parse(raw)

    def show_bound(self, end: float) -> str:
        return f"{end} names"


class _Path(Kind[pathlib.Path]):
    accepts = "a path"

    def parse(self, raw: object) -> pathlib.Path:
        if isinstance(raw, (str, pathlib.Path)) and str(raw) and "\0" not in str(raw):
            return pathlib.Path(raw).expanduser()
        raise ValueError


class Choice(Kind[str]):
    """One of a few words, in any case; the application gets the spelling given here."""

    def __init__(self, *words: str) -> None:
        self.words = words
        self.accepts = f"one of {', '.join(words)}"

    def parse(self, raw: object) -> str:
        """Return the word of this choice that *raw* spells, in any case."""
        for word in self.words:
            if isinstance(raw, str) and raw.strip().lower() == word.lower():
                return word
        raise ValueError

    def __repr__(self) -> str:
        return f"Choice{self.words!r}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Choice) and other.words == self.words

    def __hash__(self) -> int:
        return hash(self.words)


Seconds = _Seconds()
Bytes = _Bytes()
Count = _Count()
Flag = _Flag()
Text = _Text()
Secret = _Secret()
Names = _Names()
Path = _Path()


# --- the option ------------------------------------------------------------------------


@dataclass(frozen=True)
class Option:
    """One configuration value: its name, kind, default, bounds and effect.

    name: upper case, as in app.config. kind: one of this module's kinds.
    default: written as in carboy.toml; None means unset, and allows None.
    help: one sentence about effect. bounds: (least, most), either may be None;
    they bound the length of Text, Secret and Names.
    because: why this default or these bounds: a standard, a measurement.
    Raises SetupError when the definition itself is wrong.

    >>> Option("BODY", Bytes, default="16 MB", help="Refuse more.").default
    16000000
    """

    name: str
    kind: Kind[Any]
    default: Any = field(default=None, kw_only=True)
    help: str = field(kw_only=True)
    bounds: tuple[Any, Any] | None = field(default=None, kw_only=True)
    read: Read = field(default="seal", kw_only=True)
    because: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        self._check_words()
        try:
            least, most = self.bounds or (None, None)
            ends = tuple(None if end is None else self.kind.bound(end) for end in (least, most))
            if self.bounds is not None:
                object.__setattr__(self, "bounds", ends)
            object.__setattr__(self, "default", self.parse(self.default, place="its default"))
        except (TypeError, ValueError):
            raise self._ill_defined(f"has bounds that do not fit {self.kind!r}") from None

    @property
    def secret(self) -> bool:
        """True when values are never shown."""
        return self.kind.secret

    @property
    def accepts(self) -> str:
        """What may be written, in words: kind, bounds, and "unset" when allowed."""
        words = self.kind.accepts
        if self.bounds is not None:
            words += f", {self.range}"
        return words + (", or empty for unset" if self.default is None else "")

    @property
    def range(self) -> str:
        """The bounds in words: "from 1 kB to 1 GB"; empty when there are none."""
        least, most = self.bounds or (None, None)
        if least is not None and most is not None:
            return f"from {self.kind.show_bound(least)} to {self.kind.show_bound(most)}"
        if least is not None:
            return f"at least {self.kind.show_bound(least)}"
        return f"at most {self.kind.show_bound(most)}" if most is not None else ""

    def parse(self, raw: object, *, place: str) -> Any:
        """Return the typed value of *raw*, within the bounds.

        place: where *raw* was written, for the message.
        Raises SetupError (options.value, options.bounds), secrets masked.
        """
        if self.default is None and (raw is None or raw == ""):
            return None
        try:
            value = self.kind.parse(raw)
        except (TypeError, ValueError):
            if self.default is None and isinstance(raw, str) and raw.lower() in ("none", "null"):
                return None
            raise self._refused("options.value", "cannot be", raw, place) from None
        if not self._within(value):
            raise self._refused("options.bounds", "is out of bounds with", raw, place)
        return value

    def show(self, value: object) -> str:
        """Write *value* for people: with its unit, masked when secret.

        A value of another type than the option's, as Flask's own keys may hold,
        is written as Python would.
        """
        if value is None:
            return ""
        if self.secret:
            return MASK if value else ""
        try:
            return without_credentials(self.kind.show(self.kind.parse(value)))
        except (TypeError, ValueError):
            return without_credentials(repr(value))

    def _within(self, value: Any) -> bool:
        least, most = self.bounds or (None, None)
        measure = self.kind.measure
        return (least is None or least <= measure(value)) and (
            most is None or measure(value) <= most
        )

    def _refused(self, code: str, verb: str, raw: object, place: str) -> SetupError:
        shown = without_credentials(repr(MASK if self.secret else raw))
        shown = shown if len(shown) <= 80 else shown[:77] + "..."
        why = f"\n{self.because}" if self.because else ""
        return SetupError(
            code,
            f"Option {self.name} {verb} {shown}, from {place}.",
            hint=f"Accepted: {self.accepts}.{why}",
        )

    def _check_words(self) -> None:
        if not re.fullmatch(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*", self.name):
            raise self._ill_defined('needs a name like "MAX_BODY": upper case, single underscores')
        if not isinstance(self.kind, Kind):
            raise self._ill_defined("needs a kind, such as Seconds or Choice('a', 'b')")
        if not self.help.endswith((".", "?")):
            raise self._ill_defined("needs a help text: one sentence about effect, with its stop")
        if self.read not in get_args(Read):
            raise self._ill_defined(f"is read at {self.read!r}, not one of {get_args(Read)}")

    def _ill_defined(self, what: str) -> SetupError:
        return SetupError(
            "options.definition",
            f"Option {self.name!r} {what}.",
            hint='Write  Option("NAME", Seconds, default="30 min", help="One sentence.").',
        )


def without_credentials(text: str) -> str:
    """Return *text* with the passwords of its addresses masked.

    >>> without_credentials("postgresql://shop:hunter2@db/shop")
    'postgresql://shop:***@db/shop'
    """
    return CREDENTIALS.sub(rf"\1:{MASK}", text)


def document(options: Iterable[Option]) -> str:
    """Return *options* as a markdown table, one row each, sorted by name.

    Columns: option, value, default, bounds, read, effect with its reason.
    """
    head = "| option | value | default | bounds | read at | effect |\n|---|---|---|---|---|---|\n"
    return head + "".join(_row(option) for option in sorted(options, key=lambda o: o.name))


def _row(option: Option) -> str:
    default = f"`{option.show(option.default)}`" if option.default is not None else "unset"
    effect = " ".join(part for part in (option.help, option.because) if part)
    cells = (
        f"`{option.name}`",
        option.kind.accepts,
        "empty" if default == "``" else default,
        option.range or "none",
        option.read,
        effect,
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _is_number(raw: object) -> TypeGuard[int | float]:
    """True for int and float, not for bool, which Python counts among them."""
    return isinstance(raw, (int, float)) and not isinstance(raw, bool)
