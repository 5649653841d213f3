"""What is compared in one process: calls, the policy, an idle request, pages, bulk inserts.

Each function returns {name: microseconds per call and round}, or seconds for `bulk`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import and_, bindparam, delete, insert, or_, text
from sqlalchemy.orm import Mapped

from benchmarks.data import shop
from benchmarks.data.programs import raw
from benchmarks.data.programs.carboy_read import BOOKS, on_shelf
from benchmarks.data.sides import CPU, WALL, connected, fresh_base, play
from benchmarks.drive import Wsgi
from benchmarks.programs import SECRET
from benchmarks.workloads import Shot
from carboy import Carboy
from carboy.base.battery import DEFAULT
from carboy.base.scope import scope
from carboy.data.bulk import bulk_insert
from carboy.data.clauses import Clause
from carboy.data.db import _connected, db
from carboy.data.fields import field
from carboy.data.keyset import keyset
from carboy.data.relations import belongs_to, has_many
from carboy.policy.binds import asker
from carboy.policy.book import Rulebook
from carboy.policy.plug import Guarding
from carboy.policy.policies import Policy
from carboy.policy.rules import everyone, owner, related, role, where

__all__ = ["BULK", "LARGE", "SMALL", "bulk", "calls", "idle", "keysets", "policy"]

BULK = 100_000
SMALL, LARGE = 1_000, 1_000_000
SHELF = 50


def calls(url: str, rounds: int) -> dict[str, list[float]]:
    """The call alone, inside of one request: what hand-written SQL and a Reading cost."""
    app = Carboy(__name__, static_folder=None)
    app.config.update(SECRET_KEY=SECRET, DATABASE_URL=url)
    app.scope_loader(lambda: shop.ME)
    answers = raw._postgresql(url) if url.startswith("postgresql") else raw._sqlite(url)
    with app.test_request_context("/"):
        ways = {
            "list raw": lambda: answers["list"](shop.ME, shop.SHELF),
            "list carboy": lambda: BOOKS.json(on_shelf(shop.SHELF), limit=20),
            "one raw": lambda: answers["one"](shop.ME, shop.KEY),
            "one carboy": lambda: BOOKS.one_json(shop.KEY),
        }
        for name in ("list", "one"):
            assert shop.same(ways[f"{name} raw"](), ways[f"{name} carboy"]())
        return play(ways, rounds)


def policy(url_of: Callable[[str], str], rounds: int) -> dict[str, list[float]]:
    """The compiled path without a policy, with its filter by hand, and with it.

    All three answer the same. url_of: gives an address of an empty database for a name.
    """
    with ExitStack() as stack:
        stack.enter_context(scope(user=1))
        ways: dict[str, Callable[[], Any]] = {}
        for kind in ("simple", "complex"):
            answers: dict[str, set[bytes]] = {}
            url = url_of(kind)
            for side in ("without", "by hand", "with"):
                book, base = _library(kind)
                if side == "without":
                    _fill_library(url, book, base, simple=kind == "simple")
                guard = Guarding(Rulebook(base.registry)) if side == "with" else None
                hand = (_by_hand(kind, book),) if side == "by hand" else ()
                for name, way in _reads(url, book, guard, hand, stack).items():
                    ways[f"{name} {kind} {side}"] = way
                    answers.setdefault(name, set()).add(way())
            assert all(len(one) == 1 for one in answers.values()), answers
        return play(ways, rounds)


def idle(rounds: int) -> dict[str, list[float]]:
    """A request that asks nothing, without and with the batteries `data` and `policy`."""
    ways = {}
    without = tuple(name for name in DEFAULT if name not in ("data", "policy"))
    for side, batteries in (("without", without), ("with", DEFAULT)):
        app = Carboy(f"idle_{side}", static_folder=None, batteries=batteries)
        app.config.update(SECRET_KEY=SECRET, DATABASE_URL="sqlite:///never.db", LOG_LEVEL="ERROR")
        app.get("/json", endpoint="json")(lambda: {"message": "Hello, World!"})
        driver = Wsgi(app)
        request = Shot("GET", "/json", headers=shop.HEADERS)
        assert driver.send(request).status == 200
        ways[side] = _requests(driver, request)
    return play(ways, rounds)


def _requests(driver: Wsgi, request: Shot) -> Callable[[], Any]:
    environ = driver.environ(request)

    def answer() -> None:
        result = driver.app(environ.copy(), driver.start_response)
        for _ in result:
            pass
        close = getattr(result, "close", None)
        if close is not None:
            close()

    return answer


def keysets(url: str, rounds: int) -> dict[str, list[float]]:
    """The first page and one in the middle, of SMALL and of LARGE rows."""
    base = fresh_base()
    ways: dict[str, Callable[[], Any]] = {}
    with connected(url) as sessions, scope(user=1):
        session = sessions.current()
        for name, count in (("small", SMALL), ("large", LARGE)):
            item: Any = type(
                f"Item{name}",
                (base,),
                {
                    "__tablename__": f"items_{name}",
                    "__annotations__": {"points": Mapped[int], "title": Mapped[str]},
                    "points": field(index=True),
                    "title": field(max_length=40),
                },
            )
            base.metadata.create_all(sessions.places.engine("main"))
            _count_up(session, f"items_{name}", count)
            for place, cursor in (("first", None), ("middle", _middle(session, item, count))):
                ways[f"{place} {name}"] = _page(session, item, cursor)
        return play(ways, rounds, clock=WALL if url.startswith("postgresql") else CPU)


def bulk(url: str, rounds: int) -> dict[str, list[float]]:
    """Seconds of CPU for BULK rows: Core's executemany, db.bulk, and it under a policy."""
    base = fresh_base()

    class Shelf(base):  # type: ignore[misc,valid-type]  # made above
        name: Mapped[str] = field(max_length=20)
        policy = Policy(read=everyone, create=everyone)

    class Part(base):  # type: ignore[misc,valid-type]  # made above
        keeper: Mapped[int] = field()
        shelf: Mapped[Shelf] = belongs_to()  # above
        title: Mapped[str] = field(max_length=200)
        price: Mapped[float] = field(ge=0)
        stock: Mapped[int] = field(ge=0)
        live: Mapped[bool] = field(default=True)
        at: Mapped[datetime | None] = field()
        policy = Policy(read=everyone, create=owner("keeper"))

    rows = [
        {"keeper": 1, "shelf_id": 1, "title": f"Part number {n}", "price": n / 7, "stock": n,
         "live": n % 3 == 0, "at": datetime(2026, 5, 1, tzinfo=UTC)}
        for n in range(BULK)
    ]  # fmt: skip
    found: dict[str, list[float]] = {"core": [], "bulk": [], "bulk, policy": []}
    table = Part.__table__
    with connected(url) as plain, scope(user=1):
        engine = plain.places.engine("main")
        base.metadata.create_all(engine)
        bulk_insert(plain.current(), Shelf, [{"name": "a"}])
        guard = Guarding(Rulebook(base.registry))
        with connected(url, guard) as guarded:
            ways = {
                "core": lambda: _core(engine, table, rows),
                "bulk": lambda: bulk_insert(plain.current(), Part, rows),
                "bulk, policy": lambda: bulk_insert(guarded.current(), Part, rows),
            }
            for _ in range(rounds):
                for name, way in ways.items():
                    began = time.process_time()
                    way()
                    found[name].append(time.process_time() - began)
                    with engine.begin() as connection:
                        connection.execute(delete(table))
    return found


def _core(engine: Any, table: Any, rows: list[Any]) -> None:
    with engine.begin() as connection:
        connection.execute(insert(table), rows)


def _library(kind: str) -> tuple[Any, Any]:
    """Return (Book, base): books of a shelf under a "simple" or a "complex" rule."""
    base = fresh_base()

    class Share(base):  # type: ignore[misc,valid-type]  # made above
        book: Mapped[Book] = belongs_to()  # below
        user: Mapped[int] = field()
        policy = Policy(read=everyone)

    class Book(base):  # type: ignore[misc,valid-type]  # made above
        author: Mapped[int] = field(index=True)
        shelf: Mapped[int] = field(index=True)
        title: Mapped[str] = field(max_length=80)
        year: Mapped[int] = field()
        public: Mapped[bool] = field()
        shares: Mapped[list[Share]] = has_many()  # above

    four = (
        where(lambda book: book.public)
        | (owner("author") & where(lambda book: book.year > 1900))
        | related("shares", where(lambda share: share.user == asker.user))
        | role("staff")
    )
    Book.policy = Policy(read=owner("author") if kind == "simple" else four)
    return Book, base


def _by_hand(kind: str, book: Any) -> Any:
    """Return the condition that the policy of *book* stands for, asked by person 1."""
    if kind == "simple":
        return book.author == 1
    mine = and_(book.author == 1, book.year > 1900)
    return or_(book.public, mine, book.shares.any(user=1))  # nobody has the role


def _fill_library(url: str, book: Any, base: Any, *, simple: bool) -> None:
    """Every SHELF of 20 is visible to person 1: as its author, or by a share."""
    share = next(m.class_ for m in base.registry.mappers if m.class_.__name__ == "Share")
    with connected(url) as sessions:
        base.metadata.create_all(sessions.places.engine("main"))
        session = sessions.current()
        bulk_insert(session, book, (
            {"title": f"title {n}", "author": n // 20 % SHELF + 1 if simple or n % 2 else 77,
             "shelf": n // 20, "year": 1950, "public": False}
            for n in range(2000)
        ))  # fmt: skip
        bulk_insert(session, share, ({"book_id": n + 1, "user": 1} for n in range(2000)))


def _reads(
    url: str, book: Any, guard: Any, hand: tuple[Any, ...], stack: ExitStack
) -> dict[str, Callable[[], Any]]:
    """Return the list and the one row as functions; each works in sessions of its own."""
    reading = book.read("id", "title", "year", "public", order=("id",), where=hand)
    clause = Clause(("shelf",), lambda c: c["shelf"] == bindparam("shelf"), {"shelf": SHELF})
    sessions = stack.enter_context(connected(url, guard))

    def on(call: Callable[[], bytes]) -> Callable[[], bytes]:
        def way() -> bytes:
            _connected.set(sessions)
            return call()

        return way

    return {
        "list": on(lambda: reading.json(clause, limit=20)),
        "one": on(lambda: reading.one_json(SHELF * 20 + 7 + 1)),
    }


def _count_up(session: Any, table: str, count: int) -> None:
    """Fill *table* inside the database: points repeat, so that the key decides, too."""
    numbers = (
        f"SELECT n FROM generate_series(1, {count}) AS n"  # ours
        if session.get_bind(clause=text("")).dialect.name == "postgresql"
        else "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c"  # ours
        f" WHERE n < {count}) SELECT n FROM c"
    )
    session.execute(
        text(
            f"INSERT INTO {table} (points, title)"  # ours
            f" SELECT CAST(n AS bigint) * 7919 % {count // 3}, 'title ' || n FROM ({numbers}) AS s"
        )
    )
    session.commit()
    if session.get_bind(clause=text("")).dialect.name == "postgresql":
        session.execute(text(f"ANALYZE {table}"))
        session.commit()


def _middle(session: Any, item: Any, count: int) -> str:
    """Return the cursor of the page in the middle of the list."""
    cursor, step = None, min(1000, count // 4)
    for _ in range(count // 2 // step):
        page = keyset(session, db.select(item), ("-points",), size=step, cursor=cursor)
        cursor = page.next
        session.expunge_all()
    assert cursor
    return cursor


def _page(session: Any, item: Any, cursor: str | None) -> Callable[[], Any]:
    statement = db.select(item)

    def way() -> None:
        page = keyset(session, statement, ("-points",), size=20, cursor=cursor)
        assert len(page) == 20
        session.expunge_all()

    return way
