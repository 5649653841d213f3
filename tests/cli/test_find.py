"""Where an application is looked for, and what is said when there is none."""

import pytest

from carboy.base.errors import SetupError
from carboy.cli.find import env_file, find, search

APP = "from flask import Flask\napp = Flask(__name__)\n"


def test_app_py_comes_before_wsgi_py(folder, write):
    """The order is app.py, then wsgi.py."""
    write("wsgi.py", APP)
    assert search(folder).path == "wsgi.py"
    write("app.py", APP)
    assert search(folder).path == "app.py"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"shop/__init__.py": "def create_app(): ..."}, "shop"),
        ({"shop/__init__.py": "", "shop/app.py": "app = 1"}, "shop/app.py"),
        ({"shop/__init__.py": "", "shop/wsgi.py": "application: int = 1"}, "shop/wsgi.py"),
        ({"shop/__init__.py": "from .web import app"}, "shop"),
        ({"src/shop/__init__.py": "app = 1"}, "src/shop"),
        ({"shop/__init__.py": "app = 1", "tests/__init__.py": "app = 1"}, "shop"),
        ({"shop/__init__.py": "app = 1", "lib/__init__.py": "x = 1"}, "shop"),
    ],
    ids=["factory", "app module", "wsgi module", "imported", "src", "not tests", "not a library"],
)
def test_a_package_is_found(folder, write, files, expected):
    """A package counts when it, its app.py or its wsgi.py names an application."""
    for name, text in files.items():
        write(name, text)
    assert search(folder).path == expected


def test_pyproject_chooses_between_packages(folder, write):
    """Of two packages with applications, the one called like the project."""
    write("one/__init__.py", "app = 1")
    write("web_shop/__init__.py", "app = 1")
    assert search(folder) is None
    write("pyproject.toml", '[project]\nname = "Web-Shop"\n')
    assert search(folder).path == "web_shop"


def test_what_is_said_beats_what_is_found(folder, write, monkeypatch):
    """--app, then the environment, then .env, then pyproject.toml, then files."""
    write("app.py", APP)
    write("pyproject.toml", '[tool.carboy]\napp = "project:app"\n')
    assert find(None).path == "project:app"
    write(".env", 'export FLASK_APP="dotenv:app"  # mine\n')
    assert find(None).path == "dotenv:app"
    monkeypatch.setenv("FLASK_APP", "flask:app")
    assert find(None).path == "flask:app"
    monkeypatch.setenv("CARBOY_APP", "carboy:app")
    assert find(None).path == "carboy:app"
    assert find("given:app").path == "given:app"


def test_the_search_runs_nothing(folder, write):
    """Files are read, not imported: a broken one is found like any other."""
    write("shop/__init__.py", "raise SystemExit\napp = 1")
    assert search(folder).path == "shop"


def test_nothing_found_says_where_it_looked(folder, write):
    """The letter names the folder, the places, and a file that looks right."""
    write("hello.py", APP)
    with pytest.raises(SetupError) as caught:
        find(None)
    assert caught.value.code == "cli.app.none"
    assert str(folder) in caught.value.message
    assert "app.py, wsgi.py" in caught.value.message
    assert "carboy --app hello" in caught.value.hint


def test_unreadable_files_are_passed_over(folder, write):
    """Neither a broken pyproject.toml nor bytes in .env stop the search."""
    write("pyproject.toml", "[project\n")
    (folder / ".env").write_bytes(b"\xff\xfe\x00")
    write("app.py", APP)
    assert search(folder).path == "app.py"


def test_env_files_are_read(folder, write):
    """.env wins over .flaskenv; quotes and comments go, other lines are ignored."""
    write(".flaskenv", "A=1\nB=2\n")
    write(".env", "# c\nB='x y'  # two\nexport C = z # three\nD=\nE=a#b\n1=2\n")
    assert env_file(folder) == {"A": "1", "B": "x y", "C": "z", "D": "", "E": "a#b"}
