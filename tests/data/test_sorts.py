"""Sorts: allowed names, and nothing else."""

import pytest
from hypothesis import given, settings, strategies as st
from sqlalchemy.orm import Mapped

from carboy.base.errors import RequestFault, SetupError
from carboy.data.fields import field
from carboy.data.relations import belongs_to
from carboy.data.sorts import Sorts, sorts


@pytest.fixture
def book(base):
    class Author(base):
        name: Mapped[str] = field(max_length=80)

    class Book(base):
        title: Mapped[str] = field(max_length=200)
        year: Mapped[int | None]
        cost: Mapped[int] = field(api="hidden")
        author: Mapped[Author] = belongs_to()

    return Book


def test_names_and_the_default(book):
    """As they are given to order=."""
    allowed = sorts(book, "title", "year", default=("-year",))
    assert allowed.parse("-year,title") == ("-year", "title")
    assert allowed.parse("") == allowed.parse(None) == ("-year",)


WRONG = [
    "cost", "id", "--title", "title,", ",", "title,-title", "title;drop", "Title", " title", "-",
    "title.year", "title,year,title,year,title", "title" * 1000, "\0", "__class__",
]  # fmt: skip


def test_anything_else_is_refused(book):
    """With the names that are known."""
    for text in WRONG:
        with pytest.raises(RequestFault) as caught:
            sorts(book, "title", "year").parse(text)
        assert (caught.value.status, caught.value.code) == (400, "data.sort"), text
        assert "title, year" in caught.value.hint
        assert caught.value.errors[0]["loc"] == ["query", "sort"]


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="ab,-. \0;'é", max_size=12) | st.text(max_size=30))
def test_no_text_gets_through(text):
    """Only names that were allowed come out."""
    made = Sorts(None, ("a", "b"), ())
    made._checked = True
    allowed = [name.removeprefix("-") for name in text.split(",")]
    if not text or ({*allowed} <= {"a", "b"} and len({*allowed}) == len(allowed)):
        assert made.parse(text) == tuple(text.split(",") if text else ())
        return
    with pytest.raises(RequestFault):
        made.parse(text)


@pytest.mark.parametrize(
    ("name", "code"),
    [("nope", "data.list_name"), ("cost", "data.not_public"), ("author.nope", "data.list_name"),
     ("nope.name", "data.list_name")],
)  # fmt: skip
def test_a_wrong_declaration_is_a_mistake_of_the_program(book, name, code):
    """Said when it is made; for other models at the first use."""
    with pytest.raises(SetupError) as caught:
        sorts(book, name).parse("")
    assert caught.value.code == code


def test_a_field_with_a_rule_of_its_own_is_refused(book):
    """Whoever may sort by it finds out what it holds."""

    class Policy:
        fields = {"year": object()}  # what a policy looks like from here

    book.policy = Policy()
    with pytest.raises(SetupError, match="a rule for that field"):
        sorts(book, "year")


def test_names_of_other_models(book):
    """They need not be there when the list is declared."""
    allowed = sorts(book, "author.name")
    assert allowed.parse("-author.name") == ("-author.name",)
