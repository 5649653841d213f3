"""Macros take values: whatever a value holds, it comes out as text."""

import functools
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from jinja2 import StrictUndefined

from carboy import Carboy
from carboy.web.look.battery import Look

HEAD = (
    '{% import "carboy/ui.html" as ui %}{% import "carboy/table.html" as table %}'
    '{% import "carboy/chart.html" as chart %}'
)
CALLS = {
    "icon": "ui.icon(x)",
    "crumbs": "ui.crumbs([(x, x), (x, '')])",
    "alert": "ui.alert('good', x)",
    "alert tone": "ui.alert(x, x)",
    "badge": "ui.badge(x, x)",
    "avatar": "ui.avatar(x)",
    "empty": "ui.empty(x, x)",
    "tabs": "ui.tabs([{'label': x, 'url': x, 'current': true, 'count': x}], x)",
    "steps": "ui.steps([x, x, x], 2, x)",
    "menu": "ui.menu(x, x, [{'label': x, 'url': x, 'icon': 'edit'}], 'more')",
    "menu square": "ui.menu(x, x, [{'label': x, 'url': x}], 'more', square=true, class=x)",
    "money": "ui.money(x, x)",
    "facts": "ui.facts([(x, x), (x, none)], x)",
    "sortlink": "table.sortlink(x, x, 'ascending')",
    "cell": "table.cell(x)",
    "cell link": "table.cell({'text': x, 'url': x})",
    "cell badge": "table.cell({'text': x, 'tone': x})",
    "sheet": "table.sheet([{'label': x, 'sort': x, 'order': x}, {'label': x, 'num': true}],"
    " [{'key': x, 'label': x, 'url': x, 'edit': x, 'cells': [x, x]}], x,"
    " action=x, choices=[{'value': x, 'label': x, 'icon': 'edit'}], pick=x)",
    "bulk": "table.bulk([{'value': x, 'label': x, 'tone': 'bad'}], x)",
    "pager": "table.pager(x, x, x)",
    "filters": "table.filters(x, x, [{'name': x, 'label': x, 'value': x,"
    " 'options': [(x, x), ('', x)]}, {'name': x, 'label': x, 'value': x}],"
    " label=x, placeholder=x, keep=[(x, x)], name=x)",
    "chips": "table.chips([(x, x)])",
    "stat": "chart.stat(x, x, x, x, [1, 2])",
    "line": "chart.line([(x, [1, x]), (x, [2, 3])], [x, x], x, x)",
    "bars": "chart.bars([(x, [1, 2]), (x, [x, 3])], [x, x], x, x)",
    "gauge": "chart.gauge(x, 3, 4)",
    "gauges": "chart.gauges([(x, 3, 4, x)], x, (x, x, x))",
}
HARMLESS = "plain text"
HOSTILE = """<b a="'>x</b>\"' onload=alert(1) {{ 7 * 7 }} </script> &amp; <!-- ]]>"""


class Outline(HTMLParser):
    """The elements of a page and the names of their attributes."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.seen = []
        self.text = []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, sorted(name for name, _ in attrs)))
        self.text += [value for _, value in attrs if value]

    def handle_endtag(self, tag):
        self.seen.append(tag)

    def handle_comment(self, data):
        self.seen.append("comment")

    def handle_data(self, data):
        self.text.append(data)


def outline(html):
    """Return the outline of *html*."""
    parser = Outline()
    parser.feed(html)
    parser.close()
    return parser


@pytest.fixture(scope="module")
def app():
    """One application for all: compiling the macros takes a while."""
    app = Carboy("macros", batteries=(Look(),), root_path=str(Path(__file__).parent))
    app.seal()
    yield app
    app.jinja_env.cache.clear()


@pytest.fixture(scope="module")
def page(app):
    """Render one call of a macro with x."""

    def page(call, **values):
        with app.test_request_context("/"):
            return compiled(app, "{{ " + call + " }}").render(values)

    return page


@functools.cache
def compiled(app, text):
    """Return a template that is compiled once."""
    return app.jinja_env.from_string(HEAD + text)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_what_looks_like_markup_is_text(page, call):
    """Every argument of every macro at once."""
    html = page(call, x=HOSTILE)

    assert outline(html).seen == outline(page(call, x=HARMLESS)).seen
    assert "49" not in html.replace(HARMLESS, "") or "7 * 7" in html


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
    max_examples=25,
)
@given(text=st.text(st.characters(codec="utf-8"), max_size=30), data=st.data())
def test_any_text_is_text(page, text, data):
    """The structure of the page does not depend on what is in it."""
    call = CALLS[data.draw(st.sampled_from(sorted(CALLS)))]
    text = "x" + text

    assert outline(page(call, x=text)).seen == outline(page(call, x="x")).seen


@pytest.mark.parametrize("macro", ["{{ x | safe }}", "<i title={{ x }}>", '<i {{ x }}="">'])
def test_a_macro_that_forgets_to_escape_is_seen(app, macro):
    """The comparison above can fail."""
    with app.app_context():
        make = app.jinja_env.from_string(macro).render
        assert outline(make(x=HOSTILE)).seen != outline(make(x=HARMLESS)).seen


def test_slots_hold_the_callers_markup(page):
    """{% call %} is where HTML goes in."""
    html = page("'' }}{% call ui.alert('warn') %}<p>Two <b>things</b></p>{% endcall %}{{ ''")

    assert "<p>Two <b>things</b></p>" in html


def test_a_slot_escapes_values_too(page):
    """Only what the caller's template wrote is markup."""
    html = page("'' }}{% call ui.empty('None') %}<a>{{ x }}</a>{% endcall %}{{ ''", x="<b>")

    assert "<a>&lt;b&gt;</a>" in html


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("Ines Kowalczyk", "IK"),
        ("Plato", "P"),
        ("Ana de la Cruz", "AC"),
        ("", ""),
        ("émile z", "ÉZ"),
    ],
)
def test_an_avatar_shows_initials(page, name, letters):
    """Of the first and the last word."""
    assert f">{letters}<" in page("ui.avatar(x)", x=name)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (4.6, "4.6 of 5 stars"),
        (0, "0.0 of 5 stars"),
        (9, "5.0 of 5 stars"),
        (None, "Not rated yet"),
    ],
)
def test_stars_say_their_number(page, value, said):
    """To those who do not see them, too."""
    assert said in page("ui.stars(x)", x=value)


def test_a_table_has_its_roles_and_labels(page):
    """Cards on a phone are display:block, which takes a table's own roles away."""
    html = page(CALLS["sheet"], x="v")

    for role in ("table", "rowgroup", "row", "columnheader", "rowheader", "cell"):
        assert f'role="{role}"' in html
    assert 'data-label="v"' in html
    assert 'aria-sort="v"' in html
    assert 'aria-label="Choose v"' in html


def test_a_table_without_acts_is_no_form(page):
    """And has no column of boxes."""
    html = page("table.sheet([{'label': 'A'}], [{'key': 1, 'label': 'a', 'cells': ['a']}], 'All')")

    assert "<form" not in html
    assert "checkbox" not in html
    assert "Actions" not in html


def test_a_cell_without_a_value_says_so(page):
    """A dash for the eye, a word for the ear."""
    assert '<span class="sr">None</span>' in page("table.cell(none)")


def test_a_chart_states_its_finding_and_its_numbers(page):
    """A picture that is described, and a table of what it shows."""
    html = page("chart.line([('Now', [1, none, 3])], ['a', 'b', 'c'], 'It rose from 1 to 3')")

    assert 'role="img" aria-label="It rose from 1 to 3"' in html
    assert html.count("<tr>") == 4
    assert "–</td>" in html


def test_sheets_may_render_their_cells_themselves(page):
    """{% call(row, place) %}: links, covers, whatever a list shows."""
    html = page(
        "'' }}{% call(row, place) table.sheet([{'label': 'A'}, {'label': 'B'}],"
        " [{'key': 1, 'label': 'one', 'name': '<i>'}], 'All') %}"
        "<em>{{ row.name }}{{ place }}</em>{% endcall %}{{ ''"
    )

    assert html.count("<em>&lt;i&gt;") == 2


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_what_may_be_left_out_may_be_left_out_strictly(app, call):
    """An application whose undefined names are errors has the same macros."""
    with app.test_request_context("/"):
        strict = app.jinja_env.overlay(undefined=StrictUndefined)
        strict.globals = app.jinja_env.globals
        template = strict.from_string(HEAD + "{{ " + call + " }}")
        assert template.render(x=HARMLESS) == compiled(app, "{{ " + call + " }}").render(x=HARMLESS)


def test_the_shells_are_strict_too(app):
    """Nothing is asked for that need not be there."""
    with app.test_request_context("/"):
        strict = app.jinja_env.overlay(undefined=StrictUndefined)
        for shell in ("shop", "workshop", "bare"):
            assert "<main" in strict.get_template(f"carboy/{shell}.html").render()
