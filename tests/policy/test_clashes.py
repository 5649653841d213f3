"""Constraints broken under a scope: a sentence for a form, and nothing of hidden rows."""

import logging
import traceback

import pytest
import sqlalchemy as sa
from oracle_databases import KINDS, address, emptied
from sqlalchemy.orm import Mapped, Session, registry

from carboy.base.scope import scope, unscoped
from carboy.data.constraints import unique
from carboy.data.fields import field
from carboy.data.models import CONVENTION, Model
from carboy.data.relations import belongs_to
from carboy.policy import errors
from carboy.policy.book import Rulebook
from carboy.policy.errors import Conflict, Denial, NotFound, NotPermitted, Refused
from carboy.policy.filters import install
from carboy.policy.policies import Field, Policy
from carboy.policy.rules import nobody, owner
from carboy.policy.session import PolicySession

SECRET = "xyzzy"  # a value of a hidden row


def models():
    """Return (Base, Shop): names are unique, for everybody or per person."""
    metadata = sa.MetaData(naming_convention=CONVENTION)
    own = registry(metadata=metadata)

    class Base(Model):
        __abstract__ = True
        registry = own
        _sa_registry = own

    Base.metadata = metadata

    class Shop(Base):
        name: Mapped[str] = field(max_length=20, unique=True)
        pin: Mapped[str | None] = field(max_length=20, unique=True)
        slug: Mapped[str | None] = field(max_length=20)
        stars: Mapped[int] = field(ge=1, le=5)
        rank: Mapped[int | None] = field(ge=0)
        person: Mapped[int]
        constraints = (unique("person", "slug", message="You have a shop at this address."),)
        policy = Policy(
            read=owner("person"), write=owner("person"),
            fields={"pin": Field(read=nobody), "rank": Field(read=nobody)},
        )  # fmt: skip

    class Shelf(Base):
        shop: Mapped[Shop] = belongs_to()
        person: Mapped[int]
        policy = Policy(read=owner("person"), write=owner("person"))

    return Base, Shop, Shelf


@pytest.fixture(params=KINDS)
def shops(request):
    """A session, its engine and the models; a hidden shop of person 2 is there."""
    base, shop, shelf = models()
    engine = emptied(address(request, request.param))
    book = Rulebook(base.registry)
    install(engine, book)
    with unscoped("test"):
        base.metadata.create_all(engine)
        with Session(engine) as session:
            session.add(shop(id=1, name=SECRET, pin=SECRET, slug=SECRET, stars=3, rank=3, person=2))
            session.add(shop(id=2, name="mine", stars=3, person=1))
            session.add(shelf(id=1, shop_id=2, person=2))
            session.commit()
    with type("Session", (PolicySession,), {"book": book})(engine) as session:
        yield session, engine, shop, shelf
    engine.dispose()
    base.registry.dispose()


def row(**values):
    """Return the values of a shop that can be saved, but for *values*."""
    return {"name": "new", "stars": 3, "person": 1, "id": 50, **values}


WAYS = ["session", "session core", "connection"]


def run(shops, way, statement):
    """Execute in the session, or on a connection of its own."""
    if way != "connection":
        return shops[0].execute(statement)
    with shops[1].begin() as connection:
        return connection.execute(statement)


def inserted(shops, way, **values):
    """Insert a shop."""
    session, _, shop, _ = shops
    if way == "session":
        session.bulk_insert_mappings(shop, [row(**values)])  # no check of fields in Python
    else:
        run(shops, way, sa.insert(shop.__table__).values(row(**values)))


def attempt(shops, way, **values):
    """Insert a shop and return the Conflict."""
    with scope(user=1), pytest.raises(Conflict) as found:
        inserted(shops, way, **values)
    shops[0].rollback()
    return found.value


def added(session, row):
    """Add an object and flush it."""
    session.add(row)
    session.flush()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("values", "status", "code", "fields"),
    [
        ({"name": SECRET}, 409, "data.unique", ["name"]),
        ({"stars": 9}, 422, "data.check", ["stars"]),
        ({"name": None}, 422, "data.required", ["name"]),
        ({"id": 1}, 409, "policy.conflict", []),
        ({"pin": SECRET}, 409, "policy.conflict", []),
        ({"rank": -1}, 409, "policy.conflict", []),
    ],
    ids=["unique", "check", "required", "key", "hidden field unique", "hidden field check"],
)
def test_a_form_gets_field_and_sentence_where_nothing_is_hidden(
    shops, way, values, status, code, fields
):
    """Of one's own values everything is told; of a hidden field, and of keys, nothing."""
    error = attempt(shops, way, **values)
    assert (error.status, error.code) == (status, code)
    assert [entry["loc"] for entry in error.errors] == [[name] for name in fields]
    assert all(entry["msg"] == error.message for entry in error.errors)


@pytest.mark.parametrize("way", WAYS)
def test_no_value_of_a_hidden_row_is_in_the_traceback(shops, way, caplog):
    """PostgreSQL's DETAIL and MariaDB's text quote the key; a log would have it."""
    session, _, shop, _ = shops
    with unscoped("test"), Session(shops[1]) as other:
        other.add(shop(id=40, name="a", slug="b", stars=1, person=1))
        other.commit()
    table = shop.__table__
    clash = sa.update(table).values(slug="b", name=table.c.name + "c").where(table.c.id == 2)
    with scope(user=1), pytest.raises(Conflict) as found:
        run(shops, way, clash)
    session.rollback()
    with caplog.at_level(logging.ERROR):
        logging.getLogger("test").error("failed", exc_info=found.value)
    error = attempt(shops, way, name=SECRET)
    told = "".join(traceback.format_exception(error)) + caplog.text + repr(error.orig)
    for word in ("DETAIL", "Duplicate entry", "already exists", SECRET):
        assert word not in told


def test_except_integrity_error_goes_on_working(shops):
    """Code written for SQLAlchemy catches it."""
    assert isinstance(attempt(shops, "connection", name=SECRET), sa.exc.IntegrityError)


def test_the_session_goes_on_after_a_clash_in_a_savepoint(shops):
    """As with SQLAlchemy's own errors."""
    session, _, shop, _ = shops
    with scope(user=1):
        with pytest.raises(Conflict), session.begin_nested():
            added(session, shop(**row(name=SECRET)))
        session.add(shop(**row(name="other")))
        session.commit()
        assert session.scalar(sa.select(sa.func.count()).select_from(shop)) == 2


def test_what_still_refers_to_a_row_is_not_said(shops):
    """The shelf belongs to another person."""
    session, _, shop, _ = shops
    with scope(user=1), pytest.raises(Conflict) as found:
        session.execute(sa.delete(shop.__table__))
    assert found.value.code == "data.in_use"
    assert found.value.message == "This is still in use elsewhere."
    assert "shel" not in str(found.value)


@pytest.mark.parametrize("key", [1, 99], ids=["hidden", "absent"])
def test_a_reference_to_a_hidden_row_reads_as_one_to_none(shops, key):
    """Word for word."""
    session, _, _, shelf = shops
    with scope(user=1), pytest.raises(Conflict) as found:
        added(session, shelf(id=50, shop_id=key, person=1))
    assert (found.value.status, found.value.code) == (422, "data.reference")
    assert found.value.message == "This refers to something that does not exist."
    assert not found.value.errors


def test_the_system_is_told_everything(shops):
    """carboy.data's own fault, with the driver's error."""
    session, _, shop, _ = shops
    with unscoped("import"), pytest.raises(sa.exc.IntegrityError) as found:
        added(session, shop(**row(name=SECRET)))
    assert not isinstance(found.value, Conflict)


@pytest.fixture
def denials(monkeypatch):
    """What is told to the listeners during the test."""
    told = []
    monkeypatch.setattr(errors, "denied", [told.append])
    return told


HERE = __file__

DENIED = {
    "read": (lambda s, shop, shelf: s.refresh(held(s, shop)), NotFound, "read", "Shop"),
    "update": (lambda s, shop, shelf: stolen(s, shop, name="x"), NotFound, "write", "record"),
    "delete": (lambda s, shop, shelf: stolen(s, shop), NotFound, "delete", "Shop"),
    "create": (lambda s, shop, shelf: s.execute(sa.insert(shop).values(row(person=2))),
               NotPermitted, "create", "Shop"),
    "refer": (lambda s, shop, shelf: added(s, shelf(id=50, shop_id=1, person=1)),
              Conflict, "write", "Shelf"),
    "clash": (lambda s, shop, shelf: s.execute(sa.insert(shop).values(row(name=SECRET))),
              Conflict, "write", None),
    "text": (lambda s, shop, shelf: s.execute(sa.text("SELECT * FROM shops")),
             Refused, "sql", None),
}  # fmt: skip


def held(session, shop):
    """Return an object whose row is hidden since it was read."""
    found = session.get(shop, 2)
    with unscoped("test"):
        session.connection().execute(sa.update(shop.__table__).values(person=2))
    return found


def stolen(session, shop, **change):
    """Change or delete a row that was never read under this scope."""
    with unscoped("test"), Session(session.bind) as other:
        found = other.get(shop, 1)
        other.expunge(found)
    session.add(found)
    if not change:
        session.delete(found)
    for key, value in change.items():
        setattr(found, key, value)
    session.flush()


@pytest.mark.parametrize("name", DENIED)
def test_every_denial_is_an_event(shops, denials, name):
    """Who, what, about which model, with which code, and where in the application."""
    session, _, shop, shelf = shops
    act, error, action, about = DENIED[name]
    with scope(user=1) as entered, pytest.raises(error) as found:
        act(session, shop, shelf)
    [denial] = denials
    assert isinstance(denial, Denial)
    assert (denial.who, denial.action) == (entered.scope, action)
    assert about is None or denial.about == about
    assert (denial.code, denial.error) == (found.value.code, found.value)
    assert denial.place.rpartition(":")[0] == HERE


def test_a_broken_rule_of_a_field_denies_nothing(shops, denials):
    """Whoever mistypes a form is not denied anything."""
    attempt(shops, "connection", stars=9)
    assert denials == []


def test_a_denial_outside_of_every_scope_has_nobody(shops, denials):
    """Text is refused there too."""
    with shops[1].connect() as connection, pytest.raises(Refused):
        connection.exec_driver_sql("SELECT * FROM shops")
    assert denials[0].who is None
