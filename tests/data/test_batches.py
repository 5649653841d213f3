"""A lazy relation is loaded for all rows of a result, and nobody can tell but by counting."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import orm, select
from sqlalchemy.orm import Mapped, raiseload, relationship, selectinload

from carboy.data import lazy
from carboy.data.batches import MOST, Batching, Loader

sys.path.insert(0, str(Path(__file__).resolve().parent))
from lazy_tree import RELATIONS, K, counted, fill, models, seen


@pytest.fixture(scope="module")
def m():
    found = models()
    yield found
    found.Base.registry.dispose()


@pytest.fixture
def engine(m):
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    fill(engine, m)
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine):
    with Batching(engine) as session:
        yield session


def everything(session, node, names=RELATIONS):
    rows = session.scalars(select(node).order_by(node.id)).all()
    return {(row.id, name): seen(getattr(row, name)) for row in rows for name in names}


def test_values_are_those_of_loading_one_by_one(engine, m):
    """Many-to-one, one-to-many, one-to-one, many-to-many, to itself, by two columns."""
    with orm.Session(engine) as plain, Batching(engine) as batching:
        assert everything(batching, m.Node) == everything(plain, m.Node)


def test_on_each_database(database, m):
    """Keys of two columns, orders, pairs: the same values, with fewer statements."""
    fill(database.engine, m)
    with orm.Session(database.engine) as plain, Batching(database.engine) as batching:
        with counted(plain) as many:
            expected = everything(plain, m.Node, RELATIONS[:-1])
        with counted(batching) as few:
            assert everything(batching, m.Node, RELATIONS[:-1]) == expected
    assert (len(few), len(many) > 40) == (5, True)
    m.Base.metadata.drop_all(database.engine)


@pytest.mark.parametrize("name", ["parent", "children", "group", "tags", "mark"])
def test_one_statement_per_relation(session, m, name):
    """Not one per row."""
    with counted(session) as statements:
        everything(session, m.Node, [name])
    # Parents are nodes of the same result: the identity map has them already.
    assert len(statements) == (1 if name == "parent" else 2), "\n".join(statements)


def test_the_relations_of_what_was_loaded_ahead_are_batched_too(session, m):
    """Three levels, one statement each."""
    rows = session.scalars(select(m.Group)).all()
    with counted(session) as statements:
        for group in rows:
            for node in group.nodes:
                _ = node.tags
    assert len(statements) == 2


def test_only_rows_of_the_same_result_are_loaded_for(session, m):
    """Another query's rows are not touched."""
    first = session.scalars(select(m.Node).where(m.Node.id < 4)).all()
    other = session.scalars(select(m.Node).where(m.Node.id > 9)).all()
    _ = [node.tags for node in first]
    with counted(session) as statements:
        _ = [node.tags for node in other]
    assert len(statements) == 1
    assert statements[0].count("?") == len(other)


def test_what_is_there_is_not_loaded_again(session, m):
    """Neither loaded attributes nor rows of the identity map."""
    groups = session.scalars(select(m.Group).where(m.Group.a == 0)).all()
    rows = session.scalars(select(m.Node)).all()
    with counted(session) as statements:
        _ = [node.group for node in rows]
    assert len(groups) == 2
    assert statements[0].count("?") == 4  # two groups by two columns


def test_a_statement_has_at_most_so_many_keys(engine, m):
    """The rest comes with the next one."""
    with engine.begin() as connection:
        connection.execute(
            sa.insert(m.Node), [{"id": n, "weight": 0} for n in range(100, 100 + 2 * MOST)]
        )
    with Batching(engine) as session:
        with counted(session) as statements:
            rows = session.scalars(select(m.Node).where(m.Node.id >= 100)).all()
            _ = [row.tags for row in rows]
        assert [statement.count("?") for statement in statements] == [1, MOST, MOST]


def test_a_key_that_is_changed_loads_what_it_names_now(session, m):
    """Values wait by key, not by row."""
    nodes = session.scalars(select(m.Node).where(m.Node.id.in_([1, 2, 4, 5]))).all()
    _ = nodes[0].group
    nodes[1].ga, nodes[1].gb = 1, "y"
    assert seen(nodes[1].group) == (1, "y")


def test_what_is_written_meanwhile_is_seen(session, m):
    """By the unit of work and by statements; also what was not flushed yet."""
    tree = session.scalars(select(m.Node).where(m.Node.id < 7).order_by(m.Node.id)).all()
    assert seen(tree[0].children) == [(2,), (3,)]
    session.add(m.Node(id=50, parent_id=2, weight=9))
    assert (50,) in seen(tree[1].children)
    session.execute(sa.update(m.Node).where(m.Node.id == 7).values(parent_id=None))
    session.expire_all()
    assert (7,) not in seen(tree[2].children)


def test_a_statement_past_the_unit_of_work_is_seen():
    """DataSession counts them; an expired cache is not asked."""
    from carboy.data.places import Places
    from carboy.data.session import session_class

    m = models()
    places = Places({"main": "sqlite://"})
    fill(places.engine("main"), m)
    with session_class()(places) as session:
        tree = session.scalars(select(m.Node).order_by(m.Node.id)).all()
        _ = tree[0].children
        session.execute(sa.delete(m.tagging))
        _ = tree[0].tags
        session.execute(sa.insert(m.tagging), [{"node_id": 2, "tag_id": 3}])
        assert seen(tree[1].tags) == [(3,)]
    places.dispose()
    m.Base.registry.dispose()


def test_writing_other_tables_spoils_nothing(session, m):
    """A loop that writes its rows still loads once."""
    rows = session.scalars(select(m.Node)).all()
    with counted(session) as statements:
        for row in rows:
            row.weight += len(row.tags) + 10
    reads = [one for one in statements if one.startswith("SELECT")]
    assert len(reads) == 1
    session.rollback()


def test_no_key_is_loaded_ahead_twice(session, m):
    """Where writes spoil what waits, the work is that of loading one by one."""
    rows = session.scalars(select(m.Node).order_by(m.Node.id)).all()
    with counted(session) as statements:
        for row in rows:
            row.children.append(m.Node(weight=1))
    reads = [one for one in statements if one.startswith("SELECT")]
    assert sum(one.count("IN (") for one in reads) == 1
    session.rollback()


def test_a_savepoint_that_is_undone_takes_what_was_loaded_in_it(session, m):
    """What waits may hold rows that were never there."""
    rows = session.scalars(select(m.Node).order_by(m.Node.id)).all()
    with session.begin_nested() as savepoint:
        session.add(m.Mark(id=9, node_id=2))
        session.flush()
        _ = rows[0].mark
        savepoint.rollback()
    assert rows[1].mark is None


@pytest.mark.parametrize("verb", ["expire", "expire_all", "refresh", "commit", "expunge"])
def test_nothing_waits_beyond(engine, session, m, verb):
    """Each of these asks the database again."""
    rows = session.scalars(select(m.Node).order_by(m.Node.id)).all()
    _ = rows[0].tags
    session.connection().execute(sa.delete(m.tagging))
    if verb in ("expire", "refresh"):
        getattr(session, verb)(rows[1])
    elif verb == "expunge":
        session.expunge(rows[5])
    else:
        getattr(session, verb)()
    assert rows[1].tags == []


def test_options_of_the_query_hold(session, m):
    """Those for the relation's own rows too; raiseload raises."""
    query = select(m.Group).options(orm.defaultload(m.Group.nodes).selectinload(m.Node.tags))
    rows = session.scalars(query).all()
    with counted(session) as statements:
        _ = [node.tags for row in rows for node in row.nodes]
    assert len(statements) == 2
    session.expunge_all()
    strict = session.scalars(select(m.Group).options(raiseload(m.Group.nodes))).all()
    with pytest.raises(sa.exc.InvalidRequestError, match="raise"):
        _ = strict[0].nodes


def test_criteria_of_the_query_hold(session, m):
    """with_loader_criteria restricts what is loaded ahead as it does elsewhere."""
    only = orm.with_loader_criteria(m.Node, m.Node.weight > 1)
    rows = session.scalars(select(m.Group).options(only)).all()
    assert all(node.weight > 1 for row in rows for node in row.nodes)


def test_eager_relations_cost_what_they_cost(session, m):
    """Nothing is lazy, nothing of ours runs."""
    called = []
    plain = Loader.__call__
    Loader.__call__ = lambda self, *rest: called.append(self) or plain(self, *rest)
    try:
        rows = session.scalars(select(m.Node).options(selectinload(m.Node.tags))).all()
        _ = [row.tags for row in rows]
    finally:
        Loader.__call__ = plain
    assert called == []
    assert session.waiting is None


def test_a_long_export_keeps_little(engine, m, monkeypatch):
    """What was loaded ahead long ago is let go of."""
    monkeypatch.setattr("carboy.data.batches.KEPT", 6)
    monkeypatch.setattr("carboy.data.batches.MOST", 2)
    with Batching(engine) as session:
        rows = session.scalars(select(m.Node).order_by(m.Node.id)).all()
        assert [seen(row.tags) for row in rows][1] == [(1,), (2,)]
        (asked,) = session.waiting.asked.values()
        assert len(asked) <= 8


def calls(work):
    """Return how many functions *work* calls, of Python and of C."""
    count = 0

    def note(frame, what, argument):
        nonlocal count
        count += what in ("call", "c_call")

    work()  # what is kept from the first time is there
    gc.collect()
    gc.disable()  # it would call what cleans up, in one run or in the other
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return count


def test_a_session_that_loads_nothing_lazily_does_the_same_work(engine, m):
    """Queries, keys and eager relations call not one function more."""

    def work(session):
        query = select(m.Node).options(selectinload(m.Node.tags)).order_by(m.Node.id)
        for row in session.scalars(query).all():
            _ = row.tags
        session.get(m.Group, (0, "x"))
        session.scalars(select(m.Node.id)).all()

    with orm.Session(engine) as plain, Batching(engine) as batching:
        assert calls(lambda: work(batching)) == calls(lambda: work(plain))


def test_it_can_be_switched_off(session, m):
    """Where repeats are reported, they happen."""
    session.batches = False
    with counted(session) as statements:
        everything(session, m.Node, ["tags"])
    assert len(statements) == 13


def test_keys_that_are_equal_only_to_the_database_are_loaded_one_by_one(engine):
    """A collation may ignore case; then SQLAlchemy is asked."""

    class Base(orm.DeclarativeBase):
        pass

    class Land(Base):
        __tablename__ = "land"
        code: Mapped[str] = K(sa.String(9, collation="NOCASE"), primary_key=True)

    class Town(Base):
        __tablename__ = "town"
        id: Mapped[int] = K(primary_key=True)
        land_code: Mapped[str] = K(sa.ForeignKey("land.code"))
        land: Mapped[Land] = relationship()

    Base.registry._class_registry.update({"Land": Land})
    Land.__mapper__, Town.__mapper__  # noqa: B018
    Base.metadata.create_all(engine)
    with Batching(engine) as session:
        session.add_all([Land(code="DE"), Land(code="FR")])
        session.flush()
        session.add_all([Town(land_code=code) for code in ("de", "FR", "DE")])
        session.commit()
        session.expunge_all()
        found = session.scalars(select(Town).order_by(Town.id)).all()
        assert [town.land.code for town in found] == ["DE", "FR", "DE"]
    Base.registry.dispose()


def test_every_private_part_is_where_we_look(m):
    """SQLAlchemy's loader of each relation is the one we stand in for."""
    for mapper in m.Base.registry.mappers:
        for one in mapper.relationships:
            found = lazy.attribute(mapper, one)
            assert isinstance(found.callable_, Loader)
            assert found.callable_.plain.__name__ == "_load_for_state"
    assert lazy.relation(m.Node.heavy.property) is None
    assert lazy.relation(m.Node.group.property).by_key
