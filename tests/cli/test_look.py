"""routes, check, config, shell and secret."""

import json
import re

import pytest

from carboy.base.checks import ERROR, NOTE, WARNING, Finding
from carboy.cli import preflight

FLASK = """
from flask import Blueprint, Flask
from flask.views import MethodView

app = Flask(__name__)
blog = Blueprint("blog", __name__, url_prefix="/blog")

@app.route("/", methods=["GET", "POST"])
def home():
    return "home"

class Page(MethodView):
    def get(self):
        return "page"

@blog.get("/<int:number>")
def post(number):
    return "post"

blog.add_url_rule("/page", view_func=Page.as_view("page"))
app.register_blueprint(blog)
"""

CARBOY = """
from carboy import Blueprint, Carboy

app = Carboy(__name__, batteries=())
blog = Blueprint("blog", __name__)

@app.before
def outer(): ...

@app.before(under="outer")
def inner(): ...

@app.after(on="blog")
def stamp(response): ...

@blog.get("/post")
def post():
    return "post"

@app.get("/")
def home():
    return "home"

app.register_blueprint(blog)
"""


@pytest.fixture
def flask_app(write):
    return write("app.py", FLASK)


@pytest.fixture
def carboy_app(write):
    return write("app.py", CARBOY)


def test_routes_lists_them_by_pattern(carboy, flask_app):
    """Methods without HEAD and OPTIONS, pattern, endpoint, blueprint, file and line."""
    lines = carboy("routes").output.splitlines()
    assert lines[0].split() == ["METHODS", "PATTERN", "ENDPOINT", "BLUEPRINT", "VIEW"]
    assert [line.split() for line in lines[1:4]] == [
        ["GET,", "POST", "/", "home", "app.py:8"],
        ["GET", "/blog/<int:number>", "blog.post", "blog", "app.py:16"],
        ["GET", "/blog/page", "blog.page", "blog", "app.py:12"],
    ]


def test_routes_fit_the_terminal(carboy, write, monkeypatch):
    """A long place keeps its end, which says most."""
    write("a_rather_long_folder_name/with_a_long_module.py", FLASK.replace("__name__", "'x'"))
    monkeypatch.setenv("COLUMNS", "70")
    output = carboy("--app", "a_rather_long_folder_name/with_a_long_module.py", "routes").output
    assert max(map(len, output.splitlines())) <= 70
    assert "module.py:16" in output


def test_routes_shows_stages_in_order(carboy, carboy_app):
    """Before stages from the client to the view, after stages back, per route."""
    output = carboy("routes", "--stages").output
    home, post = re.split(r"\n(?=GET +/post)", output.split("GET  /static")[0])
    assert "before: outer > inner\n    after:  flask" in home
    assert "before: outer > inner\n    after:  stamp > flask" in post


def test_routes_shows_what_every_request_passes(carboy, write):
    """Admissions come before matching, closers when the answer is done."""
    write(
        "app.py",
        "from carboy import Carboy\napp = Carboy(__name__, batteries=())\n"
        "app.admit(lambda environ: None, name='gate')\n"
        "app.admit(lambda environ: None, name='moat', over='gate')\n"
        "app.finish(lambda *facts: None, name='count')\n",
    )
    output = carboy("routes", "--stages").output
    assert "before matching: moat > gate\n    when done: count\n" in output
    write("plain.py", FLASK)
    assert "before matching: nothing" in carboy("--app", "plain", "routes", "--stages").output


def test_routes_as_json(carboy, carboy_app):
    """Every field of every route, for programs."""
    routes = {route["endpoint"]: route for route in json.loads(carboy("routes", "--json").output)}
    assert routes["blog.post"] == {
        "methods": ["GET"],
        "pattern": "/post",
        "endpoint": "blog.post",
        "blueprint": "blog",
        "view": "app.py:16",
        "before": ["outer", "inner"],
        "after": ["stamp", "flask"],
        "access": "",
    }


CLOSED = """
from carboy import Carboy, public, require, role, signed_in

app = Carboy(__name__, batteries=("policy", "access"))
app.scope_loader(lambda: None)
app.get("/")(public(lambda: "home"))
app.get("/mine", endpoint="mine")(signed_in(lambda: "mine"))
app.get("/staff", endpoint="staff")(require(role("staff"))(lambda: "staff"))
app.get("/lost", endpoint="lost")(lambda: "lost")
"""


def test_routes_shows_who_may_use_them(carboy, write):
    """In words, also of a route that says nothing; without people there is no such column."""
    write("app.py", CLOSED)
    result = carboy("routes", "--json")
    found = {route["pattern"]: route["access"] for route in json.loads(result.output)}
    assert found == {
        "/": "public",
        "/lost": "NOBODY SAID",
        "/mine": "is signed in",
        "/staff": "has the role 'staff'",
        "/static/<path:filename>": "public",
    }
    lines = carboy("routes").output.splitlines()
    assert lines[0].split() == ["METHODS", "PATTERN", "ENDPOINT", "ACCESS", "VIEW"]


# -- check --


def keyed(key, more=""):
    return f"from flask import Flask\napp = Flask(__name__)\napp.secret_key = {key!r}\n{more}"


def test_check_is_content_with_a_good_application(carboy, write):
    """Nothing to say: one line, exit code 0."""
    write("app.py", keyed("0f9e8d7c6b5a49382716051423324150"))
    result = carboy("check", "--production")
    assert (result.exit_code, result.output) == (0, "Nothing is wrong.\n")


@pytest.mark.parametrize(
    "key",
    [
        "dev",
        "short",
        "changeme-changeme",
        "this is a secret key",
        "a" * 40,
        b"dev",
        "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
        "you-will-never-guess",
    ],
)
def test_weak_keys_are_errors_in_production(carboy, write, key):
    """Short keys, keys from tutorials, and keys of few characters are refused."""
    write("app.py", keyed(key))
    assert carboy("check").exit_code == 0
    result = carboy("check", "--production")
    assert result.exit_code == 1
    assert "[secret.weak]" in result.output
    assert "carboy secret" in result.output


def test_a_missing_key_is_a_warning(carboy, flask_app):
    """An application without sessions needs no key."""
    result = carboy("check", "--production")
    assert result.exit_code == 0
    assert "[secret.missing]" in result.output
    assert result.output.endswith("1 warning.\n")


def test_debug_is_an_error_in_production(carboy, write):
    """Debug mode shows source code to visitors."""
    write("app.py", keyed("0f9e8d7c6b5a49382716051423324150", "app.debug = True"))
    assert "[debug.on]" in carboy("check", "--production").output
    assert "[debug.on]" not in carboy("check").output


def test_a_seal_that_fails_is_an_error(carboy, write):
    """What the engine refuses to seal is found before it serves."""
    write(
        "app.py",
        "from carboy import Carboy\napp = Carboy(__name__, batteries=())\n"
        "@app.before(under='b', name='a')\ndef one(): ...\n"
        "@app.before(under='a', name='b')\ndef two(): ...\n",
    )
    result = carboy("check", "--json")
    assert result.exit_code == 1
    assert json.loads(result.output)[0]["code"] == "stages.circle"


def test_findings_come_gravest_first_and_once():
    """ERROR, WARNING, NOTE; then by code; doubles are dropped."""
    given = [Finding(NOTE, "a", "m"), Finding(ERROR, "c", "m"), Finding(WARNING, "b", "m")]
    given += [Finding(ERROR, "b", "m"), Finding(NOTE, "a", "m")]
    found = [(finding.level, finding.code) for finding in preflight.sort(given)]
    assert found == [(ERROR, "b"), (ERROR, "c"), (WARNING, "b"), (NOTE, "a")]


# -- config --


def test_config_masks_secrets(carboy, write):
    """No form of output shows a key, of a Flask or of a Carboy."""
    for kind in ("flask import Flask as Kind", "carboy import Carboy as Kind"):
        bare = ", batteries=()" if "carboy" in kind else ""
        write(
            "site_app.py",
            f"from {kind}\napp = Kind(__name__{bare})\n"
            "app.config.update(SECRET_KEY='hush-hush', API_TOKEN='hush-hush')\n"
            "app.config['DATABASE'] = 'postgresql://me:hush-hush@db/x'\n",
        )
        for arguments in ([], ["--json"], ["--changed"], ["SECRET_KEY"], ["DATABASE"]):
            output = carboy("--app", "site_app", "config", *arguments).output
            assert "hush" not in output
            assert "***" in output


def test_config_shows_where_a_value_comes_from(carboy, write, monkeypatch):
    """Value, default and origin of one option, asked for in any spelling."""
    write("app.py", CARBOY.replace("batteries=()", "batteries=['limits']"))
    monkeypatch.setenv("CARBOY_MAX_FORM_PARTS", "77")
    output = carboy("config", "carboy_max_form_parts").output
    assert "value    77" in output
    assert "origin   environment CARBOY_MAX_FORM_PARTS" in output
    assert "default  1000" in output
    changed = json.loads(carboy("config", "--changed", "--json").output)
    assert "MAX_FORM_PARTS" in [row["name"] for row in changed]
    assert "MAX_COOKIE_SIZE" not in [row["name"] for row in changed]


def test_config_suggests_the_nearest_name(carboy, carboy_app):
    """An unknown name is answered with the known one it resembles."""
    result = carboy("config", "SECRETKEY")
    assert result.exit_code == 1
    assert "Did you mean SECRET_KEY?  [cli.config.unknown]" in result.output
    assert "Did you mean SESSION_COOKIE_NAME?" in carboy("config", "cookie_name").output


# -- shell, secret --


def test_shell_has_the_application_at_hand(carboy, write):
    """The context is pushed; app, client, url_for and the application's names are there."""
    write("app.py", FLASK + "\n@app.shell_context_processor\ndef names(): return {'x': 41}\n")
    result = carboy(
        "shell",
        input="print(client.get('/').text, url_for.__name__, current_app.name, app.name, x)",
    )
    assert result.output == "home url_for app app 41\n"


def test_shell_script_errors_are_errors(carboy, flask_app):
    """A script from a pipe that fails makes the command fail."""
    assert carboy("shell", input="1 / 0").exit_code == 1


def test_secret_is_new_each_time(carboy):
    """64 hexadecimal characters, 256 bits, never the same."""
    one, two = carboy("secret").output, carboy("secret").output
    assert re.fullmatch(r"[0-9a-f]{64}\n", one)
    assert one != two
