"""The application of tests/rest, with a hand-written API beside the resources."""

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest

REST = Path(__file__).resolve().parents[1] / "rest"
sys.path.insert(0, str(REST))

_spec = importlib.util.spec_from_file_location("rest_conftest", REST / "conftest.py")
rest = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(rest)

template, make = rest.template, rest.make
app, rows, ask, staff = rest.app, rest.rows, rest.ask, rest.staff


@dataclass
class Sum:
    """What a basket comes to."""

    cents: int
    note: str = ""


@pytest.fixture
def views(app):
    """Typed views: of a query, of a body, of an address."""
    from carboy.engine.params import Query

    @app.get("/basket/<int:basket>")
    def basket(
        basket: int, tax: Annotated[float, Query(ge=0, le=1, description="VAT")] = 0.2
    ) -> Sum:
        """Say what a basket comes to.

        With the tax in it.
        """
        return Sum(int(basket * (1 + tax)))

    @app.post("/sums")
    def add(body: Sum) -> list[Sum]:
        """Add a sum."""
        return [body]

    @app.get("/plain")
    def plain():
        """Not typed: not in the document."""
        return "plain"

    return app
