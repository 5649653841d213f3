"""What a typed application's views may return, beyond what Flask takes.

    model, Struct                     as they serialise themselves (ISO dates)
    dataclass, Decimal, datetime,     as `jsonify` writes them (HTTP dates)
    date, UUID
    time, set, Enum                   ISO text, a list, the member's value

At top level and anywhere inside a dict or list. The provider writes the result,
so order of keys, escapes and the final newline are those of every other JSON
answer: returning a model equals `jsonify(model.model_dump(mode="json"))`.
"""

from __future__ import annotations

import dataclasses
import enum
import sys
import weakref
from collections.abc import Callable
from datetime import date, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from carboy.engine.jsons import JSON, quick_default, stock_default

__all__ = ["encoder_for", "extended", "simpler"]

Simplify = Callable[[Any], Any]
MAX_KNOWN = 1_000  # types; views that make classes per request do not fill the memory


def encoder_for(app: Any) -> Callable[[type[Any]], Callable[[Any], bytes] | None]:
    """Return the look-up type -> encoder for *app*; None for what is Flask's affair.

    An encoder returns the JSON body. The application is held weakly.
    """
    ref = weakref.ref(app)

    def encode(obj: Any) -> bytes:
        provider = ref().json  # type: ignore[union-attr]  # it serves, so it lives
        simplify = simpler(type(obj))
        plain = obj if simplify is None else simplify(obj)
        if isinstance(provider, JSON):
            return provider.encode(plain)
        return bytes(provider.response(plain).get_data())

    known: dict[type[Any], bool] = {}

    def look_up(cls: type[Any]) -> Callable[[Any], bytes] | None:
        found = known.get(cls)
        if found is None:
            if len(known) >= MAX_KNOWN:
                known.clear()
            found = known[cls] = _stands_alone(cls)
        return encode if found else None

    return look_up


def extended(default: Simplify) -> Simplify:
    """Return the JSON provider's *default*, extended by what Flask's cannot write.

    What *default* can write it goes on writing, in the same bytes.
    """

    base = quick_default if default is stock_default else default

    def more(obj: Any) -> Any:
        cls = type(obj)  # PERF: the look-up stands here; this runs once per row
        simplify = _known.get(cls, _new)
        if simplify is _new:
            simplify = simpler(cls)
        return base(obj) if simplify is None else simplify(obj)

    return more


_known: dict[type[Any], Simplify | None] = {}


def _new(obj: Any) -> Any:
    """Stand for "not looked up yet" in the table."""
    return obj


def simpler(cls: type[Any]) -> Simplify | None:
    """Return what turns a *cls* into plain data, None where Flask's default decides."""
    found = _known.get(cls, _new)  # once: another thread may clear the table
    if found is _new:
        if len(_known) >= MAX_KNOWN:
            _known.clear()
        found = _known[cls] = _simpler(cls)
    return found


def _simpler(cls: type[Any]) -> Simplify | None:
    if hasattr(cls, "__html__") or dataclasses.is_dataclass(cls):
        return None
    if _is(cls, "pydantic", "BaseModel"):
        own = cls.model_dump is not sys.modules["pydantic"].BaseModel.model_dump
        return _dump_by_method if own else _dump
    if _is(cls, "msgspec", "Struct"):
        builtins: Simplify = sys.modules["msgspec"].to_builtins
        return builtins
    if issubclass(cls, enum.Enum):
        return lambda member: member.value
    if issubclass(cls, (set, frozenset)):
        return _listed
    return time.isoformat if issubclass(cls, time) else None


def _stands_alone(cls: type[Any]) -> bool:
    """Return whether an instance of *cls* is a whole answer that Flask would refuse."""
    if any("__call__" in vars(base) or "__next__" in vars(base) for base in cls.__mro__):
        return False  # a WSGI application, a stream
    if issubclass(cls, (str, bytes, bytearray, dict, list, tuple)):
        return False
    return (
        issubclass(cls, (Decimal, date, UUID))
        or dataclasses.is_dataclass(cls)
        or simpler(cls) is not None
    )


def _is(cls: type[Any], module: str, name: str) -> bool:
    """Return whether *cls* derives from a class of a library that is imported already."""
    base = getattr(sys.modules.get(module), name, None)
    return base is not None and issubclass(cls, base)


def _dump(model: Any) -> Any:
    return model.__pydantic_serializer__.to_python(model, mode="json")  # what model_dump calls


def _dump_by_method(model: Any) -> Any:
    return model.model_dump(mode="json")


def _listed(items: Any) -> list[Any]:
    """Return a set as a list, in order when its items have one: equal sets, equal bytes."""
    try:
        return sorted(items)
    except TypeError:
        return list(items)
