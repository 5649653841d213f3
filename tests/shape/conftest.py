"""Fixtures over the project's own files."""

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def root():
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def sources():
    """{path from src/carboy: parsed module} of everything in the package."""
    package = ROOT / "src" / "carboy"
    return {
        path.relative_to(package): ast.parse(path.read_text(), str(path))
        for path in sorted(package.rglob("*.py"))
    }


@pytest.fixture(scope="session")
def tracked():
    """The files that git tracks, or would track: new and not ignored."""
    listing = subprocess.run(
        [
            "git",
            "-c",
            "safe.directory=*",
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    names = listing.stdout.decode().split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]
