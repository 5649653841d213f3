"""What a page asks the look: its language, its theme, the navigation, who is signed in.

    templates  ->  carboy_look.lang, carboy_look.theme, carboy_look.nav("shop"), ...

One small object serves all requests; it looks at the current one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import flask
import jinja2

__all__ = ["THEMES", "Entry", "Group", "Page", "direction", "local"]

THEMES = ("auto", "light", "dark")  # the first: as the device says, no cookie
RTL = frozenset(
    ("ar", "arc", "ckb", "dv", "fa", "ha", "he", "ks", "ku", "ps", "sd", "ug", "ur", "yi")
)
RTL_SCRIPTS = frozenset(("arab", "hebr", "thaa", "nkoo", "syrc", "adlm"))
MOST = 2_000  # characters of an address to come back to


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the navigation.

    endpoint: of a view, or an address that begins with "/" or a scheme.
    where: "shop", the top bar; "workshop", the rail of staff pages.
    visible: called for each page; false hides the line. None: everybody sees it.
    count: called for each page; what stands in the badge. None: no badge.
    """

    label: str
    endpoint: str
    icon: str = ""
    group: str = ""
    where: str = "shop"
    visible: Callable[[], Any] | None = None
    count: Callable[[], Any] | None = None

    @property
    def is_address(self) -> bool:
        """Whether *endpoint* is an address and no endpoint."""
        return self.endpoint.startswith("/") or "://" in self.endpoint


@dataclass(frozen=True, slots=True)
class Group:
    """Lines of the navigation below one heading, as a page shows them."""

    label: str
    lines: list[dict[str, Any]]


class Page:
    """Answers templates; the global `carboy_look`.

    entries: of the navigation. languages: (tag, own name) pairs.
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.languages: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """The name of the site."""
        app = flask.current_app
        return app.config["SITE_NAME"] or app.name.replace("_", " ").capitalize()

    @property
    def lang(self) -> str:
        """The language of this page, as HTML writes it: "en", "pt-BR"."""
        return _tag(flask.current_app.jinja_env.globals.get("locale")) or "en"

    @property
    def dir(self) -> str:
        """The direction of its script: "ltr" or "rtl"."""
        return direction(self.lang)

    @property
    def theme(self) -> str:
        """What the visitor chose: "light", "dark", or "" for what the device says."""
        chosen = _cookie("theme")
        return chosen if chosen in THEMES[1:] else ""

    @property
    def themes(self) -> tuple[str, ...]:
        """What may be chosen."""
        return THEMES

    @property
    def locales(self) -> tuple[tuple[str, str], ...]:
        """(tag, own name) of each language to choose from; none, or one, is no choice."""
        return self.languages if len(self.languages) > 1 else ()

    @property
    def here(self) -> str:
        """The address of this page, to come back to."""
        if not flask.has_request_context():
            return "/"
        return local(flask.request.script_root + flask.request.full_path.rstrip("?"))

    @property
    def home(self) -> str:
        """The address of the start page."""
        return f"{flask.request.script_root}/" if flask.has_request_context() else "/"

    def has(self, endpoint: str) -> bool:
        """Return whether the application has a view of this endpoint."""
        return endpoint in flask.current_app.view_functions

    def nav(self, shell: str) -> list[Group]:
        """Return the groups of lines that this visitor sees in this shell."""
        groups: dict[str, Group] = {}
        if not flask.has_request_context():  # a mail, a command
            return []
        for entry in self.entries:
            if entry.where == shell and (entry.visible is None or entry.visible()):
                group = groups.setdefault(entry.group, Group(entry.group, []))
                group.lines.append(_line(entry))
        _settle(line for group in groups.values() for line in group.lines)
        return list(groups.values())

    def wrong(self, *forms: Any) -> int:
        """Return how many errors the forms of a page have; what is no form has none."""
        return sum(_wrong(form) for form in forms)


def _settle(lines: Iterable[dict[str, Any]]) -> None:
    """Leave one line current: the page itself, else the first it may be below."""
    marked = [line for line in lines if line["current"]]
    pages = [line for line in marked if line["current"] == "page"]
    for line in marked:
        if line is not (pages or marked)[0]:
            line["current"] = ""


def _line(entry: Entry) -> dict[str, Any]:
    url = entry.endpoint if entry.is_address else flask.url_for(entry.endpoint)
    return {
        "label": entry.label,
        "url": url,
        "icon": entry.icon,
        "current": _current(entry, url),
        "count": "" if entry.count is None else entry.count(),
    }


def _current(entry: Entry, url: str) -> str:
    """Return what aria-current says: this page, a page below it, or nothing."""
    request = flask.request
    if request.script_root + request.path == url or request.endpoint == entry.endpoint:
        return "page"
    blueprint, dot, _ = entry.endpoint.rpartition(".")
    inside = bool(dot) and not entry.is_address and request.blueprint == blueprint
    return "true" if inside else ""


def _wrong(form: Any) -> int:
    if form is None or isinstance(form, (int, jinja2.Undefined)):
        return form if isinstance(form, int) else 0
    errors = getattr(form, "errors", None)
    if not isinstance(errors, Mapping):
        return 0
    return sum(map(len, errors.values())) + len(getattr(form, "form_errors", ()))


def _tag(found: Any) -> str:
    """Return the language tag of what the global `locale` is: text, Babel's Locale, a call."""
    found = found() if callable(found) else found
    return "" if found is None else str(found).replace("_", "-")


def _cookie(name: str) -> str:
    return flask.request.cookies.get(name, "") if flask.has_request_context() else ""


def direction(tag: str) -> str:
    """Return "rtl" for languages and scripts that are written from right to left.

    >>> direction("ar-EG"), direction("ku-Latn"), direction("pa-Arab"), direction("de")
    ('rtl', 'ltr', 'rtl', 'ltr')
    """
    first, *rest = tag.lower().split("-")
    script = next((part for part in rest if len(part) == 4 and part.isalpha()), "")
    return "rtl" if (script in RTL_SCRIPTS if script else first in RTL) else "ltr"


def local(address: str) -> str:
    """Return *address* when it is a path of this site, else "/".

    SECURITY: browsers take "//host", "/\\\\host" and "/<tab>/host" for another site.
    """
    if not address.startswith("/") or address.startswith("//") or len(address) > MOST:
        return "/"
    if not address.isprintable() or "\\" in address or " " in address:
        return "/"
    try:
        parts = urlsplit(address)
    except ValueError:
        return "/"
    return address if not parts.scheme and not parts.netloc else "/"
