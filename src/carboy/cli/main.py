"""The `carboy` command: a lazy table of commands around one application.

    carboy [--app ...] COMMAND  ->  our own command, or one of the application's

A command's module is imported when the command is used. The application is
imported only by commands that need it, and by --help where one lies in this
folder; when it is broken, --help says so in one line and goes on.
"""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from carboy.base.errors import CarboyError
from carboy.cli.find import Target, find, search

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["App", "carboy", "main", "pass_app"]

COMMANDS: Mapping[str, tuple[str, str]] = {
    "new": ("carboy.cli.new:new", "Start a project: application, templates, tests, settings."),
    "eject": ("carboy.cli.eject:eject", "Write a resource's pages as plain views, to own them."),
    "generate": (
        "carboy.cli.generate:generate",
        "Add a model with its policy, pages, API, migration and tests.",
    ),
    "dev": ("carboy.cli.dev:dev", "Serve while you work: reload, debug page, this machine only."),
    "run": ("carboy.cli.run:run", "Serve in production: checks first, drains on TERM."),
    "routes": ("carboy.cli.routes:routes", "List routes, their views, and the stages around them."),
    "check": ("carboy.cli.check:check", "Say what is wrong with the set-up; fails on errors."),
    "config": ("carboy.cli.config:config", "Show every option, its value and where it came from."),
    "policy": ("carboy.cli.policy:policy", "Say who may do what with each model, and why."),
    "openapi": ("carboy.cli.api:openapi", "Print the OpenAPI 3.1 document of the application."),
    "client": ("carboy.cli.api:client", "Write a typed Python client of the application's API."),
    "db": ("carboy.cli.db:db", "Keep databases in step with the models: migrations, seeds."),
    "users": (
        "carboy.cli.users:users",
        "Add people, give them roles, and print one-use sign-in links.",
    ),
    "shell": ("carboy.cli.shell:shell", "Open Python with the application at hand."),
    "secret": ("carboy.cli.secret:secret", "Print a new strong key for SECRET_KEY."),
}
"""Name to (where the command is, its line in --help): nothing imported to list them."""

PANELS = {
    "Work": ("new", "eject", "dev", "db", "users", "client", "shell", "secret"),
    "Look": ("routes", "check", "config", "policy", "openapi"),
    "Serve": ("run",),
}


class App:
    """The application that commands talk about; found and imported at first use."""

    def __init__(self, given: str | None = None) -> None:
        self.given = given
        self._app: Flask | None = None
        self._failure: CarboyError | None = None

    @property
    def target(self) -> Target:
        """Where the application is. Raises SetupError when there is none."""
        return find(self.given)

    @property
    def present(self) -> bool:
        """Whether --app was given or an application lies in this folder."""
        return bool(self.given) or search(Path.cwd()) is not None

    def load(self) -> Flask:
        """Import the application once. Raises SetupError, the same one every time."""
        if self._failure is not None:
            raise self._failure
        if self._app is None:
            from carboy.cli.load import load

            try:
                self._app = load(self.target)
            except CarboyError as error:
                self._failure = error
                raise
        return self._app


pass_app = click.make_pass_decorator(App)


class CarboyGroup(click.RichGroup):
    """Our commands by name, then the application's own and those of its extensions."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return our commands in reading order, then the application's, sorted."""
        return [*COMMANDS, *sorted(set(_guests(ctx)) - set(COMMANDS))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command; a listing gets ours as a line, without importing it."""
        if cmd_name in COMMANDS:
            return _Listed(cmd_name) if _listing(ctx) else _import(COMMANDS[cmd_name][0])
        return _guest(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a CarboyError is printed as the letter it is, exit code 1."""
        try:
            return super().invoke(ctx)
        except CarboyError as error:
            if ctx.params.get("traceback"):
                raise
            click.secho(str(error), err=True, fg="red" if sys.stderr.isatty() else None)
            ctx.exit(1)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's; beside a broken application an unknown command says so."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            hint = f"Did you mean 'carboy {near[0]}'?" if near else "See: carboy --help"
            lines = (f"There is no command {args[0]!r}. {hint}", ctx.meta.get(_NOTE))
            raise click.UsageError("\n".join(filter(None, lines)), ctx) from error

    def get_help(self, ctx: click.Context) -> str:
        """Return the help; under it one line when the application cannot be imported."""
        ctx.meta[_LISTING] = True
        text = super().get_help(ctx)
        note = ctx.meta.get(_NOTE)
        return f"{text}\n{note}" if note else text


class _Listed(click.RichCommand):
    """A command as --help shows it."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, short_help=COMMANDS[name][1], help=COMMANDS[name][1])


_NOTE = "carboy.cli.note"
_LISTING = "carboy.cli.listing"


def _listing(ctx: click.Context) -> bool:
    return bool(ctx.meta.get(_LISTING))


def _import(place: str) -> click.Command:
    module, _, name = place.partition(":")
    command = getattr(importlib.import_module(module), name)
    assert isinstance(command, click.Command), place
    return command


# -- the application's own commands --


def _app(ctx: click.Context) -> App:
    """Return the App of *ctx*, also while --help runs, before the group's callback."""
    if not isinstance(ctx.obj, App):
        ctx.obj = App(ctx.params.get("app"))
    return ctx.obj


def _guests(ctx: click.Context) -> Iterable[str]:
    """Return the names of the application's commands; none, and a note, when it is broken."""
    app = _loaded(ctx)
    if app is None:
        return ()
    try:
        return {*app.cli.list_commands(ctx), *_of_batteries(app), *_plugins()}
    except Exception as error:
        ctx.meta[_NOTE] = f"Note: commands of the application are missing. {_named(error)}"
        return ()


def _guest(ctx: click.Context, name: str) -> click.Command | None:
    """Return a command of the application; a listing gets a line for one that is broken."""
    app = _loaded(ctx)
    if app is None:
        return None
    if not _listing(ctx):
        command = _look_up(ctx, app, name)
        if command is not None:
            _open(ctx, app)
        return command
    try:
        return _look_up(ctx, app, name)
    except Exception as error:
        return click.RichCommand(name=name, help=f"Cannot be imported: {_named(error)}")


def _look_up(ctx: click.Context, app: Flask, name: str) -> click.Command | None:
    command = app.cli.get_command(ctx, name) or _of_batteries(app).get(name)
    if command is None and name in _plugins():
        return _plugins()[name]()
    return command


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _open(ctx: click.Context, app: Flask) -> None:
    """Give a guest command what it has under `flask`: a ScriptInfo and the app's context."""
    from flask.cli import ScriptInfo

    ctx.obj = ScriptInfo(create_app=lambda: app, set_debug_flag=False)
    ctx.with_resource(app.app_context())


def _loaded(ctx: click.Context) -> Flask | None:
    app = _app(ctx)
    if not app.present:
        return None
    try:
        return app.load()
    except CarboyError as error:
        ctx.meta[_NOTE] = _one_line(error)
        return None


def _one_line(error: CarboyError) -> str:
    first = error.message.splitlines()[0].rstrip(".")
    return f"Note: commands of the application are missing. {first}."


def _of_batteries(app: Flask) -> dict[str, click.Command]:
    batteries = getattr(app, "batteries", {}).values()
    return {command.name: command for battery in batteries for command in battery.commands()}


def _plugins() -> dict[str, Callable[[], click.Command]]:
    """Return the commands that installed packages offer to Flask, not yet imported."""
    from importlib import metadata

    return {entry.name: entry.load for entry in metadata.entry_points(group="flask.commands")}


# -- the group itself --


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from importlib import metadata

    packages = ("carboy", "flask", "werkzeug", "granian")
    names = {"carboy": "Carboy", "flask": "Flask", "werkzeug": "Werkzeug", "granian": "Granian"}
    versions = [f"{names[name]} {metadata.version(name)}" for name in packages]
    python = ".".join(map(str, sys.version_info[:3]))
    click.echo(f"{versions[0]} ({', '.join(versions[1:])}, Python {python})")
    ctx.exit()


@click.group(
    cls=CarboyGroup,
    name="carboy",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Carboy is Flask at full size. Run it in the application's folder.",
)
@click.option(
    "-A",
    "--app",
    metavar="APP",
    is_eager=True,
    help="The application: module, module:attribute, module:factory() or a path. "
    "Without it: CARBOY_APP, app.py, wsgi.py, or the package in this folder or in src/.",
)
@click.option("--traceback", is_flag=True, help="Show the whole traceback when something fails.")
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Show the versions of Carboy and what it stands on.",
)
@click.rich_config(
    help_config={
        "command_groups": {
            "*": [{"name": name, "commands": list(commands)} for name, commands in PANELS.items()]
        },
        "commands_panel_title": "Of this application",
        "options_table_column_types": [
            "required",
            "opt_short",
            "opt_long",
            "metavar_short",
            "help",
        ],
    }
)
@click.pass_context
def carboy(ctx: click.Context, app: str | None, traceback: bool) -> None:
    """Keep what the commands share."""
    if not isinstance(ctx.obj, App):
        ctx.obj = App(app)


def main() -> None:
    """Run the command line: the entry point of the `carboy` script."""
    carboy(prog_name="carboy")
