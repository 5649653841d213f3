"""Whatever a table holds, it comes back: tables made up by Hypothesis, as CSV, JSON, SQLite."""

import csv
import datetime as dt
import io
import json
import math
import os
import sqlite3
import tempfile
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies as st
from tests.adopt.conftest import Adopted

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
NAMES = st.lists(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(
        str.strip
    ),
    min_size=1, max_size=5, unique_by=str.strip,
)  # fmt: skip
MOST = 2**63
CELLS = st.sampled_from([
    st.integers(-MOST, MOST - 1), st.integers(0, 3), st.booleans(), TEXT,
    st.floats(allow_nan=False, allow_infinity=False), st.dates().map(str),
    st.decimals(-1000, 1000, places=2).map(str), st.sampled_from(["yes", "no"]),
    st.sampled_from(["1,234", "1.5", "-", "NULL", "007", "1e5", "$5", "12:30", "2026-05-01"]),
    st.datetimes(timezones=st.just(dt.UTC)).map(lambda t: t.isoformat()), st.uuids().map(str),
])  # fmt: skip
MORE = st.sampled_from([
    st.lists(st.integers(0, 9), max_size=3),
    st.dictionaries(st.text("abc", max_size=3), st.integers(0, 9), max_size=3),
])  # fmt: skip


@st.composite
def tables(draw, cells=CELLS):
    """Return (headers, rows): each column of one kind, mixed now and then, with holes."""
    names = draw(NAMES)
    kinds = [draw(cells) for _ in names]
    kinds = [kind | draw(cells) if draw(st.integers(0, 4)) == 0 else kind for kind in kinds]
    row = st.tuples(*(st.none() | kind for kind in kinds))
    return names, draw(st.lists(row, min_size=1, max_size=12))


def adopted(name, content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        if callable(content):
            content(path)
        else:
            path.write_text(content, encoding="utf-8", newline="")
        return Adopted([path], False, folder)


def columns(found, count):
    """Return the values of each column of the source by its number; None where it went."""
    (draft,) = found.drafts
    made = {column.at: column.name for column in draft.columns}
    return [[row[made[at]] for row in found.only] if at in made else None for at in range(count)]


def says(value, text):
    """Tell whether *value* says what *text* does, read by rules of this test's own."""
    if value is None:
        return text in ("", "-", "NULL")
    if isinstance(value, str):
        return value == text
    if isinstance(value, bool):
        return text.strip().lower() in (("false", "no"), ("true", "yes"))[value]
    if isinstance(value, dt.datetime):
        return dt.datetime.fromisoformat(text) == value
    if isinstance(value, (int, float, Decimal)):
        plain = text.strip().removeprefix("$").replace(",", "")
        return Decimal(repr(value) if isinstance(value, float) else value) == Decimal(plain) or (
            isinstance(value, float) and float(plain) == value
        )
    return str(value) == text or value.isoformat()[: len(text)] == text


EXAMPLES = settings(
    derandomize="ADOPT_EXAMPLES" not in os.environ,  # CI tries the same ones every time
    max_examples=int(os.environ.get("ADOPT_EXAMPLES", "25")), deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip


@pytest.mark.slow
@EXAMPLES
@given(tables())
def test_csv(table):
    names, rows = table
    texts = [["" if cell is None else str(cell) for cell in row] for row in rows]
    texts = [row for row in texts if any(cell.strip() for cell in row)]
    if not texts or all(name.strip().replace(".", "").isdigit() for name in names):
        return
    file = io.StringIO()
    csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["k", *names], *(["x", *r] for r in texts)])
    found = adopted("given.csv", file.getvalue())
    for at, mine in enumerate(columns(found, len(names) + 1)[1:]):
        theirs = [row[at] for row in texts]
        for value, text in zip(mine or [None] * len(theirs), theirs, strict=True):
            assert says(value, text), (value, text)


@pytest.mark.slow
@EXAMPLES
@given(tables(CELLS | MORE))
def test_json(table):
    names, rows = table
    rows = [dict(zip(names, row, strict=True)) for row in rows]
    found = adopted("given.json", json.dumps(rows, ensure_ascii=False))
    for name, mine in zip(names, columns(found, len(names)), strict=True):
        assert len(mine) == len(rows)
        for value, row in zip(mine, rows, strict=True):
            assert typed(value, row[name]), (value, row[name])


@pytest.mark.slow
@EXAMPLES
@given(tables(), st.sampled_from(["", " integer", " text", " numeric(10,2)", " real", " date"]))
def test_sqlite(table, kind):
    names, rows = table
    count = len(names)

    def write(path):
        with closing(sqlite3.connect(path)) as con, con:
            listed = ", ".join(f"c{n}{kind}" for n in range(count))
            con.execute(f"create table things ({listed})")
            con.executemany(f"insert into things values ({','.join('?' * count)})", rows)
            kept.extend(con.execute("select * from things order by rowid"))

    kept = []
    found = adopted("given.db", write)
    for at, mine in enumerate(columns(found, count)):
        for value, row in zip(mine, kept, strict=True):
            assert typed(value, row[at]), (value, row[at])


def typed(value, given):
    """Tell whether *value* is what a source with types of its own had."""
    if value is None or given is None:
        return value is None and given is None
    if isinstance(given, bool):
        return value is given or value == str(given).lower()
    if isinstance(given, (int, float)) and isinstance(value, str):
        return value in (str(given), repr(given)) or math.isclose(float(value), given)
    if isinstance(given, (int, float)):
        return value == given or float(value) == given
    if isinstance(given, str):
        return says(value, given)
    return value == given or json.loads(value) == given
