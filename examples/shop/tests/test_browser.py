"""From the front door to the parcel, in a real browser. Skipped where there is none.

pip install playwright, and Chromium from the system: apt-get install chromium
"""

import shutil
import threading

import pytest
from models import Book
from werkzeug.serving import make_server

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.commits,  # the server has connections of its own
    pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium here"),
]


@pytest.fixture
def address_of_shop(app, database):
    """The shop, served to this machine."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=[True, False], ids=["with scripts", "without scripts"])
def page(request, address_of_shop):
    """A page of a new browser, at the front door."""
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(
            base_url=address_of_shop, java_script_enabled=request.param, reduced_motion="reduce"
        )
        context.set_default_timeout(15_000)
        page = context.new_page()
        page.goto("/")
        yield page
        context.close()
        browser.close()


def test_a_newcomer_buys_a_book(page, make):
    make(Book, title="Emma", author="Jane Austen", price_cents=1000, stock=2)

    page.get_by_role("searchbox", name="Search books").fill("austen")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Emma").click()
    page.get_by_role("button", name="Add to cart").click()
    page.get_by_role("link", name="Go to checkout").click()

    page.get_by_role("link", name="Make an account").click()
    page.get_by_label("Name").fill("Ines Kowalczyk")
    for button in ("Make the account", "Sign in"):
        page.get_by_label("E-mail").fill("ines@example.org")
        page.get_by_label("Password", exact=True).fill("seven green bottles")
        page.locator("main").get_by_role("button", name=button).click()

    page.get_by_label("Full name").fill("Ines Kowalczyk")
    page.get_by_label("Street").fill("Krzyża 14/3")
    page.get_by_label("Postcode").fill("31-028")
    page.get_by_label("Town").fill("Kraków")
    page.get_by_label("Country").select_option("Poland")
    page.get_by_role("button", name="Order now").click()

    heading = page.get_by_role("heading", name="Thank you. One book is on its way.")
    playwright.expect(heading).to_be_visible()
    page.get_by_role("link", name="Emma").click()
    page.get_by_role("radio", name="4 stars").check(force=True)
    page.get_by_label("Your review").fill("Handsome, clever and rich.")
    page.get_by_role("button", name="Publish review").click()
    playwright.expect(page.get_by_text("Handsome, clever and rich.").first).to_be_visible()
    playwright.expect(page.get_by_text("Only 1 left")).to_be_visible()
