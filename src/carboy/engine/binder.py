"""The Binder: from a request to the arguments of a view, compiled once at seal.

    readers   query, headers, cookies, form  ->  raw texts by parameter
    validate  one pydantic-core validator for all of them, lax
    parts     body, files, the request itself
    ->  arguments, or one RequestFault 422 with every error found

A path argument that fails its annotation is 404: the address names nothing, as
when a URL converter refuses it.
"""

from __future__ import annotations

import contextlib
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from inspect import formatannotation
from typing import TYPE_CHECKING, Annotated, Any, NotRequired

import typing_extensions
from pydantic import ConfigDict, Field, ValidationError
from pydantic.errors import PydanticUserError
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Request

from carboy.base.errors import SetupError
from carboy.engine.bodies import FORMS, BodyReader, Wrong, compiled, has_body, query_pairs
from carboy.engine.complaints import complaint, invalid, of_pydantic, type_refused
from carboy.engine.constraints import hidden, misfits
from carboy.engine.params import MISSING, Marker, Param
from carboy.engine.signatures import bare
from carboy.engine.texts import Slots, put, slot_for

if TYPE_CHECKING:
    from carboy.engine.jsons import Guard

__all__ = ["Binder", "understood"]

Raw = dict[str, Any]
Read = Callable[[Request, Raw], None]
Part = Callable[[Request], Any]

args_of_werkzeug = Request.args
make_shape: Any = typing_extensions.TypedDict  # pydantic wants this one before Python 3.12


class Binder:
    """Binds the parameters of one view.

    params: what is bound, for documentation (OpenAPI) too.
    place: "view() in file:line", for the message of a declaration that cannot be.
    guards: called with the bytes of a JSON body before it is parsed.
    Raises SetupError when pydantic does not understand an annotation.
    """

    def __init__(self, params: Sequence[Param], place: str, guards: Sequence[Guard] = ()) -> None:
        _check_constraints(params, place)
        self.params = tuple(params)
        self.place = place
        self.guards = guards
        fields = [p for p in params if p.kind in ("scalar", "list") and p.source != "body"]
        others = [p for p in params if p.kind not in ("scalar", "list") or p.source == "body"]
        self._path = tuple(p.name for p in params if p.source == "path")
        self._names = frozenset(p.name for p in params if p.source != "path")
        self._locs = {p.name: (p.source, p.alias) for p in fields}
        self._defaults = {p.name: p.default for p in params if p.default is not MISSING}
        self._mutable = [n for n, d in self._defaults.items() if isinstance(d, (list, dict, set))]
        self._readers = tuple(_readers(fields))
        self._validate = _validator(fields, place) if fields else None
        self._parts = tuple((p.name, self._part(p)) for p in others)
        self._fewer: dict[frozenset[str], Binder] = {}

    def __call__(self, request: Request, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of the view; those in *given* (path, hooks) win.

        Raises RequestFault 422 with every wrong value, 400 for bad JSON, 415 for a
        body of another type; NotFound for a path argument that fits no annotation.
        """
        if given and not self._names.isdisjoint(given):
            return self._without(self._names.intersection(given))(request, given)
        raw: Raw = {name: given[name] for name in self._path} if self._path else {}
        for read in self._readers:
            read(request, raw)
        bound = {**given, **self._defaults}
        for name in self._mutable:
            bound[name] = copy(bound[name])
        wrong: list[dict[str, Any]] = []
        if self._validate is not None:
            try:
                bound.update(self._validate(raw))
            except ValidationError as error:
                wrong = self._complaints(error)
        if self._parts:
            self._bind_parts(request, bound, wrong)
        if wrong:
            raise invalid(wrong)
        return bound

    def _bind_parts(self, request: Request, bound: Raw, wrong: list[dict[str, Any]]) -> None:
        for name, part in self._parts:
            try:
                value = part(request)
            except Wrong as error:
                wrong += error.complaints
            else:
                if value is not MISSING:
                    bound[name] = value

    def _complaints(self, error: ValidationError) -> list[dict[str, Any]]:
        found = of_pydantic(error)
        for one in found:
            name, *rest = one["loc"]
            one["loc"] = [*self._locs[name], *rest]
        if any(one["loc"][0] == "path" for one in found):
            raise NotFound
        return found

    def _without(self, names: frozenset[str]) -> Binder:
        """Return the binder for when a hook or a rule's default already gave *names*."""
        if names not in self._fewer:
            rest = [p for p in self.params if p.name not in names]
            self._fewer[names] = Binder(rest, self.place, self.guards)
        return self._fewer[names]

    def _part(self, param: Param) -> Part:
        if param.kind == "request":
            return lambda request: request
        if param.source == "file":
            return _file_reader(param)
        own: Part | None = getattr(bare(param.annotation), "__carboy_bind__", None)
        if own is not None:  # a Form reads a post in its own way
            return own
        with _explained(self.place, [param]):
            return BodyReader(param, understood(param.annotation), self.guards)


def _check_constraints(params: Sequence[Param], place: str) -> None:
    for param in params:
        for name, member in misfits(param.annotation):
            raise SetupError(
                "typed.constraint",
                f"{place}: {name!r} cannot hold for {param.name!r}, {formatannotation(member)}.",
                hint="Remove it, annotate another type, or put it on the items of a list:  "
                "list[Annotated[int, Field(ge=1)]]  with pydantic's Field.",
            )
        marker = hidden(param.annotation)
        if marker is not None:
            raise SetupError(
                "typed.hidden",
                f"{place}: {marker.source.title()}() stands inside the annotation of "
                f"{param.name!r}, where it has no effect.",
                hint="Put it outside:  Annotated[list[int], Query()]; for constraints on items "
                "use pydantic's Field:  list[Annotated[int, Field(ge=1)]].",
            )


def _validator(fields: Sequence[Param], place: str) -> Callable[[Raw], Raw]:
    """Return one validator for all *fields*: absent optional ones stay absent."""
    types = {p.name: understood(p.annotation) for p in fields}
    for param in fields:
        if not param.required:
            types[param.name] = NotRequired[types[param.name]]
    with _explained(place, fields):
        shape = make_shape("Input", types)
        shape.__pydantic_config__ = ConfigDict(allow_inf_nan=False)  # "nan" is no number here
        validate: Callable[[Raw], Raw] = compiled(shape).validate_python
        return validate


def understood(annotation: Any) -> Any:
    """Return the annotation with our constraints as a pydantic Field."""
    if typing.get_origin(annotation) is not Annotated:
        return annotation
    base, *rest = typing.get_args(annotation)
    rest = [Field(**item.constraints) if isinstance(item, Marker) else item for item in rest]
    return Annotated[(understood(base), *rest)]


@contextlib.contextmanager
def _explained(place: str, params: Sequence[Param]) -> Iterator[None]:
    """Turn pydantic's complaint about an annotation into a SetupError with its place."""
    try:
        yield
    except (PydanticUserError, TypeError, NameError, ValueError, RuntimeError) as error:
        names = ", ".join(f"{p.name}: {formatannotation(p.annotation)}" for p in params)
        why = str(error).split("\n")[0]
        raise SetupError(
            "typed.schema",
            f"{place}: no validator can be made for {names}.",
            hint=f"pydantic says: {why}",
        ) from error


def _readers(fields: Sequence[Param]) -> Iterable[Read]:
    """Yield one reader for each part of the request that the fields come from."""
    for source, reader in READERS.items():
        mine = [p for p in fields if p.source == source]
        wanted = Slots({p.alias: slot_for(p.name, p.annotation) for p in mine})
        if wanted:
            yield reader(wanted)


def _query_reader(slots: Slots) -> Read:
    def read(request: Request, raw: Raw) -> None:
        text = request.environ.get("QUERY_STRING", "")
        if not text:
            return
        # PERF: 1 us in place of 10; the MultiDict is made only when somebody asks for it
        if (
            "%" in text
            or "+" in text
            or not text.isascii()
            or "args" in request.__dict__
            or type(request).args is not args_of_werkzeug
        ):
            slots.fill(query_pairs(request), raw)
            return
        for pair in text.split("&"):
            name, _, value = pair.partition("=")
            slot = slots.get(name)
            if slot is not None and pair:
                put(slot, value, raw)

    return read


def _header_reader(slots: Slots) -> Read:
    wanted = [(_environ_name(name), slot) for name, slot in slots.items()]

    def read(request: Request, raw: Raw) -> None:
        environ = request.environ
        for key, slot in wanted:
            text = environ.get(key)
            if text is not None:
                for item in text.split(",") if slot.many else (text,):
                    put(slot, item.strip() if slot.many else item, raw)

    return read


def _environ_name(header: str) -> str:
    name = header.upper().replace("-", "_")
    return name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"


def _cookie_reader(slots: Slots) -> Read:
    return lambda request, raw: slots.fill(request.cookies.items(multi=True), raw)


def _form_reader(slots: Slots) -> Read:
    def read(request: Request, raw: Raw) -> None:
        if has_body(request) and request.mimetype not in FORMS:
            raise type_refused(FORMS)
        slots.fill(request.form.items(multi=True), raw)

    return read


READERS: dict[str, Callable[[Slots], Read]] = {
    "query": _query_reader,
    "header": _header_reader,
    "cookie": _cookie_reader,
    "form": _form_reader,
}


def _file_reader(param: Param) -> Part:
    """Return what reads an upload; a file input left empty counts as not sent."""

    def read(request: Request) -> Any:
        if has_body(request) and request.mimetype not in FORMS:
            raise type_refused(FORMS[::-1])
        files = [file for file in request.files.getlist(param.alias) if file]
        if files:
            return files if param.kind == "files" else files[0]
        if param.required:
            raise Wrong([complaint(("file", param.alias), "missing", "A file is required.")])
        return param.default

    return read
