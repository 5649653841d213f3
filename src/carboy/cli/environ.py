"""Clean the environment that the server's processes start with.

A WSGI server that copies its environment into each request's environ turns a
variable called HTTP_X_FORWARDED_FOR into a header no client sent. So names that
mean something in a WSGI environ are taken out before the server starts.
Source: RFC 3875 section 4.1 (CGI names), PEP 3333.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["scrub"]

CGI_NAMES = frozenset(
    {
        "AUTH_TYPE", "CONTENT_LENGTH", "CONTENT_TYPE", "DOCUMENT_ROOT", "DOCUMENT_URI",
        "GATEWAY_INTERFACE", "HTTPS", "PATH_INFO", "PATH_TRANSLATED", "QUERY_STRING", "RAW_URI",
        "REMOTE_ADDR", "REMOTE_HOST", "REMOTE_IDENT", "REMOTE_PORT", "REMOTE_USER",
        "REQUEST_METHOD", "REQUEST_SCHEME", "REQUEST_URI", "SCRIPT_FILENAME", "SCRIPT_NAME",
        "SERVER_ADDR", "SERVER_ADMIN", "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL",
        "SERVER_SIGNATURE", "SERVER_SOFTWARE", "SSL_CLIENT_S_DN", "SSL_CLIENT_VERIFY",
    }
)  # fmt: skip
PREFIXES = ("HTTP_", "REDIRECT_", "wsgi.", "werkzeug.", "flask.", "carboy.", "mod_wsgi.")


def scrub(environ: Mapping[str, str]) -> dict[str, str]:
    """Return *environ* without the names that a request would believe.

    HTTP_PROXY is kept as http_proxy, the spelling that outbound clients agree on.
    """
    clean = {name: value for name, value in environ.items() if not _is_request_name(name)}
    if "HTTP_PROXY" in environ:
        clean.setdefault("http_proxy", environ["HTTP_PROXY"])
    return clean


def _is_request_name(name: str) -> bool:
    return name in CGI_NAMES or name.startswith(PREFIXES)
