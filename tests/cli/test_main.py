"""The group: help, versions, the application's own commands, broken applications."""

import resource
import subprocess
import sys

import click
import pytest

from carboy.cli import main

COMMAND = [sys.executable, "-c", "from carboy.cli.main import main; main()"]

APP = """
import click
from flask import Flask, current_app

app = Flask(__name__)

@app.cli.command()
@click.argument("name")
def greet(name):
    "Say hello."
    click.echo(f"hello {name} from {current_app.import_name}")
"""

OURS = ("new", "dev", "run", "routes", "check", "config", "shell", "secret")


def test_help_lists_our_commands(carboy):
    """Every command of ours has its line, without an application."""
    result = carboy("--help")
    assert result.exit_code == 0
    for name in OURS:
        assert f"│ {name} " in result.output
    assert "Note" not in result.output


def test_help_shows_the_applications_commands(carboy, write):
    """A command declared with @app.cli is listed with its help."""
    write("app.py", APP)
    assert "Say hello." in carboy("--help").output


def test_the_applications_commands_run_in_its_context(carboy, write):
    """An @app.cli command runs as under `flask`, with current_app."""
    write("app.py", APP)
    result = carboy("greet", "Ada")
    assert (result.exit_code, result.output) == (0, "hello Ada from app\n")


def test_commands_of_batteries_run(carboy, write):
    """What Battery.commands() returns is a command like any other."""
    write(
        "app.py",
        "import click\nfrom carboy import Carboy\nfrom carboy.base.battery import Battery\n"
        "class Clock(Battery):\n    name = 'clock'\n    def commands(self):\n"
        "        return [click.Command('tick', callback=lambda: click.echo('tock'))]\n"
        "app = Carboy(__name__, batteries=[Clock()])\n",
    )
    assert carboy("tick").output == "tock\n"
    assert "tick" in carboy("--help").output


def test_commands_of_extensions_run(carboy, write, monkeypatch):
    """What packages offer to Flask (flask.commands) works here; a broken one has a line."""
    monkeypatch.setattr(
        main,
        "_plugins",
        lambda: {"good": lambda: click.Command("good", callback=_ran), "bad": lambda: 1 / 0},
    )
    write("app.py", APP)
    assert carboy("good").output == "ran\n"
    output = carboy("--help").output
    assert "good" in output
    assert "Cannot be imported: ZeroDivisionError" in output


def _ran():
    click.echo("ran")


def test_a_battery_with_broken_commands_breaks_nothing_else(carboy, write):
    """Help says so in one line."""
    write(
        "app.py",
        "from carboy import Carboy\nfrom carboy.base.battery import Battery\n"
        "class Bad(Battery):\n    name = 'bad'\n    def commands(self):\n        return 1 / 0\n"
        "app = Carboy(__name__, batteries=[Bad()])\n",
    )
    result = carboy("--help")
    assert result.exit_code == 0
    assert "Note: commands of the application are missing. ZeroDivisionError" in result.output


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("new", "shop"), ("secret",)])
def test_a_broken_application_breaks_nothing_else(carboy, write, arguments):
    """Help, versions, new projects and keys work; help says in one line what is wrong."""
    write("app.py", "import nosuchmodule\n")
    result = carboy(*arguments)
    assert result.exit_code == 0
    assert "Traceback" not in result.output
    notes = [line for line in result.output.splitlines() if line.startswith("Note:")]
    assert len(notes) == (arguments == ("--help",))
    assert all("nosuchmodule" in note for note in notes)


def test_an_unknown_command_suggests_the_nearest(carboy):
    """A slip is answered with the command that was meant; the exit code is click's 2."""
    result = carboy("rout")
    assert result.exit_code == 2
    assert "There is no command 'rout'. Did you mean 'carboy routes'?" in result.output


def test_an_unknown_command_beside_a_broken_application_says_so(carboy, write):
    """The command may exist, were the application importable: the error says that."""
    write("app.py", "1 / 0\n")
    assert "ZeroDivisionError" in carboy("greet").output


def test_version_names_what_it_stands_on(carboy):
    """One line: Carboy, Flask, Werkzeug, Granian, Python."""
    line = carboy("--version").output
    assert line.startswith("Carboy ")
    assert all(name in line for name in ("Flask", "Werkzeug", "Granian", "Python"))


@pytest.mark.parametrize(
    ("files", "given", "code", "words"),
    [
        ({}, "nosuch", "cli.app.missing", ["'nosuch'", "--app"]),
        ({"app.py": "import nosuch"}, None, "cli.app.broken", ["app.py:1", "import nosuch"]),
        ({"app.py": "\n1 / 0"}, None, "cli.app.broken", ["app.py:2", "1 / 0"]),
        ({"app.py": "def f(:"}, None, "cli.app.broken", ["app.py:1", "def f(:"]),
        ({"app.py": "import sys; sys.exit(3)"}, None, "cli.app.broken", ["SystemExit: 3"]),
        ({"app.py": "x = 1"}, None, "cli.app.unclear", ["module 'app'", "create_app"]),
        ({"app.py": "app = 1"}, "app:nope", "cli.app.unclear", ["'nope'"]),
        ({"app.py": "def create_app(x): ..."}, None, "cli.app.unclear", ["create_app"]),
    ],
    ids=["no module", "import", "error", "syntax", "exit", "no app", "no name", "arguments"],
)
def test_a_failing_import_is_a_letter(carboy, write, files, given, code, words):
    """What failed, in which line, what to do; no traceback; exit code 1."""
    for name, text in files.items():
        write(name, text)
    result = carboy(*(["--app", given] if given else []), "routes")
    assert result.exit_code == 1
    assert f"[{code}]" in result.output
    assert all(word in result.output for word in words), result.output
    assert "Traceback" not in result.output


def test_traceback_is_there_when_asked_for(carboy, write):
    """--traceback raises the error with its cause."""
    write("app.py", "1 / 0")
    result = carboy("--traceback", "routes")
    assert isinstance(result.exception.__cause__, ZeroDivisionError)


@pytest.mark.parametrize(
    "given", ["shop.web:site", "shop/web.py:site", "shop.web:make('x')", "shop.web:make(name='x')"]
)
def test_app_takes_what_flask_takes(carboy, write, given):
    """Modules, paths, attributes and factory calls with literals."""
    write("shop/__init__.py", "")
    write(
        "shop/web.py",
        "from flask import Flask\nsite = Flask('x')\ndef make(name): return Flask(name)\n",
    )
    assert "/static/" in carboy("--app", given, "routes").output


def test_app_run_does_nothing_while_imported(carboy, write):
    """`app.run()` at the bottom of a file does not start a server under `carboy`."""
    write("app.py", "from flask import Flask\napp = Flask(__name__)\napp.run()\n")
    assert carboy("routes").exit_code == 0


@pytest.mark.parametrize("command", [["routes"], ["shell"]], ids=lambda command: command[0])
def test_the_flask_command_works_on_a_carboy(folder, write, command):
    """`flask --app` takes a Carboy application unchanged."""
    write("app.py", "from carboy import Carboy\napp = Carboy(__name__, batteries=())\n")
    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "app", *command],
        input="print(type(app).__name__)\n", capture_output=True, text=True, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert ("static" if command == ["routes"] else "Carboy") in done.stdout


HEAVY = {"flask", "werkzeug", "pydantic", "granian", "sqlalchemy", "msgspec", "structlog"}


def test_help_imports_nothing_heavy(folder):
    """`carboy --help` loads neither Flask nor what it does not show."""
    program = (
        "import sys\nfrom carboy.cli.main import carboy\n"
        "carboy(['--help'], standalone_mode=False)\n"
        "print('LOADED', *{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=folder
    )
    loaded = set(done.stdout.split("LOADED ")[1].split())
    assert not loaded & HEAVY
    assert "rich_click" in loaded


def test_help_is_quick(folder):
    """0.4 s of processor time at most, as the design asks; the best of three."""
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*COMMAND, "--help"], capture_output=True, check=True, cwd=folder)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    assert min(times) < 0.4
