"""app.config: Flask's dict unchanged, and what Carboy adds once something is declared."""

import copy
import dis
import inspect
import json
import os
import pickle
import types
from datetime import timedelta

import flask
import pytest
from hypothesis import given, strategies as st

from carboy.base.checks import ERROR, WARNING
from carboy.base.errors import SetupError
from carboy.base.options import Bytes, Flag, Names, Option, Seconds, Secret, Text
from carboy.base.sources import INTERNAL
from carboy.engine.config import Config
from carboy.engine.flask_options import FLASK_OPTIONS

BODY = Option("MAX_BODY", Bytes, default="16 MB", bounds=("1 kB", "1 GB"), help="Refuse more.")
IDLE = Option("SESSION_IDLE", Seconds, default="30 min", help="Log out.")
API = Option("API_PASS", Secret, help="Speak to the API.")
OPTIONS = (BODY, IDLE, API)
HERE = inspect.currentframe


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch):
    """No variable of the developer's shell reaches a test; files are shown from tmp_path."""
    for name in list(os.environ):
        if name.startswith(("CARBOY_", "FLASK_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def config(tmp_path):
    """What the application holds after its constructor, nothing loaded."""
    return make(tmp_path)


def make(root, options=OPTIONS, **defaults):
    config = Config(str(root), dict(flask.Flask.default_config) | defaults)
    config.declare(options)
    return config


def changes(config):
    """Return a list that grows with each change that is told."""
    seen = []
    config.on_change = lambda: seen.append(1)
    return seen


# --- nothing declared: flask.Config ------------------------------------------------------


def test_reading_is_exactly_a_dict_read():
    """Nothing of ours is on the way of config["X"] and config.get("X")."""
    for name in ("__getitem__", "get", "__contains__", "items", "__iter__", "__len__"):
        assert getattr(Config, name) is getattr(dict, name)


def test_with_nothing_declared_it_looks_like_flasks(tmp_path):
    """The repr is Flask's, secrets and all: batteries=() is Flask."""
    class_name = type("Config", (flask.Config,), {})
    ours, flasks = (kind(tmp_path, {"SECRET_KEY": "x"}) for kind in (Config, class_name))
    assert repr(ours) == repr(flasks) == "<Config {'SECRET_KEY': 'x'}>"
    assert ours == flasks
    assert ours.findings() == []


KEYS = st.sampled_from(["A", "B", "SECRET_KEY", "DEBUG", "low"])
ACTS = st.one_of(
    st.tuples(st.just("__setitem__"), KEYS, st.integers()),
    st.tuples(st.just("__delitem__"), KEYS),
    st.tuples(st.just("update"), st.dictionaries(KEYS, st.text())),
    st.tuples(st.just("update"), st.lists(st.tuples(KEYS, st.text()))),
    st.tuples(st.just("__ior__"), st.dictionaries(KEYS, st.text())),
    st.tuples(st.just("setdefault"), KEYS, st.integers()),
    st.tuples(st.just("setdefault"), KEYS),
    st.tuples(st.just("pop"), KEYS),
    st.tuples(st.just("pop"), KEYS, st.none()),
    st.tuples(st.just("popitem")),
    st.tuples(st.just("clear")),
    st.tuples(st.just("from_mapping"), st.dictionaries(KEYS, st.text())),
    st.tuples(st.just("get_namespace"), st.just("S")),
    st.tuples(st.just("update"), st.just(5)),
)


@given(st.lists(ACTS, max_size=12), st.booleans())
def test_every_way_of_changing_it_ends_as_in_flask(acts, declared):
    """Same results, same errors, same order of keys; also for Flask's keys once declared."""
    ours, flasks = Config(".", {"A": 0}), flask.Config(".", {"A": 0})
    if declared:
        ours.declare([IDLE])
        flasks["SESSION_IDLE"] = 1800.0
    for name, *arguments in acts:
        assert outcome(ours, name, arguments) == outcome(flasks, name, arguments)
        assert list(ours.items()) == list(flasks.items())


def outcome(config, name, arguments):
    try:
        result = getattr(config, name)(*arguments)
    except (KeyError, TypeError) as error:
        return type(error), error.args
    return "itself" if result is config else result


@pytest.mark.parametrize(
    "duplicate",
    [copy.copy, copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_it_copies_and_pickles_without_the_application(config, duplicate):
    """on_change is bound to the application and stays with the original."""
    config["MAX_BODY"] = "1 MB"
    seen = changes(config)
    other = duplicate(config)
    assert type(other) is Config
    assert other == config
    assert other.root_path == config.root_path
    assert other.origin("MAX_BODY") == config.origin("MAX_BODY")
    other["MAX_BODY"] = "2 MB"
    assert other["MAX_BODY"] == 2_000_000
    assert config["MAX_BODY"] == 1_000_000
    assert seen == []


# --- changes are told --------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.__setitem__("X", 1),
        lambda c: c.__delitem__("DEBUG"),
        lambda c: c.update(X=1),
        lambda c: c.update({"X": 1}),
        lambda c: c.setdefault("X", 1),
        lambda c: c.pop("DEBUG"),
        lambda c: c.popitem(),
        lambda c: c.clear(),
        lambda c: c.__ior__({"X": 1}),
        lambda c: c.from_mapping(X=1),
        lambda c: c.from_object(types.SimpleNamespace(X=1)),
        lambda c: c.from_prefixed_env(),
        lambda c: c.declare([Option("NEW", Flag, help="New.")]),
        lambda c: c.load("."),
    ],
)
def test_every_change_is_told(config, change):
    """The application unseals itself, so no value is read twice the old way."""
    seen = changes(config)
    change(config)
    assert seen


def test_changes_from_a_python_file_are_told(config, tmp_path):
    """from_pyfile, from_envvar and from_file pass through the same door."""
    (tmp_path / "settings.py").write_text("X = 1\n")
    (tmp_path / "settings.json").write_text('{"Y": 2}')
    seen = changes(config)
    config.from_pyfile("settings.py")
    config.from_file("settings.json", load=json.load)
    assert (config["X"], config["Y"], len(seen)) == (1, 2, 2)


@pytest.mark.parametrize(
    "look",
    [
        lambda c: c["DEBUG"],
        lambda c: c.get("X"),
        lambda c: c.setdefault("DEBUG", 1),
        lambda c: repr(c),
        lambda c: c.report(),
        lambda c: c.findings(),
        lambda c: c.get_namespace("S"),
        lambda c: c.copy(),
    ],
)
def test_looking_is_no_change(config, look):
    """Nothing is unsealed by a reader."""
    seen = changes(config)
    look(config)
    assert seen == []


# --- types -------------------------------------------------------------------------------


def test_declared_options_have_their_typed_default(config):
    """The application meets seconds and bytes, not text."""
    assert (config["MAX_BODY"], config["SESSION_IDLE"], config["API_PASS"]) == (
        16_000_000,
        1800.0,
        None,
    )


def test_a_declared_option_set_in_code_is_converted(config):
    """By every way of setting it."""
    config["MAX_BODY"] = "1 MiB"
    config.update(SESSION_IDLE=timedelta(minutes=5))
    assert (config["MAX_BODY"], config["SESSION_IDLE"]) == (1_048_576, 300.0)
    config |= {"SESSION_IDLE": "7 s"}
    config.from_mapping(MAX_BODY=2000)
    assert (config["MAX_BODY"], config["SESSION_IDLE"]) == (2000, 7.0)


def test_message_for_a_wrong_value_in_code(config):
    """File and line of whoever wrote it."""
    with pytest.raises(SetupError) as caught:
        config["MAX_BODY"] = "16M"
    line = caught.traceback[0].lineno + 1
    assert str(caught.value) == (
        f"Option MAX_BODY cannot be '16M', from code {__file__}:{line}.\n"
        'Accepted: a size such as "16 MB" or "16 MiB" (a bare number means bytes), '
        "from 1 kB to 1 GB.  [options.value]"
    )


def test_a_refused_update_changes_nothing(config):
    """Half a configuration is worse than an error."""
    before, seen = dict(config), changes(config)
    with pytest.raises(SetupError):
        config.update(X=1, MAX_BODY="2 TB")
    assert (dict(config), seen) == (before, [])


def test_flasks_own_keys_take_anything_in_code(config):
    """Flask's semantics; extensions and tests rely on them."""
    config["DEBUG"] = "x"
    config["MAX_CONTENT_LENGTH"] = "16 MB"
    assert (config["DEBUG"], config["MAX_CONTENT_LENGTH"]) == ("x", "16 MB")
    config.declare([Option("TRUSTED_HOSTS", Names, default=("a",), help="Answers these.")])
    config["TRUSTED_HOSTS"] = "b"
    assert config["TRUSTED_HOSTS"] == "b"


def test_flasks_keys_are_all_known_with_flasks_defaults():
    """A new Flask brings new keys; this test asks for their types."""
    assert set(FLASK_OPTIONS) == set(flask.Flask.default_config)
    assert {name: option.default for name, option in FLASK_OPTIONS.items()} == dict(
        flask.Flask.default_config
    )


def test_two_batteries_may_not_mean_different_things_by_one_name(config):
    """The same declaration twice is harmless."""
    config.declare([BODY])
    with pytest.raises(SetupError) as caught:
        config.declare([Option("MAX_BODY", Bytes, help="Something else.")])
    assert str(caught.value) == (
        "Option MAX_BODY is declared twice, in two ways.\n"
        "Give one of them another name; the name of its battery makes a good prefix."
        "  [options.twice]"
    )


def test_a_battery_may_give_a_flask_key_a_safer_default(tmp_path):
    """Only where the application has not decided."""
    safer = Option("SESSION_COOKIE_SECURE", Flag, default=True, help="TLS only.")
    assert make(tmp_path, [safer])["SESSION_COOKIE_SECURE"] is True
    length = Option("MAX_CONTENT_LENGTH", Bytes, default="1 MB", help="Refuse more.")
    assert make(tmp_path, [length], MAX_CONTENT_LENGTH=5)["MAX_CONTENT_LENGTH"] == 5


# --- sources -----------------------------------------------------------------------------


def test_later_sources_win(tmp_path, monkeypatch):
    """default < class < carboy.toml < .env < FLASK_ < CARBOY_ < code."""
    seen = []

    def look(**defaults):
        config = make(tmp_path, **defaults)
        config.load(tmp_path)
        seen.append((config["SESSION_IDLE"], config.origin("SESSION_IDLE")))
        return config

    look()
    look(SESSION_IDLE="1 s")
    (tmp_path / "carboy.toml").write_text("[session]\nidle = 2\n")
    look(SESSION_IDLE="1 s")
    (tmp_path / ".env").write_text("CARBOY_SESSION_IDLE=3\n")
    look(SESSION_IDLE="1 s")
    monkeypatch.setenv("FLASK_SESSION_IDLE", "4")
    look(SESSION_IDLE="1 s")
    monkeypatch.setenv("CARBOY_SESSION_IDLE", "5 s")
    config = look(SESSION_IDLE="1 s")
    config["SESSION_IDLE"] = 6
    config.load(tmp_path)

    assert seen == [
        (1800.0, "default"),
        (1.0, "class"),
        (2.0, "carboy.toml:2"),
        (3.0, ".env:1"),
        (4.0, "environment FLASK_SESSION_IDLE"),
        (5.0, "environment CARBOY_SESSION_IDLE"),
    ]
    assert config["SESSION_IDLE"] == 6.0
    assert config.origin("SESSION_IDLE").startswith(f"code {__file__}:")


def test_a_wrong_value_that_is_overruled_does_not_matter(tmp_path, monkeypatch):
    """At three in the morning a variable mends a broken file."""
    (tmp_path / "carboy.toml").write_text('max_body = "much"\n')
    config = make(tmp_path)
    with pytest.raises(SetupError, match=r"'much', from carboy\.toml:1"):
        config.load(tmp_path)
    monkeypatch.setenv("CARBOY_MAX_BODY", "1 MB")
    config.load(tmp_path)
    assert config["MAX_BODY"] == 1_000_000


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("CARBOY_MAX_CONTENT_LENGTH", "5000000", 5_000_000),
        ("CARBOY_MAX_CONTENT_LENGTH", "16 MB", 16_000_000),
        ("CARBOY_MAX_CONTENT_LENGTH", "", None),
        ("FLASK_MAX_CONTENT_LENGTH", "null", None),
        ("CARBOY_SECRET_KEY", "12345", "12345"),
        ("FLASK_SECRET_KEY", "12345", "12345"),
        ("FLASK_SECRET_KEY", '"quoted"', "quoted"),
        ("CARBOY_SECRET_KEY_FALLBACKS", '["a", "b"]', ["a", "b"]),
        ("CARBOY_DEBUG", "yes", True),
        ("CARBOY_DEBUG", "0", False),
        ("FLASK_DEBUG", "2", True),
        ("FLASK_DEBUG", "no", False),
        ("FLASK_DEBUG", "", False),
        ("CARBOY_PERMANENT_SESSION_LIFETIME", "2 days", timedelta(days=2)),
        ("FLASK_PERMANENT_SESSION_LIFETIME", "3600", timedelta(hours=1)),
        ("CARBOY_SESSION_COOKIE_SAMESITE", "lax", "Lax"),
        ("CARBOY_SESSION_COOKIE_SAMESITE", "None", "None"),
        ("FLASK_TRUSTED_HOSTS", '["a.example"]', ("a.example",)),
    ],
)
def test_flasks_keys_are_typed_on_the_way_in(config, monkeypatch, variable, text, value):
    """FLASK_ text may be JSON, as in Flask; FLASK_DEBUG is read as Flask reads it."""
    monkeypatch.setenv(variable, text)
    config.load(".")
    got = config[variable.partition("_")[2]]
    assert (got, type(got)) == (value, type(value))


@given(
    st.dictionaries(
        st.from_regex(r"[A-Z]{1,3}(__[A-Za-z]{1,2}){0,2}", fullmatch=True),
        st.one_of(
            st.sampled_from(["1", "null", '{"a": 1}', "[1]", "x", "NaN", '"s"']), st.text("ab{")
        ),
        max_size=6,
    )
)
def test_unknown_flask_names_are_loaded_as_flask_loads_them(variables):
    """JSON or text, and nested by double underscores; but for the names of the command line."""
    variables = {
        name: value
        for name, value in variables.items()
        if "\0" not in value and f"FLASK_{name}" not in INTERNAL
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(f"FLASK_{name}", value)
        ours, flasks = Config("/nowhere"), flask.Config("/nowhere")
        try:
            flasks.from_prefixed_env()
        except TypeError:
            with pytest.raises(SetupError, match="which is not a dict"):
                ours.load("/nowhere")
        else:
            ours.load("/nowhere")
            assert repr(ours) == repr(flasks).replace("NaN", "nan")
            assert ours.findings() == []


def test_message_for_an_item_inside_a_value_that_is_no_dict(config, monkeypatch):
    """Flask raises a bare TypeError here."""
    monkeypatch.setenv("FLASK_MAIL", "x")
    monkeypatch.setenv("FLASK_MAIL__HOST", "h")
    with pytest.raises(SetupError) as caught:
        config.load(".")
    assert str(caught.value) == (
        "FLASK_MAIL__HOST (environment FLASK_MAIL__HOST) sets an item inside MAIL, "
        "which is not a dict.\nRemove it, or make MAIL a dict in default_config.  [options.nested]"
    )


def test_nested_names_do_not_reach_into_the_class(tmp_path, monkeypatch):
    """default_config is shared by every application of the class."""
    shared = {"HOST": "a", "TLS": {"ON": False}}
    monkeypatch.setenv("CARBOY_MAIL__TLS__ON", "true")
    monkeypatch.setenv("FLASK_MAIL__PORT", "25")
    config = make(tmp_path, MAIL=shared)
    config.load(tmp_path)
    assert config["MAIL"] == {"HOST": "a", "TLS": {"ON": True}, "PORT": 25}
    assert shared == {"HOST": "a", "TLS": {"ON": False}}


def test_keys_of_the_class_are_known_and_untyped(tmp_path, monkeypatch):
    """An application's own defaults may be set from outside like any option."""
    (tmp_path / "carboy.toml").write_text('books_per_page = 10\nmotto = "5"\n')
    monkeypatch.setenv("CARBOY_BOOKS_PER_PAGE", "20")
    config = make(tmp_path, BOOKS_PER_PAGE=5, MOTTO="")
    config.load(tmp_path)
    assert (config["BOOKS_PER_PAGE"], config["MOTTO"], config.findings()) == (20, "5", [])


def test_the_app_table_is_loaded_as_it_is(tmp_path, config):
    """For extensions, whose names we cannot know."""
    (tmp_path / "carboy.toml").write_text('[app]\nmail_server = "m"\n[app.engine]\nsize = 5\n')
    config.load(tmp_path)
    assert (config["MAIL_SERVER"], config["ENGINE"], config.findings()) == ("m", {"size": 5}, [])


def test_options_declared_after_loading_take_what_was_loaded(tmp_path, monkeypatch):
    """An application may declare its own options after the constructor."""
    (tmp_path / "carboy.toml").write_text('greeting = "hello"\n')
    monkeypatch.setenv("FLASK_GREETING", "5")
    monkeypatch.setenv("CARBOY_TEASERS", "a b")
    config = make(tmp_path)
    config.load(tmp_path)
    assert {finding.where for finding in config.findings()} == {
        "carboy.toml:1",
        "environment CARBOY_TEASERS",
    }
    config["SHOUT"] = "yes"
    config.declare(
        [
            Option("GREETING", Text, default="hi", help="Greets."),
            Option("TEASERS", Names, default=(), help="Shows these first."),
            Option("SHOUT", Flag, default=False, help="Shouts."),
        ]
    )
    assert [config[k] for k in ("GREETING", "TEASERS", "SHOUT")] == ["5", ("a", "b"), True]
    assert config.findings() == []


def test_declaring_later_does_not_bring_back_what_was_deleted(config, monkeypatch):
    """Only the newly declared names are taken from the sources."""
    monkeypatch.setenv("FLASK_X", "1")
    config.load(".")
    del config["X"]
    config.declare([Option("NEW", Flag, help="New.")])
    assert "X" not in config


# --- findings ----------------------------------------------------------------------------


def findings(config, root="."):
    config.load(root)
    return [str(finding) for finding in config.findings()]


def test_finding_for_a_slip_in_a_variable(config, monkeypatch):
    """It tells the nearest known name, spelled as it must be."""
    monkeypatch.setenv("CARBOY_MAX_BDOY", "1 MB")
    assert findings(config) == [
        (
            "ERROR: There is no option MAX_BDOY, so CARBOY_MAX_BDOY has no effect.\n"
            "  Did you mean CARBOY_MAX_BODY?\n"
            "  at environment CARBOY_MAX_BDOY  [options.unknown]"
        )
    ]


def test_finding_for_a_slip_in_a_file(config, tmp_path):
    """With file and line; also for a prefix that does not belong there."""
    (tmp_path / "carboy.toml").write_text("[session]\nidel = 1\n")
    (tmp_path / ".env").write_text("\nCARBOY_SECRETKEY=x\n")
    assert findings(config, tmp_path) == [
        (
            "ERROR: There is no option SESSION_IDEL, so session.idel has no effect.\n"
            "  Did you mean session_idle?\n"
            "  at carboy.toml:2  [options.unknown]"
        ),
        (
            "ERROR: There is no option SECRETKEY, so CARBOY_SECRETKEY has no effect.\n"
            "  Did you mean CARBOY_SECRET_KEY?\n"
            "  at .env:2  [options.unknown]"
        ),
    ]
    (tmp_path / "carboy.toml").write_text("CARBOY_MAX_BODY = 1\n")
    assert "Did you mean max_body?" in findings(config, tmp_path)[0]


def test_finding_for_a_name_like_no_other(config, monkeypatch, tmp_path):
    """Perhaps it is the application's own, or of a battery that is off; no error."""
    (tmp_path / "carboy.toml").write_text("[mail]\nserver = 1\n")
    monkeypatch.setenv("CARBOY_XYZZY", "1")
    assert findings(config, tmp_path) == [
        (
            "WARNING: There is no option MAIL_SERVER, so mail.server has no effect.\n"
            "  If your code or an extension reads it, write mail_server under [app]. "
            "If a battery does, that battery is not switched on.\n"
            "  at carboy.toml:2  [options.unknown]"
        ),
        (
            "WARNING: There is no option XYZZY, so CARBOY_XYZZY has no effect.\n"
            "  If your code or an extension reads it, write FLASK_XYZZY. "
            "If a battery does, that battery is not switched on.\n"
            "  at environment CARBOY_XYZZY  [options.unknown]"
        ),
    ]


def test_a_name_that_an_extension_sets_later_is_still_reported(config, monkeypatch):
    """Its variable had no effect, and nothing else would tell."""
    monkeypatch.setenv("CARBOY_MAIL_SERVER", "m")
    config.load(".")
    config.setdefault("MAIL_SERVER", "localhost")
    assert [(f.level, "FLASK_MAIL_SERVER" in f.hint) for f in config.findings()] == [
        (WARNING, True)
    ]


def test_an_item_inside_a_typed_option_is_unknown(config, monkeypatch):
    """MAX_BODY is a number; nothing lies inside it."""
    monkeypatch.setenv("CARBOY_MAX_BODY__X", "1")
    config.load(".")
    assert [finding.level for finding in config.findings()] == [ERROR]
    assert config["MAX_BODY"] == 16_000_000


def test_finding_for_a_retired_name(config, monkeypatch):
    """It answers with the successor, wherever the name was set."""
    monkeypatch.setenv("CARBOY_JSON_SORT_KEYS", "0")
    config["JSON_AS_ASCII"] = False
    line = HERE().f_lineno - 1
    assert findings(config) == [
        (
            "WARNING: JSON_SORT_KEYS has no effect.\n  Set app.json.sort_keys instead.\n"
            "  at environment CARBOY_JSON_SORT_KEYS  [options.retired]"
        ),
        (
            "WARNING: JSON_AS_ASCII has no effect.\n  Set app.json.ensure_ascii instead.\n"
            f"  at code {__file__}:{line}  [options.retired]"
        ),
    ]


# --- provenance and report ---------------------------------------------------------------


def test_origins_tell_class_from_default(tmp_path):
    """default_config of an application's class is its own decision."""
    config = make(tmp_path, TESTING=True, OWN=1, SESSION_IDLE="1 s", DEBUG=True)
    assert {key: config.origin(key) for key in ("TESTING", "OWN", "SESSION_IDLE")} == dict.fromkeys(
        ("TESTING", "OWN", "SESSION_IDLE"), "class"
    )
    assert {config.origin(key) for key in ("DEBUG", "MAX_BODY", "SERVER_NAME")} == {"default"}
    assert config.origin("NEVER_HEARD_OF") == "unset"


def test_origin_in_code_is_the_line_outside_flask_and_carboy(config):
    """However deep in Flask the value is set."""
    config.from_object(types.SimpleNamespace(A=1))
    config.setdefault("B", 2)
    config.update(C=3)
    config |= {"D": 4}
    line = HERE().f_lineno
    assert [config.origin(key) for key in "ABCD"] == [
        f"code {__file__}:{line - back}" for back in (4, 3, 2, 1)
    ]
    del config["A"]
    assert config.origin("A") == "unset"
    config.clear()
    assert config.origin("B") == "unset"


def test_report_has_a_row_for_every_key_without_secrets(config, monkeypatch):
    """Values as people write them."""
    monkeypatch.setenv("CARBOY_API_PASS", "hunter2")
    monkeypatch.setenv("CARBOY_SECRET_KEY", "hunter2")
    config.load(".")
    config["MAIL_PASSWORD"] = "hunter2"
    config["GATEWAYS"] = {"url": "https://u:hunter2@h", "token": "hunter2"}
    config["BROKER"] = "amqp://u:hunter2@h"
    rows = {row.name: row for row in config.report()}
    assert set(rows) == set(config)
    assert "hunter2" not in repr(rows)
    assert rows["SESSION_IDLE"] == (
        "SESSION_IDLE", "30 min", "30 min", "default", "Log out.", "seconds",
    )  # fmt: skip
    assert rows["API_PASS"][1:4] == ("***", "", "environment CARBOY_API_PASS")
    assert rows["GATEWAYS"].value == "{'url': 'https://u:***@h', 'token': '***'}"
    assert rows["BROKER"].value == "'amqp://u:***@h'"


@pytest.mark.parametrize(
    "key", ["SECRET_KEY", "API_PASS", "MAIL_PASSWORD", "GITHUB_TOKEN", "STRIPE_SECRET", "API_KEY"]
)
def test_repr_masks_secrets(config, key):
    """Debug pages and logs print app.config."""
    config[key] = "hunter2"
    assert "hunter2" not in repr(config)
    assert f"{key!r}: '***'" in repr(config)
    assert config[key] == "hunter2"


def test_repr_shows_what_is_no_secret(config):
    """A flag about a token, a size of a key, and a secret that is not set."""
    config.update(TOKEN_REQUIRED=True, KEYBOARD="qwerty", PASSWORD_MIN=12, SECRET_KEY=None)
    config["SECRET_KEY_FALLBACKS"] = ["hunter2"]
    text = repr(config)
    for shown in ("'TOKEN_REQUIRED': True", "'KEYBOARD': 'qwerty'", "'PASSWORD_MIN': 12",
                  "'SECRET_KEY': None", "'SECRET_KEY_FALLBACKS': '***'"):  # fmt: skip
        assert shown in text
    assert "hunter2" not in text


def test_setting_a_value_builds_no_stack():
    """PERF: provenance is a few frames up, never traceback or inspect."""
    from carboy.engine import config

    names = {i.argval for i in dis.get_instructions(config._caller) if isinstance(i.argval, str)}
    assert "_getframe" in names
    assert not names & {"traceback", "inspect", "stack", "extract_stack"}
