"""What error pages say: by status, what happened and what to do.

In the tone of LOOK.md: brief, exact, kind. Nothing here comes from a program.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple

__all__ = ["Text", "own_text", "phrase", "text_of"]


class Text(NamedTuple):
    """*title*: what happened. *body*: what is safe, and what to do."""

    title: str
    body: str


TEXTS: dict[int, Text] = {
    400: Text(
        "This request could not be read",
        "Something in it is malformed, so nothing was done. Go back and try again.",
    ),
    401: Text("Sign in first", "This page is for people with an account."),
    403: Text(
        "This page is not open to you",
        "Your account may not use it. Ask whoever runs this site for access.",
    ),
    404: Text(
        "There is nothing at this address",
        "It may have moved, or the address has a slip. Check it, or begin at the start page.",
    ),
    405: Text(
        "This address does not take that kind of request",
        "Nothing was done. Go back, or begin at the start page.",
    ),
    406: Text("Not in that format", "The page exists, but not in a format that was asked for."),
    408: Text("That took too long", "The request did not arrive in time. Try again."),
    409: Text(
        "This was changed in the meantime",
        "Nothing was overwritten. Load the page again and repeat your change.",
    ),
    410: Text("This page is gone", "It was here and has been taken away for good."),
    411: Text("The length is missing", "Nothing was done. Send the request with its length."),
    412: Text(
        "This was changed in the meantime",
        "Nothing was overwritten. Load the page again and repeat your change.",
    ),
    413: Text("That is more than fits", "Nothing was kept. Send less at once."),
    414: Text("The address is too long", "Shorten it, or begin at the start page."),
    415: Text("This format is not understood", "Nothing was kept. Send another format."),
    416: Text("That part does not exist", "The file is shorter than the part that was asked for."),
    421: Text(
        "This server does not answer under that name",
        "Check the name in the address.",
    ),
    422: Text("Some entries need another look", "Nothing was kept yet. Go back and change these:"),
    428: Text("Say which version you saw", "Nothing was changed. Send If-Match with its ETag."),
    429: Text("Too many requests", "Wait a little, then try again."),
    431: Text("The headers are too large", "Delete the cookies of this site, then try again."),
    500: Text(
        "Something broke on our side",
        "It is nothing you did. Try again in a minute. If it happens twice, tell us this number.",
    ),
    501: Text("This is not possible here", "The site does not offer what was asked for."),
    502: Text("Something broke on our side", "Try again in a minute."),
    503: Text(
        "Back in a moment",
        "A part of this site is away for a moment. What you saved before is safe.",
    ),
    504: Text("Something took too long on our side", "Try again in a minute."),
}

OWN: dict[str, Text] = {
    "web.csrf.cross_site": Text(
        "This came from another site",
        "Nothing was changed. If it was you, open this site itself and send it from there.",
    ),
    "web.csrf": Text(
        "This form has gone stale",
        "Nothing was changed. Go back, load the page again and send it once more. If that does"
        " not help, allow cookies for this site.",
    ),
}
"""Faults whose own words are for developers: code, or how it begins, to what people read."""


def text_of(status: int) -> Text:
    """Return the text for *status*; any other of its class speaks like 400 or 500."""
    return TEXTS.get(status) or TEXTS[500 if status >= 500 else 400]


def own_text(code: str) -> Text | None:
    """Return the text that people read instead of the words of a fault with *code*."""
    return OWN.get(code) or OWN.get(code.rpartition(".")[0])


def phrase(status: int) -> str:
    """Return the reason phrase of *status* as RFC 9110 has it.

    >>> phrase(404), phrase(499)
    ('Not Found', 'Error')
    """
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
