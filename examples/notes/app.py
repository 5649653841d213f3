"""Notes: notebooks that people share. No view checks anything: the models say who may.

carboy db upgrade && carboy dev                           SQLite, in instance/app.db
CARBOY_DATABASE_URL=postgresql://localhost/notes ...      the same, on PostgreSQL
"""

from typing import Any

from flask import Response
from pydantic import BaseModel
from sqlalchemy.orm import Mapped

from carboy import (
    Carboy,
    Clause,
    Model,
    Policy,
    Timestamps,
    Versioned,
    belongs_to,
    db,
    everyone,
    field,
    has_many,
    owner,
    public,
    related,
    search,
    session,
    signed_in,
    unique,
    url_for,
    where,
)

app = Carboy(__name__)


class Person(Model):
    """Somebody who keeps or shares notebooks."""

    name: Mapped[str] = field(max_length=80, min_length=1, unique=True)

    policy = Policy(read=everyone, create=everyone, update=owner("id"))


class Notebook(Timestamps, Model):
    """Notes of one person, who may let others in."""

    keeper: Mapped[Person] = belongs_to(default="current_user")
    title: Mapped[str] = field(max_length=80, min_length=1)
    members: Mapped[list["Membership"]] = has_many()

    policy = Policy(
        read=owner("keeper") | related("members", owner("person")),
        create=signed_in & owner("keeper"),
        write=owner("keeper"),
    )


class Membership(Model):
    """One person whom the keeper let in."""

    notebook: Mapped[Notebook] = belongs_to(on_delete="cascade")
    person: Mapped[Person] = belongs_to(on_delete="cascade")
    writes: Mapped[bool] = field(default=False, label="May write")

    constraints = (unique("notebook", "person", message="This person is a member already."),)
    policy = Policy(
        read=owner("person") | related("notebook", owner("keeper")),
        write=related("notebook", owner("keeper")),
    )


class Note(Timestamps, Versioned, Model):
    """A text in a notebook."""

    notebook: Mapped[Notebook] = belongs_to(on_delete="cascade")
    author: Mapped[Person] = belongs_to(default="current_user")
    text: Mapped[str] = field(max_length=2000, min_length=1, search=True)

    writer = owner("person") & where(lambda member: member.writes)
    policy = Policy(
        read=related("notebook"),
        write=related("notebook", owner("keeper") | related("members", writer)),
    )


class Written(BaseModel):
    """What a request brings; how long it may be, the model says."""

    text: str


NOTEBOOKS = Notebook.read("id", "title", "keeper.name", order=("title",))
NOTES = Note.read("id", "text", "author.name", "version", order=("-created_at",))


@app.scope_loader
def who_asks() -> Any:
    """Return the key of the person who asks. Accounts with passwords are another matter."""
    return session.get("person")


app.access("*", signed_in)  # every route, but for those that say otherwise


@app.post("/sign-in")
@public
def sign_in(name: str) -> dict[str, str]:
    """Be the person of that name."""
    person = db.session.scalar(db.select(Person).filter_by(name=name))
    if person is None:
        with db.transaction():
            db.session.add(person := Person(name=name))
    session["person"] = person.id
    return {"signed in": name}


@app.get("/notebooks")
def notebooks() -> Response:
    """List my notebooks, and those that are shared with me."""
    return NOTEBOOKS.response(limit=50)


@app.post("/notebooks")
def add_notebook(new: Written) -> tuple[dict[str, int], int]:
    """Begin a notebook."""
    with db.transaction():
        db.session.add(notebook := Notebook(title=new.text))
    return {"id": notebook.id}, 201


@app.post("/notebooks/<int:id>/members")
def share(id: int, name: str, writes: bool = False) -> tuple[dict[str, str], int]:
    """Let somebody in."""
    notebook = db.get_or_404(Notebook, id)
    person = db.first_or_404(db.select(Person).filter_by(name=name))
    with db.transaction():
        db.session.add(Membership(notebook=notebook, person=person, writes=writes))
    return {"shared with": name}, 201


@app.get("/notebooks/<int:id>/notes")
def notes(id: int, q: str = "") -> Response:
    """List the notes of a notebook, the newest first, a page at a time."""
    db.get_or_404(Notebook, id)
    page = db.keyset(NOTES, Clause.equal(notebook_id=id), search(Note, q).clause)
    answer = Response(page.json(), mimetype="application/json")
    if page.next:
        answer.headers["Link"] = f'<{url_for("notes", id=id, q=q, cursor=page.next)}>; rel="next"'
    return answer


@app.post("/notebooks/<int:id>/notes")
def add_note(id: int, new: Written) -> tuple[dict[str, int], int]:
    """Write a note."""
    with db.transaction():
        db.session.add(note := Note(notebook=db.get_or_404(Notebook, id), text=new.text))
    return {"id": note.id}, 201


@app.put("/notes/<int:id>")
def change_note(id: int, new: Written) -> dict[str, int]:
    """Change a note."""
    note = db.get_or_404(Note, id)
    with db.transaction():
        note.text = new.text
    return {"version": note.version}
