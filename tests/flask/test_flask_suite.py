"""Flask's own test suite, and the applications it ships, on Flask and on Carboy.

    stock Flask   |   Carboy(batteries=())   |   batteries="compatible"   |   default

Without batteries no test may end otherwise than on stock Flask. With the presets
the tests that do are exactly those docs/coming_from_flask.md lists, with reasons.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from parity_docs import documented
from parity_runs import Run, Suite, differences, explain, run_all
from parity_sdist import CACHE, HERE, Sdist, newest, pinned, unpacked

pytestmark = [pytest.mark.parity, pytest.mark.timeout(600)]

WAYS = ("stock", "bare", "compatible", "default")
FAST_SHARE = 0.6  # of all requests of Flask's suite; the prototype reached 0.77 of the matched
EXAMPLES = {"tutorial": "flaskr", "javascript": "js_example"}


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked source distribution of the installed Flask."""
    sdist = pinned(HERE / "sdists.toml", "flask", version("flask"))
    return unpacked(sdist, tmp_path_factory.mktemp("sdist") / "flask")


@pytest.fixture(scope="session")
def runs(tree: Path) -> dict[str, Run]:
    """Flask's whole suite, once in every way."""
    return run_all(Suite(tree), WAYS)


def test_the_class_under_test_is_carboy_and_takes_its_own_path(
    runs: dict[str, Run], capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing would be proven if Flask had served, or Flask's path inside Carboy."""
    stock, bare = runs["stock"], runs["bare"]

    _say(capsys, *(f"{r.way}: {r.tally()}; {r.fast}/{r.requests} fast" for r in runs.values()))

    assert stock.subject == "flask.app.Flask"
    assert {runs[way].subject for way in WAYS[1:]} == {"carboy.engine.app.Carboy"}
    assert bare.requests == stock.requests > 400
    assert bare.fast / bare.requests >= FAST_SHARE


def test_without_batteries_every_test_ends_as_on_flask(runs: dict[str, Run]) -> None:
    """`Carboy(batteries=())` has exactly Flask's semantics."""
    found = differences(runs["stock"], runs["bare"])

    assert len(runs["stock"].outcomes) > 480
    assert not found, explain(runs["stock"], runs["bare"], list(found))


@pytest.mark.parametrize("way", ["compatible", "default"])
def test_with_batteries_exactly_the_documented_tests_differ(runs: dict[str, Run], way: str) -> None:
    """The page lists each with its reason: none missing, none that no longer differs."""
    found = set(differences(runs["stock"], runs[way]))
    listed = documented(way)

    surprises = sorted(found - listed.keys())
    assert not surprises, explain(runs["stock"], runs[way], surprises)
    assert not listed.keys() - found, "docs/coming_from_flask.md lists what does not differ"
    assert all(listed.values()), "each difference needs its reason"


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_applications_flask_ships_pass_their_tests(tree: Path, example: str) -> None:
    """The tutorial's flaskr and the JavaScript example: only the imported class changes."""
    found = run_all(Suite(tree / "examples" / example), WAYS[:3])

    assert set(found["stock"].outcomes.values()) == {"passed"}
    for way in WAYS[1:3]:
        assert found[way].outcomes == found["stock"].outcomes
        assert found[way].fast > 0


def test_the_celery_example_imports_and_answers(tree: Path) -> None:
    """It ships no tests: its factory, blueprint and page are tried, Celery played by a fake."""
    example = tree / "examples" / "celery"
    # Moved out of our tree, whose conftest would bring Carboy into stock Flask's run.
    shutil.copy(HERE / "celery_example" / "celery_example.py", example)
    suite = Suite(example, ("celery_example.py",), path=(example / "src",))

    for way, answer in run_all(suite, WAYS[:3]).items():
        assert set(answer.outcomes.values()) == {"passed"}, (way, answer.reasons)
        assert answer.requests == 3


def test_flask_3_2_when_it_is_released(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The next Flask changes the dispatch methods: its suite runs here from its first day."""
    found = [number for number in newest("flask") if number.startswith("3.2.")]
    if not found:
        _say(capsys, "Flask 3.2 is not on the registry (or the registry is out of reach).")
        assert version("flask") < "3.2"
        return
    python = _python_with(f"flask=={found[0]}")
    tree = unpacked(Sdist("flask", found[0], sha256=""), tmp_path / "flask")

    answer = run_all(Suite(tree, python=python), ("stock", "bare"))

    _say(capsys, *(f"Flask {r.flask} {r.way}: {r.tally()}" for r in answer.values()))
    assert answer["bare"].flask == found[0]
    different = differences(answer["stock"], answer["bare"])
    assert not different, explain(answer["stock"], answer["bare"], list(different))


def _python_with(requirement: str) -> str:
    """Return the interpreter of an environment: ours, with *requirement* in front."""
    home = CACHE / "venvs" / requirement.replace("==", "-")
    python = home / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True, timeout=120)
        command = [str(python), "-m", "pip", "install", "--quiet", requirement]
        subprocess.run(command, check=True, timeout=300)
        (site,) = home.glob("lib/python*/site-packages")
        parent = str(Path(pytest.__file__).parent.parent)
        (site / "parent.pth").write_text(f"import site; site.addsitedir({parent!r})\n")
    return str(python)


def _say(capsys: pytest.CaptureFixture[str], *lines: str) -> None:
    """Print past pytest's capture: these figures belong into every log."""
    with capsys.disabled():
        print("", *(f"  {line}" for line in lines), sep="\n")
