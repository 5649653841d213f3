"""`carboy policy`: what somebody may do with a model, and why.

explain MODEL [FIELDS] --as USER    in words and in SQL; --row KEY: about one row
matrix                              role x model x action: all, some or none
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import rich_click as click

from carboy.base.errors import SetupError
from carboy.base.scope import Scope, scope
from carboy.cli.main import App, pass_app
from carboy.cli.tables import columns
from carboy.data.db import EXTENSION, db
from carboy.policy.explain import ACTIONS, explain, matrix
from carboy.policy.flushed import fulfilling

if TYPE_CHECKING:
    from sqlalchemy.orm import Mapper

    from carboy.policy.book import Rulebook

__all__ = ["policy"]


@click.group()
def policy() -> None:
    """Say who may do what with each model, and why."""


@policy.command("explain")
@click.argument("model")
@click.option("--as", "user", metavar="USER", help="The key of the user who asks; none: a visitor.")
@click.option("--role", "roles", multiple=True, help="A role they hold; may be repeated.")
@click.option("--tenant", help="The key of their tenant.")
@click.option("--row", "key", help="Say it about the row with this key.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@pass_app
def explain_command(
    app: App, /, *, model: str, user: str | None, roles: tuple[str, ...], tenant: str | None,
    key: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Say in words and in SQL what a person may do with the rows of MODEL, and why.

    For example:  carboy policy explain Note --as 7 --role staff
    """
    flask_app = app.load()
    book = _book(flask_app)
    mapper = _mapper(book, model)
    who = Scope(_key(user), frozenset(roles), _key(tenant))
    with flask_app.app_context():
        dialect = db.engine.dialect
        found = explain(book, mapper.class_, who, dialect)
        told = _about_row(book, mapper, who, key) if key is not None else {}
    if as_json:
        click.echo(json.dumps([{**vars(one), "row": told.get(one.action)} for one in found]))
        return
    click.echo(f"{mapper.class_.__name__}, asked by {_named(who)}:\n")
    for one in found:
        answer = told.get(one.action)
        row = f"  (row {key}: {answer})" if answer and not one.field else ""
        click.echo("  " + str(one).replace("\n", f"{row}\n  ", 1) if one.sql else f"  {one}{row}")


@policy.command("matrix")
@click.option("--role", "roles", multiple=True, help="Only these roles; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@pass_app
def matrix_command(app: App, /, *, roles: tuple[str, ...], as_json: bool) -> None:
    """Print what a visitor, somebody signed in, and each role may do with each model.

    all: with every row. some: it depends on the row. none: with no row.
    """
    head, *rows = matrix(_book(app.load()), roles)
    if as_json:
        click.echo(json.dumps([dict(zip(head, row, strict=True)) for row in rows], indent=2))
        return
    click.echo("\n".join(columns(head, rows)))


def _book(app: Any) -> Rulebook:
    """Return the rules of the application. Raises SetupError without the policy battery."""
    battery = app.extensions.get("carboy.policy")
    if battery is None or EXTENSION not in app.extensions:
        raise SetupError(
            "policy.no_battery",
            "This application has no policy battery.",
            hint='The default batteries have it; else add "policy" to batteries=(...).',
        )
    book: Rulebook = battery.guard.book
    return book


def _mapper(book: Rulebook, name: str) -> Mapper[Any]:
    known = {one.mapper.class_.__name__: one.mapper for one in book.tables() if one.mapper}
    for spelt, mapper in known.items():
        if name.lower() in (spelt.lower(), str(mapper.local_table).lower()):
            return mapper
    raise SetupError(
        "policy.no_model",
        f"There is no model {name!r}.",
        hint=f"Known: {', '.join(sorted(known)) or 'none; are the models imported?'}.",
    )


def _about_row(book: Rulebook, mapper: Mapper[Any], who: Scope, key: str) -> dict[str, str]:
    """Return, per action, "yes" or "no" for one row, as the database decides it."""
    table: Any = mapper.base_mapper.local_table
    governed = book.governed(table)
    keys, parts = list(table.primary_key), key.split(",")
    if len(keys) != len(parts):
        raise SetupError("policy.no_row", f"{key!r} is no key of {table}.")
    identity = [_typed(column, part) for column, part in zip(keys, parts, strict=True)]
    with scope(who) as frame, db.engine.connect() as connection:
        if not fulfilling(connection, governed, [identity], True):
            raise SetupError("policy.no_row", f"No {governed.name} has the key {key!r}.")
        shape = book.shape(frame)
        rules = {one: governed.condition(one, table.c, shape) for one in ACTIONS if one != "create"}
        return {
            action: "yes" if fulfilling(connection, governed, [identity], rule) else "no"
            for action, rule in rules.items()
        }


def _typed(column: Any, text: str) -> Any:
    """Return a key as its column's type. Raises SetupError for what is none."""
    try:
        return column.type.python_type(text)
    except (ValueError, NotImplementedError):
        wrong = f"{text!r} is no {column.name} of {column.table}."
        raise SetupError("policy.no_row", wrong) from None


def _key(text: str | None) -> Any:
    return int(text) if text is not None and text.lstrip("-").isdigit() else text


def _named(who: Scope) -> str:
    person = "a visitor" if who.user is None else f"user {who.user}"
    roles = f" with the role{'s' if len(who.roles) > 1 else ''} {', '.join(sorted(who.roles))}"
    tenant = f" of tenant {who.tenant}" if who.tenant is not None else ""
    return person + (roles if who.roles else "") + tenant
