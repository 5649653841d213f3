"""Bulk: many rows at once, held to the rules of a flush and written as Core writes them.

    rows  ->  Reader.read()   each row: names, rules, keys of relations, defaults
          ->  batches         one INSERT with many parameters each, in one transaction
          ->  the flush       for a batch that nothing but a flush can judge (a policy)

What belongs to objects takes no part: listeners, `@validates`, the identity map.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

from sqlalchemy import Table, insert

from carboy.base.errors import CarboyError, SetupError
from carboy.data.rowreader import Reader, Wrong
from carboy.data.transactions import transaction
from carboy.data.validity import InvalidRow

if TYPE_CHECKING:
    from carboy.data.models import Model
    from carboy.data.session import DataSession

__all__ = ["BATCH", "TOLD", "bulk_insert"]

BATCH = 1_000  # rows per statement
TOLD = 20  # wrong rows an error tells of
UNDECIDED = frozenset({"policy.insert", "policy.create"})  # codes; the flush has the last word

Row = Mapping[str, Any]


def bulk_insert(
    session: DataSession, model: type[Any], rows: Iterable[Row], *, batch: int = BATCH
) -> int:
    """Insert *rows* of *model*, all or none, and return how many there were.

    rows: names to values; a relation takes a saved object or its key. Read once, so a
    generator will do. batch: rows per statement.
    Runs in a transaction of its own, or in a savepoint of the one there is.
    Raises InvalidRow (422) that tells of the first wrong rows, loc being (row, field)
    with rows counted from 0; what a flush raises for the rest; SetupError (data.bulk)
    for a model in several tables.
    """
    if batch < 1:
        raise SetupError("data.bulk", f"Rows cannot be written {batch} at a time.")
    reader = _reader_of(model)
    remaining, count = iter(rows), 0
    with transaction(session):
        session.flush()  # the rows may refer to what is pending
        while portion := list(itertools.islice(remaining, batch)):
            try:
                read = [reader.read(row) for row in portion]
            except Wrong:
                raise _invalid(reader, itertools.chain(portion, remaining), count) from None
            _write(session, reader, portion, read)
            count += len(portion)
    return count


def _write(session: DataSession, reader: Reader, portion: list[Row], read: list[Any]) -> None:
    """Write one batch: rows that give the same columns with one statement."""
    shapes: dict[int, list[int]] = defaultdict(list)
    for at, (shape, _) in enumerate(read):
        shapes[shape].append(at)
    statement = insert(cast("Table", reader.mapper.local_table))
    for places in shapes.values():
        try:
            # A refusal comes before the first row is sent: parameters are judged together.
            session.execute(
                statement,
                [read[at][1] for at in places],
                bind_arguments={"mapper": reader.mapper},
            )
        except CarboyError as error:
            if error.code not in UNDECIDED:
                raise
            _flush(session, reader, [portion[at] for at in places])


def _flush(session: DataSession, reader: Reader, rows: list[Row]) -> None:
    """Write rows as objects, which are let go of at once."""
    objects = [reader.model(**reader.attributes(row)) for row in rows]
    session.add_all(objects)
    session.flush()
    for one in objects:
        session.expunge(one)


def _invalid(reader: Reader, rows: Iterator[Any], first: int) -> InvalidRow:
    """Return the error about the wrong ones among *rows*, which begin with number *first*."""
    errors: list[dict[str, Any]] = []
    wrong = 0
    for number, row in enumerate(rows, first):
        mine = [{**one, "loc": [number, *one["loc"]]} for one in reader.errors(row)]
        errors += mine
        wrong += bool(mine)
        if wrong == TOLD:
            break
    said = " ".join(dict.fromkeys(str(one["msg"]) for one in errors))
    return InvalidRow(422, "data.invalid", f"No row was saved. {said}", errors=errors)


_readers: WeakKeyDictionary[type[Model], Reader] = WeakKeyDictionary()


def _reader_of(model: type[Model]) -> Reader:
    if model not in _readers:
        _readers[model] = Reader(model)
    return _readers[model]
