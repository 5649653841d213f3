"""A page with every widget in a real browser: axe, the keyboard, and no scripts at all."""

import threading

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import render_template_string, request
from werkzeug.datastructures import MultiDict
from werkzeug.serving import make_server

from carboy import Carboy
from carboy.web.form.battery import Forms
from carboy.web.form.bound import BoundForm
from carboy.web.form.widgets import render
from carboy.web.look.battery import Look

from .test_showing import Everything

pytestmark = pytest.mark.browser

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update"]  # fmt: skip
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
PAGE = """{% extends layout %}{% block title %}Everything{% endblock %}
{% block content %}<div class="stack"><h1>Everything</h1>{{ form() }}{{ form.data }}</div>
{% endblock %}"""


@pytest.fixture(scope="module")
def address():
    """The address of an application with the form of test_showing.py."""
    batteries = ("limits", "headers", "csp", "pages", "typed", Look(), Forms())
    app = Carboy("every_widget", batteries=batteries)
    app.secret_key = "only for tests"

    @app.route("/", methods=["GET", "POST"])
    def every():
        form = Everything.bind()
        return render_template_string(PAGE, form=form), form.status

    @app.get("/people")
    def people():
        posted = MultiDict(request.args)
        posted["editor-search"] = "1"
        return render("found", BoundForm(Everything.spec(), posted=posted)["editor"])

    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=["scripts", "no scripts"])
def tab(browser, request):
    """A page, with what the browser complained of, with and without scripts."""
    context = browser.new_context(
        java_script_enabled=request.param == "scripts", reduced_motion="reduce"
    )
    context.set_default_timeout(10_000)  # milliseconds
    page = context.new_page()
    page.complaints = []
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.scripts = request.param == "scripts"
    yield page
    context.close()


def violations(page):
    """Return "rule: element" for everything axe finds."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [f"{one['id']}: {node['html'][:160]}" for one in found for node in one["nodes"]]


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_widget_is_accessible(browser, address, width, scheme):
    """Blank, with another row, and with an error in each field; nothing scrolls sideways."""
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 900}, reduced_motion="reduce"
    )
    page = context.new_page()
    complaints = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(address)
    assert violations(page) == []
    page.get_by_role("button", name="Add a row").click()
    assert violations(page) == []
    page.get_by_role("button", name="Save").last.click()
    assert "errors: " in page.title()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert [one for one in complaints if "422" not in one] == []  # Chromium tells of the status
    context.close()


def test_the_summary_has_the_focus_and_leads_to_the_field(browser, address):
    """As one who hears the page, or uses the keyboard, expects."""
    page = browser.new_page()
    page.goto(address)
    page.get_by_role("button", name="Save").last.click()
    assert page.evaluate("document.activeElement.getAttribute('role')") == "alert"
    page.get_by_role("link", name="Title is needed.").click()
    assert page.evaluate("document.activeElement.name") == "title"
    page.close()


def test_a_form_is_filled_with_and_without_scripts(tab, address):
    """A search, another row, all kinds of controls; what was typed stays through all of it."""
    tab.goto(address)
    tab.get_by_label("Title", exact=True).fill("Emma")
    tab.get_by_label("Search: Editor").first.fill("998")
    if tab.scripts:
        tab.get_by_label("Person 998").wait_for()
    else:
        tab.get_by_role("button", name="Search: Editor").click()
        assert tab.get_by_label("Title", exact=True).input_value() == "Emma"
    tab.get_by_label("Person 998").check()
    tab.get_by_role("button", name="Add a row").click()
    assert tab.get_by_label("Person 998").is_checked()
    tab.get_by_label("Title, row 1").fill("first")
    tab.get_by_label("Email").fill("ines@example.org")
    tab.get_by_label("Password").fill("a b c d")
    tab.get_by_label("Year").fill("1815")
    tab.get_by_label("Price").fill("9.50")
    tab.get_by_label("Binding").select_option("cloth")
    tab.get_by_label("courier").check()
    tab.locator("label", has_text="4 stars").click()
    tab.get_by_label("Author").select_option("2")
    tab.get_by_role("button", name="Save").last.click()

    assert "'editor': 998" in tab.content(), tab.content()[-3000:]
    assert "'title': 'Emma'" in tab.content().replace("&#39;", "'")
    assert [one for one in tab.complaints if "422" not in one] == []
