"""An application with forms, and posts without a server."""

import os
from html.parser import HTMLParser

import pytest
from werkzeug.datastructures import MultiDict

from carboy import Carboy
from carboy.web.form.battery import Forms
from carboy.web.form.bound import BoundForm

VOID = {"input", "br", "hr", "img", "path", "circle", "meta", "link"}


class Page(HTMLParser):
    """The elements of a page, as far as tests of structure ask: a list of Element."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.elements, self.open = [], []
        self.feed(html)
        self.close()
        assert self.open == [], f"never closed: {[one.tag for one in self.open]}"

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice: {names}"
        element = Element(tag, dict(attrs), [*self.open])
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data):
        for element in self.open:
            element.text += data

    def all(self, *tags):
        return [one for one in self.elements if one.tag in tags]

    def by_id(self, name):
        return next((one for one in self.elements if one.get("id") == name), None)

    def by_name(self, name):
        return [one for one in self.elements if one.get("name") == name]


class Element:
    """A tag with its attributes, text and what it stands in."""

    def __init__(self, tag, attributes, inside):
        self.tag, self.attributes, self.inside, self.text = tag, attributes, inside, ""

    def get(self, name):
        return self.attributes.get(name)

    def __contains__(self, name):
        return name in self.attributes


@pytest.fixture
def app():
    """An application with forms."""
    app = Carboy("app", batteries=("typed", "pages", Forms()), root_path=os.path.dirname(__file__))
    app.testing = True
    app.secret_key = "only for tests"
    app.seal()
    return app


@pytest.fixture
def ctx(app):
    """A request to it, for forms that are made by hand."""
    with app.test_request_context("/") as ctx:
        yield ctx


@pytest.fixture
def post(ctx):
    """Return what binds a form: post(spec, {"name": "text"}, files=...) -> BoundForm."""

    def bind(spec, data, files=None, values=None, **more):
        return BoundForm(spec, values, posted=MultiDict(data), files=MultiDict(files or {}), **more)

    return bind


@pytest.fixture
def page():
    """Return what parses HTML: page(text) -> Page."""
    return Page
