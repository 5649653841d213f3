"""Seeds: the rows that a new database starts with, from seeds.py beside the application.

    def seed():                       run by `carboy db seed`, in one transaction
        if not db.session.scalar(db.select(Role).where(Role.name == "staff")):
            db.session.add(Role(name="staff"))

By contract a seed may run again and changes nothing then: it looks before it adds.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

from carboy.base.errors import SetupError
from carboy.base.scope import unscoped
from carboy.data.db import db

__all__ = ["seed"]


def seed(app: Any) -> Path:
    """Run seed() of seeds.py; return the file. What it wrote is committed, all or nothing.

    Raises SetupError (migrations.seeds) when there is no such file or function.
    """
    path = Path(app.root_path, "seeds.py")
    function = getattr(_module(app, path), "seed", None) if path.is_file() else None
    if not callable(function):
        raise SetupError(
            "migrations.seeds",
            f"There is no function seed() in {path}.",
            hint="Write  def seed():  there, so that it may run again: it looks before it adds.",
        )
    with app.app_context(), unscoped("seed"), db.transaction():
        function()
    return path


def _module(app: Any, path: Path) -> Any:
    package = app.import_name if hasattr(sys.modules.get(app.import_name), "__path__") else ""
    if package:
        return importlib.import_module(f"{package}.seeds")
    spec = importlib.util.spec_from_file_location("seeds", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
