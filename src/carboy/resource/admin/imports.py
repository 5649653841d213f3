"""CSV import: first looked at, then carried out, all or nothing.

    file  ->  preview()    columns found, the first rows, every error with its line
          ->  carry_out()  the same rows in one transaction, through policy and history

The file waits in the database, so any replica can carry it out; for an hour, once.
"""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import secrets
from dataclasses import dataclass, field as item
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from flask import flash, redirect, request, url_for
from pydantic import ValidationError
from sqlalchemy.orm import Mapped  # noqa: TC002  # read when the class is mapped

from carboy.base.errors import RequestFault
from carboy.base.scope import current, finding
from carboy.data.db import db
from carboy.data.fields import field
from carboy.data.mixins import now
from carboy.data.models import Model
from carboy.policy.policies import Policy
from carboy.policy.rules import nobody
from carboy.resource.choices import choices_of
from carboy.resource.html import say
from carboy.resource.may import settable
from carboy.resource.schemas import changes, complaints, schema

if TYPE_CHECKING:
    from carboy.resource.html import Pages
    from carboy.resource.plan import Plan

__all__ = ["Upload", "carry_out", "preview"]

MOST_BYTES = 8_000_000
MOST_ROWS = 20_000  # in one transaction of a request; more is for `carboy new --from`
SHOWN = 20  # rows and errors on the page
KEPT = dt.timedelta(hours=1)


class Upload(Model):
    """A file that waits to be imported."""

    __tablename__ = "carboy_uploads"

    token: Mapped[str] = field(max_length=64, unique=True)
    who: Mapped[str] = field(max_length=64)
    about: Mapped[str] = field(max_length=100)
    at: Mapped[dt.datetime] = field(default=now)
    text: Mapped[str] = field()

    policy = Policy(read=nobody, write=nobody)


@dataclass
class Read:
    """What was found in a file. rows: values to create. errors: (line, text)."""

    columns: list[str] = item(default_factory=list)
    unknown: list[str] = item(default_factory=list)
    rows: list[dict[str, Any]] = item(default_factory=list)
    shown: list[list[str]] = item(default_factory=list)
    errors: list[tuple[int, str]] = item(default_factory=list)
    wrong: int = 0


def preview(pages: Pages) -> Any:
    """Show the form for a file, or what is in the file that was sent."""
    plan = pages.plan
    names = settable(plan.model, plan.create)
    if request.method == "GET":
        return pages._render("import", names=names, read=None, problem="", token="")
    try:
        text = _text()
        read = _read(plan, names, text)
    except RequestFault as error:
        page = pages._render("import", names=names, read=None, problem=error.message, token="")
        return page, error.status
    token = "" if read.errors or not read.rows else _keep(plan, text)
    page = pages._render("import", names=names, read=read, problem="", token=token)
    return page, 422 if read.errors else 200


def carry_out(pages: Pages, token: str) -> Any:
    """Create the rows of the file that was looked at."""
    plan = pages.plan
    back = url_for(f"{plan.name}.bring")
    if request.method != "POST":
        return redirect(back, 303)
    text = _take(plan, token)
    if text is None:
        flash(say("That file is no longer here. Choose it again."), "warn")
        return redirect(back, 303)
    names = settable(plan.model, plan.create)
    read = _read(plan, names, text)
    if read.errors:  # something that was there is gone since
        return pages._render("import", names=names, read=read, problem="", token=""), 422
    try:
        with db.transaction() as session:
            for values in read.rows:
                row = plan.model(**plan.resource.values(values, None))
                session.add(row)
            session.flush()
    except RequestFault as error:
        page = pages._render("import", names=names, read=None, problem=error.message, token="")
        return page, error.status
    flash(say("%(count)s rows were added.", count=len(read.rows)), "good")
    return redirect(url_for(f"{plan.name}.list"), 303)


def _text() -> str:
    file = request.files.get("file")
    data = b""
    if file is not None:
        data = file.read(MOST_BYTES + 1)
        file.close()
    if not data:
        raise RequestFault(422, "admin.import", say("Choose a CSV file with a header first."))
    if len(data) > MOST_BYTES:
        raise RequestFault(422, "admin.import", say("The file is larger than 8 MB."))
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise RequestFault(422, "admin.import", say("This is no text: CSV in UTF-8 is expected."))


def _read(plan: Plan, names: tuple[str, ...], text: str) -> Read:
    """Return the rows in *text*, with every error. Raises RequestFault for no table at all."""
    found = Read()
    lines = csv.reader(io.StringIO(text, newline=""), dialect=_dialect(text), strict=True)
    model = schema(plan, "create", names)
    try:
        header = next(lines, [])
        found.columns, found.unknown = _columns(plan, names, header)
        if not any(found.columns):
            raise RequestFault(
                422, "admin.import",
                say("No column of the file is known here. Known are: %(names)s.",
                    names=", ".join(names)),
            )  # fmt: skip
        for cells in lines:
            if any(cell.strip() for cell in cells):
                _take_row(plan, model, found, cells, lines.line_num)
            if len(found.rows) + found.wrong > MOST_ROWS:
                raise RequestFault(
                    422,
                    "admin.import",
                    say("The file has more than %(most)s rows.", most=MOST_ROWS),
                )
    except csv.Error as error:
        found.errors.append((lines.line_num, say("This line is no CSV: %(why)s.", why=error)))
        found.wrong += 1
    return found


def _take_row(plan: Plan, model: Any, found: Read, cells: list[str], line: int) -> None:
    if len(found.shown) < SHOWN:
        found.shown.append(cells)
    values = {name: cell.strip() for name, cell in zip(found.columns, cells, strict=False)
              if name and cell.strip()}  # fmt: skip
    told = [] if len(cells) <= len(found.columns) else [say("There are more cells than columns.")]
    for name, text in list(values.items()):
        if plan.model.facts().fields[name].kind == "reference":
            values[name], problem = _referred(plan, name, text)
            told += [problem] if problem else []
    try:
        made = model.model_validate(values)
        found.rows.append(dict(changes(made, found.columns)))
    except ValidationError as error:
        told += [one["msg"] for one in complaints(plan, error)]
    if told:
        found.wrong += 1
        if len(found.errors) < SHOWN:
            found.errors.append((line, " ".join(dict.fromkeys(told))))


def _referred(plan: Plan, name: str, text: str) -> tuple[Any, str]:
    """Return the key that a cell means, by key or by title, or what is wrong with it."""
    fields = plan.model.facts().fields
    target: Any = plan.model.__mapper__.relationships[fields[name].relation].mapper.class_
    choices = choices_of(target)
    if text.isascii() and text.isdecimal() and choices.label(int(text)) is not None:
        return int(text), ""
    same = [key for key, label in choices.options(text, 20) if label.casefold() == text.casefold()]
    if len(same) == 1:
        return same[0], ""
    label = fields[name].label.removesuffix(" id")
    if same:
        return text, say("%(field)s: several are called so; write the key.", field=label)
    return text, say("%(field)s: there is none called so.", field=label)


def _columns(plan: Plan, names: tuple[str, ...], header: list[str]) -> tuple[list[str], list[str]]:
    """Return the field of each column, "" for none, and the names that are not known."""
    fields = plan.model.facts().fields
    known: dict[str, str] = {}
    for name in names:
        one = fields[name]
        for alias in (name, one.label, one.relation, one.label.removesuffix(" id")):
            if alias:
                known.setdefault(alias.casefold().replace("_", " "), name)
    found, unknown = [], []
    for text in header:
        name = known.get(text.strip().casefold().replace("_", " "), "")
        if name in found:
            name = ""
        found.append(name)
        unknown += [] if name else [text.strip()[:80]]
    return found, unknown


def _dialect(text: str) -> type[csv.Dialect]:
    first = text.split("\n", 1)[0]

    class Found(csv.excel):
        delimiter = max(",;\t|", key=first.count)

    return Found


def _keep(plan: Plan, text: str) -> str:
    token = secrets.token_urlsafe(32)
    with finding(__name__), db.transaction() as session:
        session.execute(sa.delete(Upload).where(Upload.at < now() - KEPT))
        session.add(Upload(token=_hashed(token), who=_who(), about=plan.name, text=text))
    return token


def _take(plan: Plan, token: str) -> str | None:
    with finding(__name__), db.transaction() as session:
        where = (Upload.token == _hashed(token), Upload.who == _who(), Upload.about == plan.name,
                 Upload.at >= now() - KEPT)  # fmt: skip
        text = session.scalar(sa.select(Upload.text).where(*where))
        gone: Any = session.execute(sa.delete(Upload).where(*where))
        return text if gone.rowcount == 1 else None  # only one of two clicks gets it


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _who() -> str:
    return str(current().user)[:64]
