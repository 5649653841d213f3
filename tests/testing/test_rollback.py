"""What code commits inside of a test is there for all, and gone afterwards."""

import threading

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from carboy.base.errors import SetupError
from carboy.data.engines import Limits, backend_of, engine_for
from carboy.data.faults import ConstraintFault
from carboy.data.places import Places
from carboy.data.reading import lane_of
from carboy.data.session import session_class
from carboy.data.transactions import transaction
from carboy.testing.databases import RolledBack

metadata = sa.MetaData()
item = sa.Table(
    "item",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("name", sa.String(20), unique=True, nullable=False),
)

servers = [pytest.mark.server, pytest.mark.slow]


@pytest.fixture(params=["sqlite", *(pytest.param(n, marks=servers) for n in ("pg", "mariadb"))])
def address(request, tmp_path):
    """The address of a database of each kind, with the table and one row in it."""
    found = f"sqlite:///{tmp_path}/test.db"
    if request.param != "sqlite":
        found = request.getfixturevalue(request.param)
    engine = engine_for(found)
    metadata.drop_all(engine)
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(sa.insert(item), [{"id": 1, "name": "kept"}])
    engine.dispose()
    return found


@pytest.fixture
def places(address):
    made = RolledBack({"main": address}, limits=Limits(pool=4, overflow=0, pool_wait_s=1.0))
    yield made
    made.undo()
    made.dispose()


@pytest.fixture
def engine(places):
    return places.engine("main")


def names(engine):
    with engine.connect() as connection:
        return list(connection.scalars(sa.select(item.c.name).order_by(item.c.id)))


def add(connection, number):
    connection.execute(sa.insert(item), [{"id": number, "name": f"n{number}"}])


def outside(address):
    """Return what a connection of its own sees."""
    places = Places({"main": address})
    try:
        return names(places.engine("main"))
    finally:
        places.dispose()


def test_a_commit_lasts_until_the_end(places, engine, address):
    """Others see it; nobody outside does; then it never was."""
    with engine.begin() as connection:
        add(connection, 2)
    assert names(engine) == ["kept", "n2"]
    if not address.startswith("sqlite"):
        assert outside(address) == ["kept"]
    assert places.undo() == []
    assert names(engine) == ["kept"]
    places.undo()
    assert outside(address) == ["kept"]


def test_a_rollback_undoes_what_was_not_committed(engine):
    """And nothing else."""
    with engine.connect() as connection:
        add(connection, 2)
        connection.commit()
        add(connection, 3)
        connection.rollback()
        add(connection, 4)
        connection.commit()
    assert names(engine) == ["kept", "n2", "n4"]


def test_a_connection_that_is_closed_undoes(engine):
    """As the pool does with what nobody committed."""
    with engine.connect() as connection:
        add(connection, 2)
    assert names(engine) == ["kept"]


def test_savepoints_nest(engine):
    """Inner ones are undone alone, outer ones with what they hold."""
    with engine.connect() as connection:
        add(connection, 2)
        outer = connection.begin_nested()
        add(connection, 3)
        inner = connection.begin_nested()
        add(connection, 4)
        inner.rollback()
        add(connection, 5)
        outer.commit()
        last = connection.begin_nested()
        add(connection, 6)
        last.rollback()
        connection.commit()
    assert names(engine) == ["kept", "n2", "n3", "n5"]


def test_a_failed_statement_fails_for_its_own_transaction(places, engine):
    """Who else is at work does not notice, not on PostgreSQL either."""
    with engine.connect() as one, engine.connect() as other:
        add(other, 2)
        add(one, 3)
        with pytest.raises(ConstraintFault):
            add(one, 3)
        assert other.scalar(sa.select(sa.func.count()).select_from(item)) >= 2
        one.rollback()
        other.commit()
    assert names(engine) == ["kept", "n2"]
    assert places.undo() == []


def test_after_a_failure_the_transaction_must_be_rolled_back_where_it_must(engine):
    """PostgreSQL refuses what follows; the others go on: as without us."""
    aborts = backend_of(engine).name == "postgresql"
    with engine.connect() as connection:
        add(connection, 2)
        with pytest.raises(ConstraintFault):
            add(connection, 2)
        if aborts:
            with pytest.raises(DBAPIError, match="aborted"):
                connection.scalars(sa.select(item.c.name))
        connection.rollback()
        add(connection, 3)
        with pytest.raises(ConstraintFault), connection.begin_nested():
            add(connection, 3)
        add(connection, 4)
        connection.commit()
    assert names(engine) == ["kept", "n3", "n4"]


def test_autocommit_connections_read_and_write(engine):
    """The lane of compiled reads, and work that a rollback elsewhere must not undo."""
    alone = engine.execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as reader, alone.connect() as writer:
        assert reader.scalar(sa.select(sa.func.count()).select_from(item)) == 1
        add(writer, 2)
        writer.commit()  # only our SQLite, which begins by itself at a write, needs it
        reader.rollback()
    assert "n2" in str(lane_of(engine).run("SELECT name FROM item ORDER BY id", ()))
    with pytest.raises(DBAPIError):
        lane_of(engine).run("SELECT nothing FROM item", ())
    assert names(engine) == ["kept", "n2"]


def test_transactions_that_end_in_any_order(places, engine):
    """The first to begin need not be the last to end."""
    with engine.connect() as one, engine.connect() as other:
        add(one, 2)
        add(other, 3)
        one.commit()
        add(other, 4)
        other.rollback()
        add(one, 5)
        add(other, 6)
        one.commit()
        other.commit()
    assert names(engine) == ["kept", "n2", "n5", "n6"]
    assert places.undo() == []


def test_what_only_real_connections_keep_apart_is_told(places, engine):
    """A rollback that takes another's work with it does not go unnoticed."""
    with engine.connect() as one, engine.connect() as other:
        add(one, 2)
        add(other, 3)
        other.commit()
        one.rollback()
    (complaint,) = places.undo()
    assert "[testing.interleaved]" in complaint
    assert __file__.rpartition("/")[2] in complaint


def fail(session, number):
    with transaction(session):
        session.execute(sa.insert(item), [{"id": number, "name": f"n{number}"}])
        raise LookupError


def test_sessions_transactions_and_units_of_work(places, engine):
    """db.transaction(), nested, and one that fails."""
    with session_class()(places) as session:
        with transaction(session):
            session.execute(sa.insert(item), [{"id": 2, "name": "n2"}])
            with pytest.raises(LookupError):
                fail(session, 3)
        with pytest.raises(LookupError):
            fail(session, 4)
        with transaction(session, alone=True):
            session.execute(sa.insert(item), [{"id": 5, "name": "n5"}])
    assert names(engine) == ["kept", "n2", "n5"]


def test_threads_share_it(engine):
    """Each with a connection of its own, one after the other."""
    failures = []

    def work(number):
        try:
            for step in range(5):
                with engine.begin() as connection:
                    add(connection, 10 * number + step)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(names(engine)) == 16


def test_a_result_is_of_its_moment(engine):
    """What another connection does while it is being read does not show in it."""
    with engine.begin() as connection:
        for number in range(2, 50):
            add(connection, number)
    with engine.connect() as reader, engine.connect() as writer:
        rows = iter(reader.execute(sa.select(item.c.id).order_by(item.c.id)))
        assert next(rows)[0] == 1
        add(writer, 60)
        writer.rollback()
        add(writer, 61)
        writer.commit()
        assert len(list(rows)) == 48


def test_tables_can_be_changed_where_that_can_be_undone(places, engine):
    """MariaDB commits at once, so there it is refused, and what to do is said."""
    statement = sa.text("CREATE TABLE other (id INTEGER)")
    with engine.connect() as connection:
        if "transactional_ddl" not in backend_of(engine).can:
            with pytest.raises(SetupError, match=r"pytest.mark.commits"):
                connection.execute(statement)
            return
        connection.execute(statement)
        connection.commit()
    assert sa.inspect(engine).has_table("other")
    places.undo()
    assert not sa.inspect(engine).has_table("other")
