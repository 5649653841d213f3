"""The folder is read without running it, and what is wrong with it is said once."""

import pytest

from carboy.base.errors import SetupError
from carboy.data.migrations.folder import Folder
from carboy.data.migrations.history import History
from carboy.data.migrations.wrap import wrapped


@pytest.fixture
def write(tmp_path):
    """Write {name: source} and return the folder."""

    def into(**files):
        for name, source in files.items():
            (tmp_path / f"{name}.py").write_text(source)
        return Folder(tmp_path)

    return into


def one(revision, parent=None, body="raise SystemExit"):
    return f"revision = {revision!r}\ndown_revision = {parent!r}\n{body}\n"


def test_parents_come_first_and_nothing_is_run(write):
    """Bodies that would end the process are never executed."""
    folder = write(b=one("b", "a"), a=one("a"), _helper="not python (", c=one("c", ("b", "a")))
    assert [migration.revision for migration in folder.all()] == ["a", "b", "c"]
    assert folder.head().revision == "c"
    assert folder.before(folder.find("b")) == {"a", "b"}


def test_a_folder_that_is_not_there_is_empty(tmp_path):
    """Before the first migration."""
    folder = Folder(tmp_path / "none")
    assert (folder.all(), folder.head(), folder.next_number()) == ((), None, "0001")


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"a": one("a", "lost")}, "migrations.missing"),
        ({"a": "def upgrade(:"}, "migrations.broken"),
        ({"a": "print(1)"}, "migrations.broken"),
        ({"a": "revision = name()"}, "migrations.broken"),
        ({"a": one("x"), "b": one("x")}, "migrations.broken"),
        ({"a": one("a", "b"), "b": one("b", "a")}, "migrations.broken"),
        ({"a": one("a"), "b": one("b", "a"), "c": one("c", "a")}, "migrations.heads"),
        ({"a": one("a"), "b": one("b")}, "migrations.heads"),
    ],
    ids=["missing", "syntax", "other file", "no constant", "twice", "circle", "heads", "bases"],
)
def test_a_broken_chain_is_said(write, files, code):
    """One clear letter each."""
    with pytest.raises(SetupError) as caught:
        write(**files).head()
    assert caught.value.code == code


def test_a_migration_is_found_by_name_beginning_or_number(write):
    """And not where several could be meant."""
    folder = write(a=one("0001_ab"), b=one("0002_abc", "0001_ab"), c=one("0012_b", "0002_abc"))
    assert folder.find("head").revision == "0012_b"
    assert folder.find("2").revision == "0002_abc"
    assert folder.find("0001").revision == "0001_ab"
    assert folder.find("0012_b").revision == "0012_b"
    for said in ("00", "7", "", "zzz"):
        with pytest.raises(SetupError) as caught:
            folder.find(said)
        assert caught.value.code == "migrations.unknown"
    assert folder.next_number() == "0013"


def test_a_file_that_changes_is_read_again(write):
    """Others are not: readiness asks again and again."""
    folder = write(a=one("a"))
    assert folder.all() is folder.all()
    write(a=one("a2"))
    assert folder.all()[0].revision == "a2"


def test_the_digest_is_of_what_is_done(write, tmp_path):
    """Not of how it is written down."""
    body = 'def upgrade():\n    """Why."""\n    act("a")\n'
    first = write(a=one("a", body=body)).all()[0].digest
    same = one("a", body="# why\ndef upgrade():\n    'Because.'\n\n    act(\n        'a'\n    )")
    assert Folder(tmp_path).all()[0].digest == first
    assert write(a=same).all()[0].digest == first
    back = body + 'allow = {"x": "y"}\ndef downgrade():\n    act("c")\n'
    assert write(a=one("a", "p", body=back), p=one("p")).find("a").digest == first
    assert write(a=one("a", body=body.replace('act("a")', 'act("b")'))).all()[0].digest != first


def test_history_says_how_things_were_declared(write):
    """Columns and checks in the words of the files, after all that happened to them."""
    first = """
def upgrade():
    op.create_table("books",
        sa.Column("price", kinds.decimal(10, 2), nullable=False),
        sa.Column("name", kinds.text(10),
                  nullable=False),
        kinds.only("sqlite", sa.CheckConstraint("length(name) <= 10", name="ck_len")),
        **kinds.options())
"""
    second = """
def upgrade():
    ops.add_column("books", sa.Column("pages", kinds.integer(), nullable=True))
    ops.set_not_null("books", "pages")
    with ops.alter_table("books") as table:
        table.alter_column("price", type_=kinds.decimal(12, 2), nullable=True)
        table.alter_column("name", new_column_name="title", existing_type=kinds.text(10))
    if kinds.on("sqlite"):
        ops.add_check("ck_more", "books", "pages > 0")
    op.rename_table("books", "works")
"""
    history = History(write(a=one("a", body=first), b=one("b", "a", second)).all())

    assert history.tables == {"works"}
    assert history.column("works", "price") == (
        'sa.Column("price", kinds.decimal(12, 2), nullable=True)'
    )
    assert history.type("works", "title") == "kinds.text(10)"
    assert history.column("works", "title").startswith('sa.Column("title", kinds.text(10),')
    assert history.column("works", "pages").endswith("nullable=False)")
    assert history.check("ck_len") == '"length(name) <= 10"'
    assert history.check("ck_more") == '"pages > 0"'
    assert history.options("works") == "kinds.options()"
    assert history.column("books", "price") == ""


def test_long_calls_are_wrapped_where_people_would(write):
    """An argument a line; brackets in texts are no brackets."""
    line = 'f("a (b", ' + "x" * 50 + ", [1, 2], " + "y" * 50 + ")"
    assert wrapped(line) == [
        "f(",
        '    "a (b",',
        f"    {'x' * 50},",
        "    [1, 2],",
        f"    {'y' * 50},",
        ")",
    ]
