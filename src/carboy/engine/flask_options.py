"""Flask's own configuration keys as options, so that outside text becomes values.

Defaults are Flask's and a test compares them. They are typed only on the way in
from files and the environment: in code, `app.config["DEBUG"] = "x"` stays what
Flask makes of it. Source: Flask 3.1, "Configuration Handling".
"""

from __future__ import annotations

from datetime import timedelta

from carboy.base.options import (
    Bytes,
    Choice,
    Count,
    Flag,
    Kind,
    Names,
    Option,
    Seconds,
    Secret,
    Text,
)

__all__ = ["FLASK_OPTIONS"]


class _Span(Kind[timedelta]):
    """A duration as Flask holds it: a timedelta."""

    accepts = Seconds.accepts
    unit = "seconds"
    bounded = True

    def parse(self, raw: object) -> timedelta:
        try:
            return timedelta(seconds=Seconds.parse(raw))
        except OverflowError:
            raise ValueError(raw) from None

    def show(self, value: timedelta) -> str:
        return Seconds.show(value.total_seconds())


class _Secrets(Kind[list[str]]):
    """Several secrets; none is shown."""

    accepts = 'a list of secret texts, such as ["old", "older"]'
    secret = True

    def parse(self, raw: object) -> list[str]:
        return list(Names.parse(raw))


Span, Secrets = _Span(), _Secrets()

_ALL = (
    Option("DEBUG", Flag, help="Show errors with their source, and reload changed code."),
    Option("TESTING", Flag, default=False, help="Let errors reach the test."),
    Option("PROPAGATE_EXCEPTIONS", Flag, help="Raise errors to the server instead of a page."),
    Option("SECRET_KEY", Secret, help="Sign the session cookie, and whatever else is signed."),
    Option("SECRET_KEY_FALLBACKS", Secrets, help="Accept what these older keys have signed."),
    Option("PERMANENT_SESSION_LIFETIME", Span, default="31 days", help="Keep a permanent session."),
    Option("USE_X_SENDFILE", Flag, default=False, help="Leave sending files to the web server."),
    Option("TRUSTED_HOSTS", Names, help="Answer only requests for these hosts."),
    Option("SERVER_NAME", Text, help="Build external addresses for this host and port."),
    Option("APPLICATION_ROOT", Text, default="/", help="Serve under this path."),
    Option("SESSION_COOKIE_NAME", Text, default="session", help="Name the session cookie."),
    Option("SESSION_COOKIE_DOMAIN", Text, help="Send the session cookie to this domain."),
    Option("SESSION_COOKIE_PATH", Text, help="Send the session cookie below this path."),
    Option("SESSION_COOKIE_HTTPONLY", Flag, default=True, help="Hide the cookie from scripts."),
    Option("SESSION_COOKIE_SECURE", Flag, default=False, help="Send the cookie over TLS only."),
    Option(
        "SESSION_COOKIE_PARTITIONED",
        Flag,
        default=False,
        help="Keep a separate cookie for each embedding site (CHIPS).",
    ),
    Option(
        "SESSION_COOKIE_SAMESITE",
        Choice("Lax", "Strict", "None"),
        help="Restrict the session cookie on requests from other sites.",
    ),
    Option("SESSION_REFRESH_EACH_REQUEST", Flag, default=True, help="Renew the cookie each time."),
    Option("MAX_CONTENT_LENGTH", Bytes, help="Refuse a request body larger than this."),
    Option(
        "MAX_FORM_MEMORY_SIZE",
        Bytes,
        default=500_000,
        help="Refuse a multipart field, other than a file, larger than this.",
    ),
    Option("MAX_FORM_PARTS", Count, default=1000, help="Refuse a form with more parts."),
    Option("SEND_FILE_MAX_AGE_DEFAULT", Span, help="Let browsers keep a sent file for so long."),
    Option("TRAP_BAD_REQUEST_ERRORS", Flag, help="Raise a missing form key as an error."),
    Option("TRAP_HTTP_EXCEPTIONS", Flag, default=False, help="Raise HTTP errors as errors."),
    Option(
        "EXPLAIN_TEMPLATE_LOADING", Flag, default=False, help="Log how each template was found."
    ),
    Option("PREFERRED_URL_SCHEME", Text, default="http", help="Build external addresses so."),
    Option("TEMPLATES_AUTO_RELOAD", Flag, help="Read a template again when its file changes."),
    Option("MAX_COOKIE_SIZE", Bytes, default=4093, help="Warn about a cookie larger than this."),
    Option("PROVIDE_AUTOMATIC_OPTIONS", Flag, default=True, help="Answer OPTIONS for every route."),
)

FLASK_OPTIONS = {option.name: option for option in _ALL}
