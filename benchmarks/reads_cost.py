"""What a compiled read costs beside the raw driver and msgspec, with and without policy.

    python -m benchmarks.reads_cost [--rounds N] [address ...]

Each round runs every variant a moment, in random order, so that whatever else the machine
does hits all alike; a ratio is taken within a round. Client CPU time: the wait for a server
counts nowhere. An address is a database that may be written to, such as
postgresql://user@host/empty; without any, SQLite in a temporary file.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field as dataclass_field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Engine, insert, select, text
from sqlalchemy.orm import Mapped, Session

from carboy.base.scope import scope
from carboy.data.db import _connected
from carboy.data.fields import field
from carboy.data.guards import guard_for
from carboy.data.models import Model
from carboy.data.places import MAIN, Places
from carboy.data.relations import belongs_to
from carboy.data.session import Sessions
from carboy.engine.jsons import quick_default
from carboy.policy.policies import Policy
from carboy.policy.rules import everyone, owner, related, role, where

ROWS = 10_000
TURN_S = 0.01  # CPU seconds of one variant in one round
START = datetime(2026, 1, 1, tzinfo=UTC)


class Writer(Model):
    """Who wrote something; everybody may know."""

    name: Mapped[str] = field(max_length=40)
    policy = Policy(read=everyone)


class Piece(Model):
    """A row under a simple rule."""

    title: Mapped[str] = field(max_length=80)
    score: Mapped[int] = field(index=True)
    rating: Mapped[float]
    open: Mapped[bool] = field(index=True)
    written: Mapped[datetime]
    writer: Mapped[Writer] = belongs_to()
    policy = Policy(read=owner("writer") | where(lambda piece: piece.open == True))  # noqa: E712


class Guarded(Model):
    """The same under a rule of four terms, one of them about another table."""

    title: Mapped[str] = field(max_length=80)
    score: Mapped[int] = field(index=True)
    rating: Mapped[float]
    open: Mapped[bool] = field(index=True)
    written: Mapped[datetime]
    writer: Mapped[Writer] = belongs_to()
    policy = Policy(
        read=owner("writer")
        | where(lambda one: one.open == True)  # noqa: E712
        | role("staff")
        | related("writer", where(lambda one: one.name == "public"))
    )


NAMES = ("id", "title", "score", "rating", "open", "written")


@dataclass
class Variant:
    """One way to the answer. sessions: of `db` meanwhile. micros: CPU, one per round."""

    name: str
    call: Callable[[], Any]
    sessions: Any
    micros: list[float] = dataclass_field(default_factory=list)


def main() -> None:
    """Print a table for each database."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("addresses", nargs="*")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for address in asked.addresses or [f"sqlite:///{folder}/reads.db"]:
            measure(address, asked.rounds)


def measure(address: str, rounds: int) -> None:
    """Fill the database at *address* and print what reading from it costs."""
    places = Places({MAIN: address})  # without a guard: as if no model had a policy
    plain, others = Sessions(places), Sessions(places)  # an open session costs reads 1 us
    guarded = Sessions(Places({MAIN: address}, guard=guard_for(Model.registry)))
    try:
        fill(others.current())
        with scope(user=1):
            for title, group in groups(plain, others, guarded):
                table(f"{places.engine(MAIN).dialect.name}, {title}", group, rounds)
    finally:
        for sessions in (plain, others, guarded):
            sessions.close()
            sessions.places.dispose()


def fill(session: Session) -> None:
    """Write the rows: one in ten by the person who asks, one in two open to all."""
    bind = session.get_bind()
    Model.metadata.drop_all(bind)
    Model.metadata.create_all(bind)
    session.execute(insert(Writer), [{"name": f"writer {n}"} for n in range(10)])
    ids = list(session.scalars(select(Writer.id)))
    rows = [
        {
            "title": f"The title of piece {n}", "score": n * 7919 % ROWS, "rating": n / 7,
            "open": n % 2 == 0, "written": START + timedelta(minutes=n), "writer_id": ids[n % 10],
        }
        for n in range(ROWS)
    ]  # fmt: skip
    for model in (Piece, Guarded):
        session.execute(insert(model), rows)
    session.commit()
    for table in Model.metadata.sorted_tables if bind.dialect.name == "mariadb" else [""]:
        session.execute(text(f"ANALYZE {table and 'TABLE '}{table}"))  # as a server does by itself
    session.commit()


def groups(
    plain: Sessions, others: Sessions, guarded: Sessions
) -> Iterator[tuple[str, list[Variant]]]:
    """Yield what is compared: lists of 20 rows, and one row by its key."""
    driver = Driver(plain.places.engine(MAIN))
    simple = Piece.read(*NAMES, order=("-score",))
    complex_ = Guarded.read(*NAMES, order=("-score",))
    entities = select(Piece).order_by(Piece.score.desc(), Piece.id.desc()).limit(20)

    def orm(get: bool) -> Callable[[], Any]:
        def run() -> bytes:
            session = others.current()
            session.expunge_all()
            found = [session.get(Piece, 11)] if get else session.scalars(entities).all()
            said = msgspec.json.encode(
                [{name: getattr(one, name) for name in NAMES} for one in found]
            )
            session.rollback()
            return said

        return run

    for title, get in (("20 rows", False), ("one by key", True)):

        def ask(read: Any, how: str = "json", get: bool = get) -> Callable[[], Any]:
            if get:
                return lambda: getattr(read, "one_json" if how == "json" else "one")(11)
            return lambda: getattr(read, how)(limit=20)

        yield (
            title,
            [
                Variant("raw driver + msgspec", driver.query("pieces", "", get), plain),
                Variant("raw, the same bytes", driver.query("pieces", "", get, same=True), plain),
                Variant("compiled, no policy", ask(simple), plain),
                Variant("compiled, no policy, objects", ask(simple, "rows"), plain),
                Variant("raw, simple rule by hand", driver.query("pieces", SIMPLE, get), plain),
                Variant("compiled, simple rule", ask(simple), guarded),
                Variant("raw, complex rule by hand", driver.query("guardeds", COMPLEX, get), plain),
                Variant("compiled, complex rule", ask(complex_), guarded),
                Variant("ORM entities + msgspec", orm(get), others),
            ],
        )


SIMPLE = "(p.writer_id = {one} OR p.open = {yes})"
COMPLEX = (
    "(p.writer_id = {one} OR p.open = {yes}"
    " OR EXISTS (SELECT 1 FROM writers w WHERE w.id = p.writer_id AND w.name = {name}))"
)


class Driver:
    """The driver itself, as one would use it with all care: prepared, autocommit, held."""

    def __init__(self, engine: Engine) -> None:
        raw = engine.raw_connection()
        engine.dialect.set_isolation_level(raw.driver_connection, "AUTOCOMMIT")
        self.lite = engine.dialect.name == "sqlite"
        self.more = {"prepare": True} if engine.dialect.driver == "psycopg" else {}
        self.cursor, self.raw = raw.cursor(), raw

    def query(self, table: str, rule: str, get: bool, same: bool = False) -> Callable[[], Any]:
        """Return a function that gives JSON. same: with the conversions that ours has."""
        mark = "?" if self.lite else "%s"
        condition = rule.format(one=mark, yes="1" if self.lite else "true", name=mark) or "1 = 1"
        values = (11,) * get + (1, "public")[: condition.count(mark)]
        end = (
            f"p.id = {mark} AND {condition}"
            if get
            else f"{condition} ORDER BY p.score DESC, p.id DESC LIMIT 20"
        )
        sql = (
            f"SELECT p.id, p.title, p.score, p.rating, p.open, p.written FROM {table} p WHERE {end}"
        )
        encode, cursor, more = msgspec.json.Encoder().encode, self.cursor, self.more
        moment = (
            quick_default if not self.lite else lambda t: quick_default(datetime.fromisoformat(t))
        )

        def run() -> bytes:
            cursor.execute(sql, values, **more)
            return encode(
                [
                    {"id": a, "title": b, "score": c, "rating": d, "open": e, "written": f}
                    for a, b, c, d, e, f in cursor.fetchall()
                ]
            )

        def run_same() -> bytes:
            cursor.execute(sql, values, **more)
            return encode(
                [
                    {
                        "id": a,
                        "title": b,
                        "score": c,
                        "rating": d,
                        "open": bool(e),
                        "written": moment(f),
                    }
                    for a, b, c, d, e, f in cursor.fetchall()
                ]
            )

        return run_same if same else run


def table(title: str, variants: list[Variant], rounds: int) -> None:
    """Play the rounds and print a line for each variant."""
    counts = {}
    for variant in variants:
        turn(variant, 50)
        counts[variant.name] = max(10, round(TURN_S / turn(variant, 50)))
        variant.micros.clear()
    for _ in range(rounds):
        for variant in random.sample(variants, len(variants)):
            turn(variant, counts[variant.name])
    by_name = {variant.name: variant for variant in variants}
    print(f"\n{title}: CPU us (median); x raw and x the same rule by hand (median, quartiles)")
    hand = by_name["raw driver + msgspec"]
    for variant in variants:
        if variant.name.startswith("raw"):
            hand = variant
        ratios = [against(variant, other) for other in (variants[0], hand)]
        print(
            f"  {variant.name:32} {statistics.median(variant.micros):8.1f}   {'   '.join(ratios)}"
        )
    bare = by_name["compiled, no policy"]
    for name in ("compiled, simple rule", "compiled, complex rule"):
        print(f"  {name} x compiled without policy: {against(by_name[name], bare)}")


def against(variant: Variant, other: Variant) -> str:
    """Return the ratio within rounds."""
    ratios = [one / two for one, two in zip(variant.micros, other.micros, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    return f"{middle:6.2f} ({low:.2f}-{high:.2f})"


def turn(variant: Variant, count: int) -> float:
    """Run a variant *count* times; return CPU seconds of one."""
    _connected.set(variant.sessions)
    call = variant.call
    begin = time.process_time()
    for _ in range(count):
        call()
    spent = (time.process_time() - begin) / count
    variant.micros.append(spent * 1e6)
    return spent


if __name__ == "__main__":
    main()
