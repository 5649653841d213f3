"""MariaDB: a table beside the table, with a FULLTEXT index, kept in step by two triggers.

    books           by code point: É is not e          triggers copy the words over
    books_search    a collation without case or accent; a foreign key deletes with the row

Words of one or two letters, which the server would leave out, get a tail ("of__"), and no
word is a stop word. Triggers do not run for a cascade, but a foreign key follows one.
The server finds what was committed, not what a transaction has just written.
Source: MariaDB documentation, "Full-Text Index Overview"; MySQL 8.4, section 14.9.
"""

# ruff: noqa: S608  # every name is quoted, and values are binds

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Table, text

from carboy.data.fulltext.common import LANGUAGE, MARK, Quote, keys_of, language_of, search_name

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["condition", "create_sql", "drop_sql", "existing", "rank"]

FOLDING = "utf8mb4_unicode_520_ci"  # knows neither case nor accents; MySQL has it too
PART = r"\\p{L}\\p{M}\\p{N}"  # of words, inside [ ]; a literal reads \\ as one
GROUP = {"mysql": "$1", "mariadb": r"\\1"}
FOUND = """
SELECT s.table_name, k.referenced_table_name, s.table_comment FROM information_schema.tables AS s
JOIN information_schema.referential_constraints AS k
  ON k.constraint_schema = s.table_schema AND k.table_name = s.table_name
WHERE s.table_schema = database() AND s.table_comment LIKE 'carboy.search%'
  AND 2 = (SELECT count(*) FROM information_schema.triggers AS t
    WHERE t.event_object_schema = s.table_schema
      AND t.event_object_table = k.referenced_table_name
      AND t.trigger_name IN (concat(s.table_name, '_insert'), concat(s.table_name, '_update')))
"""
INDEXED = """
SELECT column_name FROM information_schema.statistics
WHERE table_schema = database() AND table_name = :name AND index_type = 'FULLTEXT'
ORDER BY seq_in_index
"""

q = Quote("mariadb")


def create_sql(table: Table, columns: Sequence[str], dialect_name: str) -> list[str]:
    """Return the statements that make the words of *columns* searchable, and fill them in."""
    own, source = search_name(str(table.name)), q.table(table)
    asked, language = language_of(columns)
    texts = [str(table.c[name].name) for name in asked]
    keys = [str(key.name) for key in keys_of(table)]
    names = q.all([*keys, *texts])

    def values(side: str) -> str:
        folded = [_folded(f"{side}{q(name)}", dialect_name) for name in texts]
        return ", ".join([*(f"{side}{q(key)}" for key in keys), *folded])

    changed = ", ".join(f"{q(n)} = {_folded(f'NEW.{q(n)}', dialect_name)}" for n in texts)
    same = " AND ".join(f"OLD.{q(name)} <=> NEW.{q(name)}" for name in texts)
    here = " AND ".join(f"{q(key)} = NEW.{q(key)}" for key in keys)
    return [
        *drop_sql(str(table.name)),
        "SET SESSION innodb_ft_enable_stopword = 0",  # kept by the index that is made now
        *_table(table, q(own), texts, language),
        "SET SESSION innodb_ft_enable_stopword = DEFAULT",
        (
            f"CREATE TRIGGER {q(f'{own}_insert')} AFTER INSERT ON {source} FOR EACH ROW"
            f" INSERT INTO {q(own)} ({names}) VALUES ({values('NEW.')})"
        ),
        (
            f"CREATE TRIGGER {q(f'{own}_update')} AFTER UPDATE ON {source} FOR EACH ROW"
            f" UPDATE {q(own)} SET {changed} WHERE {here} AND NOT ({same})"
        ),
        # Rows written since the triggers are there already.
        f"INSERT IGNORE INTO {q(own)} ({names}) SELECT {values('t.')} FROM {source} AS t",
    ]


def drop_sql(table_name: str) -> list[str]:
    """Return the statements that remove it, whatever of it is there."""
    own = search_name(table_name)
    return [
        f"DROP TRIGGER IF EXISTS {q(f'{own}_insert')}",
        f"DROP TRIGGER IF EXISTS {q(f'{own}_update')}",
        f"DROP TABLE IF EXISTS {q(own)}",
    ]


def existing(connection: Connection) -> dict[str, tuple[str, ...]]:
    """Return the columns that are searchable, by table; only where both triggers are there."""
    found = connection.execute(text(FOUND)).all()
    indexed = text(INDEXED)
    return {
        source: (*connection.execute(indexed, {"name": own}).scalars(), *comment.split()[1:])
        for own, source, comment in found
        if own == search_name(source)
    }


def condition(table: Table, columns: Sequence[str], keys: Sequence[str], query: str) -> str:
    """Return SQL that is true for rows with the words. keys, query: SQL of both."""
    own = q(search_name(str(table.name)))
    names = q.all([str(key.name) for key in keys_of(table)])
    row = f"({', '.join(keys)})" if len(keys) > 1 else keys[0]
    return f"{row} IN (SELECT {names} FROM {own} WHERE {_match(table, columns, query)})"


def rank(table: Table, columns: Sequence[str], keys: Sequence[str], query: str) -> str:
    """Return SQL of a number that is greater the better a row fits."""
    own = q(search_name(str(table.name)))
    same = " AND ".join(
        f"{own}.{q(str(key.name))} = {text}" for key, text in zip(keys_of(table), keys, strict=True)
    )
    return f"(SELECT {_match(table, columns, query)} FROM {own} WHERE {same})"


def _match(table: Table, columns: Sequence[str], query: str) -> str:
    names = q.all([str(table.c[name].name) for name in language_of(columns)[0]])
    return f"MATCH ({names}) AGAINST ({query} IN BOOLEAN MODE)"


def _table(table: Table, own: str, texts: list[str], language: str) -> list[str]:
    keys = [str(key.name) for key in keys_of(table)]
    comment = f"{MARK} {LANGUAGE}{language}" if language else MARK
    folded = [f"{q(name)} LONGTEXT COLLATE {FOLDING}" for name in texts]
    parts = [*folded, f"PRIMARY KEY ({q.all(keys)})", f"FULLTEXT KEY ({q.all(texts)})"]
    return [
        # A foreign key needs the very type and collation of what it refers to: a copy has it.
        (
            f"CREATE TABLE {own} ({', '.join(parts)}) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4"
            f" COMMENT='{comment}' AS SELECT {q.all(keys)} FROM {q.table(table)} WHERE 1 = 0"
        ),
        (
            f"ALTER TABLE {own} ADD FOREIGN KEY ({q.all(keys)}) REFERENCES {q.table(table)}"
            f" ({q.all(keys)}) ON DELETE CASCADE ON UPDATE CASCADE"
        ),
    ]


def _folded(text: str, dialect_name: str) -> str:
    """Return SQL of a text with words, single spaces, and tails on the short ones."""
    plain = f"regexp_replace(coalesce({text}, ''), '[\\\\x{{0300}}-\\\\x{{036F}}]', '')"
    plain = f"regexp_replace({plain}, '[^{PART}]+', ' ')"
    short = f"(?<![{PART}])([{PART}]{{1,2}})(?![{PART}])"
    return f"regexp_replace({plain}, '{short}', '{GROUP[dialect_name]}__')"
