"""Catalogues: texts in other languages, read from .po files when a language is first spoken.

    translations/de/LC_MESSAGES/messages.po   the application's; its words win
    carboy/web/i18n/translations/de.po        ours

Nothing is compiled beforehand. A text that is in none stays as it is written.
"""

from __future__ import annotations

import gettext
import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

__all__ = ["OURS", "Catalogue", "catalogues"]

OURS = Path(__file__).parent / "translations"
Key = str | tuple[str, str]  # the text, or (context, text)


class Catalogue:
    """The texts of one .po file. Fuzzy and empty translations do not count."""

    def __init__(self, path: Path) -> None:
        # Here, because an application in English alone never needs Babel.
        from babel.messages.pofile import read_po

        self.texts: dict[Key, str] = {}
        self.plurals: dict[Key, tuple[str, ...]] = {}
        with path.open("rb") as file:
            found = read_po(file)
        self.form: Callable[[int], int] = gettext.c2py(found.plural_expr)
        for message in found:
            if not message.id or message.fuzzy or not message.string:
                continue
            if isinstance(message.string, str):
                self.texts[_key(message.context, str(message.id))] = message.string
            elif all(message.string):
                self.plurals[_key(message.context, message.id[0])] = tuple(message.string)

    def plural(self, key: Key, count: int) -> str | None:
        """Return the text for *count* things; None when there is none."""
        forms = self.plurals.get(key)
        return None if forms is None else forms[min(self.form(count), len(forms) - 1)]


def _key(context: str | None, text: str) -> Key:
    return (context, text) if context else text


def catalogues(name: str, folder: str) -> tuple[Catalogue, ...]:
    """Return the catalogues of a language, the application's first.

    name: as in "pt_BR"; what it lacks is looked for in "pt".
    """
    return _found(name, folder)


@lru_cache(maxsize=128)
def _found(name: str, folder: str) -> tuple[Catalogue, ...]:
    names = dict.fromkeys((name, name.split("_")[0]))
    theirs = [Path(folder, one, "LC_MESSAGES", "messages.po") for one in names] if folder else []
    ours = [OURS / f"{one}.po" for one in names]
    return tuple(Catalogue(path) for path in (*theirs, *ours) if os.path.isfile(path))
