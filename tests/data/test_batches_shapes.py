"""Unusual mappings: batches give what SQLAlchemy gives, or leave it to SQLAlchemy."""

import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import ForeignKey, orm, select
from sqlalchemy.orm import Mapped, aliased, mapped_column, relationship

from carboy.data.batches import Batching

sys.path.insert(0, str(Path(__file__).resolve().parent))
from lazy_tree import counted, seen


@pytest.fixture(params=[None, "*"], ids=["plain", "polymorphic"])
def m(request):
    """People of three kinds in two tables, who know each other; a house with odd names."""

    class Base(orm.DeclarativeBase):
        pass

    class House(Base):
        __tablename__ = "house"
        number: Mapped[int] = mapped_column("house_no", primary_key=True)
        street: Mapped[str] = mapped_column("str", sa.String(9), primary_key=True)

    knows = sa.Table(
        "knows",
        Base.metadata,
        sa.Column("one", ForeignKey("person.id"), primary_key=True),
        sa.Column("other", ForeignKey("person.id"), primary_key=True),
    )

    class Person(Base):
        __tablename__ = "person"
        __table_args__ = (
            sa.ForeignKeyConstraint(["h_street", "h_no"], ["house.str", "house.house_no"]),
        )
        __mapper_args__ = {
            "polymorphic_on": "kind",
            "polymorphic_identity": "person",
            "with_polymorphic": request.param,
        }
        id: Mapped[int] = mapped_column(primary_key=True)
        kind: Mapped[str]
        street_of: Mapped[str | None] = mapped_column("h_street")
        number_of: Mapped[int | None] = mapped_column("h_no", deferred=True)
        boss_id: Mapped[int | None] = mapped_column(ForeignKey("manager.id", use_alter=True))
        boss: Mapped["Manager | None"] = relationship(foreign_keys=[boss_id], post_update=True)
        house: Mapped[House | None] = relationship()
        friends: Mapped[list["Person"]] = relationship(
            secondary=knows,
            primaryjoin=lambda: Person.id == knows.c.one,
            secondaryjoin=lambda: Person.id == knows.c.other,
            order_by=lambda: Person.id,
        )
        elders: Mapped[list["Person"]] = relationship(
            primaryjoin=lambda: orm.foreign(Person.id) > orm.remote(Person.id),
            viewonly=True,
            uselist=True,
            order_by=lambda: orm.remote(Person.id),
        )

    class Manager(Person):
        __tablename__ = "manager"
        __mapper_args__ = {"polymorphic_identity": "manager", "inherit_condition": None}
        id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
        level: Mapped[int]
        staff: Mapped[list[Person]] = relationship(
            foreign_keys=[Person.boss_id], order_by=Person.id.desc(), viewonly=True
        )
        __mapper_args__["inherit_condition"] = id == Person.id

    class Guest(Person):
        __mapper_args__ = {"polymorphic_identity": "guest"}
        host_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
        host: Mapped[Person | None] = relationship(
            foreign_keys=[host_id], remote_side=Person.id, viewonly=True
        )

    twin = aliased(House)
    Person.twin = relationship(
        twin,
        primaryjoin=sa.and_(Person.street_of == twin.street, Person.number_of == twin.number),
        foreign_keys=[Person.street_of, Person.number_of],
        viewonly=True,
    )
    Base.registry.configure()
    yield type("Models", (), locals())
    Base.registry.dispose()


@pytest.fixture
def engine(m):
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    m.Base.metadata.create_all(engine)
    with orm.Session(engine) as session:
        houses = [m.House(number=n, street=s) for n in (1, 2) for s in "ab"]
        bosses = [m.Manager(id=n, level=n) for n in (1, 2)]
        session.add_all([*houses, *bosses])
        session.flush()
        people = [
            m.Person(id=n, boss=bosses[n % 2], house=houses[n % 4] if n % 3 else None)
            for n in range(3, 8)
        ]
        guests = [m.Guest(id=n, host_id=n - 5, house=houses[n % 4]) for n in range(8, 12)]
        session.add_all(people + guests)
        session.flush()
        for n, person in enumerate(people + guests):
            person.friends = (bosses + people)[n % 4 : n % 4 + 2]
        session.commit()
    yield engine
    engine.dispose()


NAMES = {
    "Person": ("boss", "house", "friends", "elders", "twin"),
    "Manager": ("staff", "house"),
    "Guest": ("host", "boss", "friends"),
}


def everything(session, m):
    found = {}
    for kind, names in NAMES.items():
        session.expunge_all()
        model = getattr(m, kind)
        rows = session.scalars(select(model).order_by(model.id)).all()
        for row in rows:
            for name in names:
                found[kind, row.id, name] = seen(getattr(row, name))
    return found


def test_unusual_mappings_are_loaded_as_ever(m, engine):
    """Inheritance in one table and in two, names that differ, conditions, aliases."""
    with orm.Session(engine) as plain, Batching(engine) as batching:
        with counted(plain) as many:
            expected = everything(plain, m)
        with counted(batching) as few:
            assert everything(batching, m) == expected
    assert len(few) < len(many)


def test_rows_that_come_by_and_by(m, engine):
    """With yield_per, those that are there."""
    with Batching(engine) as session:
        query = select(m.Person).order_by(m.Person.id).execution_options(yield_per=4)
        names = {row.id: seen(row.friends) for row in session.scalars(query)}
    with orm.Session(engine) as plain:
        rows = plain.scalars(select(m.Person).order_by(m.Person.id)).all()
        assert names == {row.id: seen(row.friends) for row in rows}
