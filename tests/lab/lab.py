"""The lab: test suites of Flask extensions, on stock Flask and on Carboy.

    bin/lab                     everything; writes docs/extensions.md
    bin/lab --reduced           what CI runs; writes nothing
    bin/lab --only Flask-Login  one extension, with what differs

Each suite runs in a process of its own, in every way, in an environment under
.cache/lab whose packages stand in front of ours. The table is the result.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "flask"))

from parity_runs import Run, Suite, differences, explain, run  # noqa: E402  # path set above
from parity_sdist import CACHE, Sdist, unpacked  # noqa: E402

__all__ = ["WAYS", "Extension", "Result", "examine", "extensions", "main", "table"]

WAYS = ("stock", "bare", "compatible")
SHARED = ("flask", "werkzeug", "jinja2", "click", "blinker", "itsdangerous", "markupsafe", "pytest")
PAGE = ROOT / "docs" / "extensions.md"
MARK = "<!-- bin/lab writes from here -->"


@dataclass(frozen=True)
class Extension:
    """One entry of extensions.toml."""

    name: str
    version: str
    sha256: str
    tests: Sequence[str] = ()
    plugins: Sequence[str] = ()
    reduced: bool = False
    note: str = ""
    differs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """An extension's runs, by way.

    found: way -> differing test ids, seen twice. broken: why there are no runs.
    """

    extension: Extension
    runs: Mapping[str, Run]
    found: Mapping[str, Sequence[str]]
    broken: str = ""

    def surprises(self) -> str:
        """Return a letter about differences that are not listed, or listed in vain."""
        letters = [self.broken] if self.broken else []
        for way, ids in self.found.items():
            listed = self.extension.differs.get(way, {})
            if new := sorted(set(ids) - listed.keys()):
                letters.append(explain(self.runs["stock"], self.runs[way], new))
            if gone := sorted(listed.keys() - set(ids)):
                letters.append(f"{self.extension.name}: listed, but no longer differs: {gone}")
        return "\n\n".join(letters)


def extensions() -> list[Extension]:
    """Return what extensions.toml lists."""
    document = tomllib.loads((HERE / "extensions.toml").read_text())
    return [Extension(**entry) for entry in document["extension"]]


def examine(chosen: Sequence[Extension], ways: Sequence[str] = WAYS) -> list[Result]:
    """Run the suites of *chosen* in all *ways*, two processes at a time."""
    python = environment()
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(2) as pool:
        suites = {e.name: _suite(e, python, Path(scratch)) for e in chosen}
        jobs = {e.name: {w: pool.submit(run, suites[e.name], w) for w in ways} for e in chosen}
        return [_result(e, suites[e.name], jobs[e.name]) for e in chosen]


def environment() -> str:
    """Return the interpreter of the lab's environment; make it when it is not there."""
    wanted = (HERE / "requirements.txt").read_text() + "".join(map(_pin, SHARED)) + sys.version
    home = CACHE / "lab" / hashlib.sha256(wanted.encode()).hexdigest()[:12]
    python = home / "bin" / "python"
    if not (home / "complete").exists():
        print(f"Setting up the lab in {home.relative_to(CACHE.parent)} ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        (site,) = home.glob("lib/python*/site-packages")
        # Ours behind its own: Carboy, Flask and pytest are those that are developed with.
        ours = str(Path(pytest.__file__).parent.parent)
        (site / "parent.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
        pins = home / "constraints.txt"
        pins.write_text("".join(map(_pin, SHARED)))
        _install(str(python), pins)
        (home / "complete").touch()
    return str(python)


def _install(python: str, pins: Path) -> None:
    """Let pip install the lab's packages; its words are shown only when it fails."""
    command = [python, "-m", "pip", "install", "--quiet", "-c", str(pins)]
    command += ["-r", str(HERE / "requirements.txt")]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise SystemExit(f"pip could not set up the lab:\n{answer.stderr[-2000:]}")


def table(results: Sequence[Result]) -> str:
    """Return the Markdown table of *results*."""
    heads = ("extension", "version", "tests on Flask", "requests", "`batteries=()`", "`compatible`")
    lines = [f"| {' | '.join((*heads, 'note'))} |", "|---" * (len(heads) + 1) + "|"]
    for result in results:
        if result.broken:
            lines.append(f"| {result.extension.name} | {result.extension.version} | did not run |")
            continue
        stock, bare = result.runs["stock"], result.runs["bare"]
        cells = [result.extension.name, result.extension.version, stock.tally()]
        cells += [f"{bare.requests} ({_share(bare)})", _verdict(result, "bare")]
        cells += [_verdict(result, "compatible"), result.extension.note]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the lab as the command line says; return the exit status."""
    parser = argparse.ArgumentParser(prog="bin/lab", description=__doc__.split("\n\n")[0])
    parser.add_argument("--reduced", action="store_true", help="only the set that CI runs")
    parser.add_argument("--only", metavar="NAME", help="only this extension")
    options = parser.parse_args(arguments)
    chosen = [e for e in extensions() if _wanted(e, options)]
    if not chosen:
        parser.error(f"no extension {options.only!r}; there are {[e.name for e in extensions()]}")
    started_s = time.monotonic()
    results = examine(chosen)
    print(table(results))
    surprises = [letter for r in results if (letter := r.surprises())]
    print(*surprises, sep="\n\n")
    print(f"{len(results)} extensions in {time.monotonic() - started_s:.0f} s.")
    if not options.reduced and not options.only and not any(r.broken for r in results):
        _write(results)
    return 1 if surprises else 0


def _wanted(extension: Extension, options: argparse.Namespace) -> bool:
    if options.only:
        return extension.name.lower() == str(options.only).lower()
    return extension.reduced or not options.reduced


def _suite(extension: Extension, python: str, scratch: Path) -> Suite:
    sdist = Sdist(extension.name, extension.version, extension.sha256)
    tree = unpacked(sdist, scratch / extension.name)
    return Suite(tree, extension.tests, extension.plugins, python=python)


def _result(extension: Extension, suite: Suite, jobs: Mapping[str, Future[Run]]) -> Result:
    """Compare; what differs must differ again, because suites may watch the clock."""
    try:
        runs = {way: job.result() for way, job in jobs.items()}
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        return Result(extension, {}, {}, broken=f"{extension.name}: {error}")
    found = {way: list(differences(runs["stock"], runs[way])) for way in runs if way != "stock"}
    if any(found.values()):
        again = {way: run(suite, way) for way in ("stock", *(w for w in found if found[w]))}
        for way in again.keys() - {"stock"}:
            repeated = differences(again["stock"], again[way])
            found[way] = [i for i in found[way] if i in repeated]
    return Result(extension, runs, found)


def _verdict(result: Result, way: str) -> str:
    ids = result.found.get(way, ())
    return "same" if not ids else f"{len(ids)} differ"


def _share(ours: Run) -> str:
    return f"{100 * ours.fast // ours.requests} % fast" if ours.requests else "none"


def _pin(name: str) -> str:
    return f"{name}=={version(name)}\n"


def _write(results: Sequence[Result]) -> None:
    """Put the table, and the reasons of what differs, into docs/extensions.md."""
    head, _, _ = PAGE.read_text().partition(MARK)
    reasons = [
        f"- {r.extension.name}, `{way}`: `{test}`. {reason}"
        for r in results
        for way, tests in r.extension.differs.items()
        for test, reason in tests.items()
    ]
    versions = ", ".join(f"{name} {version(name)}" for name in ("flask", "werkzeug", "carboy"))
    parts = [f"{head}{MARK}", f"With {versions}.", table(results), "\n".join(reasons)]
    PAGE.write_text("\n\n".join(part for part in parts if part) + "\n")


if __name__ == "__main__":
    sys.exit(main())
