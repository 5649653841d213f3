"""INSERT without objects: from a SELECT, several rows at once, with computed values."""

import pytest
import sqlalchemy as sa
from sqlalchemy import orm

from carboy.base.scope import scope, unscoped
from carboy.policy.errors import NotPermitted, Refused
from carboy.policy.policies import Field, Policy
from carboy.policy.rules import everyone, owner, related, role, where

EVERYWHERE = True

pytestmark = pytest.mark.slow


def titles(engine, m):
    """Return (title, author) of all books that were added, hidden ones too."""
    book = m.Book.__table__
    with unscoped("test"), engine.connect() as connection:
        found = connection.execute(sa.select(book.c.title, book.c.author_id).order_by(book.c.id))
        return [tuple(row) for row in found][4:]


def grown(runner, statement):
    """Execute, and return how many rows the table has more; drivers do not always tell."""
    connection = runner.connection() if isinstance(runner, orm.Session) else runner
    count = sa.select(sa.func.count()).select_from(statement.table)
    with unscoped("test"):
        before = connection.scalar(count)
    runner.execute(statement)
    with unscoped("test"):
        return connection.scalar(count) - before


def copied(m, **changes):
    """INSERT books FROM SELECT books; changes: column to expression."""
    book = m.Book.__table__
    keys = ["title", "public", "author_id"]
    return sa.insert(book).from_select(keys, sa.select(*(changes.get(k, book.c[k]) for k in keys)))


@pytest.mark.parametrize("way", ["session", "connection"])
def test_insert_select_takes_the_rows_that_may_be_created(m, session, engine, way):
    """Of the three books that person 1 sees two are theirs, as must be what they create."""
    with scope(user=1):
        runner = session if way == "session" else session.connection()
        assert grown(runner, copied(m)) == 2
        session.commit()
    assert titles(engine, m) == [("mine", 1), ("open", 1)]


def test_insert_select_reads_only_what_may_be_seen(m, session, engine):
    """Even when what is inserted may be created."""
    with scope(user=1):
        assert grown(session, copied(m, author_id=sa.literal(1))) == 3
        session.commit()
    assert ("his", 1) not in titles(engine, m)


def test_insert_select_of_nothing_permitted_inserts_nothing(m, session, engine):
    """A book of somebody else."""
    with scope(user=1):
        assert grown(session, copied(m, author_id=sa.literal(2))) == 0


def test_a_column_that_is_left_out_is_null_or_its_default(m, session, engine):
    """Without an author it is nobody's, and may not be created; `public` is False."""
    book = m.Book.__table__
    with scope(user=1):
        stmt = sa.insert(book).from_select(
            ["title", "public"], sa.select(book.c.title, book.c.public)
        )
        assert grown(session, stmt) == 0
        m.Book.policy = Policy(
            read=everyone, create=owner("author") & where(m.Book.public.is_(False))
        )
        m.rulebook.stale = True
        stmt = sa.insert(book).from_select(
            ["title", "author_id"], sa.select(book.c.title, sa.literal(1))
        )
        assert grown(session, stmt) == 4


def test_insert_select_into_a_protected_field(m, session, engine):
    """Only staff may set a price; what is not set is not asked about."""
    book = m.Book.__table__
    keys = ["title", "public", "author_id", "price"]
    stmt = sa.insert(book).from_select(keys, sa.select(*(book.c[key] for key in keys)))
    with scope(user=1):
        assert grown(session, stmt) == 0
    with scope(user=1, roles={"staff"}):
        session.rollback()
        assert grown(session, stmt) == 2


def test_insert_select_by_a_rule_about_other_rows(m, session, engine):
    """Notes of one's own books; a reference to a hidden one is not inserted either."""
    note = m.Note.__table__
    with scope(user=1):
        stmt = sa.insert(note).from_select(["text", "book_id"], sa.select(m.Book.title, m.Book.id))
        assert grown(session, stmt) == 2
        session.rollback()
        hidden = sa.select(sa.literal("x"), sa.literal(3))
        assert grown(session, sa.insert(note).from_select(["text", "book_id"], hidden)) == 0


def test_a_rule_about_what_only_the_database_fills_in_is_refused(m, session):
    """The key is not known before the row is there."""
    m.Book.policy = Policy(read=everyone, create=where(lambda book: book.id > 0))
    m.rulebook.stale = True
    with scope(user=1), pytest.raises(Refused) as error:
        session.execute(copied(m))
    assert error.value.code == "policy.insert_select"
    assert "'id'" in str(error.value)


def several(m, *authors, **more):
    """INSERT of one book per author in one values()."""
    books = [
        {"title": f"t{n}", "public": True, "author_id": a, **more} for n, a in enumerate(authors)
    ]
    return sa.insert(m.Book.__table__).values(books)


def test_each_of_several_rows_is_decided(m, session, engine):
    """All or nothing."""
    with scope(user=1):
        session.execute(several(m, 1, 1, 1))
        for authors in ((1, 2), (2, 1), (1, None, 1)):
            with pytest.raises(NotPermitted):
                session.execute(several(m, *authors))
        session.commit()
    assert [author for _, author in titles(engine, m)] == [1, 1, 1]


def test_defaults_count_in_each_of_several_rows(m, session):
    """`public` is False by default, in all of them."""
    for public, permitted in ((False, True), (True, False)):
        m.Book.policy = Policy(
            read=everyone, create=where(m.Book.public if public else ~m.Book.public)
        )
        m.rulebook.stale = True
        stmt = sa.insert(m.Book.__table__).values([{"title": "a"}, {"title": "b"}])
        with scope(user=1):
            if permitted:
                session.execute(stmt)
            else:
                with pytest.raises(NotPermitted):
                    session.execute(stmt)


@pytest.mark.parametrize("rows", [1, 2])
def test_an_expression_sets_no_protected_field(m, session, engine, rows):
    """It has no value that Python could look at; the field has a rule all the same."""
    stmt = several(m, *[1] * rows, price=sa.literal(7) + 0)
    with scope(user=1), pytest.raises(NotPermitted):
        session.execute(stmt)
    with scope(user=1, roles={"staff"}):
        session.execute(stmt)


@pytest.mark.parametrize("rows", [1, 2])
def test_an_expression_refers_to_no_hidden_row(m, session, rows):
    """The key of a hidden book, computed."""
    m.Note.policy = Policy(read=related("book"), create=everyone)
    m.rulebook.stale = True
    stmt = sa.insert(m.Note.__table__).values([{"text": "x", "book_id": sa.literal(1) + 2}] * rows)
    with scope(user=1), pytest.raises(Refused):
        session.execute(stmt)


def test_a_bind_of_another_name_hides_nothing(m, session):
    """values(price=bindparam("p")) sets the price."""
    stmt = sa.insert(m.Book.__table__).values(
        title="x", public=True, author_id=1, price=sa.bindparam("p")
    )
    with scope(user=1), pytest.raises(NotPermitted):
        session.connection().execute(stmt, {"p": 7})


def test_an_expression_is_refused_where_the_rule_depends_on_it(m, session):
    """Whose book it is, nobody can tell."""
    stmt = several(m, sa.literal(1) + 0)
    with scope(user=1), pytest.raises(Refused) as error:
        session.execute(stmt)
    assert error.value.code == "policy.insert"


def test_nothing_is_asked_where_everybody_may(m, session):
    """Expressions, several rows and SELECT pass as they are."""
    m.Tag.policy = Policy(read=everyone, create=role("x") | everyone, fields={"name": Field()})
    m.rulebook.stale = True
    tag = m.Tag.__table__
    with scope(user=1):
        session.execute(sa.insert(tag).values([{"name": "a"}, {"name": sa.literal("b") + "c"}]))
        session.execute(sa.insert(tag).from_select(["name"], sa.select(tag.c.name + "!")))
