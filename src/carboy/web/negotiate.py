"""Page or problem document: what an error looks like to this client.

    environ  ->  wants_page()  ->  True for a browser, False for a program

A browser names text/html in Accept; programs do not (curl and fetch say */*). So a
page goes to who names HTML and likes it no less than JSON, and to htmx, which swaps
HTML in; everyone else gets RFC 9457. SPEC: RFC 9110 section 12.5.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from carboy.web.bodies import Environ

__all__ = ["preference", "wants_page"]

HTML = frozenset(("text/html", "application/xhtml+xml"))
JSON = frozenset(("application/json", "application/problem+json"))


def wants_page(environ: Environ) -> bool:
    """Return whether to answer with HTML.

    >>> wants_page({"HTTP_ACCEPT": "text/html,application/xml;q=0.9,*/*;q=0.8"})
    True
    >>> wants_page({"HTTP_ACCEPT": "*/*"})
    False
    """
    if "HTTP_HX_REQUEST" in environ:
        return True
    html, json = preference(environ.get("HTTP_ACCEPT", ""))
    if html == json and str(environ.get("CONTENT_TYPE") or "").startswith("application/json"):
        return False
    return html > 0 and html >= json


def preference(accept: str) -> tuple[float, float]:
    """Return the weights (HTML, JSON) that *accept* names; 0.0 for what it does not.

    Wildcards name nothing. A weight that cannot be read counts as 0.
    """
    html = json = 0.0
    for item in accept.lower().split(","):
        kind, *parameters = (part.strip() for part in item.split(";"))
        if kind in HTML:
            html = max(html, _weight(parameters))
        elif kind in JSON or kind.endswith("+json"):
            json = max(json, _weight(parameters))
    return html, json


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0
