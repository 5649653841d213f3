"""Carboy with a choice of batteries, running Flask's own views."""

from __future__ import annotations

from typing import Any

from benchmarks.programs import TEMPLATES
from benchmarks.programs._flask_views import SETTINGS, install
from carboy import Carboy

__all__ = ["application"]


def application(workload: str, batteries: Any) -> Any:
    """Return the application for *workload*, its log lines really written."""
    app = Carboy(__name__, template_folder=str(TEMPLATES), static_folder=None, batteries=batteries)
    app.config.update(SETTINGS)
    install(app, workload)
    return app
