"""Cursors: exact, signed, of one list; anything else is 400 and never 500."""

import datetime as dt
import enum
import json
import uuid
from base64 import urlsafe_b64decode
from decimal import Decimal

import pytest
from hypothesis import given, settings, strategies as st
from sqlalchemy.orm import Mapped

from carboy.base.errors import RequestFault
from carboy.data import cursors
from carboy.data.cursors import Place, read_cursor, write_cursor
from carboy.data.fields import field
from carboy.data.orders import order_of


class Colour(enum.Enum):
    RED = "r"
    BLUE = "b"


@pytest.fixture
def thing(base):
    class Thing(base):
        whole: Mapped[int | None]
        text: Mapped[str] = field(max_length=100)
        price: Mapped[Decimal]
        at: Mapped[dt.datetime]
        day: Mapped[dt.date]
        time: Mapped[dt.time]
        uid: Mapped[uuid.UUID]
        share: Mapped[float]
        yes: Mapped[bool]
        colour: Mapped[Colour]

    return Thing


def refused(order, cursor, **more):
    with pytest.raises(RequestFault) as caught:
        read_cursor(order, cursor, **more)
    fault = caught.value
    assert (fault.status, fault.code) == (400, "data.cursor")
    assert "first page" in fault.hint
    return True


VALUES = {
    "whole": st.none() | st.integers(-(2**63), 2**63 - 1),
    "text": st.text(max_size=20),
    "price": st.decimals(allow_nan=False, allow_infinity=False, places=2),
    "at": st.datetimes(timezones=st.just(dt.UTC)),
    "day": st.dates(),
    "time": st.times(),
    "uid": st.uuids(),
    "share": st.floats(allow_nan=False, allow_infinity=False),
    "yes": st.booleans(),
    "colour": st.sampled_from(Colour),
}


def test_values_come_back_exactly(thing):
    """Of every type that a list can be sorted by, to the last digit and microsecond."""

    @settings(max_examples=40, deadline=None)
    @given(st.data())
    def check(data):
        names = data.draw(st.lists(st.sampled_from(sorted(VALUES)), unique=True, max_size=3))
        order = order_of(thing, names)
        values = (*(data.draw(VALUES[name]) for name in names), 7)
        place = Place(values, *(data.draw(st.booleans()) for _ in range(3)))
        cursor = write_cursor(order, place, name="x")
        assert read_cursor(order, cursor, name="x") == place
        assert [type(v) for v in read_cursor(order, cursor, name="x").values] == [
            type(v) for v in values
        ]
        assert cursor.replace("-", "").replace("_", "").isalnum()

    check()


def test_a_cursor_is_short(thing):
    """It goes into addresses."""
    order = order_of(thing, ["-at"])
    moment = dt.datetime(2026, 5, 1, 12, 30, 15, 123456, dt.UTC)
    assert len(write_cursor(order, Place((moment, 123_456_789)))) < 90


def test_what_is_inside_can_be_read(thing):
    """It is signed, not secret: the page says so, and this is what it means."""
    cursor = write_cursor(order_of(thing, ["text"]), Place(("secret?", 3)))
    payload = cursor[1 : -cursors.SIGNED]
    text = urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode()
    assert json.loads(f"[{text[1:]}]") == ["secret?", 3]


def test_every_change_is_noticed(thing):
    """Of any sign, to any other, and of the length."""
    order = order_of(thing, ["whole"])
    cursor = write_cursor(order, Place((5, 3)))
    alphabet = "ABCXYZabcxyz0189-_=+/. é\0"
    for position in range(len(cursor)):
        for sign in alphabet:
            if sign != cursor[position]:
                assert refused(order, cursor[:position] + sign + cursor[position + 1 :])
        assert refused(order, cursor[:position])
    for more in ("A", "=", "==", "\n", " "):
        assert refused(order, cursor + more)
    assert read_cursor(order, cursor).values == (5, 3)


@pytest.mark.parametrize("names", [(), ("text",), ("-whole",), ("whole", "text"), ("-id",)])
def test_a_cursor_of_another_order_is_refused(thing, names):
    """Also of one that a newer release sorts another way."""
    cursor = write_cursor(order_of(thing, ["whole"]), Place((5, 3)))
    assert refused(order_of(thing, names), cursor)


def test_a_cursor_of_another_list_is_refused(base, thing):
    """Another table with the same columns, and another name of the list."""

    class Other(base):
        whole: Mapped[int | None]

    order = order_of(thing, ["whole"])
    cursor = write_cursor(order, Place((5, 3)))
    assert refused(order_of(Other, ["whole"]), cursor)
    assert refused(order, cursor, name="mine")
    assert refused(order, write_cursor(order, Place((5, 3)), name="mine"))


def test_a_cursor_for_another_type_is_refused(base, thing):
    """A column whose type has changed since."""
    made = write_cursor(order_of(thing, ["whole"]), Place((5, 3)))
    base.metadata.remove(thing.__table__)
    base.registry.dispose()

    class Thing(base):
        whole: Mapped[Decimal | None]

    assert refused(order_of(Thing, ["whole"]), made)


@pytest.mark.parametrize(
    "values", [(5,), (5, 3, 1), ("5", 3), (5, None), (True, 3), (1.5, 3), ([], 3)]
)
def test_a_signed_cursor_with_wrong_values_is_refused(thing, values):
    """An older release may have signed it: still no 500."""
    order = order_of(thing, ["whole"])
    assert refused(order, write_cursor(order, Place(values)))


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80) | st.binary(max_size=60).map(lambda b: "1" + b.hex()))
def test_no_text_is_an_error_of_ours(text):
    """Whatever a client sends is 400."""
    assert refused(ORDER, text)


def test_a_huge_text_is_refused_before_anything_is_done(thing):
    """Decoding ten megabytes would be work."""
    assert refused(order_of(thing, []), "1" + "A" * 10_000_000)


class TestKeys:
    """The application's secrets, through its rotation."""

    def made(self, app, thing):
        with app.app_context():
            return write_cursor(order_of(thing, []), Place((3,)))

    def test_another_secret_is_another_key(self, app, thing):
        """A cursor of another application is refused."""
        cursor = self.made(app, thing)
        assert refused(order_of(thing, []), cursor)  # outside of the application
        app.secret_key = "another"
        with app.app_context():
            assert refused(order_of(thing, []), cursor)

    def test_a_retired_secret_is_accepted(self, app, thing):
        """As long as it is among the fallbacks."""
        cursor = self.made(app, thing)
        app.config["SECRET_KEY_FALLBACKS"] = [app.secret_key]
        app.secret_key = b"new"
        with app.app_context():
            assert read_cursor(order_of(thing, []), cursor).values == (3,)
            renewed = write_cursor(order_of(thing, []), Place((3,)))
        app.config["SECRET_KEY_FALLBACKS"] = []
        with app.app_context():
            assert read_cursor(order_of(thing, []), renewed).values == (3,)
            assert refused(order_of(thing, []), cursor)

    def test_the_secret_itself_signs_nothing_else(self, app, thing):
        """The key is derived for this purpose: no signature of a session is one of a cursor."""
        import hmac

        cursor = self.made(app, thing)
        payload = cursors._decoded(cursor[1 : -cursors.SIGNED])
        purpose = cursors._purpose(order_of(thing, []), "")
        plain = hmac.digest(app.secret_key.encode(), purpose + payload, "sha256")
        assert cursors._decoded(cursor[-cursors.SIGNED :]) != plain[: cursors.BYTES]


def _order():
    from sqlalchemy.orm import DeclarativeBase, mapped_column

    class Plain(DeclarativeBase):
        pass

    class Row(Plain):
        __tablename__ = "row"
        id: Mapped[int] = mapped_column(primary_key=True)

    return order_of(Row, [])


ORDER = _order()
