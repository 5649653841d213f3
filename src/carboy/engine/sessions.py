"""Flask's signed cookie session, with its signer built once instead of per request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask.sessions import SecureCookieSessionInterface

if TYPE_CHECKING:
    from itsdangerous import URLSafeTimedSerializer

from carboy.engine.signing import OneShot, Serializer

__all__ = ["CookieSessions", "opens_lazily", "settle"]


STOCK = [
    SecureCookieSessionInterface.salt,
    SecureCookieSessionInterface.key_derivation,
    SecureCookieSessionInterface.digest_method,
    SecureCookieSessionInterface.serializer,
]
"""The settings of Flask's own session cookie."""


class CookieSessions(SecureCookieSessionInterface):
    """Flask's default session interface; same cookie, same options, same key handling.

    PERF: building the serializer is 30 % of a plain Flask request.
    """

    def __init__(self) -> None:
        self._signer: tuple[tuple[Any, ...], URLSafeTimedSerializer] | None = None

    def get_signing_serializer(self, app: Any) -> URLSafeTimedSerializer | None:
        """Return the serializer for the application's keys as they are now."""
        key = app.secret_key
        if not key:
            return None
        fallbacks = app.config["SECRET_KEY_FALLBACKS"]
        made_from = (
            key,
            tuple(fallbacks) if fallbacks else (),
            self.salt,
            self.key_derivation,
            self.digest_method,
            self.serializer,
        )
        if self._signer is None or self._signer[0] != made_from:
            self._signer = (made_from, self._new_signer(app, made_from))
        return self._signer[1]

    def _new_signer(self, app: Any, made_from: tuple[Any, ...]) -> URLSafeTimedSerializer:
        """Return ours for Flask's own settings, Flask's for anybody else's."""
        key, fallbacks, *settings = made_from
        if type(self) is not CookieSessions or settings != STOCK:
            serializer = super().get_signing_serializer(app)
            assert serializer is not None  # there is a key
            return serializer
        keywords = {
            "key_derivation": self.key_derivation,
            "digest_method": self.digest_method,
            "algorithm": OneShot("sha1"),
        }
        keys = [*fallbacks, key]  # itsdangerous signs with the last
        return Serializer(keys, salt=self.salt, serializer=self.serializer, signer_kwargs=keywords)

    def open_session(self, app: Any, request: Any) -> Any:
        """Return the session of the cookie; without any cookie, a new one at once."""
        if "HTTP_COOKIE" not in request.environ and app.secret_key:
            return self.session_class()
        return super().open_session(app, request)

    def save_session(self, app: Any, session: Any, response: Any) -> None:
        """Save as Flask does; one that was only read costs no more than its Vary."""
        if session.modified or session.permanent or type(self) is not CookieSessions:
            super().save_session(app, session, response)
        elif session.accessed:
            _vary_by_cookie(response)


def opens_lazily(interface: Any) -> bool:
    """Return whether opening the session may wait until somebody asks for it.

    True for the two stock interfaces, and for one whose class says `lazy = True`: what
    others do when they open is theirs.
    """
    stock = type(interface) in (CookieSessions, SecureCookieSessionInterface)
    return stock or vars(type(interface)).get("lazy") is True


def _vary_by_cookie(response: Any) -> None:
    """Do `response.vary.add("Cookie")`, without parsing when there is no Vary yet.

    PERF: the header set of Werkzeug is 7 us, a sixth of a request that reads a session.
    """
    if "Vary" in response.headers:
        response.vary.add("Cookie")
    else:
        response.headers.add("Vary", "Cookie")


def settle(ctx: Any) -> Any:
    """Return the session that must be saved with this response, or None.

    One that was opened; else one whose cookie came along and may have to be
    renewed (permanent sessions with SESSION_REFRESH_EACH_REQUEST).
    """
    session = ctx.__dict__.get("_session")
    if session is not None:
        return session
    app = ctx.app
    cookies = ctx.environ.get("HTTP_COOKIE")
    if not cookies or not app.config["SESSION_REFRESH_EACH_REQUEST"]:
        return None
    if vars(type(app.session_interface)).get("lazy") is True:
        return None  # its cookie is not renewed by requests that do not look into it
    name = app.session_interface.get_cookie_name(app)
    return ctx._session if name in cookies else None
