"""Texts, formats and the choice of a language."""

import datetime as dt
from decimal import Decimal

import pytest
from flask import render_template_string
from markupsafe import Markup

from carboy import Carboy
from carboy.data.fields import Field, message
from carboy.web.form.battery import Forms
from carboy.web.form.messages import sentence, translated
from carboy.web.form.spec import FieldSpec
from carboy.web.i18n import formats, locales
from carboy.web.i18n.locales import Locale, current, in_locale
from carboy.web.i18n.texts import gettext, ngettext, npgettext, pgettext

PO = """
msgid ""
msgstr ""
"Language: de\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"

msgid "Save"
msgstr "Sichern"

msgid "Hello %(name)s"
msgstr "Hallo %(name)s"

msgid "Broken %(name)s"
msgstr "Kaputt %(nom)s"

msgctxt "of a book"
msgid "Title"
msgstr "Buchtitel"

#, fuzzy
msgid "Guess"
msgstr "Vermutung"

msgid "%(num)s cork"
msgid_plural "%(num)s corks"
msgstr[0] "%(num)s Korken"
msgstr[1] "%(num)s Korken alle"
"""


@pytest.fixture
def app(tmp_path):
    """An application with texts of its own."""
    folder = tmp_path / "translations/de/LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "messages.po").write_text(PO)
    app = Carboy("app", batteries=(Forms(),), root_path=str(tmp_path))
    app.testing = True

    @app.get("/")
    def home():
        return render_template_string(
            "<html lang={{ locale }} dir={{ locale.dir }}>{{ _('Save') }}"
        )

    @app.get("/plain")
    def plain():
        return "nothing to translate"

    return app


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({}, "en dir=ltr>Save"),
        ({"Accept-Language": "de-AT,en;q=0.5"}, "de dir=ltr>Sichern"),
        ({"Accept-Language": "it, fr;q=0.9, de;q=0.8"}, "fr dir=ltr>Enregistrer"),
        ({"Accept-Language": "it"}, "en dir=ltr>Save"),
        ({"Accept-Language": "*;q=x;;,,"}, "en dir=ltr>Save"),
        ({"Accept-Language": "de;q=0, en-GB"}, "en dir=ltr>Save"),
    ],
    ids=["none", "accept", "best", "unknown", "broken", "refused"],
)
def test_the_language_of_a_request(app, headers, text):
    """The cookie, then what the browser asks for, then the first language."""
    assert app.test_client().get("/", headers=headers).text == f"<html lang={text}"


@pytest.mark.parametrize(
    ("cookie", "text"), [("es", "Guardar"), ("../../x", "Sichern"), ("it", "Sichern")]
)
def test_a_cookie_comes_first(app, cookie, text):
    """When it names a language that is spoken here."""
    client = app.test_client()
    client.set_cookie("locale", cookie)
    assert text in client.get("/", headers={"Accept-Language": "de"}).text


def test_what_the_user_prefers(app):
    """Comes after the cookie and before the browser."""
    app.locale_loader(lambda: "fr")
    client = app.test_client()
    assert "Enregistrer" in client.get("/", headers={"Accept-Language": "de"}).text
    client.set_cookie("locale", "es")
    assert "Guardar" in client.get("/").text


def test_vary_only_when_the_language_mattered(app):
    """A page without texts may be kept for everybody; so may all of one language."""
    client = app.test_client()
    assert client.get("/").headers["Vary"] == "Cookie, Accept-Language"
    assert "Vary" not in client.get("/plain").headers
    app.config["LOCALES"] = ["de"]
    response = client.get("/")
    assert "Vary" not in response.headers
    assert "Sichern" in response.text


def test_texts_in_python(app):
    """The application's words win over ours; what is in neither stays; values are filled in."""
    app.seal()
    with app.app_context(), in_locale("de"):
        assert gettext("Save") == "Sichern"
        assert gettext("Cancel") == "Abbrechen"
        assert gettext("Nobody said this: 100 %") == "Nobody said this: 100 %"
        assert gettext("Hello %(name)s", name="<b>") == "Hallo <b>"
        assert gettext("Hello %(name)s", name=Markup("<b>")) == Markup("Hallo <b>")
        assert gettext("Broken %(name)s", name="x") == "Broken x"
        assert gettext("Guess") == "Guess"
        assert pgettext("of a book", "Title") == "Buchtitel"
        assert ngettext("%(num)s cork", "%(num)s corks", 1) == "1 Korken"
        assert ngettext("%(num)s cork", "%(num)s corks", 3) == "3 Korken alle"
        assert npgettext("x", "%(num)s a", "%(num)s b", 2) == "2 b"
    with app.app_context(), in_locale("de-AT"):
        assert gettext("Save") == "Sichern"
    assert gettext("Save") == "Save"


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ _('Hello %(name)s', name='<b>') }}", "Hallo &lt;b&gt;"),
        ("{{ _(evil) }}", "&lt;script&gt;"),
        ("{% trans name='<b>' %}Hello {{ name }}{% endtrans %}", "Hallo &lt;b&gt;"),
        ("{% trans %}A <a href='/'>link</a>{% endtrans %}", "A <a href='/'>link</a>"),
        ("{{ ngettext('%(num)s cork', '%(num)s corks', 2) }}", "2 Korken alle"),
        ("{% trans n=1 %}{{ n }} of 100 %{% pluralize %}{{ n }}{% endtrans %}", "1 of 100 %"),
        ("{{ pgettext('of a book', 'Title') }}", "Buchtitel"),
    ],
)
def test_texts_in_templates(app, template, text):
    """Values are escaped, and so is what `_` returns; the body of `trans` is HTML."""
    app.seal()
    with app.test_request_context("/", headers={"Accept-Language": "de"}):
        assert render_template_string(template, evil="<script>") == text


MOMENT = dt.datetime(2026, 12, 1, 22, 30, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("locale", "made", "text"),
    [
        ("en", lambda: formats.format_money(215000), "€2,150.00"),
        ("de", lambda: formats.format_money(215000), "2.150,00\xa0€"),
        ("fr", lambda: formats.format_money(215000, "JPY"), "215\u202f000\xa0JPY"),
        ("de", lambda: formats.format_number(1234.5), "1.234,5"),
        ("en", lambda: formats.format_number(Decimal("1234.5"), places=2), "1,234.50"),
        ("de", lambda: formats.format_date(dt.date(2026, 12, 1)), "01.12.2026"),
        ("en", lambda: formats.format_date(MOMENT, "long"), "December 1, 2026"),
        ("fr", lambda: formats.format_datetime(MOMENT, "short"), "01/12/2026 22:30"),
        ("de", lambda: formats.format_time(dt.time(9, 5)), "09:05"),
        ("es", lambda: formats.format_time(MOMENT), "22:30"),
        ("en", lambda: formats.format_date(None) + formats.format_money(None), ""),
    ],
)
def test_formats(locale, made, text):
    """As CLDR has them."""
    with in_locale(locale):
        assert made() == text


def test_moments_are_shown_in_the_zone_of_who_asks(app):
    """The option, and before it what the application knows of the user."""
    app.config["TIME_ZONE"] = "Europe/Zurich"
    app.seal()
    with app.app_context():
        assert formats.format_date(MOMENT) == "Dec 1, 2026"
        assert "11:30" in formats.format_datetime(MOMENT, "short")
        app.zone_loader(lambda: "Asia/Tokyo")
        assert formats.format_date(MOMENT) == "Dec 2, 2026"
        app.zone_loader(lambda: "Not/There")
        assert formats.format_date(MOMENT) == "Dec 1, 2026"


@pytest.mark.parametrize(
    ("tag", "name", "dir"),
    [("de", "de", "ltr"), ("PT-BR", "pt_BR", "ltr"), ("ar-EG", "ar_EG", "rtl"),
     ("pa_Arab", "pa_Arab", "rtl"), ("he", "he", "rtl")],
)  # fmt: skip
def test_names_and_directions(tag, name, dir):
    """As HTML and as folders write them."""
    locale = Locale(tag)
    assert (locale.name, locale.dir, str(locale)) == (name, dir, name.replace("_", "-"))


def test_without_an_application():
    """Scripts and tests get English, UTC and euros."""
    assert (current().tag, formats.zone(), locales.settings().currency) == ("en", dt.UTC, "EUR")


RULES = ("required", "type", "min_length", "max_length", "ge", "le", "pattern", "choice", "unique",
         "exists")  # fmt: skip
KINDS = {"text": str, "integer": int, "number": float, "boolean": bool, "date": dt.date,
         "decimal": Decimal, "time": dt.time, "reference": int, "uuid": object}  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("kind", KINDS)
def test_form_api_and_database_say_the_same(kind, rule):
    """In English, word for word; a moment alone needs no zone in a form."""
    more = {
        "label": "Price", "unit": "cents", "min_length": 1, "max_length": 7, "ge": 2, "le": 2100,
        "choices": (("a", "Aye"), ("b", "Bee")),
    }  # fmt: skip
    field = Field(
        name="price", column="price", python=KINDS[kind], kind=kind, optional=False, **more
    )
    assert sentence(FieldSpec(name="price", kind=kind, **more), rule) == message(field, rule)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Price is taken already.", "„Price“ ist schon vergeben."),
        ("Price must be at least 2 cents.", "„Price“ muss mindestens 2 cents sein."),
        ("Save", "Speichern"),
        ("My own words.", "My own words."),
    ],
)
def test_what_the_database_says_is_translated(text, said):
    """Models and databases know no request: they say it in English."""
    spec = FieldSpec(name="price", label="Price", kind="integer", ge=2, unit="cents")
    with in_locale("de"):
        assert translated(spec, text) == said
    assert translated(spec, text) == text
