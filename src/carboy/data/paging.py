"""Pages by number, as Flask-SQLAlchemy gives them.

    select, page, per_page  ->  paginate()  ->  Pagination: items, total, neighbours

Two statements: one for the rows, one to count. For long lists a keyset is cheaper.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from carboy.base.errors import RequestFault

if TYPE_CHECKING:
    from sqlalchemy import Select
    from sqlalchemy.orm import Session

__all__ = ["Pagination", "paginate"]

MOST = 2**31  # rows to skip; no list is that long, and OFFSET must fit 64 bits


@dataclass(frozen=True)
class Pagination:
    """One page of a list.

    items: its rows. page: its number, from 1. per_page: rows on a full page.
    total: rows on all pages; None when they were not counted.
    """

    items: list[Any]
    page: int
    per_page: int
    total: int | None
    _session: Session
    _statement: Select[Any]

    @property
    def pages(self) -> int:
        """How many pages there are; 0 when nothing was found or counted."""
        return -(-(self.total or 0) // self.per_page)

    @property
    def first(self) -> int:
        """The number of the first row on this page, from 1; 0 on an empty page."""
        return (self.page - 1) * self.per_page + 1 if self.items else 0

    @property
    def last(self) -> int:
        """The number of the last row on this page."""
        return self.first + len(self.items) - 1 if self.items else 0

    @property
    def has_prev(self) -> bool:
        """Whether there is a page before this one."""
        return self.page > 1

    @property
    def has_next(self) -> bool:
        """Whether there is a page after this one."""
        return self.page < self.pages

    @property
    def prev_num(self) -> int | None:
        """The number of the page before, or None."""
        return self.page - 1 if self.has_prev else None

    @property
    def next_num(self) -> int | None:
        """The number of the page after, or None."""
        return self.page + 1 if self.has_next else None

    def prev(self) -> Pagination:
        """Return the page before."""
        return self._other(self.page - 1)

    def next(self) -> Pagination:
        """Return the page after."""
        return self._other(self.page + 1)

    def iter_pages(
        self, *, left_edge: int = 2, left_current: int = 2, right_current: int = 4,
        right_edge: int = 2,
    ) -> Iterator[int | None]:  # fmt: skip
        """Yield page numbers for links; None where some are left out.

        >>> list(Pagination([], 7, 10, 200, None, None).iter_pages())
        [1, 2, None, 5, 6, 7, 8, 9, 10, 11, None, 19, 20]
        """
        before = 0
        for number in range(1, self.pages + 1):
            near = self.page - left_current <= number <= self.page + right_current
            if near or number <= left_edge or number > self.pages - right_edge:
                if number - before > 1:
                    yield None
                yield number
                before = number

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items)

    def _other(self, page: int) -> Pagination:
        counted = self.total is not None
        return paginate(self._session, self._statement, page, self.per_page, count=counted)


def paginate(
    session: Session,
    statement: Select[Any],
    page: int,
    per_page: int,
    *,
    error_out: bool = True,
    count: bool = True,
) -> Pagination:
    """Return one page of *statement*'s rows.

    error_out: raise a RequestFault (404) for a page that is not there; else an empty
    one, and the first for a number below 1. count: also count all rows.
    """
    if error_out and not (page >= 1 and per_page >= 1 and page * per_page <= MOST):
        raise _no_page(page)
    page, per_page = max(page, 1), max(per_page, 1)
    skipped = min((page - 1) * per_page, MOST)
    rows = session.execute(statement.limit(per_page).offset(skipped)).unique().scalars()
    items = list(rows)
    if error_out and not items and page > 1:
        raise _no_page(page)
    total = _count(session, statement) if count else None
    return Pagination(items, page, per_page, total, session, statement)


def _count(session: Session, statement: Select[Any]) -> int:
    rows = statement.order_by(None).options().subquery()
    return session.scalar(select(func.count()).select_from(rows)) or 0


def _no_page(page: int) -> RequestFault:
    return RequestFault(404, "data.no_page", f"There is no page {str(page)[:20]}.")
