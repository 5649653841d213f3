"""PostgreSQL: a GIN index over an expression of the text columns themselves.

    setweight(to_tsvector('simple', folded(title)), 'A') || ...

There is no column or table that a policy would have to close: the search reads the same
columns as everybody, behind the same rules. The expression takes accents off and turns
signs into spaces, so that words are cut as on the other databases; a server would take
"a/b.txt" for one word, a file name.
Source: PostgreSQL documentation, sections 12.2.2 and 12.3.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Table, text

from carboy.data.fulltext.common import MARK, Quote, index_name, language_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["condition", "create_sql", "drop_sql", "existing", "rank"]

SIMPLE = "simple"  # lower case and nothing else: no word is left out, none is cut
LETTERS = 200_000  # characters searched in a row; a tsvector holds 1 MB, and refuses more
BETWEEN = " || CAST('_' || chr(58) || '1' AS tsvector) || "  # no phrase goes over two fields
SIGNS = '!"#$&()*+,-./;<=>?@[]^_`{|}~¡¿«»·–—‘’“”„…、。'
WEIGHTS = "ABCD"
FOUND = """
SELECT t.relname, obj_description(i.oid, 'pg_class') FROM pg_index AS x
JOIN pg_class AS i ON i.oid = x.indexrelid JOIN pg_class AS t ON t.oid = x.indrelid
WHERE obj_description(i.oid, 'pg_class') LIKE 'carboy.search [%' AND x.indisvalid
"""

q = Quote("postgresql")


def create_sql(table: Table, columns: Sequence[str]) -> list[str]:
    """Return the statements that make the words of *columns* searchable."""
    texts, language = language_of(columns)
    names = [str(table.c[name].name) for name in texts]
    index = index_name(str(table.name))
    words = vector([q(name) for name in names], language)
    return [
        f"DROP INDEX IF EXISTS {q.beside(table, index)}",
        f"CREATE INDEX {q(index)} ON {q.table(table)} USING gin (({words}))",
        f"COMMENT ON INDEX {q.beside(table, index)} IS '{_comment(columns)}'",
    ]


def drop_sql(table_name: str) -> list[str]:
    """Return the statements that remove it, whatever of it is there."""
    return [f"DROP INDEX IF EXISTS {q(index_name(table_name))}"]


def existing(connection: Connection) -> dict[str, tuple[str, ...]]:
    """Return the columns that are searchable, by table."""
    found = connection.execute(text(FOUND)).all()
    return {name: tuple(json.loads(comment[len(MARK) :])) for name, comment in found}


def vector(texts: Sequence[str], language: str) -> str:
    """Return the words of a row as SQL. texts: SQL of each column. language: "" for none.

    The index is used only where a query repeats it letter by letter.
    """
    config = _literal(language or SIMPLE)
    most = LETTERS // max(1, len(texts))
    return BETWEEN.join(
        f"setweight(to_tsvector({config}, {_folded(one, most)}), '{WEIGHTS[min(place, 3)]}')"
        for place, one in enumerate(texts)
    )


def condition(table: Table, columns: Sequence[str], texts: Sequence[str], query: str) -> str:
    """Return SQL that is true for rows with the words. texts, query: SQL of both."""
    return f"({vector(texts, language_of(columns)[1])}) @@ {_asked(columns, query)}"


def rank(table: Table, columns: Sequence[str], texts: Sequence[str], query: str) -> str:
    """Return SQL of a number that is greater the better a row fits."""
    return f"ts_rank({vector(texts, language_of(columns)[1])}, {_asked(columns, query)})"


def _asked(columns: Sequence[str], query: str) -> str:
    return f"to_tsquery({_literal(language_of(columns)[1] or SIMPLE)}, {query})"


def _folded(text: str, most: int) -> str:
    plain = f"normalize(left(coalesce({text}, ''), {most}), NFD)"
    plain = f"normalize(regexp_replace({plain}, '[\\u0300-\\u036f]', '', 'g'), NFC)"
    return f"translate({plain}, {_literal(SIGNS)}, '{' ' * len(SIGNS)}')"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _comment(names: Sequence[str]) -> str:
    return f"{MARK} {json.dumps(list(names))}".replace("'", "''")
