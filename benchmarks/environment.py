"""The environment of the benchmarks: made once, used offline afterwards.

    ensure()  ->  .cache/bench/py3.11 holds requirements/bench.txt and this Carboy,
                  and this process runs in it

Standard library only: this module runs before anything is installed.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

__all__ = ["CACHE", "ROOT", "ensure", "interpreter"]

ROOT = Path(__file__).parents[1]
CACHE = ROOT / ".cache" / "bench"
REQUIREMENTS = ROOT / "requirements" / "bench.txt"
ENTERED = "CARBOY_BENCH_ENTERED"  # set once we are inside: never try twice


def ensure() -> None:
    """Make the environment when it is missing or out of date, and enter it.

    Replaces the running process unless it is in the environment already.
    Exits with a reason when packages cannot be fetched.
    """
    home = CACHE / f"py{sys.version_info.major}.{sys.version_info.minor}"
    if Path(sys.prefix) == home:
        return
    stamp = home / "carboy-bench.stamp"
    wanted = _fingerprint()
    if not stamp.exists() or stamp.read_text() != wanted:
        _install(home)
        stamp.write_text(wanted)
    if os.environ.get(ENTERED):
        sys.exit(f"bin/bench: {home} does not work as an environment; remove it and try again.")
    python = str(home / "bin" / "python")  # also as argv[0]: Python finds its home by it
    os.execve(python, [python, "-m", "benchmarks", *sys.argv[1:]], {**os.environ, ENTERED: "1"})


def interpreter() -> str:
    """Return the environment's Python, for subprocesses."""
    return sys.executable


def _fingerprint() -> str:
    parts = (REQUIREMENTS.read_bytes(), (ROOT / "pyproject.toml").read_bytes())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _install(home: Path) -> None:
    """Fill *home*; Carboy itself goes in editable, so its code is always current."""
    print(f"Setting up {home.relative_to(ROOT)} (once) ...", file=sys.stderr)
    python = home / "bin" / "python"
    try:
        if not python.exists():
            venv.create(home, with_pip=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--requirement", str(REQUIREMENTS)], check=True)
        own = ["--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
        subprocess.run([*pip, *own], check=True)
    except subprocess.CalledProcessError as failed:
        sys.exit(
            f"bin/bench could not set up its environment (exit code {failed.returncode}).\n"
            "The first run needs the package index, and on Debian the packages\n"
            "python3-venv and python3-pip. Later runs need no network."
        )
