"""Look before serving: import the application in a process of its own and judge it.

    python -m carboy.cli.preflight PLAN OUTPUT   ->  findings as JSON in OUTPUT

A process of its own, so that the launcher stays small and survives whatever the
application does while it is imported.
"""

from __future__ import annotations

import json
import os
import re
import sys
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from carboy.base.checks import ERROR, WARNING, Finding, Level
from carboy.base.errors import CarboyError

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["find_faults", "read", "sort"]

MIN_KEY_CHARS = 16  # 16 hexadecimal characters are 64 bits: the least that is not guessed offline
FEWEST_DIFFERENT = 6  # characters; 16 random hexadecimal digits have fewer once in 30,000 keys
WELL_KNOWN = frozenset(
    {
        # Flask's documentation, word by word
        "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
        '_5#y2l"f4q8z\\n\\xec]/',
        '_5#y2l"f4q8z\n\xec]/',
    }
)
"""Whole keys that anyone can look up."""

TELLING = (
    "change me", "changeme", "default", "do not use", "example", "guess", "insecure", "password",
    "placeholder", "replace", "secret key", "secretkey", "should be changed", "this is a",
    "top secret", "your secret",
)  # fmt: skip
"""What keys from tutorials and READMEs contain. Two known applications learned it by CVE."""


def find_faults(app: Flask, *, production: bool) -> list[Finding]:
    """Return every finding about *app*, gravest first.

    production: judge as `carboy run` does: a weak key or debug mode is an ERROR.
    Works for plain Flask applications; a Carboy adds its own findings.
    """
    grave = ERROR if production else WARNING
    late = _late(app) if production else ()
    return sort([*_secret(app, grave), *_debug(app, production), *_own(app), *late])


def sort(findings: Iterable[Finding]) -> list[Finding]:
    """Return *findings* gravest first, then by code, without doubles."""
    return sorted(dict.fromkeys(findings), key=lambda item: (-item.level, item.code, item.message))


def read(path: Path) -> list[Finding]:
    """Return the findings that a preflight process wrote to *path*."""
    rows = json.loads(path.read_text("utf-8"))
    return [Finding(Level(level), *rest) for level, *rest in rows]


def _secret(app: Flask, grave: Level) -> Iterator[Finding]:
    key = app.config.get("SECRET_KEY")
    if not key:
        yield Finding(
            WARNING,
            "secret.missing",
            "SECRET_KEY is not set; the first use of `session` or `flash` will fail.",
            hint="Print one with `carboy secret` and set CARBOY_SECRET_KEY to it.",
        )
        return
    text = key.decode("utf-8", "replace") if isinstance(key, bytes) else str(key)
    reason = "well known" if _is_known(text) else "short" if len(text) < MIN_KEY_CHARS else ""
    if reason:
        yield Finding(
            grave,
            "secret.weak",
            f"SECRET_KEY is {reason}: anyone can sign in as anyone by signing a session.",
            hint="Print a strong one with `carboy secret` and set CARBOY_SECRET_KEY to it.",
        )


def _is_known(text: str) -> bool:
    """Tell whether *text* is from a tutorial, or made of a few characters only."""
    plain = text.strip().lower()
    words = re.sub(r"[-_\s.]+", " ", plain)
    return (
        plain in WELL_KNOWN
        or any(text in words for text in TELLING)
        or len(set(plain)) < FEWEST_DIFFERENT
    )


def _debug(app: Flask, production: bool) -> Iterator[Finding]:
    if production and app.debug:
        yield Finding(
            ERROR,
            "debug.on",
            "Debug mode is on: errors would show source code and settings to visitors.",
            hint="Remove FLASK_DEBUG, CARBOY_DEBUG and app.debug = True; `carboy dev` turns it on "
            "for you.",
        )


def _own(app: Flask) -> Iterator[Finding]:
    """Yield what a Carboy says about itself; a failing seal is its gravest finding."""
    try:
        if hasattr(app, "seal"):
            app.seal()
        if hasattr(app, "findings"):
            yield from app.findings()
    except CarboyError as error:
        yield Finding(ERROR, error.code, error.message, hint=error.hint)


def _late(app: Flask) -> Iterator[Finding]:
    """Yield what the database lacks, where the application has one."""
    data = getattr(app, "batteries", {}).get("data")
    if data is not None and data.in_use:
        yield from data.late(app)


def main(plan_json: str, output: str) -> int:
    """Import, judge, write *output*. Returns 0, or 1 when the import failed."""
    from carboy.cli.load import load
    from carboy.cli.plan import Plan

    plan = Plan.from_json(plan_json)
    try:
        app = load(plan.target)
    except CarboyError as error:
        if plan.traceback and error.__cause__ is not None:
            traceback.print_exception(error.__cause__)
        print(error, file=sys.stderr)
        return 1
    rows = [list(vars(finding).values()) for finding in find_faults(app, production=True)]
    Path(output).write_text(json.dumps(rows), "utf-8")
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1], sys.argv[2])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # threads that the application started at import must not hold us
