"""Tenants: Policy(tenant="org") keeps everything of a tenant inside of it."""

import pytest
import sqlalchemy as sa
from oracle_databases import KINDS, address, emptied
from sqlalchemy.orm import Mapped, registry

from carboy.base.scope import current, scope, unscoped
from carboy.data.constraints import unique
from carboy.data.fields import field, providers
from carboy.data.models import CONVENTION, Model
from carboy.data.relations import belongs_to
from carboy.policy.book import Rulebook
from carboy.policy.errors import Conflict, NotFound, NotPermitted
from carboy.policy.filters import install
from carboy.policy.policies import Field, Policy
from carboy.policy.rules import everyone, related, role, tenant
from carboy.policy.session import PolicySession


def models():
    """Return the models of two offices, A (1) and B (2)."""
    metadata = sa.MetaData(naming_convention=CONVENTION)
    own = registry(metadata=metadata)

    class Base(Model):
        __abstract__ = True
        registry = own
        _sa_registry = own

    Base.metadata = metadata

    class Org(Base):
        policy = Policy(read=tenant("id"))

    class Folder(Base):
        name: Mapped[str] = field(max_length=20)
        org: Mapped[Org] = belongs_to()
        constraints = (unique("org", "name"),)
        policy = Policy(read=everyone, write=everyone, tenant="org")

    class Paper(Base):
        folder: Mapped[Folder | None] = belongs_to()
        org: Mapped[Org] = belongs_to(default="current_tenant")
        policy = Policy(read=related("folder"), write=everyone, tenant="org")

    return Base, Org, Folder, Paper


@pytest.fixture(params=KINDS)
def office(request, monkeypatch):
    """A session and the models; folder 1 is of org 1, folder 2 of org 2, each with a paper."""
    monkeypatch.setitem(providers, "current_tenant", lambda: current().tenant)
    base, org, folder, paper = models()
    engine = emptied(address(request, request.param))
    book = Rulebook(base.registry)
    install(engine, book)
    with type("Session", (PolicySession,), {"book": book})(engine) as session:
        with unscoped("test"):
            base.metadata.create_all(engine)
            session.add_all(org(id=n) for n in (1, 2))
            session.flush()
            session.add_all(folder(id=n, org_id=n, name="in") for n in (1, 2))
            session.flush()
            session.add_all(paper(id=n, org_id=n, folder_id=n) for n in (1, 2))
            session.commit()
        yield session, org, folder, paper
    engine.dispose()
    base.registry.dispose()


def test_what_is_new_is_of_the_tenant_of_who_asks(office):
    """Said or not, by object or by statement, as long as a default says so."""
    session, _, folder, paper = office
    with scope(user=7, tenant=2):
        made = [folder(id=50, name="a"), paper(id=50), folder(id=51, name="b", org_id=2)]
        session.add_all(made)
        session.flush()
        assert [one.org_id for one in made] == [2, 2, 2]
        session.execute(sa.insert(paper.__table__).values(id=52))
        session.execute(sa.insert(paper.__table__).values([{"id": 53}, {"id": 54}]))
        session.commit()
    with unscoped("test"):
        assert set(session.scalars(sa.select(paper.org_id).where(paper.id > 50))) == {2}


def test_who_may_not_set_the_tenant_is_given_it_all_the_same(office):
    """A field rule is about what is set by hand."""
    session, _, folder, _ = office
    folder.policy.fields["org"] = Field(write=role("admin"))
    session.book.stale = True
    with scope(user=7, tenant=2):
        session.add(folder(id=50, name="a"))
        session.flush()
        session.add(folder(id=51, name="b", org_id=2))
        with pytest.raises(NotPermitted):
            session.flush()


@pytest.mark.parametrize("how", ["object", "statement"])
def test_nothing_is_created_for_another_tenant(office, how):
    """Nor for none, and by nobody without a tenant."""
    session, _, folder, _ = office
    for mine, given in ((2, 1), (None, 1), (None, None)):
        if mine is None and given is None and how == "statement":
            continue
        with scope(user=7, tenant=mine), pytest.raises((NotPermitted, Conflict)) as error:
            create(session, folder, how, given)
        assert error.value.code in ("policy.create", "data.reference", "data.required")
        session.rollback()


def create(session, folder, how, org):
    """Create a folder for *org*."""
    if how == "statement":
        session.execute(sa.insert(folder.__table__).values(id=60, name="x", org_id=org))
    else:
        session.add(folder(id=60, name="x", org_id=org))
        session.flush()


def test_nothing_moves_to_another_tenant(office):
    """By flush, by key and by a statement for all."""
    session, _, folder, _ = office
    with scope(user=7, tenant=1):
        session.get(folder, 1).org_id = 2
        with pytest.raises(NotFound):
            session.flush()
        session.rollback()
        with pytest.raises(NotFound):
            session.bulk_update_mappings(folder, [{"id": 1, "org_id": 2}])
        session.rollback()
        table = folder.__table__
        assert session.execute(sa.update(table).values(org_id=2)).rowcount == 0
        assert session.execute(sa.update(table).values(name="x")).rowcount == 1


def test_nothing_refers_to_another_tenant(office):
    """As if it did not exist; word for word what a folder that never was is answered with."""
    session, _, _, paper = office
    with scope(user=7, tenant=1):
        for key in (2, 99):
            session.add(paper(id=70, folder_id=key))
            with pytest.raises(Conflict) as error:
                session.flush()
            assert error.value.code == "data.reference"
            session.rollback()
            session.get(paper, 1).folder_id = key
            with pytest.raises(NotFound):
                session.flush()
            session.rollback()


def test_a_rule_about_a_related_row_does_not_leave_the_tenant(office):
    """The paper is ours, the folder it was put into by the system is theirs: hidden."""
    session, _, _, paper = office
    with unscoped("test"):
        session.execute(sa.update(paper).where(paper.id == 1).values(folder_id=2))
        session.commit()
    with scope(user=7, tenant=1):
        assert session.scalars(sa.select(paper.id)).all() == []
    with scope(user=7, tenant=2):
        assert session.scalars(sa.select(paper.id)).all() == [2]


def test_unique_per_tenant_tells_nothing_of_others(office):
    """Both have a folder "in"; a constraint over the name alone would tell."""
    session, _, folder, _ = office
    with scope(user=7, tenant=1):
        session.add(folder(id=80, name="in"))
        with pytest.raises(Conflict) as error:
            session.flush()
        assert error.value.code == "data.unique"
        session.rollback()
    with unscoped("test"):
        session.execute(sa.update(folder).where(folder.id == 2).values(name="out"))
        session.commit()
    with scope(user=7, tenant=1):
        session.add(folder(id=80, name="out"))
        session.commit()
