"""Doors answer before the application; peers decide who may look."""

import pytest
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from carboy.base.errors import SetupError
from carboy.observe.doors import DOOR, Doors, Peers, is_local


def knock(doors, path="/healthz", method="GET"):
    """Return (response or None, environ)."""
    environ = {"PATH_INFO": path, "REQUEST_METHOD": method}
    try:
        doors.admit(environ)
    except HTTPException as answer:
        return answer.response, environ
    return None, environ


@pytest.fixture
def doors():
    """One door that is open and one that lets nobody in."""
    doors = Doors()
    doors.set("health", {"/healthz": lambda environ: Response("alive")}, ())
    doors.set("metrics", {"/metrics": lambda environ: None}, ())
    return doors


def test_a_door_answers_at_once(doors):
    """And says so in the environ, for log and metrics."""
    response, environ = knock(doors)

    assert response.get_data() == b"alive"
    assert response.headers["Cache-Control"] == "no-store"
    assert environ[DOOR] == "/healthz"


@pytest.mark.parametrize("path", ["/", "/healthz/", "/healthz/x", "//healthz", "", None])
def test_any_other_path_goes_on(doors, path):
    """The path is compared whole."""
    response, environ = knock(doors, path)

    assert response is None
    assert DOOR not in environ


def test_a_door_that_lets_nobody_in_is_not_there(doors):
    """The application answers, most likely with 404."""
    response, environ = knock(doors, "/metrics")

    assert response is None
    assert DOOR not in environ


def test_only_reading_methods_are_answered(doors):
    """405 with Allow, as RFC 9110 asks."""
    response, _ = knock(doors, method="POST")

    assert response.status_code == 405
    assert response.headers["Allow"] == "GET, HEAD"


def test_a_path_of_the_application_gets_no_door(doors):
    """An existing /healthz keeps answering as it did."""
    doors.set("health", {"/healthz": lambda environ: Response("ours")}, {"/healthz"})

    assert knock(doors)[0] is None


def test_setting_again_replaces(doors):
    """A second seal with another path leaves no old door."""
    doors.set("health", {"/live": lambda environ: Response("alive")}, ())

    assert knock(doors)[0] is None
    assert knock(doors, "/live")[0] is not None


def test_a_path_without_a_slash_is_a_set_up_mistake(doors):
    """No request could ever ask for it."""
    with pytest.raises(SetupError) as caught:
        doors.set("health", {"healthz": lambda environ: None}, ())

    assert caught.value.code == "observe.path"
    assert "'/healthz'" in str(caught.value)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.1.2.3", "172.31.0.1", "192.168.0.9", "fd00::1"],
)
def test_loopback_and_private_addresses_may_look(address):
    """The defaults of METRICS_ALLOW."""
    assert Peers(["loopback", "private"]).allow({"REMOTE_ADDR": address})


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "172.32.0.1",
        "2001:db8::1",
        "::ffff:8.8.8.8",
        "",
        None,
        "unix:",
        "10.1.2",
        "localhost",
    ],
)
def test_others_may_not(address):
    """An address that is none is nobody's, a UNIX socket's too."""
    assert not Peers(["loopback", "private"]).allow({"REMOTE_ADDR": address})
    assert not Peers(["loopback", "private"]).allow({})


@pytest.mark.parametrize(
    "header", ["HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA"]
)
def test_what_a_proxy_passes_on_is_not_the_proxys_own(header):
    """Behind nginx on the same machine every peer is loopback."""
    environ = {"REMOTE_ADDR": "127.0.0.1", header: "203.0.113.9"}

    assert not is_local(environ)
    assert is_local({"REMOTE_ADDR": "127.0.0.1"})


def test_own_networks_may_be_named():
    """Networks and single addresses."""
    peers = Peers(["203.0.113.0/24", "2001:db8::7"])

    assert peers.holds("203.0.113.200")
    assert peers.holds("2001:db8::7")
    assert not peers.holds("127.0.0.1")


def test_a_wrong_network_is_a_set_up_mistake():
    """Found at seal."""
    with pytest.raises(SetupError) as caught:
        Peers(["10.0.0.1/8"])

    assert caught.value.code == "metrics.allow"
    assert "has host bits set" in str(caught.value)
