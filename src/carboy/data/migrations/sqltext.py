"""SQL as text, read as far as safety needs: which tables it changes, and how.

    text  ->  statements, without comments  ->  the first pattern that fits  ->  Change
                                            ->  none fits                    ->  "unclear"

This is no parser. A pattern states the whole of what it knows; anything beside it makes
the statement unclear, and what is unclear is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from carboy.data.migrations.change import Change

__all__ = ["changes", "split"]

TOKEN = re.compile(
    r"""(?P<string>[eE]?'(?:[^'\\]|''|\\.)*')|(?P<dollar>\$(\w*)\$.*?\$\3\$)"""
    r"""|(?P<note>--[^\n]*|/\*(?!!).*?\*/)|(?P<name>"(?:[^"]|"")*"|`[^`]*`|\w+)"""
    r"""|(?P<space>\s+)|(?P<sign>.)""",
    re.S,
)
NAME = r'(?:(?:"[^"]+"|`[^`]+`|\w+)\s?\.\s?)?("[^"]+"|`[^`]+`|\w+)'
FLAG = re.compile(r"^(?:ALGORITHM|LOCK) ?=? ?(\w+)$", re.I)
MADE = r"(?:EXTENSION|TYPE|SEQUENCE|SCHEMA|DOMAIN|VIEW|STATISTICS)"
SETTINGS = r"(?:(?:innodb_)?lock_(?:wait_)?timeout|statement_timeout|maintenance_work_mem)"
UNREADABLE = ("\\", "/*!")  # what a backslash means is a setting; MariaDB runs such comments
WRITES = re.compile(r"\b(UPDATE|DELETE|INSERT|MERGE|TRUNCATE|INTO|CALL)\b", re.I)

Found = Iterator[Change]


def changes(sql: str) -> Found:
    """Yield what the statements in *sql* change."""
    for statement in split(sql):
        yield from _statement(statement)


def split(sql: str, separator: str = ";") -> Iterator[str]:
    """Yield the parts of *sql* between separators outside of quotes and parentheses.

    Comments are gone, and each run of white space is one space.

    >>> list(split("a ';' ; b -- c"))
    ["a ';'", 'b']
    """
    depth, part = 0, ""
    for token in TOKEN.finditer(sql):
        kind, said = token.lastgroup, token.group()
        if kind in ("space", "note"):
            said = " "
        elif kind == "sign":
            depth += {"(": 1, ")": -1}.get(said, 0)
            if said == separator and depth == 0:
                if part.strip():
                    yield part.strip()
                part = ""
                continue
        part = part + said if said != " " else part.rstrip() + " "
    if part.strip():
        yield part.strip()


def _statement(sql: str) -> Found:
    for pattern, read in () if any(sign in sql for sign in UNREADABLE) else STATEMENTS:
        found = pattern.match(sql)
        if found:
            yield from (replace(change, said=sql) for change in read(found, sql))
            return
    yield Change("unclear", said=sql)


def _one(kind: str) -> Callable[[re.Match[str], str], Found]:
    """Return a reader of statements whose first group is a table."""

    def read(found: re.Match[str], sql: str) -> Found:
        groups = found.groups()
        yield Change(kind, _bare(groups[0]) if groups and groups[0] else "")

    return read


def _create_table(found: re.Match[str], sql: str) -> Found:
    yield Change("create_table", _bare(found[2]), if_missing=bool(found[1]))


def _drop_tables(found: re.Match[str], sql: str) -> Found:
    for name in split(found[1], ","):
        yield Change("drop_table", _bare(name.split(".")[-1].split(" ")[0]))


def _create_index(found: re.Match[str], sql: str) -> Found:
    yield Change(
        "create_index", _bare(found["table"]), _bare(found["name"] or ""),
        unique=(found["kind"] or "").upper() == "UNIQUE",
        special=(found["kind"] or "").upper() in ("FULLTEXT", "SPATIAL"),
        concurrently=bool(found["how"]),
    )  # fmt: skip


def _drop_index(found: re.Match[str], sql: str) -> Found:
    yield Change(
        "drop_index", _bare(found["table"] or ""), _bare(found["name"]),
        concurrently=bool(found["how"]),
    )  # fmt: skip


def _rows(found: re.Match[str], sql: str) -> Found:
    """Read UPDATE and DELETE; one row, by its id, is few."""
    table = _bare(found[1])
    single = re.search(r"\bWHERE (?:[\w\"`]+\.)?[\"`]?id[\"`]? ?= ?(\d+|'[^']*')$", sql, re.I)
    yield Change("insert" if single else "rows", table)


def _insert(found: re.Match[str], sql: str) -> Found:
    rest = sql[found.end() :]
    columns = re.match(r" ?(?:\([^()]*\) ?)?VALUES ?\(", rest, re.I)
    again = re.search(r"\bSELECT\b", rest, re.I)
    yield Change("insert" if columns and not again else "rows", _bare(found[1]))


def _reads(found: re.Match[str], sql: str) -> Found:
    """Read a SELECT; one that calls functions or writes may do anything."""
    plain = not WRITES.search(sql) and not re.search(r"\bFOR (UPDATE|SHARE)\b", sql, re.I)
    calls = set(re.findall(r"(\w+) ?\(", sql.upper())) - {"COUNT", "MIN", "MAX", "SUM", "IN"}
    yield Change("harmless" if plain and not calls else "unclear")


def _with(found: re.Match[str], sql: str) -> Found:
    yield Change("rows" if WRITES.search(sql) else "unclear")


def _alter_table(found: re.Match[str], sql: str) -> Found:
    """Read each action; ALGORITHM and LOCK count for all of them."""
    table, actions = _bare(found[1]), list(split(sql[found.end() :], ","))
    flags = [flag[1].upper() for action in actions if (flag := FLAG.match(action))]
    guarded = "INSTANT" in flags or "NONE" in flags
    for action in actions:
        if FLAG.match(action):
            continue
        for pattern, read in ACTIONS:
            fits = pattern.match(action)
            if fits:
                for change in read(fits, action):
                    yield replace(change, table=table, guarded=guarded)
                break
        else:
            yield Change("unclear", table)


def _add_column(found: re.Match[str], action: str) -> Found:
    rest = action[found.end() :]
    outside = re.sub(r"\([^()]*(?:\([^()]*\)[^()]*)*\)", "()", rest).upper()
    default = re.search(
        r"\bDEFAULT (.+?)(?= NOT NULL| NULL| UNIQUE| PRIMARY| REFERENCES| CHECK| CONSTRAINT"
        r"| COMMENT| AFTER| FIRST|$)", rest, re.I,
    )  # fmt: skip
    name = _bare(found[1])
    serial = re.match(r" ?(BIG|SMALL)?SERIAL\b", outside) or "AS IDENTITY" in outside
    yield Change(
        "add_column", name=name, required="NOT NULL" in outside, key="PRIMARY KEY" in outside,
        default="nextval()" if serial else default[1] if default else None,
        stored="STORED" in outside or "PERSISTENT" in outside,
    )  # fmt: skip
    for sign, kind in (("REFERENCES", "foreign_key"), ("CHECK", "check"), ("UNIQUE", "unique")):
        if re.search(rf"\b{sign}\b", outside):
            yield Change(kind, name=name)


def _add_constraint(found: re.Match[str], action: str) -> Found:
    kind = found["kind"].upper().replace(" ", "_")
    target = re.search(rf"\bREFERENCES {NAME}", action, re.I)
    yield Change(
        kind, name=_bare(found["name"] or ""),
        not_valid=bool(re.search(r"\bNOT VALID$", action, re.I)),
        using_index=bool(re.search(r"\bUSING INDEX\b", action, re.I)),
        target=_bare(target[1]) if target else "",
        new=action if kind == "check" else None,
    )  # fmt: skip


def _add_index(found: re.Match[str], action: str) -> Found:
    kind = (found["kind"] or "").strip().upper()
    yield Change(
        "create_index", name=_bare(found["name"] or ""), unique=kind == "UNIQUE",
        special=kind in ("FULLTEXT", "SPATIAL"), concurrently=False,
    )  # fmt: skip


def _named(kind: str) -> Callable[[re.Match[str], str], Found]:
    """Return a reader of actions whose first group is a name, and whose second is new."""

    def read(found: re.Match[str], action: str) -> Found:
        groups = [_bare(group or "") for group in found.groups()]
        new = groups[1] if len(groups) > 1 else ""
        yield Change(kind, name=groups[0] if groups else "", new=new)

    return read


def _set_default(found: re.Match[str], action: str) -> Found:
    yield Change("set_default", name=_bare(found[1]), default=found[2])


def _bare(name: str) -> str:
    return name.strip(' "`')


def _patterns(
    table: list[tuple[str, Callable[[re.Match[str], str], Found]]],
) -> list[tuple[re.Pattern[str], Callable[[re.Match[str], str], Found]]]:
    return [(re.compile(pattern, re.I | re.S), read) for pattern, read in table]


WORD = r"([\w\"`]+)"
COLUMN = rf"(?:COLUMN )?{WORD}"
END = r"(?: CASCADE| RESTRICT)?$"
NEW_INDEX = (
    r"CREATE (?:(?P<kind>UNIQUE|FULLTEXT|SPATIAL) )?INDEX (?P<how>CONCURRENTLY )?"
    r"(?:IF NOT EXISTS )?(?:(?P<name>[\w\"`]+) )?ON (?:ONLY )?(?:\w+\.)?(?P<table>[\w\"`]+)\b"
)
OLD_INDEX = (
    r"DROP INDEX (?P<how>CONCURRENTLY )?(?:IF EXISTS )?(?:\w+\.)?(?P<name>[\w\"`]+)"
    r"(?: ON (?P<table>[\w\"`]+))?" + END
)
WHOLE = (
    r"(?:VACUUM(?: \(?FULL\)?)?|CLUSTER|OPTIMIZE TABLE|REINDEX (?:TABLE|INDEX|DATABASE|SCHEMA)"
    rf"|REFRESH MATERIALIZED VIEW)(?: {NAME})?$"
)
CONSTRAINT = (
    r"ADD (?:CONSTRAINT (?P<name>[\w\"`]+) )?(?P<kind>UNIQUE|PRIMARY KEY|FOREIGN KEY|CHECK)\b"
    r"(?! (?:INDEX|KEY))"
)
KEY = (
    r"ADD (?P<kind>UNIQUE |FULLTEXT |SPATIAL )?(?:INDEX|KEY) (?:IF NOT EXISTS )?(?P<name>[\w\"`]+)?"
)
OPTIONS = (
    r"(?:ENGINE|CONVERT TO|FORCE|ROW_FORMAT|SET TABLESPACE|SET LOGGED|SET UNLOGGED|CHARACTER SET"
    r"|DEFAULT CHARSET|ORDER BY|PARTITION BY)\b"
)

STATEMENTS = _patterns(
    [
        (rf"CREATE (?:UNLOGGED |TEMPORARY |TEMP )?TABLE (IF NOT EXISTS )?{NAME}\b", _create_table),
        (r"DROP TABLE (?:IF EXISTS )?(.+)$", _drop_tables),
        (rf"ALTER (?:ONLINE )?TABLE (?:IF EXISTS )?(?:ONLY )?{NAME} ", _alter_table),
        (rf"RENAME TABLE {NAME} TO", _one("rename_table")),
        (NEW_INDEX, _create_index),
        (OLD_INDEX, _drop_index),
        (rf"(?:UPDATE|DELETE FROM) (?:ONLY )?{NAME}\b", _rows),
        (rf"(?:TRUNCATE(?: TABLE)?|MERGE INTO|REPLACE INTO) (?:ONLY )?{NAME}\b", _one("rows")),
        (rf"INSERT (?:IGNORE )?INTO {NAME}", _insert),
        (r"WITH\b", _with),
        (r"SELECT\b", _reads),
        (WHOLE, _one("rewrite")),
        (rf"LOCK TABLES? {NAME}", _one("lock")),
        (rf"ALTER TYPE {NAME} ADD VALUE\b", _one("harmless")),
        (rf"(?:ALTER|DROP) TYPE (?:IF EXISTS )?{NAME}", _one("enum")),
        (rf"CREATE {MADE} (?:IF NOT EXISTS )?[\w\"]+", _one("harmless")),
        (rf"SET (?:LOCAL |SESSION )?{SETTINGS} ?(?:=|TO) ?[\w' ]+$", _one("harmless")),
        (r"(?:COMMENT ON|GRANT|ANALYZE)\b", _one("harmless")),
    ]
)
"""How a statement begins, to who reads it; the first that fits counts."""

ACTIONS = _patterns(
    [
        (CONSTRAINT, _add_constraint),
        (KEY, _add_index),
        (rf"ADD (?:COLUMN )?(?:IF NOT EXISTS )?{NAME} (?=\w)", _add_column),
        (rf"DROP (?:CONSTRAINT|FOREIGN KEY) (?:IF EXISTS )?{WORD}{END}", _named("drop_constraint")),
        (r"DROP PRIMARY KEY$", _named("primary_key")),
        (rf"DROP (?:INDEX|KEY) (?:IF EXISTS )?{WORD}$", _named("drop_index")),
        (rf"DROP (?:COLUMN )?(?:IF EXISTS )?{WORD}{END}", _named("drop_column")),
        (rf"RENAME (?:TO|AS) {WORD}$", _named("rename_table")),
        (rf"RENAME (?:CONSTRAINT|INDEX|KEY) {WORD} TO", _named("harmless")),
        (rf"RENAME {COLUMN} TO {WORD}$", _named("rename_column")),
        (rf"ALTER {COLUMN} (?:SET DATA )?TYPE\b", _named("type")),
        (rf"(?:MODIFY|CHANGE) (?:IF EXISTS )?{COLUMN}\b", _named("type")),
        (rf"ALTER {COLUMN} SET NOT NULL$", _named("not_null")),
        (rf"ALTER {COLUMN} DROP NOT NULL$", _named("nullable")),
        (rf"ALTER {COLUMN} SET DEFAULT (.+)$", _set_default),
        (rf"ALTER {COLUMN} DROP DEFAULT$", _named("drop_default")),
        (rf"ALTER {COLUMN} SET STATISTICS", _named("harmless")),
        (rf"VALIDATE CONSTRAINT {WORD}$", _named("validate")),
        (r"COMMENT\b", _named("comment")),
        (OPTIONS, _named("rewrite")),
    ]
)
"""How an action of ALTER TABLE begins, to who reads it."""
