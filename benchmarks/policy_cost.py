"""What a policy costs an ORM query: the same queries with and without it, side by side.

    python -m benchmarks.policy_cost [--rounds 21] [--processes 7] [--data]
                                     [--profile "entities complex"]

Both sides read one SQLite in memory through one connection of the driver; one engine has
the policy compiled in. Rounds are interleaved in random order, CPU time only; answers are
compared first. Where a process happens to lay out its memory moves a side by up to 15 %,
so the ratio is the median over processes. --data: on carboy.data's engines and sessions.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import multiprocessing
import pstats
import random
import sqlite3
import statistics
import time
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy import ForeignKey, orm
from sqlalchemy.orm import Mapped, mapped_column, relationship

from carboy.base.scope import scope
from carboy.data.engines import engine_for
from carboy.data.places import Places
from carboy.data.session import DataSession
from carboy.policy.binds import asker
from carboy.policy.book import Rulebook
from carboy.policy.filters import install
from carboy.policy.policies import Policy
from carboy.policy.rules import everyone, owner, related, role, where
from carboy.policy.session import PolicyMixin, PolicySession

__all__ = ["Ratio", "main", "measure"]

CALLS = 60  # queries in one turn: about 10 ms
ROWS = 20
FILLED = 2_000


@dataclass
class Ratio:
    """CPU microseconds per query without and with the policy: the least of each process."""

    name: str
    plain: list[float] = field(default_factory=list)
    policy: list[float] = field(default_factory=list)

    @property
    def each(self) -> list[float]:
        """The ratio in each process, ascending."""
        return sorted(two / one for one, two in zip(self.plain, self.policy, strict=True))

    def __str__(self) -> str:
        each = self.each
        return (
            f"{self.name:22} {statistics.median(self.plain):7.1f} "
            f"{statistics.median(self.policy):7.1f}   x {statistics.median(each):.2f}"
            f"   {each[0]:.2f} to {each[-1]:.2f}"
        )


def library(kind: str):
    """Return (Book, registry): books of a shelf under a "simple" or a "complex" rule."""

    class Base(orm.DeclarativeBase):
        pass

    class Share(Base):
        __tablename__ = "share"
        id: Mapped[int] = mapped_column(primary_key=True)
        book_id: Mapped[int] = mapped_column(ForeignKey("book.id"), index=True)
        user: Mapped[int]
        policy = Policy(read=everyone)

    class Book(Base):
        __tablename__ = "book"
        id: Mapped[int] = mapped_column(primary_key=True)
        title: Mapped[str]
        author: Mapped[int] = mapped_column(index=True)
        shelf: Mapped[int] = mapped_column(index=True)
        year: Mapped[int]
        public: Mapped[bool]
        shares: Mapped[list[Share]] = relationship(Share)

    simple = owner("author")
    four = (
        where(Book.public)
        | (owner("author") & where(Book.year > 1900))
        | related("shares", where(Share.user == asker.user))
        | role("staff")
    )
    Book.policy = Policy(read=simple if kind == "simple" else four)
    return Book, Share, Base


def fill(engine: sa.Engine, book: type, share: type) -> None:
    """Every shelf of 20 is visible to person 1, as its author or by a share."""
    book.metadata.create_all(engine)
    simple = "shares" not in str(book.policy.rules["read"].words())
    books = [
        {"id": n, "title": f"title {n}", "author": 1 if simple or n % 2 else 2,
         "shelf": n // ROWS, "year": 1950, "public": False}
        for n in range(FILLED)
    ]  # fmt: skip
    shares = [{"id": n, "book_id": n, "user": 1} for n in range(FILLED)]
    with engine.begin() as connection:
        connection.execute(sa.insert(book), books)
        connection.execute(sa.insert(share), shares)


def queries(book: type):
    """Return {name: function of a session}; each returns plain values to compare."""
    entities = sa.select(book).where(book.shelf == 7).order_by(book.id).limit(ROWS)
    columns = (
        sa.select(book.id, book.title, book.year, book.public)
        .where(book.shelf == 7)
        .order_by(book.id)
        .limit(ROWS)
    )
    return {
        "entities": lambda session: [one.id for one in session.scalars(entities)],
        "columns": lambda session: session.execute(columns).all(),
        "one by key": lambda session: session.get(book, 147).title,
    }


def sides(kind: str, data: bool):
    """Return (queries, session, engine) without the policy, and with it."""
    found = []
    raw = sqlite3.connect(":memory:", check_same_thread=False)
    for policy in (False, True):
        book, share, base = library(kind)
        more = {"creator": lambda: raw, "poolclass": sa.StaticPool}
        engine = engine_for("sqlite://", **more) if data else sa.create_engine("sqlite://", **more)
        if not policy:
            fill(engine, book, share)
        rules = Rulebook(base.registry)
        if policy:
            install(engine, rules)
        found.append((queries(book), _session(engine, rules, policy, data), engine))
    return found


def _session(engine, rules, policy, data):
    if not data:
        bases = (PolicySession,) if policy else (orm.Session,)
        return type("Session", bases, {"book": rules})(engine)
    places = Places({"main": "sqlite://"})
    places._engines["main"] = engine
    bases = (PolicyMixin, DataSession) if policy else (DataSession,)
    return type("Session", bases, {"book": rules})(places)


def turn(query, session, calls: int = CALLS) -> float:
    """Return CPU microseconds per query."""
    begin = time.process_time_ns()
    for _ in range(calls):
        query(session)
    return (time.process_time_ns() - begin) / calls / 1_000


def once(rounds: int, data: bool) -> dict[str, tuple[float, float]]:
    """Return {case: (without, with)}, the least of *rounds* interleaved turns in this process."""
    with scope(user=1):
        cases = []
        for kind in ("simple", "complex"):
            plain, policy = sides(kind, data)
            for name in plain[0]:
                assert plain[0][name](plain[1]) == policy[0][name](policy[1])
                for at, side in enumerate((plain, policy)):
                    cases.append((f"{name} {kind}", at, side[0][name], side[1], []))
        gc.disable()
        for number in range(-3, rounds):  # three to warm up
            random.shuffle(cases)
            for *_, query, session, figures in cases:
                took = turn(query, session)
                if number >= 0:
                    figures.append(took)
            gc.collect()
    found = {case[:2]: min(case[-1]) for case in cases}
    return {
        name: (found[name, 0], found[name, 1])
        for name in dict.fromkeys(n for n, _ in sorted(found))
    }


def measure(rounds: int = 21, *, processes: int = 7, data: bool = False) -> list[Ratio]:
    """Return a Ratio for each query under each rule."""
    ratios: dict[str, Ratio] = {}
    for _ in range(processes):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            for name, (plain, policy) in pool.apply(once, (rounds, data)).items():
                ratio = ratios.setdefault(name, Ratio(name))
                ratio.plain.append(plain)
                ratio.policy.append(policy)
    return list(ratios.values())


def profile(name: str, *, data: bool) -> None:
    """Print where the time of one query goes, without and with the policy."""
    query, _, kind = name.rpartition(" ")
    for side in sides(kind, data):
        turn(side[0][query], side[1])
        profiler = cProfile.Profile()
        profiler.runcall(turn, side[0][query], side[1], 2_000)
        pstats.Stats(profiler).sort_stats("tottime").print_stats(28)


def main() -> None:
    """Print the table, or a profile."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--processes", type=int, default=7)
    parser.add_argument("--data", action="store_true")
    parser.add_argument("--profile", default="", metavar="QUERY")
    given = parser.parse_args()
    if given.profile:
        with scope(user=1):
            profile(given.profile, data=given.data)
        return
    print(f"{'CPU us per query':22} {'without':>7} {'with':>7}   ratio, and its range")
    for ratio in measure(given.rounds, processes=given.processes, data=given.data):
        print(ratio)


if __name__ == "__main__":
    main()
