"""`carboy generate resource book title:str price:money author:belongs_to=Author`.

    words  ->  a model with its policy, app.resource(...), a test file, a migration

Files are edited at places that the syntax tree shows (adopt/edits.py). What is not plain is
refused with the lines to write by hand, and when the migration fails all is as it was.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import rich_click as click

from carboy.base.errors import SetupError
from carboy.cli.adopt.edits import Source, Unsure
from carboy.cli.main import App, pass_app

__all__ = ["generate"]

TYPES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "str": ("str", "max_length=200", ()),
    "text": ("str", 'max_length=5000, widget="textarea"', ()),
    "int": ("int", "", ()),
    "float": ("float", "", ()),
    "bool": ("bool", "default=False", ()),
    "money": ("Decimal", "places=2, ge=0", ("decimal", "Decimal")),
    "decimal": ("Decimal", "places=2", ("decimal", "Decimal")),
    "date": ("dt.date", "", ("datetime as dt",)),
    "datetime": ("dt.datetime", "", ("datetime as dt",)),
    "time": ("dt.time", "", ("datetime as dt",)),
    "uuid": ("uuid.UUID", "", ("uuid",)),
    "json": ("dict[str, Any]", "default=dict", ("typing", "Any")),
}
"""Word to (annotation, arguments of field(), what to import)."""

WORD = re.compile(
    r"(?P<name>[a-z][a-z0-9_]*):(?P<type>[a-z_]+)(?:=(?P<target>[A-Za-z_]\w*))?"
    r"(?P<marks>[?!]*)(?P<flags>(?::[a-z]+)*)(?P<late>[?!]*)"
)


@dataclass(frozen=True)
class Part:
    """One field: as the command line said it."""

    name: str
    type: str
    target: str = ""
    optional: bool = False
    unique: bool = False
    search: bool = False


@click.group()
def generate() -> None:
    """Add a model with its policy, pages, API, migration and tests."""


@generate.command()
@click.argument("name")
@click.argument("fields", nargs=-1, required=True)
@click.option("--no-migration", is_flag=True, help="Do not write a migration.")
@click.pass_context
@pass_app
def resource(
    app: App, ctx: click.Context, /, *, name: str, fields: tuple[str, ...], no_migration: bool
) -> None:
    """Add the model NAME with FIELDS, written name:type.

    Types: str, text, int, float, bool, money, decimal, date, datetime, time, uuid, json, and
    belongs_to=Author. After the type: ? it may be empty, ! no two are alike, :search it is
    found by its words. For example:

    carboy generate resource book title:str:search isbn:str! author:belongs_to=Author out:date?
    """
    cls = _class_name(name)
    parts = [_part(text) for text in fields]
    _check_names(parts)
    place = _Place(app)
    files = place.edited(cls, parts)
    _write(files)
    try:
        if not no_migration:
            from carboy.cli.db import make

            ctx.invoke(
                make, message=f"Add {_table(cls)}", empty=False, name=None, renamed=(),
                dropped=(), fill=(),
            )  # fmt: skip
    except BaseException:
        _write({path: before for path, (before, _) in files.items()}, back=True)
        raise
    for path, (before, _) in files.items():
        click.echo(f"{'Changed' if before is not None else 'Wrote'} {_short(path)}")
    click.echo(f"Look at who may do what in {cls}.policy, then: carboy db upgrade, pytest")


class _Place:
    """The files of the application that is to have one more resource."""

    def __init__(self, app: App) -> None:
        target = app.target
        path = target.folder / target.path.split(":")[0]
        found = [one for one in (path, path.with_suffix(".py"), path / "__init__.py")
                 if one.is_file()]  # fmt: skip
        if not found:
            raise _refusal(f"{target.path!r} is no file that could be edited", "")
        self.folder = target.folder
        self.app = found[0]
        models = self.app.with_name("models.py")
        self.models = models if models.is_file() else self.app
        package = self.app.name == "__init__.py"
        self.module = f"{self.app.parent.name}.models" if package else "models"
        if self.models == self.app:
            self.module = self.app.parent.name if package else self.app.stem

    def edited(self, cls: str, parts: Sequence[Part]) -> dict[Path, tuple[str | None, str]]:
        """Return path to (text before, text after). Raises SetupError when unsure."""
        by_hand = f"{_model(cls, parts)}\n\n\napp.resource({cls})"
        try:
            return self._edited(cls, parts)
        except Unsure as unsure:
            raise _refusal(f"{_short(self.app)} cannot be edited: {unsure}", by_hand) from None

    def _edited(self, cls: str, parts: Sequence[Part]) -> dict[Path, tuple[str | None, str]]:
        app_text = self.app.read_text("utf-8")
        app = Source(app_text)
        one_file = self.models == self.app
        models_text = self.models.read_text("utf-8")
        models = app if one_file else Source(models_text)
        if cls in models.bound() | app.bound():
            raise Unsure(f"{cls} is there already")
        for part in parts:
            if part.target and part.target not in {c.name for c in models.classes()} | {"User"}:
                raise Unsure(f"{part.name} belongs to {part.target}, which is no model there")
        made = app.made_by("Carboy")
        if made is None:
            raise Unsure("no line  app = Carboy(__name__)  is at its top")
        _import_all(models, parts)
        known = [one.end_lineno or 0 for one in models.classes()]
        where = max([*known, made[1]] if one_file else known, default=len(models.lines))
        models.after(where, f"\n\n{_model(cls, parts)}")
        name, line = made
        after = max([*app.calls(name, "resource"), where if one_file else line, line])
        text = f"{name}.resource({cls})"
        app.after(after, text if app.calls(name, "resource") else f"\n\n{text}")
        if not one_file:
            app.need(self.module, cls)
        tests = self.folder / "tests" / f"test_{_table(cls)}.py"
        if tests.exists():
            raise Unsure(f"{_short(tests)} is there already")
        files: dict[Path, tuple[str | None, str]] = {self.app: (app_text, app.result())}
        if not one_file:
            files[self.models] = (models_text, models.result())
        files[tests] = (None, _tests(cls, parts, self.module))
        return files


def _import_all(models: Source, parts: Sequence[Part]) -> None:
    """Import what the lines of a model are written with."""
    names = {"Model", "Policy", "role"}
    names |= {"belongs_to"} if any(part.target for part in parts) else set()
    names |= {"field"} if any(not part.target for part in parts) else set()
    names |= {"User"} if any(part.target == "User" for part in parts) else set()
    missing = [one for one in sorted(names) if one not in {c.name for c in models.classes()}]
    models.need("carboy", *missing)
    models.need("sqlalchemy.orm", "Mapped")
    for needed in sorted({TYPES[part.type][2] for part in parts if part.type in TYPES} - {()}):
        models.need(*needed)


def _class_name(text: str) -> str:
    """Return the class for NAME. Raises SetupError (generate.name)."""
    from carboy.cli.adopt.names import CLASSES, singular

    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,39}", text):
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text).lower().strip("_").split("_")
        words[-1] = singular(words[-1])
        name = "".join(word.capitalize() for word in words)
        if name not in CLASSES:
            return name
    raise SetupError(
        "generate.name",
        f"A resource cannot be called {text!r}.",
        hint="One thing, in English letters, and no name of Carboy's: carboy generate resource"
        " order_line count:int",
    )


def _part(text: str) -> Part:
    """Return what one field says. Raises SetupError (generate.field)."""
    found = WORD.fullmatch(text)
    flags = set(filter(None, (found["flags"] if found else "").split(":")))
    known = ", ".join([*TYPES, "belongs_to=Model"])
    wrong = ""
    if found is None:
        wrong = "is not of the form name:type"
    elif found["type"] == "belongs_to" and not found["target"]:
        wrong = "does not say to what: author:belongs_to=Author"
    elif found["type"] != "belongs_to" and (found["type"] not in TYPES or found["target"]):
        wrong = f"has a type that is not known: {known}"
    elif flags - {"search"} or (flags and found["type"] not in ("str", "text")):
        wrong = "ends in something else than :search, which is for str and text"
    marks = (found["marks"] + found["late"]) if found else ""
    if not wrong and "!" in marks and found and found["type"] in ("text", "json", "bool"):
        wrong = f"cannot be unique: {found['type']}"
    if wrong or found is None:
        raise SetupError(
            "generate.field",
            f"The field {text!r} {wrong}.",
            hint="For example: title:str:search isbn:str! author:belongs_to=Author out:date?",
        )
    return Part(found["name"], found["type"], found["target"] or "", "?" in marks, "!" in marks,
                "search" in flags)  # fmt: skip


def _check_names(parts: Sequence[Part]) -> None:
    from carboy.cli.adopt.names import attribute

    names = [part.name for part in parts]
    for name in names:
        if attribute(name, 1) != name or name == "id":
            raise SetupError(
                "generate.field",
                f"A field cannot be called {name!r}: Python or the model has that name already.",
                hint=f"Take another one, such as {name.rstrip('_')}_ or a longer word.",
            )
        if names.count(name) > 1:
            said = f"The field {name!r} is given twice."
            raise SetupError("generate.field", said, hint="Each field once.")


def _model(cls: str, parts: Sequence[Part]) -> str:
    """Return the text of the class."""
    from carboy.data.naming import label_of

    lines = [f"class {cls}(Model):", f'    """{label_of(cls)}."""', ""]
    lines += [f"    {_field(part)}" for part in parts]
    lines += ["", '    policy = Policy(read=role("staff") | role("admin"), write=role("admin"))']
    return "\n".join(lines)


def _field(part: Part) -> str:
    python, arguments, _ = TYPES.get(part.type, (part.target, "", ()))
    given = [arguments] if arguments and not (part.optional and "default" in arguments) else []
    given += ["search=True"] if part.search else []
    given += ["unique=True"] if part.unique else []
    how = "belongs_to" if part.target else "field"
    python = f"{python} | None" if part.optional else python
    return f"{part.name}: Mapped[{python}] = {how}({', '.join(given)})"


def _tests(cls: str, parts: Sequence[Part], module: str) -> str:
    """Return the test file."""
    table = _table(cls)
    path = table.replace("_", "-")
    required = any(not part.optional and part.type not in ("bool", "json") for part in parts)
    text = TESTS.format(cls=cls, table=table, path=path, module=module)
    return text + (REQUIRED.format(table=table, path=path) if required else "")


TESTS = '''"""What {table} promise, seen from outside."""

from collections.abc import Callable

from carboy.testing.clients import Acting, Client
from carboy.testing.factories import Make

from {module} import {cls}

AsUser = Callable[..., Acting]


def test_visitors_see_no_{table}(client: Client, make: Make) -> None:
    make({cls})
    assert client.get("/api/{path}").get_json()["items"] == []


def test_staff_see_{table}(as_user: AsUser, make: Make) -> None:
    made = make({cls})
    staff = as_user(1, roles={{"staff"}})
    assert staff.get(f"/{path}/{{made.id}}").status_code == 200
    assert staff.get(f"/{path}/{{made.id}}/edit").status_code == 403
'''

REQUIRED = """

def test_{table}_need_their_fields(as_user: AsUser) -> None:
    assert as_user(1, roles={{"admin"}}).post("/api/{path}", json={{}}).status_code == 422
"""


def _table(cls: str) -> str:
    from carboy.data.naming import table_name

    return table_name(cls)


def _write(files: dict[Path, tuple[str | None, str]] | dict[Path, str | None], *,
           back: bool = False) -> None:  # fmt: skip
    """Write all files; with *back* what was there before, where None means nothing was."""
    for path, texts in files.items():
        text = texts if back else texts[1]  # type: ignore[index]  # then it is a pair
        if text is None:
            path.unlink(missing_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        part.write_text(str(text), "utf-8")
        if path.exists():
            part.chmod(path.stat().st_mode & 0o777)
        part.replace(path)


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _refusal(said: str, by_hand: str) -> SetupError:
    hint = f"Nothing was changed. By hand it would be:\n\n{by_hand}\n" if by_hand else ""
    return SetupError("generate.unsure", f"{said}.", hint=hint)
