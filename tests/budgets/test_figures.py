"""The benchmark's own arithmetic and checks: what it prints can be believed."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks import report
from benchmarks.figures import TARGETS, judge, ratio
from benchmarks.rounds import Failed
from benchmarks.servers import said_by_wrk
from benchmarks.workloads import FORTUNES, NAMES, Answer, Wrong, check, shot


def test_ratios_are_taken_within_rounds() -> None:
    """A slow round slows both sides; only its ratio counts."""
    got = ratio([10.0, 30.0, 10.0], [20.0, 60.0, 20.0])

    assert (got.median, got.low, got.high) == (0.5, 0.5, 0.5)


def test_ratios_need_equal_rounds() -> None:
    """A missing round is an error, not a shift."""
    with pytest.raises(ValueError, match="shorter"):
        ratio([1.0, 2.0], [1.0])


def test_only_what_was_measured_is_judged() -> None:
    """A target without both of its rows has no verdict."""
    micros = {"json": {"carboy": [10.0], "flask": [100.0], "starlette": [9.0]}}

    verdicts = {str(each.target): each.met for each in judge(micros)}

    assert verdicts == {str(TARGETS[0]): True, str(TARGETS[2]): False}


@pytest.mark.parametrize(
    ("status", "content_type", "body"),
    [
        pytest.param(500, "application/json", b'{"message": "Hello, World!"}', id="status"),
        pytest.param(200, "text/html", b'{"message": "Hello, World!"}', id="type"),
        pytest.param(200, "application/json", b'{"message": "Hello"}', id="body"),
    ],
)
def test_a_wrong_answer_is_not_timed(status: int, content_type: str, body: bytes) -> None:
    """Status, type and body must be what the workload asks for."""
    with pytest.raises(Wrong):
        check("json", Answer(status, (("Content-Type", content_type),), body))


def test_fortunes_must_be_sorted_and_escaped() -> None:
    """Rows in the order they are kept, or a script that would run, are wrong."""
    rows = "".join(f"<tr><td>{n}</td><td>{text}</td></tr>" for n, text in sorted(FORTUNES))
    html = (("Content-Type", "text/html"),)

    with pytest.raises(Wrong):
        check("fortunes", Answer(200, html, rows.encode()))


@pytest.mark.parametrize("name", NAMES)
def test_every_workload_sends_what_a_browser_sends(name: str) -> None:
    """No framework profits from a bare request."""
    names = {header for header, _ in shot(name, cookies="session=x").headers}

    assert {"Host", "User-Agent", "Accept-Encoding", "Sec-Fetch-Site", "Cookie"} <= names


WRK = """Running 2s test @ http://127.0.0.1:8000/json
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.46ms  401.22us   7.51ms   79.50%
    Req/Sec    21.88k     1.24k   23.52k    81.50%
  Latency Distribution
     50%  1.43ms
     75%    1.60ms
  43710 requests in 2.01s, 6.25MB read
Requests/sec:  21746.31
Transfer/sec:      3.11MB
"""


def test_the_report_of_wrk_is_read() -> None:
    """The median is the row "50%", not a deviation that ends in 50 %."""
    assert said_by_wrk(WRK) == (21746.31, 1.43, 43710)


@pytest.mark.parametrize(
    "line", ["Non-2xx or 3xx responses: 3", "Socket errors: connect 0, read 1", "no report"]
)
def test_a_load_with_errors_has_no_figures(line: str) -> None:
    """One wrong answer voids the round."""
    with pytest.raises(Failed):
        said_by_wrk(line if line == "no report" else WRK + line)


def test_figures_go_between_the_markers_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of the README stays as it is."""
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- figures -->\nold\n<!-- /figures -->\nafter\n")
    monkeypatch.setattr(report, "load", _record)

    report.figures_into(readme)

    text = readme.read_text()
    assert text.startswith("before\n<!-- figures -->\n|")
    assert text.endswith("\n<!-- /figures -->\nafter\n")
    assert "old" not in text
    assert "| **Carboy** | 0.10 |" in text


def test_a_readme_without_markers_is_refused(tmp_path: Path) -> None:
    """Nothing is written where no place was made for it."""
    readme = tmp_path / "README.md"
    readme.write_text("nothing here\n")

    with pytest.raises(ValueError, match="no region"):
        report.figures_into(readme)


def _record() -> report.Record:
    micros = {"flask": [100.0, 100.0], "carboy": [10.0, 10.0]}
    return {
        "cpu": {
            "micros": {"json": micros},
            "titles": {"flask": "Flask", "carboy": "Carboy"},
            "date": "2026-11-22",
            "python": "3.11.7",
            "machine": "one",
            "rounds": 2,
        }
    }
