"""Bodies measured while they are read."""

import io

import pytest

from carboy.base.errors import RequestFault
from carboy.web.bodies import Form, Metered, Multipart, boundary_of

READERS = {
    "all": lambda stream: stream.read(),
    "none means all": lambda stream: stream.read(None),
    "in pieces": lambda stream: b"".join(iter(lambda: stream.read(7), b"")),
    "by line": lambda stream: b"".join(iter(stream.readline, b"")),
    "lines": lambda stream: b"".join(stream.readlines()),
    "iterated": lambda stream: b"".join(stream),
}
each_reader = pytest.mark.parametrize("read", READERS.values(), ids=READERS)

BODY = b"one\ntwo\n" * 100


@each_reader
def test_a_body_of_exactly_the_limit_is_read_whole(read):
    assert read(Metered(io.BytesIO(BODY), len(BODY))) == BODY


@each_reader
def test_one_byte_more_is_413_however_it_is_read(read):
    with pytest.raises(RequestFault, match=r"gate\.body\.long") as caught:
        read(Metered(io.BytesIO(BODY), len(BODY) - 1))
    assert caught.value.status == 413


def test_an_endless_body_is_not_read_past_the_limit():
    """Never more than one byte above the limit is taken from the server."""

    class Endless:
        taken = 0

        def read(self, size):
            assert size >= 0
            self.taken += size
            return b"x" * size

    source = Endless()
    with pytest.raises(RequestFault):
        Metered(source, 100_000).read()
    assert source.taken <= 100_001 + 65_536


def test_a_short_read_of_the_server_is_no_end():
    class Slow(io.BytesIO):
        def read(self, size=-1):
            return super().read(min(size, 3))

    assert Metered(Slow(BODY), 10_000).read() == BODY


@each_reader
def test_a_body_shorter_than_declared_is_400(read):
    """Granian hands on what came before the connection was lost, as if it were all."""
    assert read(Metered(io.BytesIO(BODY), 10_000, len(BODY))) == BODY
    with pytest.raises(RequestFault, match=r"gate\.body\.truncated") as caught:
        read(Metered(io.BytesIO(BODY), 10_000, len(BODY) + 1))
    assert caught.value.status == 400


@each_reader
def test_what_the_server_raises_while_reading_is_400(read):
    """gunicorn raises InvalidChunkSize out of the view's own read."""

    class Broken:
        def read(self, size):
            raise OSError("invalid chunk")

        readline = read

    with pytest.raises(RequestFault, match=r"gate\.body\.truncated"):
        read(Metered(Broken(), 10_000))


@each_reader
def test_fields_are_counted_across_reads(read):
    assert read(Form(io.BytesIO(b"&".join([b"a=1"] * 10)), 10_000, None, 10))
    with pytest.raises(RequestFault, match=r"gate\.fields\.many") as caught:
        read(Form(io.BytesIO(b"&".join([b"a=1"] * 11)), 10_000, None, 10))
    assert caught.value.status == 413


PART = b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'


@each_reader
@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
@pytest.mark.parametrize("end", [b"--B--", b"--B--\r\n", b"--B--\r\nepilogue " + b"x" * 99])
def test_a_whole_multipart_body_passes(read, declared, end):
    body = PART + end
    stream = Multipart(io.BytesIO(body), 10_000, len(body) if declared else None, b"B")
    assert read(stream) == body


@each_reader
@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
@pytest.mark.parametrize("cut", [b"", PART[:20], PART, PART + b"--B", PART + b"--B-"])
def test_a_cut_multipart_body_is_400(read, declared, cut):
    stream = Multipart(io.BytesIO(cut), 10_000, len(cut) if declared else None, b"B")
    with pytest.raises(RequestFault, match=r"gate\.multipart\.truncated") as caught:
        read(stream)
    assert caught.value.status == 400


BOUNDARIES = {
    "multipart/form-data; boundary=abc": b"abc",
    'multipart/form-data; charset=utf-8; Boundary="a b"': b"a b",
    "multipart/form-data;boundary=----WebKitFormBoundaryX": b"----WebKitFormBoundaryX",
}


@pytest.mark.parametrize(("header", "boundary"), BOUNDARIES.items())
def test_boundary_is_found(header, boundary):
    assert boundary_of(header) == boundary


@pytest.mark.parametrize(
    "header", ["", "; boundary=", "; boundary=" + "x" * 71, "; boundary=é", "; x=y"], ids=ascii
)
def test_a_multipart_body_needs_a_usable_boundary(header):
    with pytest.raises(RequestFault, match=r"gate\.multipart\.boundary"):
        boundary_of("multipart/form-data" + header)


# --- through the application -------------------------------------------------------


def form(count):
    return "&".join(["a=1"] * count).encode()


def test_the_1001st_field_is_413_the_1000th_is_not(either):
    client = either.test_client()
    kind = "application/x-www-form-urlencoded"
    assert client.post("/form", data=form(1_000), content_type=kind).status_code == 200
    assert client.post("/form", data=form(1_001), content_type=kind).status_code == 413
    assert client.post("/form", data=form(20_000), content_type=kind).status_code == 413


def test_a_chunked_body_over_the_limit_is_413(make_app, call, chunked):
    app = make_app(MAX_BODY=1_000)
    assert call(app, chunked("/raw", b"x" * 1_000))[0] == 200
    assert call(app, chunked("/raw", b"x" * 1_001))[0] == 413


def test_a_declared_body_over_the_limit_is_refused_unread(make_app, call, environ_of):
    class Untouched:
        def __getattr__(self, name):
            raise AssertionError(f"the body was touched: {name}")

    keys = {"CONTENT_LENGTH": "1001", "REQUEST_METHOD": "POST", "wsgi.input": Untouched()}
    status, headers, _ = call(make_app(MAX_BODY=1_000), environ_of("/raw", **keys))
    assert status == 413
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_flasks_own_larger_limit_counts(make_app):
    """An application that set MAX_CONTENT_LENGTH for its uploads keeps taking them."""
    client = make_app(MAX_BODY=1_000, MAX_CONTENT_LENGTH=5_000).test_client()
    assert client.post("/raw", data=b"x" * 5_000).status_code == 200
    assert client.post("/raw", data=b"x" * 5_001).status_code == 413


def test_flasks_own_smaller_limit_counts(make_app):
    client = make_app(MAX_CONTENT_LENGTH=500).test_client()
    assert client.post("/raw", data=b"x" * 501).status_code == 413


def test_a_truncated_upload_is_400_not_an_empty_form(app):
    kind = "multipart/form-data; boundary=B"
    whole = app.test_client().post("/form", data=PART + b"--B--\r\n", content_type=kind)
    assert whole.json == {"fields": 1, "files": 0}
    cut = app.test_client().post("/form", data=PART, content_type=kind)
    assert (cut.status_code, cut.json["code"]) == (400, "gate.multipart.truncated")


def test_multipart_parts_are_bounded_too(either):
    data = {f"f{n}": "1" for n in range(1_001)}
    answer = either.test_client().post("/form", data=data, content_type="multipart/form-data")
    assert answer.status_code == 413
