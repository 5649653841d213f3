"""The project around adopted models: what `carboy new` writes, filled in.

drafts  ->  models.py, app.py, templates/home.html, tests/test_app.py, README.md
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from carboy.cli.adopt.modeltext import call, models_text, quoted
from carboy.cli.adopt.report import mapping, summary, unsure
from carboy.cli.new import title_of, write
from carboy.data.naming import label_of

if TYPE_CHECKING:
    from carboy.cli.adopt.drafts import Draft

__all__ = ["write_project"]

KNOWN_TITLES = ("title", "name", "label", "subject", "email", "code")
"""Fields that a resource is called by without being told."""


def write_project(
    folder: Path, called: str, drafts: Sequence[Draft], sources: str, notes: Sequence[str]
) -> None:
    """Write the whole project but its migration and its rows."""
    title = title_of(called)
    doubts = unsure(drafts, notes)
    tested = [one for one in drafts if not one.links_of_many] or drafts
    words = {
        "@files@": '"app.py", "models.py", "tests"',
        "@sources@": sources,
        "@links@": "\n".join(map(_link, drafts)),
        "@imports@": _imports(tested),
        "@kept@": "\n".join(f"    ({one.cls}, {quoted(_path(one))})," for one in tested),
        "@summary@": "\n".join(f"- {line}" for line in summary(drafts)),
        "@unsure@": "Not sure:\n\n" + "\n".join(f"- {line}" for line in doubts) if doubts else "",
        "@mapping@": "\n".join(mapping(drafts)),
    }
    write(folder, called, "adopted", words)
    (folder / "models.py").write_text(models_text(drafts, title, sources), "utf-8")
    (folder / "app.py").write_text(app_text(drafts, title, sources), "utf-8")


def app_text(drafts: Sequence[Draft], title: str, sources: str) -> str:
    """Return app.py."""
    lines = "\n".join(map(_resource, drafts))
    return APP.format(title=title, sources=sources, imports=_imports(drafts), resources=lines)


APP = '''"""{title}: a Carboy application, begun from {sources}.

carboy dev      serve while you work
carboy run      serve in production
"""

from carboy import Carboy, public, render_template
from carboy import User as User  # with it there are accounts: sign in, sign out, roles

{imports}

app = Carboy(__name__)

{resources}


@app.get("/")
@public
def home() -> str:
    """Show what there is; who may see more, the models say."""
    return render_template("home.html")
'''


def _resource(one: Draft) -> str:
    arguments = [one.cls]
    if one.listed:
        listed = ", ".join(map(quoted, one.listed))
        arguments.append(f"columns=({listed}{',' if len(one.listed) == 1 else ''})")
    if one.title and one.title not in KNOWN_TITLES:
        arguments.append(f"title={quoted(one.title)}")
    return call("app.resource(", arguments, 0)


def _path(one: Draft) -> str:
    return "/" + one.table.replace("_", "-")


def _imports(drafts: Sequence[Draft]) -> str:
    names = sorted(one.cls for one in drafts)
    line = f"from models import {', '.join(names)}"
    if len(line) <= 100:
        return line
    return "from models import (\n" + "".join(f"    {name},\n" for name in names) + ")"


def _link(one: Draft) -> str:
    label = label_of(one.table)
    return f"  <li><a href=\"{{{{ url_for('{one.table}.list') }}}}\">{label}</a></li>"
