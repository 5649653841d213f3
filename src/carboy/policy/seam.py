"""Every private part of SQLAlchemy that policies touch, and the version it was checked on.

check_version()        refuses a version nobody has looked at
engine_cache, ...      the compiled caches, so that each shape has its own entries
set_values, ...        what an UPDATE or INSERT sets, as the compiler knows it
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm, util

from carboy.base.errors import SetupError

__all__ = [
    "CHECKED",
    "check_version",
    "deleted_in",
    "give_engine_cache",
    "give_mapper_cache",
    "give_mapper_caches",
    "rows_inserted",
    "selected_keys",
    "selecting",
    "set_values",
]

CHECKED = (2, 1)  # bin/test runs the traps of POLICY-NOTES against this series


def check_version(version: str = sa.__version__) -> None:
    """Raise SetupError for an SQLAlchemy whose compiler was not checked for new doors."""
    series = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if series != CHECKED:
        raise SetupError(
            "policy.sqlalchemy",
            f"SQLAlchemy {version} is installed; policies were checked with 2.1.",
            hint="Install sqlalchemy>=2.1,<2.2.",
        )


def give_engine_cache(engine: sa.Engine, wrap: Any) -> None:
    """Replace the compiled cache of *engine* by wrap(cache)."""
    cache = engine._compiled_cache
    if cache is not None and not isinstance(cache, wrap):
        engine._compiled_cache = wrap(cache)


def give_mapper_caches(registries: list[orm.registry], scoped: type, wrap: Any) -> None:
    """Replace the cache of flush statements of every base mapper by wrap(cache).

    A memoized attribute: what stands in the instance's dict is what SQLAlchemy uses.
    scoped: the class of caches that need no replacing.
    """
    for mapper in [mapper for registry in registries for mapper in registry.mappers]:
        give_mapper_cache(mapper, scoped, wrap)


def give_mapper_cache(mapper: orm.Mapper[Any], scoped: type, wrap: Any) -> None:
    """Do so for one, which loses it whenever an attribute of its class is set."""
    base = vars(mapper.base_mapper)
    if not isinstance(base.get("_compiled_cache"), scoped):
        base["_compiled_cache"] = wrap(util.LRUCache(100))


def set_values(statement: Any) -> dict[str, Any]:
    """Return what `values()` of an UPDATE sets: column key to value or expression."""
    return {getattr(key, "key", key): value for key, value in (statement._values or {}).items()}


def rows_inserted(insert: Any) -> list[set[str]]:
    """Return the keys of the columns that each of several rows in one values() sets."""
    rows = [row for some in insert._multi_values for row in some]
    positional = list(insert.table.c.keys())
    return [
        {str(getattr(key, "key", key)) for key in row}
        if isinstance(row, dict)
        else set(positional[: len(row)])
        for row in rows
    ]


def selected_keys(insert: Any) -> list[str]:
    """Return the keys of the columns that INSERT .. SELECT sets, in the order of the SELECT."""
    return [str(getattr(key, "key", key)) for key in insert._select_names]


def selecting(insert: Any, select: sa.Select[Any]) -> Any:
    """Return an INSERT .. SELECT with another SELECT of the same columns."""
    changed = insert._generate()
    changed.select = select
    return changed


def deleted_in(context: Any) -> list[Any]:
    """Return the states that a flush (its UOWTransaction) deletes, orphans included."""
    return [state for state, (gone, listed) in context.states.items() if gone and not listed]
