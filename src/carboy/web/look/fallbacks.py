"""What templates call that other batteries bring: harmless stand-ins for when they are off.

    _("Next"), ngettext(...)     the text itself
    csrf(), csp_nonce()          nothing
    me, who                      nobody
    format_number(1204)          "1,204"

Set with setdefault: who brings the real one, before or after, wins.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import jinja2
from markupsafe import Markup

__all__ = ["GLOBALS", "first"]


def _same(text: str, **values: Any) -> str:
    return text % values if values else text


def _plural(one: str, many: str, num: int, **values: Any) -> str:
    return (one if num == 1 else many) % {"num": num, **values}


def _number(value: Any, *args: Any, **options: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, float) and not value.is_integer():
        return f"{value:,.6g}" if abs(value) < 1_000_000 else f"{value:,.0f}"
    return f"{value:,.0f}"


def _money(value: Any, currency: str = "", *args: Any, **options: Any) -> str:
    amount = f"{value:,.2f}" if isinstance(value, (int, float)) else str(value)
    return f"{currency} {amount}".strip()


def _nothing(*args: Any, **options: Any) -> Markup:
    return Markup("")


GLOBALS: dict[str, Any] = {
    "_": _same,
    "gettext": _same,
    "ngettext": _plural,
    "format_number": _number,
    "format_money": _money,
    "csrf": _nothing,
    "csp_nonce": _nothing,
    "locale": "en",
    "me": None,
    "who": None,
}


def first(environment: Any, names: Iterable[str]) -> str:
    """Return the first of these templates that exists, else the last; nothing is compiled."""
    name = ""
    for name in names:
        try:
            environment.loader.get_source(environment, name)
        except (jinja2.TemplateNotFound, AttributeError):  # AttributeError: no loader yet
            continue
        break
    return name
