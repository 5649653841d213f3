"""`carboy generate resource`: what it writes, what it refuses, and that nothing breaks."""

import ast
import subprocess
import sys

import pytest

APP = '''"""A shop."""

from carboy import Carboy, Model, Policy, everyone, field  # what it stands on
from sqlalchemy.orm import Mapped

app = Carboy(__name__)


class Author(Model):
    name: Mapped[str] = field(max_length=80)

    policy = Policy(read=everyone)


app.resource(Author)  # /authors


@app.get("/")
def home():
    return "hi"
'''

LINES = [
    "title: Mapped[str] = field(max_length=200, search=True)",
    "isbn: Mapped[str] = field(max_length=200, unique=True)",
    "price: Mapped[Decimal] = field(places=2, ge=0)",
    "author: Mapped[Author] = belongs_to()",
    "published: Mapped[dt.date | None] = field()",
]
FIELDS = [
    "title:str:search",
    "isbn:str!",
    "price:money",
    "author:belongs_to=Author",
    "published:date?",
]


def generate(carboy, *words):
    return carboy("generate", "resource", "--no-migration", *words)


def test_it_adds_a_model_where_models_are(carboy, folder, write):
    """The class behind the last one, the line behind its like; all that was there stays."""
    path = write("app.py", APP)
    result = generate(carboy, "book", *FIELDS)
    text = path.read_text()
    assert result.exit_code == 0, result.output
    assert [line for line in LINES if line not in text] == []
    assert (
        text.index("class Author") < text.index("class Book") < text.index("app.resource(Author)")
    )
    assert "app.resource(Author)  # /authors\napp.resource(Book)\n" in text
    assert "# what it stands on" in text
    kept = [ast.dump(one) for one in ast.parse(text).body]
    assert [one for one in ast.parse(APP).body if ast.dump(one) not in kept] == []
    assert "app.resource(Book)" in (folder / "app.py").read_text()
    assert "from app import Book" in (folder / "tests/test_books.py").read_text()


def test_models_may_have_a_file_of_their_own(carboy, folder, write):
    """The class goes there, the line into app.py."""
    models, app = APP.split("app = Carboy(__name__)\n\n\n")[0], "app = Carboy(__name__)\n"
    body = APP.split("app = Carboy(__name__)\n\n\n")[1].split("\n\napp.resource")[0]
    write("models.py", models.replace("Carboy, ", "") + "\n" + body)
    write(
        "app.py",
        f"from carboy import Carboy\n\nfrom models import Author\n\n{app}\napp.resource(Author)\n",
    )
    result = generate(carboy, "book", "title:str")
    assert result.exit_code == 0, result.output
    assert "class Book(Model):" in (folder / "models.py").read_text()
    text = (folder / "app.py").read_text()
    assert "from models import Author, Book\n" in text
    assert text.endswith("app.resource(Author)\napp.resource(Book)\n")
    assert "from models import Book" in (folder / "tests/test_books.py").read_text()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["class", "a:str"], "ok"),
        (["Straße", "a:str"], "generate.name"),
        (["../x", "a:str"], "generate.name"),
        (["model", "a:str"], "generate.name"),
        (["user", "a:str"], "generate.name"),
        (["author", "a:str"], "generate.unsure"),
        (["book", "a"], "generate.field"),
        (["book", "a:strange"], "generate.field"),
        (["book", "a:str=X"], "generate.field"),
        (["book", "a:belongs_to"], "generate.field"),
        (["book", "a:belongs_to=Nobody"], "generate.unsure"),
        (["book", "a:int:search"], "generate.field"),
        (["book", "a:text!"], "generate.field"),
        (["book", "class:str"], "generate.field"),
        (["book", "id:int"], "generate.field"),
        (["book", "policy:str"], "generate.field"),
        (["book", "a:str", "a:int"], "generate.field"),
        (["book", "A:str"], "generate.field"),
        (["book", "a:str;import os"], "generate.field"),
    ],
    ids=" ".join,
)
def test_names_and_types_are_validated(carboy, folder, write, words, code):
    """Nothing is written when something is refused."""
    path = write("app.py", APP)
    result = generate(carboy, *words)
    if code == "ok":
        assert result.exit_code == 0
        assert "class Class(Model)" in path.read_text()
        return
    assert result.exit_code == 1
    assert f"[{code}]" in result.output
    assert path.read_text() == APP
    assert not (folder / "tests").exists()


@pytest.mark.parametrize(
    "text",
    [
        "def create_app():\n    from carboy import Carboy\n\n    return Carboy(__name__)\n",
        APP + "\nclass Book:\n    pass\n",
        APP.replace("def home", "def home("),
        APP.replace('"""A shop."""', "role = 3"),
        APP.replace('"""A shop."""', "Decimal = dt = 3"),
    ],
    ids=["factory", "taken", "broken", "role", "dt"],
)
def test_where_it_is_unsure_it_says_what_to_write(carboy, folder, write, text):
    """And changes nothing."""
    path = write("app.py", text)
    result = generate(carboy, "book", "out:date", "price:money")
    assert result.exit_code == 1
    assert "[generate.unsure]" in result.output
    assert "class Book(Model):" in result.output
    assert path.read_text() == text


def test_it_never_takes_anothers_tests(carboy, folder, write):
    """A file that is there stays."""
    write("app.py", APP)
    write("tests/test_books.py", "precious")
    assert "is there already" in generate(carboy, "book", "a:str").output
    assert (folder / "tests/test_books.py").read_text() == "precious"


@pytest.mark.slow
def test_a_failing_migration_takes_everything_back(folder, write):
    """Files are as they were; in a process of its own, for the models' sake."""
    broken = APP.replace("def home():", "import no_such_module\n\n\ndef home():")
    broken = broken.replace('@app.get("/")\n', "")
    path = write("app.py", broken)
    done = run(folder, "generate", "resource", "book", "a:str")
    assert done.returncode == 1
    assert "no_such_module" in done.stderr
    assert path.read_text() == broken
    assert not (folder / "tests/test_books.py").exists()
    assert not (folder / "migrations").exists()


@pytest.mark.slow
def test_what_it_makes_of_a_new_project_is_clean(folder):
    """Its own tests pass; ruff has nothing to say; the migration makes what the models say."""
    assert run(folder, "new", "shop").returncode == 0
    shop = folder / "shop"
    done = run(
        shop,
        "generate",
        "resource",
        "shelf",
        *FIELDS[:3],
        "book:belongs_to=Book",
        "n:int?",
        "keeper:belongs_to=User?",
        "out:date",
        "at:datetime?",
        "about:json",
        "new:bool",
    )
    assert done.returncode == 0, done.stderr
    assert run(shop, "db", "upgrade").returncode == 0
    done = run(shop, "db", "check")
    assert done.returncode == 0, done.stderr
    for module, *words in (
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["pytest", "-q", "-p", "no:randomly", "tests/test_shelves.py"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", module, *words], cwd=shop, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


def run(cwd, *words):
    program = [sys.executable, "-c", "from carboy.cli.main import main; main()", *words]
    return subprocess.run(program, cwd=cwd, capture_output=True, text=True)
