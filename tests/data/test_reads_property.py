"""Reads answer what the ORM answers: random selections, orders, conditions, pages, people."""

import itertools
import json
import os
from contextlib import ExitStack, contextmanager

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings, strategies as st
from sqlalchemy import MetaData, bindparam, select
from sqlalchemy.orm import registry
from tests.data.reads_models import as_dicts, as_objects, fill, models, shown

from carboy.base.scope import scope, unscoped
from carboy.data.clauses import Clause
from carboy.data.models import CONVENTION, Model
from carboy.data.places import Places
from carboy.data.reads import seams
from carboy.data.session import Sessions
from carboy.policy.book import Rulebook
from carboy.policy.plug import Guarding

EXAMPLES = {"sqlite": int(os.environ.get("READS_EXAMPLES", 600)), "pg": 150, "mariadb": 150}
servers = [pytest.mark.server]
ABOVE = {
    "Book": {"person": "Person", "tags": "Tag", "notes": "Note"},
    "Person": {"country": "Country", "books": "Book"},
    "Country": {"people": "Person"},
    "Tag": {"books": "Book"},
    "Note": {"book": "Book"},
}
SCOPES = {
    "nobody": lambda: scope(),
    "first": lambda: scope(user=1),
    "third": lambda: scope(user=3),
    "staff": lambda: scope(user=2, roles={"staff"}),
    "system": lambda: unscoped("test"),
}
_numbers = itertools.count()


@pytest.fixture(params=["sqlite", *(pytest.param(n, marks=servers) for n in ("pg", "mariadb"))])
def world(request, tmp_path_factory):
    """Models with and without policies; on a server both use the same tables."""
    found, opened = {}, []
    for policies in (False, True):
        metadata = MetaData(naming_convention=CONVENTION)
        own = registry(metadata=metadata)
        base = type(
            "Base",
            (Model,),
            {"__abstract__": True, "registry": own, "_sa_registry": own, "metadata": metadata},
        )
        url = f"sqlite:///{tmp_path_factory.mktemp('reads')}/rows.db"
        if request.param != "sqlite":
            url = request.getfixturevalue(request.param)
        m = models(base, policies)
        guard = Guarding(Rulebook(own)) if policies else None
        places = Places({"main": url}, guard=guard)
        opened.append(places)
        with unscoped("test"):
            metadata.drop_all(places.engine("main"))
            metadata.create_all(places.engine("main"))
            sessions = Sessions(places)
            fill(sessions.current(), m)
            sessions.close()
        found[policies] = (m, places)
    yield request.param, found
    for places in opened:
        places.dispose()


@st.composite
def paths(draw, model, depth=3):
    """Draw names to read of a model, along its relations."""
    m, name = model
    fields = [n for n, f in getattr(m, name).facts().fields.items() if f.api != "hidden"]
    fields += ["length"] if name == "Book" else []
    own = draw(st.lists(st.sampled_from(fields), min_size=1, max_size=6, unique=True))
    if depth:
        for relation in draw(
            st.lists(st.sampled_from(sorted(ABOVE[name])), max_size=2, unique=True)
        ):
            below = draw(paths((m, ABOVE[name][relation]), depth - 1))
            own += [f"{relation}.{path}" for path in below]
    return own


@st.composite
def orders(draw, m, name):
    """Draw names to sort by, and the same for the ORM."""
    fields = ["id", "title", "pages", "price", "seen", "born"] if name == "Book" else ["id"]
    names = draw(st.lists(st.sampled_from(fields), max_size=3, unique=True))
    return [("-" if draw(st.booleans()) else "") + one for one in names]


def at_least(name, value):
    """Return a clause, and the same for the ORM."""
    clause = Clause((name, ">="), lambda c: c[name] >= bindparam("value"), {"value": value})
    return clause, lambda model: getattr(model, name) >= value


def among(name, *values):
    """Return the same of a list: as many binds, whose names all clauses of that form share."""
    binds = {f"v{n}": value for n, value in enumerate(values)}
    form = (name, "in", len(values))
    clause = Clause(form, lambda c: c[name].in_([bindparam(b) for b in binds]), binds)
    return clause, lambda model: getattr(model, name).in_(values)


CLAUSES = st.one_of(
    st.integers(0, 8).map(lambda n: at_least("pages", n)),
    st.integers(0, 13).map(lambda n: at_least("id", n)),
    st.lists(st.integers(1, 13), min_size=1, max_size=3).map(lambda ids: among("id", *ids)),
    st.sampled_from(["Emma", 'Quo"te\\', "%"]).map(lambda text: at_least("title", text)),
)


@contextmanager
def asking(places, who):
    """Enter a scope, with sessions of its own that reads use too."""
    sessions = Sessions(places)
    with ExitStack() as stack:
        stack.callback(sessions.close)
        stack.enter_context(SCOPES[who]())
        seams.sessions = lambda: sessions
        yield sessions.current()


@pytest.mark.slow
def test_reads_answer_what_the_orm_answers(world, monkeypatch):
    """For everybody, with and without policies, in any order of people: plans are kept."""
    monkeypatch.setattr(seams, "sessions", None, raising=False)
    kind, both = world
    kept = {}

    @settings(
        max_examples=EXAMPLES[kind], deadline=None, database=None,
        suppress_health_check=list(HealthCheck),
        phases=[p for p in Phase if p is not Phase.explain],
    )  # fmt: skip
    @given(st.data())
    def check(data):
        m, places = both[data.draw(st.booleans(), label="policies")]
        name = data.draw(st.sampled_from(["Book", "Book", "Book", "Person", "Tag", "Note"]))
        model = getattr(m, name)
        names = tuple(data.draw(paths((m, name)), label="names"))
        order = tuple(data.draw(orders(m, name), label="order"))
        reading = kept.setdefault((model, names, order), model.read(*names, order=order))
        drawn = data.draw(st.lists(CLAUSES, max_size=2)) if name == "Book" else []
        clauses = [clause for clause, _ in drawn]
        limit = data.draw(st.one_of(st.none(), st.integers(1, 8)), label="limit")
        offset = data.draw(st.integers(0, 4), label="offset")
        plain = {"id", "-id", "title", "-title"}  # pages put NULL where they want it
        backward = plain.issuperset(order) and data.draw(st.booleans())
        for who in data.draw(st.lists(st.sampled_from(sorted(SCOPES)), min_size=1, max_size=5)):
            with asking(places, who) as session:
                sort = [_sorted(model, one) for one in reading.order]
                asked = select(model).where(*(said(model) for _, said in drawn)).order_by(*sort)
                found = session.scalars(
                    asked.limit(limit).offset(offset) if limit or offset else asked
                ).all()
                expected = as_objects(found, names)
                event(f"{min(len(found), 3)} rows")
                assert as_dicts(reading.rows(*clauses, limit=limit, offset=offset)) == expected
                for moments in ("http", "iso"):
                    said = reading.json(*clauses, limit=limit, offset=offset, moments=moments)
                    assert json.loads(said) == shown(expected, moments)
                for one, wanted in zip(found[:2], expected, strict=False):
                    assert as_dicts([reading.one(one.id)]) == [wanted]
                    assert json.loads(reading.one_json(one.id, *clauses)) == shown(wanted)
                    iso = reading.one_json(one.id, *clauses, moments="iso")
                    assert json.loads(iso) == shown(wanted, "iso")
                if backward:
                    ends = session.scalars(asked).all()[-(limit or 100) :]
                    fetched = reading.fetch(clauses, limit=limit, backward=True)
                    assert as_dicts(fetched.rows()) == as_objects(ends, names)
                    keys = [
                        tuple(getattr(row, n.lstrip("-")) for n in reading.order) for row in ends
                    ]
                    assert [fetched.key(n) for n in range(len(fetched))] == keys

    check()


def _sorted(model, name):
    column = getattr(model, name.lstrip("-"))
    return column.desc() if name.startswith("-") else column.asc()
