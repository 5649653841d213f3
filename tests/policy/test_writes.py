"""Writes: what is hidden cannot be touched, moved, referred to, or found out about."""

import pytest
import sqlalchemy as sa
from oracle_databases import lacks
from sqlalchemy import orm
from sqlalchemy.dialects import mysql, postgresql, sqlite

from carboy.base.scope import scope, unscoped
from carboy.policy.book import Rulebook
from carboy.policy.errors import Conflict, NotFound, NotPermitted, Refused
from carboy.policy.filters import install
from carboy.policy.policies import Policy
from carboy.policy.rules import everyone, nobody
from carboy.policy.session import PolicySession

EVERYWHERE = True


def rows(engine, table, **by):
    """Return all rows, hidden ones too."""
    with unscoped("test"), engine.connect() as connection:
        return connection.execute(sa.select(table).filter_by(**by)).all()


def stolen(m, session, key=3):
    """Return a book loaded by the system, put into the session as if it had been seen."""
    with unscoped("test"), orm.Session(session.bind) as other:
        book = other.get(m.Book, key)
        other.expunge(book)
    session.add(book)
    return book


def test_flush_of_a_hidden_row_finds_nothing(m, session, engine):
    """An UPDATE by key that hits no row is NotFound, whether the row exists or not."""
    with scope(user=1):
        stolen(m, session).title = "x"
        with pytest.raises(NotFound, match="no such"):
            session.flush()
    assert rows(engine, m.Book, id=3)[0].title == "his"


def test_flush_delete_of_a_hidden_row_is_not_only_a_warning(m, session, engine):
    """The ORM warns; we look, and take everything back."""
    with scope(user=1):
        session.delete(stolen(m, session))
        with pytest.raises(NotFound):
            session.flush()
    assert rows(engine, m.Book, id=3)


@pytest.mark.parametrize("how", ["flush", "core", "bulk by key", "bulk_update_mappings"])
def test_a_row_cannot_be_moved_out_of_sight(m, session, engine, how):
    """What is set must fulfil the rules too."""
    with scope(user=1):
        if how == "flush":
            session.get(m.Book, 1).author_id = 2
            with pytest.raises(NotFound):
                session.flush()
        elif how == "core":
            stmt = sa.update(m.Book.__table__).values(author_id=2)
            assert session.execute(stmt).rowcount == 0
        else:
            changes = [{"id": 1, "author_id": 2}]
            by_key = sa.update(m.Book)
            with pytest.raises(NotFound):
                (session.execute(by_key, changes) if how == "bulk by key"
                 else session.bulk_update_mappings(m.Book, changes))  # fmt: skip
        session.rollback()
    assert rows(engine, m.Book, id=1)[0].author_id == 1


def test_an_expression_in_set_is_seen_as_what_it_will_be(m, session):
    """`author_id = author_id + 1` moves it to the next person."""
    with scope(user=1):
        stmt = sa.update(m.Book).values(author_id=m.Book.author_id + 1)
        assert session.execute(stmt, execution_options={"synchronize_session": False}).rowcount == 0
        stmt = sa.update(m.Book).values(author_id=m.Book.author_id + 0)
        assert session.execute(stmt, execution_options={"synchronize_session": False}).rowcount == 2


@pytest.mark.parametrize("how", ["flush", "core", "bulk_save_objects", "insert list"])
def test_what_may_not_be_created_is_not(m, session, engine, how):
    """In every way that a row can be inserted."""
    book = {"title": "forged", "author_id": 2, "public": True}
    insert = {
        "flush": lambda: (session.add(m.Book(**book)), session.flush()),
        "core": lambda: session.connection().execute(sa.insert(m.Book.__table__).values(**book)),
        "bulk_save_objects": lambda: session.bulk_save_objects([m.Book(**book)]),
        "insert list": lambda: session.execute(sa.insert(m.Book), [{**book, "author_id": 1}, book]),
    }
    with scope(user=1), pytest.raises(NotPermitted) as error:
        insert[how]()
    assert error.value.code == "policy.create"
    session.rollback()
    assert not rows(engine, m.Book, title="forged")


@pytest.mark.parametrize("how", ["flush", "several", "core"])
def test_what_may_be_created_is(m, session, engine, how):
    """Own books, referring to a person, whom all may read."""
    with scope(user=1):
        if how == "core":
            session.execute(sa.insert(m.Book), [{"title": "new", "author_id": 1, "public": False}])
        else:
            count = 1 if how == "flush" else 3
            session.add_all([m.Book(title="new", author_id=1) for _ in range(count)])
        session.commit()
    assert rows(engine, m.Book, title="new")


PATHS = {
    "get": lambda m, s, key: s.get(m.Book, key),
    "get_one": lambda m, s, key: s.get_one(m.Book, key),
    "select": lambda m, s, key: s.scalars(sa.select(m.Book).where(m.Book.id == key)).one(),
    "update": lambda m, s, key: s.execute(
        sa.update(m.Book).where(m.Book.id == key).values(title="x")).rowcount,
    "delete": lambda m, s, key: s.execute(sa.delete(m.Book).where(m.Book.id == key)).rowcount,
    "update by key": lambda m, s, key: s.execute(
        sa.update(m.Book), [{"id": key, "title": "x"}]),
    "bulk update": lambda m, s, key: s.bulk_update_mappings(m.Book, [{"id": key, "title": "x"}]),
    "flush update": lambda m, s, key: flushed(m, s, key, title="x"),
    "flush delete": lambda m, s, key: flushed(m, s, key),
    "refresh": lambda m, s, key: s.refresh(held(m, s, key)),
    "reference": lambda m, s, key: (s.add(m.Note(id=50, text="x", book_id=key)), s.flush()),
    "move": lambda m, s, key: (setattr(s.get(m.Note, 1), "book_id", key), s.flush()),
    "lazy": lambda m, s, key: setattr(s.get(m.Note, 1), "book_id", key) or s.get(m.Note, 1).book,
}  # fmt: skip


def held(m, session, key):
    """Put an object for a row into the session, as if it had been seen."""
    book = m.Book(id=key, title="his", price=30, public=False, author_id=2)
    orm.make_transient_to_detached(book)
    session.add(book)
    return book


def flushed(m, session, key, **change):
    """Change or delete such an object."""
    book = held(m, session, key)
    if not change:
        session.delete(book)
    for name, value in change.items():
        setattr(book, name, value)
    session.flush()


def outcome(session, act):
    """Return all that can be told from outside: the value, or the error and its words."""
    try:
        return act()
    except Exception as error:
        return type(error), str(error), getattr(error, "status", None)
    finally:
        session.rollback()
        session.expunge_all()


@pytest.mark.parametrize("path", PATHS)
def test_hidden_is_as_if_it_were_not_there(m, session, engine, path):
    """Not forbidden: word for word the answer for a key that nobody has."""
    with scope(user=1):
        hidden = outcome(session, lambda: PATHS[path](m, session, 3))
        absent = outcome(session, lambda: PATHS[path](m, session, 99))
    assert hidden == absent
    assert hidden[2] in (404, 422, None) if isinstance(hidden, tuple) else hidden in (None, 0)
    assert rows(engine, m.Book, id=3)[0].title == "his"


def test_a_joined_child_is_created_by_the_rule_of_its_parent():
    """Also one that its maker may not read: its key is no reference to something hidden."""
    base = type("Base", (orm.DeclarativeBase,), {})
    key = {"id": sa.Column(sa.Integer, primary_key=True), "kind": sa.Column(sa.String(9))}
    args = {"polymorphic_on": "kind", "polymorphic_identity": "letter"}
    letter = type("Letter", (base,), {
        "__tablename__": "letter", **key, "__mapper_args__": args,
        "policy": Policy(read=nobody, create=everyone)})  # fmt: skip
    child = sa.Column(sa.ForeignKey("letter.id"), primary_key=True)
    sealed = type("Sealed", (letter,), {
        "__tablename__": "sealed", "id": child,
        "__mapper_args__": {"polymorphic_identity": "sealed"}})  # fmt: skip
    book = Rulebook(base.registry)
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    install(engine, book)
    with type("Session", (PolicySession,), {"book": book})(engine) as session:
        with unscoped("test"):
            base.metadata.create_all(engine)
        with scope(user=1):
            session.add(sealed(id=1))
            session.commit()
            assert session.scalars(sa.select(sealed)).all() == []
    assert rows(engine, sealed.__table__)
    engine.dispose()


def test_nobody_may_create_without_a_rule(m, session):
    """No policy, nothing."""
    with scope(user=1, roles={"staff"}):
        session.add(m.Locked(id=7))
        with pytest.raises(NotPermitted):
            session.flush()


def test_a_foreign_key_to_a_hidden_row_is_like_one_to_none(m, session, engine):
    """The same sentence both times on insert; NotFound both times on update."""
    for key in (3, 99):
        with scope(user=1):
            session.add(m.Note(text="x", book_id=key))
            with pytest.raises((Conflict, NotPermitted)) as error:
                session.flush()
            assert error.value.code == "data.reference"
            session.rollback()
        with scope(user=1):
            session.get(m.Note, 1).book_id = key
            with pytest.raises(NotFound):
                session.flush()
            session.rollback()


def test_insert_that_python_cannot_decide_is_refused(m, session):
    """A rule about other rows needs the database: a flush asks it."""
    with scope(user=1), pytest.raises(Refused, match=r"session\.add"):
        session.execute(sa.insert(m.Note), [{"text": "x", "book_id": 1}])


def test_core_update_and_delete_hit_what_may_be_written(m, session, engine):
    """Bulk statements without any condition."""
    with scope(user=1):
        assert session.execute(sa.update(m.Book).values(title="z")).rowcount == 2
        assert session.execute(sa.delete(m.Note.__table__)).rowcount == 2
        session.commit()
    assert {b.title for b in rows(engine, m.Book)} == {"z", "his", "lost"}
    assert {n.id for n in rows(engine, m.Note)} == {3, 4}


def test_update_from_sees_only_visible_rows_of_the_other_table(m, session):
    """A join in an UPDATE is no oracle."""
    linked = sa.and_(m.tagging.c.book_id == m.Book.id, m.tagging.c.tag_id == m.Tag.id)
    stmt = sa.update(m.Book.__table__).values(title="z").where(linked)
    with scope(user=1):
        assert session.execute(stmt.where(m.Tag.name == "secret")).rowcount == 0
        assert session.execute(stmt.where(m.Tag.name == "red")).rowcount == 1


def upsert(engine, m, **sets):
    """Return an upsert on book 3, which is hidden from person 1, as the database writes it."""
    kinds = {"sqlite": sqlite, "postgresql": postgresql, "mariadb": mysql}
    stmt = kinds[engine.dialect.name].insert(m.Book.__table__)
    stmt = stmt.values(id=3, title="x", author_id=1, public=True)
    if engine.dialect.name == "mariadb":
        return stmt.on_duplicate_key_update(**sets)
    return stmt.on_conflict_do_update(index_elements=["id"], set_=sets)


def test_upsert_does_not_hijack_a_hidden_row(m, session, engine):
    """ON CONFLICT DO UPDATE gets the rule as its WHERE; MariaDB's has none, and is refused."""
    with scope(user=1):
        if lacks(engine, "on conflict"):
            with pytest.raises(Refused, match="ON DUPLICATE KEY"):
                session.connection().execute(upsert(engine, m, title="hijacked"))
        else:
            session.connection().execute(upsert(engine, m, title="hijacked"))
        session.commit()
    assert rows(engine, m.Book, id=3)[0].title == "his"


def test_upsert_that_sets_what_a_rule_is_about_is_refused(m, session, engine):
    """It would need the row to know."""
    with scope(user=1), pytest.raises(Refused, match="hidden"):
        session.connection().execute(upsert(engine, m, author_id=1))


def test_replace_is_refused(m, session):
    """It deletes what is hidden."""
    stmt = sa.insert(m.Book.__table__).prefix_with("OR REPLACE").values(id=3, title="x")
    with scope(user=1), pytest.raises(Refused, match="hidden"):
        session.connection().execute(stmt)


def test_merge_on_a_hidden_key_is_the_conflict_of_any_clash(m, session):
    """One message for all clashes; the driver's text names values."""
    with scope(user=1):
        session.merge(m.Book(id=3, title="x", author_id=1, public=False))
        with pytest.raises(Conflict) as error:
            session.flush()
    assert "book" not in str(error.value).lower()
    assert error.value.__cause__ is None


def test_association_rows_need_visible_ends(m, session, engine):
    """A hidden tag cannot be linked, and linking needs a book of one's own."""
    with scope(user=1):
        book = session.get(m.Book, 2)
        book.tags.append(session.get(m.Tag, 1))
        session.commit()
    assert len(rows(engine, m.tagging)) == 4
    with scope(user=1):
        book = session.get(m.Book, 4)
        book.tags.append(session.get(m.Tag, 1))
        with pytest.raises(Conflict):
            session.flush()


def test_a_protected_field_cannot_be_set(m, session, engine):
    """The author may see the price; only staff may set it."""
    with scope(user=1):
        session.get(m.Book, 1).price = 1
        with pytest.raises(NotFound):
            session.flush()
        session.rollback()
        session.add(m.Book(title="new", author_id=1, price=5))
        with pytest.raises(NotPermitted):
            session.flush()
        session.rollback()
        assert session.execute(sa.update(m.Book).values(price=1)).rowcount == 0
    with scope(user=9, roles={"staff"}):
        session.get(m.Book, 1).price = 1
        session.commit()
    assert rows(engine, m.Book, id=1)[0].price == 1


def test_a_listener_that_inserts_during_the_flush_is_refused(m, session):
    """No object stands for that row, so nobody would ask about it."""

    def sneak(session, context, instances):
        session.connection().execute(
            sa.insert(m.Book.__table__).values(title="x", author_id=2, public=False)
        )

    sa.event.listen(session, "before_flush", sneak)
    with scope(user=1):
        session.add(m.Book(title="new", author_id=1))
        with pytest.raises(Refused, match="listener"):
            session.flush()


def test_the_system_writes_everything(m, session, engine):
    """unscoped() is for that."""
    with unscoped("import"):
        session.add(m.Locked(id=7))
        session.get(m.Book, 3).title = "hers"
        session.commit()
    assert rows(engine, m.Locked, id=7)
    assert rows(engine, m.Book, id=3)[0].title == "hers"


def test_a_stale_version_is_told_from_a_hidden_row(tmp_path):
    """Both hit no row; one may be read again, of the other nobody says that it exists."""
    from carboy.policy.book import Rulebook
    from carboy.policy.filters import install
    from carboy.policy.policies import Policy
    from carboy.policy.rules import owner
    from carboy.policy.session import PolicySession

    class Base(orm.DeclarativeBase):
        pass

    class Page(Base):
        __tablename__ = "page"
        id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
        who: orm.Mapped[int]
        text: orm.Mapped[str]
        version: orm.Mapped[int] = orm.mapped_column()
        __mapper_args__ = {"version_id_col": version}
        policy = Policy(read=owner("who"), write=owner("who"))

    class Session(PolicySession):
        book = Rulebook(Base.registry)

    engine = sa.create_engine(f"sqlite:///{tmp_path / 'pages.db'}")
    install(engine, Session.book)
    with unscoped("test"):
        Base.metadata.create_all(engine)
    for change, error in (
        ("UPDATE page SET version = 7", orm.exc.StaleDataError),
        ("UPDATE page SET who = 2", NotFound),
        ("DELETE FROM page", NotFound),
    ):
        with scope(user=1), Session(engine, expire_on_commit=False) as session:
            page = Page(who=1, text="a")
            session.add(page)
            session.commit()
            page.text = "b"
            with unscoped("test"), engine.begin() as connection:
                connection.exec_driver_sql(change)
            with pytest.raises(error):
                session.commit()
        with unscoped("test"), engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM page")
    engine.dispose()
