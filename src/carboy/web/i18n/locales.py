"""The language of a request: chosen when somebody asks for it, once.

    in_locale("de")   ->  cookie "locale"  ->  what the user prefers  ->  Accept-Language
                      ->  Locale, kept on the request's context; `Vary` says what decided

A page without any text of ours never asks, and may be cached for everybody.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import flask
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from carboy.engine.seam import cv_app, cv_request

__all__ = ["COOKIE", "EXTENSION", "Locale", "Settings", "current", "in_locale", "settings"]

EXTENSION = "carboy.i18n"  # app.extensions: the Settings
COOKIE = "locale"
CHOSEN = "carboy_locale"  # attribute of a request's context
TAG = re.compile(r"[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8}){0,3}")
RTL = frozenset({"ar", "arc", "ckb", "dv", "fa", "he", "ks", "ps", "sd", "syr", "ug", "ur", "yi"})


@dataclass(frozen=True)
class Locale:
    """A language and, perhaps, where it is spoken.

    tag: as HTML and HTTP write it, "pt-BR"; `{{ locale }}` is this. name: as Babel and
    folders of translations write it, "pt_BR". dir: "ltr" or "rtl", for `<html dir>`.
    """

    tag: str
    name: str = field(init=False)
    dir: str = field(init=False)

    def __post_init__(self) -> None:
        language, *rest = re.split("[_-]", self.tag)
        scripted = {"Arab", "Hebr"} & {one.title() for one in rest}
        object.__setattr__(self, "tag", "-".join([language.lower(), *rest]))
        object.__setattr__(self, "name", "_".join([language.lower(), *rest]))
        object.__setattr__(self, "dir", "rtl" if language.lower() in RTL or scripted else "ltr")

    def __str__(self) -> str:
        return self.tag


ENGLISH = Locale("en")
OURS = ("en", "de", "es", "fr")


@dataclass
class Settings:
    """What the application says: languages, the first one for everybody else; zone; currency.

    folder: of the application's own catalogues. locale_loader, zone_loader: told by the
    application, they return what the user of this request prefers, or None.
    """

    locales: tuple[Locale, ...] = tuple(map(Locale, OURS))
    zone: str = "UTC"
    currency: str = "EUR"
    folder: str = ""
    locale_loader: Callable[[], str | None] | None = None
    zone_loader: Callable[[], str | None] | None = None
    by_tag: dict[str, Locale] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.by_tag = {one.tag: one for one in self.locales}
        self.by_tag |= {one.name: one for one in self.locales}


DEFAULT = Settings()
_within: ContextVar[Locale | None] = ContextVar("carboy_locale", default=None)


def settings() -> Settings:
    """Return the settings of the current application, or those of none."""
    ctx = cv_app.get(None)
    found: Settings = DEFAULT if ctx is None else ctx.app.extensions.get(EXTENSION, DEFAULT)
    return found


def current() -> Locale:
    """Return the language to speak now."""
    forced = _within.get()
    if forced is not None:
        return forced
    ctx = cv_request.get(None)
    if ctx is None:
        return settings().locales[0]
    found: Locale | None = ctx.__dict__.get(CHOSEN)
    if found is None:
        found = ctx.__dict__[CHOSEN] = _choose(ctx.request)
    return found


@contextlib.contextmanager
def in_locale(tag: str) -> Iterator[Locale]:
    """Speak *tag* inside `with`: for mails and jobs, which have no request.

    >>> with in_locale("de") as locale:
    ...     current() is locale
    True
    """
    made = settings().by_tag.get(tag) or Locale(tag)
    token = _within.set(made)
    try:
        yield made
    finally:
        _within.reset(token)


def _choose(request: Any) -> Locale:
    known = settings()
    if len(known.locales) == 1:
        return known.locales[0]
    flask.after_this_request(_vary)
    found = known.by_tag.get(request.cookies.get(COOKIE, ""))
    if found is None and known.locale_loader is not None:
        found = known.by_tag.get(known.locale_loader() or "")
    return found or _negotiated(request.headers.get("Accept-Language", ""), known.locales)


@lru_cache(maxsize=256)
def _negotiated(header: str, locales: tuple[Locale, ...]) -> Locale:
    """Return the best of *locales* for an Accept-Language.

    SPEC: RFC 4647 section 3.4, lookup: "de-AT" takes "de" before anything that is wanted less.
    """
    by_tag = {one.tag.lower(): one for one in reversed(locales)}
    by_language = {one.tag.split("-")[0]: one for one in reversed(locales)}
    for tag, quality in parse_accept_header(header, LanguageAccept):
        parts = tag.lower().replace("_", "-").split("-") if quality > 0 else []
        for length in range(len(parts), 0, -1):
            if (found := by_tag.get("-".join(parts[:length]))) is not None:
                return found
        if parts and parts[0] in by_language:
            return by_language[parts[0]]
    return locales[0]


def _vary(response: Any) -> Any:
    response.vary.update(("Cookie", "Accept-Language"))
    return response
