"""Typed views: which views are typed, and the binder of each.

    @app.get("/search")
    def search(q: str, page: Annotated[int, Query(ge=1)] = 1): ...

    seal     compile(view, rule)  ->  Binder, or None for a plain Flask view
    request  binder(request, path arguments)  ->  arguments of the view

A view is typed when a parameter beyond its path arguments can be filled from a
request (`signatures.py` says which), or when a path argument is annotated with
more than its URL converter checks. All others cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flask.views import MethodView

from carboy.engine.signatures import place, read, takes_keywords, undress

if TYPE_CHECKING:
    from werkzeug.routing import Rule
    from werkzeug.wrappers import Request

    from carboy.engine.binder import Binder
    from carboy.engine.jsons import Guard

__all__ = ["MethodBinder", "compile"]


class MethodBinder:
    """Binds a class-based view, whose methods have parameters of their own.

    methods: the Binder of each HTTP method that is typed.
    """

    def __init__(self, methods: Mapping[str, Binder]) -> None:
        self.methods = dict(methods)

    @property
    def params(self) -> tuple[Any, ...]:
        """Every parameter of every method, in the order of the methods."""
        return tuple(param for binder in self.methods.values() for param in binder.params)

    def __call__(self, request: Request, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the arguments for the method of this request; see Binder."""
        binder = self.methods.get(request.method)
        return given if binder is None else binder(request, given)


def compile(
    view: Callable[..., Any],
    rule: Rule,
    guards: Sequence[Guard] = (),
    *,
    lenient: bool = False,
) -> Binder | MethodBinder | None:
    """Return the binder of *view* under *rule*, None for a plain Flask view.

    rule: bound to its map; its arguments, and those of the endpoint's other rules,
        are not taken from elsewhere.
    guards: called with the bytes of a JSON body before it is parsed.
    lenient: hooks may supply arguments, so a parameter that nothing in a request
        fills is no mistake.
    Raises SetupError for a declaration that can never work.
    """
    cls = getattr(view, "view_class", None)
    if isinstance(cls, type):
        return _compile_class(view, cls, rule, guards, lenient)
    return _binder(view, rule, guards, lenient, method=False)


def _compile_class(
    view: Callable[..., Any], cls: type[Any], rule: Rule, guards: Sequence[Guard], lenient: bool
) -> Binder | MethodBinder | None:
    if not takes_keywords(undress(view).function) or not takes_keywords(view):
        return None  # a decorator of the class fixes the arguments
    by_method = issubclass(cls, MethodView) and takes_keywords(cls.dispatch_request)
    if not by_method:
        return _binder(cls.dispatch_request, rule, guards, lenient, method=True)
    found = {}
    for method in sorted(rule.methods or ()):
        function = getattr(cls, method.lower(), None)
        if function is None and method == "HEAD":
            function = getattr(cls, "get", None)
        binder = function and _binder(function, rule, guards, lenient, method=True)
        if binder:
            found[method] = binder
    return MethodBinder(found) if found else None


def _binder(
    function: Callable[..., Any],
    rule: Rule,
    guards: Sequence[Guard],
    lenient: bool,
    *,
    method: bool,
) -> Binder | None:
    path = {name: rule._converters.get(name) for name in rule.arguments}
    siblings = rule.map.iter_rules(rule.endpoint) if rule.map else ()
    elsewhere = {name for sibling in siblings for name in sibling.arguments}
    params = read(function, path, elsewhere=elsewhere, method=method, lenient=lenient)
    if not params:
        return None
    from carboy.engine.binder import Binder  # imports pydantic: only where a view is typed

    return Binder(params, place(function), guards)
