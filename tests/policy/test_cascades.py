"""Deleting a row that hidden rows hang on: they follow where declared, else nothing goes."""

import pytest
import sqlalchemy as sa
from oracle_databases import KINDS, address, emptied
from sqlalchemy import ForeignKey, orm
from sqlalchemy.orm import Mapped, mapped_column, relationship

from carboy.base import scope as scopes
from carboy.base.scope import scope, unscoped
from carboy.policy.book import Rulebook
from carboy.policy.errors import Conflict, NotFound
from carboy.policy.filters import install
from carboy.policy.policies import Policy
from carboy.policy.rules import everyone, nobody, owner
from carboy.policy.session import PolicySession

pytestmark = pytest.mark.slow

MINE = {"read": owner("who"), "write": owner("who")}


def models(cascade, passive=False, ondelete=None):
    """Return classes: a Page has Lines, a Line has Marks, and Pages have Tags."""

    class Base(orm.DeclarativeBase):
        pass

    tagging = sa.Table(
        "tagging",
        Base.metadata,
        sa.Column("page_id", ForeignKey("page.id"), primary_key=True),
        sa.Column("tag_id", ForeignKey("tag.id"), primary_key=True),
    )

    class Mark(Base):
        __tablename__ = "mark"
        id: Mapped[int] = mapped_column(primary_key=True)
        line_id: Mapped[int | None] = mapped_column(ForeignKey("line.id", ondelete=ondelete))
        who: Mapped[int]
        policy = Policy(**MINE)

    class Line(Base):
        __tablename__ = "line"
        id: Mapped[int] = mapped_column(primary_key=True)
        page_id: Mapped[int | None] = mapped_column(ForeignKey("page.id", ondelete=ondelete))
        who: Mapped[int]
        marks: Mapped[list[Mark]] = relationship(Mark, cascade=cascade, passive_deletes=passive)
        policy = Policy(**MINE)

    class Tag(Base):
        __tablename__ = "tag"
        id: Mapped[int] = mapped_column(primary_key=True)
        who: Mapped[int]
        policy = Policy(**MINE)

    class Page(Base):
        __tablename__ = "page"
        id: Mapped[int] = mapped_column(primary_key=True)
        who: Mapped[int]
        lines: Mapped[list[Line]] = relationship(Line, cascade=cascade, passive_deletes=passive)
        tags: Mapped[list[Tag]] = relationship(Tag, secondary=tagging)
        policy = Policy(read=everyone, write=owner("who"))

    return Base, Page, Line, Mark, Tag, tagging


DECLARED = "save-update, merge, delete"
CASES = {
    "orm": (DECLARED, False, None),
    "database": (DECLARED, True, "CASCADE"),
    "nothing": ("save-update, merge", False, None),
}


@pytest.fixture(params=KINDS)
def opened(request):
    """Return a function that makes the models, the database and a session of them."""
    engines = []

    def open_one(case):
        made = models(*CASES[case])
        book = Rulebook(made[0].registry)
        engines.append(emptied(address(request, request.param)))
        install(engines[-1], book)
        with unscoped("test"):
            made[0].metadata.create_all(engines[-1])
        return type("Session", (PolicySession,), {"book": book})(engines[-1]), *made[1:]

    yield open_one
    for engine in engines:
        engine.dispose()


def filled(opened, case, lines=(1, 2, 2), marks=(1, 2), tags=(1, 2)):
    """Page 1 of person 1 with lines, marks on the second line, and tags, of persons."""
    session, page, line, mark, tag, tagging = found = opened(case)
    with unscoped("test"):
        session.add(page(id=1, who=1))
        session.add_all(tag(id=n, who=who) for n, who in enumerate(tags, 1))
        session.flush()
        session.add_all(line(id=n, page_id=1, who=who) for n, who in enumerate(lines, 1))
        session.flush()
        session.add_all(mark(id=n, line_id=len(lines), who=who) for n, who in enumerate(marks, 1))
        for number in range(1, len(tags) + 1):
            session.execute(sa.insert(tagging).values(page_id=1, tag_id=number))
        session.commit()
    return found


def left(found):
    """Return how many rows are in each table: pages, lines, marks, tags, pairs."""
    session, *classes = found
    with unscoped("test"):
        counts = [session.scalar(sa.select(sa.func.count()).select_from(one)) for one in classes]
        session.rollback()
    return counts


@pytest.fixture
def told(monkeypatch):
    """The reasons of what was done as the system, other than by the test."""
    reasons = []

    def tell(frame):
        if frame.reason != "test":
            reasons.append(frame.reason)

    monkeypatch.setattr(scopes, "listeners", [tell])
    return reasons


def deleted(found, how):
    """Delete page 1 as person 1, with its lines loaded before or not."""
    session, page, *_ = found
    one = session.get(page, 1)
    if how == "loaded":
        assert len(one.lines) == 1
        assert len(one.tags) == 1
    session.delete(one)
    session.commit()


@pytest.mark.parametrize("how", ["loaded", "not loaded"])
@pytest.mark.parametrize("case", ["orm", "database"])
def test_hidden_rows_follow_where_a_cascade_is_declared(opened, told, case, how):
    """Lines and marks of others, by the rule of the page; the log hears of it."""
    found = filled(opened, case)
    with scope(user=1):
        deleted(found, how)
    assert left(found) == [0, 0, 0, 2, 0]
    assert sorted(told) == [
        "cascade: 1 x tagging deleted with Page",
        "cascade: 2 x Line deleted with Page",
    ]


@pytest.mark.parametrize("how", ["loaded", "not loaded"])
def test_rows_of_ones_own_are_no_event(opened, told, how):
    """Nothing was done as the system."""
    found = filled(opened, "orm", (1,), (1,), (1,))
    with scope(user=1):
        deleted(found, how)
    assert left(found) == [0, 0, 0, 1, 0]
    assert told == []


def test_hidden_rows_further_down_follow_too(opened, told):
    """The line is mine, the mark on it is not."""
    found = filled(opened, "orm", (1,), (2,), (1,))
    with scope(user=1):
        deleted(found, "not loaded")
    assert left(found) == [0, 0, 0, 1, 0]
    assert told == ["cascade: 1 x Mark deleted with Line"]


def test_where_nothing_is_declared_nothing_goes(opened, told):
    """The ORM would let my line go and leave the others to the database, or dangling."""
    found = filled(opened, "nothing", tags=(1,))
    statements = []
    sa.event.listen(found[0].bind, "before_cursor_execute", lambda *e: statements.append(e[2]))
    with scope(user=1), pytest.raises(Conflict) as error:
        deleted(found, "not loaded")
    assert error.value.code == "data.in_use"
    assert "line" not in str(error.value).lower()
    assert not [s for s in statements if s.split()[0] in ("INSERT", "UPDATE", "DELETE")]
    found[0].rollback()
    assert left(found) == [1, 3, 2, 1, 1]


def test_nothing_follows_a_row_that_may_not_be_deleted(opened, told):
    """The page is of person 1; person 2 sees it, and one line of it."""
    found = filled(opened, "orm")
    session, page, *_ = found
    with scope(user=2):
        session.delete(session.get(page, 1))
        with pytest.raises(NotFound):
            session.flush()
        session.rollback()
    assert told == []
    assert left(found) == [1, 3, 2, 2, 2]


def test_what_refers_to_a_follower_stops_it(opened):
    """A row that no cascade reaches: everything stays, also what went before."""
    found = filled(opened, "orm")
    session, page, line, *_ = found
    line.marks.property.cascade = orm.relationships.CascadeOptions("save-update, merge")
    with scope(user=1):
        session.delete(session.get(page, 1))
        with pytest.raises(Conflict):
            session.flush()
        session.rollback()
    assert left(found) == [1, 3, 2, 2, 2]


def test_a_tree_goes_with_its_root(opened):
    """A model that refers to itself, and even a row that is its own ancestor."""

    class Base(orm.DeclarativeBase):
        pass

    class Node(Base):
        __tablename__ = "node"
        id: Mapped[int] = mapped_column(primary_key=True)
        above: Mapped[int | None] = mapped_column(ForeignKey("node.id"))
        who: Mapped[int]
        nodes: Mapped[list["Node"]] = relationship(cascade=DECLARED)
        policy = Policy(**MINE)

    engine = sa.create_engine("sqlite://")
    book = Rulebook(Base.registry)
    install(engine, book)
    with type("Session", (PolicySession,), {"book": book})(engine) as session:
        with unscoped("test"):
            Base.metadata.create_all(session.connection())
            above = {1: None, 2: 1, 3: 2, 4: 3, 5: 6, 6: 5}
            session.add_all(Node(id=n, above=up, who=1 + n // 2) for n, up in above.items())
            session.commit()
        with scope(user=1):
            session.delete(session.get(Node, 1))
            session.commit()
        with unscoped("test"):
            assert session.scalars(sa.select(Node.id)).all() == [5, 6]
    engine.dispose()


@pytest.mark.parametrize("circle", [{1: 1}, {1: 2, 2: 1}, {1: 2, 2: 3, 3: 1}], ids=len)
def test_what_goes_with_itself_still_needs_the_rule(circle):
    """A row that refers to itself, or a circle of rows: none of them may let the next go."""

    class Base(orm.DeclarativeBase):
        pass

    class Node(Base):
        __tablename__ = "node"
        id: Mapped[int] = mapped_column(primary_key=True)
        above: Mapped[int | None] = mapped_column(ForeignKey("node.id"))
        who: Mapped[int]
        nodes: Mapped[list["Node"]] = relationship(cascade=DECLARED)
        policy = Policy(read=everyone, write=owner("who"))

    engine = sa.create_engine("sqlite://")
    book = Rulebook(Base.registry)
    install(engine, book)
    with type("Session", (PolicySession,), {"book": book})(engine) as session:
        with unscoped("test"):
            Base.metadata.create_all(session.connection())
            session.execute(sa.insert(Node), [{"id": n, "above": up, "who": 1}
                                              for n, up in circle.items()])  # fmt: skip
            session.commit()
        with scope(user=2):
            session.delete(session.get(Node, 1))
            with pytest.raises((NotFound, sa.exc.CircularDependencyError)):
                session.flush()
            session.rollback()
        with unscoped("test"):
            assert session.scalars(sa.select(Node.id)).all() == list(circle)
    engine.dispose()


def test_a_core_delete_leaves_it_to_the_database(opened):
    """Documented: its ON DELETE decides, whoever owns the rows."""
    for case, stays in (("database", False), ("nothing", True)):
        found = filled(opened, case, tags=())
        session, page, *_ = found
        with scope(user=1):
            if stays:
                with pytest.raises(Conflict):
                    session.execute(sa.delete(page))
                session.rollback()
            else:
                session.execute(sa.delete(page))
                session.commit()
        assert left(found)[:2] == ([1, 3] if stays else [0, 0])


def test_a_rule_nobody_fulfils_does_not_stop_the_declared(opened):
    """Lines that nobody may delete by themselves."""
    found = filled(opened, "orm")
    found[2].policy = Policy(read=everyone, write=nobody)
    found[0].book.stale = True
    with scope(user=1):
        session, page, *_ = found
        one = session.get(page, 1)
        assert len(one.lines) == 3
        session.delete(one)
        session.commit()
    assert left(found)[:3] == [0, 0, 0]
