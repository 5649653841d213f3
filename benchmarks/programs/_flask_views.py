"""The six views as a Flask application writes them.

Plain Flask, Flask with extensions and Carboy run these very functions, so a
difference between their rows is a difference between the frameworks.
"""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask, render_template, request, session

from benchmarks.programs import SECRET, routes
from benchmarks.workloads import FORTUNES, GREETING, WITH_SESSION

__all__ = ["SETTINGS", "install"]

SETTINGS = {"SECRET_KEY": SECRET, "SESSION_COOKIE_SAMESITE": "Lax"}


def install(app: Flask, workload: str, *, token: Callable[[], str] = lambda: "") -> None:
    """Add the routes of *workload* to *app*.

    token: makes the CSRF token that the form will carry.
    """
    _VIEWS[workload](app)
    if workload in WITH_SESSION:

        @app.get("/begin")
        def begin() -> tuple[str, dict[str, str]]:
            session["name"] = "Ada"
            return token(), {"Content-Type": "text/plain"}


def _plaintext(app: Flask) -> None:
    @app.get("/plaintext")
    def plaintext() -> tuple[str, dict[str, str]]:
        return GREETING, {"Content-Type": "text/plain"}


def _json(app: Flask) -> None:
    @app.get("/json")
    def json() -> dict[str, str]:
        return {"message": GREETING}


def _params(app: Flask) -> None:
    def order(id: int, order_id: str) -> dict[str, int | str]:
        return {"user": id, "order": order_id}

    def other(id: int, order_id: str = "") -> dict[str, int | str]:
        return {"area": id, "part": order_id}

    for index, (path, measured) in enumerate(routes("<int:NAME>", "<NAME>")):
        app.add_url_rule(path, f"view{index}", order if measured else other)


def _fortunes(app: Flask) -> None:
    @app.get("/fortunes")
    def fortunes() -> str:
        rows = sorted(FORTUNES, key=lambda row: row[1])
        return render_template("fortunes.html", fortunes=rows)


def _form(app: Flask) -> None:
    @app.post("/form")
    def form() -> str:
        values = {field: request.form[field] for field in ("name", "email", "topic", "message")}
        session["name"] = values["name"]
        session["topic"] = values["topic"]
        return f"Thank you, {values['name']}."


def _touch(app: Flask) -> None:
    @app.get("/touch")
    def touch() -> str:
        return " ".join(
            (
                session["name"],
                request.args["q"],
                request.method,
                request.headers["User-Agent"],
                request.path,
                request.host,
            )
        )


_VIEWS: dict[str, Callable[[Flask], None]] = {
    "plaintext": _plaintext,
    "json": _json,
    "params": _params,
    "fortunes": _fortunes,
    "form": _form,
    "touch": _touch,
}
