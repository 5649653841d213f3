"""Exports: a list as a file, as it is narrowed and sorted, in bounded memory.

    pages of 1,000 rows by key  ->  CSV with a header, or a JSON array  ->  sent as they come

Rows that are written meanwhile disturb nothing; one statement per thousand rows.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flask import request, stream_with_context

from carboy.data.db import db
from carboy.engine.responses import Response
from carboy.resource.cells import plain
from carboy.resource.listing import asked

if TYPE_CHECKING:
    from carboy.data.keyset import Page
    from carboy.resource.plan import Plan

__all__ = ["as_csv", "as_json"]

BATCH = 1_000  # rows in memory


def as_csv(plan: Plan) -> Response:
    """Return the list as CSV: RFC 4180, UTF-8, a header of field names."""
    pages = _pages(plan, plan.detail)
    columns = plan.details
    writers = [plain(one) for one in columns]
    names = [*plan.key, *(one.path for one in columns)]

    def lines() -> Iterator[str]:
        file = io.StringIO()
        writer = csv.writer(file)
        writer.writerow(names)
        for page in pages:
            for row in page:
                key = [getattr(row, name) for name in plan.key]
                writer.writerow([*key, *(write(row) for write in writers)])
            yield file.getvalue()
            file.seek(0)
            file.truncate()

    return _file(plan, lines(), "csv", "text/csv; charset=utf-8; header=present")


def as_json(plan: Plan) -> Response:
    """Return the list as a JSON array of what the API shows."""
    pages = _pages(plan, plan.reading)

    def parts() -> Iterator[str]:
        before = "["
        for page in pages:
            rows = page.json()[1:-1]
            if rows:
                yield before + rows.decode()
                before = ",\n"
        yield "]\n" if before != "[" else "[]\n"

    return _file(plan, parts(), "json", "application/json")


def _pages(plan: Plan, reading: Any) -> Iterator[Page]:
    """Return all pages; the first is read now, so that a wrong question is told as an error."""
    clauses, order = asked(plan, request.args)

    def page(cursor: str | None) -> Page:
        found: Page = db.keyset(
            reading,
            *clauses,
            order=order,
            size=BATCH,
            cursor=cursor or "",
            name=f"{plan.name}.export",
        )
        return found

    first = page(None)

    def following() -> Iterator[Page]:
        found = first
        yield found
        while found.next:
            found = page(found.next)
            yield found

    return following()


def _file(plan: Plan, parts: Iterator[str], ending: str, mimetype: str) -> Response:
    answer = Response(stream_with_context(parts), mimetype=mimetype)
    answer.headers["Content-Type"] = mimetype
    answer.headers["Content-Disposition"] = f'attachment; filename="{plan.name}.{ending}"'
    return answer
