"""`carboy users`: the first person, their roles, and a link for whoever lost the password.

add EMAIL --role admin     asks for the password, or --password-stdin, or --no-password
list                       address, name, roles
role EMAIL +staff -admin   counts from their next request on
password EMAIL             another password; every device of theirs is signed out
link EMAIL                 a link that signs them in once, within an hour
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import rich_click as click

from carboy.base.errors import CarboyError, SetupError
from carboy.cli.main import App, pass_app
from carboy.cli.tables import columns

if TYPE_CHECKING:
    from carboy.auth.directory import Known

__all__ = ["users"]

SIGNED = {"ignore_unknown_options": True}  # "-admin" is a role to take away, no option


@click.group()
def users() -> None:
    """Add people, give them roles, and print one-use sign-in links."""


def _secret(function: Any) -> Any:
    """Add the options that say where a password comes from; never the command line itself."""
    piped = click.option(
        "--password-stdin", "piped", is_flag=True, help="Read the password from standard input."
    )
    return piped(function)


@users.command("add")
@click.argument("email")
@click.option("--name", help="What others see; the first part of the address if not given.")
@click.option("--role", "roles", multiple=True, help="A role to give; may be repeated.")
@click.option("--no-password", is_flag=True, help="Let them come in by link only.")
@_secret
@pass_app
def add_command(
    app: App, /, *, email: str, name: str | None, roles: tuple[str, ...], no_password: bool,
    piped: bool,
) -> None:  # fmt: skip
    """Add somebody who may sign in. Asks for their password.

    For example:  carboy users add ada@example.org --role admin
    """
    with _people(app) as flask_app:
        from carboy.auth import directory
        from carboy.auth.emails import local_part, normal
        from carboy.data.faults import ConstraintFault

        address = normal(email)
        if not address:
            raise SetupError("users.email", f"{email!r} is no e-mail address.")
        if directory.look_up(address) is not None:
            raise _taken(address)
        named = name or local_part(address)
        kept = None if no_password else _hash(flask_app, address, (named,), piped)
        try:
            directory.add(address, named, kept, roles)
        except ConstraintFault as error:
            raise _taken(address) from error
    click.echo(f"Added {address}{_with(roles)}.")


@users.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@pass_app
def list_command(app: App, /, *, as_json: bool) -> None:
    """List everybody: address, name, roles."""
    with _people(app):
        from carboy.auth import directory

        found = directory.all_people()
    rows = [
        (one.email, one.name, ", ".join(one.roles), "yes" if one.active else "no") for one in found
    ]
    if as_json:
        head = ("email", "name", "roles", "active")
        people = ((one.email, one.name, one.roles, one.active) for one in found)
        click.echo(json.dumps([dict(zip(head, one, strict=True)) for one in people], indent=2))
    elif rows:
        click.echo("\n".join(columns(("e-mail", "name", "roles", "active"), rows)))
    else:
        click.echo("Nobody yet. Add the first:  carboy users add EMAIL --role admin")


@users.command("role", context_settings=SIGNED)
@click.argument("email")
@click.argument("changes", nargs=-1, required=True, metavar="+ROLE|-ROLE ...")
@pass_app
def role_command(app: App, /, *, email: str, changes: tuple[str, ...]) -> None:
    """Give (+) and take (-) roles. They count from the next request on.

    For example:  carboy users role ada@example.org +staff -admin
    """
    for change in changes:
        if change[:1] not in ("+", "-") or not change[1:]:
            raise SetupError(
                "users.role", f"{change!r} says neither + nor -.", hint="Write +staff or -staff."
            )
    with _people(app):
        from carboy.auth import acts, directory

        known = _known(email)
        roles = set(known.roles)
        for change in changes:
            (roles.add if change[0] == "+" else roles.discard)(change[1:])
        kept = directory.keep_roles(known.id, roles)
        acts.tell("roles_changed", user=known.id, roles=kept)
    click.echo(f"{known.email} has {', '.join(kept) or 'no roles'} now.")


@users.command("password")
@click.argument("email")
@_secret
@pass_app
def password_command(app: App, /, *, email: str, piped: bool) -> None:
    """Give somebody another password, and sign them out everywhere."""
    with _people(app) as flask_app:
        from carboy.auth import acts, directory

        known = _known(email)
        kept = _hash(flask_app, known.email, (known.name,), piped)
        directory.keep_hash(known.id, kept)
        ended = acts.end_sessions(known.id)
        acts.tell("password_changed", user=known.id)
    click.echo(f"{known.email} has another password; {ended} sessions were ended.")


@users.command("link")
@click.argument("email")
@click.option("--origin", help="Where the application is, such as https://shop.example.")
@pass_app
def link_command(app: App, /, *, email: str, origin: str | None) -> None:
    """Print a link that signs somebody in once, within an hour.

    Whoever has it is that person: hand it over as you would a key.
    """
    with _people(app) as flask_app:
        from carboy.auth import acts, directory

        known = _known(email)
        token = directory.new_link(known.id)
        acts.tell("link_made", user=known.id)
        place = (origin or _origin(flask_app)).rstrip("/")
    click.echo(f"{place}/sign-in/link?token={token}")


@contextmanager
def _people(app: App) -> Iterator[Any]:
    """Enter the application. Raises SetupError when it has no people."""
    flask_app = app.load()
    battery = getattr(flask_app, "batteries", {}).get("accounts")
    if battery is None or not battery.begun:
        raise SetupError(
            "users.none",
            "This application has no people.",
            hint="Import the model where the others are:  from carboy import User\n"
            "Batteries of your own choice need 'accounts' among them.",
        )
    with flask_app.app_context():
        yield flask_app


def _known(email: str) -> Known:
    from carboy.auth import directory

    found = directory.look_up(email)
    if found is None:
        raise SetupError(
            "users.unknown", f"Nobody has the address {email!r}.", hint="See: carboy users list"
        )
    return found


def _hash(flask_app: Any, email: str, names: tuple[str, ...], piped: bool) -> str:
    """Ask for a password until it can be one, and return its hash."""
    passwords = flask_app.extensions["carboy.accounts"].passwords
    least = flask_app.config["PASSWORD_LEAST"]
    while True:
        given = sys.stdin.readline().rstrip("\n") if piped else _asked()
        why = passwords.weakness(given, least=least, email=email, names=(*names, flask_app.name))
        if not why:
            break
        if piped:
            raise SetupError("users.password", why)
        click.echo(why, err=True)
    kept: str = passwords.hash(given)
    return kept


def _asked() -> str:
    said: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return said


def _origin(flask_app: Any) -> str:
    """Return where the application is, as far as its options say."""
    hosts = [host for host in flask_app.config.get("ALLOWED_HOSTS") or () if host[0] not in "*."]
    return f"https://{hosts[0]}" if hosts else "http://127.0.0.1:8000"


def _taken(email: str) -> CarboyError:
    return SetupError(
        "users.taken",
        f"{email} is there already.",
        hint=f"Give a role:  carboy users role {email} +admin",
    )


def _with(roles: tuple[str, ...]) -> str:
    return f" with the role{'s' if len(roles) > 1 else ''} {', '.join(roles)}" if roles else ""
