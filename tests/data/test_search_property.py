"""Searches against a plain loop over the rows, and whatever somebody may type.

random texts, random words  ->  the database  |  every word occurs, in some field
"""

import os
import re
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from sqlalchemy import MetaData, delete, select, update
from sqlalchemy.orm import Mapped, Session, registry

from carboy.base.errors import RequestFault
from carboy.data.engines import engine_for
from carboy.data.fields import field
from carboy.data.fulltext.words import parse
from carboy.data.models import CONVENTION, Model
from carboy.data.search import search

EXAMPLES = int(os.environ.get("CARBOY_SEARCH_EXAMPLES", "300"))

own = registry(metadata=MetaData(naming_convention=CONVENTION))


class Base(Model):
    __abstract__ = True
    registry = own
    _sa_registry = own


Base.metadata = own.metadata


class Leaf(Base):
    __tablename__ = "search_leaves"
    title: Mapped[str] = field(search=True)
    body: Mapped[str | None] = field(search=True)


KINDS = ["sqlite", *(pytest.param(n, marks=pytest.mark.server) for n in ("pg", "mariadb"))]
words = st.sampled_from(
    ["a", "an", "the", "emma", "Émile", "emil", "of", "x1", "1815", "jane", "JANE"]
)
texts = st.lists(words, max_size=6).flatmap(
    lambda found: st.sampled_from([" ", ", ", "-", "/", "_", "\n"]).map(lambda gap: gap.join(found))
)
asked = st.lists(
    st.one_of(
        words,
        words.map(lambda word: word + "*"),
        st.lists(words, min_size=2, max_size=3).map(lambda some: f'"{" ".join(some)}"'),
    ),
    min_size=1, max_size=3,
).map(" ".join)  # fmt: skip
SIGNS = [
    '"', "*", "+", "-", "(", ")", "~", "<", ">", "@", "'", "\\", ":", "&", "|", "!", "<->", "AND",
    "OR", "NOT", "NEAR(", "^", "{a", "title:", "a", "%", "_",
]  # fmt: skip
ODD = [
    "\0", "\u202e", "\ud800", "é", "e\u0301", "？", "中文", "ß", "İ", "ﬁ", "\U0001d518", "कक्षा",
    "٣", "½", "²", "ʰ", "…", "\u200b", "\ufeff", "x" * 90, " ",
]  # fmt: skip
typed = st.text(max_size=60) | st.lists(st.sampled_from(SIGNS + ODD), max_size=12).map("".join)


def plain(text):
    bare = re.sub("[\u0300-\u036f]", "", unicodedata.normalize("NFD", text)).lower()
    return re.findall(r"[^\W_]+", bare)


def occurs(term, fields):
    wanted = [word.lower() for word in term.words]
    for found in map(plain, fields):
        for start in range(len(found)):
            here = found[start : start + len(wanted)]
            if here == wanted or (term.prefix and here and here[0].startswith(wanted[0])):
                return True
    return False


@pytest.fixture
def opened(request):
    kind = request.param
    engine = engine_for("sqlite://" if kind == "sqlite" else request.getfixturevalue(kind))
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        yield session
    Base.metadata.drop_all(engine)
    engine.dispose()


def quick(examples):
    return settings(
        max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("opened", KINDS, indirect=True)
def test_the_rows_that_a_loop_finds(opened, request):
    """After rows came, changed and went; in step, on every database."""
    less = 1 if opened.get_bind().dialect.name == "sqlite" else 8

    @quick(EXAMPLES // less)
    @given(st.lists(st.tuples(texts, st.none() | texts), max_size=5), st.data())
    def run(rows, data):
        opened.execute(delete(Leaf))
        leaves = [Leaf(title=title, body=body) for title, body in rows]
        opened.add_all(leaves)
        opened.commit()
        for leaf in leaves[::2]:
            opened.execute(update(Leaf).where(Leaf.id == leaf.id).values(body=data.draw(texts)))
        for leaf in leaves[1::3]:
            opened.execute(delete(Leaf).where(Leaf.id == leaf.id))
        opened.commit()
        there = opened.execute(select(Leaf.id, Leaf.title, Leaf.body)).all()
        for _ in range(3):
            text = data.draw(asked)
            terms = parse(text).terms
            expected = {
                key for key, title, body in there
                if all(occurs(term, (title, body or "")) for term in terms)
            }  # fmt: skip
            found = opened.scalars(select(Leaf.id).where(*search(Leaf, text).where()))
            assert set(found) == expected, text

    run()


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("opened", KINDS, indirect=True)
def test_nothing_that_is_typed_is_an_error(opened):
    """Never one of syntax: rows, or 400 for too much."""
    opened.add_all([Leaf(title="a"), Leaf(title="é x")])
    opened.commit()

    @quick(EXAMPLES)
    @given(typed)
    def run(text):
        try:
            found = search(Leaf, text)
        except RequestFault as fault:
            assert fault.status == 400  # noqa: PT017  # both ends are right
            return
        wanted = select(Leaf.id).where(*found.where()).order_by(found.best())
        assert len(opened.scalars(wanted).all()) <= 2

    run()
