"""The rule language: combined, folded, bound to names, explained; mistakes are found early."""

import pytest
import sqlalchemy as sa
from sqlalchemy import orm

from carboy.base.errors import SetupError
from carboy.base.scope import NobodyAsking, Scope, current, scope
from carboy.policy.binds import asker
from carboy.policy.book import Rulebook
from carboy.policy.decide import decide
from carboy.policy.policies import Policy
from carboy.policy.rules import (
    everyone,
    nobody,
    owner,
    related,
    role,
    signed_in,
    tenant,
    token,
    where,
)


def model(policy, **columns):
    """Return a mapped class with *policy*, and its rulebook."""

    class Base(orm.DeclarativeBase):
        pass

    body = {
        "__tablename__": "thing",
        "id": sa.Column(sa.Integer, primary_key=True),
        "author": sa.Column(sa.Integer),
        "org": sa.Column(sa.Integer),
        "n": sa.Column(sa.Integer),
        **columns,
        "policy": policy,
    }
    found = type("Thing", (Base,), body)
    return found, Rulebook(Base.registry)


@pytest.mark.parametrize(
    ("rule", "who", "answer"),
    [
        (everyone, {}, True),
        (nobody, {"user": 1}, False),
        (signed_in, {}, False),
        (signed_in, {"user": 0}, True),
        (role("a"), {"roles": {"a"}}, True),
        (role("a"), {"roles": {"b"}}, False),
        (token("w"), {}, True),
        (token("w"), {"tokens": {"r"}}, False),
        (token("w"), {"tokens": {"w"}}, True),
        (owner("author"), {"user": 1}, True),
        (owner("author"), {"user": 2}, False),
        (owner("author"), {}, False),
        (~owner("author"), {}, True),
        (tenant("org"), {"tenant": 5}, True),
        (tenant("org"), {"user": 5}, False),
        (where(lambda t: t.n > 2), {}, True),
        (where(lambda t: t.n == asker.user), {"user": 3}, True),
        (owner("author") | role("a"), {"user": 2, "roles": {"a"}}, True),
        (owner("author") & role("a"), {"user": 1}, False),
        (~(signed_in | role("a")), {}, True),
    ],
)
def test_a_rule_decides_for_a_scope(rule, who, answer):
    """On a row with author 1, org 5 and n 3."""
    thing, book = model(Policy(read=rule))
    row = thing(id=1, author=1, org=5, n=3)
    orm.attributes.instance_state(row)._commit_all(orm.attributes.instance_dict(row))
    with scope(**who):
        assert decide(book, row, "read") is answer


def test_what_is_null_is_not_mine_and_its_negation_holds():
    """Nobody meets NULL: `~owner` is true where there is no author."""
    thing, book = model(Policy(read=~owner("author"), write=owner("author")))
    row = thing(id=1, author=None)
    orm.attributes.instance_state(row)._commit_all(orm.attributes.instance_dict(row))
    with scope(user=1):
        assert decide(book, row, "read") is True
        assert decide(book, row, "update") is False


def test_tenant_restricts_everything():
    """Policy(tenant=...) is added to every rule."""
    thing, book = model(Policy(read=everyone, write=everyone, tenant="org"))
    governed = book.governed(thing.__table__)
    assert {rule.words() for rule in governed.rules.values()} == {
        "its org is the tenant of who asks and always"
    }


def test_what_is_not_said_is_forbidden():
    """A policy that only reads."""
    thing, book = model(Policy(read=everyone))
    rules = book.governed(thing.__table__).rules
    assert {name: rule.words() for name, rule in rules.items()} == {
        "read": "always", "create": "never", "update": "never", "delete": "never",
        "check": "never",
    }  # fmt: skip


def test_rules_are_explained_in_words():
    """Parentheses where they change the meaning."""
    rule = (owner("author") | role("staff")) & ~signed_in
    assert rule.words() == (
        "(its author is who asks or who asks has the role 'staff') and not (who asks is signed in)"
    )


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        (lambda: Policy(read=True), "policy.no_rule"),
        (lambda: Policy(read=everyone, fields={"n": "staff"}), "policy.no_rule"),
        (lambda: everyone | 3, "policy.no_rule"),
        (lambda: owner(7), "policy.no_name"),
        (lambda: Policy(tenant=7), "policy.no_name"),
    ],
)
def test_mistakes_are_found_where_they_are_written(policy, code):
    """Not at the first request."""
    with pytest.raises(SetupError) as error:
        policy()
    assert error.value.code == code


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (owner("autor"), "policy.unknown_name"),
        (related("notebook"), "policy.unknown_name"),
        (where(lambda t: 3), "policy.no_condition"),
        (where(lambda t: sa.text("n > 0")), "policy.no_condition"),
        (where(lambda t: sa.and_(t.n > 0, sa.text("n < 9"))), "policy.rule_text"),
        (where(lambda t: t.n == sa.bindparam("x")), "policy.rule_bind"),
    ],
)
def test_wrong_names_are_found_when_the_models_are_read(rule, code):
    """The message names class, file and line."""
    _, book = model(Policy(read=rule))
    with pytest.raises(SetupError) as error:
        book.tables()
    assert error.value.code == code
    assert "test_rules.py:" in str(error.value)


def test_a_rule_may_not_look_who_is_asking():
    """It is built once: the first person's key would stay in it for everybody."""
    thing, book = model(Policy(read=where(lambda t: t.author == current().user)))
    with scope(user=1), pytest.raises(NobodyAsking, match="may not ask"):
        book.governed(thing.__table__)


def test_and_or_and_not_of_python_are_refused():
    """`a or b` would silently be `a`."""
    with pytest.raises(TypeError, match=r"with \|, & and ~"):
        role("a") or role("b")


def test_read_rules_that_lean_on_each_other_are_refused():
    """Neither could ever be decided."""

    class Base(orm.DeclarativeBase):
        pass

    class Parent(Base):
        __tablename__ = "parent"
        id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
        parts: orm.Mapped[list["Part"]] = orm.relationship(back_populates="parent")
        policy = Policy(read=related("parts"))

    class Part(Base):
        __tablename__ = "part"
        id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
        parent_id: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey("parent.id"))
        parent: orm.Mapped[Parent] = orm.relationship(back_populates="parts")
        policy = Policy(read=related("parent"))

    with pytest.raises(SetupError, match=r"Parent -> Part|Part -> Parent"):
        Rulebook(Base.registry).tables()


def test_a_child_of_the_same_row_has_no_policy_of_its_own():
    """Its rows are rows of the parent."""

    class Base(orm.DeclarativeBase):
        pass

    class Animal(Base):
        __tablename__ = "animal"
        id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
        kind: orm.Mapped[str]
        policy = Policy(read=everyone)
        __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "animal"}

    class Cat(Animal):
        __mapper_args__ = {"polymorphic_identity": "cat"}
        policy = Policy(read=nobody)

    with pytest.raises(SetupError, match="rows of Animal"):
        Rulebook(Base.registry).tables()
    assert Cat.policy is not Animal.policy


def test_shapes_know_only_what_rules_ask_for():
    """A hundred roles of the application do not make a hundred shapes."""
    _, book = model(Policy(read=role("a")))
    shapes = set()
    for name in "abcdef":
        with scope(user=name, roles={name}) as entered:
            shapes.add(id(book.shape(entered)))
    assert len(shapes) == 2
    assert Scope() == Scope()
