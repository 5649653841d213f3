"""The example site in a real browser: readable by everyone, under its own strict policy."""

import pytest
from axe_playwright_python.sync_playwright import Axe

pytestmark = pytest.mark.browser

PAGES = ["/", "/?litres=7", "/vessels/carboy", "/notes", "/count", "/cellar", "/nowhere"]
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_accessible(page, site, scheme, path):
    """axe finds nothing against WCAG 2.2 AA, light and dark."""
    page.goto(site + path)

    assert violations(page) == []


def test_a_form_with_errors_is_accessible(page, site, scheme):
    """So does it on the page that people meet when something is wrong."""
    page.goto(site + "/notes")
    page.get_by_label("Name").fill("Ines")
    page.get_by_role("button", name="Leave the note").click()

    assert page.get_by_label("Name").input_value() == "Ines"
    assert page.get_by_role("alert").is_visible()
    assert violations(page) == []


@pytest.mark.parametrize("path", PAGES)
def test_pages_fit_the_screen(page, site, width, path):
    """No sideways scrolling at any width."""
    page.goto(site + path)

    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("path", [each for each in PAGES if each != "/nowhere"])
def test_the_browser_has_nothing_to_complain_about(page, site, path):
    """No refused style, no missing file, no error, under the policy the site sends."""
    response = page.goto(site + path)

    assert "default-src" in response.headers["content-security-policy"]
    assert page.complaints == []


def test_the_policy_is_really_in_force(page, site):
    """A script that someone slipped in does not run: the proof that the check above can fail."""
    page.goto(site + "/")
    page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=window.ran=1>')"
    )
    page.wait_for_timeout(200)

    assert page.evaluate("window.ran") is None
    assert any("Content Security Policy" in text for text in page.complaints)


def test_a_note_is_left_with_the_keyboard_alone(page, site):
    """From the first field to the thanks without a mouse and without script."""
    page.goto(site + "/notes")
    page.get_by_label("Name").focus()
    page.keyboard.type("Jan")
    page.keyboard.press("Tab")
    page.keyboard.type("The jug is the one I use most.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    page.get_by_role("status").wait_for()
    assert "Thank you, Jan." in page.get_by_role("status").inner_text()
    assert page.get_by_text("The jug is the one I use most.").is_visible()


def test_one_primary_button_a_page(page, site):
    """What a page is for can be seen at once."""
    for path in PAGES:
        page.goto(site + path)
        assert page.locator(".btn.primary").count() <= 1, path


def violations(page):
    """Return "rule: element" for everything axe finds."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [f"{each['id']}: {node['html'][:120]}" for each in found for node in each["nodes"]]
