"""The how-to of typed views says what happens: every example is run."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "typed-views.md"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
CALL = re.compile(r"(GET|POST) (\S+)(?: (.*?))?\s*->\s+(\d{3})(?: (.*))?")


def examples() -> list[Any]:
    """Return (code, calls) pairs: each program with the lines of requests that follow it."""
    blocks = BLOCK.findall(PAGE.read_text())
    return [
        pytest.param(code, calls, id=CALL.findall(calls)[0][1])
        for (kind, code), (_, calls) in pairwise(blocks)
        if kind == "python"
    ]


@pytest.mark.parametrize(("code", "calls"), examples())
def test_example(code: str, calls: str) -> None:
    """Each request of the page gets the status and the body that the page shows."""
    names: dict[str, Any] = {"__name__": "example"}
    program = compile(code, str(PAGE), "exec", dont_inherit=True)
    exec(program, names)
    client = names["app"].test_client()
    found = CALL.findall(calls)
    assert len(found) == len(calls.strip().splitlines())
    for method, path, body, status, shown in found:
        sent = body_of(body)
        answer = client.open(path, method=method, **sent)
        assert answer.status_code == int(status), f"{method} {path}: {answer.text}"
        if shown:
            assert answer.json == json.loads(shown)


def body_of(text: str) -> dict[str, Any]:
    if not text:
        return {}
    kind = "application/json" if text.startswith("{") else "application/x-www-form-urlencoded"
    return {"data": text, "content_type": kind}


def test_the_page_has_examples() -> None:
    """The search above finds them."""
    assert len(examples()) >= 6
