"""Random pairs of models on SQLite: migrated forth and back with data, nothing is lost.

    models A, rows  ->  plan, source, upgrade  ->  models B  ->  plan, source, upgrade  ->  A

After each: every row and value of the columns that both have, the count of keys, and a
schema that is the one `create_all` makes; and what it forbids is refused.
"""

import datetime as dt
import enum
import os
import re
import uuid
from contextlib import nullcontext
from dataclasses import dataclass, field as item, replace
from decimal import Decimal
from types import ModuleType

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from hypothesis import HealthCheck, given, settings, strategies as st
from sqlalchemy import MetaData, exc, inspect, text
from sqlalchemy.orm import Mapped, registry

from carboy.data.engines import engine_for
from carboy.data.fields import field
from carboy.data.migrations import rebuild
from carboy.data.migrations.files import source
from carboy.data.migrations.history import History
from carboy.data.migrations.plan import Said, plan
from carboy.data.migrations.runner import perform
from carboy.data.models import CONVENTION, Model
from carboy.data.relations import belongs_to

EXAMPLES = int(os.environ.get("CARBOY_REBUILD_EXAMPLES", "50"))  # about one a second


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Kind:
    """A type, and the nth value of it; each is within every rule that a field may get."""

    python: object
    value: object
    fill: str
    unique: bool = True
    more: dict = item(default_factory=dict)


KINDS = {
    "int": Kind(int, lambda n: n, "0"),
    "str": Kind(str, lambda n: f"t'\"%:{n} é", "'fill'", more={"max_length": 20}),
    "text": Kind(str, lambda n: f"long {n}\n" * 3, "'fill'", unique=False),
    "float": Kind(float, lambda n: n / 3, "0.5", unique=False),
    "decimal": Kind(Decimal, lambda n: Decimal(n) / 4, "0", more={"digits": 9, "places": 2}),
    "bool": Kind(bool, lambda n: bool(n % 2), "0", unique=False),
    "date": Kind(dt.date, lambda n: dt.date(2020, 1, 1) + dt.timedelta(n), "'2026-01-01'"),
    "time": Kind(dt.time, lambda n: dt.time(n % 24, 5, 6, n), "'10:00:00.000000'", unique=False),
    "datetime": Kind(
        dt.datetime,
        lambda n: dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC) + dt.timedelta(seconds=n),
        "'2026-01-01 00:00:00.000000'",
    ),
    "uuid": Kind(uuid.UUID, lambda n: uuid.UUID(int=n + 1), f"'{'0' * 32}'"),
    "bytes": Kind(bytes, lambda n: bytes([0, 255, n % 256]), "x'00'", unique=False),
    "json": Kind(dict, lambda n: {"n": [n, None, "é"]}, "'{}'", unique=False),
    "enum": Kind(Colour, lambda n: list(Colour)[n % 2], "'red'", unique=False),
}


@dataclass(frozen=True)
class Field:
    """What one model says of one field."""

    kind: str
    optional: bool = False
    unique: bool = False
    index: bool = False
    ruled: bool = False
    long: bool = False
    search: bool = False


@dataclass(frozen=True)
class Relation:
    """A belongs_to."""

    target: str
    on_delete: str = "restrict"
    optional: bool = False


NAMES = [f"f{n}" for n in range(5)]
PARENTS = {"Author": None, "Book": "authors", "Note": "books"}


@st.composite
def fields(draw, kind=None):
    kind = kind or draw(st.sampled_from(sorted(KINDS)))
    able = KINDS[kind]
    unique = able.unique and draw(st.booleans())
    return Field(
        kind,
        optional=draw(st.booleans()),
        unique=unique,
        index=able.unique and not unique and draw(st.booleans()),
        ruled=kind in ("int", "decimal", "str") and draw(st.booleans()),
        long=kind == "str" and draw(st.booleans()),
        search=kind in ("str", "text") and draw(st.booleans()),
    )


@st.composite
def relations(draw, target):
    optional = draw(st.booleans())
    able = ["restrict", "cascade", *(["set_null"] if optional else [])]
    return Relation(target, draw(st.sampled_from(able)), optional)


@st.composite
def pairs(draw):
    """Two versions of three models: parents, children of them, and of those."""
    both = ({}, {})
    targets = {"Author": None, "Book": "Author", "Note": "Book"}
    for name, target in targets.items():
        for place, version in enumerate(both):
            said = {}
            for one in NAMES:
                if not draw(st.booleans()):
                    continue
                old = both[0][name].get(one) if place else None
                said[one] = draw(fields(old.kind if old else None))
            if target and draw(st.integers(0, 3)):
                said["up"] = draw(relations(target))
            if draw(st.integers(0, 3)) == 0:
                said["self"] = replace(draw(relations(name)), optional=True)
            version[name] = said
    return tuple(
        {name: _alone(said, other[name]) for name, said in version.items()}
        for version, other in (both, both[::-1])
    )


def _alone(said, other):
    """Return fields, of which one that the other version lacks is not filled with equals."""
    return {
        key: replace(one, unique=False)
        if isinstance(one, Field) and key not in other and not one.optional
        else one
        for key, one in said.items()
    }


def build(version):
    """Return the metadata of models as *version* says."""
    metadata = MetaData(naming_convention=CONVENTION)
    own = registry(metadata=metadata)

    class Base(Model):
        __abstract__ = True
        registry = own
        _sa_registry = own

    Base.metadata = metadata
    for name, said in version.items():
        hints, body = {}, {"__module__": __name__}
        for key, one in said.items():
            if isinstance(one, Relation):
                hint = f"{one.target} | None" if one.optional else one.target
                body[key] = belongs_to(on_delete=one.on_delete)
                hints[key] = Mapped[hint]
            else:
                body[key] = _field(one)
                python = KINDS[one.kind].python
                hints[key] = Mapped[python | None] if one.optional else Mapped[python]
        model = type(name, (Base,), {**body, "__annotations__": hints})
        metadata.info[name] = model  # the registry holds classes weakly
    own.configure()
    return metadata


def _field(one):
    more = dict(KINDS[one.kind].more)
    if one.long:
        more["max_length"] = 30
    if one.ruled:
        more |= {"min_length": 2} if one.kind == "str" else {"ge": 0}
    return field(unique=one.unique, index=one.index, search=one.search, **more)


TABLES = {"Author": "authors", "Book": "books", "Note": "notes"}


def column_of(key, one):
    return f"{key}_id" if isinstance(one, Relation) else key


def shared(version, other):
    """Return {table: columns of both}."""
    return {
        TABLES[name]: [column_of(key, one) for key, one in said.items() if key in other[name]]
        for name, said in version.items()
    }


def fill(connection, version, other, metadata, numbers):
    """Insert rows that both versions allow; one more of each is deleted again."""
    ids = {}
    for name, table in TABLES.items():
        target = metadata.tables[table]
        ids[table] = []
        for n in numbers:
            row = {"id": 10 * n + 3}
            for key, one in version[name].items():
                later = other[name].get(key, one)
                place = {"up": PARENTS[name], "self": table}.get(key)
                if one.optional and later.optional and n % 3 == 0:
                    row[column_of(key, one)] = None
                elif isinstance(one, Relation):
                    there = ids[place]
                    row[column_of(key, one)] = there[n % len(there)] if there else None
                else:
                    row[key] = KINDS[one.kind].value(n)
            connection.execute(target.insert().values(**row))
            ids[table].append(row["id"])
        if numbers:
            fresh = {
                key: KINDS[one.kind].value(99)
                for key, one in version[name].items()
                if isinstance(one, Field)
            }
            connection.execute(target.insert().values(**{**row, **fresh, "id": 999}))
            connection.execute(target.delete().where(target.c.id == 999))
    connection.commit()


def rows(connection, common):
    """Return every value, as SQLite stores it, of the columns that both versions have."""
    found = {}
    for table, columns in common.items():
        query = ", ".join(f"{c}, typeof({c})" for c in ("id", *columns))
        found[table] = connection.execute(text(f"SELECT {query} FROM {table} ORDER BY id")).all()
    return found


def counts(connection):
    return dict(connection.execute(text("SELECT name, seq FROM sqlite_sequence")).all())


def described(connection):
    """Return all that a schema says, in no order."""
    found = inspect(connection)
    tables = [t for t in found.get_table_names() if "search" not in t]
    master = connection.execute(text("SELECT type, name, tbl_name, sql FROM sqlite_master")).all()
    return {
        "names": sorted((kind, name) for kind, name, _, _ in master if "autoindex" not in name),
        "counted": sorted(n for _, n, _, sql in master if "AUTOINCREMENT" in (sql or "")),
        "triggers": sorted(_plain(sql) for kind, _, _, sql in master if kind == "trigger"),
        "columns": {
            t: sorted(
                (c["name"], str(c["type"]), c["nullable"], c["default"], c["primary_key"])
                for c in found.get_columns(t)
            )
            for t in tables
        },
        "checks": {
            t: sorted((c["name"], _plain(c["sqltext"])) for c in found.get_check_constraints(t))
            for t in tables
        },
        "uniques": {
            t: sorted((u["name"], u["column_names"]) for u in found.get_unique_constraints(t))
            for t in tables
        },
        "keys": {
            t: sorted(
                (k["name"], k["constrained_columns"], k["referred_table"], str(k["options"]))
                for k in found.get_foreign_keys(t)
            )
            for t in tables
        },
        "indexes": {
            t: sorted((i["name"], i["column_names"], i["unique"]) for i in found.get_indexes(t))
            for t in tables
        },
    }


def _plain(sql):
    return re.sub(r"[\s\"()]+", " ", sql).replace(" ,", ",").strip()


def migrate(connection, metadata, version):
    """Bring the database to *metadata* by a migration file, as `make` and `upgrade` would."""
    fills = {
        f"{TABLES[name]}.{column_of(key, one)}": _fill(one)
        for name, said in version.items()
        for key, one in said.items()
    }
    unclear = plan(connection, metadata, History(), only_known=False).unclear
    said = Said(fills=fills, dropped={suspect.old for suspect in unclear})
    made = plan(connection, metadata, History(), said, only_known=False)
    connection.rollback()
    body = source(made, "0001_x", None, "x")
    module = ModuleType("migration")
    exec(compile(body, "migration.py", "exec"), vars(module))
    try:
        perform(connection, module.upgrade, "0001_x")
    except Exception as error:
        error.add_note(body)
        raise
    connection.rollback()


def _fill(one):
    """Return the source of a value for rows that have none."""
    sql = "3" if isinstance(one, Relation) else KINDS[one.kind].fill
    return f"sa.literal_column({sql!r})"


def forbidden(version, connection):
    """Yield statements that break one rule each."""
    for name, said in version.items():
        table = TABLES[name]
        here = connection.execute(text(f"SELECT id FROM {table} ORDER BY id")).scalars().all()
        if not here:
            continue
        for key, one in said.items():
            column = column_of(key, one)
            change = f"UPDATE {table} SET {column} = %s WHERE id = {here[-1]}"
            if not one.optional:
                yield change % "NULL"
            if isinstance(one, Relation):
                yield change % "1000000"
                continue
            if one.unique and len(here) > 1:
                filled = f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL"
                if connection.execute(text(f"{filled} AND id <> {here[-1]}")).first():
                    yield change % f"({filled} AND id <> {here[-1]} LIMIT 1)"
            if one.ruled:
                yield change % ("'x'" if one.kind == "str" else "-1")
            if one.kind == "str":
                yield change % f"'{'x' * (31 if one.long else 21)}'"
            if one.kind == "enum":
                yield change % "'green'"


def prove(connection, version, metadata, kept, common, count):
    """Hold the database against what must be."""
    assert rows(connection, common) == kept
    assert {t: n for t, n in counts(connection).items() if t in count} == count
    assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
    assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"
    fresh = engine_for("sqlite://")
    metadata.create_all(fresh)
    with fresh.connect() as other:
        assert described(connection) == described(other)
    fresh.dispose()
    connection.rollback()
    for statement in list(forbidden(version, connection)):
        try:
            connection.execute(text(statement))
        except exc.IntegrityError:
            continue
        finally:
            connection.rollback()
        pytest.fail(f"allowed: {statement}")


PLAIN = {
    "Author": {"f0": Field("str", unique=True, ruled=True, search=True), "f1": Field("int")},
    "Book": {"f0": Field("str"), "up": Relation("Author", "cascade")},
    "Note": {"f0": Field("int", index=True)},
}
CHANGED = {**PLAIN, "Author": {**PLAIN["Author"], "f1": Field("int", optional=True, ruled=True)}}
PLANTS = {
    "the count of keys": ("_count_on", lambda *_: None),
    "AUTOINCREMENT": ("_read_table", lambda *_: None),
    "triggers": ("_restore", lambda *_: None),
}


def forth_and_back(folder, first, second, number):
    """Migrate rows from one version to the other and back, and prove each."""
    before, after = build(first), build(second)
    engine = engine_for(f"sqlite:///{folder}/x.db")
    before.create_all(engine)
    common = shared(first, second)
    try:
        with engine.connect() as connection:
            fill(connection, first, second, before, range(number))
            kept, count = rows(connection, common), counts(connection)
            connection.rollback()
            for metadata, version in ((after, second), (before, first)):
                migrate(connection, metadata, version)
                prove(connection, version, metadata, kept, common, count)
    finally:
        engine.dispose()


@pytest.mark.slow
def test_one_pair(tmp_path):
    """The pair that the planted mistakes are shown with."""
    forth_and_back(tmp_path, PLAIN, CHANGED, 4)


@pytest.mark.slow
@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_loss_is_found(tmp_path, monkeypatch, plant):
    """So the proof can fail."""
    monkeypatch.setattr(rebuild, *PLANTS[plant])
    with pytest.raises(AssertionError):
        forth_and_back(tmp_path, PLAIN, CHANGED, 4)


@pytest.mark.slow
def test_rows_that_go_with_the_old_table_are_found(tmp_path, monkeypatch):
    """With foreign keys on, dropping it deletes what refers to it."""
    monkeypatch.setattr(rebuild, "_foreign_keys_off", lambda _: nullcontext())

    def perform(connection, upgrade, name):
        context = MigrationContext.configure(connection, opts={"transaction_per_migration": True})
        with Operations.context(context), context.begin_transaction(_per_migration=True):
            upgrade()

    monkeypatch.setitem(globals(), "perform", perform)
    with pytest.raises(AssertionError):
        forth_and_back(tmp_path, PLAIN, CHANGED, 4)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(pair=pairs(), number=st.integers(0, 5))
def test_models_are_migrated_forth_and_back(tmp_path_factory, pair, number):
    """Whatever the two versions are, and with rows or without."""
    forth_and_back(tmp_path_factory.mktemp("pair"), *pair, number)
