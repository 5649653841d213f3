"""Files under /_carboy: for ever, by their content, and nothing but what was listed."""

import gzip
import hashlib
import os
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from carboy.base.errors import SetupError
from carboy.web.look.assets import Assets

OWN = ["carboy.css", "carboy.js", "htmx.min.js", "logo.svg", "favicon.svg"]
TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


@pytest.fixture
def get(look_app):
    """Get a path with these headers; nothing is unpacked."""
    client = look_app.test_client()
    return lambda path, **headers: client.get(path, headers=headers)


@pytest.fixture
def url(look_app, look):
    """The address of an asset."""
    look_app.seal()

    def url(name):
        with look_app.test_request_context("/"):
            return look.url(name)

    return url


@pytest.mark.parametrize("name", OWN)
def test_an_asset_is_kept_for_ever_under_its_hash(get, url, name):
    """The address has the hash of what comes from it, so it never changes."""
    answer = get(url(name))

    assert answer.status_code == 200
    assert url(name) == f"/_carboy/{hashlib.sha256(answer.data).hexdigest()[:12]}/{name}"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["Content-Type"] == TYPES[name.rpartition(".")[2]]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_it_needs_no_session_and_begins_none(look_app, url):
    """A shared cache may keep it: it does not depend on who asks."""
    client = look_app.test_client()
    client.set_cookie("session", "anything")
    answer = client.get(url("carboy.css"))

    assert "Set-Cookie" not in answer.headers
    assert "Cookie" not in answer.headers["Vary"]
    assert look_app.view_functions["look.asset"].__carboy_access__ == "public"


@pytest.mark.parametrize("accepts", ["gzip", "br, gzip;q=0.5", "*"])
def test_it_is_sent_compressed_to_those_who_take_it(get, url, accepts):
    """Compressed once, at the seal."""
    packed = get(url("carboy.css"), **{"Accept-Encoding": accepts})

    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Vary"] == "Accept-Encoding"
    assert gzip.decompress(packed.data) == get(url("carboy.css")).data
    assert len(packed.data) == int(packed.headers["Content-Length"]) < 9_000


@pytest.mark.parametrize("accepts", ["", "br", "gzip;q=0", "identity"])
def test_it_is_sent_plain_to_others(get, url, accepts):
    """Who refuses gzip gets none."""
    plain = get(url("carboy.css"), **{"Accept-Encoding": accepts})

    assert "Content-Encoding" not in plain.headers
    assert plain.headers["Vary"] == "Accept-Encoding"
    assert b"--paper" in plain.data


def test_a_copy_that_is_still_good_is_not_sent_again(get, url):
    """Both variants have a validator of their own."""
    plain = get(url("carboy.css"))
    packed = get(url("carboy.css"), **{"Accept-Encoding": "gzip"})

    assert plain.headers["ETag"] != packed.headers["ETag"]
    again = get(url("carboy.css"), **{"If-None-Match": plain.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


WRONG = {
    "another name": "carboy.cs",
    "no name": "",
    "a source": "tokens.css",
    "up": "../battery.py",
    "up in the digest": "%2e%2e/%2e%2e/battery.py",
    "encoded slash": "..%2f..%2fbattery.py",
    "backslash": "..\\battery.py",
    "absolute": "/etc/passwd",
    "NUL": "carboy.css%00.png",
    "folder": "static",
    "licence": "htmx.LICENSE",
}


@pytest.mark.parametrize("name", WRONG.values(), ids=WRONG)
def test_what_is_not_listed_does_not_exist(get, url, name):
    """No path is ever built from an address; 308 puts two slashes together."""
    digest = url("carboy.css").split("/")[2]

    assert get(f"/_carboy/{digest}/{name}").status_code in (308, 400, 404)


@pytest.mark.parametrize("digest", ["000000000000", "E64A0BBA52C2", "x", "..", "%2e%2e"])
def test_another_digest_is_another_file(get, digest):
    """A page from before a deployment gets 404, never the wrong content."""
    assert get(f"/_carboy/{digest}/carboy.css").status_code == 404


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(place=st.text(st.characters(codec="utf-8", exclude_characters="?#"), max_size=40))
def test_any_address_is_a_file_or_nothing(get, place):
    """No text in the address is an error of ours."""
    assert get("/_carboy/0123456789ab/" + quote(place)).status_code in (301, 308, 400, 404)


def test_an_application_adds_its_own(look_app, look, tmp_path, get, render):
    """A folder, with its folders; what begins with a dot stays here."""
    (tmp_path / "own/js").mkdir(parents=True)
    (tmp_path / "own/js/cart.js").write_text("let cart\n")
    (tmp_path / "own/.secret").write_text("no")
    look_app.test_client().get("/")  # sealed; what comes later counts nevertheless
    look.add(tmp_path / "own")

    address = render("{{ asset('js/cart.js') }}")
    assert get(address).text == "let cart\n"
    with pytest.raises(LookupError, match=r"js/cart\.js.*look\.unknown"):
        render("{{ asset('js/card.js') }}")
    with pytest.raises(LookupError, match=r"look\.unknown"):
        render("{{ asset('.secret') }}")


def test_an_applications_file_of_the_same_name_wins(look, tmp_path, render, get):
    """Its own style sheet, its own icon."""
    (tmp_path / "favicon.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    look.add(tmp_path / "favicon.svg")

    assert get(render("{{ asset('favicon.svg') }}")).text.startswith("<svg xmlns='")


def test_a_file_that_changed_has_another_address(look_app, look, tmp_path, render):
    """In dev a reload is enough."""
    sheet = tmp_path / "own.css"
    sheet.write_text("a{}")
    look.add(sheet)
    before = render("{{ asset('own.css') }}")
    sheet.write_text("b{}")
    os.utime(sheet, ns=(1, 1))
    look.add(sheet)

    assert render("{{ asset('own.css') }}") != before


def test_adding_what_is_not_there_is_said_at_once(look, tmp_path):
    """Not at the first visitor."""
    with pytest.raises(SetupError) as caught:
        look.add(tmp_path / "nowhere")
    assert caught.value.code == "look.no_asset"


def test_below_a_prefix_addresses_have_it(look_app, look):
    """An application that is mounted at /shop."""
    look_app.seal()
    with look_app.test_request_context("/", environ_overrides={"SCRIPT_NAME": "/shop"}):
        assert look.url("carboy.js").startswith("/shop/_carboy/")


def test_small_files_that_would_not_shrink_are_left_alone(tmp_path):
    """Compression that costs more than it saves."""
    (tmp_path / "a.css").write_text("a{}")
    (tmp_path / "a.png").write_bytes(bytes(1000))
    assets = Assets()
    assets.add(tmp_path)
    assets.freeze()

    assert [asset.zipped for asset in assets] == [b"", b""]
