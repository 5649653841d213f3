"""Shells, navigation and preferences: what every page of an application gets."""

import re
from urllib.parse import urljoin, urlsplit

import pytest
from flask import Blueprint, flash
from hypothesis import example, given, strategies as st

from carboy import Carboy
from carboy.base.errors import SetupError
from carboy.web.look.battery import Look
from carboy.web.look.page import direction, local

SHELLS = ["shop", "workshop", "bare"]
PAGE = """{% extends "carboy/NAME.html" %}
{% block title %}Books &amp; more{% endblock %}
{% block content %}<h1>Books</h1>{% endblock %}
"""


def page(name):
    """Return a template that extends a shell."""
    return PAGE.replace("NAME", name)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_is_a_whole_page(render, look_app, shell):
    """Language, direction, title, style, scripts that wait, a way to skip to the content."""
    html = render(page(shell))

    assert '<html lang="en" dir="ltr">' in html
    assert "<title>Books &amp; more: Under test</title>" in html
    assert re.search(r'<link rel="stylesheet" href="/_carboy/\w{12}/carboy.css">', html)
    assert html.count(" defer></script>") == 2
    assert '<a class="skip" href="#main">' in html
    assert '<main id="main"' in html
    assert "<h1>Books</h1>" in html


def test_the_site_has_the_name_of_the_option(look_app, render):
    """Escaped, as everything."""
    look_app.config["SITE_NAME"] = "Demijohn & Sons"

    assert "<title>Books &amp; more: Demijohn &amp; Sons</title>" in render(page("shop"))


def test_a_page_is_rendered_before_anything_is_sealed(look_app):
    """By a command, or a job."""
    with look_app.test_request_context("/"):
        html = look_app.jinja_env.from_string(page("bare")).render()

    assert "Under test</title>" in html
    assert "/carboy.css" in html


def test_a_page_without_a_title_is_called_as_the_site(render):
    """No lonely colon."""
    assert "<title>Under test</title>" in render('{% extends "carboy/bare.html" %}')


class Bound:
    """A form as the forms battery makes it, with errors."""

    errors = {"title": ["Missing"], "price": ["Too low", "Not a number"]}
    form_errors = ["Taken"]


def test_a_page_with_errors_says_so_first(render):
    """Screen readers begin with the title."""
    assert "<title>4 errors: Books" in render(page("shop"), form=Bound())
    assert "<title>1 error: Books" in render(page("shop"), error_count=1)
    assert "<title>Books" in render(page("shop"), form=lambda f: f)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("category", "tone"),
    [("good", "good"), ("success", "good"), ("error", "bad"), ("warning", "warn"), ("message", "")],
)
def test_what_happened_is_said_at_the_top(look_app, write, shell, category, tone):
    """Flask's flash, once, escaped."""
    write("home.html", page(shell))

    @look_app.get("/")
    def home():
        flash("<b>Saved</b>", category)
        return look_app.jinja_env.get_template("home.html").render()

    html = look_app.test_client().get("/").text

    assert f'<div class="alert {tone}"' in html
    assert "&lt;b&gt;Saved&lt;/b&gt;" in html


def test_pages_of_batteries_extend_the_applications_layout(look_app, write, render):
    """Ours until there is one."""
    assert render("{{ layout }}") == "carboy/shop.html"
    write("layout.html", "mine: {% block content %}{% endblock %}")
    look_app.config.on_change()  # as a restart, or anything declared, would

    assert render("{{ layout }}") == "layout.html"
    text = "{% extends layout %}{% block content %}books{% endblock %}"
    assert render(text) == "mine: books"


def test_an_applications_template_of_the_same_name_wins(write, render):
    """Any of ours is replaced by a file."""
    write("carboy/_account.html", "<li>mine</li>")

    assert "<li>mine</li>" in render(page("shop"))


# Navigation


def test_lines_stand_in_their_shell_and_group(look_app, render):
    """The top bar and the rail have lines of their own."""
    look_app.nav("Books", "/books", icon="book")
    look_app.nav("Orders", "/staff/orders", group="Shop", where="workshop", count=lambda: 1804)

    assert "Books" in render(page("shop").replace("Books", ""))
    assert "Orders" not in render(page("shop"))
    rail = render(page("workshop"))
    assert "<h2>Shop</h2>" in rail
    assert '<span class="badge">1,804</span>' in rail
    assert 'href="/books"' not in rail


def test_the_current_line_is_marked(look_app, render):
    """The page itself, or a page of the same blueprint."""
    books = Blueprint("books", __name__)
    books.add_url_rule("/books", "list", lambda: "")
    books.add_url_rule("/books/<key>", "detail", lambda key: key)
    look_app.register_blueprint(books)
    look_app.nav("Books", "books.list")
    look_app.nav("About", "/about")

    assert 'href="/books" aria-current="page"' in render(page("shop"), "/books")
    assert 'href="/books" aria-current="true"' in render(page("shop"), "/books/7")
    assert 'href="/about" aria-current="page"' in render(page("shop"), "/about")
    assert "aria-current" not in render(page("shop"), "/")


def test_a_line_is_shown_to_those_it_is_for(look_app, render):
    """Asked for each page."""
    seen = []
    look_app.nav("Staff", "/staff", visible=lambda: seen)

    assert "/staff" not in render(page("shop"))
    seen.append(1)
    assert "/staff" in render(page("shop"))


@pytest.mark.parametrize(
    ("options", "code", "hint"),
    [
        ({"icon": "boook"}, "look.icon", "Did you mean 'book'?"),
        ({"where": "shops"}, "look.where", "Did you mean 'shop'?"),
    ],
)
def test_a_misspelt_word_is_said_at_once(look_app, options, code, hint):
    """With the one that was meant."""
    with pytest.raises(SetupError) as caught:
        look_app.nav("Books", "/books", **options)
    assert caught.value.code == code
    assert hint in str(caught.value)


def test_a_line_that_leads_nowhere_is_found(look_app):
    """By `carboy check`, before a page breaks."""
    look_app.nav("Books", "books.lists")
    look_app.add_url_rule("/books", "books.list", lambda: "")

    (found,) = [each for each in look_app.findings() if each.code == "look.nav"]
    assert "Did you mean 'books.list'?" in found.hint


def test_without_accounts_nobody_is_asked_to_sign_in(render):
    """The line comes with the battery's endpoint."""
    assert "Sign in" not in render(page("shop"))


class Person:
    """As much of a user as the menu needs."""

    name = "<Ines>"
    email = "ines@example.org"


def test_the_account_menu_knows_who_is_signed_in(look_app, render):
    """A link for visitors, a menu with a form that signs out for others."""
    accounts = Blueprint("accounts", __name__)
    accounts.add_url_rule("/sign-in", "sign_in_form", lambda: "")
    accounts.add_url_rule("/sign-out", "sign_out_post", lambda: "", methods=["POST"])
    look_app.register_blueprint(accounts)

    assert '<a class="navlink" href="/sign-in">' in render(page("shop"))
    html = render(page("workshop"), me=Person())
    assert "&lt;Ines&gt;" in html
    assert '<form method="post" action="/sign-out">' in html
    assert "/sign-in" not in html


# Theme and language


@pytest.mark.parametrize(
    ("tag", "way"),
    [("en", "ltr"), ("ar", "rtl"), ("he-IL", "rtl"), ("fa_AF", "rtl"), ("az-Arab", "rtl")],
)
def test_the_script_decides_the_direction(look_app, render, tag, way):
    """The global `locale` may be a text, a Babel locale, or a call."""
    for locale in (tag, lambda: tag):
        look_app.jinja_env.globals["locale"] = locale
        assert f'lang="{tag.replace("_", "-")}" dir="{way}"' in render(page("bare"))
    assert direction(tag.replace("_", "-")) == way


@pytest.fixture
def choose(look_app):
    """Post preferences."""
    client = look_app.test_client()
    return lambda **sent: client.post("/_carboy/preferences", data=sent)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_theme_is_remembered(look_app, write, theme):
    """As a cookie on this device; the server puts it on the page, so nothing flickers."""
    write("home.html", page("shop"))
    look_app.add_url_rule(
        "/", "home", lambda: look_app.jinja_env.get_template("home.html").render()
    )
    client = look_app.test_client()
    answer = client.post("/_carboy/preferences", data={"theme": theme, "next": "/books?page=2"})

    assert (answer.status_code, answer.location) == (303, "/books?page=2")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith(f"theme={theme};")
    assert "SameSite=Lax" in cookie
    assert "HttpOnly" in cookie
    assert f'data-theme="{theme}"' in client.get("/").text
    client.post("/_carboy/preferences", data={"theme": "auto"})
    assert "data-theme" not in client.get("/").text


def test_a_forged_cookie_chooses_nothing(look_app, write):
    """Only what is offered gets onto the page."""
    write("home.html", page("shop"))
    look_app.add_url_rule(
        "/", "home", lambda: look_app.jinja_env.get_template("home.html").render()
    )
    client = look_app.test_client()
    client.set_cookie("theme", '"><script>')

    assert "data-theme" not in client.get("/").text


def test_a_language_is_offered_and_remembered(look_app, look, render, choose):
    """Those that the forms battery has; one language is no choice."""
    assert "locale" not in render(page("shop"))
    look.locales = [("en", "English"), ("pt_BR", "Português")]

    assert 'value="pt_BR" lang="pt-BR" aria-pressed="false">Português' in render(page("shop"))
    assert choose(locale="pt_BR").headers["Set-Cookie"].startswith("locale=pt_BR;")


@pytest.mark.parametrize(
    "sent", [{"theme": "pink"}, {"theme": ""}, {"locale": "xx"}, {"locale": "../x"}, {}], ids=str
)
def test_what_is_not_offered_is_refused(choose, sent):
    """With the name of the field, and no cookie."""
    answer = choose(**sent)

    assert answer.status_code == 422
    assert "Set-Cookie" not in answer.headers
    for name in sent:
        assert name in answer.text


EVIL = [
    "//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil", "/\t/evil", "///evil",
    "javascript:alert(1)", "http:evil", " //evil", "/a\r\nSet-Cookie: x=1", "", "evil", "/x" * 2000,
]  # fmt: skip


@pytest.mark.parametrize("address", EVIL)
def test_the_way_back_is_on_this_site(choose, address):
    """Whatever was put into `next`."""
    answer = choose(theme="dark", next=address)

    assert (answer.status_code, answer.location) == (303, "/")


@given(st.text(st.sampled_from("/\\.:@?#%\t evil"), max_size=12))
@example("/..//evil")
@example("/.//evil")
def test_no_address_leads_away(address):
    """As a browser would read it."""
    there = urlsplit(urljoin("https://us.example/here", local(address)))

    assert (there.scheme, there.netloc) == ("https", "us.example")


# What it costs


def test_a_request_without_a_template_pays_nothing(look_app, make_app):
    """No environment is made, no stage runs."""
    bare = make_app("headers", "pages", name="bare")
    for app in (look_app, bare):
        app.add_url_rule("/json", "json", lambda: {"a": 1})
        assert app.test_client().get("/json").json == {"a": 1}

    assert "jinja_env" not in look_app.__dict__
    stages = [
        next(lane for lane in app.lanes if lane.endpoint == "json") for app in (look_app, bare)
    ]
    assert stages[0].before_names == stages[1].before_names
    assert len(stages[0].after or ()) == len(stages[1].after or ())


def test_the_globals_of_other_batteries_win(tmp_path):
    """In whichever order they come."""

    class Real(Look):
        name = "real"

        def __init__(self):
            super().__init__()

        def init(self, app):
            base = app.jinja_environment

            class Environment(base):
                def __init__(self, *args, **options):
                    super().__init__(*args, **options)
                    self.globals["_"] = lambda text, **values: text.upper()

            app.jinja_environment = Environment

        def seal(self, app):
            pass

    for batteries in ((Real(), Look()), (Look(), Real())):
        app = Carboy("x", batteries=batteries, root_path=str(tmp_path))
        with app.app_context():
            assert app.jinja_env.from_string("{{ _('next') }}").render() == "NEXT"


def test_stand_ins_do_what_the_name_says(render):
    """Without the forms battery pages are in English, with figures as English writes them."""
    text = (
        "{{ _('%(n)s left', n=3) }}|{{ ngettext('%(num)s row', '%(num)s rows', 1) }}|"
        "{{ format_number(1204) }}|{{ format_number(0.75) }}|{{ format_number('x') }}|"
        "{{ format_money(14.9, '€') }}|{{ csrf() }}|{{ me }}"
    )

    assert render(text) == "3 left|1 row|1,204|0.75|x|€ 14.90||None"


@pytest.mark.parametrize("shell", ["shop", "workshop", "bare", "../etc", "x"])
def test_the_style_guide_is_for_developers(look_app, shell):
    """In production it is not there."""
    client = look_app.test_client()
    assert client.get(f"/_carboy/look?shell={shell}").status_code == 404
    look_app.debug = True

    assert client.get(f"/_carboy/look?shell={shell}").status_code == (
        200 if shell in SHELLS else 404
    )
