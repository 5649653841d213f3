"""docs/how-to/look.md is complete, and its examples run."""

import re
import types
from pathlib import Path

import pytest

from carboy.web.look.battery import Look

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/look.md").read_text()
SOURCE = "".join(path.read_text() for path in (ROOT / "src/carboy/web/look").rglob("*.py"))
CODES = {
    *re.findall(r'"(look\.[a-z_]+)"', SOURCE),
    *re.findall(r"\[(look\.[a-z_]+)\]", SOURCE),
    "look.icon",
    "look.where",
}
HTML = re.findall(r"```html\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("code", sorted(CODES - {"look.asset", "look.guide"}))
def test_every_code_is_explained(code):
    """Whoever meets one finds it here."""
    assert f"[{code}]" in PAGE


@pytest.mark.parametrize("option", Look.options, ids=lambda option: option.name)
def test_every_option_is_listed(option):
    """As it is declared."""
    assert f"| `{option.name}` | unset | {option.help} |" in PAGE


@pytest.mark.parametrize("name", ["shop", "workshop"])
def test_the_application_of_the_page_runs(tmp_path, name):
    """With the templates that stand beside it."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    first, head, lists, figures = HTML
    body = f"{lists}{figures}"
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets/cart.css").write_text("a{}")
    (tmp_path / "templates").mkdir()
    page = first.replace(
        "{% endblock %}\n{% block content %}", "{% endblock %}" + head + "{% block content %}"
    )
    page = page.replace("carboy/shop", f"carboy/{name}").replace("<h1>", body + "<h1>")
    (tmp_path / "templates/books.html").write_text(page)
    module = types.ModuleType("look_page")
    module.__file__ = str(tmp_path / "look_page.py")
    (tmp_path / "look_page.py").write_text(code)
    code = code.replace("Carboy(__name__)", "Carboy(__name__, batteries=BATTERIES, root_path=ROOT)")
    module.BATTERIES, module.ROOT = ("headers", "pages", "csp", Look()), str(tmp_path)
    exec(compile(code, module.__file__, "exec"), module.__dict__)
    module.app.testing = True
    answer = module.app.test_client().get("/books")

    assert answer.status_code == 200
    for part in (
        "Demijohn Books",
        "cart.css",
        "4.6 of 5 stars",
        "Sales doubled",
        "Dracula",
        "91 percent",
    ):
        assert part in answer.text
    assert ('href="/orders"' in answer.text) == (name == "workshop")


def test_every_block_of_the_shells_is_named():
    """What can be filled can be found."""
    shells = (ROOT / "src/carboy/web/look/templates/carboy").glob("[!_gtuc]*.html")
    blocks = {name for path in shells for name in re.findall(r"{% block (\w+)", path.read_text())}
    named = {name for name in blocks if f"`{name}`" in PAGE}

    assert blocks - named == {"body", "body_attributes"}  # of the skeleton itself
