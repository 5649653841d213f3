"""Import the application that `find.py` found; every failure becomes a letter.

    Target  ->  load()  ->  flask.Flask  |  SetupError: what failed, where, what to do

Flask's own look-up does the importing, so a target means here what it means to
`flask --app`. Imported lazily by the commands: this module imports Flask.
"""

from __future__ import annotations

import os
import re
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from flask.cli import NoAppException, locate_app, prepare_import

from carboy.base.errors import SetupError

if TYPE_CHECKING:
    from flask import Flask

    from carboy.cli.find import Target

__all__ = ["load"]


def load(target: Target) -> Flask:
    """Import and return the application at *target*.

    `app.run()` at the bottom of a file does nothing meanwhile, as under `flask`.
    Raises SetupError: cli.app.missing, cli.app.broken or cli.app.unclear.
    """
    os.environ["FLASK_RUN_FROM_CLI"] = "true"
    path, _, name = _split(target)
    module = prepare_import(path)
    try:
        return locate_app(module, name or None)
    except NoAppException as error:
        raise _letter(target, module, error) from error
    except SetupError:
        raise
    except (Exception, SystemExit) as error:
        raise _broken(target, error) from error


def _split(target: Target) -> tuple[str, str, str]:
    """Return (path, ":", attribute); a drive letter or a slash is not a separator."""
    parts = re.split(r":(?![\\/])", target.path, maxsplit=1)
    path = parts[0]
    full = target.folder / path
    return (str(full) if full.exists() else path), ":", parts[1] if len(parts) > 1 else ""


def _letter(target: Target, module: str, error: NoAppException) -> SetupError:
    """Turn Flask's message into one that says how the target was found."""
    text = error.format_message()
    if text.startswith("While importing") and error.__context__ is not None:
        return _broken(target, error.__context__)
    if text.startswith("Could not import"):
        return SetupError(
            "cli.app.missing",
            f"There is no module {module!r} to import (from {target.origin}).",
            hint="Looked in this folder and in the installed packages. Give a module,\n"
            "'module:name', 'module:factory(arguments)' or a path: carboy --app shop.web:app ...",
        )
    return SetupError(
        "cli.app.unclear",
        f"{text.replace('Flask application', 'application')} (from {target.origin})",
        hint="An application is a flask.Flask or carboy.Carboy called 'app', or a function "
        "'create_app'\nthat returns one. Name another one: carboy --app module:name ...",
    )


def _broken(target: Target, error: BaseException) -> SetupError:
    """Say which line of the user's files failed; the traceback stays as __cause__."""
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    place = _place(error, target.folder)
    return SetupError(
        "cli.app.broken",
        f"The application {target} could not be imported: {what}\n{place}",
        hint="Put that right, or see the whole traceback with: carboy --traceback ...",
    )


def _place(error: BaseException, folder: Path) -> str:
    """Return the deepest line in the user's own files, else the deepest line."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"  {error.filename}:{error.lineno}\n    {(error.text or '').strip()}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _is_own(frame.filename, folder)]
    if not (own or frames):
        return ""
    frame = (own or list(frames))[-1]
    return f"  {_short(frame.filename, folder)}:{frame.lineno}\n    {frame.line}"


def _is_own(filename: str, folder: Path) -> bool:
    path = Path(filename)
    return folder in path.parents and not any(
        Path(prefix) in path.parents for prefix in (sys.prefix, sys.base_prefix)
    )


def _short(filename: str, folder: Path) -> str:
    path = Path(filename)
    return str(path.relative_to(folder)) if folder in path.parents else filename
