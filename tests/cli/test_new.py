"""`carboy new`: what it writes, what it refuses, and that the result is clean."""

import re
import subprocess
import sys

import pytest

FILES = {
    ".env", ".env.example", ".gitignore", "README.md", "app.py", "carboy.toml", "pyproject.toml",
    "templates/home.html", "tests/test_app.py",
}  # fmt: skip


def test_new_writes_a_project(carboy, folder):
    """The whole project, no placeholder left, and the next three commands."""
    result = carboy("new", "web-shop")
    project = folder / "web-shop"
    written = {str(path.relative_to(project)) for path in project.rglob("*") if path.is_file()}
    assert result.exit_code == 0
    assert written == FILES
    texts = {name: (project / name).read_text() for name in FILES}
    assert not [name for name, text in texts.items() if "@title@" in text or "@dist@" in text]
    assert 'name = "web-shop"' in texts["pyproject.toml"]
    assert "{% block title %}Web shop" in texts["templates/home.html"]
    steps = [line.split("#")[0].strip() for line in result.output.splitlines()[2:]]
    assert steps == ["cd web-shop", "carboy dev", "pytest"]


def test_new_keeps_the_key_private(carboy, folder):
    """Each project has a key of its own, in a file that others cannot read nor git adds."""
    carboy("new", "one")
    carboy("new", "two")
    keys = {(folder / name / ".env").read_text().split("SECRET_KEY=")[1] for name in ("one", "two")}
    assert len(keys) == 2
    assert (folder / "one" / ".env").stat().st_mode & 0o777 == 0o600
    assert ".env" in (folder / "one" / ".gitignore").read_text().splitlines()


def test_new_fills_an_empty_folder(carboy, folder):
    """An empty folder that is there already is taken, also by the name '.'."""
    (folder / "shop").mkdir()
    assert carboy("new", "shop").exit_code == 0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("class", "word of the Python language"),
        ("match", "word of the Python language"),
        ("json", "standard library"),
        ("JSON", "standard library"),
        ("carboy", "use inside"),
        ("tests", "use inside"),
        ("1st", "begin with a letter"),
        ("my shop", "begin with a letter"),
        ("", "begin with a letter"),
        ("caf\u00e9", "begin with a letter"),
        ("x" * 51, "at most 50"),
    ],
)
def test_new_refuses_bad_names(carboy, folder, name, words):
    """The letter gives the reason; nothing is written."""
    result = carboy("new", name)
    assert result.exit_code == 1
    assert words in result.output
    assert "[new.name]" in result.output
    assert list(folder.iterdir()) == []


def test_new_refuses_what_is_there(carboy, folder, write):
    """A folder with something in it, a file, and a missing parent are left alone."""
    write("shop/mine.txt", "precious")
    write("file", "precious")
    assert "[new.exists]" in carboy("new", "shop").output
    assert "[new.exists]" in carboy("new", "file").output
    assert "[new.parent]" in carboy("new", "nowhere/shop").output
    assert [path.name for path in (folder / "shop").iterdir()] == ["mine.txt"]


@pytest.mark.slow
def test_the_example_settings_are_options(carboy, folder):
    """What .env.example suggests is known to the application, in a process of its own."""
    carboy("new", "shop")
    example = (folder / "shop" / ".env.example").read_text()
    names = re.findall(r"^(?:# )?(CARBOY_\w+)=", example, re.MULTILINE)
    assert len(names) == 2
    for name in names:
        command = [sys.executable, "-m", "carboy.cli.main", "--app", "shop/app.py", "config", name]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ["pytest", "-q", "-p", "no:cacheprovider", "-W", "error"],
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
        ["carboy.cli.main", "check", "--production"],
    ],
    ids=["pytest", "ruff", "format", "mypy", "check"],
)
def test_a_new_project_is_clean(carboy, folder, command, monkeypatch):
    """Its own tests pass, ruff and mypy --strict have nothing to say, nor has `check`."""
    carboy("new", "shop")
    module, *arguments = command
    program = ["-m", module, *arguments]
    if module.startswith("carboy"):
        program = ["-c", "from carboy.cli.main import main; main()", *arguments]
    done = subprocess.run(
        [sys.executable, *program], cwd=folder / "shop", capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
