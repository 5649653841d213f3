"""Engines: set up for production, and errors that say who can act."""

import sqlite3
import sys
import threading

import pytest
from sqlalchemy import exc, insert, text
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Mapped
from sqlalchemy.schema import CreateTable

from carboy.base.errors import RequestFault, ServiceDown, SetupError
from carboy.data import engines
from carboy.data.backends.common import ALONE
from carboy.data.engines import BACKENDS, Limits, engine_for
from carboy.data.faults import ConstraintFault, DatabaseDown, SchemaBehind, TransactionRace
from carboy.data.fields import field

TABLES = (
    "CREATE TABLE shelf (id INTEGER PRIMARY KEY)",
    """CREATE TABLE book (
        id INTEGER PRIMARY KEY, title VARCHAR(20) NOT NULL, price INTEGER, shelf_id INTEGER,
        CONSTRAINT uq_title UNIQUE (title), CONSTRAINT ck_price CHECK (price >= 0),
        CONSTRAINT fk_shelf FOREIGN KEY (shelf_id) REFERENCES shelf (id))""",
    "INSERT INTO shelf VALUES (1)",
    "INSERT INTO book VALUES (1, 'Emma', 5, 1)",
)


@pytest.fixture
def engine(database):
    with database.engine.begin() as connection:
        for statement in TABLES:
            connection.execute(text(statement))
    return database.engine


@pytest.mark.parametrize(
    ("statement", "kind", "status"),
    [
        pytest.param("INSERT INTO book VALUES (2, 'Emma', 5, 1)", "unique", 409, id="unique"),
        pytest.param("INSERT INTO book VALUES (2, 'B', -5, 1)", "check", 422, id="check"),
        pytest.param("INSERT INTO book VALUES (2, NULL, 5, 1)", "required", 422, id="required"),
        pytest.param("INSERT INTO book VALUES (2, 'B', 5, 9)", "reference", 422, id="reference"),
        pytest.param("DELETE FROM shelf", "in_use", 409, id="in use"),
    ],
)
def test_a_broken_constraint_is_the_clients_fault(engine, statement, kind, status):
    """It is a RequestFault and an IntegrityError; no value of the row is in its words."""
    with pytest.raises(ConstraintFault) as caught, engine.begin() as connection:
        connection.execute(text(statement))

    error = caught.value
    assert (error.kind, error.status, error.code) == (kind, status, f"data.{kind}")
    assert isinstance(error, RequestFault)
    assert isinstance(error, exc.IntegrityError)
    assert "Emma" not in str(error) + str(error.errors)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM book")) == 1


def test_a_missing_table_is_the_developers_fault(engine):
    """The message says what to do about it."""
    with pytest.raises(SchemaBehind, match=r"create_all") as caught, engine.connect() as connection:
        connection.execute(text("SELECT * FROM nowhere"))
    assert isinstance(caught.value, SetupError)


def test_a_mistake_in_sql_stays_what_it_is(engine):
    """What nobody but the author of the statement can mend is not dressed up."""
    with pytest.raises(exc.DBAPIError) as caught, engine.connect() as connection:
        connection.execute(text("SELEKT 1"))
    assert not isinstance(caught.value, (RequestFault, ServiceDown))


def test_values_are_in_no_message(engine):
    """Neither those of a mistake in SQL: parameters are people's data."""
    with pytest.raises(exc.DBAPIError) as caught, engine.connect() as connection:
        connection.execute(text("SELEKT :name"), {"name": "Emma Woodhouse"})
    assert "Emma" not in str(caught.value)


@pytest.mark.slow
def test_a_lock_held_by_another_is_a_fault_of_the_service(engine, database):
    """The wait is bounded; the connection serves afterwards."""
    other = database.another()
    with other.begin() as holder:
        holder.execute(text("UPDATE book SET price = 6"))
        with pytest.raises(DatabaseDown) as caught, engine.begin() as connection:
            connection.execute(text("UPDATE book SET price = 7"))
        assert caught.value.code == "data.locked"
    other.dispose()
    with engine.begin() as connection:
        connection.execute(text("UPDATE book SET price = 8"))


def test_two_that_wait_for_each_other_are_a_race(engine, database):
    """A deadlock ends for one of them in TransactionRace, which says that it may try again."""
    database.needs("writers")
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO book VALUES (2, 'Persuasion', 5, 1)"))
    engine = database.another(limits=Limits(lock_s=5))  # longer than the search for deadlocks
    outcomes, both = [], threading.Barrier(2)

    def swap(first, second):
        try:
            with engine.begin() as connection:
                connection.execute(text(f"UPDATE book SET price = 1 WHERE id = {first}"))
                both.wait(5)
                connection.execute(text(f"UPDATE book SET price = 1 WHERE id = {second}"))
            outcomes.append("written")
        except TransactionRace as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=swap, args=pair) for pair in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    engine.dispose()
    assert sorted(outcomes) == ["data.race", "written"]


def test_an_exhausted_pool_is_a_fault_of_the_service(database):
    """The fourth of three connections is answered in time, with what to do."""
    held = [database.engine.connect() for _ in range(3)]
    with pytest.raises(DatabaseDown, match="DATABASE_POOL"):
        database.engine.connect()
    for connection in held:
        connection.close()


@pytest.mark.parametrize(
    "url", ["postgresql://u:hunter2@127.0.0.1:9/x", "mariadb://u:hunter2@127.0.0.1:9/x"]
)
def test_a_refused_connection_is_a_fault_of_the_service(url):
    """It names the database, and no password."""
    engine = engine_for(url, name="orders")
    with pytest.raises(DatabaseDown, match="'orders' does not answer") as caught:
        engine.connect()
    assert caught.value.code == "data.gone"
    assert "hunter2" not in str(caught.value)
    engine.dispose()


def test_a_lost_connection_is_replaced(engine, database):
    """The request that notices gets 503 at most; the next one a new connection."""
    database.needs("writers")
    with engine.connect() as connection:
        backend = database.engine.dialect.name
        pid = connection.scalar(
            text("SELECT pg_backend_pid()" if backend == "postgresql" else "SELECT connection_id()")
        )
        other = database.another()
        kill = f"SELECT pg_terminate_backend({pid})" if backend == "postgresql" else f"KILL {pid}"
        with other.connect() as killer:
            killer.execute(text(kill))
        other.dispose()
        with pytest.raises(DatabaseDown) as caught:
            connection.execute(text("SELECT 1"))
    assert caught.value.connection_invalidated
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM book")) == 1


@pytest.mark.parametrize(
    ("url", "code"),
    [
        pytest.param("shop.db", "data.url", id="a bare file name"),
        pytest.param("oracle://u:hunter2@h/x", "data.url", id="an unknown kind"),
        pytest.param("postgresql://u:hunter2@h:x/y", "data.url", id="a port that is no number"),
    ],
)
def test_a_wrong_address_is_refused_with_an_example(url, code):
    """The password in it is not repeated."""
    with pytest.raises(SetupError, match="postgresql://user:password@host/shop") as caught:
        engine_for(url)
    assert caught.value.code == code
    assert "hunter2" not in str(caught.value)


def test_a_missing_driver_says_what_to_install(monkeypatch):
    """The extra, ready to paste."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(SetupError, match=r"pip install 'carboy\[postgres\]'") as caught:
        engine_for("postgres://h/x")
    assert caught.value.code == "data.driver"


def test_hooks_see_each_engine_before_it_connects(monkeypatch):
    """The seam through which policy replaces the compiler."""
    seen = []
    monkeypatch.setattr(engines, "hooks", [seen.append])
    assert seen == [engine_for("sqlite://")]


def test_a_sqlite_connection_is_set_up_for_production(tmp_path):
    """WAL, foreign keys, FULL, a bounded wait."""
    engine = engine_for(f"sqlite:///{tmp_path}/a.db", limits=Limits(lock_s=1.5))
    with engine.connect() as connection:
        asked = ("journal_mode", "foreign_keys", "synchronous", "busy_timeout", "trusted_schema")
        found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in asked]
    engine.dispose()
    assert found == ["wal", 1, 2, 1500, 0]


@pytest.mark.parametrize("backend", ["pg", "mariadb"])
@pytest.mark.server
@pytest.mark.slow
def test_a_server_connection_is_set_up_for_production(request, backend):
    """UTC, bounded waits, strictness."""
    engine = engine_for(request.getfixturevalue(backend))
    asked = {
        "pg": ("SHOW timezone", "SHOW lock_timeout", "SHOW plan_cache_mode"),
        "mariadb": (
            "SELECT @@time_zone", "SELECT @@innodb_lock_wait_timeout",
            "SELECT @@sql_mode LIKE '%%STRICT_ALL_TABLES%%'", "SELECT @@character_set_connection",
        ),
    }[backend]  # fmt: skip
    with engine.connect() as connection:
        found = [connection.exec_driver_sql(statement).scalar() for statement in asked]
    engine.dispose()
    assert found in (["UTC", "5s", "force_custom_plan"], ["+00:00", 5, 1, "utf8mb4"])


@pytest.mark.server
@pytest.mark.slow
def test_a_mysql_address_may_lead_to_mariadb(mariadb, base):
    """Tables get the collation that the server has; it compares by code point all the same."""

    class Word(base):
        text: Mapped[str] = field(max_length=20, unique=True)

    engine = engine_for(mariadb.replace("mariadb:", "mysql:"))
    base.metadata.drop_all(engine)
    base.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert(Word), [{"text": word} for word in ("a", "A", "a ")])
    base.metadata.drop_all(engine)
    assert "utf8mb4_0900_bin" in str(CreateTable(Word.__table__).compile(dialect=mysql.dialect()))
    engine.dispose()


def test_a_read_holds_no_lock_and_no_snapshot(tmp_path):
    """On SQLite a session that only reads lets others write, and sees what they wrote."""
    engine = engine_for(f"sqlite:///{tmp_path}/a.db")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (n INTEGER)")
    with engine.connect() as reader:
        assert reader.scalar(text("SELECT count(*) FROM t")) == 0
        with engine.begin() as writer:
            writer.execute(text("INSERT INTO t VALUES (1)"))
        assert reader.scalar(text("SELECT count(*) FROM t")) == 1
        reader.execute(text("INSERT INTO t VALUES (2)"))  # a plain BEGIN fails here: "locked"
        reader.commit()
    engine.dispose()


def test_alone_takes_the_write_lock_with_the_first_read(tmp_path):
    """With the execution option nothing changes between a read and the write it decides."""
    engine = engine_for(f"sqlite:///{tmp_path}/a.db", limits=Limits(lock_s=0.05))
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (n INTEGER)")
    with engine.connect().execution_options(**{ALONE: True}) as alone:
        alone.scalar(text("SELECT count(*) FROM t"))
        with pytest.raises(DatabaseDown), engine.begin() as other:
            other.execute(text("INSERT INTO t VALUES (1)"))
    engine.dispose()


def test_savepoints_and_ddl_are_inside_the_transaction(database):
    """A rolled back savepoint undoes its part; a rolled back CREATE leaves no table."""
    with database.engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (n INTEGER)"))
    with database.engine.begin() as connection:
        connection.execute(text("INSERT INTO t VALUES (1)"))
        savepoint = connection.begin_nested()
        connection.execute(text("INSERT INTO t VALUES (2)"))
        savepoint.rollback()
    with database.engine.connect() as connection:
        assert connection.scalars(text("SELECT n FROM t")).all() == [1]
    database.needs("transactional_ddl")
    with database.engine.connect() as connection:
        connection.execute(text("CREATE TABLE u (n INTEGER)"))
        connection.rollback()
    with pytest.raises(SchemaBehind), database.engine.begin() as connection:
        connection.execute(text("SELECT * FROM u"))


def test_a_full_disk_is_a_fault_of_the_service(tmp_path):
    """Nothing is half written, and the connection serves afterwards."""
    engine = engine_for(f"sqlite:///{tmp_path}/a.db")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE t (n BLOB)")
        connection.commit()
        connection.exec_driver_sql("PRAGMA max_page_count = 10")
        with pytest.raises(DatabaseDown) as caught:
            connection.exec_driver_sql("INSERT INTO t VALUES (randomblob(1000000))")
        connection.rollback()
        assert connection.scalar(text("SELECT count(*) FROM t")) == 0
    engine.dispose()
    assert caught.value.code == "data.full"


class _Said(Exception):
    """An error as PyMySQL raises it."""


@pytest.mark.parametrize(
    ("number", "words", "kind", "constraint"),
    [
        (1062, "Duplicate entry 'x' for key 'a' for key 'uq_title'", "unique", "uq_title"),
        (1062, "Duplicate entry 'x' for key 'book.uq_title'", "unique", "uq_title"),
        (4025, "CONSTRAINT `ck_price` failed for `shop`.`book`", "check", "ck_price"),
        (3819, "Check constraint 'ck_price' is violated.", "check", ""),
        (1452, "Cannot add ... (`s`.`b`, CONSTRAINT `fk_s` FOREIGN KEY ...)", "reference", "fk_s"),
        (1451, "Cannot delete ... (`s`.`b`, CONSTRAINT `fk_s` FOREIGN KEY ...)", "in_use", "fk_s"),
        (1213, "Deadlock found when trying to get lock", "race", ""),
        (2006, "MySQL server has gone away", "gone", ""),
        (1114, "The table 'book' is full", "full", ""),
    ],
)
def test_error_numbers_are_read_without_a_server(number, words, kind, constraint):
    """What MariaDB and MySQL say, as recorded; a quoted value cannot pose as a name."""
    trouble = BACKENDS["mariadb"].trouble(_Said(number, words), "")
    assert trouble.kind == kind
    assert trouble.constraint == constraint or number == 3819


def test_a_mistake_has_no_meaning():
    """What no backend knows is left to SQLAlchemy."""
    for backend in BACKENDS.values():
        assert backend.trouble(sqlite3.ProgrammingError("a mistake"), "") is None


@pytest.mark.parametrize(
    ("backend", "said", "told"),
    [
        ("mariadb", "syntax; near ''Emma' x' at line 3", "syntax; near '...' at line 3"),
        ("mariadb", "Got error 'Emma 'W'' from regexp", "Got error '...' from regexp"),
        ("sqlite", 'fts5: syntax error near "Em"ma"', "fts5: syntax error near '...'"),
        ("sqlite", "malformed MATCH expression: [Emma]", "malformed MATCH expression: '...'"),
        ("postgresql", 'column "emma" does not exist', 'column "emma" does not exist'),
    ],
)
def test_what_a_driver_quotes_is_cut(backend, said, told):
    """Where quotes hold values: PyMySQL sends them inside the statement."""
    assert BACKENDS[backend].without_values(said) == told
