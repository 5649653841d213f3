"""The same statement from the same line of the user's code is reported once a request."""

import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy.orm import Mapped

from carboy import Carboy
from carboy.data import repeats
from carboy.data.callers import caller
from carboy.data.db import db
from carboy.data.fields import field
from carboy.data.relations import belongs_to, has_many


@pytest.fixture
def library(base, tmp_path, monkeypatch):
    """An application with eight books by as many authors, and views of both."""
    monkeypatch.chdir(tmp_path)

    class Author(base):
        name: Mapped[str] = field(max_length=20)
        books: Mapped[list["Book"]] = has_many()

    class Book(base):
        title: Mapped[str] = field(max_length=20)
        author: Mapped[Author] = belongs_to()

    app = Carboy("library", batteries=("data",), root_path=str(tmp_path))
    app.config["DATABASE_URL"] = f"sqlite:///{tmp_path}/library.db"
    app.testing = True
    app.Author, app.Book = Author, Book

    @app.get("/titles")
    def titles():
        books = db.session.scalars(db.select(Book)).all()
        return [book.author.name for book in books]

    @app.get("/counts")
    def counts():
        return [len(author.books) for author in db.session.scalars(db.select(Author))]

    @app.get("/keys")
    def keys():
        return [db.session.get(Book, number).title for number in range(1, 9)]

    @app.get("/asked")
    def asked():
        return [
            db.session.scalar(db.select(Book.title).where(Book.author_id == number))
            for number in range(1, 9)
        ]

    @app.get("/few")
    def few():
        return [db.session.get(Book, number).title for number in range(1, 6)]

    @app.get("/page")
    def page():
        books = db.session.scalars(db.select(Book)).all()
        return app.jinja_env.from_string(
            "{% for book in books %}\n{{ book.author.name }}\n{% endfor %}"
        ).render(books=books)

    with app.app_context():
        db.create_all(metadata=base.metadata)
        for number in range(1, 9):
            db.session.add(Book(title=f"t{number}", author=Author(name=f"a{number}")))
        db.session.commit()
    yield app
    app.extensions["carboy.data"].close()


@pytest.fixture
def reports():
    """What was reported."""
    found = []
    repeats.listeners.append(found.append)
    yield found
    repeats.listeners.remove(found.append)


CASES = [
    ("titles", "Book.author was loaded for each row", ".options(joinedload(Book.author))"),
    ("counts", "Author.books was loaded for each row", ".options(selectinload(Author.books))"),
    ("keys", "Book was loaded by its key", "select(Book).where(Book.id.in_(keys))"),
    ("asked", "Book was asked for", "select(Book).where("),
]


@pytest.mark.parametrize(("path", "what", "advice"), CASES, ids=[case[0] for case in CASES])
def test_a_repeat_says_where_and_what_to_write(library, reports, caplog, path, what, advice):
    """One line in the log, with the place, the count, and the loader to add."""
    with caplog.at_level(logging.WARNING, "carboy.data"):
        assert len(library.test_client().get(f"/{path}").json) == 8

    (report,) = reports
    code = library.view_functions[path].__code__
    assert report.place.startswith(code.co_filename)
    assert 0 < int(report.place.rpartition(":")[2]) - code.co_firstlineno < 6
    assert (report.count, report.request, report.asked.what) == (8, f"GET /{path}", what)
    assert advice in report.asked.advice
    assert caplog.messages == [str(report)]
    assert report.line in str(report)


def test_compiled_reads_count(library, reports):
    """They send no less."""
    one = library.Book.read("title")

    @library.get("/read")
    def read():
        return [one.one(number).title for number in range(1, 9)]

    assert len(library.test_client().get("/read").json) == 8
    assert [(report.count, report.asked.what) for report in reports] == [(8, "the same question")]


def test_the_advice_helps(library, reports):
    """With the loader that was named, nothing is reported."""
    from sqlalchemy.orm import joinedload

    Book = library.Book

    @library.get("/better")
    def better():
        books = db.session.scalars(db.select(Book).options(joinedload(Book.author)))
        return [book.author.name for book in books]

    library.test_client().get("/better")
    assert reports == []


def test_five_times_is_not_often(library, reports):
    """DATABASE_REPEATS says how often is too often."""
    client = library.test_client()
    client.get("/few")
    client.get("/few")
    assert reports == []


def test_a_line_of_a_template_counts(library, reports):
    """The line of its source, not of the code that Jinja makes of it."""
    library.test_client().get("/page")
    assert [report.place for report in reports] == ["<template>:2"]


def test_different_lines_are_different(library, reports):
    """Three each, on two lines, is no repeat."""
    Book = library.Book

    @library.get("/both")
    def both():
        first = [db.session.get(Book, number).title for number in (1, 2, 3)]
        return first + [db.session.get(Book, number).title for number in (4, 5, 6)]

    library.test_client().get("/both")
    assert reports == []


def test_work_outside_of_requests_is_not_counted(library, reports):
    """A script may loop."""
    with library.app_context():
        for number in range(1, 9):
            db.session.get(library.Book, number)
    assert reports == []


@pytest.mark.parametrize("option", ["production", "off"])
def test_where_it_is_not_wanted_nothing_is_counted(library, reports, option):
    """In production relations are loaded in batches instead; engines have no listener."""
    if option == "production":
        library.testing = False
    else:
        library.config["DATABASE_REPEATS"] = 0
    library.extensions["carboy.data"].close()
    library.test_client().get("/titles")
    assert reports == []
    with library.app_context():
        assert db.session.batches


def test_a_caller_is_a_line_of_ours(tmp_path, monkeypatch):
    """Libraries and generated code are passed by; its file is shown as seen from here."""
    monkeypatch.chdir(Path(__file__).parent)
    assert caller().file == Path(__file__).name
    monkeypatch.chdir(tmp_path)
    assert str(caller()).startswith(__file__)
    assert str(sorted([2, 1], key=lambda number: caller())) == "[2, 1]"
    names = {}
    exec(compile("def f(g): return g()", "<generated>", "exec"), names)
    assert caller() == names["f"](caller)


ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/n-plus-one.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
LETTER = re.search(r"```\n(app\.py:.*?)```", PAGE, re.DOTALL)[1].strip()

VISIT = """
import logging
import os
import re
import subprocess
import sys
from pathlib import Path
import app as page
from app import app, db, Author, Book

told = []
logging.getLogger("carboy.data").addFilter(lambda record: told.append(record.getMessage()))
with app.app_context():
    db.create_all()
    for number in range(20):
        db.session.add(Book(title=f"t{number}", author=Author(name=f"a{number}")))
    db.session.commit()
client = app.test_client()
app.testing = True
app.extensions["carboy.data"].close()
for path in ("/better", "/authors", "/titles"):
    assert len(client.get(path).json) == 20, path
print("\\n".join(told))
"""


@pytest.mark.slow
def test_the_page_says_what_happens(tmp_path):
    """Its first view is reported in its words, the better ones are not."""
    (tmp_path / "app.py").write_text("\n\n".join(EXAMPLES))
    (tmp_path / "visit.py").write_text(VISIT)
    env = {**os.environ, "CARBOY_DATABASE_URL": f"sqlite:///{tmp_path}/books.db"}
    run = [sys.executable, "-W", "error", "visit.py"]
    done = subprocess.run(run, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = done.stdout[done.stdout.index("app.py:") :]
    assert " ".join(told.split()) == " ".join(LETTER.split())


def test_the_code_is_explained():
    """Whoever meets it finds it here."""
    assert "[data.repeats]" in PAGE
