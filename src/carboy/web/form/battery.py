"""Forms and translations as the application meets them.

    init   options, templates, what every template can call
    seal   languages and the time zone, checked

Nothing of Babel or pydantic is imported until a form or a translated text is shown.
"""

from __future__ import annotations

import importlib
import os
from typing import Any, ClassVar

from flask import Blueprint

from carboy.base.battery import Battery
from carboy.base.errors import SetupError
from carboy.base.options import Names, Option, Text
from carboy.web.i18n import formats, texts
from carboy.web.i18n.locales import EXTENSION, OURS, TAG, Locale, Settings, current

__all__ = ["Forms"]

App = Any  # class Carboy; a battery may meet subclasses and extensions of it


class Forms(Battery):
    """Gives templates forms, translations and formats, and the application its languages."""

    name: ClassVar[str] = "forms"
    options: ClassVar[tuple[Option, ...]] = (
        Option(
            "LOCALES", Names, default=OURS,
            help="Speak these languages; the first one to whoever understands none of them.",
            because="Carboy's own texts are complete in these four.",
        ),
        Option(
            "TIME_ZONE", Text, default="UTC", bounds=(1, 64),
            help="Show and read dates and times in this zone, such as 'Europe/Zurich'.",
            because="A user's own, when the application knows it, comes first:"
            " @app.zone_loader.",
        ),
        Option(
            "CURRENCY", Text, default="EUR", bounds=(3, 3),
            help="Show amounts of money in this currency, three letters of ISO 4217.",
        ),
    )  # fmt: skip

    def __init__(self) -> None:
        self._settings = Settings()

    def init(self, app: App) -> None:
        """Put the settings, the templates and the globals in their places."""
        mine = self._settings
        app.extensions[EXTENSION] = mine
        folder = os.path.join(app.root_path, "translations")
        mine.folder = folder if os.path.isdir(folder) else ""
        app.register_blueprint(Blueprint("carboy_forms", __name__, template_folder="templates"))
        app.jinja_environment = _with_forms(app.jinja_environment)

        def locale_loader(function: Any) -> Any:
            """Let *function* say which language the user of this request prefers."""
            mine.locale_loader = function
            return function

        def zone_loader(function: Any) -> Any:
            """Let *function* say in which time zone the user of this request is."""
            mine.zone_loader = function
            return function

        app.locale_loader, app.zone_loader = locale_loader, zone_loader

    def seal(self, app: App) -> None:
        """Read the options."""
        config, mine = app.config, self._settings
        tags = [*dict.fromkeys(config["LOCALES"] or ("en",))]
        wrong = next((tag for tag in tags if not TAG.fullmatch(tag)), None)
        if wrong is not None:
            raise SetupError(
                "forms.locale",
                f"LOCALES has {wrong!r}, which is no name of a language.",
                hint='Write them as in  LOCALES = ["en", "pt-BR"].',
            )
        if formats.zone_of(config["TIME_ZONE"]) is None:
            raise SetupError(
                "forms.zone",
                f"TIME_ZONE is {config['TIME_ZONE']!r}, which is no time zone known here.",
                hint="Write a name of the IANA database, as in  TIME_ZONE = 'Europe/Zurich'.",
            )
        mine.zone, mine.currency = config["TIME_ZONE"], config["CURRENCY"].upper()
        mine.locales = tuple(map(Locale, tags))
        mine.__post_init__()
        look = app.batteries.get("look")
        if look is not None and not look.locales:
            look.locales = [(one.tag, NAMES.get(one.tag, one.tag)) for one in mine.locales]


NAMES = {
    "ar": "العربية", "cs": "Čeština", "da": "Dansk", "de": "Deutsch", "en": "English",
    "es": "Español", "fa": "فارسی", "fi": "Suomi", "fr": "Français", "he": "עברית",
    "it": "Italiano", "ja": "日本語", "ko": "한국어", "nl": "Nederlands", "no": "Norsk",
    "pl": "Polski", "pt": "Português", "pt-BR": "Português (Brasil)", "ru": "Русский",
    "sv": "Svenska", "tr": "Türkçe", "uk": "Українська", "zh": "中文",
}  # fmt: skip
"""Languages by their own names, for the choice at the foot of a page."""


class _Current:
    """`{{ locale }}` is its tag, `{{ locale.dir }}` its direction."""

    def __str__(self) -> str:
        return current().tag

    def __call__(self) -> Locale:
        return current()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(current(), name)

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


def _form(form: Any, **options: Any) -> Any:
    return form(**options)


def _field(field: Any) -> Any:
    return importlib.import_module("carboy.web.form.widgets").render_field(field)


GLOBALS: dict[str, Any] = {
    "form": _form, "field": _field, "locale": _Current(),
    "format_date": formats.format_date, "format_datetime": formats.format_datetime,
    "format_time": formats.format_time, "format_number": formats.format_number,
    "format_money": formats.format_money,
}  # fmt: skip


def _with_forms(base: type[Any]) -> type[Any]:
    """Return the Jinja environment class *base* with ours among its globals.

    PERF: the environment itself is made when a template is rendered, not for this.
    """

    class Environment(base):  # type: ignore[misc]  # whichever class the application has
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            texts.install(self)
            self.globals.update(GLOBALS)

    return Environment
