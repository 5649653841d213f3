"""The folder of migrations, read without running it.

    migrations/0001_first.py        revision = "0001_first"        down_revision = None
    migrations/0002_add_books.py    revision = "0002_add_books"    down_revision = "0001_first"

        ->  Folder.all()  ->  Migration, Migration: each after those it builds on

A Migration has a digest of what it does: comments, layout and docstrings do not count.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from carboy.base.errors import SetupError

__all__ = ["Folder", "Migration"]

NUMBER = re.compile(r"(\d+)_")
LONGEST = 60  # characters of a revision
SKIPPED = ("_", ".")  # beginnings of names that are no migrations
CORRECTED = {"down_revision", "allow", "downgrade"}  # no part of what was applied


@dataclass(frozen=True)
class Migration:
    """One migration.

    revision: its name, the file's. parents: what it builds on; several for a merge.
    title: the first line of its docstring. digest: of what it does.
    transaction: False when it says `transaction = False`.
    """

    revision: str
    parents: tuple[str, ...]
    title: str
    digest: str
    path: Path
    transaction: bool = True

    def load(self) -> ModuleType:
        """Run the file and return its module. Raises SetupError when it fails."""
        spec = importlib.util.spec_from_file_location(f"migration_{self.revision}", self.path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            raise SetupError(
                "migrations.broken",
                f"The migration {self.path.name} cannot be imported:"
                f" {type(error).__name__}: {error}",
                hint="A migration imports no models: they change, and it must not.",
            ) from error
        return module


class Folder:
    """The migrations of one database."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[Any, ...] | None = None
        self._steps: tuple[Migration, ...] = ()

    def all(self) -> tuple[Migration, ...]:
        """Return every migration, parents before children; () when there is no folder.

        Read again only when a file has changed. Raises SetupError for a file that is no
        migration, for a missing parent, and for a circle.
        """
        files = sorted(self._files())
        seen = tuple((path, path.stat().st_mtime_ns, path.stat().st_size) for path in files)
        if seen != self._seen:
            self._steps = _in_order([_read(path) for path in files])
            self._seen = seen
        return self._steps

    def heads(self) -> tuple[Migration, ...]:
        """Return the migrations that none builds on."""
        found = self.all()
        built_on = {parent for one in found for parent in one.parents}
        return tuple(one for one in found if one.revision not in built_on)

    def head(self) -> Migration | None:
        """Return the last migration. Raises SetupError when there are several last ones."""
        heads = self.heads()
        if len(heads) > 1:
            names = " and ".join(one.revision for one in heads)
            raise SetupError(
                "migrations.heads",
                f"{len(heads)} migrations claim to be the last: {names}.",
                hint="Usually two people made one each. Put the one that is not released yet"
                f" after the other:\nin {heads[-1].path.name} write"
                f"  down_revision = {heads[0].revision!r}",
            )
        return heads[0] if heads else None

    def find(self, said: str) -> Migration:
        """Return the migration called *said*: its name, its beginning, its number, "head".

        Raises SetupError when there is none, or a choice.
        """
        known = self.all()
        if said in ("head", "heads") and (last := self.head()):
            return last
        found = [one for one in known if one.revision == said]
        found = found or [one for one in known if one.revision.startswith(said) and said]
        found = found or [one for one in known if _number(one.revision) == _number(said) > 0]
        if len(found) == 1:
            return found[0]
        names = ", ".join(one.revision for one in (found or known)[-8:]) or "none yet"
        raise SetupError(
            "migrations.unknown",
            f"{said!r} could be any of several migrations."
            if found
            else f"There is no migration {said!r} in {self.path}.",
            hint=f"{'These' if found else 'Known'}: {names}.",
        )

    def before(self, migration: Migration) -> set[str]:
        """Return the names of *migration* and of all that it builds on."""
        known = {one.revision: one for one in self.all()}
        found: set[str] = set()
        open_ = [migration.revision]
        while open_:
            name = open_.pop()
            if name not in found:
                found.add(name)
                open_.extend(known[name].parents)
        return found

    def next_number(self) -> str:
        """Return the number of the next file, four digits: one more than the greatest."""
        return f"{max([0, *(_number(one.revision) for one in self.all())]) + 1:04d}"

    def _files(self) -> Iterable[Path]:
        if not self.path.is_dir():
            return ()
        return (path for path in self.path.glob("*.py") if not path.name.startswith(SKIPPED))


def _number(revision: str) -> int:
    found = NUMBER.match(f"{revision}_")
    return int(found[1]) if found else 0


def _read(path: Path) -> Migration:
    """Return the Migration of a file. Raises SetupError when it is no migration."""
    try:
        tree = ast.parse(path.read_bytes(), str(path))
        said = _constants(tree)
        revision, parents = said["revision"], _parents(said.get("down_revision"))
    except (SyntaxError, ValueError, KeyError, OSError) as error:
        what = f"line {error.lineno}: {error.msg}" if isinstance(error, SyntaxError) else error
        raise SetupError(
            "migrations.broken",
            f"{path.name} is no migration that can be read: {what}.",
            hint="It needs  revision = '...'  and  down_revision = '...'  as plain texts."
            " Other files belong elsewhere, or begin with _.",
        ) from error
    title = (ast.get_docstring(tree) or "").strip().split("\n")[0]
    return Migration(revision, parents, title, _digest(tree), path, said.get("transaction", True))


def _constants(tree: ast.Module) -> dict[str, Any]:
    """Return the plain values that are assigned at the top of the file."""
    found: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name, value = node.targets[0].id, node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            name, value = node.target.id, node.value
        else:
            continue
        if name in ("revision", "down_revision", "transaction"):
            found[name] = ast.literal_eval(value)
    if not isinstance(found.get("revision"), str):
        raise KeyError("no revision in it")
    return found


def _parents(said: Any) -> tuple[str, ...]:
    if said is None:
        return ()
    return (said,) if isinstance(said, str) else tuple(said)


def _digest(tree: ast.Module) -> str:
    """Return 16 hexadecimal digits for what upgrade() does, and what it calls.

    Its place in the line, the reasons in `allow` and the way back may be corrected later.
    """
    tree.body = [node for node in tree.body if _names(node).isdisjoint(CORRECTED)]
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_text(body[0]):
            del body[0]
    return hashlib.blake2b(ast.dump(tree).encode(), digest_size=8).hexdigest()


def _names(node: ast.stmt) -> set[str]:
    """Return what a statement at the top of the file defines."""
    if isinstance(node, ast.FunctionDef):
        return {node.name}
    targets = [*getattr(node, "targets", ()), getattr(node, "target", None)]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _is_text(node: Any) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _in_order(found: list[Migration]) -> tuple[Migration, ...]:
    """Return *found*, parents first, else by name. Raises SetupError."""
    known = {one.revision: one for one in found}
    if len(known) < len(found):
        twice = next(s.revision for s in found if known[s.revision] is not s)
        raise SetupError(
            "migrations.broken",
            f"Two files of the migrations say  revision = {twice!r}.",
            hint="Give one of them its own name, that of its file.",
        )
    for one in found:
        for parent in one.parents:
            if parent not in known:
                raise _missing(one, parent)
    return tuple(_sorted(sorted(found, key=lambda one: one.revision)))


def _sorted(waiting: list[Migration]) -> Iterable[Migration]:
    done: set[str] = set()
    while waiting:
        ready = next((one for one in waiting if done.issuperset(one.parents)), None)
        if ready is None:
            names = ", ".join(one.revision for one in waiting)
            raise SetupError(
                "migrations.broken",
                f"Migrations build on each other in a circle: {names}.",
                hint="down_revision names the migration before. Somebody edited one: look at"
                " its history.",
            )
        waiting.remove(ready)
        done.add(ready.revision)
        yield ready


def _missing(one: Migration, parent: str) -> SetupError:
    return SetupError(
        "migrations.missing",
        f"{one.path.name} builds on {parent!r}, and there is no such migration.",
        hint="Usually a file was deleted or not committed. Get it back from version control;"
        " what databases have applied is never taken out of the chain.",
    )
