"""Where a view's parameter comes from: markers for `Annotated`, or as defaults.

    def search(q: str, page: Annotated[int, Query(ge=1)] = 1): ...
    def search(q: str, page: int = Query(1, ge=1)): ...

    Query  Header  Cookie  Form  Body  File     the part of the request
    Given                                       a decorator or hook supplies it

Without a marker the annotation decides: scalars and lists of them come from the
query, models from the body, FileStorage from the uploads, Request is the request.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import Any, Final, TypedDict, Unpack

from carboy.base.errors import SetupError

__all__ = [
    "MISSING",
    "Body",
    "Cookie",
    "File",
    "Form",
    "Given",
    "Header",
    "Marker",
    "Param",
    "Query",
]


class _Missing:
    """The absence of a default; None is a default like any other."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final[Any] = _Missing()


class Constraints(TypedDict, total=False):
    """What a value must fulfil; the names and meanings are pydantic's."""

    gt: Any
    ge: Any
    lt: Any
    le: Any
    multiple_of: float
    min_length: int
    max_length: int
    pattern: str
    max_digits: int
    decimal_places: int
    allow_inf_nan: bool
    strict: bool
    title: str
    description: str
    examples: list[Any]


@dataclass(frozen=True)
class Marker:
    """What a marker function returns: a source, a default, a name, constraints.

    source: "query", "header", "cookie", "form", "body", "file" or "given".
    alias: the name in the request; the parameter's own when None.
    Raises SetupError for a constraint that does not exist.
    """

    source: str
    default: Any = MISSING
    alias: str | None = None
    constraints: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.constraints:
            if name not in Constraints.__annotations__:
                near = difflib.get_close_matches(name, Constraints.__annotations__, n=1)
                known = ", ".join(Constraints.__annotations__)
                raise SetupError(
                    "typed.constraint",
                    f"{self.source.title()}() has no constraint {name!r}.",
                    hint=(f"Did you mean {near[0]!r}? " if near else "") + f"Known: {known}.",
                )


@dataclass(frozen=True)
class Param:
    """One parameter of a view that is taken from the request.

    name: as the view calls it. alias: as the request calls it.
    source: as in Marker, or "path", or "request".
    annotation: its type with constraints, as pydantic understands it.
    kind: "scalar", "list", "model", "models", "file", "files", "request", "any".
    default: of the marker; MISSING also when the view's own default applies.
    required: neither the marker nor the view has a default.
    stated: the source was named by a marker, not derived from the annotation.
    own_default: the view's own default, for documentation; MISSING without one.
    """

    name: str
    alias: str
    source: str
    annotation: Any
    kind: str
    default: Any = MISSING
    required: bool = True
    stated: bool = False
    own_default: Any = MISSING


# Functions, so that a type checker accepts `page: int = Query(1)`. Capitals,
# because they stand where a type or a class stands (pydantic's Field does so).


def Query(
    default: Any = MISSING, *, alias: str | None = None, **constraints: Unpack[Constraints]
) -> Any:
    """Take the parameter from the query string; a list gets every value of that name."""
    return Marker("query", default, alias, {**constraints})


def Header(
    default: Any = MISSING, *, alias: str | None = None, **constraints: Unpack[Constraints]
) -> Any:
    """Take the parameter from a header: `user_agent` is User-Agent, a list is split at commas."""
    return Marker("header", default, alias, {**constraints})


def Cookie(
    default: Any = MISSING, *, alias: str | None = None, **constraints: Unpack[Constraints]
) -> Any:
    """Take the parameter from a cookie."""
    return Marker("cookie", default, alias, {**constraints})


def Form(
    default: Any = MISSING, *, alias: str | None = None, **constraints: Unpack[Constraints]
) -> Any:
    """Take the parameter from a posted form: one field, or all of it as a model."""
    return Marker("form", default, alias, {**constraints})


def Body(default: Any = MISSING, **constraints: Unpack[Constraints]) -> Any:
    """Take the parameter from the JSON body, all of it; forms are refused with 415."""
    return Marker("body", default, None, {**constraints})


def File(default: Any = MISSING, *, alias: str | None = None) -> Any:
    """Take the parameter from the uploaded files: a FileStorage, or a list of them."""
    return Marker("file", default, alias)


def Given() -> Any:
    """Leave the parameter alone: a decorator or a hook supplies it."""
    return Marker("given")
