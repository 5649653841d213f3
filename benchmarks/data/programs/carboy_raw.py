"""The driver by hand in a view of Carboy: what a view with the best SQL one can write costs.

The same application, batteries and question who asks as `carboy_read`; only the view differs.
"""

from __future__ import annotations

from typing import Any

from flask import Response

from benchmarks.data.programs import raw
from benchmarks.data.programs._carboy import application
from carboy.base.scope import current

TITLE = "Carboy, raw driver + msgspec in the view"
KIND = "wsgi"
DISTRIBUTIONS = ("carboy", "msgspec", "psycopg")


def build(url: str, blank: dict[str, bytes]) -> Any:
    """Return the application."""
    answers = raw._postgresql(url) if url.startswith("postgresql") else raw._sqlite(url)

    def several(shelf: int) -> Response:
        return Response(answers["list"](current().user, shelf), mimetype="application/json")

    def one(key: int) -> Response:
        return Response(answers["one"](current().user, key), mimetype="application/json")

    return application(url, blank, several, one)
