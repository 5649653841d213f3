"""Hello: a small site about glass vessels that uses each part of Carboy once.

carboy dev      while writing: reload, and a page that explains each error
carboy run      as in production
"""

import asyncio
import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from werkzeug.exceptions import HTTPException

from carboy import (
    Blueprint,
    Carboy,
    abort,
    flash,
    redirect,
    render_template,
    request,
    stream_with_context,
    url_for,
)

app = Carboy(__name__)
api = Blueprint("api", __name__, url_prefix="/api")


class Vessel(BaseModel):
    """A glass vessel: what it is called and what it holds."""

    slug: str
    name: str
    litres: float
    use: str


VESSELS = [
    Vessel(slug="flask", name="Flask", litres=1, use="A first batch, or something to carry."),
    Vessel(slug="jug", name="Jug", litres=3.8, use="One US gallon: a trial of a new recipe."),
    Vessel(slug="demijohn", name="Demijohn", litres=4.5, use="Six bottles of country wine."),
    Vessel(slug="carboy", name="Carboy", litres=19, use="Two cases of beer, in a wicker crate."),
    Vessel(slug="barrel", name="Large carboy", litres=54, use="A harvest. Two people carry it."),
]


Litres = Annotated[float, Field(gt=0, le=1000)]


@app.get("/")
def home(litres: Litres | None = None) -> str:
    """Show the shelf, and the smallest vessel that holds ?litres=..., when asked."""
    found = smallest(litres) if litres else None
    return render_template("home.html", vessels=VESSELS, litres=litres, found=found)


@app.get("/vessels/<slug>")
def vessel(slug: str) -> str:
    """Show one vessel."""
    for each in VESSELS:
        if each.slug == slug:
            return render_template("vessel.html", vessel=each)
    abort(404)


def smallest(litres: float) -> Vessel | None:
    """Return the smallest vessel that holds so many litres, or None."""
    return next((each for each in VESSELS if each.litres >= litres), None)


# JSON: a blueprint. Parameters come from the query by their annotations; what is returned
# becomes JSON.


@api.get("/vessels")
def vessels() -> list[Vessel]:
    """List the shelf."""
    return VESSELS


@api.get("/fit")
def fit(litres: Litres) -> Vessel:
    """Return the smallest vessel that holds so many litres; a wrong number is answered 422."""
    return smallest(litres) or abort(404, "The largest vessel here holds 54 litres.")


@api.errorhandler(404)
def not_on_the_shelf(error: HTTPException) -> ResponseReturnValue:
    """Answer clients of the API with a problem document, not with a page."""
    problem = {"title": "Not found", "status": 404, "detail": error.description}
    return problem, 404, {"Content-Type": "application/problem+json"}


# A form: the rules are stated once, and what was typed is shown again with what to do.


class Note(BaseModel):
    """A line in the guest book."""

    model_config = ConfigDict(str_strip_whitespace=True)

    name: str = Field(min_length=1, max_length=40)
    text: str = Field(min_length=1, max_length=500)


ADVICE = {
    "name": "Write a name of 1 to 40 characters",
    "text": "Write 1 to 500 characters",
}


@app.get("/notes")
def notes() -> str:
    """Show the guest book, newest first."""
    return render_template("notes.html", notes=newest_notes(), typed={}, errors={})


@app.post("/notes")
def leave_note() -> ResponseReturnValue:
    """Add a line to the guest book."""
    typed = request.form.to_dict()
    try:
        note = Note.model_validate(typed)
    except ValidationError as error:
        errors = {str(each["loc"][0]): ADVICE[str(each["loc"][0])] for each in error.errors()}
        page = render_template("notes.html", notes=newest_notes(), typed=typed, errors=errors)
        return page, 422
    keep(note)
    flash(f"Thank you, {note.name}. Your note is in the book.")
    return redirect(url_for("notes"), 303)


def keep(note: Note) -> None:
    """Append one line to the book; several processes may do so at once."""
    book().parent.mkdir(parents=True, exist_ok=True)
    with book().open("a") as file:
        file.write(json.dumps({"at": f"{datetime.now(UTC):%Y-%m-%d}", **note.model_dump()}) + "\n")


def newest_notes(count: int = 20) -> list[dict[str, str]]:
    """Return the last lines of the book, newest first."""
    lines = book().read_text().splitlines() if book().exists() else []
    return [json.loads(line) for line in reversed(lines[-count:])]


def book() -> Path:
    """Return where the notes lie: outside the code, in the instance folder."""
    return Path(app.instance_path) / "notes.jsonl"


# An upload: read, described, and not kept.


@app.route("/count", methods=["GET", "POST"])
def count() -> ResponseReturnValue:
    """Count the lines and words of a text file."""
    if request.method == "GET":
        return render_template("count.html")
    file = request.files.get("file")
    if not file or not file.filename:
        return render_template("count.html", error="Choose a text file first"), 422
    content = file.read()
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return render_template("count.html", error="Choose a text file saved as UTF-8"), 422
    result = {
        "name": file.filename,
        "lines": len(text.splitlines()),
        "words": len(text.split()),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    return render_template("count.html", result=result)


# An async view: three slow answers in the time of one.

THERMOMETERS = {"By the door": 12.8, "Under the stairs": 11.4, "Back wall": 10.9}


@app.get("/cellar")
async def cellar() -> str:
    """Ask the thermometers of the cellar, all at once."""
    readings = await asyncio.gather(*(ask(place) for place in THERMOMETERS))
    return render_template("cellar.html", readings=readings)


async def ask(place: str) -> tuple[str, float]:
    """Return the place and its degrees Celsius; stands for a device that answers slowly."""
    await asyncio.sleep(0.05)
    return place, THERMOMETERS[place]


# A streamed response: the first line is on its way before the last is made.


@app.get("/vessels.csv")
def vessels_csv() -> ResponseReturnValue:
    """Send the shelf as a file, line by line."""

    def lines() -> Iterator[str]:
        yield "name,litres,use\r\n"
        for each in VESSELS:
            yield f'{each.name},{each.litres:g},"{each.use}"\r\n'

    headers = {"Content-Disposition": "attachment; filename=vessels.csv"}
    return stream_with_context(lines()), {"Content-Type": "text/csv; charset=utf-8", **headers}


@app.get("/spill")
def spill() -> NoReturn:
    """Break on purpose: in development the explaining page, in production the clean one."""
    raise RuntimeError("The carboy was dropped.")


@app.errorhandler(404)
def not_found(error: HTTPException) -> tuple[str, int]:
    """Answer a missing page in the site's own look."""
    return render_template("not_found.html"), 404


app.register_blueprint(api)
