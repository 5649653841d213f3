"""What a developer is told, and that nobody else is."""

import pytest
from flask import render_template, request, session, url_for

from carboy.web import dev
from carboy.web.causes import usual_cause
from carboy.web.pages import catcher

HTML = {"Accept": "text/html"}


@pytest.fixture
def debugged(make_app):
    app = make_app()
    app.debug = True
    return app


PEERS = {
    "127.0.0.1": True, "127.9.9.9": True, "::1": True, "10.0.0.1": False, "": False, None: False,
    "128.0.0.1": False,
}  # fmt: skip


@pytest.mark.parametrize(("peer", "local"), PEERS.items(), ids=str)
def test_local_is_loopback(peer, local):
    assert dev.is_local({"REMOTE_ADDR": peer}) is local


def test_a_relayed_request_is_never_local(debugged):
    """A proxy on this machine makes everybody come from 127.0.0.1."""
    client = debugged.test_client()
    assert "carboy dev" in client.get("/pages", headers=HTML).text
    relayed = client.get("/pages", headers={**HTML, "X-Forwarded-For": "203.0.113.7"})
    assert "carboy dev" not in relayed.text
    foreign = client.get("/pages", headers=HTML, environ_overrides={"REMOTE_ADDR": "10.0.0.1"})
    assert "carboy dev" not in foreign.text


def test_production_tells_nobody(app):
    assert "carboy dev" not in app.test_client().get("/pages", headers=HTML).text


def test_404_lists_near_routes(debugged):
    page = debugged.test_client().get("/pag", headers=HTML)
    assert page.status_code == 404
    assert "<code>/page</code>" in page.text


def test_an_unknown_host_says_which_line_to_add(debugged):
    page = debugged.test_client().get("/", base_url="http://shop.example", headers=HTML)
    assert page.status_code == 421
    assert "CARBOY_ALLOWED_HOSTS=shop.example" in page.text


def test_near_routes_are_near():
    routes = ["/users", "/users/<int:id>", "/about", "/static/<path:filename>"]
    assert set(dev.near_routes("/user/7", routes)) == {"/users", "/users/<int:id>"}
    assert dev.near_routes("/zzzzzz", routes) == []


def test_500_shows_the_line_the_request_and_no_secret(debugged):
    debugged.config["PROPAGATE_EXCEPTIONS"] = False
    page = debugged.test_client().get(
        "/broken?token=hunter2",
        headers={**HTML, "Authorization": "Bearer hunter2", "Cookie": "session=hunter2"},
    )
    assert page.status_code == 500
    assert "RuntimeError: secret detail" in page.text
    assert 'raise RuntimeError("secret' in page.text.replace("&#34;", '"')
    assert "hunter2" not in page.text


def test_catcher_answers_what_the_application_lets_through(debugged, environ_of):
    """For servers without a debugger: with debug on Flask raises to the server."""
    app = catcher(debugged.wsgi_app, debugged.root_path)
    started = []
    body = app(environ_of("/broken", REMOTE_ADDR="127.0.0.1"), lambda *args: started.append(args))
    assert started[0][0] == "500 Internal Server Error"
    assert b"RuntimeError: secret detail" in b"".join(body)
    assert "nonce-" in dict(started[0][1])["Content-Security-Policy"]


def test_catcher_raises_on_for_visitors_from_elsewhere(debugged, environ_of):
    app = catcher(debugged.wsgi_app)
    with pytest.raises(RuntimeError):
        app(environ_of("/broken", REMOTE_ADDR="10.0.0.1"), lambda *args: None)


def outside():
    return request.method


def unknown_name():
    return eval("redirect('/')", {})  # a NameError as a view without the import has it


CAUSES = {
    "template": (lambda: render_template("nowhere.html"), "templates/"),
    "endpoint": (lambda: url_for("hom"), "Did you mean 'home'?"),
    "no key": (lambda: session.update(a=1), "CARBOY_SECRET_KEY"),
    "not json": (lambda: {"a": object()}, "Return its fields as a dict"),
    "form field": (lambda: request.form["title"], "'title'"),
    "import": (unknown_name, "from carboy import redirect"),
}


@pytest.mark.parametrize(("view", "words"), CAUSES.values(), ids=CAUSES)
def test_the_usual_cause_is_named(debugged, view, words):
    debugged.get("/view")(view)
    with debugged.test_request_context("/view"), pytest.raises(Exception) as caught:  # noqa: PT011 - each row fails in its own way
        debugged.make_response(view())
    assert words in usual_cause(caught.value)


def test_working_outside_of_a_request_is_explained():
    with pytest.raises(RuntimeError) as caught:
        outside()
    assert "app.test_request_context()" in usual_cause(caught.value)


def test_an_unset_option_is_explained():
    assert "CARBOY_MAIL_SERVER" in usual_cause(KeyError("MAIL_SERVER"))
    assert usual_cause(KeyError("title")) == ""


def test_our_own_errors_show_the_function_they_are_about(debugged, environ_of):
    """A view that returns nothing raises in the engine; the page shows the view."""

    @debugged.get("/forgetful", endpoint="forgetful")
    def forgetful():
        pass

    environ = environ_of("/forgetful", REMOTE_ADDR="127.0.0.1")
    page = b"".join(catcher(debugged)(environ, lambda *args: None)).decode()

    assert "def forgetful():" in page
    assert "view.nothing" in page
    assert "The view for &#39;forgetful&#39;" in page
