"""Passwords: kept as argon2id, compared in constant time, never too many at once.

    set     weakness()  ->  what to tell the person, or ""      hash()   ->  "$argon2id$..."
    check   verify(kept, given)  ->  Verdict(right, again)      kept None: hashes all the same

`again` says that the hash was made with other parameters, or by Werkzeug, and should be made
anew. Each hash takes memory and a core: a few run at a time, some wait, the rest get 503.
Source: OWASP Password Storage Cheat Sheet; NIST SP 800-63B section 5.1.1.2.
"""

from __future__ import annotations

import os
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, NamedTuple

from carboy.auth.common import is_common
from carboy.auth.emails import local_part
from carboy.base.errors import RequestFault, ServiceDown
from carboy.web.i18n.texts import _, ngettext

__all__ = ["LONGEST", "Passwords", "Verdict", "composed"]

LONGEST = 1_024  # bytes; hashing megabytes for strangers is an attack (CWE-400)
KIB = 1_024
PATIENCE_S = 5.0  # who waits longer for a turn gives up, and we should not hash for nobody
NAMED = 4  # letters from which a name inside a password counts
WERKZEUG = ("scrypt:", "pbkdf2:")


class Verdict(NamedTuple):
    """Whether a password was right, and whether its hash should be made again."""

    right: bool
    again: bool = False


class Passwords:
    """Hashes and verifies, with these parameters.

    memory_bytes, time, parallelism: of argon2id. at_once: hashes that run at a time, as many
    as there are processors if 0. waiting: how many more may wait for their turn.
    """

    def __init__(
        self,
        *,
        memory_bytes: int = 46 * KIB * KIB,
        time: int = 1,
        parallelism: int = 1,
        at_once: int = 0,
        waiting: int = 20,
    ) -> None:
        self._parameters: dict[str, Any] = {
            "memory_cost": memory_bytes // KIB,
            "time_cost": time,
            "parallelism": parallelism,
        }
        turns = at_once or os.cpu_count() or 1
        self._turns = threading.BoundedSemaphore(turns)
        self._places = threading.BoundedSemaphore(turns + waiting)

    def hash(self, password: str) -> str:
        """Return what to keep of *password*. Raises ServiceDown (503) when too many wait."""
        data = composed(password)
        with self._turn():
            made: str = self._hasher.hash(data)
        return made

    def verify(self, kept: str | None, password: str) -> Verdict:
        """Return whether *password* is the one that *kept* was made of.

        kept: None or "" for somebody unknown; a hash is computed all the same, so that the
        time tells nothing. Raises ServiceDown (503) when too many wait.
        """
        data = composed(password)
        with self._turn():
            if not kept:
                self._right(self._dummy, data)
                return Verdict(False)
            if kept.startswith(WERKZEUG):
                from werkzeug.security import check_password_hash

                right = check_password_hash(kept, data.decode())
                return Verdict(right, again=right)
            right = self._right(kept, data)
        return Verdict(right, right and bool(self._hasher.check_needs_rehash(kept)))

    def weakness(
        self, password: str, *, least: int = 8, email: str = "", names: tuple[str, ...] = ()
    ) -> str:
        """Return why *password* cannot be one, in a sentence for the person; "" if it can.

        least: characters. email, names: of the person and the application; what is left of
        the password without them must be long enough by itself.
        """
        try:
            text = composed(password).decode()
        except RequestFault as fault:
            return fault.message
        if len(text) < least:
            have = ngettext("%(num)s character", "%(num)s characters", len(text))
            lack = ngettext("%(num)s more is needed", "%(num)s more are needed", least - len(text))
            return f"{have}; {lack}."
        if is_common(text):
            return _("This password is among the first that are tried. Choose another one.")
        rest = text.casefold()
        for name in (local_part(email), *names):
            if len(name) >= NAMED:
                rest = rest.replace(name.casefold(), "")
        if len(rest) < least:
            return _("This is little more than a name that others know. Make it longer.")
        return ""

    def _right(self, kept: str, data: bytes) -> bool:
        """Run argon2 once. A hash that cannot be read is nobody's."""
        from argon2.exceptions import InvalidHashError, VerificationError

        try:
            return bool(self._hasher.verify(kept, data))
        except (VerificationError, InvalidHashError):
            return False

    @cached_property
    def _hasher(self) -> Any:
        from argon2 import PasswordHasher  # 10 ms; only who signs in needs it

        return PasswordHasher(**self._parameters)

    @cached_property
    def _dummy(self) -> str:
        """A hash of nobody's password, made with the parameters of all others."""
        made: str = self._hasher.hash(os.urandom(32))
        return made

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait for a turn; raise ServiceDown where too many wait already, or for too long."""
        if not self._places.acquire(blocking=False):
            raise _busy()
        try:
            if not self._turns.acquire(timeout=PATIENCE_S):
                raise _busy()
            try:
                yield
            finally:
                self._turns.release()
        finally:
            self._places.release()


def composed(password: str) -> bytes:
    """Return the bytes of *password*, composed (NFC), so that every keyboard gives the same.

    Raises a RequestFault (422) for more than 1,024 bytes, and for halves of characters.
    """
    try:
        # SECURITY: what is far too long is not even composed.
        data = unicodedata.normalize("NFC", password[: LONGEST + 1]).encode()
    except UnicodeEncodeError:
        raise _unfit(_("A password is text; this one has half a character in it.")) from None
    if len(password) > LONGEST or len(data) > LONGEST:
        raise _unfit(_("A password has at most 1,024 bytes."))
    return data


def _unfit(said: str) -> RequestFault:
    errors = [{"loc": ["password"], "msg": said, "type": "password"}]
    return RequestFault(422, "accounts.password", said, errors=errors)


def _busy() -> ServiceDown:
    return ServiceDown(
        "accounts.busy",
        "Too many passwords are being checked at once.",
        hint="Usually somebody is guessing, from many addresses. PASSWORD_AT_ONCE and"
        " PASSWORD_WAITING say how many may.",
        retry_after_s=3,
    )
