"""The style guide in a real browser: readable by everyone, under the strict policy."""

import time

import pytest
from axe_playwright_python.sync_playwright import Axe

pytestmark = pytest.mark.browser

GUIDE = "/_carboy/look"
SHELLS = ["shop", "workshop", "bare"]
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("shell", SHELLS)
def test_every_component_is_accessible(open_page, site, shell, scheme):
    """axe finds nothing against WCAG 2.2 AA; the browser has nothing to complain about."""
    page = open_page(color_scheme=scheme)
    response = page.goto(f"{site}{GUIDE}?shell={shell}")

    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "unsafe" not in response.headers["content-security-policy"]
    for width in (360, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert violations(page) == []
    assert page.complaints == []


def test_what_axe_should_find_it_finds(open_page, site):
    """The proof above can fail."""
    page = open_page()
    page.goto(f"{site}{GUIDE}")
    page.evaluate("document.querySelector('#f-title').removeAttribute('id')")

    assert any("label" in each for each in violations(page))


SIZES = [(320, 1), (390, 1), (768, 1), (1280, 1), (640, 2), (1280, 2)]  # width, size of text


@pytest.mark.parametrize("shell", SHELLS)
def test_nothing_scrolls_sideways(open_page, site, shell):
    """At 320 pixels (WCAG 1.4.10), and with text at 200 % (1.4.4)."""
    page = open_page()
    page.goto(f"{site}{GUIDE}?shell={shell}")
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    for width, zoom in SIZES:
        page.set_viewport_size({"width": width, "height": 800})
        page.evaluate("zoom => document.documentElement.style.fontSize = `${zoom * 100}%`", zoom)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, (width, zoom)
        assert spilling(page) == [], (width, zoom)


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("shell", SHELLS)
def test_right_to_left_is_a_mirror(open_page, site, shell, width):
    """The brand stands on the right, arrows point the other way, nothing spills."""
    page = open_page(width=width)
    page.goto(f"{site}/ar?shell={shell}")

    assert page.locator("html").get_attribute("dir") == "rtl"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    brand = page.locator(".brand").bounding_box()
    if shell != "bare":
        assert brand["x"] + brand["width"] > page.locator("body").bounding_box()["width"] * 0.6
    assert (
        page.locator("#page-next .icon.turn").evaluate("e => getComputedStyle(e).scale") == "-1 1"
    )
    assert violations(page) == []


def test_a_table_becomes_cards_on_a_phone(open_page, site):
    """Each cell says which column it is of."""
    page = open_page(width=360)
    page.goto(f"{site}{GUIDE}")
    cell = page.locator("td[data-label='Author']").first

    assert cell.evaluate("e => getComputedStyle(e, '::before').content") == '"Author"'
    assert cell.evaluate("e => getComputedStyle(e).display") == "grid"
    assert page.get_by_role("row").count() > 4  # still a table to those who hear it


def test_print_is_ink_on_paper(open_page, site):
    """No bars, no buttons, no dark ground; what was said stays."""
    page = open_page(color_scheme="dark")
    page.goto(f"{site}{GUIDE}")
    page.emulate_media(media="print", color_scheme="dark")

    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.get_by_role("rowheader", name="Dracula").is_visible()
    for hidden in (".top", ".foot", "#buttons + .row .btn", ".pick", "form[role=search]"):
        assert not page.locator(hidden).first.is_visible()
    assert page.get_by_role("heading", name="Glass, cork, paper").is_visible()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_theme_is_chosen_with_one_press(open_page, site, scripts):
    """And stays, also without scripts."""
    page = open_page(java_script_enabled=scripts)
    page.goto(f"{site}{GUIDE}?shell=workshop")
    page.get_by_role("button", name="Dark").click()

    assert page.url == f"{site}{GUIDE}?shell=workshop"
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert page.get_by_role("button", name="Dark").get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="As the device").click()
    assert page.locator("html").get_attribute("data-theme") is None


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_list_is_searched_sorted_and_turned(open_page, site, scripts):
    """The same with scripts, where only the list is swapped, and without."""
    page = open_page(java_script_enabled=scripts)
    page.goto(f"{site}/books")
    page.get_by_role("link", name="Title").click()
    page.wait_for_url("**/books?sort=-title*")
    assert page.locator("tbody th").first.inner_text() == "Book 40"
    page.get_by_role("link", name="Next").click()
    page.wait_for_url("**page=2*")
    assert page.locator("tbody th").first.inner_text() == "Book 30"
    page.get_by_role("searchbox").fill("Book 7")
    if not scripts:
        page.get_by_role("button", name="Filter").click()
    page.wait_for_url("**q=Book*7*")
    assert page.locator("tbody th").all_inner_texts() == ["Book 7"]
    assert page.complaints == []


def test_typing_swaps_the_list_and_keeps_the_focus(open_page, site):
    """No page is loaded, the news is said, the text stays where it is typed."""
    page = open_page()
    page.goto(f"{site}/books")
    page.evaluate("window.same = true")
    page.get_by_role("searchbox").focus()
    page.keyboard.type("Book 1", delay=20)
    until(page, "document.querySelector('#announce').textContent", "Books 1 to 10 of 11")
    page.keyboard.type("2")
    until(page, "document.querySelector('#announce').textContent", "Books 1 to 1 of 1")

    assert page.evaluate("window.same")
    assert page.evaluate("document.activeElement.value") == "Book 12"
    assert page.locator("tbody th").all_inner_texts() == ["Book 12"]
    assert page.url == f"{site}/books?q=Book+12"
    assert page.complaints == []


def test_back_leads_to_the_list_as_it_was(open_page, site):
    """What was sorted and turned is a step in the history; what was typed is none."""
    page = open_page()
    page.goto(f"{site}/books")
    page.get_by_role("link", name="Next").click()
    page.wait_for_url("**page=2*")
    page.get_by_role("link", name="Next").click()
    page.wait_for_url("**page=3*")
    page.go_back()
    page.get_by_text("Books 11 to 20 of 40").first.wait_for()
    page.go_back()
    page.locator(".pager", has_text="Books 1 to 10 of 40").wait_for()

    assert page.url == f"{site}/books"
    assert page.complaints == []


def test_the_keyboard_goes_on_from_the_list(open_page, site):
    """When the link that was pressed is gone with the page it stood on."""
    page = open_page()
    page.goto(f"{site}/books?page=3")
    page.evaluate("window.same = true")
    page.get_by_role("link", name="Next").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**page=4*")
    until(page, "document.activeElement.id", "list")

    assert page.evaluate("window.same")


@pytest.mark.parametrize(("query", "title"), [("boom", "418"), ("away", "Sign in")])
def test_an_answer_without_a_list_becomes_a_page(open_page, site, query, title):
    """An error, or a page to sign in: never a hole where the list was."""
    page = open_page()
    page.goto(f"{site}/books")
    page.get_by_role("searchbox").fill(query)

    page.get_by_text(title).wait_for()
    assert page.locator("#list").count() == 0


def test_all_rows_are_chosen_at_once(open_page, site):
    """The bar counts them; a row less is seen in the head."""
    page = open_page()
    page.goto(f"{site}/books")
    every = page.get_by_label("Choose all rows of this page")
    every.check()
    assert page.locator("tbody .pick :checked").count() == 10
    assert page.locator(".bulk").is_visible()
    page.get_by_label("Choose Book 3", exact=True).uncheck()
    assert every.evaluate("box => box.indeterminate") is True
    page.get_by_label("Choose Book 3", exact=True).check()
    assert every.is_checked()
    page.get_by_role("button", name="Delete…").click()
    assert page.inner_text("body") == "delete 10"


def test_without_scripts_the_bar_works_by_itself(open_page, site):
    """CSS shows and counts; the box that only a script can serve is not there."""
    page = open_page(java_script_enabled=False)
    page.goto(f"{site}/books")
    assert not page.locator("[data-pick-all]").is_visible()
    assert not page.locator(".bulk").is_visible()
    page.get_by_label("Choose Book 3", exact=True).check()
    page.get_by_role("button", name="Delete…").click()

    assert page.inner_text("body") == "delete 1"


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_menus_and_the_rail_open_without_scripts(open_page, site, scripts):
    """popover and command are HTML."""
    page = open_page(width=360, java_script_enabled=scripts)
    page.goto(f"{site}{GUIDE}?shell=workshop")
    page.get_by_role("button", name="Menu", exact=True).click()
    assert page.get_by_role("link", name="Dashboard").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#rail").is_visible()
    page.get_by_role("button", name="Open the dialog").click()
    assert page.get_by_role("dialog").is_visible()
    page.get_by_role("button", name="Cancel").last.click()
    assert page.get_by_role("dialog").count() == 0


def test_an_injected_script_does_not_run(open_page, site):
    """Neither by itself nor by htmx."""
    page = open_page()
    page.goto(f"{site}/books")
    page.evaluate(
        "document.body.insertAdjacentHTML('beforeend',"
        " `<img src=x onerror='window.ran=1'>"
        "<a id=evil href='#' hx-get='javascript:window.ran=2' hx-on:click='window.ran=3'>x</a>`);"
        "htmx.process(document.body)"
    )
    page.locator("#evil").click()  # by hand: what a test evaluates may evaluate
    page.wait_for_timeout(200)

    assert page.evaluate("window.ran") is None
    assert page.complaints


def test_the_keyboard_reaches_the_content_first(open_page, site):
    """One press of Tab and Enter, past the navigation."""
    page = open_page()
    page.goto(f"{site}{GUIDE}")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")

    assert page.evaluate("document.activeElement.id") == "main"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_targets_are_large_enough_for_a_thumb(open_page, site, scheme):
    """44 pixels on a touch screen, without a class."""
    page = open_page(width=390, color_scheme=scheme, has_touch=True, is_mobile=True)
    page.goto(f"{site}{GUIDE}")
    button = page.get_by_role("button", name="Duplicate").bounding_box()

    assert round(button["height"]) >= 44


def until(page, script, value):
    """Wait until *script* has this value; Playwright's own wait would need unsafe-eval."""
    deadline = time.monotonic() + 10
    while (found := page.evaluate(script)) != value and time.monotonic() < deadline:
        page.wait_for_timeout(50)
    assert found == value


def spilling(page):
    """Return the elements that stand out at the side of the window."""
    return page.evaluate(
        """() => [...document.querySelectorAll('main *, header *')]
        .filter(e => e.getBoundingClientRect().right > innerWidth + 1
            && e.getBoundingClientRect().width
            && !e.closest('.sr, svg, .tabs, .code, .scroll, [popover], .cards thead'))
        .map(e => e.outerHTML.slice(0, 80))"""
    )


def violations(page):
    """Return "rule: element" for everything axe finds."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [f"{each['id']}: {node['html'][:120]}" for each in found for node in each["nodes"]]
