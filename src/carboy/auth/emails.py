"""E-mail addresses as keys: one person writes theirs in many ways, we keep one.

" Ada@Example.ORG "  ->  normal()  ->  "ada@example.org", or "" for what is no address
"""

from __future__ import annotations

import unicodedata

__all__ = ["LONGEST", "local_part", "normal", "plain"]

LONGEST = 254  # characters of an address. RFC 5321 section 4.5.3.1, with RFC 3696 erratum 1690


def plain(text: str) -> str:
    """Return *text* without spaces around it, composed, and in lower case.

    RFC 5321 lets "Ada@" and "ada@" be two people; no provider does, and people type both.
    """
    return unicodedata.normalize("NFC", text).strip().lower()


def normal(text: str) -> str:
    """Return the address that *text* is kept as; "" when it is none.

    Names that only a test or an intranet knows ("ada@localhost") are addresses too.

    >>> normal(" Ada@Example.ORG "), normal("ada@"), normal("ada@localhost")
    ('ada@example.org', '', 'ada@localhost')
    """
    from email_validator import EmailNotValidError, validate_email  # 20 ms; only sign-in needs it

    text = plain(text)
    if not 0 < len(text) <= LONGEST:
        return ""
    try:
        found = validate_email(
            text, check_deliverability=False, test_environment=True, globally_deliverable=False
        )
    except EmailNotValidError:
        return ""
    address = plain(found.normalized)
    return address if len(address) <= LONGEST else ""


def local_part(address: str) -> str:
    """Return what stands before the @."""
    return address.rpartition("@")[0]
