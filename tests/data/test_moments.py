"""Moments and days in JSON: HTTP dates, or ISO 8601 as pydantic writes it."""

import json
from datetime import UTC, date, datetime, timedelta, timezone

import pydantic
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite

from carboy.data.encoders import to_json
from carboy.data.moments import STYLES, Inline
from carboy.data.types import Utc

MOMENTS = (
    datetime(2026, 5, 1, 12, 30, 15, 123456, tzinfo=UTC),
    datetime(2026, 5, 1, 12, 30, 15, 120000, tzinfo=UTC),
    datetime(2026, 5, 1, tzinfo=UTC),
    datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
)
pydantics = pydantic.TypeAdapter(datetime)
east = timezone(timedelta(hours=2))


def written(kind, dialect, value, moments):
    """Return what the JSON of a driver's *value* shows."""
    how = to_json(kind, dialect, None, moments)
    if not isinstance(how, Inline):
        return how(value)
    return eval(how.source.replace("VALUE", "value"), {**how.names, "value": value})


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_iso_is_what_pydantic_writes(moment):
    """So that an answer made by hand and one read from the database look alike."""
    expected = json.loads(pydantics.dump_json(moment))
    bare = moment.replace(tzinfo=None)
    text = bare.isoformat(" ", "microseconds")
    assert written(Utc(), sqlite.dialect(), text, "iso") == expected
    assert written(Utc(), mysql.dialect(), bare, "iso") == expected
    assert written(Utc(), postgresql.dialect(), moment, "iso") == expected
    if 1 < moment.year < 9999:
        assert written(Utc(), postgresql.dialect(), moment.astimezone(east), "iso") == expected
        assert written(Utc(), sqlite.dialect(), f"{text}+00:00", "iso") == expected
    assert written(Utc(), sqlite.dialect(), bare.isoformat(" "), "iso") == expected


def test_a_moment_without_zone_gets_none_in_iso():
    """It is a column of plain SQLAlchemy; nobody said what its zone is."""
    text = "2026-05-01 12:30:15.000000"
    assert written(sa.DateTime(), sqlite.dialect(), text, "iso") == "2026-05-01T12:30:15"
    bare = datetime(2026, 5, 1, 12, 30, 15, 5)
    assert written(sa.DateTime(), mysql.dialect(), bare, "iso") == "2026-05-01T12:30:15.000005"
    zoned = datetime(2026, 5, 1, 12, 30, 15, tzinfo=east)
    kind = sa.DateTime(timezone=True)
    assert written(kind, postgresql.dialect(), zoned, "iso") == "2026-05-01T10:30:15Z"
    assert written(kind, postgresql.dialect(), zoned, "http") == "Fri, 01 May 2026 10:30:15 GMT"


def test_days():
    """A day is ten characters, whoever wrote it."""
    assert written(sa.Date(), sqlite.dialect(), "2026-05-01", "iso") == "2026-05-01"
    assert written(sa.Date(), postgresql.dialect(), date(2026, 5, 1), "iso") == "2026-05-01"
    assert written(sa.Date(), sqlite.dialect(), "2026-05-01", "http").startswith("Fri, 01 May")
    with pytest.raises(ValueError, match="isoformat"):
        written(sa.Date(), sqlite.dialect(), "soon", "iso")


def test_inside_of_types_that_are_unknown_here():
    """The default of the style writes what `json.dumps` does not know."""
    default = STYLES["iso"].default
    assert default(datetime(2026, 5, 1, tzinfo=UTC)) == "2026-05-01T00:00:00Z"
    assert default(date(2026, 5, 1)) == "2026-05-01"
    kind = sa.PickleType()
    raw = to_json(kind, postgresql.dialect(), None, "iso")
    pickled = kind.bind_processor(postgresql.dialect())([date(2026, 5, 1)])
    assert bytes(raw(pickled)) == b'["2026-05-01"]'
