"""What only PostgreSQL and MySQL render, compiled for them; no server is asked here."""

import pytest
import sqlalchemy as sa
from sqlalchemy import func, select
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.sql import elements

from carboy.base.scope import scope
from carboy.policy.errors import Refused
from carboy.policy.filters import compile_into


@pytest.fixture
def sql(m):
    """Return what compiles a statement for a dialect, for person 1, on one line."""

    def compiled(statement, module, **who):
        dialect = module.dialect()
        compile_into(dialect, m.rulebook)
        with scope(**(who or {"user": 1})):
            return " ".join(str(statement.compile(dialect=dialect)).split())

    return compiled


def test_grouping_by_the_key_names_what_it_determines(m, sql):
    """PostgreSQL refuses other columns of a derived table, which has no key."""
    statement = select(m.Book.id, m.Book.title, func.count()).group_by(m.Book.id)
    assert sql(statement, postgresql).endswith("GROUP BY book.id, book.title")
    assert sql(statement, sqlite).endswith("GROUP BY book.id")
    partly = select(m.Book.title).group_by(m.Book.title)
    assert sql(partly, postgresql).endswith("GROUP BY book.title")


def test_mysql_updates_the_table_itself(m, sql):
    """`UPDATE (SELECT ..` is no SQL; the other tables of the UPDATE are filtered."""
    statement = sa.update(m.Book.__table__).values(title="x")
    statement = statement.where(m.Book.id == m.Note.book_id)
    text = sql(statement, mysql)
    assert text.startswith("UPDATE book, (SELECT ")
    assert "AND (" in text.partition("SET")[2]


def test_mysql_deletes_from_the_table_itself(m, sql):
    """Also where USING repeats it."""
    statement = sa.delete(m.Book.__table__).where(m.Book.id == m.Note.book_id)
    text = sql(statement, mysql)
    assert text.startswith("DELETE FROM book USING book, (SELECT ")


def test_postgresql_reaches_other_tables_through_what_may_be_seen(m, sql):
    """UPDATE .. FROM and DELETE .. USING."""
    condition = m.Book.id == m.Note.book_id
    update = sa.update(m.Book.__table__).values(title="x").where(condition)
    assert " FROM (SELECT note_1.id" in sql(update, postgresql)
    delete = sa.delete(m.Book.__table__).where(condition)
    assert "DELETE FROM book USING (SELECT note_1.id" in sql(delete, postgresql)


def test_upserts(m, sql):
    """PostgreSQL's gets the rule; MySQL's has no WHERE, and is refused."""
    ours = postgresql.insert(m.Book.__table__).values(id=3, title="x", author_id=1)
    ours = ours.on_conflict_do_update(index_elements=["id"], set_={"title": "y"})
    assert " WHERE ((book.author_id = " in sql(ours, postgresql).partition("DO UPDATE SET")[2]
    theirs = mysql.insert(m.Book.__table__).values(id=3, title="x", author_id=1)
    with pytest.raises(Refused, match="ON DUPLICATE KEY"):
        sql(theirs.on_duplicate_key_update(title="y"), mysql)


def test_a_schema_becomes_part_of_the_name(sql, m):
    """A derived table has no schema: `app.book.id` would name nothing."""
    from carboy.policy.policies import Policy
    from carboy.policy.rules import owner

    policy = Policy(read=owner("who"), write=owner("who"))
    columns = sa.Column("id", sa.Integer, primary_key=True), sa.Column("who", sa.Integer)
    table = sa.Table("plan", m.Base.metadata, *columns, schema="app", info={"policy": policy})
    m.rulebook.stale = True
    text = sql(select(table.c.id).where(table.c.id > 1), postgresql)
    assert text.startswith("SELECT app_plan.id FROM (SELECT ")
    assert "AS app_plan WHERE app_plan.id > " in text
    assert "FROM app.plan AS plan_1" in text
    update = sql(sa.update(table).values(id=2), postgresql)
    assert update.startswith("UPDATE app.plan SET id=")
    assert "app.plan.who = " in update


def test_for_update_locks_through_the_derived_table(m, sql):
    """The lock and the rule are in one statement."""
    text = sql(select(m.Book.id).with_for_update(), postgresql)
    assert text.endswith("FOR UPDATE")


def test_rules_use_no_boolean_comparison_on_sqlite(m, sql):
    """`(rule) = 1` would lose the index."""
    text = sql(sa.update(m.Book.__table__).values(title="x"), sqlite)
    assert ") = 1" not in text


def template(*parts):
    """Return what `tstring(t"...")` makes on Python 3.14; here there is no syntax for it."""
    found = elements.TString.__new__(elements.TString)
    found.parts = [elements._TStringText(p) if isinstance(p, str) else p for p in parts]
    return found


def test_template_strings_are_text_between_checked_parts(m, sql):
    """A table in braces is filtered; one that is written out is refused."""
    text = sql(template("SELECT id FROM ", m.Book.__table__, " LIMIT 1"), sqlite)
    assert text.startswith("SELECT id FROM (SELECT book_1.id AS id")
    with pytest.raises(Refused, match="names `book`"):
        sql(template("SELECT id FROM book"), sqlite)
