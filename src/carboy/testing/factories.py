"""Factories: rows for a test, with only what the test is about said by it.

    make(Book, title="Emma")      saved; what is required is filled in, relations included
    make(Book, 5)                 a list of five
    make(Book, author__name="Jane", reviews=3)
    make.build(Book)              not saved
    make.default(Book, price=990), make.trait(Book, "free", price=0)  ->  make(Book, free=True)

    values said  ->  traits, defaults  ->  required fields, by rule (`values.py`)  ->  saved

Inside of somebody's scope the rows are written as that person, under the policy; outside
of all by the system.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import inspect
from sqlalchemy.orm.attributes import set_committed_value

from carboy.base.errors import SetupError
from carboy.base.scope import NobodyAsking, current, unscoped
from carboy.data.db import db
from carboy.data.faults import ConstraintFault
from carboy.data.models import Model
from carboy.testing.values import value_for

if TYPE_CHECKING:
    from carboy.data.fields import Field

__all__ = ["Make"]

M = TypeVar("M", bound=Model)

Values = Mapping[str, Any]
DEEPEST = 20  # models that need one another; beyond, they go in a circle


class Make:
    """Makes rows. seed: the same gives the same rows."""

    def __init__(self, seed: str) -> None:
        self._random = Random(seed)  # noqa: S311  # no secret: it makes tests repeatable
        self._numbers: defaultdict[type, Iterator[int]] = defaultdict(lambda: itertools.count(1))
        self._defaults: dict[type, dict[str, Any]] = {}
        self._traits: dict[tuple[type, str], Values] = {}
        self._path: list[str] = []
        self._referred: list[tuple[Any, dict[str, Any]]] = []

    def __call__(self, model: type[M], count: int | None = None, /, **values: Any) -> Any:
        """Save a row of *model* and return it; with *count*, return a list of so many.

        values: of fields and relations; a function is called with the number of the row.
        `author__name` is for the row that `author` gets; a number for a relation to many
        makes so many. Names of traits are switched on by True.
        Raises SetupError for what cannot be made up, and InvalidRow for what is not valid.
        """
        if count is None:
            return self.many(model, 1, **values)[0]
        return self.many(model, count, **values)

    def many(self, model: type[M], count: int, /, **values: Any) -> list[M]:
        """Save *count* rows in one transaction and return them."""
        self._referred.clear()
        with _asking():
            rows = [self._row(model, values, saved=True) for _ in range(count)]
            self._save(model, rows)
        for row, referred in self._referred:  # the very objects that were given
            for name, given in referred.items():
                set_committed_value(row, name, given)
        return rows

    def build(self, model: type[M], /, **values: Any) -> M:
        """Return a row that is not saved, and neither are those it refers to."""
        return self._row(model, values, saved=False)

    def default(self, model: type[Model], /, **values: Any) -> None:
        """Say what rows of *model* hold unless a test says otherwise."""
        self._check(model, values)
        self._defaults.setdefault(model, {}).update(values)

    def trait(self, model: type[Model], name: str, /, **values: Any) -> None:
        """Give a name to values: `make(model, name=True)` uses them."""
        self._check(model, values)
        if name in model.facts().fields or name in model.facts().links:
            raise SetupError(
                "testing.trait",
                f"{model.__name__} has a field {name!r}; a trait needs another name.",
            )
        self._traits[model, name] = values

    # How

    def _row(self, model: type[M], said: Values, *, saved: bool) -> M:
        if model.__name__ in self._path and len(self._path) > DEEPEST:
            raise SetupError(
                "testing.circle",
                f"Making {self._path[0]} goes in a circle: {' needs '.join(self._path[-3:])}.",
                hint="Give one of them, or None where the relation is optional.",
            )
        self._path.append(model.__name__)
        try:
            return self._filled(model, self._meant(model, said), saved)
        finally:
            self._path.pop()

    def _meant(self, model: type[Model], said: Values) -> dict[str, Any]:
        """Return the values for a row: defaults, under traits, under what was said."""
        meant = {}
        for kind in reversed(model.__mro__):
            meant.update(self._defaults.get(kind, {}))
        rest = {}
        for name, value in said.items():
            trait = self._traits.get((model, name))
            if trait is None:
                rest[name] = value
            elif value:
                meant.update(trait)
        self._check(model, rest)
        return {**meant, **rest}

    def _filled(self, model: type[M], meant: dict[str, Any], saved: bool) -> M:
        facts, number = model.facts(), next(self._numbers[model])
        nested: defaultdict[str, dict[str, Any]] = defaultdict(dict)
        values: dict[str, Any] = {}
        for name, value in meant.items():
            first, sign, rest = name.partition("__")
            if sign:
                nested[first][rest] = value
            else:
                values[name] = value(number) if callable(value) else value
        referred: dict[str, Any] = {}
        for place, field in enumerate(facts.fields.values()):
            self._fill(model, field, place, number, values, nested, referred, saved)
        for name, link in facts.links.items():
            if link.kind != "one" and isinstance(values.get(name), int):
                values[name] = self._others(link, values[name], saved)
        if saved:
            values = {name: _here(value) for name, value in values.items()}
        row = model(**values)
        self._referred.append((row, referred))
        return row

    def _fill(
        self, model: type[Model], field: Field, place: int, number: int,
        values: dict[str, Any], nested: Mapping[str, Values], referred: dict[str, Any], saved: bool,
    ) -> None:  # fmt: skip
        """Put into *values* what the row needs for one field."""
        relation = field.relation
        if relation and values.get(relation) is LATER:
            del values[relation]
        elif relation and relation in values:
            _refer(field, values, referred)
        elif field.name in values:
            pass
        elif relation and (nested.get(relation) or self._must_refer(field)):
            target = _class(model, relation)
            values[relation] = self._row(target, nested.get(relation, {}), saved=saved)
        elif field.required and not relation:
            values[field.name] = value_for(model.__name__, field, number, self._random, place)

    def _must_refer(self, field: Field) -> bool:
        """Return whether a row must be made to refer to: also where a default asks who acts."""
        named = isinstance(field.default, str)  # a provider, such as "current_user"
        return field.required or (named and not field.optional and _by_system())

    def _others(self, link: Any, count: int, saved: bool) -> list[Any]:
        """Return new rows for a relation to many; they refer back by it."""
        target = _class(link.owner, link.name)
        back = {link.other.name: LATER} if link.kind == "many" else {}
        return [self._row(target, back, saved=saved) for _ in range(count)]

    def _check(self, model: type[Model], values: Values) -> None:
        model.registry.configure()
        known = {*model.facts().fields, *model.facts().links, *inspect(model).attrs.keys()}
        wrong = [name for name in values if name.partition("__")[0] not in known]
        if wrong:
            traits = [name for kind, name in self._traits if kind is model]
            raise SetupError(
                "testing.unknown",
                f"{model.__name__} has no {wrong[0]!r}.",
                hint=f"Its fields and relations: {', '.join(sorted(known))}."
                + (f" Its traits: {', '.join(traits)}." if traits else ""),
            )

    def _save(self, model: type[Model], rows: list[Any]) -> None:
        session = db.session
        session.add_all(rows)
        expires, session.expire_on_commit = session.expire_on_commit, False
        try:
            session.commit()
        except ConstraintFault as error:
            session.rollback()
            raise SetupError(
                "testing.constraint",
                f"make({model.__name__}) could not be saved: {error.message}",
                hint="Values that depend on one another must be given, all of them.",
            ) from error
        except BaseException:
            session.rollback()
            raise
        finally:
            session.expire_on_commit = expires
        for row in rows:  # what the database made of it
            session.refresh(row, [attribute.key for attribute in inspect(model).column_attrs])


LATER: Final = object()  # a relation that the other side fills in


@contextmanager
def _asking() -> Iterator[None]:
    if _by_system():
        with unscoped("rows for a test"):
            yield
    else:
        yield


def _by_system() -> bool:
    try:
        return current().system
    except NobodyAsking:
        return True


def _class(model: type[Model], relation: str) -> type[Model]:
    found: type[Model] = inspect(model).relationships[relation].mapper.class_
    return found


def _refer(field: Field, values: dict[str, Any], referred: dict[str, Any]) -> None:
    """Refer by key to an object that this session does not have, and remember it."""
    given = values[field.relation]
    state = inspect(given) if isinstance(given, Model) else None
    if state is not None and state.key is not None and state.session is not db.session:
        del values[field.relation]
        values[field.name] = state.key[1][0]
        referred[field.relation] = given


def _here(value: Any) -> Any:
    """Return *value* with the saved objects in a list as this session knows them."""
    if not isinstance(value, (list, tuple, set)):
        return value
    return [
        db.session.merge(one)
        if isinstance(one, Model) and inspect(one).key and inspect(one).session is not db.session
        else one
        for one in value
    ]
