"""Once: the same request sent twice has one effect, and one answer.

    once(key, fingerprint, work)
        the key is new      a row of `carboy_once`, the effect, its result: one transaction
        it was here         the result that is kept, and nothing is done
        with other content  422        still at work    409

The unique key of the table decides who was first: the second waits until the first has
committed, and finds its result, or has failed, and does the work itself. An effect that
failed keeps nothing, so that it may be tried again.
Follows draft-ietf-httpapi-idempotency-key-header; a hidden field of a form is as good.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped  # noqa: TC002  # read when the class is mapped

from carboy.base.errors import RequestFault
from carboy.base.scope import current, finding
from carboy.data.db import db
from carboy.data.faults import ConstraintFault, DatabaseDown
from carboy.data.fields import field
from carboy.data.mixins import now
from carboy.data.models import Model
from carboy.policy.policies import Policy

if TYPE_CHECKING:
    from carboy.data.session import DataSession

__all__ = ["HOURS", "LONGEST", "Done", "Once", "fingerprint_of", "forget", "once"]

HOURS = 24  # that a result is kept; clients try again within minutes
LONGEST = 255  # characters of a key
SWEEP = 200  # every so many keys, the old ones are deleted

_uses = itertools.count(1)


class Once(Model):
    """What was done under a key. Nobody sees it but the system.

    digest: of the key, who asked, and what for. fingerprint: of the content.
    result: as JSON; None while the work is being done.
    """

    __tablename__ = "carboy_once"

    digest: Mapped[str] = field(max_length=64, key=True)
    fingerprint: Mapped[str] = field(max_length=64)
    result: Mapped[str | None] = field()
    created_at: Mapped[datetime] = field(default=now, index=True)

    policy = Policy()


@dataclass(frozen=True)
class Done:
    """What came of it. replayed: it was done before, by the same request."""

    value: Any
    replayed: bool = False


def once(key: str, fingerprint: str, work: Callable[[], Any], *, about: str = "") -> Done:
    """Return the result of *work*, done at most once for *key*.

    key: of the client; one person's keys are no other's. fingerprint: of what was sent,
    see `fingerprint_of`. work: runs inside a transaction; its result must be plain JSON.
    about: what the key is for, so that keys of several forms or addresses do not meet.
    Raises RequestFault: 400 for what is no key, 422 for one that came with other content,
    409 when another one is still at work with it. Errors of *work* undo everything.

        key_of_row = once(form_key, fingerprint_of(form), save, about="books.create").value
    """
    _check(key)
    digest = _digest(key, fingerprint, about)
    with db.transaction() as session:
        kept = _claim(session, digest, fingerprint)
        if kept is not None:
            return Done(json.loads(kept), replayed=True)
        value = work()
        session.flush()
        _keep(session, digest, json.dumps(value))
    if next(_uses) % SWEEP == 0:
        forget()
    return Done(value)


def fingerprint_of(*parts: bytes | str) -> str:
    """Return the fingerprint of content: equal parts give equal ones.

    >>> fingerprint_of("ab", "c") == fingerprint_of("a", "bc")
    False
    """
    found = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        found.update(len(data).to_bytes(8, "big") + data)
    return found.hexdigest()


def forget() -> None:
    """Delete what was kept for its time; a database that is busy does so later."""
    try:
        with db.transaction() as session:
            _execute(session, sa.delete(_TABLE).where(_TABLE.c.created_at < _oldest()))
    except DatabaseDown:
        pass


_TABLE: Any = Once.__table__


def _check(key: str) -> None:
    if not (0 < len(key) <= LONGEST and key.isascii() and key.isprintable()):
        raise RequestFault(
            400, "once.key",
            f"An idempotency key has from 1 to {LONGEST} characters of ASCII.",
            hint="A random UUID does well.",
            errors=[{"loc": ["header", "Idempotency-Key"], "msg": "This is no key.",
                     "type": "key"}],
        )  # fmt: skip


def _digest(key: str, fingerprint: str, about: str) -> str:
    """Return what the key is kept under.

    SECURITY: of the person too, so that nobody is told what another one's request came to.
    Visitors are nobody in particular: only who sends the same content gets its result.
    """
    who = current()
    if who.user is None:
        return fingerprint_of("visitor", about, key, fingerprint)
    return fingerprint_of("user", repr(who.user), repr(who.tenant), about, key)


def _claim(session: DataSession, digest: str, fingerprint: str) -> str | None:
    """Make the row for a new key and return None, or return the result of a known one."""
    row = {"digest": digest, "fingerprint": fingerprint, "created_at": now()}
    try:
        with session.begin_nested():
            _execute(session, sa.insert(_TABLE).values(row))
    except ConstraintFault:
        pass  # somebody was first
    except DatabaseDown as error:
        if error.code != "data.locked" or session.get_bind().dialect.name == "sqlite":
            raise
        raise _at_work() from None
    else:
        return None
    # Locked: what others committed is seen even where reads are repeatable (MariaDB).
    query = sa.select(_TABLE).where(_TABLE.c.digest == digest).with_for_update()
    found = _execute(session, query).mappings().first()
    if found is None:
        raise _at_work()  # it failed just now, and its row is gone
    if found["created_at"] < _oldest():
        change = sa.update(_TABLE).where(_TABLE.c.digest == digest)
        _execute(session, change.values(**row, result=None))
        return None
    if found["fingerprint"] != fingerprint:
        raise RequestFault(
            422, "once.other",
            "This idempotency key came with other content before.",
            hint="Take a new key for each request; the same one only to send it again.",
            errors=[{"loc": ["header", "Idempotency-Key"], "msg": "This key is used up.",
                     "type": "key"}],
        )  # fmt: skip
    if found["result"] is None:
        raise _at_work()
    return str(found["result"])


def _keep(session: DataSession, digest: str, result: str) -> None:
    change = sa.update(_TABLE).where(_TABLE.c.digest == digest)
    _execute(session, change.values(result=result))


def _execute(session: DataSession, statement: Any) -> Any:
    """Execute in the transaction of who asks, as the system: one commit for both."""
    connection = session.connection()
    with finding("carboy.resource.once"):
        return connection.execute(statement)


def _oldest() -> datetime:
    return now() - timedelta(hours=HOURS)


def _at_work() -> RequestFault:
    return RequestFault(
        409, "once.at_work",
        "A request with this idempotency key is still being answered.",
        hint="Send it again in a moment.", headers={"Retry-After": "1"},
    )  # fmt: skip
