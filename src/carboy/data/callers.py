"""Callers: which line of the user's own code asked, through all libraries between.

    a statement runs  ->  caller()  ->  Place("shop/views.py", 31) or a line of a template

Own is what lies neither in the standard library, nor among installed packages, nor in
Carboy. Walking the stack costs microseconds: for development and tests.
"""

from __future__ import annotations

import linecache
import os
import site
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from carboy.base.errors import SetupError

__all__ = ["Place", "caller", "declared_at"]

PACKAGE = str(Path(__file__).resolve().parents[1])
FLOW = str(Path(PACKAGE, "engine", "flow.py"))  # below it is the server, or a test's client


class Place(NamedTuple):
    """A line of code. file: relative to the working folder when it lies in it."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    @property
    def text(self) -> str:
        """The line itself, or "" when the file cannot be read."""
        return linecache.getline(self.file, self.line).strip()


def caller(view: Any = None) -> Place | None:
    """Return the innermost line of the user's own code that is running.

    view: the function whose definition stands for work that the framework does for it,
    such as turning what it returned into JSON. None when there is neither.
    """
    frame = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        template = frame.f_globals.get("__jinja_template__")
        if template is not None:
            return Place(_shown(file), template.get_corresponding_lineno(frame.f_lineno))
        if _is_own(file):
            return Place(_shown(file), frame.f_lineno)
        if file == FLOW and view is not None:
            break
        frame = frame.f_back  # type: ignore[assignment]  # the outermost has none
    code = getattr(view, "__code__", None)
    return Place(_shown(code.co_filename), code.co_firstlineno) if code else None


@contextmanager
def declared_at(place: Place | None) -> Iterator[None]:
    """Add to a SetupError raised inside `with` where the thing was declared that is wrong.

    For what is looked at later than it is written, when no traceback leads there.
    """
    try:
        yield
    except SetupError as error:
        if place is not None:
            error.message = f"{error.message} It is declared at {place}."
            error.args = (error.message,)
        raise


@lru_cache(maxsize=2048)
def _is_own(file: str) -> bool:
    if file.startswith("<"):  # generated
        return False
    return not os.path.abspath(file).startswith(LIBRARIES)


def _shown(file: str) -> str:
    return _relative(file, os.getcwd()) if os.path.isabs(file) else file


@lru_cache(maxsize=2048)
def _relative(file: str, folder: str) -> str:
    path = os.path.relpath(file, folder)
    return file if path.startswith("..") else path


def _libraries() -> tuple[str, ...]:
    named = sysconfig.get_paths()
    found = {named[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")}
    found.update(site.getsitepackages(), {site.getusersitepackages(), PACKAGE})
    found |= {os.path.realpath(path) for path in found}
    return tuple(path.rstrip(os.sep) + os.sep for path in found)


LIBRARIES = _libraries()
