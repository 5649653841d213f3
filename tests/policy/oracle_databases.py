"""The three databases that policies are tested on, and what each of them cannot do.

SQLite in memory, PostgreSQL and MariaDB on private servers (marked so).
"""

import os

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase

from carboy.data.engines import engine_for

SERVERS = [pytest.mark.server, pytest.mark.slow]
KINDS = ["sqlite", *(pytest.param(name, marks=SERVERS) for name in ("pg", "mariadb"))]
"""What a module with `EVERYWHERE = True` runs on."""


EXPLORE = "CARBOY_POLICY_EXAMPLES" in os.environ  # CI tries the same examples every time
EXAMPLES = int(os.environ.get("CARBOY_POLICY_EXAMPLES", "2000"))  # of each oracle, on SQLite
SHARES = {"sqlite": (8, 1), "pg": (4, 4), "mariadb": (4, 4)}  # parts to spread, part of EXAMPLES
PARTS = [
    pytest.param(kind, part, marks=[] if kind == "sqlite" else SERVERS, id=f"{kind}-{part}")
    for kind, (parts, _) in SHARES.items()
    for part in range(parts)
]
"""Kinds of databases, each several times: every part draws models of its own."""

# Shrinking takes minutes: what fails is told at once, and made small by who looks into it.
PHASES = (Phase.generate, *([Phase.shrink] if os.environ.get("CARBOY_POLICY_SHRINK") else []))
SETTINGS = {
    "phases": PHASES, "deadline": None, "database": None, "report_multiple_bugs": False,
    "suppress_health_check": list(HealthCheck),
}  # fmt: skip

LACKING = {
    "mariadb": {"full join", "update returning", "on conflict", "except all"},
    "postgresql": {"table hint"},
}
"""Dialect to forms of SQL that it does not know."""


def seed_of(part):
    """Return the first schema of a part; None, any, when examples are looked for by hand."""
    return None if EXPLORE else 1000 * part


def examples_of(kind):
    """Return how many examples one part of a kind of database tries."""
    parts, less = SHARES[kind]
    return max(1, EXAMPLES // less // parts)


def address(request, kind):
    """Return the address of a database of *kind*: "sqlite", "pg" or "mariadb"."""
    return "sqlite://" if kind == "sqlite" else request.getfixturevalue(kind)


def emptied(url):
    """Return an engine on the database at *url*, in which no table is left."""
    engine = engine_for(url)
    if engine.dialect.name != "sqlite":
        empty(engine)
    return engine


def empty(engine):
    """Drop every table."""
    metadata = sa.MetaData()
    with engine.begin() as connection:
        metadata.reflect(connection)
        metadata.drop_all(connection)


def lacks(engine, name):
    """Return whether the database has no such form of SQL."""
    return name in LACKING.get(engine.dialect.name, ())
