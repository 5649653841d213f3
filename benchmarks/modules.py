"""Which modules a start loads: fresh interpreters, counted by name.

loaded(code)  ->  names that importing added     CASES: the starts that have a budget
"""

from __future__ import annotations

import json
import subprocess
import sys

__all__ = ["CASES", "FORBIDDEN", "loaded"]

HELP = """
import sys
sys.argv = ["carboy", "--help"]
from carboy.cli.main import main
try:
    main()
except SystemExit:
    pass
"""
CASES = {
    "import carboy": "import carboy",
    "from carboy import Carboy": "from carboy import Carboy",
    "Carboy(__name__)": "from carboy import Carboy; Carboy(__name__)",
    "carboy --help": HELP,
}

_HEAVY = (
    "alembic",
    "babel",
    "granian",
    "msgspec",
    "nh3",
    "prometheus_client",
    "pydantic",
    "rich",
    "sqlalchemy",
    "structlog",
    "webauthn",
)
FORBIDDEN: dict[str, tuple[str, ...]] = {
    "import carboy": (*_HEAVY, "flask", "werkzeug", "asyncio"),
    "from carboy import Carboy": (*_HEAVY, "asyncio"),
    "Carboy(__name__)": (*_HEAVY, "asyncio"),
    "carboy --help": tuple(name for name in _HEAVY if name != "rich"),
}
"""Top packages that must wait for their first use: each costs 10 to 400 ms."""

_REPORT = """
import os, sys
out = os.fdopen(os.dup(1), "w")
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
before = set(sys.modules)
{code}
import json
json.dump(sorted(set(sys.modules) - before - {{"json"}}), out)
"""


def loaded(code: str) -> list[str]:
    """Return the modules that running *code* in a fresh interpreter adds, sorted.

    Isolated from PYTHON* variables; raises CalledProcessError when *code* fails.
    """
    command = [sys.executable, "-I", "-c", _REPORT.format(code=code)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    names: list[str] = json.loads(done.stdout)
    return names
