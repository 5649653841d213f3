"""Compiled reads: what they answer, how they are declared, and what they cost in calls."""

import contextlib
import json
import os
import sys
import threading

import flask
import pytest
import sqlalchemy as sa
from sqlalchemy import ForeignKey, bindparam, event
from sqlalchemy.orm import Mapped, mapped_column, relationship
from tests.data.reads_models import fill, models

from carboy.base.errors import RequestFault, SetupError
from carboy.base.scope import NobodyAsking, scope, unscoped
from carboy.data import reading
from carboy.data.clauses import Clause
from carboy.data.faults import DatabaseDown, SchemaBehind
from carboy.data.fields import field
from carboy.data.places import Places
from carboy.data.reading import SHARED, lane_of
from carboy.data.reads import FORMS, MOST_ROWS, seams
from carboy.data.relations import belongs_to, has_many
from carboy.data.session import Sessions
from carboy.policy.binds import asker
from carboy.policy.book import Rulebook
from carboy.policy.plug import Guarding

CALLS = {"list": 29, "one": 30}  # of Python and C functions, for a list of 20 and for one row


@pytest.fixture
def opened(database, base, monkeypatch):
    """Return a function that makes the tables of `base`; reads then use the sessions it gives."""
    made = []

    def start(**more):
        places = Places({"main": database.url}, limits=database.limits, **more)
        with unscoped("test"):
            base.metadata.create_all(places.engine("main"))
        sessions = Sessions(places)
        monkeypatch.setattr(seams, "sessions", lambda: sessions, raising=False)
        made.append(sessions)
        return sessions

    yield start
    for sessions in made:
        sessions.close()
        sessions.places.dispose()


@pytest.fixture
def library(base, opened):
    """Models without policies and their rows."""
    m = models(base)
    m.sessions = opened()
    fill(m.sessions.current(), m)
    m.sessions.close()
    return m


@pytest.fixture
def guarded(base, opened):
    """Models with policies and their rows."""
    m = models(base, policies=True)
    m.book = Rulebook(base.registry)
    m.sessions = opened(guard=Guarding(m.book))
    with unscoped("test"):
        fill(m.sessions.current(), m)
        m.sessions.close()
    return m


@pytest.fixture
def asked():
    """A list that every statement of a read is added to."""
    found = []
    watcher = lambda engine, sql: found.append(sql)  # noqa: E731
    reading.watchers.append(watcher)
    yield found
    reading.watchers.remove(watcher)


def least(name, value):
    """Return the clause that a column is at least *value*."""
    return Clause((name, ">="), lambda c: c[name] >= bindparam("value"), {"value": value})


# Answers


def test_a_list_is_json_in_the_declared_order(library):
    """Names make the tree; what is referred to is an object, what is absent null."""
    books = library.Book.read("id", "person.name", "title", "tags.word", order=("-id",))
    assert json.loads(books.json(limit=2, offset=1)) == [
        {
            "id": 11, "person": {"name": "Bo"}, "title": "Ærlig\n",
            "tags": [{"word": "red"}, {"word": "hush"}],
        },
        {"id": 10, "person": {"name": "hidden"}, "title": 'Quo"te\\', "tags": [{"word": "red"}]},
    ]  # fmt: skip
    assert list(json.loads(books.json(limit=1))[0]) == ["id", "person", "title", "tags"]
    assert books.rows(limit=1)[0].person is None
    assert books.json(least("id", 100)) == b"[]"


def test_rows_are_values_for_templates(library):
    """Attributes, equality, a repr; and a message for what was not read."""
    books = library.Book.read("id", "title", "person.name", "notes.text")
    row = books.one(1)
    assert (row.title, row.person.name, [n.text for n in row.notes]) == ("Emma", "Ada", ["note 5"])
    assert row == books.rows()[0]
    assert repr(row).startswith("BookRow(id=1, title='Emma', person=PersonRow(name='Ada')")
    with pytest.raises(AttributeError, match="was read with id, title, person, notes"):
        _ = row.price


def test_without_names_everything_that_may_be_shown_is_read(library):
    """Fields with api="hidden" stay out."""
    row = library.Country.read().rows()[0]
    assert row.__struct_fields__ == ("id", "code")
    row = library.Country.read("code", "secret", hidden=True).rows()[0]
    assert row.secret == "s"


def test_one_is_404_for_what_cannot_be(library):
    """Absent, of another type, beyond 64 bits: just as little there."""
    books = library.Book.read("id")
    assert books.one_json(3) == b'{"id":3}'
    for key in (99, "3", "x", None, True, 2**63, -(2**70), 3.0, (3,), ()):
        with pytest.raises(RequestFault) as error:
            books.one(key)
        assert (error.value.status, error.value.code) == (404, "data.not_found")
    with pytest.raises(RequestFault):
        books.one(3, least("id", 4))


def test_a_limit_is_a_whole_number_within_bounds(library):
    """It is written into the SQL, so nothing else may get there."""
    books = library.Book.read("id")
    for limit, offset in (
        (0, 0), (-1, 0), (MOST_ROWS + 1, 0), (True, 0), ("5", 0), (1.0, 0), (5, -1), (5, "0"),
        (5, None), (5, 2**40), (None, -1), (None, "1; DROP TABLE books"),
    ):  # fmt: skip
        with pytest.raises(RequestFault) as error:
            books.json(limit=limit, offset=offset)
        assert error.value.code == "data.limit"


def test_the_limit_is_a_literal(library, asked):
    """A bound one would give PostgreSQL a plan that does not know it."""
    library.Book.read("id").rows(limit=7, offset=3)
    assert "7" in asked[-1]
    assert "3" in asked[-1]
    assert len(library.Book.read("id").rows(limit=None, offset=5)) == 7


def test_each_relation_to_many_is_one_statement(library, asked):
    """Whatever the number of rows; relations to one are joined."""
    books = library.Book.read(
        "title", "person.country.code", "tags.word", "notes.text", "person.books.title"
    )
    for limit in (1, 12, None):
        asked.clear()
        books.rows(limit=limit)
        assert len(asked) == 4
    asked.clear()
    books.rows(least("id", 1000))
    assert len(asked) == 1  # nothing to ask relations for


def test_more_keys_than_a_statement_takes(base, opened):
    """They are asked for in several."""

    class Tree(base):
        leaves: Mapped[list["Leaf"]] = relationship()

    class Leaf(base):
        tree_id: Mapped[int] = mapped_column(ForeignKey("trees.id"))

    session = opened().current()
    session.execute(sa.insert(Tree), [{"id": n} for n in range(1, 1201)])
    session.execute(sa.insert(Leaf), [{"tree_id": n} for n in range(1, 1201)])
    session.commit()
    trees = Tree.read("id", "leaves.tree_id").rows(limit=None)
    assert [[leaf.tree_id for leaf in tree.leaves] for tree in trees] == [
        [n] for n in range(1, 1201)
    ]


def test_relations_of_every_kind(base, opened):
    """To itself, with a condition and an order of its own, one to one, two keys, inherited."""
    pairs = sa.Table(
        "friends", base.metadata,
        sa.Column("a", ForeignKey("animals.id"), primary_key=True),
        sa.Column("b", ForeignKey("animals.id"), primary_key=True),
    )  # fmt: skip

    class Animal(base):
        kind: Mapped[str] = field(max_length=9)
        name: Mapped[str] = field(max_length=9)
        mother_id: Mapped[int | None] = mapped_column(ForeignKey("animals.id"))
        mother: Mapped["Animal | None"] = relationship(
            remote_side="Animal.id", back_populates="young"
        )
        young: Mapped[list["Animal"]] = relationship(
            back_populates="mother", order_by="Animal.name.desc()"
        )
        friends: Mapped[list["Animal"]] = relationship(
            secondary=pairs,
            primaryjoin="Animal.id == friends.c.a",
            secondaryjoin="Animal.id == friends.c.b",
        )  # fmt: skip
        cats: Mapped[list["Animal"]] = relationship(
            primaryjoin="and_(foreign(remote(Animal.mother_id)) == Animal.id,"
            " remote(Animal.kind) == 'cat')",
            viewonly=True,
        )  # fmt: skip
        chip: Mapped["Chip | None"] = relationship(back_populates="animal", uselist=False)
        __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "animal"}

    class Cat(Animal):
        __tablename__ = "cats"
        id: Mapped[int] = mapped_column(ForeignKey("animals.id"), primary_key=True)
        lives: Mapped[int]
        __mapper_args__ = {"polymorphic_identity": "cat"}

    class Chip(base):
        maker: Mapped[int] = field(key=True)
        number: Mapped[int] = field(key=True)
        animal_id: Mapped[int] = mapped_column(ForeignKey("animals.id"))
        animal: Mapped[Animal] = relationship(back_populates="chip")
        scans: Mapped[list["Scan"]] = relationship(back_populates="chip")

    class Scan(base):
        maker: Mapped[int | None]
        number: Mapped[int | None]
        chip: Mapped[Chip] = relationship(back_populates="scans")
        __table_args__ = (
            sa.ForeignKeyConstraint(["maker", "number"], ["chips.maker", "chips.number"]),
        )

    session = opened().current()
    old = Animal(name="old")
    b = Animal(name="b", mother=old)
    session.add_all([old, b])
    session.flush()
    row = {"id": 7, "kind": "cat", "name": "a", "mother_id": old.id}
    session.execute(sa.insert(Animal.__table__).values(row))
    session.execute(sa.insert(Cat.__table__).values(id=7, lives=9))
    ends = [(7, b.id), (7, old.id), (b.id, b.id)]
    session.execute(sa.insert(pairs), [{"a": one, "b": other} for one, other in ends])
    session.add(Chip(maker=1, number=2, animal_id=7, scans=[Scan(), Scan()]))
    session.add(Chip(maker=2, number=1, animal_id=b.id, scans=[Scan()]))
    session.commit()

    names = ("name", "mother.name", "young.name", "friends.name", "cats.name", "chip.number")
    assert json.loads(Animal.read(*names, order=("name",)).json()) == [
        {"name": "a", "mother": {"name": "old"}, "young": [], "cats": [], "chip": {"number": 2},
         "friends": [{"name": "old"}, {"name": "b"}]},
        {"name": "b", "mother": {"name": "old"}, "young": [], "cats": [], "chip": {"number": 1},
         "friends": [{"name": "b"}]},
        {"name": "old", "mother": None, "young": [{"name": "b"}, {"name": "a"}],
         "cats": [{"name": "a"}], "chip": None, "friends": []},
    ]  # fmt: skip
    assert json.loads(Cat.read("name", "lives", "mother.young.name").json()) == [
        {"name": "a", "lives": 9, "mother": {"young": [{"name": "b"}, {"name": "a"}]}}
    ]
    chips = Chip.read("maker", "scans.id", "animal.chip.scans.id")
    assert len(chips.one((1, 2)).scans) == 2
    assert [len(c.animal.chip.scans) for c in chips.rows()] == [2, 1]
    for key in (1, (1,), (1, 2, 3), (1, None), ("1", "2"), (1, 1)):
        with pytest.raises(RequestFault):
            chips.one(key)


def test_json_that_msgspec_refuses_is_written_all_the_same(base, opened):
    """Half a surrogate pair, an endless number; what is not a number is null."""

    class Thing(base):
        data: Mapped[dict | None]

    sessions = opened()
    table = Thing.__table__.name
    with sessions.places.engine("main").begin() as connection:
        if connection.dialect.name != "sqlite":
            pytest.skip("the server checks JSON itself")
        for text in (r'{"a":"\ud800"}', '{"a":1%s}' % ("0" * 40), '{"a":NaN}'):
            connection.exec_driver_sql(f"INSERT INTO {table} (data) VALUES (?)", (text,))
    things = Thing.read("data")
    assert things.one_json(1) == rb'{"data":{"a":"\ud800"}}'
    assert json.loads(things.one_json(2)) == {"data": {"a": 10**40}}
    assert json.loads(things.one_json(3)) == {"data": {"a": None}}


def test_newest_is_by_time_else_by_key(base, library, opened):
    """The reading behind it is made once."""
    assert [row.id for row in library.Book.newest(2)] == [12, 11]
    first = vars(library.Book)["__newest__"]
    library.Book.newest(3)
    assert vars(library.Book)["__newest__"] is first


def test_a_response_has_the_bytes(app, library):
    """Of the application's own class."""
    books = library.Book.read("id")
    answer = books.response(limit=2)
    assert (answer.data, answer.mimetype) == (b'[{"id":1},{"id":2}]', "application/json")

    class Other(flask.Response):
        pass

    app.response_class = Other
    app.get("/books/<int:key>")(lambda key: books.one_response(key))
    answer = app.test_client().get("/books/2")
    assert answer.json == {"id": 2}


# Declarations


@pytest.mark.parametrize(("names", "more", "code", "says"), [
    (["titel"], {}, "data.unknown", "Did you mean 'title'"),
    (["person.nam"], {}, "data.unknown", "Did you mean 'name'"),
    (["persn.name"], {}, "data.unknown", "Did you mean 'person'"),
    (["title.x"], {}, "data.unknown", "no relation 'title'"),
    (["person"], {}, "data.path", "as in 'person.id'"),
    (["tags"], {}, "data.path", "as in 'tags.id'"),
    ([""], {}, "data.path", "no name"),
    (["id; DROP TABLE books"], {}, "data.path", "no name"),
    (["person..name"], {}, "data.path", "no name"),
    ([3], {}, "data.path", "no name"),
    (["person.country.secret"], {}, "data.hidden", "hidden=True"),
    ([".".join(["person", "books"] * 4) + ".id"], {}, "data.path", "follows 8 relations"),
    (["id"] * 301, {}, "data.path", "301 names"),
    (["id"], {"order": "title"}, "data.order", "order=('title',)"),
    (["id"], {"order": ("tags.word",)}, "data.order", "many rows"),
    (["id"], {"order": ("nope",)}, "data.unknown", "no field 'nope'"),
    (["__class__"], {}, "data.unknown", "no field"),
    (["metadata"], {}, "data.unknown", "no field"),
])  # fmt: skip
def test_what_cannot_be_read_is_said_at_the_declaration(base, names, more, code, says):
    """With the names that are known, and the nearest."""
    m = models(base)
    with pytest.raises(SetupError) as error:
        m.Book.read(*names, **more)
    assert error.value.code == code
    assert says in str(error.value)


def test_a_class_may_come_later(base, opened):
    """A path into it is checked when it is there: at the first read."""

    class Shelf(base):
        room_id: Mapped[int | None] = mapped_column(ForeignKey("rooms.id"))
        room: Mapped["Room | None"] = relationship()

    good, bad = Shelf.read("id", "room.name"), Shelf.read("room.nam")

    class Room(base):
        name: Mapped[str] = field(max_length=9)

    opened()
    assert good.rows() == []
    with pytest.raises(SetupError, match="Room has no field 'nam'"):
        bad.rows()


def test_a_clause_has_values_for_its_binds(library):
    """Else it is a mistake of whoever wrote it."""
    books = library.Book.read("id")
    for clause in (
        Clause("none", lambda c: c["id"] == bindparam("x")),
        Clause("list", lambda c: c["id"].in_(bindparam("x", expanding=True)), {"x": [1]}),
    ):
        with pytest.raises(SetupError) as error:
            books.rows(clause)
        assert error.value.code == "data.clause"


def test_clauses_of_one_form_keep_their_own_values(library, asked):
    """Names of binds are per position; a form is compiled once."""
    books = library.Book.read("id")
    assert [row.id for row in books.rows(least("id", 11), least("pages", -(2**62)))] == [11]
    assert [row.id for row in books.rows(least("id", 3), least("id", 10))] == [10, 11, 12]
    assert [row.id for row in books.rows(least("id", 12), least("id", 1))] == [12]
    assert asked[-1] is asked[-2]


def test_a_clause_may_reach_rows_referred_to(library):
    """They are joined for it, also when nothing of them is read."""
    books = library.Book.read("id")
    names = Clause("of", lambda c: c["person.name"] == bindparam("name"), {"name": "Ada"})
    assert [row.id for row in books.rows(names)] == [1, 5, 9]
    with pytest.raises(SetupError, match="no relation 'persn'"):
        books.rows(Clause("x", lambda c: c["persn.name"] == 1))


def test_forms_are_bounded(library, monkeypatch):
    """A client that varies them endlessly costs compilations, not memory."""
    monkeypatch.setattr("carboy.data.reads.FORMS", 5)
    books = library.Book.read("id")
    for number in range(20):
        books.rows(Clause(number, lambda c: c["id"] > bindparam("x"), {"x": 0}), limit=1)
    kept = books._keep(lane_of(library.sessions.places.engine("main")))
    assert len(kept.plans) <= 5 < FORMS


BAD_VALUES = (
    ("id", 2**70), ("price", 1.5), ("title", "a\0b"), ("title", "\ud800"), ("seen", "yesterday"),
    ("serial", "x"), ("mood", "nope"),
)  # fmt: skip


def test_values_that_no_database_takes(library):
    """They end as the session's statement does, and both go on."""
    session, books = library.sessions.current(), library.Book.read("id")
    for name, value in BAD_VALUES:
        asked = sa.select(library.Book.id).where(getattr(library.Book, name) >= value)
        found = outcome(lambda n=name, v=value: [row.id for row in books.rows(least(n, v))])
        ordered = asked.order_by(library.Book.id)
        assert found == outcome(lambda s=ordered: list(session.scalars(s))), (name, value)
        session.rollback()
        assert len(books.rows()) == 12


def outcome(function):
    """Return what *function* returns, or the kind of its error."""
    try:
        return function()
    except Exception as error:
        return type(error), getattr(error, "code", None)


# Policy


def test_what_may_not_be_seen_is_not_in_the_answer(guarded):
    """Rows are absent, rows referred to are null, fields are null."""
    books = guarded.Book.read("id", "price", "person.name", "tags.word", order=("id",))
    with scope(user=1):
        own = {row["id"]: row for row in json.loads(books.json())}
        with pytest.raises(RequestFault):
            books.one(11)
        assert books.one(1).price is not None
    with scope(user=77):
        rows = {row.id: row for row in books.rows()}
        assert 1 not in rows
        assert all(row.price is None for row in rows.values())
        assert rows[2].person is None
        assert {tag.word for row in rows.values() for tag in row.tags} == {"red", "blå"}
    with unscoped("test"):
        assert len(books.rows()) == 12
    assert {1, 5, 9} <= set(own)


def test_nobody_asking_reads_nothing(guarded):
    """As everywhere; also after others have asked."""
    books = guarded.Book.read("id")
    for _ in range(2):
        with pytest.raises(NobodyAsking):
            books.rows()
        with scope(user=1):
            books.rows()


def test_a_plan_serves_nobody_else(guarded):
    """Scopes of one shape share the SQL and differ in the binds; other shapes have their own."""
    books = guarded.Book.read("id", "price", order=("id",))
    seen = {}
    for _ in range(3):
        for name, who in {
            "1": {"user": 1},
            "3": {"user": 3},
            "staff": {"roles": {"staff"}},
            "no": {},
        }.items():
            with scope(**who):
                found = [(row.id, row.price) for row in books.rows()]
                assert seen.setdefault(name, found) == found
    assert len({str(found) for found in seen.values()}) == 4
    kept = books._keep(lane_of(guarded.sessions.places.engine("main")))
    assert len(kept.plans) == 3


def test_compiled_for_another_shape_is_refused(guarded, monkeypatch):
    """Should the two ever disagree, the read fails rather than answers."""
    monkeypatch.setattr(seams, "shape", staticmethod(lambda engine: None))
    with scope(user=1), pytest.raises(SetupError) as error:
        guarded.Book.read("id").rows()
    assert error.value.code == "data.shape"


def test_a_clause_cannot_say_who_asks(guarded):
    """The policy's binds are not reached by name."""
    books = guarded.Book.read("id", order=("id",))
    with scope(user=77):
        expected = [row.id for row in books.rows()]
        names = ("carboy_user", "carboy_user_biginteger", "carboy_user_integer")
        sly = Clause("sly", lambda c: sa.true(), dict.fromkeys(names, 1))
        assert [row.id for row in books.rows(sly)] == expected


def test_a_model_added_later_compiles_anew(guarded, base):
    """The rulebook's version is in the shape."""
    books = guarded.Book.read("id")
    with scope(user=1):
        before = books.rows()

        class Late(base):
            pass

        assert books.rows() == before


# Connections


def test_one_sees_what_one_wrote(library):
    """Changes that are not committed, and those that were; undone ones are gone."""
    books, session = library.Book.read("title"), library.sessions.current()
    session.get(library.Book, 1).title = "new"
    assert books.one(1).title == "new"
    session.rollback()
    assert books.one(1).title == "Emma"
    session.get(library.Book, 1).title = "kept"
    session.commit()
    assert books.one(1).title == "kept"
    session.execute(sa.update(library.Book).values(title="all"))
    assert books.one(2).title == "all"
    session.rollback()
    assert books.one(2).title != "all"


def test_in_a_transaction_its_connection_is_used(library, monkeypatch):
    """Also before anything is written: what is read there is read together."""
    session = library.sessions.current()
    session.depth = 1
    books = library.Book.read("id")
    taken = []
    monkeypatch.setattr(
        session,
        "connection",
        lambda **kw: taken.append(1) or type(session).connection(session, **kw),
    )
    books.rows()
    assert taken


def test_reads_go_to_the_replica_until_something_is_written(
    library, base, database, tmp_path, monkeypatch
):
    """As those of a session do."""
    if database.engine.dialect.name != "sqlite":
        pytest.skip("one kind of database tells")
    places = Places({"main": database.url}, replicas={"main": f"sqlite:///{tmp_path}/copy.db"})
    base.metadata.create_all(places.reader("main"))
    sessions = Sessions(places, replica=True)
    monkeypatch.setattr(seams, "sessions", lambda: sessions)
    tags = library.Tag.read("word")
    assert tags.rows() == []
    sessions.current().add(library.Tag(word="more"))
    sessions.current().commit()
    assert len(tags.rows()) == 4
    sessions.close()
    places.dispose()


def test_a_database_in_memory_is_read_on_the_session(base, monkeypatch):
    """It has one connection."""
    m = models(base)
    places = Places({"main": "sqlite://"})
    sessions = Sessions(places)
    base.metadata.create_all(places.engine("main"))
    monkeypatch.setattr(seams, "sessions", lambda: sessions, raising=False)
    sessions.current().add(m.Tag(word="only"))
    sessions.current().flush()
    assert [tag.word for tag in m.Tag.read("word").rows()] == ["only"]
    assert lane_of(places.engine("main")).shared
    sessions.current().rollback()
    assert m.Tag.read("word").rows() == []
    sessions.close()
    places.dispose()


def test_an_engine_may_keep_reads_on_sessions(library):
    """For a test that runs everything in one transaction."""
    engine = library.sessions.places.engine("main")
    engine.update_execution_options(**{SHARED: True})
    library.Book.read("id").rows()
    assert not lane_of(engine)._idle
    library.sessions.close()


def test_a_failed_read_leaves_everything_usable(library, base):
    """Its error is the engine's; the connection goes on."""

    class Missing(base):
        pass

    with pytest.raises(SchemaBehind):
        Missing.read("id").rows()
    assert len(library.Book.read("id").rows()) == 12
    session = library.sessions.current()
    session.depth = 1
    with pytest.raises(SchemaBehind):
        Missing.read("id").rows()
    session.rollback()


LOSE = {
    "postgresql": ("SELECT pg_backend_pid()", "SELECT pg_terminate_backend({})"),
    "mariadb": ("SELECT connection_id()", "KILL CONNECTION {}"),
}


def test_a_lost_connection_is_replaced(library, database):
    """What was lost while idle is no error; one that is lost again and again is."""
    engine = library.sessions.places.engine("main")
    if engine.dialect.name not in LOSE:
        pytest.skip("a file does not hang up")
    lane, books = lane_of(engine), library.Book.read("id")
    which, end = LOSE[engine.dialect.name]

    def lose():
        ((number,),) = lane.run(which, None)
        other = database.another(isolation_level="AUTOCOMMIT")
        with other.connect() as connection:
            connection.exec_driver_sql(end.format(number))
        other.dispose()

    books.rows()
    lose()
    assert len(books.rows()) == 12
    lose()
    for lease in lane._idle:
        lease.used = False  # as if it was lost while it was used
    with pytest.raises(DatabaseDown) as error:
        books.rows()
    assert error.value.code == "data.gone"
    assert len(books.rows()) == 12


def test_statements_stay_prepared(library):
    """On one connection, whatever sessions do meanwhile; with a plan that knows the limit."""
    engine = library.sessions.places.engine("main")
    if engine.dialect.name != "postgresql":
        pytest.skip("PostgreSQL tells what is prepared")
    lane, books = lane_of(engine), library.Book.read("id", "title")
    told = (
        "SELECT pg_backend_pid(), statement, generic_plans + custom_plans"
        " FROM pg_prepared_statements WHERE statement LIKE 'SELECT books.%%'"
    )
    counts = []
    for _ in range(3):
        books.rows(limit=3)
        session = library.sessions.current()
        session.scalars(sa.select(library.Book)).all()
        session.rollback()  # which makes psycopg forget what that connection has prepared
        counts.append(lane.run(told, None))
    assert len(counts[0]) == 1
    ((process, sql, _),) = counts[0]
    assert counts == [[(process, sql, number)] for number in (1, 2, 3)]
    assert "LIMIT 3" in sql


def test_a_database_that_does_not_answer_is_down(base, tmp_path, monkeypatch):
    """503, as for a session."""

    class Thing(base):
        pass

    (tmp_path / "folder").mkdir()
    places = Places({"main": f"sqlite:///{tmp_path}/folder"})
    monkeypatch.setattr(seams, "sessions", lambda: Sessions(places), raising=False)
    for _ in range(2):
        with pytest.raises(DatabaseDown) as error:
            Thing.read("id").rows()
        assert error.value.code == "data.gone"
    places.dispose()


def test_all_connections_busy_is_down_and_a_freed_one_is_taken(library, database):
    """Those that wait for the pool get what others give back."""
    lane = lane_of(library.sessions.places.engine("main"))
    leases = [lane._fresh() for _ in range(database.limits.pool)]
    with pytest.raises(DatabaseDown) as error:
        lane._fresh()
    assert error.value.code == "data.pool"
    done = []
    thread = threading.Thread(target=lambda: done.append(lane._fresh()))
    thread.start()
    while not lane._waiting:
        pass
    for lease in leases:
        lane._give(lease)
    thread.join(5)
    assert done
    lane._give(done[0])
    assert not lane._waiting


def test_threads_share_a_reading(library):
    """Each with a connection of its own while it reads."""
    books = library.Book.read("id", "tags.word", "person.name")
    expected, found = books.json(), []
    threads = [
        threading.Thread(target=lambda: found.extend(books.json() for _ in range(20)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 60


def test_disposing_of_the_engine_closes_connections(library):
    """And the next read opens one."""
    engine = library.sessions.places.engine("main")
    books = library.Book.read("id")
    books.rows()
    closed = []
    event.listen(lane_of(engine)._pool, "close", lambda *_: closed.append(1))
    engine.dispose()
    assert closed
    assert len(books.rows()) == 12


def test_a_forked_process_has_connections_of_its_own(library):
    """The parent's stay open, and the parent's."""
    books = library.Book.read("id")
    expected = books.json()
    lane = lane_of(library.sessions.places.engine("main"))
    (lease,) = lane._idle
    child = os.fork()
    if not child:
        right = False
        with contextlib.suppress(BaseException):
            right = lease not in lane._idle and books.json() == expected and lease not in lane._idle
        os._exit(0 if right else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert lane._idle == [lease]
    assert books.json() == expected


def test_who_asks_may_be_in_a_condition(library):
    """Also where no policy stands before the rows."""
    books = library.Book.read("id", where=library.Book.person_id == asker.user)
    for user, ids in ((1, [1, 5, 9]), (3, [3, 7, 11]), (None, [])):
        with scope(user=user):
            assert [row.id for row in books.rows()] == ids
    with pytest.raises(NobodyAsking):
        books.rows()


# Cost


@pytest.mark.parametrize("what", CALLS)
def test_a_read_is_a_few_dozen_calls(base, opened, database, monkeypatch, what):
    """Counted, not timed; a hand-written one of the driver is a dozen and more."""
    if database.engine.dialect.name != "sqlite":
        pytest.skip("drivers in Python have calls of their own")

    monkeypatch.setattr(reading, "watchers", [])  # others' are counted there

    class Plain(base):
        title: Mapped[str] = field(max_length=9)
        size: Mapped[int]
        wide: Mapped[bool]

    session = opened().current()
    session.add_all([Plain(title=f"t{n}", size=n, wide=n % 2 == 0) for n in range(30)])
    session.commit()
    seams.sessions().close()
    rows = Plain.read("id", "title", "size", "wide", order=("-size",))
    ask = (lambda: rows.json(limit=20)) if what == "list" else (lambda: rows.one_json(3))
    ask()
    assert calls(ask) <= CALLS[what]  # later Pythons count one less


def calls(function):
    """Return how many functions a call of *function* calls."""
    count = 0

    def profile(frame, event, arg):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


def test_a_repr_says_what_is_read(base):
    """For a shell and a log."""
    assert repr(models(base).Tag.read("id", "books.title")) == "<Tag.read('id', 'books.title')>"


def test_a_wrong_name_is_told_with_the_line_of_its_declaration(base):
    """At once, and where another class had to be there first: no traceback leads to it then."""
    line = sys._getframe().f_lineno

    class Writer(base):
        works: Mapped[list["Work"]] = has_many()

    late = Writer.read("id", "works.titel")

    class Work(base):
        title: Mapped[str] = field(max_length=9)
        writer: Mapped[Writer] = belongs_to()

    with pytest.raises(SetupError) as at_once:
        Work.read("titel")
    with pytest.raises(SetupError) as later:
        _ = late.order
    for error, more in ((later, 5), (at_once, 12)):
        assert error.value.code == "data.unknown"
        assert f"test_reads.py:{line + more}" in str(error.value)
