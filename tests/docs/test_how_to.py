"""A how-to says what happens: every example on these pages is run."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
PAGES = ("typed-views.md", "middleware.md")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
CALL = re.compile(r"(GET|POST) (\S+)(?: (.*?))?\s*->\s+(\d{3})(?: (.*))?")


def examples() -> list[Any]:
    """Return (page, code, calls): each program with the lines of requests that follow it."""
    return [
        pytest.param(page, code, calls, id=f"{page}-{number}")
        for page in PAGES
        for number, ((kind, code), (_, calls)) in enumerate(
            pairwise(BLOCK.findall((HOW_TO / page).read_text()))
        )
        if kind == "python"
    ]


@pytest.mark.parametrize(("page", "code", "calls"), examples())
def test_example(page: str, code: str, calls: str) -> None:
    """Each request of the page gets the status and the body that the page shows."""
    names: dict[str, Any] = {"__name__": "example"}
    program = compile(code, page, "exec", dont_inherit=True)
    exec(program, names)
    client = names["app"].test_client()
    found = CALL.findall(calls)
    assert len(found) == len(calls.strip().splitlines())
    for method, path, body, status, shown in found:
        sent = body_of(body)
        answer = client.open(path, method=method, **sent)
        assert answer.status_code == int(status), f"{method} {path}: {answer.text}"
        if shown and answer.is_json:
            assert answer.json == json.loads(shown)
        elif shown:
            assert answer.text == shown


def body_of(text: str) -> dict[str, Any]:
    if not text:
        return {}
    kind = "application/json" if text.startswith("{") else "application/x-www-form-urlencoded"
    return {"data": text, "content_type": kind}


def test_the_pages_have_examples() -> None:
    """The search above finds them."""
    found = [example.values[0] for example in examples()]
    assert found.count("typed-views.md") >= 6
    assert found.count("middleware.md") >= 5
