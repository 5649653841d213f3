"""What a view asks of a request: its signature, read into a tuple of Params.

    view  ->  the function whose parameters count (decorators, partials, methods)
          ->  annotations, evaluated in the function's own namespace
          ->  a Param for each that a request can fill; SetupError for wrong ones

pydantic is not imported here: an application without typed views never does.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import inspect
import sys
import types
import typing
from collections import abc
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import PurePath
from typing import Annotated, Any, Literal, NamedTuple, NoReturn, Union
from uuid import UUID

from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Request

from carboy.base.errors import SetupError
from carboy.engine.params import MISSING, Marker, Param

__all__ = ["Shape", "bare", "kind_of", "place", "read", "takes_keywords", "undress"]

Shape = Mapping[str, Any]
"""Path argument -> its URL converter, or None when the rule sets it by a default."""

SCALARS = (str, int, float, bool, bytes, Decimal, datetime, date, time, timedelta, UUID)
MANY = (list, set, frozenset, tuple, abc.Sequence, abc.Set, abc.Collection, abc.Iterable)
UNIONS = (Union, types.UnionType)
NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
UNRESOLVED = object()


class Inner(NamedTuple):
    """The function whose parameters count.

    dropped: leading positional parameters filled by others (self, a partial).
    filled: keywords filled by a partial. wrapped: something stands around it.
    """

    function: Callable[..., Any]
    dropped: int = 0
    filled: frozenset[str] = frozenset()
    wrapped: bool = False


def read(
    view: Callable[..., Any],
    path: Shape,
    *,
    elsewhere: Collection[str] = (),
    method: bool = False,
    lenient: bool = False,
) -> tuple[Param, ...]:
    """Return the parameters of *view* that a request fills; () for a plain Flask view.

    elsewhere: names that are path arguments in another rule of the same endpoint;
        they are never taken from a query, where anybody could set them.
    method: the view is a method, its first parameter is `self`.
    lenient: hooks may add arguments; say nothing about what cannot be filled.
    Raises SetupError for a declaration that can never work.
    """
    inner = undress(view, method)
    lenient = lenient or inner.wrapped
    found = []
    for parameter in _parameters(inner):
        if parameter.name in path:
            param = _path_param(inner.function, parameter, path[parameter.name])
        elif parameter.name in elsewhere:
            param = None
        else:
            param = _param(inner.function, parameter, lenient)
        if param is not None:
            found.append(param)
    _check_bodies(inner.function, found)
    return tuple(found)


def undress(view: Callable[..., Any], method: bool = False) -> Inner:
    """Return the innermost function that gets the keywords given to *view*."""
    inner = Inner(view, int(method))
    while True:
        function = inner.function
        if isinstance(function, functools.partial):
            filled = inner.filled | function.keywords.keys()
            inner = Inner(function.func, inner.dropped + len(function.args), filled, inner.wrapped)
            continue
        around = getattr(function, "__wrapped__", None)
        if not callable(around) or not _passes_on(function, around, inner.dropped):
            return inner
        inner = Inner(around, inner.dropped, inner.filled, True)


def takes_keywords(function: Callable[..., Any]) -> bool:
    """Return whether *function* has `**keywords`."""
    return any(p.kind is p.VAR_KEYWORD for p in _signature(function))


def place(function: Callable[..., Any]) -> str:
    """Return "name() in file:line" of a function, for an error message."""
    plain = inspect.unwrap(function)
    code = getattr(plain, "__code__", None)
    name = getattr(plain, "__qualname__", repr(plain)).replace("<locals>.", "")
    return f"{name}()" + (f" in {code.co_filename}:{code.co_firstlineno}" if code else "")


def kind_of(annotation: Any) -> str | None:
    """Return how a request can fill *annotation*, or None when it cannot.

    "scalar", "list" (of scalars), "model", "models", "file", "files", "request".
    """
    annotation = bare(annotation)
    origin = typing.get_origin(annotation)
    if origin in UNIONS:
        return _one({kind_of(arg) for arg in typing.get_args(annotation) if arg is not _NONE})
    if origin is Literal:
        return "scalar"
    if annotation in MANY or origin in MANY:
        return _kind_of_many(typing.get_args(annotation))
    return _kind_of_class(annotation if origin is None else origin)


_NONE = type(None)


def _kind_of_many(args: tuple[Any, ...]) -> str | None:
    kinds = {kind_of(arg) for arg in args if arg is not ...} or {"scalar"}
    many = {"scalar": "list", "model": "models", "file": "files"}
    return many.get(_one(kinds) or "")


def _kind_of_class(cls: Any) -> str | None:
    if not isinstance(cls, type):
        return None
    if issubclass(cls, FileStorage):
        return "file"
    if issubclass(cls, Request):
        return "request"
    if _is_model(cls):
        return "model"
    scalar = issubclass(cls, (*SCALARS, enum.Enum, PurePath))
    return "scalar" if scalar or hasattr(cls, "__get_pydantic_core_schema__") else None


def _is_model(cls: type) -> bool:
    if dataclasses.is_dataclass(cls) or typing.is_typeddict(cls) or hasattr(cls, "__total__"):
        return True
    for module, name in (("pydantic", "BaseModel"), ("msgspec", "Struct")):
        base = getattr(sys.modules.get(module), name, None)
        if base is not None and issubclass(cls, base):
            return True
    return False


def _one(kinds: set[str | None]) -> str | None:
    return next(iter(kinds)) if len(kinds) == 1 else None


def bare(annotation: Any) -> Any:
    """Return the type below Annotated, NewType and type aliases."""
    while True:
        if typing.get_origin(annotation) is Annotated:
            annotation = typing.get_args(annotation)[0]
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        elif hasattr(annotation, "__value__") and hasattr(annotation, "__type_params__"):
            annotation = annotation.__value__  # `type Page = ...` of Python 3.12
        else:
            return annotation


def _signature(function: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return [*inspect.signature(function, follow_wrapped=False).parameters.values()]
    except (ValueError, TypeError):
        return []  # written in C: nothing is known, nothing is bound


def _parameters(inner: Inner) -> Iterator[inspect.Parameter]:
    """Yield the parameters that can be given by name and are not filled yet."""
    dropped = inner.dropped
    for parameter in _signature(inner.function):
        if dropped and parameter.kind in (parameter.POSITIONAL_ONLY, NAMED[0]):
            dropped -= 1
        elif parameter.kind in NAMED and parameter.name not in inner.filled:
            yield parameter


def _passes_on(outer: Callable[..., Any], inner: Callable[..., Any], dropped: int) -> bool:
    """Return whether a decorator's function accepts every keyword of the view inside."""
    if takes_keywords(outer):
        return True
    accepted = {p.name for p in _signature(outer)[dropped:]}
    return all(p.name in accepted for p in _parameters(Inner(inner, dropped)))


def _param(function: Callable[..., Any], parameter: inspect.Parameter, lenient: bool) -> Any:
    """Return the Param for a parameter beyond the path, None when it is left alone."""
    annotation = _resolved(function, parameter)
    if annotation is UNRESOLVED:
        _unresolved(function, parameter)
    marker = _marker(annotation, parameter)
    if marker is None and annotation is parameter.empty:
        return None
    if marker is not None and marker.source == "given":
        return None
    kind = "scalar" if annotation in (parameter.empty, Any, object) else kind_of(annotation)
    if marker is None and annotation in (Any, object):
        kind = None
    if kind is None and (marker is None or marker.source != "body"):
        if lenient or (marker is None and parameter.default is not parameter.empty):
            return None
        _unbindable(function, parameter, annotation)
    return _made(function, parameter, annotation, kind or "any", marker)


def _made(
    function: Callable[..., Any],
    parameter: inspect.Parameter,
    annotation: Any,
    kind: str,
    marker: Marker | None,
) -> Param:
    source = marker.source if marker else SOURCES[kind]
    if marker is not None and kind not in ACCEPTS[source]:
        _wrong_marker(function, parameter, source, kind)
    own = parameter.default is not parameter.empty and not isinstance(parameter.default, Marker)
    default = MISSING if marker is None or own else marker.default
    name = parameter.name
    alias = marker.alias if marker and marker.alias else None
    return Param(
        name=name,
        alias=alias or (name.replace("_", "-") if source == "header" else name),
        source=source,
        annotation=_constrained(annotation, marker),
        kind=kind,
        default=default,
        required=not own and default is MISSING,
        stated=marker is not None,
        own_default=parameter.default if own else MISSING,
    )


SOURCES = {
    "scalar": "query",
    "list": "query",
    "model": "body",
    "models": "body",
    "file": "file",
    "files": "file",
    "request": "request",
}
ACCEPTS: dict[str, Collection[str]] = {
    "query": ("scalar", "list", "model"),
    "header": ("scalar", "list"),
    "cookie": ("scalar",),
    "form": ("scalar", "list", "model"),
    "body": ("scalar", "list", "model", "models", "any"),
    "file": ("file", "files"),
}


def _constrained(annotation: Any, marker: Marker | None) -> Any:
    """Return the annotation without our marker; its constraints are kept aside in one."""
    if annotation is inspect.Parameter.empty:
        annotation = Any
    if typing.get_origin(annotation) is Annotated:
        base, *rest = typing.get_args(annotation)
        rest = [item for item in rest if not isinstance(item, Marker)]
        annotation = Annotated[(base, *rest)] if rest else base
    if marker is not None and marker.constraints:
        annotation = Annotated[annotation, marker]
    return annotation


def _path_param(function: Callable[..., Any], parameter: inspect.Parameter, converter: Any) -> Any:
    """Return a Param when the annotation asks more than the URL converter gives."""
    annotation = _resolved(function, parameter)
    if annotation in (UNRESOLVED, parameter.empty) or converter is None:
        return None
    if not _is_stricter(annotation, converter):
        return None
    name = parameter.name
    return Param(
        name, name, "path", _constrained(annotation, _marker(annotation, parameter)), "scalar"
    )


def _is_stricter(annotation: Any, converter: Any) -> bool:
    plain = bare(annotation)
    if kind_of(plain) != "scalar":
        return False
    if plain is not annotation and typing.get_origin(annotation) is Annotated:
        return True
    if type(converter).__module__ != "werkzeug.routing.converters":
        return False  # its value is its own affair
    gives_text = type(converter).__name__ in ("UnicodeConverter", "PathConverter", "AnyConverter")
    if typing.get_origin(plain) is Literal or (isinstance(plain, type) and _is_special(plain)):
        return True
    return gives_text and plain in SCALARS and plain not in (str, bytes)


def _is_special(cls: type) -> bool:
    return issubclass(cls, enum.Enum) or cls not in SCALARS


def _marker(annotation: Any, parameter: inspect.Parameter) -> Marker | None:
    """Return the marker of a parameter: the default, else the last in Annotated."""
    if isinstance(parameter.default, Marker):
        return parameter.default
    metadata = getattr(annotation, "__metadata__", ())
    return next((item for item in reversed(metadata) if isinstance(item, Marker)), None)


def _resolved(function: Callable[..., Any], parameter: inspect.Parameter) -> Any:
    """Return the evaluated annotation, UNRESOLVED when a name in it is unknown."""
    annotation = parameter.annotation
    if annotation is parameter.empty:
        return annotation
    plain = getattr(function, "__func__", function)
    if not hasattr(plain, "__globals__"):
        plain = type(plain).__call__
    holder: Any = types.SimpleNamespace(__annotations__={"it": annotation})
    try:
        names = inspect.getclosurevars(plain).nonlocals if hasattr(plain, "__code__") else {}
        scope = getattr(plain, "__globals__", {})
        return typing.get_type_hints(holder, scope, dict(names), include_extras=True)["it"]
    except Exception:
        return UNRESOLVED


def _check_bodies(function: Callable[..., Any], params: list[Param]) -> None:
    """Refuse two parameters that both want the whole body, or JSON beside form fields."""
    bodies = [p for p in params if p.source == "body"]
    whole = bodies + [p for p in params if p.source == "form" and p.kind == "model"]
    fields = [p for p in params if p.source == "form" and p.kind != "model"]
    stated = [p for p in bodies if p.stated or p.kind == "models"]
    files = [p for p in params if p.source == "file"]
    if len(whole) > 1 or (bodies and fields) or (stated and files):
        names = " and ".join(repr(p.name) for p in [*whole, *fields, *(files if stated else ())])
        raise SetupError(
            "typed.bodies",
            f"{place(function)} takes more than one body: {names}.",
            hint="A request has one body. Put the values into one model, or take some of "
            "them from the query:  Annotated[..., Query()].",
        )


def _unresolved(function: Callable[..., Any], parameter: inspect.Parameter) -> NoReturn:
    raise SetupError(
        "typed.unresolved",
        f"{place(function)}: the annotation {parameter.annotation!r} of {parameter.name!r} "
        "cannot be evaluated.",
        hint="A name in it is unknown where the function is defined. Import it outside "
        "`if TYPE_CHECKING:`, and define it at module level, before the application is sealed.",
    )


def _unbindable(
    function: Callable[..., Any], parameter: inspect.Parameter, annotation: Any
) -> NoReturn:
    shown = inspect.formatannotation(annotation)
    raise SetupError(
        "typed.unbindable",
        f"{place(function)}: nothing in a request fills {parameter.name!r}: {shown}.",
        hint=f"Add <{parameter.name}> to the route, give it a default, or say where it comes from: "
        "Annotated[..., Body()] for JSON, Annotated[..., Given()] when a decorator supplies it.",
    )


def _wrong_marker(
    function: Callable[..., Any], parameter: inspect.Parameter, source: str, kind: str
) -> NoReturn:
    can = ", ".join(name.title() + "()" for name, kinds in ACCEPTS.items() if kind in kinds)
    shown = inspect.formatannotation(parameter.annotation)
    files = "a FileStorage or a list[FileStorage]"
    raise SetupError(
        "typed.marker",
        f"{place(function)}: {source.title()}() cannot fill {parameter.name!r}: {shown}.",
        hint=f"File() fills {files}." if source == "file" else f"What can: {can or 'no marker'}.",
    )
