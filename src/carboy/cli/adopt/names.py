"""Names: from what a source calls things to what Python and the models call them.

"Größe (cm)"       ->  groesse_cm     an attribute
"order_lines"      ->  OrderLine      a class, whose table is order_lines again
"PG-13"            ->  PG_13          a member of an Enum
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Collection

from carboy.data.naming import IRREGULAR, SAME, label_of, table_name

__all__ = ["attribute", "class_name", "label", "member", "plain", "singular", "unique_name"]

LONGEST = 40  # characters; a constraint's name holds the table's and the column's
MODULE = {
    "app", "belongs_to", "bool", "bytes", "dict", "dt", "enum", "field", "float", "has_many", "int",
    "list", "object", "role", "self", "str", "unique", "uuid",
}  # fmt: skip
"""Names that the lines of a model are written with."""

MEMBERS = {
    "classes", "constraints", "database", "facts", "id", "metadata", "newest", "policy", "read",
    "registry", "scope", "type_annotation_map",
}  # fmt: skip
"""Names that every model has already."""

CLASSES = {
    "Carboy", "Decimal", "Enum", "False", "ForeignKeyConstraint", "Mapped", "Model", "None",
    "Policy", "Resource", "True", "User", "UserSession",
}  # fmt: skip

LETTERS = str.maketrans({
    "ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss", "æ": "ae",
    "Æ": "Ae", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "ł": "l", "Ł": "L", "œ": "oe", "Œ": "Oe",
    "þ": "th", "ð": "d", "&": " and ", "%": " percent ", "#": " number ", "€": " euro ",
    "$": " dollar ",
})  # fmt: skip

SIGNS = "&%#€$"
PLURALS = {plural: one for one, plural in IRREGULAR.items()}


def plain(text: str) -> str:
    """Return *text* as words of ASCII letters and digits, joined by underscores.

    >>> plain("Größe (cm)"), plain("IMDBRating"), plain("名前")
    ('groesse_cm', 'imdb_rating', '')
    """
    text = unicodedata.normalize("NFC", text)
    if re.search(r"\w", text):
        for sign in SIGNS[1:]:
            text = text.replace(sign, f" {sign} ")
    text = unicodedata.normalize("NFKD", text.translate(LETTERS))
    text = re.sub(r"['\u2019]", "", text.encode("ascii", "ignore").decode())
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", text)
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def attribute(source: str, number: int) -> str:
    """Return the name of a field. number: of its column, from 1, for one without letters."""
    name = plain(source)[:LONGEST].strip("_")
    if not name:
        return f"column_{number}"
    if name[0].isdigit():
        name = f"n{name}" if name[0].isdigit() else name
    taken = keyword.iskeyword(name) or keyword.issoftkeyword(name)
    return f"{name}_" if taken or name in MODULE or name in MEMBERS - {"id"} else name


def unique_name(name: str, taken: Collection[str]) -> str:
    """Return *name*, or the first of name_2, name_3 that is not taken."""
    if name not in taken:
        return name
    number = next(n for n in range(2, 10_000) if f"{name}_{n}" not in taken)
    return f"{name}_{number}"


def class_name(source: str, project: str, taken: Collection[str]) -> str:
    """Return the name of a model for a table called *source*.

    project: goes before a name that Carboy has itself, such as User.
    """
    words = (plain(source)[:LONGEST].strip("_") or "thing").split("_")
    words[-1] = singular(words[-1])
    name = "".join(word.capitalize() for word in words if word)
    name = name if name[:1].isalpha() else f"Table{name}"
    if name in CLASSES or table_name(name) in ("users", "user_sessions"):
        name = "".join(word.capitalize() for word in plain(project).split("_")) + name
    while name in taken or keyword.iskeyword(name):
        name = _next(name)
    return name


def singular(word: str) -> str:
    """Return the one thing of an English plural; the word itself when it is none.

    >>> [singular(word) for word in ("movies", "cities", "boxes", "status", "people", "bus")]
    ['movie', 'city', 'box', 'status', 'person', 'bus']
    """
    if word in PLURALS:
        return PLURALS[word]
    if word in SAME or len(word) < 4 or word.endswith(("ss", "us", "is")):
        return word
    for ending, instead in (
        ("movies", "movie"), ("cookies", "cookie"), ("series", "series"), ("ies", "y"),
        ("sses", "ss"), ("shes", "sh"), ("ches", "ch"), ("xes", "x"), ("zzes", "zz"), ("s", ""),
    ):  # fmt: skip
        if word.endswith(ending):
            return word[: -len(ending)] + instead
    return word


def member(value: str, taken: Collection[str]) -> str:
    """Return the name of an Enum's member for *value*."""
    name = plain(value)[:LONGEST].strip("_").upper() or "NONE"
    name = f"N{name}" if name[0].isdigit() else name
    name = f"{name}_" if name in ("MRO",) else name
    return unique_name(name, taken)


def label(source: str, name: str) -> str:
    """Return the label of a field; "" where the name says the same.

    >>> label("Größe (cm)", "groesse_cm"), label("first_name", "first_name")
    ('Größe (cm)', '')
    """
    text = " ".join(source.split())
    if not text or not text.isprintable():
        return ""
    if plain(text) == text.lower() and ("_" in text or text.islower()):
        text = label_of(text)  # first_name: a name for programs
    elif re.fullmatch(r"[A-Za-z]+(?:[A-Z][a-z]+)+|[A-Za-z_0-9]+", text):
        text = label_of(text)
    same = text[:1].upper() + text[1:] == label_of(name)  # "last name" is "Last name" to people
    return "" if same else text[:80]


def _next(name: str) -> str:
    found = re.fullmatch(r"(.*?)(\d*)", name)
    assert found is not None
    return f"{found[1]}{int(found[2] or 1) + 1}"
