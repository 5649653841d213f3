"""MariaDB and MySQL through PyMySQL, set up for production.

    each connection   utf8mb4, UTC, strict mode, a time limit for locks
    isolation         READ COMMITTED: as on the other databases, and fewer deadlocks

Strict mode refuses what the server would otherwise cut short or turn into zero.
Our columns compare strings by code point (a binary collation, without padding), our
tables are InnoDB. Tested on MariaDB; MySQL proper is set up the same, and untested.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlalchemy import event

from carboy.data.backends.common import (
    BAD_VALUES,
    Backend,
    Kind,
    Limits,
    Trouble,
)
from carboy.data.faults import ValueFault

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

__all__ = ["MariaDB", "MySQL"]

MODES = "TRADITIONAL,ONLY_FULL_GROUP_BY"  # TRADITIONAL: strict, no zero dates, no x/0

KEY = re.compile(r"for key '(?:[^'.]+\.)?([^']+)'")
NAMED = re.compile(r"(?:CONSTRAINT|constraint) [`'](\w+)[`']")
COLUMN = re.compile(r"(?:[Cc]olumn|[Ff]ield) '(?:[^'.]+\.)*(\w+)'|column `\w+`\.`\w+`\.`(\w+)`")

NEAR = re.compile(r"near '.*?'(?= at line \d+\s*$)", re.DOTALL)
QUOTED = re.compile(r"'.*'", re.DOTALL)  # greedy: a value may have quotes in it

# What MySQL calls the comparing by code point, and what MariaDB does.
COLLATIONS = ("COLLATE utf8mb4_0900_bin", "COLLATE utf8mb4_nopad_bin")

CONTAINERS = frozenset({list, tuple, set, frozenset, dict})

REFUSALS = "can not be used with MySQL"  # NaN

MEANINGS: dict[int, Kind] = {
    **dict.fromkeys((0, 1040, 1041, 1044, 1045, 1049, 1053, 1077, 1079, 1129, 1130), "gone"),
    **dict.fromkeys((1152, 1158, 1159, 1160, 1161, 1203, 1290, 1698, 1836, 1927), "gone"),
    **dict.fromkeys((2002, 2003, 2005, 2006, 2013, 2055), "gone"),
    **dict.fromkeys((3, 28, 1021, 1114), "full"),
    **dict.fromkeys((1205,), "locked"),
    **dict.fromkeys((1969, 3024), "slow"),
    **dict.fromkeys((1020, 1213), "race"),
    **dict.fromkeys((1062, 1586), "unique"),
    **dict.fromkeys((3819, 4025), "check"),
    **dict.fromkeys((1048, 1364), "required"),
    **dict.fromkeys((1216, 1452), "reference"),
    **dict.fromkeys((1217, 1451), "in_use"),
    **dict.fromkeys(
        (1264, 1265, 1292, 1300, 1366, 1367, 1406, 1411, 1525, 1690, 1918, 4078), "value"
    ),
    **dict.fromkeys((1054, 1146), "schema"),
}
"""Server and client error numbers. Source: the MariaDB error code reference."""


class MySQL(Backend):
    """MySQL; see MariaDB, which is the one we test."""

    name = "mysql"
    driver = "mysql+pymysql"
    module = "pymysql"
    extra = "mysql"
    can = frozenset({"savepoints", "json", "writers", "serializable", "names"})

    def arguments(self, url: URL, limits: Limits) -> dict[str, Any]:
        """Return the pool's and PyMySQL's settings; what *url* says itself wins."""
        session = {
            "time_zone": "'+00:00'",
            "sql_mode": f"'{MODES}'",
            "innodb_lock_wait_timeout": str(max(1, round(limits.lock_s))),
            "lock_wait_timeout": str(max(1, round(limits.lock_s))),  # of tables; else a day
        }
        ours: dict[str, Any] = {
            "charset": "utf8mb4",
            "connect_timeout": max(1, round(limits.connect_s)),
            "read_timeout": 60,  # seconds: an unplugged server is noticed
            "write_timeout": 60,
            "init_command": "SET " + ", ".join(f"{k} = {v}" for k, v in session.items()),
        }
        return {
            **super().arguments(url, limits),
            "isolation_level": "READ COMMITTED",
            "connect_args": {name: v for name, v in ours.items() if name not in url.query},
        }

    def prepare(self, engine: Engine, limits: Limits) -> None:
        """Refuse values that PyMySQL would write into statements as more than a value.

        MariaDB may be behind a mysql:// address; it says so when it is connected to.
        """
        _compare_as_the_server_can(engine)
        event.listen(engine, "before_cursor_execute", _plain_values)

    def trouble(self, error: BaseException, statement: str) -> Trouble | None:
        """Read the error number, and the names of constraint and column from the text."""
        if isinstance(error, BAD_VALUES):
            return Trouble("value")
        number = error.args[0] if error.args else None
        if isinstance(error, (TypeError, AttributeError)):  # PyMySQL cannot write it down
            return Trouble("value")
        if isinstance(number, str) and number.endswith(REFUSALS):  # PyMySQL's own words
            return Trouble("value")
        kind = MEANINGS.get(number) if isinstance(number, int) else None
        if kind is None:
            return None
        text = str(error.args[-1])
        # SECURITY: the text of a duplicate quotes the value first; only its end names the key.
        named = (KEY.findall(text)[-1:] if kind == "unique" else NAMED.findall(text)[-1:]) or [""]
        column = COLUMN.search(text)
        columns = (column[1] or column[2],) if column else ()
        return Trouble(kind, constraint=named[0], columns=columns)

    def without_values(self, text: str) -> str:
        """Cut what is quoted: PyMySQL writes values into the statement that errors quote."""
        cut = NEAR.sub("near '...'", text)
        return cut if cut != text else QUOTED.sub("'...'", text)


def _compare_as_the_server_can(engine: Engine) -> None:
    """Let tables be made with the collation by code point that the server has."""
    theirs: Any = engine.dialect.ddl_compiler

    class Tables(theirs):  # type: ignore[misc]  # known when the engine is
        def post_create_table(self, table: Any) -> str:
            said = str(super().post_create_table(table))
            return said.replace(*COLLATIONS) if self.dialect.is_mariadb else said

    engine.dialect.ddl_compiler = Tables


def _plain_values(
    connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
) -> None:
    """Raise ValueFault for a value that is a list: PyMySQL would write `(1, 2)`, which is SQL."""
    for values in parameters if many else (parameters,):
        each = values.values() if isinstance(values, dict) else values
        for value in each:
            if value.__class__ in CONTAINERS:
                raise ValueFault(422, "data.value", "A list is not one value.")


class MariaDB(MySQL):
    """The database many already run."""

    name = "mariadb"
    driver = "mariadb+pymysql"
    can = MySQL.can | {"returning"}
