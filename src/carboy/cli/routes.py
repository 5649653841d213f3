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

    from carboy.engine.lanes import Lane

__all__ = ["Route", "routes"]

SILENT = {"HEAD", "OPTIONS"}  # answered for every route; listed when they are all there is


@dataclass(frozen=True)
class Route:
    """One line of the listing.

    methods: without HEAD and OPTIONS. pattern: with the host or subdomain, if any.
    view: "file:line" of the function that answers; "" when it has none.
    access: who may use it, in words; "" where routes are not closed.
    before, after: names of the stages, in the order they run; empty on a plain Flask.
    """

    methods: tuple[str, ...]
    pattern: str
    endpoint: str
    blueprint: str
    view: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    access: str = ""


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
    lanes = {lane.endpoint: lane for lane in getattr(app, "lanes", ())}
    found = [_route(app, rule, lanes.get(rule.endpoint)) for rule in _rules(app)]
    return sorted(found, key=lambda route: (route.pattern, route.methods))


def _rules(app: Flask) -> Iterable[Rule]:
    return app.url_map.iter_rules()


def _route(app: Flask, rule: Rule, lane: Lane | None) -> Route:
    methods = sorted((rule.methods or set()) - SILENT) or sorted(rule.methods or ())
    name, _, _ = rule.endpoint.rpartition(".")
    return Route(
        methods=("WEBSOCKET",) if rule.websocket else tuple(methods),
        pattern=f"{_domain(app, rule)}{rule.rule}",
        endpoint=rule.endpoint,
        blueprint=name if name in app.blueprints else "",
        view=_place(app.view_functions.get(rule.endpoint)),
        before=lane.before_names if lane else (),
        after=lane.after_names if lane else (),
        access=_access(lane),
    )


def _access(lane: Lane | None) -> str:
    """Return who may use the route of *lane*, as the battery `access` found out."""
    if lane is None or "access" not in lane.notes:
        return ""
    who = lane.notes["access"]
    return "NOBODY SAID" if who is None else str(who.words()).removeprefix("who asks ")


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

    Columns that say nothing are left out; so is the blueprint where there is no room for
    it: the endpoint begins with it anyway.
    """
    head = ["METHODS", "PATTERN", "ENDPOINT", "BLUEPRINT", "ACCESS", "VIEW"]
    rows = [
        [", ".join(r.methods), r.pattern, r.endpoint, r.blueprint, r.access, r.view] for r in found
    ]
    silent = {n for n in (3, 4) if not any(row[n] for row in rows)}
    lines = columns(*_without(silent, head, rows))
    if max(map(len, lines)) > width():
        lines = columns(*_without(silent | {3}, head, rows), limit=width())
    return lines


def _without(
    left_out: set[int], head: list[str], rows: list[list[str]]
) -> tuple[list[str], list[list[str]]]:
    kept = [n for n in range(len(head)) if n not in left_out]
    return [head[n] for n in kept], [[row[n] for n in kept] for row in rows]


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
