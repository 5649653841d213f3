"""`carboy eject BOOK`: plain views and templates in place of a resource's pages.

    the plan  ->  views_books.py      an ordinary blueprint, with every name spelled out
              ->  templates/books/    list, detail, form, delete
              ->  the two lines to change in the application, for its author to paste

Nothing that is there is overwritten, and the application itself is not edited.
"""

from __future__ import annotations

import inspect
import keyword
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from carboy.base.errors import SetupError
from carboy.cli.main import App, pass_app

if TYPE_CHECKING:
    from collections.abc import Iterable

    from carboy.resource.plan import Column, Plan

__all__ = ["eject", "written"]

PAGES = ("list", "detail", "form", "delete")


@click.command()
@click.argument("model")
@pass_app
def eject(app: App, model: str) -> None:
    """Write a resource's pages as plain views, to own them.

    MODEL is its name, such as Book. The API and the admin stay as they are.
    """
    flask_app = app.load()
    plan = _plan(flask_app, model)
    files = written(plan, Path(flask_app.root_path))
    taken = [path for path in files if path.exists()]
    if taken:
        raise SetupError(
            "eject.exists",
            f"{_short(taken[0], flask_app)} is there already, and nothing is overwritten.",
            hint="Move it away, then run this again.",
        )
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        click.echo(f"wrote {_short(path, flask_app)}")
    name = plan.name
    click.echo(
        "\nNow let the application use them. Where it says"
        f" app.resource({plan.model.__name__}):\n\n"
        f"  app.resource({plan.model.__name__}, pages=False)\n\n"
        f"and at its end, so that the models are there:\n\n"
        f"  from views_{name} import {name}\n  app.register_blueprint({name})"
    )


def written(plan: Plan, root: Path) -> dict[Path, str]:
    """Return the text of each file, by path; nothing is written."""
    words = _words(plan)
    folder = root / "templates" / plan.name
    pages = {folder / f"{one}.html": _filled(f"{one}.html", words) for one in PAGES}
    return {root / f"views_{plan.name}.py": _filled("views.py", words), **pages}


def _filled(name: str, words: dict[str, str]) -> str:
    text = (resources.files("carboy.cli") / "ejected" / f"{name}.tmpl").read_text("utf-8")
    for word, value in words.items():
        text = text.replace(word, value)
    return text


def _plan(app: Any, model: str) -> Plan:
    declared = getattr(app.extensions.get("carboy.resources"), "declared", {})
    app.seal()
    for one in declared.values():
        if model in (one.model.__name__, one.name):
            if one.plan.key != ("id",) and len(one.plan.key) != 1:
                raise SetupError(
                    "eject.key", f"{model} has a key of several fields, which is not supported.",
                    hint="Write the views by hand; docs/how-to/resources.md shows one.",
                )  # fmt: skip
            found: Plan = one.plan
            return found
    known = ", ".join(one.model.__name__ for one in declared.values()) or "none"
    raise SetupError(
        "eject.unknown", f"There is no resource {model!r}.", hint=f"Resources: {known}."
    )


def _words(plan: Plan) -> dict[str, str]:
    """Return what stands for each @word@ of the files, in the order of replacing."""
    one = plan.singular.replace(" ", "_")
    if keyword.iskeyword(one) or one in ("form", "key", "page", "request"):
        one += "_"
    model = plan.model.__name__
    module = inspect.getmodule(plan.model)
    paths = dict.fromkeys((*plan.key, plan.title, *(column.path for column in plan.columns)))
    found = f'\n    asked.append(search({model}, request.args.get("q", "")).clause)'
    first, *others = plan.columns
    return {
        "@find@": _filled("find.html", {}) if plan.searched else "",
        "@head@": _lines(f'      <th scope="col"{_number(column)}>{column.label}</th>'
                         for column in plan.columns),
        "@cells@": _lines(f"      <td{_number(column)}>{{{{ @one@.{column.path} }}}}</td>"
                          for column in others),
        "@facts@": _lines(f"    <div><dt>{column.label}</dt>"
                          f"<dd>{{{{ @one@.{column.path} }}}}</dd></div>"
                          for column in plan.details),
        "@count@": str(len(plan.columns)), "@first@": first.path,
        "@Plural@": plan.plural.capitalize(), "@singular@": plan.singular, "@Model@": model,
        "@module@": "app" if module is None else module.__name__, "@path@": plan.path,
        "@read@": _quoted(paths), "@order@": _tuple(plan.order), "@title@": plan.title,
        "@filters@": _quoted(plan.filters.names), "@sorts@": _quoted(plan.sorts.names),
        "@search@": found if plan.searched else "", "@key@": plan.key[0], "@one@": one,
        "@@name@": f"@{plan.name}",  # the decorator of the blueprint
        "@name@": plan.name,
    }  # fmt: skip


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines)


def _quoted(names: Any) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _tuple(names: tuple[str, ...]) -> str:
    return f"({_quoted(names)},)" if len(names) == 1 else f"({_quoted(names)})"


def _number(column: Column) -> str:
    return ' class="num"' if column.number else ""


def _short(path: Path, app: Any) -> str:
    return str(path.relative_to(app.root_path))
