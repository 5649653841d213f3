"""`carboy openapi`, `carboy client`: the document of the API, and a client made from it.

openapi           print the document; --check: only say whether it stands
client DIR        write a typed Python client, one module of the standard library
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import rich_click as click

from carboy.base.errors import SetupError
from carboy.cli.main import App, pass_app

__all__ = ["client", "openapi"]


@click.command()
@click.option("--check", is_flag=True, help="Print nothing; fail when it cannot be made.")
@pass_app
def openapi(app: App, /, *, check: bool) -> None:
    """Print the OpenAPI 3.1 document of the application.

    For example:  carboy openapi > openapi.json
    """
    made = _document(app)
    operations = sum(verb in _VERBS for item in made["paths"].values() for verb in item)
    if not operations:
        raise SetupError(
            "openapi.empty", "This application has no API to describe.",
            hint="app.resource(Book) makes one, and so does a view with typed parameters.",
        )  # fmt: skip
    if check:
        click.echo(f"{operations} operations, {len(made['components']['schemas'])} schemas.")
        return
    click.echo(json.dumps(made, indent=2, ensure_ascii=False))


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@pass_app
def client(app: App, /, *, folder: Path) -> None:
    """Write a typed Python client of the application's API.

    One module without dependencies. For example:  carboy client ../shop-client
    """
    from carboy.resource.openapi.client import source

    made = _document(app)
    name = re.sub(r"\W+", "_", str(made["info"]["title"]).lower()).strip("_") or "api"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}_client.py"
    file.write_text(source(made))
    click.echo(f"Wrote {file}. It begins with:  from {file.stem} import Client")


_VERBS = frozenset({"get", "post", "put", "patch", "delete"})


def _document(app: App) -> dict[str, Any]:
    from carboy.resource.openapi.document import document

    return document(app.load())
