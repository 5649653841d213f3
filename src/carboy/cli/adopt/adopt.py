"""`carboy new NAME --from ...`, step by step.

    read  ->  draft  ->  write beside  ->  import, migrate, load  ->  move into place  ->  tell

Everything happens in a folder of its own, next to where the project will be. Whatever goes
wrong, that folder goes, and nothing is left half.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from carboy.cli.adopt.loading import Load, refuse, write_rejected
from carboy.cli.adopt.project import write_project
from carboy.cli.adopt.report import summary, unsure
from carboy.cli.adopt.sources import read, shown
from carboy.cli.adopt.staging import Stage
from carboy.cli.adopt.tables import draft

if TYPE_CHECKING:
    from flask import Flask

    from carboy.cli.adopt.drafts import Draft

__all__ = ["adopt"]

NAMES: tuple[str, ...] = ("app", "models")  # modules of a project
VARIABLES = ("CARBOY_DATABASE_URL", "FLASK_DATABASE_URL", "CARBOY_DATABASES", "FLASK_DATABASES")


def adopt(folder: Path, sources: Sequence[str], *, skip_bad: bool = False) -> None:
    """Make a project of what *sources* hold. Raises SetupError, and then leaves nothing."""
    called = folder.resolve().name
    names = ", ".join(dict.fromkeys(map(shown, sources)))
    with Stage() as stage:
        _say(f"Reading {names}")
        read(sources, stage)
        refuse(stage, skip_bad=skip_bad)
        drafts = draft(stage, called, skip_bad=skip_bad)
        with _beside(folder) as part:
            write_project(part, called, drafts, names, stage.notes)
            load = _load(part, stage, drafts, skip_bad)
            rejected = write_rejected(part / "rejected.csv", drafts, load.rejected)
            _put(part, folder)
        _tell(folder, drafts, stage.notes, load, rejected)


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """Yield a new folder on the same disk as *folder*; it is gone afterwards."""
    parent = folder.resolve().parent
    part = Path(tempfile.mkdtemp(prefix=f".{folder.resolve().name}-", dir=parent))
    part.chmod(0o777 & ~_umask())
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _put(part: Path, folder: Path) -> None:
    """Move what is whole into place; *folder* may be there, and empty."""
    for cache in [*part.rglob("__pycache__")]:
        shutil.rmtree(cache)
    if not folder.exists():
        part.rename(folder)
        return
    for entry in sorted(part.iterdir()):
        entry.rename(folder / entry.name)


def _load(part: Path, stage: Stage, drafts: Sequence[Draft], skip_bad: bool) -> Load:
    """Import the new application, make its database and fill it."""
    with _only_here(part):
        from carboy.cli.find import Target
        from carboy.cli.load import load

        app = load(Target("app.py", "carboy new", part))
        try:
            return _fill(app, stage, drafts, skip_bad)
        finally:
            app.extensions["carboy.data"].close()


@contextmanager
def _only_here(part: Path) -> Iterator[None]:
    """Let the application find its own modules and database, and nobody else's."""
    kept = {name: os.environ.pop(name) for name in VARIABLES if name in os.environ}
    before, path = Path.cwd(), list(sys.path)
    modules = {name: sys.modules.pop(name) for name in NAMES if name in sys.modules}
    os.chdir(part)
    sys.path.insert(0, str(part))
    try:
        yield
    finally:
        os.chdir(before)
        sys.path[:] = path
        for name in NAMES:
            sys.modules.pop(name, None)
        sys.modules.update(modules)
        os.environ.update(kept)


def _fill(app: Flask, stage: Stage, drafts: Sequence[Draft], skip_bad: bool) -> Load:
    from carboy.data.db import db
    from carboy.data.migrations import runner
    from carboy.data.migrations.files import write
    from carboy.data.migrations.plan import drafted
    from carboy.data.migrations.project import target

    place = target(app)
    write(place.folder, drafted(place), "First models")
    runner.upgrade(place, options=runner.Options(review=False))
    total = sum(one.rows for one in drafts)
    with app.app_context(), _progress(total) as tick:
        load = Load(stage, drafts, sys.modules["models"], skip_bad=skip_bad, tick=tick)
        load.run(db)
    return load


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """Show how far it is, on a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns: list[Any] = [
        TextColumn("Loading"), BarColumn(), MofNCompleteColumn(), TextColumn("rows"),
        TimeElapsedColumn(),
    ]  # fmt: skip
    hidden = not sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), disable=hidden, transient=True) as bar:
        task = bar.add_task("load", total=total)
        yield lambda rows: bar.advance(task, rows)


def _say(text: str) -> None:
    if sys.stderr.isatty():
        click.echo(text, err=True)


def _tell(
    folder: Path, drafts: Sequence[Draft], notes: Sequence[str], load: Load, rejected: int
) -> None:
    for line in summary(drafts):
        click.echo(line)
    doubts = unsure(drafts, notes)
    if doubts:
        click.echo("\nNot sure, so look at it:")
        for line in doubts:
            click.echo(f"  {line}")
    loaded = sum(load.written.values())
    click.echo(f"\n{folder.resolve().name} is ready, with {loaded:,} rows.")
    if rejected:
        click.echo(f"{rejected:,} rows were left out: {folder / 'rejected.csv'} tells why.")
    click.echo(
        f"It is closed until you open it. Next:\n\n  cd {folder}\n"
        "  carboy users add you@example.com --role admin\n"
        "  carboy dev       # then open http://127.0.0.1:8000\n"
        "  pytest"
    )
