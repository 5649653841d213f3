"""The development database follows the models by itself, and nothing is ever lost."""

from decimal import Decimal

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.orm import Mapped

from carboy.base.errors import SetupError
from carboy.data.fields import field
from carboy.data.migrations import develop
from carboy.data.migrations.plan import Said, drafted
from carboy.data.migrations.runner import downgrade


def book(**fields):
    """Return a declaration of Book: {name: (type, what field is told)}."""

    def declare(Base):
        said = {"__annotations__": {}, "__module__": __name__}
        for name, (kind, told) in fields.items():
            said["__annotations__"][name] = Mapped[kind]
            said[name] = field(**told)
        type("Book", (Base,), said)

    return declare


TITLE = {"title": (str, {"max_length": 100})}


def run(project, *statements):
    with project.engine.begin() as connection:
        return [connection.execute(text(statement)) for statement in statements]


def columns(project):
    return {c["name"]: c["nullable"] for c in inspect(project.engine).get_columns("books")}


def test_what_only_adds_is_done_and_told(on_file):
    """Tables, columns with a value for the rows there are, indexes, constraints."""
    first = develop.sync(on_file.models(book(**TITLE)))
    assert first.done == ["new table books (id, title)"]
    run(on_file, "INSERT INTO books (title) VALUES ('Emma')")

    more = {"pages": (int, {"default": 3}), "note": (str | None, {"max_length": 9, "index": True})}
    target = on_file.models(book(**TITLE, **more))
    outcome = develop.sync(target)

    assert "books gets the column pages, 3 in the rows there are" in outcome.done
    assert "books gets an index on note" in outcome.done
    assert outcome.left == []
    assert on_file.differs(target) == []
    assert develop.sync(target) == develop.Outcome([], [])


def test_an_exact_default_is_scaled_as_sqlite_keeps_it(on_file):
    """1.5 in the rows there are, not 0.02."""
    develop.sync(on_file.models(book(**TITLE)))
    run(on_file, "INSERT INTO books (title) VALUES ('Emma')")
    price = {"price": (Decimal, {"default": Decimal("1.5"), "digits": 6, "places": 2})}
    develop.sync(on_file.models(book(**TITLE, **price)))
    assert run(on_file, "SELECT price FROM books")[0].scalar() == 150


def test_what_looks_like_a_rename_is_not_done_until_it_is_said(on_file):
    """The line has the command to type; the values stay."""
    develop.sync(on_file.models(book(name=(str, {"max_length": 100}))))
    run(on_file, "INSERT INTO books (name) VALUES ('Emma')")
    target = on_file.models(book(**TITLE))

    outcome = develop.sync(target)
    assert outcome.done == []
    assert any("carboy db sync --renamed books.name=title" in line for line in outcome.left)
    assert columns(on_file) == {"id": False, "name": False}

    develop.sync(target, Said(renamed={"books.name": "title"}))
    assert run(on_file, "SELECT title FROM books")[0].scalar() == "Emma"
    assert on_file.differs(target) == []


def test_what_would_lose_values_stays_and_hinders_nobody(on_file):
    """A column that no model has is kept, and is optional from now on."""
    develop.sync(on_file.models(book(**TITLE, pages=(int, {}))))
    run(on_file, "INSERT INTO books (title, pages) VALUES ('Emma', 7)")
    target = on_file.models(book(**TITLE))

    outcome = develop.sync(target)
    (line,) = outcome.left
    assert line.startswith("not done: books loses the column pages, with its values.")
    assert line.endswith("If meant: carboy db sync --dropped books.pages")
    assert run(on_file, "SELECT pages FROM books")[0].scalar() == 7
    run(on_file, "INSERT INTO books (title) VALUES ('Ida')")

    develop.sync(target, Said(dropped={"books.pages"}))
    assert columns(on_file) == {"id": False, "title": False}


def test_a_required_column_needs_a_value_only_where_there_are_rows(on_file):
    """An empty table takes it; a full one says how to say the value."""
    develop.sync(on_file.models(book(**TITLE)))
    target = on_file.models(book(**TITLE, pages=(int, {})))
    run(on_file, "INSERT INTO books (title) VALUES ('Emma')")

    (line,) = develop.sync(target).left
    assert line.endswith(
        "1 rows have no value for it. Say one: carboy db sync --fill books.pages=..."
    )
    assert "pages" not in columns(on_file)

    run(on_file, "DELETE FROM books")
    assert develop.sync(target).left == []
    assert columns(on_file)["pages"] is False


def test_a_table_that_no_model_has_stays(on_file):
    """Also with its rows."""
    run(on_file, "CREATE TABLE old (id INTEGER)", "INSERT INTO old VALUES (1)")
    outcome = develop.sync(on_file.models(book(**TITLE)))
    assert outcome.done == ["new table books (id, title)"]
    assert "carboy db sync --dropped old" in outcome.left[0]
    assert run(on_file, "SELECT id FROM old")[0].scalar() == 1


def test_files_are_written_as_if_the_database_had_not_run_ahead(on_file):
    """make compares with the migrations; what is there already is noted, and can be undone."""
    target = on_file.models(book(**TITLE))
    develop.sync(target)
    on_file.write(target)
    assert list(develop._follow(target)) == ["has the changes of 0001_add_books already"]

    after = on_file.models(book(**TITLE, pages=(int | None, {})))
    develop.sync(after)
    assert [change.words for change in drafted(after).changes] == ["books gets the column pages"]
    on_file.write(after)
    list(develop._follow(after))
    assert downgrade(after, "base") == ["0002_change_books", "0001_add_books"]


def test_files_that_came_with_a_pull_are_applied_first(on_file):
    """Then the models, which came with them, have nothing to add."""
    target = on_file.models(book(**TITLE))
    on_file.write(target)
    assert list(develop._follow(target)) == ["applied 0001_add_books"]


def test_a_constraint_without_a_name_cannot_be_dropped_by_name(on_file):
    """It is said, with the way out."""
    run(on_file, "CREATE TABLE shelves (id INTEGER PRIMARY KEY)")
    run(on_file, "CREATE TABLE books (id INTEGER PRIMARY KEY, s INTEGER REFERENCES shelves)")
    with pytest.raises(SetupError) as caught:
        develop.sync(on_file.models(book(s=(int | None, {}))))
    assert caught.value.code == "migrations.nameless"


def test_words_about_nothing_are_refused(on_file):
    """A slip in --dropped or --renamed is said, with what does go."""
    develop.sync(on_file.models(book(**TITLE, pages=(int, {}))))
    target = on_file.models(book(**TITLE))
    for said in (Said(dropped={"books.page"}), Said(renamed={"books.pages": "size"})):
        with pytest.raises(SetupError) as caught:
            develop.sync(target, said)
        assert caught.value.code == "migrations.said"
