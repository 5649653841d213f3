"""`carboy new NAME`: write a small project, whole and clean from the first minute.

    template/*/*.tmpl  +  @name@ words  ->  NAME/      a new key goes to NAME/.env
    --from data.csv    ->  adopt/                      models of what is in it, and its rows

Asks nothing, needs no network, and leaves nothing half written.
"""

from __future__ import annotations

import keyword
import re
import secrets
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata, resources
from importlib.resources.abc import Traversable
from pathlib import Path

import rich_click as click

from carboy.base.errors import SetupError
from carboy.cli.secret import KEY_BYTES

__all__ = ["check_name", "new", "title_of", "write"]

SUFFIX = ".tmpl"  # so that neither tests nor checkers take a template for a program
DOTTED = {"gitignore": ".gitignore", "env.example": ".env.example"}
TAKEN = {"app", "carboy", "flask", "test", "tests", "static", "templates"}
ENV = "# Settings of this machine, not for the repository.\nCARBOY_SECRET_KEY={key}\n"
LONGEST = 50  # characters of a name; it becomes a folder and a package


@click.command()
@click.argument("name")
@click.option(
    "--from",
    "sources",
    multiple=True,
    metavar="SOURCE",
    help="Begin with what is in a CSV, JSON or SQLite file, or in a database such as"
    " postgresql://user@host/shop. May be given several times.",
)
@click.option(
    "--skip-bad",
    is_flag=True,
    help="With --from: leave out rows that cannot be read, and tell them in rejected.csv.",
)
def new(name: str, sources: tuple[str, ...], skip_bad: bool) -> None:
    """Start a project: application, templates, tests, settings.

    NAME is its folder. Writes an application with models, pages, an API, tests, settings for
    ruff and mypy, and a .env with a fresh key. Asks nothing and needs no network.

    With --from the models are those of your data, which is loaded: all of it, or nothing is
    written. It can be seen by admins and staff only.
    """
    folder = Path(name)
    called = folder.resolve().name
    check_name(called if name.strip() else name)
    _check_folder(folder)
    if sources:
        from carboy.cli.adopt.adopt import adopt  # here: imports SQLAlchemy

        adopt(folder, sources, skip_bad=skip_bad)
        return
    if skip_bad:
        raise click.UsageError("--skip-bad is about rows: it needs --from.")
    write(folder, called, "shop", {"@files@": '"app.py", "tests"'})
    click.echo(f"{called} is ready. Next:\n")
    click.echo(f"  cd {folder}\n  carboy dev       # then open http://127.0.0.1:8000\n  pytest")


def title_of(called: str) -> str:
    """Return what people call the project: "Web shop"."""
    return re.sub(r"[-_]+", " ", called).strip().capitalize()


def write(folder: Path, called: str, kind: str, words: Mapping[str, str]) -> None:
    """Write a project to *folder*, which is new or empty.

    called: its name. kind: which templates, beside those that all have. words: what to put
    into them, beside the name.
    """
    words = {
        "@title@": title_of(called),
        "@dist@": called.replace("_", "-").strip("-").lower(),
        "@version@": _version(),
        **words,
    }
    templates = resources.files("carboy.cli") / "template"
    for part in ("common", kind):
        for source, path in _templates(templates / part, Path()):
            text = source.read_text("utf-8")
            for word, value in words.items():
                text = text.replace(word, value)
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, "utf-8")
    _write_env(folder)


def check_name(name: str) -> None:
    """Raise SetupError (new.name) unless a project may be called *name*."""
    plain = name.replace("-", "_")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name) or len(name) > LONGEST:
        reason = f"has to begin with a letter, go on with letters, digits, - and _, and have at \
most {LONGEST} characters"
    elif keyword.iskeyword(plain) or keyword.issoftkeyword(plain):
        reason = "is a word of the Python language"
    elif plain.lower() in sys.stdlib_module_names:
        reason = "is a module of Python's standard library, which it would hide"
    elif plain.lower() in TAKEN:
        reason = "is a name that Carboy projects use inside"
    else:
        return
    raise SetupError(
        "new.name",
        f"A project cannot be called {name!r}: a name {reason}."
        if reason.startswith("has")
        else f"A project cannot be called {name!r}: it {reason}.",
        hint="Take another name, for example: carboy new shop",
    )


def _check_folder(folder: Path) -> None:
    if not folder.parent.is_dir():
        raise SetupError(
            "new.parent",
            f"There is no folder {folder.parent} to write {folder.name} into.",
            hint=f"Make it first: mkdir -p {folder.parent}",
        )
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if folder.exists() or folder.is_symlink():
        what = "is there already and not empty" if folder.is_dir() else "is a file"
        raise SetupError(
            "new.exists",
            f"{folder} {what}; nothing was written.",
            hint="Take another name, or move it away first.",
        )


def _templates(source: Traversable, path: Path) -> Iterator[tuple[Traversable, Path]]:
    """Yield each template with the path that it is written to, relative to the project."""
    for entry in sorted(source.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _templates(entry, path / entry.name)
        elif entry.name.endswith(SUFFIX):
            name = entry.name.removesuffix(SUFFIX)
            yield entry, path / DOTTED.get(name, name)


def _write_env(folder: Path) -> None:
    """Write .env with a key of its own, for this user's eyes."""
    path = folder / ".env"
    path.touch(mode=0o600)
    path.write_text(ENV.format(key=secrets.token_hex(KEY_BYTES)), "utf-8")


def _version() -> str:
    return metadata.version("carboy")
