"""`carboy run`: the options of a production server, and the start of it."""

from __future__ import annotations

import os

import rich_click as click

from carboy.base.errors import SetupError
from carboy.cli import sizes
from carboy.cli.launch import launch
from carboy.cli.main import App, pass_app
from carboy.cli.plan import DRAIN_S, LAME_DUCK_S, RECYCLE_S, Plan, Server

__all__ = ["run"]


@click.command()
@click.option(
    "--host",
    metavar="ADDRESS",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; 0.0.0.0 for every network.",
)
@click.option(
    "-p",
    "--port",
    metavar="PORT",
    type=click.IntRange(0, 65_535),
    default=8000,
    show_default=True,
    envvar="PORT",
    show_envvar=True,
    help="Port to listen on; 0 takes any free one.",
)
@click.option("--port-search", is_flag=True, help="Take the next free port when it is taken.")
@click.option(
    "--server",
    type=click.Choice(("granian", "gunicorn")),
    default="granian",
    show_default=True,
    help="The server to run.",
)
@click.option(
    "-w",
    "--workers",
    metavar="COUNT",
    type=click.IntRange(1, 512),
    envvar="WEB_CONCURRENCY",
    show_envvar=True,
    help="Processes. Default: one per CPU that is ours, as many as memory holds.",
)
@click.option(
    "-t",
    "--threads",
    metavar="COUNT",
    type=click.IntRange(1, 512),
    help="Threads per worker. Default: 8, more with more CPUs than workers.",
)
@click.option(
    "--lame-duck",
    type=click.FloatRange(0, 600),
    default=LAME_DUCK_S,
    show_default=True,
    metavar="SECONDS",
    help="On TERM, go on accepting this long while not ready. Ctrl-C skips it.",
)
@click.option(
    "--drain",
    type=click.FloatRange(1, 3600),
    default=DRAIN_S,
    show_default=True,
    metavar="SECONDS",
    help="Then let running requests finish for this long.",
)
@click.option(
    "--recycle",
    type=click.FloatRange(0),
    default=RECYCLE_S,
    show_default=True,
    metavar="SECONDS",
    help="Replace each worker after about this long; 0 for never.",
)
@click.option("--print-config", is_flag=True, help="Print what would run, and stop.")
@click.pass_context
@pass_app
def run(
    app: App,
    ctx: click.Context,
    /,
    *,
    host: str,
    port: int,
    port_search: bool,
    server: Server,
    workers: int | None,
    threads: int | None,
    lame_duck: float,
    drain: float,
    recycle: float,
    print_config: bool,
) -> None:
    """Serve in production: checks first, drains on TERM.

    Checks the application first and refuses to serve one with errors. On TERM,
    /readyz answers 503 at once, requests are still accepted for a while, then
    running ones finish; a second signal stops at once. HUP replaces the workers.
    """
    cpu, memory = sizes.cpus(), sizes.memory_bytes()
    workers = workers or sizes.workers(cpu, memory)
    target = app.target
    plan = Plan(
        path=target.path,
        origin=target.origin,
        folder=str(target.folder),
        server=server,
        host=host,
        port=port,
        port_search=port_search,
        workers=workers,
        threads=threads or sizes.threads(cpu, workers),
        lame_duck_s=lame_duck,
        drain_s=drain,
        recycle_s=_recycle(recycle),
        traceback=bool(ctx.find_root().params.get("traceback")),
    )
    if print_config:
        click.echo(_table(plan, cpu, memory))
        return
    _require(server)
    ctx.exit(launch(plan))


def _recycle(seconds: float) -> float:
    if 0 < seconds < 60:
        raise SetupError(
            "run.recycle.short",
            f"--recycle {seconds:g} would replace workers more often than once a minute.",
            hint="Give at least 60 seconds, or 0 for never.",
        )
    return seconds


def _require(server: Server) -> None:
    from importlib.util import find_spec

    if find_spec(server) is None:
        raise SetupError(
            "run.server.missing",
            f"{server} is not installed.",
            hint=f'Install it: pip install "carboy[{server}]"',
        )


def _table(plan: Plan, cpu: float, memory: int | None) -> str:
    limit = f"{memory / 1e6:,.0f} MB" if memory else "no limit"
    rows = {
        "application": f"{plan.path} (from {plan.origin})",
        "folder": plan.folder,
        "server": plan.server,
        "address": f"{plan.host}:{plan.port}" + (" or the next free" if plan.port_search else ""),
        "workers": f"{plan.workers}",
        "threads": f"{plan.threads} per worker",
        "lame duck": f"{plan.lame_duck_s:g} s",
        "drain": f"{plan.drain_s:g} s",
        "recycle": f"{plan.recycle_s:g} s +- 10 %" if plan.recycle_s else "never",
        "machine": f"{cpu:g} CPUs, memory: {limit}, {os.uname().sysname}",
    }
    return "\n".join(f"{name:<12} {value}" for name, value in rows.items())
