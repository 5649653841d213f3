"""`carboy shell`: Python with the application at hand."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING, Any

import rich_click as click

from carboy.cli.main import App, pass_app

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["namespace", "shell"]


@click.command()
@click.option("--plain", is_flag=True, help="Use Python's own prompt, not IPython.")
@pass_app
def shell(app: App, plain: bool) -> None:
    """Open Python with the application at hand.

    The application context is pushed, so `current_app`, `url_for` and databases
    work. `app`, `client` and the names of `@app.shell_context_processor` are
    there. Uses IPython when it is installed. Reads a script from a pipe.
    """
    flask_app = app.load()
    with flask_app.app_context():
        names = namespace(flask_app)
        if not sys.stdin.isatty():
            _script(names)
        elif not plain and importlib.util.find_spec("IPython"):
            _ipython(names, _banner(flask_app, names))
        else:
            _python(names, _banner(flask_app, names))


def namespace(app: Flask) -> dict[str, Any]:
    """Return the names that are there at the prompt; the application's own win."""
    import flask

    handy = {name: getattr(flask, name) for name in ("current_app", "g", "url_for")}
    return {"client": app.test_client(), **handy, **app.make_shell_context()}


def _banner(app: Flask, names: dict[str, Any]) -> str:
    python = ".".join(map(str, sys.version_info[:3]))
    own = ", ".join(sorted(name for name in names if not name.startswith("_")))
    return f"{type(app).__name__} {app.import_name!r} on Python {python}\nAt hand: {own}"


def _script(names: dict[str, Any]) -> None:
    exec(compile(sys.stdin.read(), "<stdin>", "exec"), names)  # noqa: S102  # the user's own


def _python(names: dict[str, Any], banner: str) -> None:
    import code

    try:
        import readline
        from rlcompleter import Completer
    except ImportError:  # a Python built without readline
        pass
    else:
        readline.set_completer(Completer(names).complete)
        readline.parse_and_bind("tab: complete")
    code.interact(banner=banner, local=names, exitmsg="")


def _ipython(names: dict[str, Any], banner: str) -> None:
    ipython = importlib.import_module("IPython")
    ipython.embed(user_ns=names, banner1=f"{banner}\n", colors="neutral")
