"""db.bulk: many rows at once, as right as a flush makes them, all or none."""

import datetime as dt
import enum
import re
import subprocess
import sys
import uuid
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st
from sqlalchemy import ForeignKey, event, func, select
from sqlalchemy.orm import Mapped, mapped_column

from carboy.base.errors import SetupError
from carboy.base.scope import NobodyAsking, scope, unscoped
from carboy.data import bulk
from carboy.data.bulk import bulk_insert
from carboy.data.constraints import check
from carboy.data.faults import ConstraintFault
from carboy.data.fields import field, message, providers
from carboy.data.mixins import Timestamps, Versioned
from carboy.data.places import Places
from carboy.data.relations import belongs_to
from carboy.data.rowreader import Reader, Wrong
from carboy.data.session import Sessions
from carboy.data.transactions import transaction
from carboy.data.validity import InvalidRow, broken_rule
from carboy.policy.book import Rulebook
from carboy.policy.errors import Conflict, NotPermitted
from carboy.policy.plug import Guarding
from carboy.policy.policies import Field, Policy
from carboy.policy.rules import everyone, nobody, owner, where


class State(enum.Enum):
    NEW = "new"
    OLD = "old"


@pytest.fixture
def shelf(base):
    class Shelf(base):
        name: Mapped[str] = field(max_length=20, unique=True)

    return Shelf


@pytest.fixture
def book(base, shelf):
    class Book(Timestamps, Versioned, base):
        shelf: Mapped["Shelf"] = belongs_to()  # noqa: F821  # in the fixture
        title: Mapped[str] = field(max_length=20, min_length=2)
        price: Mapped[Decimal] = field(ge=0, default=Decimal("9.50"))
        pages: Mapped[int | None] = field(le=5000)
        state: Mapped[State] = field(default=State.NEW)
        words: Mapped[list] = field(default=list)
        constraints = (check("free", lambda c: (c.price > 0) | (c.pages < 10), "Too long."),)

    return Book


def rows_of(session, model):
    return session.scalars(select(model).order_by(model.id)).all()


def count(session, model):
    return session.scalar(select(func.count()).select_from(model))


def test_rows_are_written_with_defaults_keys_and_versions(session, shelf, book):
    """A relation takes an object or its key; what is left out is filled as at a flush."""
    session = session()
    here, there = shelf(name="here"), shelf(name="there")
    session.add_all([here, there])
    session.flush()
    given = [
        {"shelf": here, "title": "Emma", "pages": 400},
        {"shelf": there.id, "title": "Persuasion", "price": Decimal("1.25"), "state": State.OLD},
        {"shelf_id": here.id, "title": "Überzeugung", "words": ["a"], "price": None},
    ]

    assert bulk_insert(session, book, iter(given), batch=2) == 3

    found = rows_of(session, book)
    assert [(b.shelf.name, b.title, b.pages) for b in found] == [
        ("here", "Emma", 400), ("there", "Persuasion", None), ("here", "Überzeugung", None),
    ]  # fmt: skip
    assert [b.price for b in found] == [Decimal("9.50"), Decimal("1.25"), Decimal("9.50")]
    assert [b.state for b in found] == [State.NEW, State.OLD, State.NEW]
    assert [b.words for b in found] == [[], [], ["a"]]
    assert all(b.version == 1 and b.created_at.tzinfo for b in found)
    found[0].title = "Emma!"  # the version is one that the ORM goes on from
    session.commit()


def test_wrong_rows_are_told_together_and_nothing_is_saved(session, shelf, book):
    """Each with its number and field, in the words of a flush; right ones before them too."""
    session = session()
    here = shelf(name="here")
    session.add(here)
    session.commit()
    right = {"shelf": here, "title": "Emma"}
    given = [
        *[right] * 5,
        {"shelf": here, "title": "E", "pages": 10**400},
        right,
        {"title": "Emma", "price": Decimal("NaN")},
        {"shelf": here, "title": "Emma", "colour": "red"},
        ["no", "row"],
        {"shelf": shelf(name="new"), "title": "a\0b"},
    ]

    with pytest.raises(InvalidRow) as caught:
        bulk_insert(session, book, given, batch=3)

    found = [(*one["loc"], one["type"]) for one in caught.value.errors]
    assert sorted(found) == [
        (5, "pages", "type"), (5, "title", "min_length"),
        (7, "price", "type"), (7, "shelf_id", "required"),
        (8, "colour", "unknown"),
        (9, "type"),
        (10, "shelf_id", "exists"), (10, "title", "type"),
    ]  # fmt: skip
    fields = book.facts().fields
    assert message(fields["title"], "min_length") in {one["msg"] for one in caught.value.errors}
    assert (caught.value.status, caught.value.code) == (422, "data.invalid")
    assert count(session, book) == 0


def test_only_the_first_wrong_rows_are_told(session, shelf):
    """A file of a million wrong rows is neither read to its end nor told in full."""
    session = session()
    rows = iter({"name": "x" * 21} for _ in range(1000))
    with pytest.raises(InvalidRow) as caught:
        bulk_insert(session, shelf, rows, batch=10)
    assert len(caught.value.errors) == bulk.TOLD
    assert sum(1 for _ in rows) > 900


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        pytest.param([{"name": "a"}, {"name": "b"}, {"name": "a"}], "unique", id="twice"),
        pytest.param([{"name": "a"}, {"name": "b"}], "unique", id="there already"),
    ],
)
def test_what_only_the_database_knows_undoes_all(session, shelf, rows, kind):
    """The error is the flush's; the session serves afterwards."""
    session = session()
    session.add(shelf(name="b"))
    session.commit()
    with pytest.raises(ConstraintFault) as caught:
        bulk_insert(session, shelf, rows, batch=1)
    assert caught.value.kind == kind
    assert [one.name for one in rows_of(session, shelf)] == ["b"]


def test_inside_a_transaction_it_is_a_savepoint(session, shelf):
    """What came before stays, and commits with the rest."""
    session = session()
    with transaction(session):
        session.add(shelf(name="before"))
        with pytest.raises(InvalidRow):
            bulk_insert(session, shelf, [{"name": "lost"}, {"name": None}], batch=1)
        assert bulk_insert(session, shelf, [{"name": "kept"}]) == 1
    session.rollback()
    assert [one.name for one in rows_of(session, shelf)] == ["before", "kept"]


def test_no_rows_and_empty_rows(session, shelf, base):
    """Nothing to do is nothing wrong; a row may leave everything to the database."""

    class Tick(base):
        note: Mapped[str | None] = field(max_length=5)

    session = session()
    assert bulk_insert(session, shelf, []) == 0
    assert bulk_insert(session, Tick, [{}, {"note": "a"}, {}, {"id": 77}]) == 4
    assert {one.note for one in rows_of(session, Tick)} == {None, "a"}
    assert session.get(Tick, 77) is not None


def test_defaults_are_asked_for_each_row(session, base, shelf, monkeypatch):
    """Functions, providers, SQL and functions of the context alike."""
    numbers = iter(range(100))
    monkeypatch.setitem(providers, "here", lambda: 1)

    class Item(base):
        number: Mapped[int] = field(default=lambda: next(numbers))
        twice: Mapped[int] = field(default=lambda c: c.get_current_parameters()["number"] * 2)
        sql: Mapped[int] = field(default=select(5).scalar_subquery())
        server: Mapped[int] = field(server_default="6")
        shelf: Mapped["Shelf"] = belongs_to(default="here")  # noqa: F821  # in the fixture

    session = session()
    session.add(shelf(name="a"))
    bulk_insert(session, Item, [{}, {"number": 7, "sql": 8, "server": 9}, {"twice": 1}])
    found = {(i.number, i.twice, i.sql, i.server, i.shelf_id) for i in rows_of(session, Item)}
    assert found == {(0, 0, 5, 6, 1), (7, 14, 8, 9, 1), (1, 1, 5, 6, 1)}


def test_kinds_of_rows_keep_their_kind(session, base):
    """Single-table inheritance sets the discriminator; several tables are refused."""

    class Animal(base):
        kind: Mapped[str] = field(max_length=10)
        __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "animal"}

    class Cat(Animal):
        lives: Mapped[int | None]
        __mapper_args__ = {"polymorphic_identity": "cat"}

    class Dog(Animal):
        __tablename__ = "dogs"
        id: Mapped[int] = mapped_column(ForeignKey("animals.id"), primary_key=True)
        __mapper_args__ = {"polymorphic_identity": "dog"}

    session = session()
    assert bulk_insert(session, Cat, [{"lives": 9}]) + bulk_insert(session, Animal, [{}]) == 2
    assert [(type(one), one.kind) for one in rows_of(session, Animal)] == [
        (Cat, "cat"), (Animal, "animal"),
    ]  # fmt: skip
    with pytest.raises(SetupError) as caught:
        bulk_insert(session, Dog, [{}])
    assert caught.value.code == "data.bulk"


@pytest.mark.parametrize("size", [0, -1])
def test_a_batch_has_rows(session, shelf, size):
    """The size of a batch is the developer's."""
    with pytest.raises(SetupError) as caught:
        bulk_insert(session(), shelf, [], batch=size)
    assert caught.value.code == "data.bulk"


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-(2**64), 2**64), st.floats(),
    st.decimals(), st.text(max_size=8), st.text("\0\ud800\udfffaé", max_size=4), st.binary(),
    st.datetimes(), st.datetimes(timezones=st.just(dt.UTC)), st.dates(), st.times(), st.uuids(),
    st.sampled_from(State), st.lists(st.integers(), max_size=2), st.builds(object),
    st.dictionaries(st.text(max_size=2), st.floats(), max_size=2),
    st.sampled_from([2**63, 2**63 - 1, -(2**63), 10**400, "ab", "abcd", "abcde", 5, 10, 10.0]),
)  # fmt: skip


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(value=VALUES)
@example("a\0b")
@example("\ud800a")
@example(2**63)
@example(-(2**63) - 1)
@example(float("nan"))
@example(float("inf"))
@example(dt.datetime(2026, 5, 1))
@example(dt.time(1, tzinfo=dt.UTC))
@example(True)
def test_the_reader_and_the_rules_agree(shapes, value):
    """What is taken at sight is what `broken_rule` lets pass, for any value in any field."""
    reader, fields = shapes
    for name in set(fields) - {"id"}:
        row = {"text": "abc", "whole": 1, name: value}
        rule = broken_rule(fields[name], value)
        told = [(one["loc"], one["type"]) for one in reader.errors(row)]
        assert told == [([name], rule)] * bool(rule)
        assert _read(reader, row) == (None if rule else _given(row)), name


def _read(reader, row):
    try:
        return _given(reader.read(row)[1])
    except Wrong:
        return None


def _given(row):
    return {key: value for key, value in row.items() if value is not None}


@pytest.fixture
def shapes(base, shelf):
    class Shapes(base):
        text: Mapped[str] = field(max_length=4, min_length=2)
        any_text: Mapped[str | None]
        form: Mapped[str | None] = field(pattern="[a-c]+")
        word: Mapped[str | None] = field(choices=("ab", "cd"))
        whole: Mapped[int] = field(ge=-5, le=10)
        number: Mapped[float | None] = field(le=10)
        exact: Mapped[Decimal | None]
        flag: Mapped[bool | None]
        moment: Mapped[dt.datetime | None]
        day: Mapped[dt.date | None] = field(ge=dt.date(2000, 1, 1))
        clock: Mapped[dt.time | None]
        name: Mapped[uuid.UUID | None]
        raw: Mapped[bytes | None]
        tree: Mapped[dict | None]
        state: Mapped[State | None]
        shelf: Mapped["Shelf | None"] = belongs_to()  # noqa: F821  # in the fixture

    base.registry.configure()
    return Reader(Shapes), dict(Shapes.facts().fields)


@pytest.fixture
def guarded(database, base):
    """Return (models, session): people, whose notes are theirs, under a policy."""

    class Person(base):
        name: Mapped[str] = field(max_length=20)
        policy = Policy(read=owner("id"))

    class Note(base):
        person: Mapped[Person] = belongs_to(default="current_user")
        text: Mapped[str] = field(max_length=20)
        star: Mapped[int] = field(default=0)
        policy = Policy(
            read=owner("person"), create=owner("person"), fields={"star": Field(write=nobody)}
        )

    class Memo(base):
        owner_key: Mapped[int] = field()
        text: Mapped[str] = field(max_length=20)
        policy = Policy(read=everyone, create=owner("owner_key") & where(lambda m: m.text != "no"))

    guard = Guarding(Rulebook(base.registry))
    places = Places({"main": database.url}, limits=database.limits, guard=guard)
    base.metadata.create_all(database.engine)
    sessions = Sessions(places)
    with unscoped("two people"):
        sessions.current().add_all([Person(name="ann"), Person(name="bob")])
        sessions.current().commit()
    yield SimpleNamespace(Note=Note, Memo=Memo), sessions
    sessions.close()
    places.dispose()


def stored(sessions, model):
    with unscoped("count"):
        return count(sessions.current(), model)


def test_a_rule_that_values_decide_is_held_without_asking(guarded):
    """No statement but the INSERT; one forbidden row undoes all."""
    models, sessions = guarded
    with scope(user=1):
        rows = [{"owner_key": 1, "text": "yes"}] * 5
        said = statements(sessions, lambda: bulk_insert(sessions.current(), models.Memo, rows))
        assert [one.split()[0] for one in said] == ["INSERT"]
        for bad in ({"owner_key": 2, "text": "yes"}, {"owner_key": 1, "text": "no"}):
            with pytest.raises(NotPermitted):
                bulk_insert(sessions.current(), models.Memo, [*rows, bad], batch=2)
    assert stored(sessions, models.Memo) == 5


def test_a_rule_that_the_database_decides_is_held_by_the_flush(guarded, monkeypatch):
    """A key that refers to a hidden row is a Conflict, one that is mine is not."""
    models, sessions = guarded
    monkeypatch.setitem(providers, "current_user", lambda: 1)
    with scope(user=1):
        session = sessions.current()
        assert bulk_insert(session, models.Note, [{"text": "a"}, {"text": "b", "person": 1}]) == 2
        assert not session.identity_map.values()
        for row in ({"text": "c", "person": 2}, {"text": "c", "star": 5}):
            with pytest.raises((Conflict, NotPermitted)):
                bulk_insert(session, models.Note, [{"text": "d"}, row])
    assert stored(sessions, models.Note) == 2


def test_outside_of_every_scope_nothing_is_written(guarded):
    """Nobody asks, so nobody may create."""
    models, sessions = guarded
    with pytest.raises(NobodyAsking):
        bulk_insert(sessions.current(), models.Memo, [{"owner_key": 1, "text": "yes"}])
    assert stored(sessions, models.Memo) == 0


def statements(sessions, act):
    """Return the SQL that *act* sends, without savepoints."""
    said = []

    def note(connection, cursor, statement, *rest):
        if not statement.startswith(("SAVEPOINT", "RELEASE")):
            said.append(statement)

    engine = sessions.places.engine("main")
    event.listen(engine, "before_cursor_execute", note)
    try:
        act()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return said


def test_the_page_about_it_runs(tmp_path):
    """docs/how-to/bulk.md, in a process of its own: its models must meet no others."""
    page = (Path(__file__).parents[2] / "docs/how-to/bulk.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    run = [sys.executable, "-W", "error", "-c", example]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
