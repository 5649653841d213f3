"""Forms read strictly: what Werkzeug would guess at is refused, all else is read alike."""

import io
from urllib.parse import urlencode

import pytest
from flask import request
from hypothesis import given, strategies as st
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from carboy import Carboy
from carboy.base.errors import RequestFault
from carboy.web.forms import StrictForms, check_urlencoded

FORM = "application/x-www-form-urlencoded"
PART = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'


def read(data, mimetype=FORM, **limits):
    """Return (form, files) of *data* through the strict reader."""
    parser = FormDataParser(**limits)
    return StrictForms(parser).parse(io.BytesIO(data), mimetype, len(data), {"boundary": "b"})[1:]


def message(data, mimetype=FORM):
    """Return what the client is told of *data*."""
    with pytest.raises(RequestFault) as caught:
        read(data, mimetype)
    assert caught.value.status == 400
    return str(caught.value)


@given(st.lists(st.tuples(st.text("aé %+&=;", max_size=4), st.text(max_size=4))))
def test_whole_forms_are_read_as_werkzeug_reads_them(pairs):
    """Strictness refuses; it never reads differently."""
    pairs = [(k, v) for k, v in pairs if (k + v).encode("utf-8", "replace").decode() == k + v]
    data = urlencode(pairs).encode()
    stock = FormDataParser().parse(io.BytesIO(data), FORM, len(data))[1]
    assert read(data)[0].to_dict(flat=False) == stock.to_dict(flat=False)


@pytest.mark.parametrize("data", [b"", b"a", b"a=%C3%A9", "a=é".encode(), b"a=%25zz", b"&&=&"])
def test_unusual_but_whole_forms_pass(data):
    """Only escapes and encoding are judged, not what a form says."""
    check_urlencoded(data)


def test_messages_for_urlencoded_forms():
    """What is wrong, and what to write instead."""
    assert message(b"a=100%") == (
        "The form has a '%' that is not followed by two hexadecimal digits.\n"
        "Write a literal percent sign as %25.  [gate.form.percent]"
    )
    told = (
        "The form is not valid UTF-8.\n"
        "Encode values as UTF-8, then percent-encode: é is %C3%A9.  [gate.form.encoding]"
    )
    assert message(b"a=%E9") == told
    assert message(b"a=\xe9") == told


def test_messages_for_parts():
    """A part without a name was the field None; one with broken headers emptied the form."""
    hint = (
        "Give each part a header like Content-Disposition: form-data; "
        'name="title".  [gate.multipart.malformed]'
    )
    kind = "multipart/form-data"
    nameless = PART.replace(b'; name="a"', b"") + b"--b--\r\n"
    assert message(nameless, kind) == f"The multipart body has a part without a name.\n{hint}"
    broken = PART.replace(b"Content-Disposition", b"Disposition") + b"--b--\r\n"
    assert message(broken, kind) == (
        f"The multipart body has a part whose headers are broken.\n{hint}"
    )


def test_a_form_beyond_flasks_limits_keeps_flasks_error_and_tells_the_limits():
    """Handlers of RequestEntityTooLarge go on working; the reason goes along."""
    with pytest.raises(RequestEntityTooLarge) as caught:
        read(PART * 3 + b"--b--\r\n", "multipart/form-data", max_form_parts=2)
    assert str(caught.value.fault) == (
        "The form has more than 2 parts.\n"
        "Send less, or send long text as a file.  [gate.form.large]"
    )
    with pytest.raises(RequestEntityTooLarge) as caught:
        read(PART + b"--b--\r\n", "multipart/form-data", max_form_memory_size=0, max_form_parts=9)
    assert caught.value.fault.message == (
        "The form has more than 9 parts or a field longer than 0 bytes."
    )


@pytest.mark.parametrize(
    ("batteries", "status"), [("default", 400), ("compatible", 200), ((), 200)]
)
def test_only_the_default_batteries_are_strict(batteries, status, no_policies):
    """The others change no answer's meaning."""
    app = Carboy("forms_under_test", batteries=batteries)
    app.post("/")(lambda: {"a": request.form.get("a")})
    answer = app.test_client().post("/", data="a=%zz", content_type=FORM)
    assert answer.status_code == status


def test_a_request_class_of_the_application_keeps_its_parser():
    """form_data_parser_class is Flask's documented way; strictness goes around it."""

    class Upper(FormDataParser):
        def parse(self, *args, **kwargs):
            stream, form, files = super().parse(*args, **kwargs)
            return stream, self.cls((k, v.upper()) for k, v in form.items()), files

    class Own(Carboy.request_class):
        form_data_parser_class = Upper

    app = Carboy("forms_under_test")
    app.request_class = Own
    app.post("/")(lambda: request.form["a"])
    client = app.test_client()
    assert client.post("/", data={"a": "b"}).text == "B"
    assert client.post("/", data="a=%zz", content_type=FORM).status_code == 400
