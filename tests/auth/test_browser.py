"""Accounts in a real browser: the whole way, with and without scripts, and axe on each page."""

import threading

import pytest
from auth_kit import WORDS, adder
from werkzeug.serving import WSGIRequestHandler, make_server

pytestmark = [pytest.mark.browser, pytest.mark.slow]

REFUSED = "status of 422"  # what a browser says of a page with errors, and of nothing else here


class Quiet(WSGIRequestHandler):
    """Writes no line per request: the application does."""

    def log(self, *args):
        pass


@pytest.fixture
def site(make_app):
    """The address of the shop, with the look."""
    from carboy.web.csrf.battery import Csrf
    from carboy.web.look.battery import Look

    app = make_app(more=(Look(), Csrf()))
    adder(app)("ada", ["staff"])
    server = make_server("127.0.0.1", 0, app, request_handler=Quiet, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def open_page(chromium):
    """Open pages that remember what the browser complained about, as `page.complaints`."""
    contexts = []

    def open_page(width=1280, **options):
        context = chromium.new_context(viewport={"width": width, "height": 800}, **options)
        contexts.append(context)
        context.set_default_timeout(10_000)  # milliseconds
        page = context.new_page()
        page.complaints = []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        return page

    yield open_page
    for context in contexts:
        context.close()


def fill(page, **values):
    for name, value in values.items():
        page.fill(f"[name={name}]", value)
    page.click("main button.primary")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_the_whole_way(site, open_page, scripts):
    """Sign up, sign in, change the name, sign out: with scripts and without."""
    page = open_page(java_script_enabled=scripts, reduced_motion="reduce")
    page.goto(f"{site}/sign-up?next=/account")
    fill(page, name="Ines", email="ines@example.org", password="korrekt hest batteri")
    assert page.locator(".alert.good").is_visible()
    fill(page, email="ines@example.org", password="korrekt hest batteri")
    assert page.url == f"{site}/account"
    fill(page, name="Ines K.")
    assert "Your name is changed" in page.inner_text("main")
    page.click('main form[action="/sign-out"] button')
    page.goto(f"{site}/account")
    assert page.url == f"{site}/sign-in?next=/account"
    assert page.complaints == []


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_each_page_is_accessible(site, open_page, scheme, width):
    """No violation of WCAG 2.2 AA, nothing in the console, nothing to scroll sideways."""
    from axe_playwright_python.sync_playwright import Axe

    page = open_page(width, color_scheme=scheme, reduced_motion="reduce")

    def look(place):
        found = [one["id"] for one in Axe().run(page).response["violations"]]
        assert found == [], (place, found)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, place

    page.goto(f"{site}/sign-up")
    look("sign-up")
    fill(page, name=" ", email="ines", password="correct")
    look("sign-up with errors")
    page.goto(f"{site}/sign-in/link?token=x")
    look("link")
    page.goto(f"{site}/sign-in?next=/account")
    look("sign-in")
    fill(page, email="ada@example.org", password="wrong")
    look("sign-in with an error")
    fill(page, email="ada@example.org", password=WORDS)
    look("account")
    page.fill("[name=current]", WORDS)
    page.fill("[name=password]", "short")
    page.click("text=Change the password")
    look("account with an error")
    assert [said for said in page.complaints if REFUSED not in said] == []
