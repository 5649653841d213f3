"""Compiled reads: lists and single rows at the cost of the driver.

    Book.read("title", "author.name", order=("-published",))      declared once
        ->  .json(limit=20)      bytes
            .rows(limit=20)      light objects, for templates
            .one(key)            one of them, or 404

    call  ->  who asks, where     the shape, the lane
          ->  Plan                compiled for that form and shape, or found
          ->  rows of the driver  ->  one generated function  ->  objects, JSON

No session, no identity map, no entities: what is read is a value. The policy's compiler
makes the SQL, so that what may not be seen is not in the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

from sqlalchemy import inspect

from carboy.base.errors import RequestFault
from carboy.base.scope import frame
from carboy.data import selections
from carboy.data.bounds import (
    LIMIT,
    MOST_ROWS,
    MOST_SKIPPED,
    limit_of,
    order_of_names,
    parts_of,
)
from carboy.data.callers import caller, declared_at
from carboy.data.encoders import dumps
from carboy.data.keyset import read_page
from carboy.data.places import MAIN
from carboy.data.plans import Plan, Question
from carboy.data.reading import Lane, road
from carboy.engine.responses import JSON, Response, ready
from carboy.engine.seam import cv_app

if TYPE_CHECKING:
    import flask
    from sqlalchemy import Engine

    from carboy.base.scope import Frame, Scope
    from carboy.data.clauses import Clause
    from carboy.data.keyset import Page
    from carboy.data.models import Model
    from carboy.data.moments import Moments
    from carboy.data.plans import Execute
    from carboy.data.reading import Rows
    from carboy.data.rows import Flavour
    from carboy.data.session import DataSession, Sessions

    How = tuple[Execute, Scope | None]

__all__ = ["LIMIT", "MOST_ROWS", "Fetched", "Reading", "newest", "seams"]

FORMS = 500  # plans kept per engine; a form more starts anew
ONE = True  # in the form of what finds one row
FLAVOURS: dict[Moments, Flavour] = {"http": "json", "iso": "iso"}
NEWEST = "__newest__"  # attribute of a model: its reading for `newest`

Shape = Callable[["Frame"], Hashable]


class Seams:
    """What others put their own in.

    sessions: gives those of this request, command or `connect`; `db` sets it.
    shape: for an engine, the function that tells of a frame what compiled SQL may depend
        on; None when it depends on nobody. By default the rulebook that the engine's
        compiler carries.
    """

    sessions: Callable[[], Sessions]

    @staticmethod
    def shape(engine: Engine) -> Shape | None:
        """Return the function for *engine*."""
        book = getattr(engine.dialect.statement_compiler, "book", None)
        return None if book is None else book.shape


seams = Seams()


class _Kept:
    """What a reading keeps for one engine."""

    __slots__ = ("plans", "shape")

    def __init__(self, engine: Engine | None) -> None:
        self.shape = None if engine is None else seams.shape(engine)
        self.plans: dict[Hashable, Plan] = {}


class Reading:
    """Rows of a model in one selection; made by `Model.read`, which says how.

    Thread-safe. Each answer is one statement, and one more for each relation to many.
    """

    def __init__(
        self,
        model: type[Model],
        names: Sequence[str] = (),
        *,
        where: Any = (),
        order: Sequence[str] = (),
        hidden: bool = False,
    ) -> None:
        self.model = model
        self._hidden = hidden
        self._declared = caller()
        with declared_at(self._declared):
            self._paths = selections.split(names or selections.shown(model), model)
            self._where = tuple(where) if isinstance(where, (tuple, list)) else (where,)
            self._order = order_of_names(model, order)
            for path in self._paths:
                selections.check(model, path, hidden=hidden)
        self._database = model.database or MAIN
        self._kept: WeakKeyDictionary[Lane, _Kept] = WeakKeyDictionary()
        self._last: tuple[Callable[[], Lane | None], _Kept] = (lambda: None, _Kept(None))
        self._orders: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._node: selections.Node | None = None
        self._parts: Callable[[Any], tuple[Any, ...] | None] = self._first_key

    def __repr__(self) -> str:
        names = ", ".join(repr(".".join(path)) for path in self._paths)
        return f"<{self.model.__name__}.read({names})>"

    # Answers

    def json(
        self,
        *clauses: Clause,
        limit: int | None = LIMIT,
        offset: int = 0,
        moments: Moments = "http",
    ) -> bytes:
        """Return a JSON array of objects.

        clauses: conditions of this call; all must be true. limit: rows at most, up to
        MOST_ROWS; None for all. offset: rows to skip. moments: "http" writes them as
        `jsonify` does, "iso" as RFC 3339 wants them, with microseconds and a Z.
        Raises a RequestFault (400) for a limit or offset out of bounds.
        """
        return dumps(self._objects(FLAVOURS[moments], clauses, limit, offset))

    def rows(self, *clauses: Clause, limit: int | None = LIMIT, offset: int = 0) -> list[Any]:
        """Return objects with the selected names as attributes; arguments as for `json`."""
        found: list[Any] = self._objects("rows", clauses, limit, offset)
        return found

    def one(self, key: Any, *clauses: Clause) -> Any:
        """Return the row with that primary key.

        key: a tuple when it has several columns. Raises a RequestFault (404) when there
        is none, it may not be seen, or *clauses* are not true of it.
        """
        return self._one("rows", key, clauses)

    def one_json(self, key: Any, *clauses: Clause, moments: Moments = "http") -> bytes:
        """Return that row as a JSON object; else as `one`. moments: as for `json`."""
        return dumps(self._one(FLAVOURS[moments], key, clauses))

    def one_plain(self, key: Any, *clauses: Clause, moments: Moments = "http") -> Any:
        """Return that row as what `one_json` writes, for `encoders.dumps`; else as `one`.

        It has the selected names as attributes.
        """
        return self._one(FLAVOURS[moments], key, clauses)

    def response(
        self,
        *clauses: Clause,
        limit: int | None = LIMIT,
        offset: int = 0,
        moments: Moments = "http",
    ) -> flask.Response:
        """Return an answer with what `json` gives as its body."""
        return _respond(self.json(*clauses, limit=limit, offset=offset, moments=moments))

    def one_response(self, key: Any, *clauses: Clause, moments: Moments = "http") -> flask.Response:
        """Return an answer with what `one_json` gives as its body."""
        return _respond(self.one_json(key, *clauses, moments=moments))

    def page(
        self,
        *clauses: Clause,
        size: int = 20,
        cursor: str | None = None,
        order: Sequence[str] | None = None,
        name: str = "",
    ) -> Page:
        """Return one page, and the cursors of its neighbours; see `keyset`.

        size: rows. cursor: what a page before gave as its `next` or `prev`; None for the
        first. order: other than the declared one. name: where there are several lists.
        """
        dialect = seams.sessions().places.engine(self._database).dialect.name
        return read_page(
            self, dialect, clauses=clauses, order=order, size=size, cursor=cursor, name=name
        )

    def fetch(
        self,
        clauses: Sequence[Clause] = (),
        *,
        order: Sequence[str] | None = None,
        limit: int | None = LIMIT,
        offset: int = 0,
        backward: bool = False,
    ) -> Fetched:
        """Return rows before they become objects, with the values they are sorted by.

        order: in place of the declared one; the primary key is added when it is not in.
        backward: from the end; the rows come in the declared direction all the same.
        For pages: relations to many are read only for the rows that are kept.
        """
        sort = self.order if order is None else self._completed(order)
        plan, rows, how = self._answer(tuple(clauses), limit, offset, sort, backward)
        return Fetched(plan, rows[::-1] if backward else rows, how)

    @property
    def order(self) -> tuple[str, ...]:
        """The names that rows are sorted by, "-" for descending; no two rows are equal in all."""
        if self._node is None:
            self._resolve()
        return self._order

    # How

    def _objects(
        self, flavour: Flavour, clauses: tuple[Clause, ...], limit: int | None, offset: int
    ) -> Any:
        plan, rows, how = self._answer(clauses, limit, offset)
        return plan.objects(flavour, rows, *how)

    def _one(self, flavour: Flavour, key: Any, clauses: tuple[Clause, ...]) -> Any:
        parts = self._parts(key)
        if parts is not None:
            plan, rows, how = self._answer(clauses, 1, 0, None, False, parts)
            if rows:
                return plan.objects(flavour, rows, *how)[0]
        raise RequestFault(404, "data.not_found", "There is nothing here.")

    def _answer(
        self,
        clauses: tuple[Clause, ...],
        limit: int | None,
        offset: int,
        sort: tuple[str, ...] | None = None,
        backward: bool = False,
        key: tuple[Any, ...] = (),
    ) -> tuple[Plan, Rows, How]:
        """Return (plan, rows, what else its objects need).

        sort: None for the declared order; else its values are fetched too. key: of the
        one row that is asked for.
        """
        if (
            type(limit) is not int
            or type(offset) is not int
            or not (0 < limit <= MOST_ROWS and 0 <= offset <= MOST_SKIPPED)
        ):
            limit = limit_of(limit, offset)
        lane, session = road(seams.sessions(), self._database)
        last, kept = self._last
        if last() is not lane:
            kept = self._keep(lane)
        scope = shape = None
        if kept.shape is not None:
            now = frame()
            scope, shape = now.scope, kept.shape(now)
        form: Hashable = shape
        if clauses or sort:
            form = (form, tuple([clause.form for clause in clauses]), sort, backward, not key)
        elif key:
            form = (form, ONE)
        plan = kept.plans.get(form)
        if plan is None:
            one = bool(key)
            plan = self._plan(lane, session, shape, kept.plans, form, clauses, sort, backward, one)
        execute = lane.run if session is None else partial(lane.run_on, session)
        statement = plan.statement
        if scope is None and statement.scoped:  # who asks is in a condition, without policies
            scope = frame().scope
        text = statement.text(limit, offset)
        try:
            parameters = statement.bind(clauses, key, scope)
        except Exception as error:
            lane.refuse(error, text)
        return plan, execute(text, parameters, plan), (execute, scope)

    def _plan(
        self, lane: Lane, session: DataSession | None, shape: Hashable,
        plans: dict[Hashable, Plan], form: Hashable, clauses: tuple[Clause, ...],
        sort: tuple[str, ...] | None, backward: bool, one: bool,
    ) -> Plan:  # fmt: skip
        """Compile a form that was not met before."""
        node = self._node or self._resolve()
        lane.ready(session)
        order = self._order if sort is None else sort
        question = Question(node, self._where, order, clauses, backward, one)
        made = Plan(question, lane.engine, shape, keys=sort is not None)
        if len(plans) >= FORMS:
            plans.clear()
        return plans.setdefault(form, made)

    def _keep(self, lane: Lane) -> _Kept:
        """Return what is kept for the engine of *lane*, and have it at hand next time."""
        kept = self._kept.get(lane) or self._kept.setdefault(lane, _Kept(lane.engine))
        self._last = (ref(lane), kept)
        return kept

    def _resolve(self) -> selections.Node:
        """Return the selection; at the first use, when all classes are there."""
        with declared_at(self._declared):
            node = selections.select(self.model, self._paths, hidden=self._hidden)
            self._order = self._completed(self._order)
        self._node = node
        return node

    def _completed(self, order: Sequence[str]) -> tuple[str, ...]:
        """Return *order* with the primary key at its end, where it is not in.

        The key goes the way of the last name, so that one index serves them all.
        """
        # PERF: each page asks; to check the names takes 15 us.
        found = self._orders.get(tuple(order))
        if found is None:
            if len(self._orders) >= FORMS:
                self._orders.clear()
            found = self._orders[tuple(order)] = self._complete(order)
        return found

    def _complete(self, order: Sequence[str]) -> tuple[str, ...]:
        mapper = inspect(self.model)
        named = {name.removeprefix("-") for name in order_of_names(self.model, order)}
        sign = "-" if order and order[-1].startswith("-") else ""
        keys = [mapper.get_property_by_column(column).key for column in mapper.primary_key]
        return (*order, *(f"{sign}{key}" for key in keys if key not in named))

    def _first_key(self, key: Any) -> tuple[Any, ...] | None:
        """Find out what a key is, once."""
        self._parts = parts_of(self.model)
        return self._parts(key)


class Fetched:
    """Rows of one page, not yet objects.

    Its length is the number of rows.
    """

    def __init__(self, plan: Plan, rows: Rows, how: How) -> None:
        self._plan, self._rows, self._how = plan, rows, how

    def __len__(self) -> int:
        return len(self._rows)

    def cut(self, start: int, stop: int) -> Fetched:
        """Return the rows from *start* to before *stop*, as of a list."""
        return Fetched(self._plan, self._rows[start:stop], self._how)

    def key(self, index: int) -> tuple[Any, ...]:
        """Return the values that one row is sorted by, in the order of the names."""
        return self._plan.key(self._rows[index])

    def rows(self) -> list[Any]:
        """Return objects, as `Reading.rows` does."""
        return self._objects("rows")

    def json(self, *, moments: Moments = "http") -> bytes:
        """Return a JSON array, as `Reading.json` does."""
        return dumps(self.plain(moments=moments))

    def plain(self, *, moments: Moments = "http") -> list[Any]:
        """Return the objects that `json` writes, to be part of a larger answer.

        They go through `encoders.dumps`.
        """
        return self._objects(FLAVOURS[moments])

    def _objects(self, flavour: Flavour) -> list[Any]:
        found: list[Any] = self._plan.objects(flavour, self._rows, *self._how)
        return found


def newest(model: type[Model], count: int) -> list[Any]:
    """Return the *count* newest rows: by `created_at` where there is one, else by key."""
    reading: Reading | None = vars(model).get(NEWEST)
    if reading is None:
        fields = model.facts().fields
        keys = [name for name, field in fields.items() if field.key]
        first = ["created_at"] if "created_at" in fields else []
        reading = Reading(model, order=[f"-{name}" for name in (*first, *keys)])
        type.__setattr__(model, NEWEST, reading)  # no column: SQLAlchemy would forget its caches
    return reading.rows(limit=count)


def _respond(body: bytes) -> flask.Response:
    context = cv_app.get(None)
    made = context.app.response_class if context is not None else Response
    if issubclass(made, Response):
        return ready(body, JSON, made)
    return made(body, mimetype=JSON)
