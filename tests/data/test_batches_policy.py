"""What is loaded ahead stands under the policy of whoever asks, as if loaded one by one."""

import os
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from hypothesis import given, settings, strategies as st
from sqlalchemy import ForeignKey, event, orm, select
from sqlalchemy.orm import Mapped, mapped_column, relationship

from carboy.base.scope import Scope, scope, unscoped
from carboy.data.batches import Batching
from carboy.policy.book import Rulebook
from carboy.policy.errors import Refused
from carboy.policy.filters import install
from carboy.policy.policies import Field, Policy
from carboy.policy.rules import everyone, owner, related, role, where
from carboy.policy.session import PolicyMixin

EXAMPLES = int(os.environ.get("CARBOY_BATCH_EXAMPLES", "100"))


def models():
    class Base(orm.DeclarativeBase):
        pass

    class Person(Base):
        __tablename__ = "person"
        id: Mapped[int] = mapped_column(primary_key=True)
        shown: Mapped[bool]
        policy = Policy(read=where(lambda person: person.shown) | role("staff"))

    tagging = sa.Table(
        "tagging",
        Base.metadata,
        sa.Column("book_id", ForeignKey("book.id"), primary_key=True),
        sa.Column("tag_id", ForeignKey("tag.id"), primary_key=True),
    )

    class Book(Base):
        __tablename__ = "book"
        id: Mapped[int] = mapped_column(primary_key=True)
        public: Mapped[bool]
        price: Mapped[int | None]
        author_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
        author: Mapped[Person | None] = relationship()
        notes: Mapped[list["Note"]] = relationship(back_populates="book", order_by="Note.id")
        tags: Mapped[list["Tag"]] = relationship(secondary=tagging, order_by="Tag.id")
        policy = Policy(
            read=owner("author") | where(lambda book: book.public) | role("staff"),
            fields={"price": Field(read=role("staff"))},
        )

    class Note(Base):
        __tablename__ = "note"
        id: Mapped[int] = mapped_column(primary_key=True)
        book_id: Mapped[int | None] = mapped_column(ForeignKey("book.id"))
        loud: Mapped[bool]
        book: Mapped[Book | None] = relationship(back_populates="notes")
        policy = Policy(read=related("book") & where(lambda note: note.loud) | role("staff"))

    class Tag(Base):
        __tablename__ = "tag"
        id: Mapped[int] = mapped_column(primary_key=True)
        policy = Policy(read=everyone)

    return SimpleNamespace(**locals())


@pytest.fixture(scope="module")
def library():
    """The classes, an SQLite with the policy compiled in, and a session class."""
    m = models()
    m.rulebook = Rulebook(m.Base.registry)
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    install(engine, m.rulebook)
    with unscoped("tables"):
        m.Base.metadata.create_all(engine)
    m.Session = type("Session", (PolicyMixin, Batching), {"book": m.rulebook})
    m.engine = engine
    yield m
    engine.dispose()
    m.Base.registry.dispose()


flag = st.booleans()
SIZE = 6
numbers = st.integers(1, SIZE)
DATA = st.fixed_dictionaries(
    {
        "people": st.lists(flag, min_size=SIZE, max_size=SIZE),
        "books": st.lists(st.tuples(flag, st.none() | numbers), min_size=SIZE, max_size=SIZE),
        "notes": st.lists(st.tuples(flag, st.none() | numbers), max_size=2 * SIZE),
        "tags": st.sets(st.tuples(numbers, st.integers(1, 3)), max_size=10),
    }
)
SCOPES = st.sampled_from(
    [Scope(), Scope(1), Scope(2), Scope(3, frozenset({"staff"})), Scope(system=True)]
)


def fill(m, data):
    rows = {
        m.Person: [{"id": n, "shown": shown} for n, shown in enumerate(data["people"], 1)],
        m.Book: [
            {"id": n, "public": public, "price": n, "author_id": author}
            for n, (public, author) in enumerate(data["books"], 1)
        ],
        m.Note: [
            {"id": n, "loud": loud, "book_id": book}
            for n, (loud, book) in enumerate(data["notes"], 1)
        ],
        m.Tag: [{"id": n} for n in (1, 2, 3)],
        m.tagging: [{"book_id": book, "tag_id": tag} for book, tag in data["tags"]],
    }
    with unscoped("fixture"), m.engine.begin() as connection:
        for table in reversed(m.Base.metadata.sorted_tables):
            connection.execute(sa.delete(table))
        for table, values in rows.items():
            if values:
                connection.execute(sa.insert(table), values)


def everything(m, who, batches):
    """Return what *who* sees by relations, and how many statements that took."""
    sent = []

    def count(connection, cursor, statement, *rest):
        sent.append(statement)

    event.listen(m.engine, "before_cursor_execute", count)
    try:
        with entered(who), m.Session(m.engine) as session:
            session.batches = batches
            seen, held = {}, []  # else the weak identity map may forget them
            for model, names in ((m.Book, ("author", "notes", "tags")), (m.Note, ("book",))):
                for row in session.scalars(select(model).order_by(model.id)).all():
                    held.append(row)
                    for name in names:
                        value = getattr(row, name)
                        many = value if isinstance(value, list) else [value]
                        ids = [one and (one.id, getattr(one, "price", None)) for one in many]
                        seen[model.__name__, row.id, name] = ids
    finally:
        event.remove(m.engine, "before_cursor_execute", count)
    return seen, len(sent)


def entered(who):
    return unscoped("test") if who.system else scope(who)


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None)
@given(data=DATA, people=st.lists(SCOPES, min_size=1, max_size=3))
def test_each_sees_by_batches_what_they_see_one_by_one(library, data, people):
    """Hidden rows, hidden fields, hidden ends of pairs; one person after another."""
    fill(library, data)
    for who in people:
        plain, _ = everything(library, who, False)
        batched, statements = everything(library, who, True)
        assert batched == plain
        assert statements <= 2 + 4  # results, and relations


def test_what_waits_is_nobody_elses(library):
    """A session that is held into another scope hands nothing over that it loaded ahead."""
    fill(library, {"people": [True] * 6, "books": [(False, 1)] * 6, "notes": [], "tags": {(2, 1)}})
    with library.Session(library.engine) as session:
        with scope(user=1):
            books = session.scalars(select(library.Book).order_by(library.Book.id)).all()
            assert books[0].tags == []
            with scope(user=2), pytest.raises(Refused):
                session.scalars(select(library.Book)).all()
            with scope(user=2), pytest.raises(Refused):
                _ = books[1].tags
        assert session.waiting is None
