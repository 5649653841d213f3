"""Collects every text of ours that is translated, and writes what a catalogue lacks.

python tests/i18n/collect.py      adds new texts, empty, to the .po files; drops old ones
"""

from __future__ import annotations

import io
import re
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

SOURCE = Path(__file__).parents[2] / "src/carboy"
PO = SOURCE / "web/i18n/translations"
KEYWORDS = {
    "_": None, "gettext": None, "N_": None, "ngettext": (1, 2), "pgettext": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3), "say": None,
}  # fmt: skip
METHODS = [("cli/template/**", "ignore"), ("**.py", "python"),
           ("**/templates/**.html", "jinja2"), ("**/templates/**.txt", "jinja2")]  # fmt: skip
OPTIONS = {"jinja2": {"newstyle_gettext": "true", "trimmed": "false"}}


def found():
    """Return {(context, id or (id, plural)): [file:line, ...]} of our sources."""
    texts = {}
    options = {pattern: OPTIONS.get(method, {}) for pattern, method in METHODS}
    for file, line, text, _comments, context in extract_from_dir(
        str(SOURCE), METHODS, options, KEYWORDS
    ):
        texts.setdefault((context, text), []).append(f"{file}:{line}")
    return texts


def catalogue(locale):
    """Return the catalogue of a language."""
    path = PO / f"{locale}.po"
    with path.open("rb") as file:
        return read_po(file, locale)


def update(locale):
    """Add what is new to a catalogue, and leave out what is no more; return what is empty."""
    texts, path = found(), PO / f"{locale}.po"
    old = catalogue(locale) if path.exists() else Catalog(locale)
    new = Catalog(locale, charset="utf-8", fuzzy=False)
    new.header_comment = (
        f"# Texts of Carboy, {locale}. `python tests/i18n/collect.py` adds new ones."
    )
    empty = []
    for context, text in sorted(texts, key=lambda one: (str(one[1]), one[0] or "")):
        first = text if isinstance(text, str) else text[0]
        before = old.get(first, context)
        plural = not isinstance(text, str)
        kept = before.string if before and bool(before.pluralizable) == plural else ""
        new.add(text, kept, context=context)
        if not kept or (plural and not all(kept)):
            empty.append((context, text))
    write(locale, new)
    return empty


def write(locale, made):
    """Write a catalogue, with the lines of its header that mean something."""
    out = io.BytesIO()
    write_po(out, made, width=0, no_location=True)
    kept = [
        line
        for line in out.getvalue().decode().splitlines(keepends=True)
        if not re.match(r'"[A-Z][A-Za-z-]*: ', line)
        or re.match(r'"(Language|Plural-Forms|Content-Type): ', line)
    ]
    (PO / f"{locale}.po").write_text("".join(kept))


if __name__ == "__main__":
    for one in ("de", "es", "fr"):
        print(one, len(update(one)), "empty")
