"""The look as the application meets it: `look`.

declare   app.nav(...), look.add(folder)     lines of the navigation, files
seal      files are read and hashed          {place: Asset}
serve     GET /_carboy/<digest>/<name>       for ever
          POST /_carboy/preferences          theme and language, as cookies
          GET /_carboy/look                  every component on one page, in dev

The one module of this folder that sees the application. Templates are there as of a
blueprint, so an application's template of the same name comes first.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import flask

from carboy.base.battery import Battery
from carboy.base.checks import ERROR, Finding
from carboy.base.errors import RequestFault, SetupError
from carboy.base.options import Option, Text
from carboy.web.look import charts, fallbacks
from carboy.web.look.assets import SHEETS, Assets
from carboy.web.look.icons import ICONS, STARS
from carboy.web.look.page import THEMES, Entry, Page, local

__all__ = ["Look"]

App = Any  # class Carboy; a battery may meet subclasses and extensions of it

HERE = Path(__file__).parent
SHELLS = ("shop", "workshop")  # that have a navigation
GUIDED = (*SHELLS, "bare")
FOREVER = "public, max-age=31536000, immutable"
YEAR_S = 365 * 24 * 3600  # how long a choice is remembered


class Look(Battery):
    """Gives pages their templates, style sheet, scripts and navigation.

    assets: what is served. icons: names to paths. page: what templates ask.
    """

    name: ClassVar[str] = "look"
    options: ClassVar[tuple[Option, ...]] = (
        Option(
            "SITE_NAME", Text, default=None, bounds=(1, 80),
            help="Call the site so in titles and in the top bar; unset: the application's name.",
        ),
    )  # fmt: skip

    def __init__(self) -> None:
        self._touch: Callable[[], None] = _nothing
        self.assets = Assets()
        self.icons: dict[str, str] = dict(ICONS)
        self.page = Page()

    def init(self, app: App) -> None:
        """Bring templates, routes and globals; give the application `app.nav(...)`."""
        self._touch = app.config.on_change  # the application itself would make a cycle
        self.assets.join("carboy.css", SHEETS)
        self.assets.add(HERE / "static")
        app.nav = self.nav
        app.jinja_environment = _with_globals(app.jinja_environment, self)
        app.register_blueprint(self._blueprint())

    def seal(self, app: App) -> None:
        """Read the files, and settle what templates ask for."""
        self.assets.freeze()
        made = app.__dict__.get("jinja_env")
        if made is not None:
            made.globals["layout"] = self.layout(made)

    @property
    def entries(self) -> list[Entry]:
        """The lines of the navigation, as `app.nav` added them."""
        return self.page.entries

    @property
    def locales(self) -> tuple[tuple[str, str], ...]:
        """(tag, own name) of the languages to choose from at the foot of a page."""
        return self.page.languages

    @locales.setter
    def locales(self, pairs: Iterable[tuple[str, str]]) -> None:
        self.page.languages = tuple(pairs)

    def add(self, source: str | Path) -> None:
        """Serve a file, or each file of a folder: `asset("its name")` in templates."""
        self.assets.add(source)
        self._touch()  # what was hashed is not all there is

    def nav(
        self,
        label: str,
        endpoint: str,
        icon: str = "",
        group: str = "",
        *,
        where: str = "",
        visible: Callable[[], Any] | None = None,
        count: Callable[[], Any] | None = None,
    ) -> None:
        """Add a line to the navigation: `app.nav("Books", "books.list", icon="book")`.

        endpoint: or an address that begins with "/". See `Entry` for the rest.
        Raises SetupError for an unknown icon or shell.
        """
        where = where or SHELLS[0]
        for word, what, known in ((icon, "icon", self.icons), (where, "where", SHELLS)):
            if word and word not in known:
                near = difflib.get_close_matches(word, known, n=1)
                raise SetupError(
                    f"look.{what}",
                    f"The line {label!r} of the navigation has {what}={word!r}: there is none.",
                    hint=(f"Did you mean {near[0]!r}? " if near else "")
                    + f"There are: {', '.join(sorted(known))}.",
                )
        self.entries.append(Entry(label, endpoint, icon, group, where, visible, count))

    def url(self, name: str) -> str:
        """Return the address of an asset, as `asset(name)` does in templates."""
        root = flask.request.script_root if flask.has_request_context() else ""
        return f"{root}/_carboy/{self.assets.named(name).place}"

    def layout(self, environment: Any) -> str:
        """Return what pages of batteries extend: the application's layout.html, or ours."""
        return fallbacks.first(environment, ("layout.html", "carboy/shop.html"))

    def checks(self, app: App) -> Iterable[Finding]:
        """Say which lines of the navigation lead nowhere."""
        for entry in self.entries:
            if not entry.is_address and entry.endpoint not in app.view_functions:
                near = difflib.get_close_matches(entry.endpoint, app.view_functions, n=1)
                yield Finding(
                    ERROR,
                    "look.nav",
                    f"The line {entry.label!r} of the navigation leads to {entry.endpoint!r},"
                    " and no view is called so.",
                    hint=(f"Did you mean {near[0]!r}? " if near else "")
                    + "`carboy routes` lists the endpoints; an address begins with a slash.",
                )

    def _blueprint(self) -> flask.Blueprint:
        made = flask.Blueprint("look", __name__, template_folder="templates", url_prefix="/_carboy")
        for rule, view, methods in (
            ("/<digest>/<path:name>", self._asset, ["GET"]),
            ("/preferences", self._preferences, ["POST"]),
            ("/look", self._guide, ["GET"]),
        ):
            made.add_url_rule(rule, view.__name__[1:], _public(view), methods=methods)
        return made

    def _asset(self, digest: str, name: str) -> Any:
        """Send a file that was listed at the seal; anything else does not exist."""
        found = self.assets.find(f"{digest}/{name}")
        if found is None:
            flask.abort(404)
        request = flask.request
        zipped = bool(found.zipped) and request.accept_encodings["gzip"] > 0
        answer = flask.current_app.response_class
        made = answer(found.zipped if zipped else found.body, content_type=found.type)
        made.headers["Cache-Control"] = FOREVER
        made.set_etag(found.digest + ("-gzip" if zipped else ""))
        if found.zipped:
            made.headers["Vary"] = "Accept-Encoding"
        if zipped:
            made.headers["Content-Encoding"] = "gzip"
        return made.make_conditional(request)

    def _preferences(self) -> Any:
        """Remember the theme and the language that were chosen, and go back."""
        sent = flask.request.form
        known = {"theme": THEMES, "locale": tuple(tag for tag, _ in self.locales)}
        chosen = {name: sent[name] for name in known if name in sent}
        _check(chosen, known)
        made = flask.redirect(local(sent.get("next", "/")), 303)
        for name, value in chosen.items():
            if value == "auto":
                made.delete_cookie(name, samesite="Lax", secure=flask.request.is_secure)
            else:
                made.set_cookie(
                    name, value, max_age=YEAR_S, samesite="Lax",
                    httponly=True, secure=flask.request.is_secure,
                )  # fmt: skip
        return made

    def _guide(self) -> Any:
        """Show every component, in dev only."""
        if not flask.current_app.debug:
            flask.abort(404)
        guide = importlib.import_module("carboy.web.look.guide")
        shell = flask.request.args.get("shell", "shop")
        if shell not in GUIDED:
            flask.abort(404)
        return flask.render_template("carboy/guide.html", **guide.values(shell, self.icons))


def _nothing() -> None:
    """Stand in until there is an application."""


def _public(view: Callable[..., Any]) -> Callable[..., Any]:
    """Return *view* as one that anybody may call."""

    def call(**arguments: Any) -> Any:
        return view(**arguments)

    call.__name__, call.__doc__ = view.__name__, view.__doc__
    call.__carboy_access__ = "public"  # type: ignore[attr-defined]  # read by auth/access.py
    return call


def _check(chosen: Mapping[str, str], known: Mapping[str, tuple[str, ...]]) -> None:
    """Raise a 422 that names each field whose value is not offered."""
    errors = [
        {
            "loc": [name],
            "msg": f"Choose one of: {', '.join(known[name]) or 'none'}.",
            "type": "enum",
        }
        for name, value in chosen.items()
        if value not in known[name]
    ]
    if errors or not chosen:
        raise RequestFault(
            422,
            "look.preferences",
            "That cannot be chosen." if errors else "Nothing was chosen.",
            hint="Send theme (auto, light, dark) or locale, and next: the page to come back to.",
            errors=errors,
        )


def _with_globals(base: type[Any], look: Look) -> type[Any]:
    """Return the Jinja environment class *base* with the look's globals.

    PERF: the environment itself is made when a template is rendered, not for this.
    """

    class Environment(base):  # type: ignore[misc]  # whichever class the application has
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            for name, value in fallbacks.GLOBALS.items():
                self.globals.setdefault(name, value)
            self.globals.update(
                asset=look.url,
                carboy_charts=charts,
                carboy_icons=look.icons,
                carboy_look=look.page,
                carboy_stars=STARS,
                layout=look.layout(self),
            )

    return Environment
