"""JSON: the bytes of Flask's provider at a fraction of the cost.

    obj  ->  encode()  ->  plain data?    msgspec           (half of stock on 100 flat rows)
                           anything else  the C encoder that json.dumps drives
                           own dumps(), indented, no C     stock Flask
    bytes -> loads()   ->  guards -> msgspec -> json.loads when msgspec refuses

msgspec prints like the `json` module only for some data: `_is_plain` proves
that a payload is such data before it is used. Reading is the other way round:
what msgspec accepts it reads as `json` does; what it refuses (NaN, lone
surrogates, UTF-16, errors) is left to `json` (tests/engine/test_jsons.py holds
both against stock with random data).
"""

from __future__ import annotations

import json
import json.encoder
from collections.abc import Callable
from datetime import UTC, date, datetime
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar, cast

from flask import has_request_context
from flask.json.provider import DefaultJSONProvider, _default

if TYPE_CHECKING:
    from flask import Response

__all__ = ["JSON", "Guard", "quick_default", "stock_default"]

Guard = Callable[[bytes], object]
"""Looks at a body before it is parsed; raises to refuse it."""

PLAIN = frozenset({str, int, bool, type(None)})
PLAIN_OR_LIST = PLAIN | {list}
TEXT = frozenset({str})
DICTS = frozenset({dict})
SWITCHES = frozenset(("compact", "dumps", "ensure_ascii", "sort_keys"))
SMALL = 12  # members; from there on one pass of C over all of them is quicker
COMPACT = {"separators": (",", ":")}

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = tuple("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split())  # noqa: SIM905 - reads best

stock_default: Callable[[Any], Any] = _default
make_encoder: Any = getattr(json.encoder, "c_make_encoder", None)  # None without the accelerator
quote_ascii: Callable[[str], str] = json.encoder.encode_basestring_ascii
quote: Callable[[str], str] = json.encoder.encode_basestring


class JSON(DefaultJSONProvider):
    """Flask's JSON provider: same bytes, same switches, less work.

    `sort_keys`, `ensure_ascii`, `default`, `compact` and `mimetype` are read at
    every call, so setting them at any time counts. A subclass that overrides
    `dumps` or `loads` is obeyed.
    """

    own_dumps: ClassVar[bool] = True
    """False in a subclass that overrides `dumps`."""

    switched: bool
    """There once one of SWITCHES was set on the provider: `app.json.sort_keys = False`."""

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        cls.own_dumps = cls.dumps is JSON.dumps

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if name in SWITCHES:
            self.__dict__["switched"] = True

    def encoder(self) -> Callable[[Any], bytes]:
        """Return `encode`, as short as it can be for the application as it is now.

        PERF: a small flat object, the commonest answer of all, is proven plain on
        the way and written at once: 0.5 us in place of 1.3.
        """
        if not self.own_dumps or self._app.debug or type(self).ensure_ascii is not True:
            return self.encode
        if type(self).sort_keys is not True or type(self).compact is not None:
            return self.encode
        slow, own = self.encode, self.__dict__

        def encode(obj: Any) -> bytes:
            if type(obj) is not dict or len(obj) > SMALL or "switched" in own:
                return slow(obj)
            for key, value in obj.items():
                if type(key) is not str or type(value) not in PLAIN:
                    return slow(obj)
            try:
                data: bytes = (_loaded or _load())[0][True](obj)
            except (ValueError, TypeError):
                return slow(obj)
            return data + b"\n" if data.isascii() and b"\x7f" not in data else slow(obj)

        return encode

    def encode(self, obj: Any) -> bytes:
        """Return the body that `response(obj)` has: JSON and a newline, in UTF-8.

        Raises TypeError for what JSON cannot say and ValueError for data that
        contains itself, as Flask does.
        """
        if (self.compact is None and self._app.debug) or self.compact is False:
            return f"{self.dumps(obj, indent=2)}\n".encode()
        if not self.own_dumps or "dumps" in self.__dict__:
            return f"{self.dumps(obj, **COMPACT)}\n".encode()
        data = self._by_msgspec(obj) if _is_plain(obj) else None
        return f"{self._by_json(obj, ',', ':')}\n".encode() if data is None else data + b"\n"

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """Return *obj* as JSON text; keywords go to `json.dumps`."""
        if make_encoder is None or (kwargs and kwargs != COMPACT):
            return super().dumps(obj, **kwargs)
        return self._by_json(obj, ",", ":") if kwargs else self._by_json(obj, ", ", ": ")

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Return what JSON text or UTF-8 bytes say.

        Bytes read during a request pass the application's `json_guards` first.
        Text comes from the application itself (a session, a column), and bytes
        without a request from a test that looks at an answer.
        Raises ValueError for bad JSON, also for too deep JSON when batteries are on.
        """
        if type(s) is bytes and has_request_context():
            for guard in getattr(self._app, "json_guards", ()):
                guard(s)
        try:
            return json.loads(s, **kwargs) if kwargs else _decode(s)
        except RecursionError:
            if not getattr(self._app, "batteries", None):
                raise  # Flask's own answer
            raise ValueError("The JSON is nested too deeply.") from None

    def response(self, *args: Any, **kwargs: Any) -> Response:
        """Return a response with the arguments as JSON, as `flask.jsonify` documents."""
        obj = self._prepare_response_obj(args, kwargs)
        body = self.encode(obj).decode()  # text, because a response class may look at it
        return cast("Response", self._app.response_class(body, mimetype=self.mimetype))

    def _by_msgspec(self, obj: Any) -> bytes | None:
        """Return compact JSON of plain data, or None when msgspec cannot write it."""
        try:
            data: bytes = (_loaded or _load())[0][bool(self.sort_keys)](obj)
        except (ValueError, TypeError, RecursionError):
            return None  # a lone surrogate, an endless int: the stock encoder's answer counts
        if not self.ensure_ascii or (data.isascii() and b"\x7f" not in data):
            return data
        return _to_ascii(data)

    def _by_json(self, obj: Any, comma: str, colon: str) -> str:
        """Return what `json.dumps` would, without building a JSONEncoder per call."""
        if make_encoder is None:
            return super().dumps(obj, separators=(comma, colon))
        text = quote_ascii if self.ensure_ascii else quote
        default = quick_default if self.default is stock_default else self.default
        rest = (default, text, None, colon, comma, bool(self.sort_keys), False, True)
        try:  # PERF: without the record of containers, 10 % less; circular data then runs deep
            return "".join(make_encoder(None, *rest)(obj, 0))
        except RecursionError:
            return "".join(make_encoder({}, *rest)(obj, 0))


def quick_default(obj: Any) -> Any:
    """Return what Flask's default does, with dates at a quarter of the cost.

    `http_date` goes through time tuples and `email.utils`: 4 us a date.
    """
    kind = type(obj)
    if kind is datetime:
        if obj.tzinfo is not None:
            obj = obj.astimezone(UTC)
    elif kind is not date:
        return stock_default(obj)
    time = (obj.hour, obj.minute, obj.second) if kind is datetime else (0, 0, 0)
    day = (DAYS[obj.weekday()], obj.day, MONTHS[obj.month - 1], obj.year)
    # PERF: 0.9 us; as an f-string of seven formatted fields 1.3
    return "%s, %02d %s %04d %02d:%02d:%02d GMT" % (*day, *time)  # noqa: UP031 - the reason above


def _is_plain(obj: Any) -> bool:
    """Return whether msgspec certainly writes *obj* as the json module does.

    True for flat records, lists of them, and an object around such lists, of
    exactly str, int, bool and None. The proof is a few passes of `map` and `set`
    in C; for anything deeper it would cost as much as it saves. Floats differ:
    json writes 1e-05 and 1e+16, msgspec 0.00001 and 1e16.
    """
    if type(obj) is not dict:
        return type(obj) is list and _are_rows(obj)
    kinds = {*map(type, obj.values())}
    if not kinds <= PLAIN_OR_LIST or not TEXT.issuperset(map(type, obj)):
        return False
    return list not in kinds or all(_are_rows(v) for v in obj.values() if type(v) is list)


def _are_rows(items: list[Any]) -> bool:
    kinds = {*map(type, items)}
    if kinds != DICTS:
        return kinds <= PLAIN
    values = chain.from_iterable(map(dict.values, items))
    return PLAIN.issuperset(map(type, values)) and TEXT.issuperset(
        map(type, chain.from_iterable(items))
    )


def _to_ascii(data: bytes) -> bytes:
    r"""Return JSON in UTF-8 as JSON in ASCII with \uXXXX, in four passes of C.

    Quoting the whole text escapes what is not ASCII, and once too often every
    quote and backslash; these two are taken back. NUL stands in for the
    backslash meanwhile: it cannot occur, JSON writes it as \u0000.
    """
    quoted = quote_ascii(data.decode())[1:-1]
    return quoted.replace("\\\\", "\0").replace('\\"', '"').replace("\0", "\\").encode()


_loaded: list[Any] = []  # msgspec's encoders, indexed by sort_keys, and its decoder


def _load() -> list[Any]:
    """Import msgspec; at first use, because it takes 30 ms."""
    import msgspec

    ways = (msgspec.json.Encoder().encode, msgspec.json.Encoder(order="sorted").encode)
    _loaded[:] = [ways, msgspec.json.Decoder().decode]
    return _loaded


def _decode(s: str | bytes) -> Any:
    if type(s) is not bytes and type(s) is not str:
        return json.loads(s)
    try:
        return (_loaded or _load())[1](s)
    except RecursionError:
        raise
    except Exception:
        return json.loads(s)  # msgspec is stricter; what json says counts
