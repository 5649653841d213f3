"""What the oracles found, each as a small test of its own."""

import pytest
import sqlalchemy as sa
from oracle_databases import KINDS, address, emptied
from sqlalchemy import orm, select

from carboy.base.errors import RequestFault, SetupError
from carboy.base.scope import scope, unscoped
from carboy.data.types import column_type
from carboy.policy.book import Rulebook
from carboy.policy.decide import decide
from carboy.policy.errors import NotFound
from carboy.policy.filters import install
from carboy.policy.policies import Field, Policy
from carboy.policy.rules import everyone, nobody, owner, related, where
from carboy.policy.session import PolicySession

INT = sa.Integer


@pytest.fixture
def base():
    """A base that no class is mapped to yet."""
    made = type("Base", (orm.DeclarativeBase,), {"held": []})
    yield made
    made.registry.dispose()


@pytest.fixture
def opened(base, request):
    """Return a function that opens a session, under the policy, on a database of `base`."""
    made = []

    def open_session(kind="sqlite"):
        engine = emptied(address(request, kind))
        book = Rulebook(base.registry)
        install(engine, book)
        with unscoped("test"):
            base.metadata.create_all(engine)
        made.append(type("Session", (PolicySession,), {"book": book})(engine))
        return made[-1]

    yield open_session
    for session in made:
        session.close()
        session.bind.dispose()


def mapped(base, name, **body):
    """Map a class with a key."""
    table = body.pop("table", name.lower())
    made = type(
        name, (base,), {"__tablename__": table, "id": sa.Column(INT, primary_key=True), **body}
    )
    base.held.append(made)  # else a collector that comes by takes what others refer to by name
    return made


def add(session, *rows):
    """Add rows as the system does."""
    with unscoped("test"):
        session.add_all(rows)
        session.commit()


def animals(base, rule):
    """Map animals, of whom some are cats, and beds that should be a cat's."""
    kinds = {"polymorphic_on": "kind", "polymorphic_identity": "animal"}
    animal = mapped(base, "Animal", kind=sa.Column(sa.String(10)), policy=Policy(read=everyone),
                    lives=sa.Column(INT), __mapper_args__=kinds)  # fmt: skip
    cat = type("Cat", (animal,), {"__mapper_args__": {"polymorphic_identity": "cat"}})
    bed = mapped(base, "Bed", cat_id=sa.Column(sa.ForeignKey("animal.id")),
                 cat=orm.relationship("Cat"), policy=Policy(read=rule))  # fmt: skip
    return animal, cat, bed


@pytest.mark.parametrize("rule", [related("cat"), related("cat", where(lambda cat: cat.lives > 0))])
def test_a_relation_to_a_child_of_the_same_table_leads_to_no_other_child(base, opened, rule):
    """The foreign key may refer to a dog; the relation, and so the rule, does not."""
    animal, cat, bed = animals(base, rule)
    session = opened()
    add(
        session, cat(id=1, lives=9), animal(id=2, lives=1), bed(id=1, cat_id=1), bed(id=2, cat_id=2)
    )
    with scope(user=1):
        assert session.scalars(select(bed.id)).all() == [1]


def test_a_hidden_field_is_not_decided_on(base, opened):
    """An object shows None for it: the rule is about the value that is stored."""
    policy = Policy(read=everyone, write=owner("who"), fields={"who": Field(read=nobody)})
    thing = mapped(base, "Thing", who=sa.Column(INT), policy=policy)
    session = opened()
    add(session, thing(id=1, who=1))
    with scope(user=1):
        row = session.get(thing, 1)
        assert row.who is None
        assert decide(session.book, row, "update") is None


@pytest.mark.parametrize("kind", KINDS)
def test_membership_in_nothing_needs_no_type(base, opened, kind):
    """PostgreSQL was sent a CAST to a type with a collation, which it does not understand."""
    text = sa.Column(column_type(str, max_length=20, digits=None, places=None))
    policy = Policy(read=where(lambda t: sa.or_(t.text.in_([]), t.text.not_in([]))))
    thing = mapped(base, "Thing", text=text, policy=policy)
    session = opened(kind)
    add(session, thing(id=1, text=None))
    with scope(user=1):
        row = session.scalars(select(thing)).one()
        assert decide(session.book, row, "read") is True


def test_rules_that_lean_on_each_other_inside_of_rules_are_refused(base):
    """Neither could ever be compiled: it was an endless recursion at the first query."""
    mapped(base, "Parent", parts=orm.relationship("Part", back_populates="parent"),
           policy=Policy(read=related("parts", related("parent"))))  # fmt: skip
    mapped(base, "Part", parent_id=sa.Column(sa.ForeignKey("parent.id")),
           parent=orm.relationship("Parent", back_populates="parts"),
           policy=Policy(read=everyone))  # fmt: skip
    with pytest.raises(SetupError, match="Parent -> Parent"):
        Rulebook(base.registry).tables()


def test_a_rule_about_a_column_of_another_table_is_refused(base):
    """It would mean whatever table of that name the statement happens to hold."""
    person = mapped(base, "Person", age=sa.Column(INT))
    mapped(
        base, "Book", year=sa.Column(INT), policy=Policy(read=where(lambda b: b.year > person.age))
    )
    with pytest.raises(SetupError, match="'age' in the rule") as error:
        Rulebook(base.registry).tables()
    assert error.value.code == "policy.other_table"


def test_a_denied_change_of_a_versioned_row_is_not_called_outdated(base, opened):
    """Both hit no row; who is told to read it again would try for ever."""
    version = sa.Column(INT, nullable=False)
    policy = Policy(read=owner("who"), write=owner("who"))
    page = mapped(base, "Page", who=sa.Column(INT), v=version, policy=policy,
                  __mapper_args__={"version_id_col": version})  # fmt: skip
    session = opened()
    add(session, page(id=1, who=1))
    with scope(user=1):
        session.get(page, 1).who = 2
        with pytest.raises(NotFound):
            session.flush()


@pytest.mark.parametrize("mapped_pairs", [False, True])
def test_nobody_makes_himself_a_member_by_being_one_afterwards(base, opened, mapped_pairs):
    """Rules about a new row are as if it were not there: it must not grant its own right."""
    person = mapped(base, "Person", policy=Policy(read=everyone))
    keys = [sa.Column("book_id", sa.ForeignKey("book.id"), primary_key=True),
            sa.Column("person_id", sa.ForeignKey("person.id"), primary_key=True)]  # fmt: skip
    member = sa.Table("member", base.metadata, *keys)
    members = orm.relationship("Person", secondary=member, viewonly=mapped_pairs)
    policy = Policy(read=everyone, update=related("members", owner("id")))
    book = mapped(base, "Book", members=members, policy=policy)
    if mapped_pairs:
        create = related("book", related("members", owner("id")))
        body = {
            "__table__": member,
            "book": orm.relationship("Book"),
            "policy": Policy(create=create),
        }
        pair = type("Member", (base,), body)
    session = opened()
    add(session, person(id=1), person(id=2), book(id=1))
    with unscoped("test"):
        session.connection().execute(sa.insert(member).values(book_id=1, person_id=1))
        session.commit()
    for user, may in ((2, False), (1, True)):
        with scope(user=user):
            if mapped_pairs:
                session.add(pair(book_id=1, person_id=2))
            else:
                found = session.get(book, 1)
                found.members.append(session.get(person, 2))
            if may:
                session.flush()
            else:
                with pytest.raises(RequestFault):
                    session.flush()
            session.rollback()
