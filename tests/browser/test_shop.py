"""The bookshop in a real browser: readable by everyone, at any width, under a strict policy."""

import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHOP = Path(__file__).resolve().parents[2] / "examples" / "shop"
CARBOY = Path(sys.executable).with_name("carboy")
START_S = 90
PASSWORD = secrets.token_urlsafe(12)
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
OPEN = ["/", "/books", "/books?q=whale&language.in=English", "/books?q=zzz", "/books/1", "/cart",
        "/about", "/sign-in", "/sign-up", "/nowhere"]  # fmt: skip
MINE = ["/books/1", "/cart", "/checkout", "/orders", "/orders/1", "/wishes", "/account"]
DESK = ["/admin", "/admin/books", "/admin/books/1", "/admin/books/1/edit", "/admin/orders"]
PEOPLE = {"ines@example.org": "Ines Kowalczyk", "sam@example.org": "Sam Staff"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The address of a copy of the shop with books, reviews, a customer and one of the staff."""
    folder = tmp_path_factory.mktemp("site") / "shop"
    shutil.copytree(SHOP, folder, ignore=shutil.ignore_patterns("instance", "__pycache__"))
    environ = {**os.environ, "CARBOY_SECRET_KEY": secrets.token_hex(32), "SHOP_READERS": "1"}

    def carboy(*command, typed=None):
        subprocess.run([CARBOY, *command], cwd=folder, env=environ, input=typed, text=True,
                       check=True, capture_output=True)  # fmt: skip

    carboy("db", "upgrade")
    carboy("db", "seed")
    for email, name in PEOPLE.items():
        roles = ("--role", "staff", "--role", "admin") if "sam" in email else ()
        carboy("users", "add", email, "--name", name, *roles, "--password-stdin", typed=PASSWORD)
    log = folder / "log"
    with log.open("w") as out:
        server = subprocess.Popen([CARBOY, "run", "--port", "0", "--workers", "1"], cwd=folder,
                                  env=environ, stdout=out, stderr=subprocess.STDOUT)  # fmt: skip
    deadline = time.monotonic() + START_S
    while not (found := re.search(r"Serving .*(http://127\.0\.0\.1:\d+)", log.read_text())):
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
    yield found[1]
    server.send_signal(signal.SIGINT)
    server.wait(timeout=30)


@pytest.fixture(scope="module")
def states(browser, shop):
    """What the browsers of the customer, who has bought a book, and of the staff remember."""
    found = {}
    for email in PEOPLE:
        context = browser.new_context()
        context.set_default_timeout(30_000)
        page = context.new_page()
        page.goto(f"{shop}/sign-in?next=/books/{5 if 'ines' in email else 6}")
        page.get_by_label("E-mail").fill(email)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.locator("main").get_by_role("button", name="Sign in").click()
        page.get_by_role("button", name="On my wish list").click()
        if "ines" in email:
            order(page, shop)
        page.goto(f"{shop}/books/2")
        page.get_by_role("button", name="Add to cart").click()
        found[email] = context.storage_state()
        context.close()
    return found


def order(page, shop):
    page.get_by_role("button", name="Add to cart").click()
    page.goto(f"{shop}/checkout")
    page.get_by_label("Full name").fill("Ines Kowalczyk")
    page.get_by_label("Street").fill("Krzyża 14/3")
    page.get_by_label("Postcode").fill("31-028")
    page.get_by_label("Town").fill("Kraków")
    page.get_by_label("Country").select_option("Poland")
    page.get_by_role("button", name="Order now").click()


@pytest.fixture(params=["light", "dark"])
def scheme(request):
    return request.param


@pytest.fixture(params=[360, 1280], ids=["phone", "desk"])
def width(request):
    return request.param


@pytest.fixture
def visit(browser, shop, scheme, width, request):
    """Open an address as somebody, and return the page."""
    contexts = []

    def visit(path, email=None):
        state = request.getfixturevalue("states")[email] if email else None
        context = browser.new_context(
            storage_state=state, color_scheme=scheme, reduced_motion="reduce",
            viewport={"width": width, "height": 800},
        )  # fmt: skip
        contexts.append(context)
        context.set_default_timeout(30_000)
        page = context.new_page()
        page.complaints = []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto(shop + path)
        return page

    yield visit
    for context in contexts:
        context.close()


def look_at(page, width, *, errors=False):
    """Assert that the page is accessible, fits, and the browser has nothing to say."""
    found = Axe().run(page, options=RULES)
    wrong = [(one["id"], [node["html"][:120] for node in one["nodes"]][:3])
             for one in found.response["violations"]]  # fmt: skip
    assert wrong == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if not errors:
        assert page.complaints == []


def test_open_pages(visit, width):
    """axe finds nothing, nothing is cut off, the console is empty: for a visitor."""
    for path in OPEN:
        look_at(visit(path), width, errors=path == "/nowhere")


def test_pages_of_a_customer(visit, width):
    """The same for somebody who has ordered, wishes for a book and has another in the cart."""
    for path in MINE:
        look_at(visit(path, "ines@example.org"), width)


def test_a_form_with_errors(visit, width):
    """The same for a checkout that needs another look."""
    page = visit("/checkout", "ines@example.org")
    page.get_by_role("button", name="Order now").click()
    assert page.get_by_role("alert").is_visible()
    look_at(page, width, errors=True)


def test_pages_of_the_staff(visit, width):
    """The same at the desk."""
    for path in DESK:
        look_at(visit(path, "sam@example.org"), width)


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_staff_change_the_stock(browser, shop, states, scripts):
    """From the shop to the desk, a new number, and the customer sees it."""
    context = browser.new_context(storage_state=states["sam@example.org"],
                                  java_script_enabled=scripts)  # fmt: skip
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.goto(f"{shop}/admin/books/9/edit")
    number = "77" if scripts else "88"
    page.get_by_label("Stock").fill(number)
    page.get_by_role("button", name="Save").click()
    page.goto(f"{shop}/books/9")
    assert page.get_by_text(f"{number} in stock").is_visible()
    context.close()
