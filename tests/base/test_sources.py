"""Where settings come from: files found, lines told, variables split by prefix."""

import os

import pytest
from hypothesis import given, strategies as st

from carboy.base.errors import SetupError
from carboy.base.sources import ASSIGNMENT, _unquoted, read


@pytest.fixture
def root(tmp_path, monkeypatch):
    """The folder of an application, two below a folder of our own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "site" / "app").mkdir(parents=True)
    return tmp_path / "site" / "app"


def found(root, **environ):
    return {s.name: (s.raw, s.origin) for s in read(root, environ)}


def dotenv(root, text):
    (root / ".env").write_text(text, encoding="utf-8")
    return {s.name: s.raw for s in read(root, {})}


def test_toml_keys_carry_their_line(root):
    """Top-level keys are options; a table lends its name; lists and numbers stay themselves."""
    (root / "carboy.toml").write_text(
        '# comment\nmax_body = "32 MB"\n\nHOSTS = [\n  "a",\n  "b",\n]\n'
        '[session]\nidle = "5 min"\n"name" = "s"\n[session.cookie]\npath = "/"\n[x]\ny.z = 1\n'
    )
    assert found(root) == {
        "MAX_BODY": ("32 MB", "site/app/carboy.toml:2"),
        "HOSTS": (["a", "b"], "site/app/carboy.toml:4"),
        "SESSION_IDLE": ("5 min", "site/app/carboy.toml:9"),
        "SESSION_NAME": ("s", "site/app/carboy.toml:10"),
        "SESSION_COOKIE_PATH": ("/", "site/app/carboy.toml:12"),
        "X_Y_Z": (1, "site/app/carboy.toml:14"),
    }


def test_the_app_table_belongs_to_the_application(root):
    """Its keys are taken whole, tables too, and are nobody's options."""
    (root / "carboy.toml").write_text('[app]\nmail_server = "m"\n[app.engine]\nsize = 5\n')
    settings = read(root, {})
    assert [(s.name, s.raw, s.namespace) for s in settings] == [
        ("MAIL_SERVER", "m", "APP"),
        ("ENGINE", {"size": 5}, "APP"),
    ]


def test_the_root_path_comes_before_the_folder_above(root):
    """One file is read, not two: nobody has to merge them in the head."""
    (root.parent / "carboy.toml").write_text("a = 1\nb = 1\n")
    assert found(root) == {"A": (1, "site/carboy.toml:1"), "B": (1, "site/carboy.toml:2")}
    (root / "carboy.toml").write_text("a = 2\n")
    assert found(root) == {"A": (2, "site/app/carboy.toml:1")}


def test_dotenv_lies_beside_the_toml_file(root):
    """A .env elsewhere is somebody else's."""
    (root.parent / "carboy.toml").write_text("a = 1\n")
    (root.parent / ".env").write_text("CARBOY_B=above\n")
    (root / ".env").write_text("CARBOY_B=here\n")
    assert found(root)["B"] == ("above", "site/.env:1")


def test_a_folder_anyone_may_write_to_does_not_configure_us(root):
    """An application in /tmp/app is not configured by a file in /tmp."""
    (root.parent / "carboy.toml").write_text("a = 1\n")
    (root.parent / ".env").write_text("CARBOY_B=1\n")
    root.parent.chmod(0o777)
    assert found(root) == {}
    root.parent.chmod(0o755)
    assert set(found(root)) == {"A", "B"}


def test_carboy_config_names_another_file(root, tmp_path):
    """And .env is then looked for beside that one."""
    (root / "carboy.toml").write_text("a = 1\n")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "prod.toml").write_text("a = 2\n")
    (tmp_path / "etc" / ".env").write_text("CARBOY_B=3\n")
    assert found(root, CARBOY_CONFIG=str(tmp_path / "etc" / "prod.toml")) == {
        "A": (2, "etc/prod.toml:1"),
        "B": ("3", "etc/.env:1"),
    }


def test_variables_win_over_files_and_carboy_over_flask(root):
    """The order of what is returned is the order of precedence."""
    (root / "carboy.toml").write_text('a = "toml"\n')
    (root / ".env").write_text("CARBOY_A=dotenv\nFLASK_A=dotenv-flask\n")
    settings = read(root, {"CARBOY_A": "carboy", "FLASK_A": "flask", "OTHER_A": "no"})
    assert [s.raw for s in settings] == ["toml", "dotenv-flask", "dotenv", "flask", "carboy"]
    assert [s.origin for s in settings][3:] == ["environment FLASK_A", "environment CARBOY_A"]


def test_variables_that_steer_the_commands_are_no_options(root):
    """They would be reported as unknown names otherwise."""
    assert found(
        root,
        CARBOY_RUNTIME_DIR="/run/x",
        CARBOY_APP="app",
        FLASK_APP="app",
        FLASK_RUN_PORT="1",
        CARBOY_RUN_PORT="1",
        FLASK_ENV_FILE="x",
        FLASK_SKIP_DOTENV="",
    ) == {}  # fmt: skip


def test_flask_skip_dotenv_leaves_dotenv_alone(root):
    """As it does in Flask, and with the same words for no."""
    (root / ".env").write_text("CARBOY_A=1\n")
    assert found(root, FLASK_SKIP_DOTENV="1") == {}
    assert found(root, FLASK_SKIP_DOTENV="false") == {"A": ("1", "site/app/.env:1")}


def test_nothing_is_written_to_the_environment(root, monkeypatch):
    """A secret in .env does not reach child processes."""
    monkeypatch.delenv("CARBOY_SECRET_KEY", raising=False)
    (root / ".env").write_text("CARBOY_SECRET_KEY=hush\n")
    assert found(root)["SECRET_KEY"][0] == "hush"
    assert "CARBOY_SECRET_KEY" not in os.environ


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("CARBOY_A=1", "1"),
        ("export CARBOY_A=1", "1"),
        ("  CARBOY_A = 1  ", "1"),
        ("CARBOY_A=", ""),
        ("CARBOY_A= # nothing", ""),
        ("CARBOY_A=a b # comment", "a b"),
        ("CARBOY_A=a#b", "a#b"),
        ("CARBOY_A=#b", "#b"),
        ("CARBOY_A=a=b=c", "a=b=c"),
        ("CARBOY_A='a # b' # c", "a # b"),
        (r"CARBOY_A='a\n$HOME'", r"a\n$HOME"),
        (r'CARBOY_A="a\n\"b\" \\ \$"', 'a\n"b" \\ $'),
        ('CARBOY_A="two\nlines"', "two\nlines"),
        ("CARBOY_A='two\nlines'", "two\nlines"),
        ("CARBOY_A=it's", "it's"),
        ('CARBOY_A=""', ""),
        ("\ufeffCARBOY_A=1", "1"),
        ("CARBOY_A=1\r", "1"),
        ("CARBOY_A=ä€", "ä€"),
        ("# CARBOY_A=0\nCARBOY_A=1", "1"),
        ("CARBOY_A=1\nCARBOY_A=2", "2"),
        ("nonsense\n=\nCARBOY_A=1\n{}", "1"),
        ("KEY='\nCARBOY_B=inside\n'\nCARBOY_A=1", "1"),
    ],
)
def test_dotenv_lines(root, line, value):
    """KEY=value with quotes, comments and export; what others write there is passed over."""
    assert dotenv(root, line + "\n") == {"A": value}


def test_line_numbers_count_through_quoted_lines(root):
    """The place is where the name stands."""
    (root / ".env").write_text('X="1\n2\n3"\n\nexport CARBOY_A=1\n')
    assert found(root) == {"A": ("1", "site/app/.env:5")}


@pytest.mark.parametrize("line", ["CARBOY_A='x", 'CARBOY_A="x', "CARBOY_A='x' y", 'CARBOY_A="x"y"'])
def test_quotes_that_do_not_match_are_named(root, line):
    """Half a secret is not a secret."""
    (root / ".env").write_text(f"# first\n{line}\n")
    with pytest.raises(SetupError) as caught:
        read(root, {})
    assert str(caught.value) == (
        "The value of CARBOY_A at site/app/.env:2 has quotes that do not match.\n"
        "Close the quote, and let nothing but a comment follow it.  [options.quotes]"
    )


@given(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\r"), max_size=30))
def test_any_text_survives_double_quotes(text):
    """Escaped backslashes and quotes are all that is needed."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    match = ASSIGNMENT.fullmatch(f'KEY="{escaped}"')
    assert match is not None
    assert _unquoted(match) == text


def test_message_for_a_file_that_is_no_toml(root):
    """It tells the line, and the usual cause."""
    (root / "carboy.toml").write_text("a = 1\nmax_body = 16 MB\n")
    with pytest.raises(SetupError) as caught:
        read(root, {})
    assert str(caught.value) == (
        "site/app/carboy.toml is not valid TOML: "
        "Expected newline or end of document after a statement (at line 2, column 15).\n"
        'Text needs quotes: max_body = "16 MB". Durations and sizes are text, too.'
        "  [options.toml]"
    )


def test_message_for_a_file_that_is_not_there(root):
    """CARBOY_CONFIG is a promise; starting without the file would break it."""
    with pytest.raises(SetupError) as caught:
        read(root, {"CARBOY_CONFIG": "gone.toml"})
    assert str(caught.value) == (
        "CARBOY_CONFIG names 'gone.toml', which is not a file.\n"
        "Correct the path, or unset CARBOY_CONFIG to use carboy.toml beside the app."
        "  [options.no_file]"
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a = '\xff'", "byte 5 is not UTF-8"),
        (b"#" * 1_000_001, "it is larger than 1,000,000 bytes"),
    ],
    ids=["latin-1", "huge"],
)
def test_message_for_a_file_that_cannot_be_read(root, content, reason):
    """The reason comes with the name."""
    (root / "carboy.toml").write_bytes(content)
    with pytest.raises(SetupError) as caught:
        read(root, {})
    assert str(caught.value) == (
        f"site/app/carboy.toml cannot be read: {reason}.\n"
        "It configures this application; starting without it would surprise you."
        "  [options.unreadable]"
    )


def test_a_root_path_that_does_not_exist_has_no_files(tmp_path):
    """An application made from a name only still starts."""
    assert read(tmp_path / "gone" / "too", {}) == ()
