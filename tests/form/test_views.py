"""Forms in views: bound by hand, bound as a parameter, and the marker that `Form()` still is."""

from typing import Annotated

import pytest
from flask import render_template_string
from pydantic import EmailStr, Field

from carboy import Carboy, Form, SetupError
from carboy.engine.params import Marker
from carboy.web.form.battery import Forms
from carboy.web.form.form import Text


class Contact(Form):
    email: EmailStr
    message: Annotated[Text, Field(min_length=3)]
    copy_me: bool = False


@pytest.fixture
def client(app):
    @app.route("/contact", methods=["GET", "POST"])
    def contact():
        form = Contact.bind({"email": "ines@example.org"})
        if form.valid:
            return {**form.data, "same": form.model.email}
        return render_template_string("<title>{{ form.title }}</title>{{ form() }}", form=form), (
            form.status
        )

    @app.post("/typed")
    def typed(sent: Contact, page: int = 1):
        return {"email": sent.email, "copy": sent.copy_me, "page": page}

    @app.post("/fields")
    def fields(name: Annotated[str, Form(max_length=3)], age: int = Form(7, ge=0)):
        return {"name": name, "age": age}

    return app.test_client()


def test_blank_wrong_right(client):
    """GET shows it, a wrong POST shows what is wrong, a right one gives the data."""
    blank = client.get("/contact")
    assert (blank.status_code, 'value="ines@example.org"' in blank.text) == (200, True)

    wrong = client.post("/contact", data={"email": "x", "message": "hi"})
    assert wrong.status_code == 422
    assert wrong.text.startswith("<title>2 errors: </title>")
    assert ">hi</textarea>" in wrong.text.replace("\n", "")

    right = client.post("/contact", data={"email": "a@example.org", "message": "hello"})
    assert right.json == {"email": "a@example.org", "message": "hello", "copy_me": False,
                          "same": "a@example.org"}  # fmt: skip


def test_a_form_as_a_parameter(client):
    """The validated object, beside other parameters; else 422 with every error."""
    good = {"email": "a@example.org", "message": " hello ", "copy_me": "on"}
    assert client.post("/typed?page=3", data=good).json == {
        "email": "a@example.org", "copy": True, "page": 3,
    }  # fmt: skip

    wrong = client.post("/typed?page=x", data={"email": "x", "admin": "1"})
    assert wrong.status_code == 422
    assert [one["loc"] for one in wrong.json["errors"]] == [
        ["query", "page"], ["form", "email"], ["form", "message"], ["form"],
    ]  # fmt: skip
    assert client.post("/typed", json=good).status_code == 415


def test_the_marker_is_still_there(client):
    """`Annotated[str, Form()]`, and as a default."""
    assert isinstance(Form(max_length=3), Marker)
    assert client.post("/fields", data={"name": "Ina"}).json == {"name": "Ina", "age": 7}
    assert client.post("/fields", data={"name": "Ines", "age": "-1"}).status_code == 422


def test_a_form_is_made_by_hand(client):
    """Like every pydantic class; unknown fields are refused."""
    assert Contact(email="a@example.org", message="hello").copy_me is False
    with pytest.raises(ValueError, match="Extra inputs"):
        Contact(email="a@example.org", message="hello", admin=True)


def test_a_field_that_no_control_can_show():
    """Is told with the class and the field."""

    class Odd(Form):
        what: complex = 0j

    with pytest.raises(TypeError, match=r"Odd\.what: no control can show"):
        Odd.spec()


@pytest.mark.parametrize(
    ("option", "value", "code"),
    [("LOCALES", ["en", "../x"], "forms.locale"), ("TIME_ZONE", "Mars/Olympus", "forms.zone")],
)
def test_wrong_options_are_told_before_serving(option, value, code):
    """With the code that the documentation explains."""
    app = Carboy("wrong", batteries=(Forms(),))
    app.config[option] = value
    with pytest.raises(SetupError) as caught:
        app.seal()
    assert caught.value.code == code
