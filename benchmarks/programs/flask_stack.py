"""Flask with the extensions a production site usually carries.

Flask-Login, Flask-WTF's CSRFProtect, Flask-Talisman, Flask-Limiter in memory,
prometheus-flask-exporter, Flask-SQLAlchemy and a request id. The form is
validated by WTForms and carries a CSRF token.
"""

from __future__ import annotations

import uuid
from typing import Any

from flask import Flask, Response, g, session
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import LoginManager, UserMixin
from flask_sqlalchemy import SQLAlchemy
from flask_talisman import Talisman
from flask_wtf import CSRFProtect, FlaskForm
from flask_wtf.csrf import generate_csrf
from prometheus_client import CollectorRegistry
from prometheus_flask_exporter import PrometheusMetrics
from wtforms import StringField
from wtforms.validators import DataRequired, Length

from benchmarks.programs import TEMPLATES
from benchmarks.programs._flask_views import SETTINGS, install

TITLE = "Flask + production extensions"
KIND = "wsgi"
DISTRIBUTIONS = (
    "flask-login",
    "flask-wtf",
    "flask-talisman",
    "flask-limiter",
    "prometheus-flask-exporter",
    "flask-sqlalchemy",
)
SERVERS = ("granian-wsgi",)
TOKEN_FIELD = "csrf_token"


class Contact(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """The four fields, each required and bounded."""

    name = StringField(validators=[DataRequired(), Length(max=80)])
    email = StringField(validators=[DataRequired(), Length(max=120)])
    topic = StringField(validators=[DataRequired(), Length(max=80)])
    message = StringField(validators=[DataRequired(), Length(max=2000)])


def build(workload: str) -> Flask:
    """Return the application for *workload*."""
    app = Flask(__name__, template_folder=str(TEMPLATES), static_folder=None)
    app.config.update(SETTINGS, SQLALCHEMY_DATABASE_URI="sqlite://")
    _extend(app)
    if workload == "form":
        _form(app)
    else:
        install(app, workload)
    return app


def _extend(app: Flask) -> None:
    @app.before_request
    def give_id() -> None:
        g.request_id = uuid.uuid4().hex

    @app.after_request
    def send_id(response: Response) -> Response:
        response.headers["X-Request-ID"] = g.request_id
        return response

    SQLAlchemy(app)
    LoginManager(app).user_loader(lambda user_id: UserMixin())
    CSRFProtect(app)
    Talisman(app, force_https=False, session_cookie_secure=False)
    Limiter(
        get_remote_address,
        app=app,
        default_limits=["100000000 per minute"],  # counted, never reached
        storage_uri="memory://",
        headers_enabled=True,
    )
    PrometheusMetrics(app, registry=CollectorRegistry())


def _form(app: Flask) -> None:
    @app.get("/begin")
    def begin() -> tuple[str, dict[str, str]]:
        session["name"] = "Ada"
        return generate_csrf(), {"Content-Type": "text/plain"}

    @app.post("/form")
    def form() -> Any:
        contact = Contact()
        if not contact.validate_on_submit():
            return str(contact.errors), 422
        session["name"] = contact.name.data
        session["topic"] = contact.topic.data
        return f"Thank you, {contact.name.data}."
