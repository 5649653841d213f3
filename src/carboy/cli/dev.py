"""`carboy dev`: Werkzeug's server with reload and the debug page.

parent: watches files        child: imports, serves, is replaced on a change
"""

from __future__ import annotations

import ipaddress
import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from carboy.base.errors import CarboyError
from carboy.cli.find import Target, env_file
from carboy.cli.listener import open_listeners
from carboy.cli.main import App, pass_app

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["dev"]

KNOWN = (
    "WARNING: This is a development server",
    " * Running on",
    "\x1b[33mPress CTRL+C",
    "Press CTRL+C",
    " * Restarting with",
    " * Debugger is active",
)
"""Beginnings of Werkzeug's lines that repeat what `carboy dev` has said."""

WATCHED = (".env", ".flaskenv", "carboy.toml", "pyproject.toml")


@click.command()
@click.option(
    "--host",
    metavar="ADDRESS",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; other machines get in only if you say so.",
)
@click.option(
    "-p",
    "--port",
    metavar="PORT",
    type=click.IntRange(1, 65_535),
    default=8000,
    show_default=True,
    help="Port to listen on.",
)
@click.option("--port-search", is_flag=True, help="Take the next free port when it is taken.")
@click.option("--reload/--no-reload", default=True, help="Restart when a file changes.")
@click.option("--console", is_flag=True, help="Show errors in Werkzeug's debugger, with a console.")
@pass_app
def dev(app: App, host: str, port: int, port_search: bool, reload: bool, console: bool) -> None:
    """Serve while you work: reload, debug page, this machine only.

    Restarts when a file changes and shows a page with the failing line and its usual
    cause for each error, which is why other machines are kept out. Reads .env.
    """
    from werkzeug.serving import is_running_from_reloader, run_simple

    from carboy.web.pages import catcher

    local = is_loopback(host)
    if not is_running_from_reloader():
        port = _free_port(host, port, port_search)
        click.echo(_greeting(app.target, host, port))
        if not local:
            click.secho(_warning(host), fg="yellow", err=True)
    logging.getLogger("werkzeug").addFilter(_is_news)
    served = _later if reload and not is_running_from_reloader() else _load(app, reload)
    run_simple(
        host,
        port,
        served if console else catcher(served, str(app.target.folder)),
        threaded=True,
        use_reloader=reload,
        use_debugger=console,
        use_evalex=local,
        extra_files=_watched(app.target.folder),
        request_handler=_handler(served),
    )


def is_loopback(host: str) -> bool:
    """Tell whether *host* can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _load(app: App, reload: bool) -> Flask | Callable[..., Any]:
    """Import the application in debug mode; with reload, a broken one becomes its error page."""
    target = app.target
    for name, value in env_file(target.folder).items():
        os.environ.setdefault(name, value)
    os.environ["FLASK_DEBUG"] = "1"
    try:
        flask_app = app.load()
    except CarboyError as error:
        if not reload:
            raise
        click.secho(str(error), fg="red", err=True)
        return _broken(error)
    flask_app.debug = True
    if "data" in getattr(flask_app, "batteries", ()):
        _follow_models(flask_app)
    return flask_app


def _follow_models(app: Flask) -> None:
    """Bring the development database up to the models, and say what that was."""
    from carboy.data.migrations.develop import follow

    for line in follow(app):
        click.secho(f"Database {line}", dim=True)


def _later(environ: Any, start_response: Any) -> Iterable[bytes]:
    """Stand in for the application in the process that only watches files."""
    raise AssertionError("the watching process serves nothing")


def _broken(error: CarboyError) -> Callable[..., Any]:
    """Return an application that raises why there is none, for the debug page to show."""
    cause = error.__cause__ or error

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        raise cause

    return app


def _handler(served: Any) -> Any:
    """Return Werkzeug's request handler, silent when the application logs requests itself."""
    from werkzeug.serving import WSGIRequestHandler

    class Silent(WSGIRequestHandler):
        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Leave the line to the logs battery."""

    return Silent if "logs" in getattr(served, "batteries", ()) else WSGIRequestHandler


def _free_port(host: str, port: int, search: bool) -> int:
    """Return the port to take; raise our letter instead of Werkzeug's when there is none."""
    (listener,) = open_listeners(host, port, count=1, backlog=1, search=search)
    with listener:
        return int(listener.getsockname()[1])


def _is_news(record: logging.LogRecord) -> bool:
    """Tell whether a line of Werkzeug says more than our greeting did."""
    return not record.getMessage().replace("\x1b[31m\x1b[1m", "").startswith(KNOWN)


def _watched(folder: Path) -> list[str]:
    return [str(folder / name) for name in WATCHED if (folder / name).exists()]


def _greeting(target: Target, host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"Developing {target} on http://{shown}:{port} (reload, debug page). Ctrl-C stops."


def _warning(host: str) -> str:
    return (
        f"On {host} other machines can reach this server: its error pages show source code.\n"
        "The console on them is switched off. For visitors use: carboy run"
    )
