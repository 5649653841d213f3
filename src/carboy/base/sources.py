"""Where option values come from, each with its place, lowest precedence first.

    carboy.toml  ->  .env  ->  FLASK_... variables  ->  CARBOY_... variables

`read()` returns plain settings and decides nothing: which names are known, and
what a value means, is for `engine/config.py`. carboy.toml is looked for in the
application's root path, then in the folder above; `.env` lies beside it. The
variable CARBOY_CONFIG names another file. Nothing is written to os.environ.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from carboy.base.errors import SetupError

__all__ = ["INTERNAL", "INTERNAL_PREFIXES", "Setting", "find_files", "read"]

Namespace = Literal["CARBOY", "FLASK", "APP"]
"""Who a name belongs to: CARBOY names must be known; FLASK and APP names need not be."""

INTERNAL = frozenset(
    {
        "CARBOY_APP",
        "CARBOY_CONFIG",
        "CARBOY_RUNTIME_DIR",
        "FLASK_APP",
        "FLASK_ENV_FILE",
        "FLASK_SKIP_DOTENV",
    }
)
"""Variables that steer the commands and the launcher; they are no options."""

INTERNAL_PREFIXES = ("FLASK_RUN_", "CARBOY_RUN_", "CARBOY_DEV_")

MAX_FILE_BYTES = 1_000_000  # a larger file is another file than we were told

ASSIGNMENT = re.compile(
    r"""^[ \t]* (?:export[ \t]+)?
        (?P<name>[A-Za-z_][A-Za-z0-9_]*) [ \t]*=[ \t]*
        (?: '(?P<literal>[^']*)'
          | "(?P<quoted>(?:[^"\\]|\\.)*)"
          | (?P<plain>[^\r\n]*?) )
        [ \t]* (?:(?<=[ \t])\#[^\r\n]*)? \r?$""",
    re.MULTILINE | re.VERBOSE | re.DOTALL,
)

ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}  # any other escaped character stands for itself


@dataclass(frozen=True)
class Setting:
    """One value as it was written.

    name: of the option, in upper case; "A__B" means item B of A, as in Flask.
    raw: text, or a TOML value. origin: for people, "carboy.toml:3".
    spelled: the name as it was written, for messages.
    variable: True when *raw* is the text of a variable, False for a TOML value.
    """

    name: str
    raw: object
    origin: str
    spelled: str
    namespace: Namespace = "CARBOY"
    variable: bool = True


def read(root_path: str | os.PathLike[str], environ: Mapping[str, str]) -> tuple[Setting, ...]:
    """Return every setting that applies to the application in *root_path*.

    Later ones win. Raises SetupError when a file cannot be read or understood.
    """
    toml, dotenv = find_files(Path(root_path), environ)
    settings: list[Setting] = []
    if toml is not None:
        settings += _from_toml(toml)
    if dotenv is not None:
        settings += _from_dotenv(dotenv)
    settings += _from_variables(environ, {})
    return tuple(settings)


def find_files(root: Path, environ: Mapping[str, str]) -> tuple[Path | None, Path | None]:
    """Return the paths of carboy.toml and .env; None for one that does not exist.

    FLASK_SKIP_DOTENV leaves .env alone, as it does in Flask.
    """
    if named := environ.get("CARBOY_CONFIG"):
        if not (toml := Path(named)).is_file():
            raise SetupError(
                "options.no_file",
                f"CARBOY_CONFIG names {named!r}, which is not a file.",
                hint="Correct the path, or unset CARBOY_CONFIG to use carboy.toml beside the app.",
            )
        return toml, _dotenv((toml.parent,), environ)
    folders = (root, root.parent) if _is_ours(root.parent) else (root,)
    found = _first(folders, "carboy.toml")
    return found, _dotenv((found.parent,) if found else folders, environ)


def _dotenv(folders: tuple[Path, ...], environ: Mapping[str, str]) -> Path | None:
    skip = environ.get("FLASK_SKIP_DOTENV", "").lower() not in ("", "0", "false", "no")
    return None if skip else _first(folders, ".env")


def _first(folders: tuple[Path, ...], name: str) -> Path | None:
    return next((path for folder in folders if (path := folder / name).is_file()), None)


def _is_ours(folder: Path) -> bool:
    """False for a folder anyone may write to, such as /tmp.

    SECURITY: an application in /tmp/app must not be configured by whoever
    leaves a file in /tmp (CWE-427).
    """
    try:
        return not folder.stat().st_mode & 0o002
    except OSError:
        return False


def _from_toml(path: Path) -> Iterator[Setting]:
    """Yield the settings of carboy.toml: top-level keys are options.

    A table lends its name: `idle` in [session] is SESSION_IDLE. What is under
    [app] belongs to the application and its extensions, and is taken as it is.
    """
    text = _text(path)
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise SetupError(
            "options.toml",
            f"{_shown(path)} is not valid TOML: {fault}.",
            hint='Text needs quotes: max_body = "16 MB". Durations and sizes are text, too.',
        ) from None
    app = content.pop("app", {})
    for keys, raw in _leaves(content):
        yield _toml_setting(path, text, keys, raw, "CARBOY")
    for key, raw in app.items() if isinstance(app, dict) else ():
        yield _toml_setting(path, text, ("app", key), raw, "APP")


def _toml_setting(
    path: Path, text: str, keys: tuple[str, ...], raw: object, namespace: Namespace
) -> Setting:
    name = "_".join(keys[1:] if namespace == "APP" else keys).upper()
    origin, spelled = f"{_shown(path)}:{_line(text, keys)}", ".".join(keys)
    return Setting(name, raw, origin, spelled, namespace, variable=False)


def _leaves(
    table: Mapping[str, object], above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], object]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key), value


def _line(text: str, keys: tuple[str, ...]) -> int:
    """Return the line of the key in the TOML *text*; tomllib does not tell it.

    Knows plain tables and keys; for exotic spellings it is the line of the last
    word's first mention, else 1.
    """
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line):
            table = _dotted(header[1])
        elif (key := re.match(r"\s*([^=#]+?)\s*=", line)) and (*table, *_dotted(key[1])) == keys:
            return number
    spot = re.search(rf"\b{re.escape(keys[-1])}\b", text)
    return text.count("\n", 0, spot.start()) + 1 if spot else 1


def _dotted(spelling: str) -> tuple[str, ...]:
    return tuple(word.strip().strip("\"'") for word in spelling.split("."))


def _from_dotenv(path: Path) -> list[Setting]:
    """Return the settings of a .env file: KEY=value, one to a line.

    `export` before and `# ...` after are allowed. 'single' quotes keep all as it
    stands; "double" quotes know \\n, \\t, \\" and \\\\; both may span lines.
    """
    text = _text(path)
    values, places = {}, {}
    for match in ASSIGNMENT.finditer(text):
        name, plain = match["name"], match["plain"]
        places[name] = f"{_shown(path)}:{text.count(chr(10), 0, match.start('name')) + 1}"
        if plain and plain[0] in "\"'" and name.startswith(("CARBOY_", "FLASK_")):
            raise _bad_quotes(name, places[name])
        values[name] = _unquoted(match)
    return _from_variables(values, places)


def _unquoted(match: re.Match[str]) -> str:
    if match["quoted"] is not None:
        return re.sub(r"\\(.)", lambda e: ESCAPES.get(e[1], e[1]), match["quoted"], flags=re.DOTALL)
    return match["literal"] if match["literal"] is not None else match["plain"]


def _bad_quotes(name: str, place: str) -> SetupError:
    return SetupError(
        "options.quotes",
        f"The value of {name} at {place} has quotes that do not match.",
        hint="Close the quote, and let nothing but a comment follow it.",
    )


def _from_variables(values: Mapping[str, str], places: Mapping[str, str]) -> list[Setting]:
    """Return the settings among variables, FLASK_ names before CARBOY_ names."""
    namespaces: tuple[Namespace, ...] = ("FLASK", "CARBOY")
    return [
        Setting(
            variable.removeprefix(f"{namespace}_"),
            values[variable],
            places.get(variable, f"environment {variable}"),
            variable,
            namespace,
        )
        for namespace in namespaces
        for variable in sorted(values)
        if variable.startswith(f"{namespace}_") and not _is_internal(variable)
    ]


def _is_internal(variable: str) -> bool:
    return variable in INTERNAL or variable.startswith(INTERNAL_PREFIXES)


def _text(path: Path) -> str:
    """Return what a small UTF-8 file says; raise SetupError when it cannot be read."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ValueError(f"it is larger than {MAX_FILE_BYTES:,} bytes")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as fault:
        reason = f"byte {fault.start} is not UTF-8"
    except OSError as fault:
        reason = fault.strerror or str(fault)
    except ValueError as fault:
        reason = str(fault)
    raise SetupError(
        "options.unreadable",
        f"{_shown(path)} cannot be read: {reason}.",
        hint="It configures this application; starting without it would surprise you.",
    )


def _shown(path: Path) -> str:
    """Return *path* as people look for it: from the working directory, when below it."""
    try:
        return str(path.resolve().relative_to(Path.cwd().resolve()))
    except (ValueError, OSError):
        return str(path)
