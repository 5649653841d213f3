"""`carboy db`: migrations, seeds, backups and the client of the application's databases.

diff, make, check         models against migrations; nothing connects on SQLite
upgrade, downgrade, mark  migrations against a database, one process at a time
sync                      models against the development database, without files
"""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from carboy.base.errors import CarboyError, SetupError
from carboy.cli.main import App, pass_app

if TYPE_CHECKING:
    from carboy.data.migrations.plan import Plan, Said
    from carboy.data.migrations.project import Target

__all__ = ["db"]

DIALECTS = ("sqlite", "postgresql", "mariadb")


PANELS = {
    "Models to migrations": ("diff", "make", "check", "sync"),
    "Migrations to databases": ("upgrade", "downgrade", "history", "mark"),
    "What is in a database": ("shell", "seed", "backup", "restore"),
}
_panels = [{"name": name, "commands": list(commands)} for name, commands in PANELS.items()]


@click.group()
@click.rich_config(help_config={"command_groups": {"*": _panels}})
def db() -> None:
    """Keep databases in step with the models: migrations, seeds."""


def _database(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--database", "name", metavar="NAME", help="Only this one, where there are several."
    )(function)


def _said(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that answer what is never guessed."""
    options = [
        click.option("--renamed", multiple=True, metavar="OLD=NEW",
                     help="books.name=title, or books=works for a table."),
        click.option("--dropped", multiple=True, metavar="NAME",
                     help="books.name, or books: it is no new name, it goes."),
        click.option("--fill", multiple=True, metavar="COLUMN=VALUE",
                     help="books.pages=0: for the rows there are. 'text' in quotes; else SQL."),
    ]  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


@db.command()
@_database
@_said
@pass_app
def diff(
    app: App, name: str | None, renamed: Iterable[str], dropped: Iterable[str], fill: Iterable[str]
) -> None:
    """Show what `make` would write, in words and in SQL; writes nothing."""
    from carboy.data.migrations.plan import drafted

    said = _answers(renamed, dropped, fill)
    for target in _targets(app, name):
        plan = drafted(target, said)
        click.secho(_heading(target, plan), bold=True)
        for change in plan.changes:
            click.echo(f"  {'-' if change.loses else '+'} {change.words}")
        _tell_unclear(plan)
        if plan.changes and not plan.unclear:
            click.echo()
            for statement in _sql_of(target, plan):
                click.echo(f"  {statement};")


@db.command()
@click.option("-m", "--message", default="", help="What it is for; becomes its title and name.")
@click.option("--empty", is_flag=True, help="Write one with nothing in it, for data or for SQL.")
@_database
@_said
@pass_app
def make(
    app: App, message: str, empty: bool, name: str | None,
    renamed: Iterable[str], dropped: Iterable[str], fill: Iterable[str],
) -> None:  # fmt: skip
    """Write a migration file with what the models have and the migrations lack.

    Asks what was renamed; without a terminal it refuses until --renamed or --dropped
    says so. Read the file before you commit it.
    """
    from carboy.data.migrations.files import write
    from carboy.data.migrations.plan import Plan

    said = _answers(renamed, dropped, fill)
    for target in _targets(app, name):
        plan = Plan([], set(), []) if empty else _asked(target, said)
        if not plan.changes and not empty:
            click.echo(f"{target.name}: the migrations have all that the models say.")
            continue
        path = write(target.folder, plan, message)
        click.secho(f"Wrote {_short(path)}", fg="green")
        for change in plan.changes:
            click.echo(f"  {change.words}")
        _after_make(target, ahead=not (empty or plan.moves_data))


@db.command()
@click.argument("revision", required=False)
@click.option("--sql", is_flag=True, help="Print the statements instead of running them.")
@click.option("--wait", "wait_s", default=60.0, metavar="SECONDS", show_default=True,
              help="Wait this long for another process that migrates.")  # fmt: skip
@click.option("--accept", multiple=True, metavar="REVISION",
              help="Its file may differ from what was applied.")  # fmt: skip
@_database
@pass_app
def upgrade(
    app: App, revision: str | None, sql: bool, wait_s: float, accept: tuple[str, ...],
    name: str | None,
) -> None:  # fmt: skip
    """Apply what is pending, up to REVISION or to the last.

    Any number of processes may call it at once: each migration is applied once. What is
    unsafe while the program runs is refused, with what to do instead.
    """
    from carboy.data.migrations import runner

    flask_app = app.load()
    options = runner.Options(wait_s, review=not flask_app.debug, accept=accept, say=click.echo)
    for target in _targets(app, name):
        if sql:
            _print_sql(target, revision)
        elif not runner.upgrade(target, revision, options):
            click.echo(f"{target.name}: nothing is pending.")


@db.command(context_settings={"ignore_unknown_options": True})
@click.argument("revision", default="-1")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_database
@pass_app
def downgrade(app: App, revision: str, yes: bool, name: str | None) -> None:
    """Take back the last migration, or all after REVISION; -2 for two, "base" for all.

    What a migration dropped does not come back: that is what backups are for.
    """
    from carboy.data.migrations import runner

    target = _one(app, name)
    if sys.stdin.isatty() and not yes:
        shown = target.engine.url.render_as_string(hide_password=True)
        click.confirm(f"Tables and columns may go, with their rows, in {shown}. Go on", abort=True)
    if not runner.downgrade(target, revision, runner.Options(say=click.echo)):
        click.echo("Nothing is applied that could be taken back.")


@db.command()
@click.argument("revision", default="head")
@_database
@pass_app
def mark(app: App, revision: str, name: str | None) -> None:
    """Note migrations as applied, up to REVISION, without running them.

    For a database that has the tables already, or that was finished by hand.
    """
    from carboy.data.migrations import runner

    for revision_ in runner.mark(_one(app, name), revision):
        click.echo(f"noted {revision_}")


@db.command()
@_database
@pass_app
def history(app: App, name: str | None) -> None:
    """List the migrations, the last one first, and which of them are applied."""
    from carboy.base.scope import unscoped
    from carboy.data.migrations.status import applied, check_history

    for target in _targets(app, name):
        click.secho(f"{target.name}: {_short(target.folder.path)}", bold=True)
        with unscoped("migration"), target.engine.connect() as connection:
            done = applied(connection, target.folder)
        for one in reversed(target.folder.all()):
            sign = click.style("applied", fg="green") if one.revision in done else "pending"
            click.echo(f"  {sign}  {one.revision}  {one.title}")
        check_history(target.folder, done)


@db.command()
@click.option("--for", "dialect", type=click.Choice(DIALECTS),
              help="Judge for this kind of database; else for the one that is set.")  # fmt: skip
@_database
@click.pass_context
@pass_app
def check(app: App, ctx: click.Context, /, *, dialect: str | None, name: str | None) -> None:
    """Fail on what must not be released: for CI.

    Pending migrations, models that differ from them, two last ones, an edited file, and
    what is unsafe while the program runs. Exit code 1 when there is something.
    """
    from carboy.data.migrations.audit import problems

    found = []
    for target in _targets(app, name):
        found += [f"{target.name}: {said}" for said in problems(target, dialect)]
    for line in found:
        click.echo(line, err=True)
    if not found:
        click.echo("Models, migrations and database agree.")
    ctx.exit(int(bool(found)))


@db.command()
@_database
@_said
@pass_app
def sync(
    app: App, name: str | None, renamed: Iterable[str], dropped: Iterable[str], fill: Iterable[str]
) -> None:
    """Make the development database like the models, without a file; SQLite only.

    `carboy dev` does it by itself for what only adds. What would lose something is done
    only when it is said here.
    """
    from carboy.data.migrations import develop

    for target in _targets(app, name):
        if target.engine.dialect.name != "sqlite":
            raise SetupError(
                "db.sync",
                f"The database {target.name!r} is no SQLite, so it is changed by migrations only.",
                hint="carboy db make, then carboy db upgrade.",
            )
        outcome = develop.sync(target, _answers(renamed, dropped, fill))
        for line in (*outcome.done, *outcome.left):
            click.echo(line)
        if not outcome.done and not outcome.left:
            click.echo(f"{target.name}: has all that the models say.")


@db.command()
@_database
@click.pass_context
@pass_app
def shell(app: App, ctx: click.Context, /, *, name: str | None) -> None:
    """Open the database's own client: sqlite3, psql or mariadb."""
    from carboy.cli.client import open_client

    ctx.exit(open_client(_one(app, name).engine.url))


@db.command()
@pass_app
def seed(app: App) -> None:
    """Run seed() of seeds.py beside the application, in one transaction."""
    from carboy.data.migrations.seeds import seed as run

    click.echo(f"Ran {_short(run(app.load()))}")


@db.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="FILE may be there; it goes when all is written.")
@_database
@pass_app
def backup(app: App, file: Path, replace: bool, name: str | None) -> None:
    """Write the whole database to FILE."""
    _backups().backup(_one(app, name).engine, file, replace=replace)
    click.echo(f"Wrote {file}")


@db.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="The database has tables; they go.")
@_database
@pass_app
def restore(app: App, file: Path, replace: bool, name: str | None) -> None:
    """Read the database back from FILE, as `backup` wrote it."""
    _backups().restore(_one(app, name).engine, file, replace=replace)
    click.echo(f"Restored {file}")


# -- helpers, in order of use --


def _targets(app: App, name: str | None) -> list[Target]:
    from carboy.data.migrations.project import target, targets

    flask_app = app.load()
    return [target(flask_app, name)] if name else targets(flask_app)


def _one(app: App, name: str | None) -> Target:
    """Return the database that is meant. Raises SetupError when that is not clear."""
    found = _targets(app, name)
    if len(found) > 1:
        raise SetupError(
            "db.which",
            f"There are {len(found)} databases, and this is done to one at a time.",
            hint=f"Say --database {' or '.join(one.name for one in found)}.",
        )
    return found[0]


def _answers(renamed: Iterable[str], dropped: Iterable[str], fill: Iterable[str]) -> Said:
    from carboy.data.migrations.plan import Said

    pairs = dict(_pair(text) for text in renamed)
    fills = {column: _value(value) for column, value in map(_pair, fill)}
    return Said({old: new.rpartition(".")[2] for old, new in pairs.items()}, set(dropped), fills)


def _pair(text: str) -> tuple[str, str]:
    before, sign, after = text.partition("=")
    if not (before and sign and after):
        raise click.UsageError(f"{text!r} is not of the form OLD=NEW, such as books.name=title.")
    return before, after


def _value(text: str) -> str:
    """Return the source of a value: a literal as it is, anything else as SQL."""
    try:
        return repr(ast.literal_eval(text))
    except (SyntaxError, ValueError):
        return f"sa.text({text!r})"


def _asked(target: Target, said: Said) -> Plan:
    """Return the plan, after asking what is unclear. Raises SetupError without a terminal."""
    from carboy.data.migrations.plan import Said, drafted
    from carboy.data.migrations.renames import unclear

    plan = drafted(target, said)
    while plan.unclear:
        if not sys.stdin.isatty():
            raise unclear(plan.unclear)
        one = plan.unclear[0]
        answer = _ask(one.old, one.new)
        renamed = {**said.renamed, **({one.old: answer} if answer else {})}
        dropped = {*said.dropped, *(() if answer else (one.old,))}
        said = Said(renamed, dropped, said.fills)
        plan = drafted(target, said)
    return plan


def _ask(old: str, new: tuple[str, ...]) -> str:
    """Return the new name that was chosen; "" for a thing that goes."""
    click.echo(f"{old} is in no model any more. Is it called otherwise now?")
    for number, name in enumerate(new, 1):
        click.echo(f"  {number}  yes, {name}: keep its values")
    click.echo("  0  no, it goes, with its values")
    chosen = click.prompt("Which", type=click.IntRange(0, len(new)))
    return new[chosen - 1] if chosen else ""


def _tell_unclear(plan: Plan) -> None:
    from carboy.data.migrations.renames import unclear

    if plan.unclear:
        click.secho(str(unclear(plan.unclear)), fg="yellow")


def _heading(target: Target, plan: Plan) -> str:
    if not plan.changes:
        return f"{target.name}: the migrations have all that the models say."
    return f"{target.name}: `carboy db make` would write"


def _sql_of(target: Target, plan: Plan) -> list[str]:
    from carboy.data.migrations.develop import module_of
    from carboy.data.migrations.sql import statements_of

    return statements_of(target.engine, target.folder.all(), module_of(plan).upgrade)


def _after_make(target: Target, *, ahead: bool) -> None:
    """Say what the linter will say; note the file where the database ran ahead."""
    from carboy.data.migrations import develop, runner
    from carboy.data.migrations.audit import unsafe

    head = target.folder.head()
    assert head is not None
    for complaint in unsafe(target, target.engine.dialect.name, only=head.revision):
        click.secho(f"Before it is released: {complaint}", fg="yellow")
    if ahead and develop.ran_ahead(target):
        runner.mark(target, head.revision)
        click.echo("The development database has it already; noted as applied.")


def _print_sql(target: Target, revision: str | None) -> None:
    from carboy.base.scope import unscoped
    from carboy.data.migrations.sql import statements
    from carboy.data.migrations.status import applied, check_history

    last = target.folder.find(revision) if revision else target.folder.head()
    wanted = target.folder.before(last) if last else set()
    with unscoped("migration"), target.engine.connect() as connection:
        done = applied(connection, target.folder)
    check_history(target.folder, done)
    mine = [one for one in target.folder.all() if one.revision in done]
    todo = [one for one in target.folder.all() if one.revision in wanted - set(done)]
    for statement in statements(target.engine, mine, todo):
        click.echo(statement if statement.startswith("--") else f"{statement};")


def _backups() -> Any:
    try:
        return importlib.import_module("carboy.data.backups")
    except ModuleNotFoundError as error:
        raise CarboyError("db.backups", f"Backups need {error.name!r}.") from error


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if Path.cwd() in path.parents else str(path)
