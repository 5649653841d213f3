"""The session of one request: `flask.session`, kept in the database instead of the cookie.

    cookie  ->  look()  ->  Found, once, when somebody asks        whose it is: scope
    data    ->  a dict, read when somebody asks for a key          changed keys: merged()
    begin(person), end(), renew()                                  a new id, from now on

It knows what should be kept; `sessions.py` keeps it.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from typing import Any

from flask.json.tag import TaggedJSONSerializer
from flask.sessions import SessionMixin

from carboy.auth import store
from carboy.base.scope import VISITOR, Scope
from carboy.data.mixins import now
from carboy.engine.seam import cv_app

__all__ = ["PERMANENT", "ServerSession", "dumps", "hashed", "loads", "merged", "stamp_of"]

ID_BYTES = 32  # 256 bits; guessing one of 10^9 sessions takes 10^60 years
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)  # of ID_BYTES in base64, without padding
PERMANENT = "_permanent"  # Flask's key for `session.permanent`

Values = dict[str, Any]


class ServerSession(SessionMixin):
    """A mapping that is read from the database when it is first looked into.

    environ: of its request. token: what the cookie held, "" for what cannot be ours.
    accessed: whether the answer may depend on it. key: the hashed id, "" without any.
    """

    def __init__(self, app: Any, token: str, environ: Any) -> None:
        self._app = app
        self.environ = environ
        self.token = token if TOKEN.fullmatch(token) else ""
        self.accessed = False
        self.forced = False
        self.found: store.Found | None = None
        self.person: Values | None = None  # of who is signed in
        self.renewed = ""  # the id that this session goes on under, if it is a new one
        self.begun = self.ended = False
        self._looked = False
        self._values: Values | None = None

    # Whose

    @property
    def scope(self) -> Scope:
        """Who is signed in here."""
        self.look()
        if self.person is None:
            return VISITOR
        return Scope(self.person["id"], frozenset(self.person["roles"]))

    @property
    def key(self) -> str:
        """The id that is kept, a SHA-256; "" when there is nothing to keep yet."""
        self.look()
        if self.renewed:
            return hashed(self.renewed)
        return self.found.id if self.found else ""

    def begin(self, person: Values) -> None:
        """Belong to *person* from now on, under a new id and with all limits anew.

        What a visitor had stays; what another person had does not.
        """
        if self.scope.user not in (None, person["id"]):
            self.clear()
        self.person, self.begun, self.ended = person, True, False
        self.renew()

    def end(self) -> None:
        """Belong to nobody, and hold nothing."""
        self.look()
        self.clear()
        self.person, self.begun, self.ended = None, False, True
        self.renew()  # for what may be put in now, such as a message

    def renew(self) -> None:
        """Go on under a new id; the old one is good for nothing from then on."""
        self.look()
        self.renewed = secrets.token_urlsafe(ID_BYTES)

    # What is kept

    def look(self) -> None:
        """Read the row, once. One that has expired, or whose person is out, is none."""
        if self._looked:
            return
        self.accessed = True
        if self.token:
            with self.context():
                found = store.find(hashed(self.token))
            if found is not None and self._is_good(found):
                self.found, self.person = found, found.person
                if found.person is not None and found.stamp != stamp_of(found.person):
                    self.renewed = secrets.token_urlsafe(ID_BYTES)  # other roles: another id
        self._looked = True

    @property
    def looked(self) -> bool:
        """Whether anybody asked."""
        return self._looked

    @property
    def new(self) -> bool:
        """Whether there is no row of it yet."""
        self.look()
        return self.found is None

    @new.setter
    def new(self, value: bool) -> None:
        """Leave it: Flask's class has a plain attribute."""

    @property
    def modified(self) -> bool:
        """Whether the data are not what was read; also changes deep inside are seen."""
        if self.forced or self._values is None:
            return self.forced
        before = self.found.data if self.found else "{}"
        return dumps(self._values) != before

    @modified.setter
    def modified(self, value: bool) -> None:
        self.forced = bool(value)

    @property
    def before(self) -> Values:
        """The data as they were read."""
        return loads(self.found.data) if self.found else {}

    @property
    def values_now(self) -> Values:
        """The data as they are now."""
        if self._values is None:
            self.look()
            self._values = self.before
        return self._values

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to remember: nobody signed in, and no data."""
        return self.person is None and not (self.values_now.keys() - {PERMANENT})

    def ends_at(self, created: datetime, seen: datetime) -> datetime:
        """Return when a session expires by itself."""
        idle, longest = self._limits()
        return min(created + longest, seen + idle)

    def is_due(self, at: datetime) -> bool:
        """Whether it is time to write down that the session was seen."""
        idle, _ = self._limits()
        return self.found is not None and at - self.found.seen_at > min(SEEN_EVERY, idle / 10)

    def context(self) -> AbstractContextManager[Any]:
        """Return the application's context, for whoever looks from outside of a request."""
        current = cv_app.get(None)
        inside = current is not None and current.app is self._app
        return nullcontext() if inside else self._app.app_context()

    def _is_good(self, found: store.Found) -> bool:
        if found.person is not None and not found.person["active"]:
            return False
        return now() < self.ends_at(found.created_at, found.seen_at)

    def _limits(self) -> tuple[timedelta, timedelta]:
        config = self._app.config
        return timedelta(seconds=config["SESSION_IDLE"]), timedelta(
            seconds=config["SESSION_LONGEST"]
        )

    # The mapping

    def __getitem__(self, name: str) -> Any:
        return self.values_now[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.values_now[name] = value

    def __delitem__(self, name: str) -> None:
        del self.values_now[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_now)

    def __len__(self) -> int:
        return len(self.values_now)

    def __contains__(self, name: object) -> bool:
        return name in self.values_now

    def clear(self) -> None:
        """Remove all data."""
        self.look()
        self._values = {}

    def copy(self) -> Values:
        """Return the data as a plain dict."""
        return dict(self.values_now)

    def __repr__(self) -> str:
        return "<ServerSession>"  # what people have in it ends in no log


SEEN_EVERY = timedelta(minutes=5)  # a write per request would cost more than the read


class _Tagged(TaggedJSONSerializer):
    """Flask's own way to keep tuples, bytes, dates and Markup in JSON; in ASCII."""

    def dumps(self, value: Any) -> str:
        """Return the text of a value."""
        return json.dumps(self.tag(value), separators=(",", ":"))

    def loads(self, value: str) -> Any:
        """Return the value of a text."""
        return self._untag_scan(json.loads(value))


_tagged = _Tagged()
dumps = _tagged.dumps
loads = _tagged.loads


def hashed(token: str) -> str:
    """Return what is kept of a secret that is random itself: its SHA-256."""
    return hashlib.sha256(token.encode()).hexdigest()


def stamp_of(person: Values | None) -> str:
    """Return what an id was given for: it changes with the roles."""
    return "" if person is None else hashed(",".join(sorted(person["roles"])))


def merged(theirs: Values, before: Values, mine: Values) -> Values:
    """Return *theirs* with what changed from *before* to *mine*, key by key.

    >>> merged({"a": 1, "b": 2}, {"a": 1, "c": 3}, {"a": 5})
    {'a': 5, 'b': 2}
    """
    result = dict(theirs)
    for name in before.keys() - mine.keys():
        result.pop(name, None)
    for name, value in mine.items():
        if name not in before or dumps(before[name]) != dumps(value):
            result[name] = value
    return result
