"""The runner finds what differs, and nothing else."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

import parity_sdist
import pytest
from parity_runs import Suite, differences, explain, run_all
from parity_sdist import Sdist, SdistError, pinned, unpacked

pytestmark = pytest.mark.parity

MODULE = """
import flask
import pytest

def client():
    app = flask.Flask(__name__)
    app.get("/")(lambda: "page")
    return app.test_client()

def test_page():
    assert client().get("/").text == "page"

def test_options():
    assert client().options("/").status_code == 200

@pytest.mark.xfail
def test_expected():
    raise AssertionError

@pytest.fixture
def wrong():
    raise AssertionError

def test_error(wrong):
    pass
"""


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    (tmp_path / "test_small.py").write_text(MODULE)
    return Suite(tmp_path)


def test_a_class_that_changes_nothing_differs_nowhere(suite: Suite) -> None:
    """Every kind of outcome is kept, and equal on both sides."""
    runs = run_all(suite, ("stock", "twin"))

    assert differences(runs["stock"], runs["twin"]) == {}
    assert list(runs["stock"].outcomes.values()) == ["passed", "passed", "xfailed", "error"]
    assert runs["stock"].subject == "flask.app.Flask"
    assert runs["twin"].subject == "parity_plugin.Carboy"
    assert runs["twin"].requests == 2


def test_a_class_that_answers_otherwise_is_found_and_explained(suite: Suite) -> None:
    """The differing test is named, with both outcomes and the failure."""
    runs = run_all(suite, ("stock", "broken"))

    found = differences(runs["stock"], runs["broken"])

    assert found == {"test_small.py::test_options": ("passed", "failed")}
    letter = explain(runs["stock"], runs["broken"], list(found))
    assert "test_small.py::test_options: passed -> failed" in letter
    assert "501 == 200" in letter


def test_a_suite_that_cannot_start_is_an_error_of_its_own(tmp_path: Path) -> None:
    """No report means no comparison; pytest's own words are shown."""
    with pytest.raises(RuntimeError, match=r"left no report"):
        run_all(Suite(tmp_path, tests=("--no-such-option",)), ("stock",))


def test_an_archive_with_another_hash_is_refused_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hash is ours; what the cache or the registry says does not matter."""
    archive = _cached(tmp_path, monkeypatch)
    sdist = Sdist("small", "1.0", "0" * 64)

    with pytest.raises(SdistError, match="expected 0000"):
        unpacked(sdist, tmp_path / "tree")

    assert not archive.exists()


def test_an_archive_with_the_right_hash_is_unpacked_without_asking_pip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Offline works as soon as the cache holds the file."""
    archive = _cached(tmp_path, monkeypatch)
    monkeypatch.setattr(parity_sdist, "_download", lambda sdist: pytest.fail("asked pip"))
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()

    tree = unpacked(Sdist("small", "1.0", sha256), tmp_path / "tree")

    assert (tree / "a.py").read_text() == "A = 1\n"


def test_a_version_without_a_hash_names_the_line_to_add(tmp_path: Path) -> None:
    """The error is a letter: which file, which section, what to write."""
    table = tmp_path / "sdists.toml"
    table.write_text('[flask]\n"3.1.3" = "00"\n')

    with pytest.raises(SdistError, match=r'add  "9\.9" = "<sha256>"  under \[flask\]'):
        pinned(table, "flask", "9.9")


def _cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a small archive where the cache keeps small 1.0."""
    monkeypatch.setattr(parity_sdist, "CACHE", tmp_path / "cache")
    folder = tmp_path / "cache" / "sdists" / "small-1.0"
    folder.mkdir(parents=True)
    source = tmp_path / "a.py"
    source.write_text("A = 1\n")
    with tarfile.open(folder / "small-1.0.tar.gz", "w:gz") as tar:
        tar.add(source, arcname="small-1.0/a.py")
    return folder / "small-1.0.tar.gz"
