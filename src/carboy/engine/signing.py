"""Signed session cookies at a third of the cost: keys derived once, one-shot HMAC.

    Serializer.loads(cookie)  ->  remembered when it was verified before, else itsdangerous
    Serializer.dumps(session) ->  the same cookie as itsdangerous writes

Everything a cookie can be wrong in is left to itsdangerous: same errors, same
order, same key rotation.
"""

from __future__ import annotations

import hmac
import zlib
from typing import TYPE_CHECKING, Any

from itsdangerous import TimestampSigner, URLSafeTimedSerializer
from itsdangerous.encoding import base64_decode, bytes_to_int
from itsdangerous.signer import SigningAlgorithm
from itsdangerous.url_safe import URLSafeSerializerMixin

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["OneShot", "Serializer"]

REMEMBERED = 512  # verified cookies per process
LONGEST = 4096  # characters of a cookie, bytes of its text: 4 MB at most for all


class OneShot(SigningAlgorithm):
    """HMAC in one call of C, without the objects of `hmac.new`."""

    def __init__(self, digest: str) -> None:
        self.digest = digest

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        """Return what itsdangerous' HMACAlgorithm returns."""
        return hmac.digest(key, value, self.digest)


class _Signer(TimestampSigner):
    """Derives each key once. Lives as long as its serializer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._derived: dict[bytes, bytes] = {}
        super().__init__(*args, **kwargs)

    def derive_key(self, secret_key: str | bytes | None = None) -> bytes:
        key: Any = self.secret_keys[-1] if secret_key is None else secret_key
        if key not in self._derived:
            self._derived[key] = super().derive_key(key)
        return self._derived[key]


class Serializer(URLSafeTimedSerializer):
    """An itsdangerous serializer that remembers the cookies it verified.

    A browser sends the same cookie until its session changes. SECURITY: only a
    cookie whose signature was good is remembered, by its whole text, and its age
    is checked each time. Other keys mean another serializer, which knows nothing.
    """

    default_signer = _Signer

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._verified: dict[str, tuple[int, bytes]] = {}
        self._signer: Any = super().make_signer(self.salt)

    def make_signer(self, salt: str | bytes | None = None) -> Any:
        """Return the one signer; a new one for another salt."""
        return self._signer if salt in (None, self.salt) else super().make_signer(salt)

    def iter_unsigners(self, salt: str | bytes | None = None) -> Iterator[Any]:
        """Yield the signer, which tries the fallback keys by itself."""
        yield self.make_signer(salt)

    def loads(  # type: ignore[override]  # URLSafeTimedSerializer takes max_age second too
        self, s: Any, max_age: int | None = None, *args: Any, **kwargs: Any
    ) -> Any:
        """Return the data of cookie *s*. Raises BadSignature and its kin as itsdangerous."""
        if args or kwargs:  # another salt, or the timestamp too: nothing to remember
            return super().loads(s, max_age, *args, **kwargs)
        known = self._verified.get(s)
        if known is None:
            data = super().loads(s, max_age)
            self._remember(s)
            return data
        age = self._signer.get_timestamp() - known[0]
        if max_age is not None and not 0 <= age <= max_age:
            return super().loads(s, max_age)  # raises SignatureExpired
        # PERF: what was decoded once is not decoded again; the data itself is, for each reader.
        return super(URLSafeSerializerMixin, self).load_payload(known[1])

    def _remember(self, cookie: Any) -> None:
        """Keep the age and the JSON text of *cookie*, which was just verified."""
        if type(cookie) is not str or len(cookie) > LONGEST:
            return
        payload, stamp, _ = cookie.rsplit(".", 2)
        text = base64_decode(payload.removeprefix("."))
        text = zlib.decompress(text) if payload.startswith(".") else text
        if len(text) > LONGEST:
            return
        if len(self._verified) >= REMEMBERED:
            self._verified.clear()
        self._verified[cookie] = (bytes_to_int(base64_decode(stamp)), text)
