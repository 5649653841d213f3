"""A form as a page shows it: labels, hints, errors, what was typed; escaped and accessible."""

import datetime as dt
import sys
from typing import Annotated, Literal

import pytest
from flask import render_template_string
from pydantic import BaseModel, EmailStr, Field, SecretStr
from werkzeug.datastructures import FileStorage

from carboy import Form
from carboy.web.form.bound import BoundForm
from carboy.web.form.form import Control, Text
from carboy.web.form.spec import FEW, FieldSpec, FormSpec


class People:
    """Choices that are looked up: person 0 to count - 1; the odd ones are hidden."""

    url = "/people"

    def __init__(self, count):
        self.count = count

    def options(self, query, limit):
        found = [(n, f"Person {n}") for n in range(0, self.count, 2) if query in f"Person {n}"]
        return found[:limit]

    def label(self, value):
        return f"Person {value}" if value in range(0, self.count, 2) else None


MANY, SOME = People(1000), People(20)


class Line(BaseModel):
    title: Annotated[str, Field(max_length=10)]
    sold: bool = False


class Everything(Form):
    """A field of each kind, one with each widget."""

    title: Annotated[
        str,
        Field(max_length=9, min_length=2, pattern="[A-Z].*"),
        Control(help="As on the cover.", placeholder="Emma", message="Begin with a capital."),
    ]
    email: EmailStr
    password: SecretStr
    blurb: Text | None = None
    year: Annotated[int, Field(ge=-800, le=2100)]
    price: Annotated[float, Field(ge=0), Control(unit="EUR")]
    out_on: dt.date | None = None
    mailed: dt.datetime | None = None
    opens: dt.time | None = None
    agreed: Annotated[bool, Control(help="Read them first.")]
    shown: Annotated[bool, Control(widget="switch")] = True
    known: bool | None = None
    binding: Literal["cloth", "paper"]
    speed: Annotated[Literal["post", "courier"], Control(widget="radio")]
    subjects: list[Literal["sea", "love"]] = []
    moods: Annotated[list[Literal["calm", "wild"]], Control(widget="pills", help="Any.")] = []
    stars: Annotated[int, Field(ge=1, le=5), Control(widget="stars")]
    author: Annotated[int, Control(choices=SOME, kind="reference")]
    editor: Annotated[int, Control(choices=MANY, kind="reference", help="Who did it.")]
    photo: Annotated[FileStorage | None, Control(kind="image")] = None
    lines: list[Line] = []
    secret: Annotated[str, Control(widget="hidden")] = "s"


SPEC = Everything.spec()
IMAGES = "image/jpeg,image/png,image/gif,image/webp,image/avif"
EVIL = "\"'><script>alert(1)</script>\0&amp;"
WRONG = {
    "title": EVIL, "email": EVIL, "password": "hunter2", "blurb": EVIL, "year": EVIL,
    "price": EVIL, "out_on": EVIL, "mailed": EVIL, "opens": EVIL, "agreed": EVIL, "known": EVIL,
    "binding": EVIL, "speed": EVIL, "subjects": EVIL, "moods": EVIL, "stars": EVIL,
    "author": "3", "editor": "7", "lines-0-title": EVIL, "lines-0-sold": EVIL, EVIL: EVIL,
}  # fmt: skip


@pytest.mark.parametrize("state", ["blank", "filled", "wrong", "searching"])
@pytest.mark.parametrize("locale", ["en", "de", "es", "fr"])
def test_the_structure_is_accessible(ctx, post, page, state, locale):
    """Ids are unique; each control has a label; what describes it is there."""
    from carboy.web.i18n.locales import in_locale

    with in_locale(locale):
        html = {
            "blank": lambda: BoundForm(SPEC)(),
            "filled": lambda: BoundForm(SPEC, FILLED)(),
            "wrong": lambda: post(SPEC, WRONG)(),
            "searching": lambda: post(SPEC, {"editor-q": "99", "editor-search": "1"})(),
        }[state]()
    found = page(str(html))

    assert flaws(found) == []


FILLED = {
    "title": "Emma", "year": 1815, "price": 9.5, "agreed": True, "known": False,
    "binding": "cloth", "speed": "post", "subjects": ["sea"], "moods": ["calm", "wild"],
    "stars": 4, "author": 2, "editor": 998, "lines": [{"title": "a", "sold": True}],
    "mailed": dt.datetime(2026, 5, 1, 12, 30, tzinfo=dt.UTC), "password": "hunter2",
}  # fmt: skip


def flaws(found):
    """Return what is wrong with the structure of a page."""
    ids = [one.get("id") for one in found.elements if "id" in one]
    wrong = [f"id twice: {one}" for one in ids if ids.count(one) > 1]
    for one in found.all("input", "select", "textarea", "button"):
        if one.get("type") != "hidden" and not labelled(found, one):
            wrong.append(f"no label: {one.attributes}")
        for name in ("aria-describedby", "aria-controls"):
            wrong += [
                f"{name} to nothing: {i}" for i in (one.get(name) or "").split() if i not in ids
            ]
    for one in found.all("fieldset"):
        if not any(legend.inside[-1] is one for legend in found.all("legend")):
            wrong.append("a fieldset without a legend")
    targets = [one.get("href")[1:] for one in found.all("a")]
    return wrong + [f"a link to nothing: {one}" for one in targets if one not in ids]


def labelled(found, one):
    if one.tag == "button":
        return one.text.strip() or one.get("aria-label")
    around = any(parent.tag == "label" and parent.text.strip() for parent in one.inside)
    named = [label for label in found.all("label") if label.get("for") == one.get("id")]
    return around or one.get("aria-label") or any(label.text.strip() for label in named)


def test_the_search_for_flaws_can_fail(page):
    """Each kind of flaw is seen."""
    broken = page(
        '<input id="a"><input id="a"><fieldset></fieldset><a href="#b">x</a>'
        '<label for="c">C</label><input id="c" aria-describedby="d">'
    )
    assert len(flaws(broken)) == 7


def test_a_field_has_its_parts_in_order(ctx):
    """Label, hint, control, error, joined by ids."""
    form = BoundForm(SPEC, {"title": "Emma"})
    form.add_error("title", "Not this one.")

    assert form["title"].__html__() == (
        '<div class="field"><label for="everything-title">Title</label>'
        '<p class="hint" id="everything-title-hint">As on the cover.</p>'
        '<input id="everything-title" name="title" required type="text" maxlength="9" minlength="2"'
        ' pattern="[A-Z].*" placeholder="Emma"'
        ' aria-describedby="everything-title-hint everything-title-error" aria-invalid="true"'
        ' value="Emma"><p class="error" id="everything-title-error">'
        '<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><circle cx="12" cy="12" r="9"/>'
        '<path d="M12 7v6M12 16.500v.01"/></svg> <span>Not this one.</span></p></div>'
    )


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("email", {"type": "email", "autocomplete": "email", "required": None}),
        ("password", {"type": "password", "required": None}),
        ("year", {"type": "number", "min": "-800", "max": "2100"}),
        ("price", {"type": "text", "inputmode": "decimal"}),
        ("out_on", {"type": "date"}),
        ("mailed", {"type": "datetime-local", "step": "any", "value": "2026-05-01T12:30"}),
        ("opens", {"type": "time"}),
        ("photo", {"type": "file", "accept": IMAGES}),
        ("agreed", {"type": "checkbox", "checked": None}),
        ("shown", {"type": "checkbox", "role": "switch"}),
        ("editor-q", {"type": "search", "hx-get": "/people", "autocomplete": "off"}),
    ],
)  # fmt: skip
def test_the_browser_is_told_of_the_constraints(ctx, page, name, attributes):
    """The same as the schema holds, in HTML's words."""
    found = page(BoundForm(SPEC, FILLED)()).by_name(name)[0]
    assert {key: found.attributes.get(key, "absent") for key in attributes} == attributes


def test_a_blank_form_shows_the_defaults(ctx, page):
    """A box that is ticked by default is ticked; what is given counts more."""
    assert "checked" in page(BoundForm(SPEC)()).by_name("shown")[0]
    assert "checked" not in page(BoundForm(SPEC, {"shown": False})()).by_name("shown")[0]


def test_a_box_is_never_required(ctx, page):
    """`required` on a box would mean that it must be ticked."""
    found = page(BoundForm(SPEC)())
    assert "required" not in found.by_name("agreed")[0]
    assert "(optional)" not in next(one.text for one in found.all("label") if "Agreed" in one.text)


def test_optional_is_written(ctx, page):
    """And what is needed carries no star."""
    labels = {one.get("for"): one.text for one in page(BoundForm(SPEC)()).all("label")}
    assert labels["everything-blurb"] == "Blurb (optional)"
    assert labels["everything-title"] == "Title"


def test_what_was_typed_comes_back_escaped(post, page):
    """Exactly, but for passwords, files, and what no page can hold."""
    form = post(SPEC, WRONG)
    html = str(form())

    assert "<script" not in html
    assert "hunter2" not in html
    assert "hunter2" not in str(BoundForm(SPEC, FILLED)())
    shown = EVIL.replace("\0", "\ufffd")
    found = page(html)
    for name in ("title", "email", "year", "price", "out_on", "lines-0-title"):
        assert found.by_name(name)[0].get("value") == shown
    assert found.by_name("blurb")[0].text == f"\n{shown}"


def test_what_is_shown_without_errors_is_escaped(ctx, page):
    """Values of a row were typed by somebody, too."""
    html = str(BoundForm(SPEC, dict.fromkeys(FILLED, EVIL) | {"lines": [], "blurb": EVIL})())
    assert "<script" not in html
    assert page(html).by_name("title")[0].get("value") == EVIL.replace("\0", "\ufffd")


def test_the_summary_counts_and_links(post, page):
    """It has the focus, says how many, and leads to each field."""
    form = post(SPEC, WRONG | {"secret": "\0"})
    found = page(form())
    box = next(one for one in found.elements if one.get("role") == "alert")

    assert (box.get("tabindex"), "autofocus" in box) == ("-1", True)
    assert f"{form.count} things need another look" in box.text
    wrong = {f"#everything-{name}" for name in form.errors if name != "secret"}
    assert {one.get("href") for one in found.all("a")} == wrong
    assert "Secret must be text" in box.text  # hidden: there is nothing to lead to
    assert form.title == f"{form.count} errors: "
    assert "There is no field" in box.text


def test_the_summary_names_the_field(post):
    """Also when a sentence of the author's does not; a row is told by its number."""
    form = post(SPEC, {"title": "lower", "lines-4-title": "x" * 11, "nobody": ""})
    told = dict(form.problems)

    assert told["everything-title"] == "Title: Begin with a capital."
    assert told["everything-lines-0-title"] == (
        "Lines, row 1: Title must have at most 10 characters."
    )
    assert told[""] == "There is no field 'nobody' here."
    assert form.errors["title"] == ["Begin with a capital."]


def test_few_choices_are_a_select_and_many_a_search(ctx, post, page):
    """What is hidden is offered by neither, and cannot be sent."""
    form = BoundForm(SPEC, {"author": 2, "editor": 998})
    assert (form["author"].widget, form["editor"].widget) == ("select", "combo")
    assert [one.value for one in form["author"].options if one.selected] == ["2"]
    first = form["editor"].options[0]
    assert (first.label, first.selected) == ("Person 998", True)

    sent = post(SPEC, {"author": "3", "editor": "x"})
    assert sent.errors["author"] == ["Author refers to something that does not exist."]
    assert sent.errors["editor"] == ["Editor refers to something that does not exist."]


def test_a_search_without_script_lists_what_it_found(post, page):
    """The button of the search judges nothing; the choice is among the radio buttons."""
    form = post(SPEC, {"title": "E", "editor": "4", "editor-q": "99", "editor-search": "1"})
    assert (form.status, form.errors) == (200, {})
    found = page(form["editor"].__html__())

    assert found.by_name("editor-q")[0].get("value") == "99"
    assert [one.get("value") for one in found.by_name("editor")][:3] == ["4", "990", "992"]
    assert "checked" in found.by_name("editor")[0]
    nothing = post(SPEC, {"editor-q": "nobody", "editor-search": "1"})
    assert "Nothing was found." in nothing["editor"].__html__()


class Part(BaseModel):
    by: Annotated[int, Control(choices=MANY, kind="reference")]


class Whole(Form):
    parts: list[Part] = []


def test_choices_in_rows(post, page):
    """Are looked up like any other: hidden ones are refused, searches have a name of their own."""
    form = post(Whole.spec(), {"parts-0-by": "2", "parts-1-by": "3", "parts-2-by": "x"})
    assert [*form.errors] == ["parts-1-by", "parts-2-by"]
    assert form.errors["parts-1-by"] == ["By refers to something that does not exist."]
    assert post(Whole.spec(), {"parts-0-by": "2"}).data["parts"][0].by == 2

    form = post(Whole.spec(), {"parts-0-by": "4", "parts-0-by-q": "99", "parts-0-by-search": "1"})
    found = page(form())
    assert form.status == 200
    assert flaws(found) == []
    assert [one.get("value") for one in found.by_name("parts-0-by")][:2] == ["4", "990"]


def test_few_is_few(ctx):
    """Exactly so many are still a select."""
    for count, widget in ((FEW * 2, "select"), (FEW * 2 + 1, "combo")):
        spec = FieldSpec(name="who", label="Who", kind="reference", choices=People(count))
        assert BoundForm(FormSpec("f", (spec,), Someone))["who"].widget == widget


class Someone(BaseModel):
    model_config = {"extra": "forbid"}
    who: int = 0


def test_the_return_key_saves(ctx, page):
    """The first button of the form is not one that removes a row."""
    buttons = page(BoundForm(SPEC, FILLED)()).all("button")
    assert buttons[0].text == "Save"
    assert "name" not in buttons[0]
    assert "lines-0-remove" in [one.get("name") for one in buttons]


def test_a_widget_of_ones_own(app, ctx, tmp_path):
    """widget="glow" is widgets/glow.html of the application; ours are replaced alike."""
    (tmp_path / "widgets").mkdir()
    (tmp_path / "widgets/glow.html").write_text(
        '{% from "carboy/form.html" import wrapped %}'
        "{% call wrapped(field) %}<input id={{ field.id }} class=glow>{% endcall %}"
    )
    app.jinja_loader.searchpath.append(str(tmp_path))
    spec = FormSpec(
        "f", (FieldSpec(name="who", label="Who", kind="integer", widget="glow"),), Someone
    )

    assert BoundForm(spec)["who"].__html__() == (
        '<div class="field"><label for="f-who">Who</label><input id=f-who class=glow></div>'
    )


def test_both_ways_to_call_it(app, ctx):
    """As a global, as a method, with or without options."""
    show = "{{ form(f, action='/x', submit='Go', cancel='/', hidden={'row_version': 3}) }}"
    html = render_template_string(show, f=BoundForm(SPEC))

    assert 'action="/x"' in html
    assert 'enctype="multipart/form-data"' in html
    assert '<button class="btn primary">Go</button><a class="btn quiet" href="/">Cancel</a>' in html
    assert '<input type="hidden" name="row_version" value="3">' in html
    assert 'name="form_key"' in html
    assert render_template_string("{{ field(f['year']) }}", f=BoundForm(SPEC)).startswith("<div")
    assert render_template_string("{{ form['year'] }}", form=BoundForm(SPEC)).startswith("<div")
    assert render_template_string("{{ form() }}", form=BoundForm(SPEC)).startswith("<form")


class Seven(Form):
    title: Annotated[str, Field(max_length=200), Control(help="As on the cover.")]
    email: EmailStr
    year: Annotated[int, Field(ge=0)]
    price: Annotated[float, Control(unit="EUR")]
    out_on: dt.date | None = None
    shown: bool = False
    text: Text | None = None


CALLS = 260  # Python calls to make and show a form of seven fields: less than 100 us


def test_a_shape_is_remembered_without_any_value(ctx, post):
    """What one visitor typed is never on the page of the next."""
    first = str(BoundForm(SPEC, FILLED | {"blurb": "the secret of one"})())
    assert "the secret of one" in first
    wrong = post(SPEC, WRONG)
    assert "&lt;script" in str(wrong())

    assert "the secret of one" not in str(BoundForm(SPEC)())
    kept = {part for parts in wrong.judge.shapes.values() for part in parts}
    assert not any("secret of one" in part or "alert(1)" in part for part in kept)
    assert first.replace(first.split('form_key" value="')[1][:24], "") == str(
        again := BoundForm(SPEC, FILLED | {"blurb": "the secret of one"})()
    ).replace(str(again).split('form_key" value="')[1][:24], "")


def test_showing_a_form_is_cheap(ctx):
    """The templates are compiled once, the attributes of each field too."""
    BoundForm(Seven.spec(), {"title": "Emma"})()
    calls = 0

    def count(frame, event, arg):
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        BoundForm(Seven.spec(), {"title": "Emma"})()
    finally:
        sys.setprofile(None)
    assert calls < CALLS
