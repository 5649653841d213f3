"""`carboy config`: every option, its value, and where the value comes from."""

from __future__ import annotations

import difflib
import json
import re
from typing import TYPE_CHECKING, NamedTuple

import rich_click as click

from carboy.base.errors import SetupError
from carboy.base.options import MASK, without_credentials
from carboy.cli.main import App, pass_app
from carboy.cli.tables import columns, width

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["config"]

SECRET_NAME = re.compile(r"password|secret|token|key", re.IGNORECASE)
LONGEST = 36  # characters of a value in the table; NAME shows it whole


class Row(NamedTuple):
    """One option as texts, secrets masked."""

    name: str
    value: str
    default: str
    origin: str
    help: str
    unit: str


@click.command()
@click.argument("name", required=False)
@click.option("--changed", is_flag=True, help="Only options that are not at their default.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@pass_app
def config(app: App, name: str | None, changed: bool, as_json: bool) -> None:
    """Show every option, its value and where it came from.

    NAME explains one option. Origins, later wins: default, class, carboy.toml,
    .env, environment (FLASK_..., then CARBOY_...), code. Secrets are masked.
    """
    rows = report(app.load())
    if name:
        rows = [_named(rows, name)]
    elif changed:
        rows = [row for row in rows if row.origin not in ("default", "unset")]
    if as_json:
        click.echo(json.dumps([row._asdict() for row in rows], indent=2))
    elif name:
        click.echo(_explain(rows[0]))
    else:
        click.echo("\n".join(_table(rows)))


def report(app: Flask) -> list[Row]:
    """Return a row for each option of *app*, by name; a plain Flask knows values only."""
    if hasattr(app.config, "report"):
        return [Row(*row) for row in app.config.report()]
    return [
        Row(key, _masked(key, app.config[key]), "", _flask_origin(app, key), "", "")
        for key in sorted(app.config)
    ]


def _masked(key: str, value: object) -> str:
    secret = SECRET_NAME.search(key) and isinstance(value, (str, bytes)) and value
    return MASK if secret else without_credentials(repr(value))


def _flask_origin(app: Flask, key: str) -> str:
    default = type(app).default_config
    return "default" if key in default and default[key] == app.config[key] else "set"


def _named(rows: list[Row], name: str) -> Row:
    """Return the row called *name*, in any case, with or without CARBOY_ before it."""
    plain = name.upper().removeprefix("CARBOY_").removeprefix("FLASK_")
    for row in rows:
        if row.name.upper() in (name.upper(), plain):
            return row
    names = [row.name for row in rows]
    near = [name for name in names if plain in name] or difflib.get_close_matches(plain, names, n=1)
    raise SetupError(
        "cli.config.unknown",
        f"There is no option {name}.",
        hint=f"Did you mean {' or '.join(near[:3])}?" if near else "See them all: carboy config",
    )


def _explain(row: Row) -> str:
    facts = {
        "value": row.value or "(unset)",
        "origin": row.origin,
        "default": row.default or "(unset)",
        "unit": row.unit,
        "effect": row.help,
    }
    lines = [f"  {fact:<8} {text}" for fact, text in facts.items() if text]
    return "\n".join([click.style(row.name, bold=True), *lines])


def _table(rows: list[Row]) -> list[str]:
    cells = [
        [
            row.name,
            _short(row.value),
            _short(row.default) if row.default != row.value else "",
            row.origin,
        ]
        for row in rows
    ]
    return columns(["OPTION", "VALUE", "DEFAULT", "ORIGIN"], cells, limit=width())


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 3] + "..."
