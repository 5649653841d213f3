"""What somebody typed into a search box, read the same for every database.

    jane aus* "pride and"   ->  Query((Term(jane), Term(aus, prefix), Term(pride, and)))
    Query, dialect          ->  the text that dialect's own search takes

All words must be there. Quotes make a phrase, a star the beginning of a word; every other
sign only separates words. Accents are taken off. So a query holds letters, digits and
marks, and nobody can write the syntax of a search engine in it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Dialect, Text
from sqlalchemy.types import TypeDecorator

from carboy.base.errors import RequestFault

__all__ = ["LONGEST", "MOST", "Query", "QueryType", "Term", "bare", "parse"]

LONGEST = 200  # characters; what people type is shorter, and each word is work for the database
MOST = 16  # words and phrases

ACCENTS = re.compile("[\u0300-\u036f]")  # the combining marks of Latin, Greek and Cyrillic
PARTS = re.compile(r'"([^"]*)"|([^"\s]+)|"')
PADDED = 2  # characters; MariaDB indexes no shorter word than 3, so these get PAD
PAD = "__"


@dataclass(frozen=True)
class Term:
    """A word, the beginning of one (prefix), or several words in a row."""

    words: tuple[str, ...]
    prefix: bool = False


@dataclass(frozen=True)
class Query:
    """What is looked for: every term must be there. Without terms every row is found."""

    terms: tuple[Term, ...]

    def __bool__(self) -> bool:
        return bool(self.terms)

    def text(self, dialect: str) -> str:
        """Return this as *dialect*'s search takes it.

        >>> query = parse('jane aus* "to the"')
        >>> query.text("sqlite")
        '"jane" "aus"* "to the"'
        >>> query.text("postgresql")
        "'jane' & 'aus':* & ('to' <-> 'the')"
        >>> query.text("mariadb")
        '+jane +aus* +"to__ the"'
        """
        written, between = _WRITTEN.get(dialect, (_boolean, " "))
        return between.join(written(term) for term in self.terms)


class QueryType(TypeDecorator[Query]):
    """The bind of a search: a Query going in, in the words of the database it goes to."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Query | None, dialect: Dialect) -> str | None:
        """Return the query as text."""
        return None if value is None else value.text(dialect.name)


def parse(text: str) -> Query:
    """Return what *text* asks for; one without words asks for nothing in particular.

    Raises RequestFault (400, data.search) for more than 200 characters or 16 words.

    >>> parse("Émile, Zola!").terms
    (Term(words=('Emile',), prefix=False), Term(words=('Zola',), prefix=False))
    """
    if len(text) > LONGEST:
        raise _too_much(f"has more than {LONGEST} characters")
    terms: list[Term] = []
    for match in PARTS.finditer(bare(text)):
        phrase, word = match.groups()
        terms.extend(_phrase(phrase) if phrase else _words(word or ""))
    unique = tuple(dict.fromkeys(terms))
    if sum(len(term.words) for term in unique) > MOST:
        raise _too_much(f"has more than {MOST} words")
    return Query(unique)


def bare(text: str) -> str:
    """Return *text* without accents.

    >>> bare("Čapek, Brontë")
    'Capek, Bronte'
    """
    return unicodedata.normalize("NFC", ACCENTS.sub("", unicodedata.normalize("NFD", text)))


def _phrase(text: str) -> list[Term]:
    words = tuple(_split(text))
    return [Term(words)] if words else []


def _words(text: str) -> list[Term]:
    found = []
    for piece in re.findall(r"[^*]+\*?", text):
        words = _split(piece)
        ends = piece.endswith("*") and bool(words) and _is_part(piece[-2])
        found += [Term((word,)) for word in words[: -1 if ends else None]]
        found += [Term((words[-1],), prefix=True)] if ends else []
    return found


def _split(text: str) -> list[str]:
    return "".join(sign if _is_part(sign) else " " for sign in text).split()


def _is_part(sign: str) -> bool:
    """Tell whether words are made of *sign*: letters, digits and their marks."""
    return unicodedata.category(sign)[0] in "LNM"


def _fts5(term: Term) -> str:
    return f'"{" ".join(term.words)}"' + ("*" if term.prefix else "")


def _tsquery(term: Term) -> str:
    words = " <-> ".join(f"'{word}'" for word in term.words)
    if len(term.words) > 1:
        return f"({words})"
    return f"{words}:*" if term.prefix else words


def _boolean(term: Term) -> str:
    if term.prefix:
        return f"+{term.words[0]}*"
    words = [word + PAD if len(word) <= PADDED else word for word in term.words]
    return f"+{words[0]}" if len(words) == 1 else f'+"{" ".join(words)}"'


_WRITTEN: dict[str, tuple[Any, str]] = {"sqlite": (_fts5, " "), "postgresql": (_tsquery, " & ")}


def _too_much(what: str) -> RequestFault:
    return RequestFault(
        400, "data.search", f"The search {what}.", hint="Look for fewer words.",
        errors=[{"loc": ["query", "q"], "msg": f"The search {what}.", "type": "too_long"}],
    )  # fmt: skip
