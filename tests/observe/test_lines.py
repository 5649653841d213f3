"""The request line: one JSON object on one line, whatever the client sends."""

import json
import types

import pytest
from hypothesis import given, strategies as st

from carboy.base import clock
from carboy.base.errors import RequestFault
from carboy.observe import lines
from carboy.observe.doors import DOOR

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Memory:
    """A sink that keeps what it is given."""

    def __init__(self):
        self.written = []

    def write(self, line):
        self.written.append(line)

    def put(self, make, facts):
        self.write(make(*facts))


def request(path="/a", pattern="/a", *, endpoint="a", error=None, **environ):
    """Return a context as the engine hands it to closers."""
    notes = {} if pattern == "-" else {lines.NOTE: lines.fragment(pattern, endpoint)}
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "REMOTE_ADDR": "192.0.2.1",
        "carboy.id": "5f0c6d1e9a7b3342-00001f",
        **environ,
    }
    lane = types.SimpleNamespace(pattern=pattern, endpoint=endpoint, notes=notes)
    return types.SimpleNamespace(environ=environ, lane=lane, error=error)


def written(ctx, status=200, seconds=0.001234, size=9, **settings):
    """Return the lines that are written for one request."""
    sink = Memory()
    log = lines.RequestLines()
    log.set(sink, **settings)
    log.write(ctx, status, seconds, size)
    return sink.written


def parsed(ctx, status=200, **settings):
    """Return the one line, as JSON."""
    (line,) = written(ctx, status, **settings)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert len(line) < 4096
    assert line.isascii()
    return json.loads(line)


def test_a_line_tells_the_whole_request(monkeypatch):
    """Names, units and types are part of the promise."""
    monkeypatch.setattr(clock, "now_s", lambda: 1_795_358_961.0075)

    assert parsed(request("/u/7", "/u/<int:id>", endpoint="user")) == {
        "time": "2026-11-22T14:49:21.007Z",
        "level": "info",
        "event": "request",
        "id": "5f0c6d1e9a7b3342-00001f",
        "method": "GET",
        "path": "/u/7",
        "route": "/u/<int:id>",
        "endpoint": "user",
        "status": 200,
        "ms": 1.234,
        "bytes": 9,
        "remote": "192.0.2.1",
    }


def test_the_second_is_renewed(monkeypatch):
    """The cached beginning of the line follows the clock, backwards too."""
    sink, log = Memory(), lines.RequestLines()
    log.set(sink)
    for now in (100.0, 100.75, 101.0, 99.5):
        monkeypatch.setattr(clock, "now_s", lambda now=now: now)
        log.write(request(), 200, 0.0, 0)

    assert [json.loads(line)["time"][17:] for line in sink.written] == [
        "40.000Z",
        "40.750Z",
        "41.000Z",
        "39.500Z",
    ]


def test_an_unknown_size_is_null():
    """-1 is the engine's word for it, null is JSON's."""
    (line,) = written(request(), size=-1)

    assert json.loads(line)["bytes"] is None


def test_a_failure_is_an_error_and_names_its_class():
    """From status 500 up the level is error."""
    line = parsed(request(error=ZeroDivisionError("x")), 500)

    assert (line["level"], line["error"]) == ("error", "builtins.ZeroDivisionError")


def test_a_refusal_carries_its_code():
    """The code of a RequestFault is stable and holds nothing of the client's."""
    line = parsed(request(error=RequestFault(400, "gate.host.bad", "No.")), 400)

    assert (line["level"], line["error"]) == ("info", "gate.host.bad")


def test_the_trace_of_the_client_is_carried_on():
    """A valid traceparent correlates, an invalid one is not repeated."""
    header = f"00-{TRACE}-00f067aa0ba902b7-01"

    assert parsed(request(HTTP_TRACEPARENT=header))["trace"] == TRACE
    assert "trace" not in parsed(request(HTTP_TRACEPARENT='00-x","level":"error'))


def test_the_query_is_not_logged():
    """Tokens and personal data travel there."""
    (line,) = written(request(QUERY_STRING="token=hunter2"))

    assert b"hunter2" not in line


@pytest.mark.parametrize(
    "path",
    [
        '/x","status":200,"y":"',
        "/a\n{}",
        "/a\r\nb",
        "/back\\slash",
        "/nul\x00",
        "/esc\x1b[2J",
        "/del\x7f",
        "/\u0085next",
        "/caf\u00c3\u00a9",
        "/bad\u00ff",
    ],
    ids=ascii,
)
def test_a_path_cannot_leave_its_string(path):
    """Injection attempts stay inside the JSON string, on one printable line."""
    (line,) = written(request(path))

    assert line[:-1].decode().isprintable()
    assert json.loads(line)["path"] == lines.path_text(path)


@pytest.mark.parametrize("where", ["PATH_INFO", "REQUEST_METHOD", "REMOTE_ADDR"])
@given(value=st.text(st.characters(max_codepoint=255), max_size=3000))
def test_no_client_text_breaks_the_line(where, value):
    """Whatever WSGI can carry gives one parseable line below PIPE_BUF."""
    line = parsed(request(**{where: value}))

    assert line["event"] == "request"
    assert line["status"] == 200


def test_a_long_path_is_cut():
    """What is cut is marked."""
    assert parsed(request("/" + "a" * 5000))["path"].endswith("a...")


def test_an_environ_without_the_usual_keys_is_logged():
    """A closer never breaks on what a server left out."""
    ctx = request()
    ctx.environ.clear()

    assert parsed(ctx)["method"] == ""


def test_no_match_is_route_minus():
    """So is a refusal before matching."""
    assert parsed(request("/wp-login.php", "-", endpoint=None), 404)["route"] == "-"


def test_a_door_is_silent_unless_asked():
    """Health checks come every few seconds."""
    ctx = request("/healthz", "-", endpoint=None, **{DOOR: "/healthz"})

    assert written(ctx) == []
    assert written(ctx, text=True) == []
    assert parsed(ctx, doors=True)["route"] == "/healthz"


def test_below_the_floor_nothing_is_written():
    """LOG_LEVEL=ERROR keeps failures only."""
    assert written(request(), 404, floor=500) == []
    assert len(written(request(), 503, floor=500)) == 1


def test_nothing_is_written_before_the_seal():
    """A closer may be called before it was told where to write."""
    assert lines.RequestLines().write(request(), 200, 0.0, 0) is None


def test_the_text_line_is_for_a_person():
    """Status, method, path and duration, in colour only when asked."""
    (plain,) = written(request("/a\x1b[2J"), 404, text=True)
    (coloured,) = written(request(), 404, text=True, colour=True)

    assert b"404  GET /a\\u001b[2J  1.2 ms  9 B  5f0c6d1e9a7b3342-00001f\n" in plain
    assert b"\x1b" not in plain
    assert b"\x1b[33m404" in coloured


def test_remembered_addresses_are_bounded():
    """A client behind many addresses must not fill the memory."""
    sink, log = Memory(), lines.RequestLines()
    log.set(sink)
    for number in range(lines.REMOTES + 10):
        log.write(request(REMOTE_ADDR=f"a{number}"), 200, 0.0, 0)

    assert len(log._remotes) <= lines.REMOTES
    assert json.loads(sink.written[-1])["remote"] == f"a{lines.REMOTES + 9}"
