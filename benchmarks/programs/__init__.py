"""One program per framework, all with the same interface (`Program`).

Each is written the way its framework's documentation writes it, and answers the
six workloads of `benchmarks.workloads`. A workload that a framework does not
offer out of its own box raises NotOffered with the reason.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, cast

__all__ = ["ORDER", "SECRET", "TEMPLATES", "NotOffered", "Program", "load", "routes"]

ORDER = (
    "bare_wsgi",
    "carboy_none",
    "carboy_compatible",
    "carboy",
    "falcon",
    "blacksheep",
    "starlette",
    "starlette_tasks",
    "litestar",
    "fastapi",
    "django_bare",
    "flask",
    "django",
    "flask_stack",
)

TEMPLATES = Path(__file__).parents[1] / "templates"
SECRET = "9f1d0c7be1a84b6fa5b3c2d4e6f70819-benchmark"  # signs sessions that nobody keeps

ROUTES = 200  # of the params workload
TARGET = 100  # place of the measured route: the middle, fair to matchers that walk the list


class NotOffered(Exception):
    """The framework does not offer this workload; str() says why."""


class Program(Protocol):
    """What a module in this package has.

    TITLE: the row's name. KIND: "wsgi", "asgi" or "asgi-tasks".
    DISTRIBUTIONS: what is measured, for the table of versions.
    SERVERS: what `--server` runs it under; the best one counts.
    TOKEN_FIELD: name of the CSRF field in a form, "" when there is none.
    """

    TITLE: str
    KIND: str
    DISTRIBUTIONS: tuple[str, ...]
    SERVERS: tuple[str, ...]
    TOKEN_FIELD: str

    def build(self, workload: str) -> Any: ...


def load(name: str) -> Program:
    """Import program *name*."""
    return cast(Program, importlib.import_module(f"{__name__}.{name}"))


def routes(integer: str, text: str) -> Iterator[tuple[str, bool]]:
    """Yield the 200 paths of `params` and whether each is the measured one.

    integer, text: how the framework spells the two kinds of parameter, with
    NAME where the name goes, for example "<int:NAME>" and "<NAME>".
    """
    number, order = integer.replace("NAME", "id"), text.replace("NAME", "order_id")
    for index in range(ROUTES):
        if index == TARGET:
            yield f"/users/{number}/orders/{order}", True
        elif index % 2:
            yield f"/area{index}/{number}", False
        else:
            yield f"/area{index}/{number}/parts/{order}", False
