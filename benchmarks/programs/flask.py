"""Plain Flask: no extension, no CSRF check, no validation."""

from __future__ import annotations

from flask import Flask

from benchmarks.programs import TEMPLATES
from benchmarks.programs._flask_views import SETTINGS, install

TITLE = "Flask"
KIND = "wsgi"
DISTRIBUTIONS = ("flask", "werkzeug", "jinja2")
SERVERS = ("granian-wsgi",)
TOKEN_FIELD = ""


def build(workload: str) -> Flask:
    """Return the application for *workload*."""
    app = Flask(__name__, template_folder=str(TEMPLATES), static_folder=None)
    app.config.update(SETTINGS)
    install(app, workload)
    return app
