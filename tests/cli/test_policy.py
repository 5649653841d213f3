"""`carboy policy`: in words, in SQL, about one row, and as a matrix."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow  # each command is a process

APP = """
from carboy import Carboy, Model, Policy, belongs_to, db, everyone, field, owner, role, signed_in
from carboy import unscoped, where
from sqlalchemy.orm import Mapped

app = Carboy(__name__)

class Person(Model):
    name: Mapped[str] = field(max_length=20)
    policy = Policy(read=everyone, write=role("admin"))

class Note(Model):
    public: Mapped[bool] = field(default=False)
    price: Mapped[int | None]
    author: Mapped[Person] = belongs_to()
    policy = Policy(
        read=owner("author") | where(lambda note: note.public), create=signed_in & owner("author"),
        write=owner("author"), fields={"price": role("staff")},
    )

class Forgotten(Model):
    word: Mapped[str]

@app.cli.command("fill")
def fill():
    with unscoped("first rows"):
        db.create_all()
        db.session.add_all([Note(author=Person(name="Ada")), Note(author_id=1, public=True)])
        db.session.commit()
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run `carboy` in the folder of an application that has two notes of person 1."""
    folder = tmp_path_factory.mktemp("notes")
    (folder / "app.py").write_text(APP)

    def carboy(*arguments):
        code = "from carboy.cli.main import main; main()"
        command = [sys.executable, "-c", code, *arguments]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)

    assert carboy("fill").returncode == 0
    return carboy


def test_explain_in_words_and_sql(run):
    done = run("policy", "explain", "note", "--as", "7")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Note, asked by user 7:")
    assert "read: some. Allowed when its author is who asks or (notes.public)." in done.stdout
    assert "WHERE notes.author_id = :user OR notes.public = 1" in done.stdout
    assert "read price: none. Allowed when who asks has the role 'staff'." in done.stdout


def test_explain_about_one_row(run):
    rows = json.loads(run("policy", "explain", "Note", "--as", "1", "--row", "1", "--json").stdout)
    assert {r["action"]: r["row"] for r in rows if not r["field"]} == {
        "read": "yes", "create": None, "update": "yes", "delete": "yes",
    }  # fmt: skip
    told = run("policy", "explain", "Note", "--as", "2", "--row", "2").stdout
    assert "(row 2: yes)" in told.split("create:")[0]
    assert "(row 2: no)" in told.split("update:")[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Nope"], "Known: Forgotten, Note, Person."),
        (["Note", "--row", "x"], "'x' is no id of notes"),
        (["Note", "--row", "9"], "No Note has the key '9'"),
        (["Note", "--row", "1,2"], "'1,2' is no key of notes"),
    ],
)
def test_what_is_not_there_is_told(run, arguments, said):
    done = run("policy", "explain", *arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_matrix(run):
    lines = run("policy", "matrix").stdout.splitlines()
    assert lines[0].split() == ["model", "action", "visitor", "signed", "in", "admin", "staff"]
    assert ["Person", "create", "none", "none", "all", "none"] in [line.split() for line in lines]
    rows = json.loads(run("policy", "matrix", "--role", "admin", "--json").stdout)
    assert rows[0].keys() == {"model", "action", "visitor", "signed in", "admin"}


def test_check_lists_what_is_closed_and_every_way_around(run):
    told = run("check").stdout
    assert "Forgotten states no policy: nobody sees its rows." in told
    assert "No policy applies here: 'first rows'." in told
