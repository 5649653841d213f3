"""Texts in the language of the request, for Python and for templates.

    _("Save")                                      in both
    _("%(title)s was saved.", title=book.title)    values are filled in afterwards
    ngettext("%(num)s row", "%(num)s rows", 3)     num is there by itself
    pgettext("of a book", "Title")                 the same word, another meaning

`{% trans %}` is there, too: its body is HTML, its values are escaped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import escape

from carboy.web.i18n.catalogue import Key, catalogues
from carboy.web.i18n.locales import current, settings

__all__ = ["N_", "_", "gettext", "install", "ngettext", "npgettext", "pgettext"]


def gettext(text: str, /, **values: Any) -> str:
    """Return *text* in the language of the request, with *values* filled in."""
    return _filled(_found(text) or text, text, values)


_ = gettext


def N_(text: str) -> str:
    """Return *text* as it is: marks one that is translated later, by a variable."""
    return text


def pgettext(context: str, text: str, /, **values: Any) -> str:
    """Return *text* as it is meant in *context*."""
    return _filled(_found((context, text)) or text, text, values)


def ngettext(one: str, many: str, num: int, /, **values: Any) -> str:
    """Return *one* or *many*, as the language counts *num* things."""
    text = one if num == 1 else many
    return _filled(_plural(one, num) or text, text, {"num": num, **values})


def npgettext(context: str, one: str, many: str, num: int, /, **values: Any) -> str:
    """Return *one* or *many* as they are meant in *context*."""
    text = one if num == 1 else many
    return _filled(_plural((context, one), num) or text, text, {"num": num, **values})


def _found(key: Key) -> str | None:
    for catalogue in catalogues(current().name, settings().folder):
        text = catalogue.texts.get(key)
        if text is not None:
            return text
    return None


def _plural(key: Key, num: int) -> str | None:
    for catalogue in catalogues(current().name, settings().folder):
        text = catalogue.plural(key, num)
        if text is not None:
            return text
    return None


def _open_plural(one: str, many: str, num: int) -> str:
    return _plural(one, num) or (one if num == 1 else many)


def _open_plural_of(context: str, one: str, many: str, num: int) -> str:
    return _plural((context, one), num) or (one if num == 1 else many)


def _filled(text: str, written: str, values: Mapping[str, Any]) -> str:
    """Return *text* with *values*; as it was *written* when a translation names others.

    A value that is HTML makes the whole HTML; the text and the other values are escaped.
    """
    if not values:
        return text
    if any(hasattr(value, "__html__") for value in values.values()):
        text, written = escape(text), escape(written)
    try:
        return text % values
    except (KeyError, ValueError, TypeError):
        return written % values


def install(environment: Any) -> None:
    """Give a Jinja environment `_`, `{% trans %}` and their relatives.

    SECURITY: what `_()` returns is text and is escaped, so that `_(row.title)` is harmless;
    only the body of `{% trans %}`, which a template's author wrote, is HTML.
    """
    environment.add_extension("jinja2.ext.i18n")
    # Jinja fills the values in itself: these return texts with their places left open.
    environment.install_gettext_callables(
        gettext, _open_plural, newstyle=True, pgettext=pgettext, npgettext=_open_plural_of
    )
    environment.globals["_"] = gettext
