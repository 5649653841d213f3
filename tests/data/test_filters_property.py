"""Whatever a client sends to a list: 4xx, or SQL that holds nothing of it.

random parameters  ->  filters, sorts, search, cursor  ->  the statements are recorded
                                                       ->  rows as a plain loop finds them
"""

import os

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from sqlalchemy import MetaData, event, select
from sqlalchemy.orm import Mapped, Session, registry

from carboy.base.errors import RequestFault
from carboy.data.engines import engine_for
from carboy.data.fields import field
from carboy.data.filters import filters
from carboy.data.keyset import keyset
from carboy.data.models import CONVENTION, Model
from carboy.data.search import search
from carboy.data.sorts import sorts

EXAMPLES = int(os.environ.get("CARBOY_LIST_EXAMPLES", "400"))
MARK = "zqj"  # in every name and value that is sent

own = registry(metadata=MetaData(naming_convention=CONVENTION))


class Base(Model):
    __abstract__ = True
    registry = own
    _sa_registry = own


Base.metadata = own.metadata


class Paper(Base):
    __tablename__ = "hostile_papers"
    title: Mapped[str] = field(max_length=60, search=True)
    year: Mapped[int | None]


ALLOWED = filters(Paper, "title", "year")
ORDERED = sorts(Paper, "title", "year")

hostile = st.sampled_from(
    [
        "' OR 1=1 --", '" OR ""="', "; DROP TABLE hostile_papers; --", "\\", "\\'", "%", "_", "*",
        "?", ":title", "%(title)s", "{0}", "$1", "\0", "\u202e", "\ud800", "'", '"', "`", ")", "(",
        "/*", "*/", "#", "\n", "NULL", "NaN", "1e400", "[", "]", "!", "__class__", "title", "é",
        "\U0001f600", "-", "+", "~", "@", "<", ">", "AND", "NOT", "NEAR(", ":*", "<->", "^",
    ]
)  # fmt: skip
pieces = st.lists(hostile | st.text(max_size=4), max_size=5).map("".join)
marked = st.tuples(pieces, pieces).map(MARK.join)
known = st.sampled_from(
    ["title", "year", "title.contains", "title.startswith", "title.in", "year.in", "title.between",
     "title.ne", "year.null", "year.ge", "title.lt"]
)  # fmt: skip
questions = st.lists(st.tuples(known | marked, marked | st.integers().map(str)), max_size=4)


# Mostly good, so that most questions come as far as the database.
sort_texts = st.sampled_from(["-title", "title,year", "", "-year"]) | marked.filter(len)
cursors = st.sampled_from([None, None, ""]) | marked


class Seen(list):
    """The SQL that an engine executes."""

    def __call__(self, connection, cursor, statement, parameters, context, many):
        self.append(statement)


def property_on(url, examples):
    engine = engine_for(url)
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    seen, passed = Seen(), []
    titles = [f"{MARK} one", "*%_", "x' OR 1=1 --", f"{MARK}'; DROP", "é"]
    with Session(engine) as session:
        session.add_all([Paper(title=title, year=n or None) for n, title in enumerate(titles)])
        session.commit()
        event.listen(engine, "before_cursor_execute", seen)

        @settings(
            max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck),
            database=None,
        )  # fmt: skip
        @given(questions, sort_texts, marked | st.just(""), cursors)
        def run(asked, sort, words, cursor):
            del seen[:]
            try:
                found = ALLOWED.parse(asked)
                order = ORDERED.parse(sort)
                hits = search(Paper, words)
                wanted = select(Paper).where(*found.where(), *hits.where())
                page = keyset(session, wanted, order, size=3, cursor=cursor)
            except RequestFault:  # 4xx, and before anything was asked
                assert not seen
                return
            passed.append(1)
            assert MARK not in " ".join(seen).lower()
            assert len(page) <= 3

        run()
        assert len(passed) > examples // 20
        assert len(session.scalars(select(Paper)).all()) == len(titles)
    Base.metadata.drop_all(engine)
    engine.dispose()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nothing_that_is_sent_gets_into_sql():
    """Names, values, sorts, words and cursors, on SQLite."""
    property_on("sqlite://", EXAMPLES)


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.timeout(600)
@pytest.mark.parametrize("server", ["pg", "mariadb"])
def test_nothing_that_is_sent_gets_into_sql_of_servers(server, request):
    """With their drivers and their syntax of searches."""
    property_on(request.getfixturevalue(server), EXAMPLES // 4)


texts = st.text(alphabet="abAB%_*?[]!^-\\éÉ\U0001f600 '", max_size=6)


@pytest.mark.slow
@pytest.mark.parametrize(
    "server", ["sqlite", *(pytest.param(n, marks=pytest.mark.server) for n in ("pg", "mariadb"))]
)
def test_text_is_compared_as_python_compares_it(server, request):
    """Contains, begins, equals and order: the same rows as a plain loop finds."""
    url = "sqlite://" if server == "sqlite" else request.getfixturevalue(server)
    engine = engine_for(url)
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    judges = {
        "contains": lambda title, text: text in title,
        "startswith": str.startswith,
        "eq": lambda title, text: title == text,
        "ne": lambda title, text: title != text,
        "lt": lambda title, text: title < text,
        "ge": lambda title, text: title >= text,
    }
    with Session(engine) as session:

        @settings(
            max_examples=EXAMPLES // 4, deadline=None, suppress_health_check=list(HealthCheck),
            database=None,
        )  # fmt: skip
        @given(st.lists(texts, max_size=6), texts.filter(bool), st.sampled_from(sorted(judges)))
        def run(titles, text, operator):
            rows = [Paper(title=title) for title in titles]
            session.add_all(rows)
            session.flush()
            found = ALLOWED.parse({f"title.{operator}": text})
            got = session.scalars(select(Paper.title).where(*found.where())).all()
            assert sorted(got) == sorted(t for t in titles if judges[operator](t, text))
            session.rollback()

        run()
    Base.metadata.drop_all(engine)
    engine.dispose()
