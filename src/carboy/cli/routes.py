"""`carboy routes`: what the application answers, who answers it, and what stands around.

url_map, lanes  ->  Route values  ->  columns or JSON
"""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from carboy.cli.main import App, pass_app
from carboy.cli.tables import columns, width

if TYPE_CHECKING:
    from flask import Flask
    from werkzeug.routing import Rule

__all__ = ["Route", "routes"]

SILENT = {"HEAD", "OPTIONS"}  # answered for every route; listed when they are all there is


@dataclass(frozen=True)
class Route:
    """One line of the listing.

    methods: without HEAD and OPTIONS. pattern: with the host or subdomain, if any.
    view: "file:line" of the function that answers; "" when it has none.
    before, after: names of the stages, in the order they run; empty on a plain Flask.
    """

    methods: tuple[str, ...]
    pattern: str
    endpoint: str
    blueprint: str
    view: str
    before: tuple[str, ...]
    after: tuple[str, ...]


@click.command()
@click.option("--stages", is_flag=True, help="Show what runs before and after each view, in order.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@pass_app
def routes(app: App, stages: bool, as_json: bool) -> None:
    """List routes, their views, and the stages around them.

    Sorted by pattern. HEAD and OPTIONS are answered everywhere and not listed.
    """
    flask_app = app.load()
    found = list_routes(flask_app)
    if as_json:
        click.echo(json.dumps([asdict(route) for route in found], indent=2))
        return
    lines = _table(found)
    for line, route in zip(lines, (None, *found), strict=True):
        click.echo(line)
        if stages and route is not None:
            click.echo(_stages(route))
    if stages:
        click.echo(_around(flask_app))


def list_routes(app: Flask) -> list[Route]:
    """Return every route of *app*, sorted by pattern, then methods. Seals a Carboy."""
    stages = _lanes(app)
    found = [_route(app, rule, *stages.get(rule.endpoint, ((), ()))) for rule in _rules(app)]
    return sorted(found, key=lambda route: (route.pattern, route.methods))


def _rules(app: Flask) -> Iterable[Rule]:
    return app.url_map.iter_rules()


def _lanes(app: Any) -> dict[str | None, tuple[tuple[str, ...], tuple[str, ...]]]:
    lanes = getattr(app, "lanes", ())
    return {lane.endpoint: (lane.before_names, lane.after_names) for lane in lanes}


def _route(app: Flask, rule: Rule, before: tuple[str, ...], after: tuple[str, ...]) -> Route:
    methods = sorted((rule.methods or set()) - SILENT) or sorted(rule.methods or ())
    name, _, _ = rule.endpoint.rpartition(".")
    return Route(
        methods=("WEBSOCKET",) if rule.websocket else tuple(methods),
        pattern=f"{_domain(app, rule)}{rule.rule}",
        endpoint=rule.endpoint,
        blueprint=name if name in app.blueprints else "",
        view=_place(app.view_functions.get(rule.endpoint)),
        before=before,
        after=after,
    )


def _domain(app: Flask, rule: Rule) -> str:
    if app.url_map.host_matching:
        return rule.host or ""
    return f"{rule.subdomain}." if rule.subdomain else ""


def _place(view: Any) -> str:
    """Return "file:line" of *view*, the class for a class-based one."""
    if view is None:
        return ""
    target = inspect.unwrap(getattr(view, "view_class", view))
    try:
        filename = inspect.getsourcefile(target) or ""
        line = inspect.getsourcelines(target)[1]
    except (TypeError, OSError):  # built in, a partial, or without source
        return ""
    return f"{_short(filename)}:{line}"


def _short(filename: str) -> str:
    path = Path(filename)
    if Path.cwd() in path.parents:
        return str(path.relative_to(Path.cwd()))
    parts = path.parts
    if "site-packages" in parts:
        return os.path.join(*parts[parts.index("site-packages") + 1 :])
    return filename


def _table(found: list[Route]) -> list[str]:
    """Return a heading and one line per route that fit the terminal.

    The blueprint has a column when it says something and there is room for it:
    the endpoint begins with it anyway.
    """
    head = ["METHODS", "PATTERN", "ENDPOINT", "BLUEPRINT", "VIEW"]
    rows = [
        [", ".join(route.methods), route.pattern, route.endpoint, route.blueprint, route.view]
        for route in found
    ]
    lines = columns(head, rows)
    if not any(route.blueprint for route in found) or max(map(len, lines[1:])) > width():
        lines = columns(_plain(head), [_plain(row) for row in rows], limit=width())
    return lines


def _plain(cells: list[str]) -> list[str]:
    return [*cells[:3], cells[4]]


def _stages(route: Route) -> str:
    before, after = (" > ".join(names) or "nothing" for names in (route.before, route.after))
    return click.style(f"    before: {before}\n    after:  {after}", dim=True)


def _around(app: Any) -> str:
    """Return what runs on every request, matched or not, in two lines."""
    from carboy.engine.lanes import ordered

    admit = [stage.name for stage in ordered(getattr(app, "admissions", ()))]
    done = list(getattr(app, "closers", ()))
    rows = {"before matching": admit, "when done": done}
    lines = [f"    {name}: {' > '.join(names) or 'nothing'}" for name, names in rows.items()]
    return "\n".join(["Every request", *(click.style(line, dim=True) for line in lines)])
