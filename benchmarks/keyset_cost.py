"""What a page by key costs in a short list and in a long one: it should be the same.

    python -m benchmarks.keyset_cost [--rows 1000000] [--rounds 30] [--servers] [--no-sqlite]

Two tables of equal shape, 1,000 rows and a million. Each round reads the first page, one
in the middle (forwards and backwards) and one near the end, of both tables in turn, so that
a busy machine slows both alike. Told are medians of all rounds: microseconds of a page of
20 rows, by `db.keyset` on a session and on a Reading, and the ratio within each pair.
Numbered pages (OFFSET) of the same place stand beside it.

Targets: keyset x1.3 at most. SQLite in a file; PostgreSQL on a private server.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import Index, MetaData, select, text
from sqlalchemy.orm import Mapped, registry

from carboy.data.cursors import Place, write_cursor
from carboy.data.db import db
from carboy.data.fields import field
from carboy.data.models import CONVENTION, Model
from carboy.data.orders import order_of

SHORT, SIZE = 1_000, 20
ORDERS = {
    "key": (),
    "title, one way": ("title",),
    "-year, may be NULL": ("-year",),
    "stars, -title": ("stars", "-title"),
}

own = registry(metadata=MetaData(naming_convention=CONVENTION))


class Base(Model):
    __abstract__ = True
    registry = own
    _sa_registry = own


Base.metadata = own.metadata


def _indexes(name):
    return (
        Index(f"ix_{name}_title", "title", "id"),
        Index(f"ix_{name}_year", "year", "id"),
    )


class Short(Base):
    __tablename__ = "short_list"
    title: Mapped[str] = field(max_length=40)
    year: Mapped[int | None]
    stars: Mapped[int]
    __table_args__ = _indexes("short")


class Long(Base):
    __tablename__ = "long_list"
    title: Mapped[str] = field(max_length=40)
    year: Mapped[int | None]
    stars: Mapped[int]
    __table_args__ = _indexes("long")


# Of two directions: an index goes both ways only as it was made.
for _model in (Short, Long):
    Index(f"ix_{_model.__tablename__}_stars", _model.stars, _model.title.desc(), _model.id.desc())


FILL = """
INSERT INTO {table} (title, year, stars)
WITH RECURSIVE numbers(n) AS (
  SELECT CAST(0 AS BIGINT) UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :count
)
SELECT substr(CAST(10000000 + n * 7919 % 1000003 AS VARCHAR(20)), 2) || ' title',
  CASE WHEN n % 3 = 0 THEN NULL ELSE n * 31 % :count END, n % 5 FROM numbers
"""


def fill(model, count):
    """Insert *count* rows: titles in no order, a third of the years missing."""
    db.session.execute(text(FILL.format(table=model.__tablename__)), {"count": count})
    db.session.commit()


def places(model, names, count):
    """Return the cursors that a round visits: first, middle, back from it, near the end."""
    order = order_of(model, names)
    columns = [getattr(model, key.name) for key in order.keys]
    found = [None]
    for skipped in (count // 2, count - 2 * SIZE):
        row = db.session.execute(
            select(*columns)
            .order_by(
                *(c.desc() if k.descending else c for c, k in zip(columns, order.keys, strict=True))
            )
            .offset(skipped)
            .limit(1)
        ).one()
        long = len(names) > 1  # as a page there would say: it shares its first value
        found.append(write_cursor(order, Place(tuple(row), long=long)))
        if skipped == count // 2:
            found.append(write_cursor(order, Place(tuple(row), backward=True, long=long)))
    return found


def page_of_session(model, names, cursor):
    found = db.keyset(select(model), order=names, size=SIZE, cursor=cursor or "")
    items = found.items
    db.session.expunge_all()
    return items


def page_of_reading(model, names, cursor):
    return db.keyset(READINGS[model], order=names, size=SIZE, cursor=cursor or "").items


READINGS = {model: model.read("id", "title", "year", "stars") for model in (Short, Long)}
WAYS = {"session": page_of_session, "reading": page_of_reading}


def timed(function, *args):
    begin = time.perf_counter_ns()
    items = function(*args)
    took = (time.perf_counter_ns() - begin) / 1_000
    assert items, args
    return took


def measure(counts, rounds):
    """Print a line for each order and way; return the worst ratio."""
    worst = 0.0
    for title, names in ORDERS.items():
        cursors = {model: places(model, names, count) for model, count in counts.items()}
        for way, read in WAYS.items():
            took = {model: [] for model in counts}
            for number in range(rounds + 3):
                for spot in range(4):
                    for model in counts if number % 2 else reversed(counts):
                        one = timed(read, model, names, cursors[model][spot])
                        if number >= 3:  # compiled, cached, warm
                            took[model].append(one)
            short, long = (statistics.median(took[model]) for model in counts)
            # Within each pair, which met the same machine.
            ratio = statistics.median(b / a for a, b in zip(*took.values(), strict=True))
            worst = max(worst, ratio)
            print(f"  {title:20} {way:8} {short:8.0f} us {long:8.0f} us   x{ratio:.2f}")
    return worst


def numbered(counts, rounds):
    """Print what a numbered page in the middle costs, for comparison."""
    took = {model: [] for model in counts}
    for _ in range(max(3, rounds // 10)):
        for model, count in counts.items():
            page = count // 2 // SIZE
            wanted = select(model).order_by(model.title, model.id)
            took[model].append(
                timed(lambda w=wanted, p=page: db.paginate(w, page=p, per_page=SIZE).items)
            )
            db.session.expunge_all()
    short, long = (statistics.median(took[model]) for model in counts)
    title = "paginate, middle"
    print(f"  {title:20} {'session':8} {short:8.0f} us {long:8.0f} us   x{long / short:.0f}")


def on(name, address, rows, rounds):
    print(f"{name}: {SHORT:,} rows, {rows:,} rows, ratio")
    counts = {Short: SHORT, Long: rows}
    with db.connect(address):
        db.drop_all(metadata=Base.metadata)
        db.create_all(metadata=Base.metadata)
        for model, count in counts.items():
            fill(model, count)
        if name == "PostgreSQL":
            with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("VACUUM ANALYZE")
        else:
            with db.engine.begin() as connection:
                connection.exec_driver_sql("ANALYZE")
        worst = measure(counts, rounds)
        numbered(counts, rounds)
        print(f"  worst: x{worst:.2f}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--servers", action="store_true", help="PostgreSQL too")
    parser.add_argument("--no-sqlite", action="store_true", help="only the servers")
    asked = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if not asked.no_sqlite:
            on("SQLite", f"sqlite:///{folder}/lists.db", asked.rows, asked.rounds)
        if asked.servers:
            from carboy.testing.servers import postgresql

            (folder / "pg").mkdir()
            address = stack.enter_context(postgresql(folder / "pg"))
            on("PostgreSQL", address, asked.rows, asked.rounds)


if __name__ == "__main__":
    main()
