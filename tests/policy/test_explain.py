"""Explained: what somebody may do, in words, in SQL, and as a matrix."""

from carboy.base.scope import Scope
from carboy.policy.explain import explain, matrix


def told(m, model, **who):
    """Return {action (and field): explanation}."""
    found = explain(m.rulebook, model, Scope(**who))
    return {f"{one.action} {one.field}".strip(): one for one in found}


def test_what_depends_on_the_row_is_some_with_its_sql(m):
    """Values of the person are named, values of the rule written out."""
    read = told(m, m.Book, user=1)["read"]
    assert read.answer == "some"
    assert "its author is who asks" in read.words
    assert read.sql == "book.author_id = :user OR book.public"
    assert told(m, m.Tag, user=1)["read"].sql == "tag.name != 'secret'"


def test_what_depends_on_the_person_alone_is_all_or_none(m):
    """Roles are folded; what may not be read may not be written."""
    staff = told(m, m.Book, user=1, roles=frozenset({"staff"}))
    assert {name: one.answer for name, one in staff.items()} == {
        "read": "all", "create": "some", "update": "all", "delete": "all",
        "read price": "all", "update price": "all",
    }  # fmt: skip
    visitor = told(m, m.Book)
    assert visitor["update"].answer == "none"
    assert visitor["read price"].answer == "none"


def test_an_explanation_reads_as_a_line(m):
    """As `carboy policy explain` prints it."""
    assert str(told(m, m.Locked, user=1)["read"]) == "read: none."
    assert str(told(m, m.Person)["read"]) == "read: all."
    lines = str(told(m, m.Note, user=1)["update"]).splitlines()
    assert lines[0].startswith(
        "update: some. Allowed when it may be read (its book may be read), and"
    )
    assert lines[1].lstrip().startswith("WHERE ")


def test_the_matrix_has_a_row_per_model_and_action(m):
    """For visitors, people, and each role that some rule asks for."""
    rows = matrix(m.rulebook)
    assert rows[0] == ("model", "action", "visitor", "signed in", "staff")
    assert ("Book", "read", "some", "some", "all") in rows
    assert ("Book", "create", "none", "some", "some") in rows
    assert ("Locked", "read", "none", "none", "none") in rows
    assert len(rows) == 1 + 4 * 6
