"""Find the application without importing anything.

    --app  >  CARBOY_APP  >  FLASK_APP  >  .env  >  pyproject [tool.carboy] app
           >  app.py, wsgi.py  >  a package here  >  a package in src/

Files are read, not run: `carboy --help` and `carboy new` must work beside a
broken application. `load.py` imports what was found.
"""

from __future__ import annotations

import ast
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from carboy.base.errors import SetupError

__all__ = ["Target", "env_file", "find", "search"]

NAMES = ("app", "application", "create_app", "make_app")
"""What an application is called in its module, in Flask's order."""

FILES = ("app.py", "wsgi.py")
NOT_PACKAGES = {"tests", "test", "docs", "examples", "migrations", "scripts", "benchmarks"}


@dataclass(frozen=True)
class Target:
    """Where an application is.

    path: what Flask's --app takes: "shop", "shop.web:app", "src/shop", "app.py:create(1)".
    origin: how it was found, for people: "app.py", "--app", "environment CARBOY_APP".
    folder: the folder that relative paths start from.
    """

    path: str
    origin: str
    folder: Path

    def __str__(self) -> str:
        return self.path


def find(given: str | None, folder: Path | None = None) -> Target:
    """Return the application meant by *given*, or the one that lies in *folder*.

    given: the value of --app; None searches.
    Raises SetupError (cli.app.none) that says where it looked.
    """
    folder = folder or Path.cwd()
    target = Target(given, "--app", folder) if given else search(folder)
    if target is None:
        raise _nothing_found(folder)
    return target


def search(folder: Path) -> Target | None:
    """Return the first application found for *folder*, or None."""
    for path, origin in _candidates(folder):
        return Target(path, origin, folder)
    return None


def env_file(folder: Path) -> dict[str, str]:
    """Return the variables of .flaskenv and .env in *folder*; .env wins.

    Grammar: NAME=value lines, optional "export ", quotes removed, # comments.
    """
    found: dict[str, str] = {}
    for name in (".flaskenv", ".env"):
        try:
            lines = (folder / name).read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            continue
        found.update(pair for line in lines if (pair := _assignment(line)))
    return found


# -- the search, in order --


def _candidates(folder: Path) -> Iterator[tuple[str, str]]:
    yield from _from_variables(os.environ, "environment variable")
    yield from _from_variables(env_file(folder), ".env file,")
    yield from _from_pyproject(folder)
    for name in FILES:
        if (folder / name).is_file():
            yield name, name
    for root in (folder, folder / "src"):
        yield from _from_package(root, folder)


def _from_variables(values: Mapping[str, str], where: str) -> Iterator[tuple[str, str]]:
    for name in ("CARBOY_APP", "FLASK_APP"):
        if values.get(name):
            yield values[name], f"{where} {name}"


def _from_pyproject(folder: Path) -> Iterator[tuple[str, str]]:
    app = _pyproject(folder).get("tool", {}).get("carboy", {}).get("app")
    if isinstance(app, str) and app:
        yield app, "pyproject.toml [tool.carboy] app"


def _from_package(root: Path, folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the package that pyproject names, else the only one with an application."""
    packages = {path.name: module for path in _packages(root) if (module := _app_module(path))}
    project = _pyproject(folder).get("project", {}).get("name", "")
    named = re.sub(r"[-.]+", "_", project).lower() if isinstance(project, str) else ""
    chosen = packages.get(named) or (next(iter(packages.values())) if len(packages) == 1 else None)
    if chosen:
        shown = chosen.relative_to(folder).as_posix()
        yield shown, shown


def _packages(root: Path) -> Iterable[Path]:
    if not root.is_dir():
        return ()
    return sorted(
        path
        for path in root.iterdir()
        if path.name not in NOT_PACKAGES
        and path.name.isidentifier()
        and (path / "__init__.py").is_file()
    )


def _app_module(package: Path) -> Path | None:
    """Return the package itself or its app.py or wsgi.py: whichever has an application."""
    for path in (package / "__init__.py", package / "app.py", package / "wsgi.py"):
        if path.is_file() and names_app(path):
            return package if path.name == "__init__.py" else path
    return None


def names_app(path: Path) -> bool:
    """Tell whether the Python file at *path* defines an application at its top level."""
    try:
        body = ast.parse(path.read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return False
    return any(name in NAMES for node in body for name in _defined(node))


def _defined(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        yield node.name
    elif isinstance(node, ast.Assign):
        yield from (target.id for target in node.targets if isinstance(target, ast.Name))
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield node.target.id
    elif isinstance(node, ast.ImportFrom):
        yield from (alias.asname or alias.name for alias in node.names)


# -- small readers --


def _pyproject(folder: Path) -> dict[str, dict[str, dict[str, object]]]:
    try:
        return tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return {}


def _assignment(line: str) -> tuple[str, str] | None:
    match = re.match(r"\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*$", line)
    if not match:
        return None
    name, value = match.groups()
    quoted = re.match(r"""(["'])(.*)\1\s*(?:#.*)?$""", value)
    return name, quoted[2] if quoted else re.sub(r"(?:^|\s)#.*$", "", value)


def _nothing_found(folder: Path) -> SetupError:
    others = sorted(path.stem for path in folder.glob("*.py") if names_app(path))
    hint = (
        f"{others[0]}.py looks like one: carboy --app {others[0]} ...\n"
        if others
        else "Go to the application's folder, name it (carboy --app shop.web:app ...),\n"
        "or begin one: carboy new shop\n"
    )
    return SetupError(
        "cli.app.none",
        f"There is no application in {folder}.\n"
        "Looked for: --app, CARBOY_APP and FLASK_APP (environment, .env), [tool.carboy] app in\n"
        "pyproject.toml, app.py, wsgi.py, a package with 'app' or 'create_app' here or in src/.",
        hint=hint.rstrip("\n"),
    )
