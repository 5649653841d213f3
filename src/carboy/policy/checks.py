"""Checks: what `carboy check` says about policies and about the ways around them.

rules        a mistake in one; a model without any
the source   every `unscoped("reason")`, every raw cursor
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from carboy.base.checks import ERROR, NOTE, WARNING, Finding
from carboy.base.errors import SetupError

if TYPE_CHECKING:
    from carboy.policy.book import Rulebook

__all__ = ["findings", "ways_around"]

RAW = {"raw_connection", "driver_connection", "dbapi_connection"}
MOST_FILES = 5_000


def findings(app: Any, book: Rulebook) -> Iterable[Finding]:
    """Yield what is wrong with the rules of *book*, then every way around them in *app*."""
    try:
        governed = book.tables()
    except SetupError as error:
        yield Finding(ERROR, error.code, error.message, hint=error.hint)
        return
    for one in governed:
        model = None if one.mapper is None else one.mapper.class_
        if model and getattr(model, "policy", None) is None and book.undeclared is None:
            yield Finding(
                WARNING, "policy.undeclared", f"{one.name} states no policy: nobody sees its rows.",
                hint="Write  policy = Policy(read=everyone, write=role('staff'))  in the class.",
                where=_of_class(model),
            )  # fmt: skip
    for file in _sources(app):
        yield from ways_around(file)


def ways_around(file: Path) -> Iterator[Finding]:
    """Yield every call of `unscoped` and every raw connection in a file."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node.func) == "unscoped":
            reason = ast.unparse(node.args[0]) if node.args else "no reason"
            yield Finding(
                NOTE, "policy.unscoped", f"No policy applies here: {reason}.",
                where=f"{file}:{node.lineno}",
            )  # fmt: skip
        elif isinstance(node, ast.Attribute) and node.attr in RAW:
            yield Finding(
                WARNING, "policy.raw", f"`{node.attr}` reaches the driver, past every policy.",
                hint="Use db.session, or engine.connect() with `with unscoped('why'):`.",
                where=f"{file}:{node.lineno}",
            )  # fmt: skip


def _sources(app: Any) -> list[Path]:
    """Return the files of the application: what was imported from its folder."""
    root = Path(app.root_path).resolve()
    named = (getattr(module, "__file__", None) for module in tuple(sys.modules.values()))
    files = {Path(name).resolve() for name in named if name and name.endswith(".py")}
    mine = [file for file in files if file.is_relative_to(root) and not _installed(file, root)]
    return sorted(mine)[:MOST_FILES]


def _installed(file: Path, root: Path) -> bool:
    """Tell whether a file below *root* is somebody else's: an environment lies there too."""
    return "site-packages" in file.relative_to(root).parts


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _of_class(cls: type) -> str:
    module = sys.modules.get(cls.__module__)
    return f"{getattr(module, '__file__', cls.__module__)}: class {cls.__name__}"
