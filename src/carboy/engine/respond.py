"""A view's result becomes a response: Flask's rules, the common types first.

dict, list  ->  JSON through the application's provider
str         ->  HTML
Response    ->  itself
the rest    ->  `encoders` of the typed battery, then Flask's make_response
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flask

from carboy.engine.jsons import JSON as JSONProvider
from carboy.engine.mistakes import nothing_returned
from carboy.engine.responses import HTML, JSON, Response, ready

__all__ = ["responder"]

SIMPLE = frozenset((str, dict, list))


def responder(app: Any, stock: bool, done: bool = False) -> Callable[[Any, Any], Any]:
    """Return respond(ctx, result) -> response, for *app* as it is now.

    stock: make_response is not Flask's own; every result goes to it.
    done: Flask dispatches; what it answered is a response already.
    """
    cls = app.response_class
    if done:
        return lambda ctx, result: result if ctx.answered else app.make_response(result)
    if stock or cls.__new__ is not object.__new__ or not issubclass(cls, Response):
        return lambda ctx, result: app.make_response(result)
    if cls.__init__ is not Response.__init__ or cls.default_mimetype != "text/html":
        return lambda ctx, result: app.make_response(result)
    return _fast(app, cls)


def _fast(app: Any, cls: type[Response]) -> Callable[[Any, Any], Any]:
    provider = app.json
    encode = _encoder(provider)
    encoder_for = getattr(app, "encoder_for", None)
    strict = bool(app.batteries)

    def respond(ctx: Any, result: Any) -> Any:
        kind = type(result)
        if kind is cls:
            return result
        if kind is str:
            return ready(result.encode(), HTML, cls)
        if kind is tuple and result and type(result[-1]) is int and _has_status(result):
            response = respond(ctx, result[0])
            response.status = result[1]
            return response
        if kind is flask.Response:  # as Response.force_type does
            result.__class__ = cls
            return result
        if (kind is dict or kind is list) and encode is not None and provider.mimetype == JSON:
            return ready(encode(result), JSON, cls)
        return _rest(app, ctx, result, encoder_for, strict)

    return respond


def _has_status(result: tuple[Any, ...]) -> bool:
    """Return whether this is the commonest tuple: a simple body and a number."""
    return len(result) == 2 and type(result[1]) is int and type(result[0]) in SIMPLE


def _rest(app: Any, ctx: Any, result: Any, encoder_for: Any, strict: bool) -> Any:
    """Answer for everything that is not in the short list."""
    if strict and result is None:
        raise nothing_returned(ctx)
    if encoder_for is not None:
        body, *others = result if type(result) is tuple and result else (result,)
        encoder = encoder_for(type(body))
        if encoder is not None:
            answer = ready(encoder(body), JSON, app.response_class)
            return app.make_response((answer, *others)) if others else answer
    return app.make_response(result)


def _encoder(provider: Any) -> Callable[[Any], bytes] | None:
    """Return the provider's own `encode`, or None when Flask's way must be taken."""
    if not isinstance(provider, JSONProvider):
        return None
    return provider.encoder() if type(provider).response is JSONProvider.response else None
