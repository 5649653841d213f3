"""`next` leads to a page of this application, or nowhere."""

import pytest
from flask.globals import request_ctx

from carboy.auth.local import local_path

GOOD = ["/", "/plain", "/orders/7", "/orders/7?size=2&sort=-id", "/plain?next=//evil.example",
        "/plain#part", "/plain?q=a%20b", "/account"]  # fmt: skip

BAD = {
    "none": None, "empty": "", "scheme": "https://evil.example/", "no-scheme": "//evil.example",
    "three-slashes": "///evil.example", "backslash": "/\\evil.example",
    "backslashes": "\\\\evil.example", "slash-backslash-slash": "/\\/evil.example",
    "javascript": "javascript:alert(1)", "data": "data:text/html,x", "relative": "plain",
    "dots": "../plain", "dots-inside": "/orders/../..//evil.example", "parent": "/..//evil.example",
    "tab": "/\t/evil.example", "line": "/\n/evil.example", "return": "/\r\nSet-Cookie: a=b",
    "nul": "/\0plain", "space-before": " /plain", "space-inside": "/ /evil.example",
    "userinfo": "https://localhost@evil.example/", "double-inside": "/plain//evil.example",
    "control": "/\x1f/evil.example", "c1": "/\x85plain", "host-again": "http://localhost/plain",
    "ideographic": "\u3000//evil.example", "fullwidth-slash": "\uff0f\uff0fevil.example",
    "bracket": "http://[::1", "bracket-path": "//[::1/plain", "overlong": "/plain?" + "x" * 2_000,
    "no-page": "/nowhere", "other-method": "/sign-out", "encoded-slashes": "/%2f%2fevil.example",
    "semicolon": "/;//evil.example", "at": "/@evil.example", "colon": "/http://evil.example",
}  # fmt: skip


@pytest.mark.parametrize("given", GOOD)
def test_a_page_of_ours_passes(shop, given):
    """With its query."""
    with shop.test_request_context("/sign-in") as context:
        assert local_path(given, context.request, request_ctx.url_adapter) == given


@pytest.mark.parametrize("given", BAD.values(), ids=BAD.keys())
def test_anything_else_does_not(shop, given):
    """Whatever a browser could read as another site, or that is no page here."""
    with shop.test_request_context("/sign-in") as context:
        assert local_path(given, context.request, request_ctx.url_adapter) == ""


def test_below_a_prefix_only_what_is_below_it(shop):
    """An application at /shop does not send people to its neighbour."""
    with shop.test_request_context("/sign-in", base_url="http://localhost/shop") as context:
        adapter = request_ctx.url_adapter
        assert local_path("/shop/plain", context.request, adapter) == "/shop/plain"
        assert local_path("/plain", context.request, adapter) == ""
        assert local_path("/shopping/plain", context.request, adapter) == ""


@pytest.mark.parametrize("given", BAD.values(), ids=BAD.keys())
def test_signing_in_leads_nowhere_else(shop, ada, given):
    """The whole way, in the query and in the form."""
    client = shop.test_client()
    sent = {"email": "ada@example.org", "password": "a crate of green glass"}
    if given is not None:
        sent["next"] = given
    answer = client.post("/sign-in", data=sent)
    if given and "\0" in given:  # no form of ours takes it
        assert answer.status_code == 422
    else:
        assert (answer.status_code, answer.headers["Location"]) == (303, "/")


def test_signing_in_leads_back(shop, ada):
    """To the page that somebody wanted to see."""
    client = shop.test_client()
    page = client.get("/sign-in", query_string={"next": "/orders/7?size=2"}).text
    assert '<input type="hidden" name="next" value="/orders/7?size=2">' in page
    sent = {"email": "ada@example.org", "password": "a crate of green glass"}
    answer = client.post("/sign-in", data={**sent, "next": "/orders/7?size=2"})
    assert answer.headers["Location"] == "/orders/7?size=2"
    answer = client.get("/sign-in", query_string={"next": "/orders/8"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/orders/8")
