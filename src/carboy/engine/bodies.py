"""One body parameter: JSON or a form, into a model, with all errors.

    content type  ->  JSON   guards, then strict validation of the bytes
                      form   texts by field, then lax validation ("5" is 5)
                      none   the default, else "required"
                      other  415

JSON is strict because its types are stated ("5" is not 5); a form has only text.
Models are pydantic models, dataclasses, typed dicts, or msgspec Structs; the
latter stop at the first error, as msgspec does.
"""

from __future__ import annotations

import dataclasses
import re
import sys
import typing
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel, TypeAdapter, ValidationError

from carboy.base.errors import RequestFault
from carboy.engine.complaints import complaint, json_refused, of_pydantic, type_refused
from carboy.engine.signatures import bare
from carboy.engine.texts import UNIONS, Slots, slot_for

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

    from carboy.engine.jsons import Guard
    from carboy.engine.params import Param

__all__ = ["FORMS", "JSON", "BodyReader", "Wrong", "compiled", "has_body", "query_pairs"]

JSON = "application/json"
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
SAFE_METHODS = ("GET", "HEAD")

Complaints = list[dict[str, Any]]


class Wrong(Exception):
    """A part of the request is wrong; *complaints* say how."""

    def __init__(self, complaints: Complaints) -> None:
        super().__init__(complaints)
        self.complaints = complaints


class Codec(Protocol):
    """Validates what a body holds; raises Wrong, or a RequestFault for bad JSON."""

    def json(self, data: bytes) -> Any: ...
    def fields(self, values: dict[str, Any], source: str) -> Any: ...


class BodyReader:
    """Reads one body parameter.

    param: of source "body", or "form" or "query" with a model.
    guards: called with the bytes of a JSON body before it is parsed.
    """

    def __init__(self, param: Param, annotation: Any, guards: Sequence[Guard]) -> None:
        self.default = param.default
        self.required = param.required
        self.guards = guards
        self.codec: Codec = _Struct(annotation) if _is_struct(annotation) else _Model(annotation)
        self.form = _Form(annotation) if param.kind == "model" else None
        self.accepted = _accepted(param)
        self.auto = param.kind == "model" and param.source == "body" and not param.stated
        self.query = param.source == "query"

    def __call__(self, request: Request) -> Any:
        """Return the value, MISSING when the view's own default applies.

        Raises Wrong for wrong values, RequestFault 400 for bad JSON, 415.
        """
        if self.query or (self.auto and request.method in SAFE_METHODS):
            return self._from_query(request)
        if not has_body(request):
            if self.required:
                raise Wrong([complaint(("body",), "missing", "A body is required.")])
            return self.default
        kind = request.environ.get("CONTENT_TYPE")
        if kind != JSON:  # PERF: parsing the header takes longer than reading a small body
            kind = request.mimetype
        if (kind == JSON or kind.endswith("+json")) and JSON in self.accepted:
            return self._from_json(request.get_data())
        if kind in FORMS and self.form is not None and kind in self.accepted:
            texts = self.form.texts(request.form.items(multi=True))
            return self.codec.fields(self.form.completed(texts, request.files), "form")
        raise type_refused(self.accepted)

    def _from_query(self, request: Request) -> Any:
        assert self.form is not None  # signatures.ACCEPTS: only models come from a query
        texts = self.form.texts(query_pairs(request))
        if not texts and not self.required:
            return self.default
        return self.codec.fields(texts, "query")

    def _from_json(self, data: bytes) -> Any:
        for guard in self.guards:
            guard(data)
        return self.codec.json(data)


def has_body(request: Request) -> bool:
    """Return whether the request came with a body; RFC 9112 section 6."""
    environ = request.environ
    length = environ.get("CONTENT_LENGTH")
    return length not in (None, "", "0") or "HTTP_TRANSFER_ENCODING" in environ


def query_pairs(request: Request) -> Iterable[tuple[str, str]]:
    """Return the names and texts of the query string, in its order.

    Raises RequestFault 400 for raw bytes that are no UTF-8 (RFC 3986 allows none).
    """
    try:
        return request.args.items(multi=True)
    except UnicodeDecodeError:
        raise RequestFault(
            400, "typed.query", "The query string is not UTF-8.", hint="Percent-encode it."
        ) from None


def _accepted(param: Param) -> tuple[str, ...]:
    if param.source == "form":
        return FORMS
    return (JSON,) if param.stated or param.kind != "model" else (JSON, *FORMS)


def compiled(annotation: Any) -> Any:
    """Return pydantic-core's validator for *annotation*.

    Raises what pydantic does for what it does not understand, unknown names in a
    model included, which it would otherwise report at the first value.
    """
    adapter = TypeAdapter(annotation)
    if not adapter.pydantic_complete:
        adapter.rebuild(raise_errors=True)
    return adapter.validator


class _Model:
    """Anything pydantic understands."""

    def __init__(self, annotation: Any) -> None:
        self.validator = compiled(annotation)

    def json(self, data: bytes) -> Any:
        try:
            return self.validator.validate_json(data, strict=True)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            if first["type"] == "json_invalid":
                raise json_refused(first["ctx"]["error"]) from None
            raise Wrong(of_pydantic(error, ("body",))) from None

    def fields(self, values: dict[str, Any], source: str) -> Any:
        try:
            return self.validator.validate_python(values)
        except ValidationError as error:
            raise Wrong(of_pydantic(error, (source,))) from None


class _Struct:
    """A msgspec Struct, or a list of them."""

    def __init__(self, annotation: Any) -> None:
        import msgspec  # the user has imported it, to make the Struct

        self.msgspec = msgspec
        self.type = annotation
        self.decode = msgspec.json.Decoder(annotation, strict=True).decode

    def json(self, data: bytes) -> Any:
        try:
            return self.decode(data)
        except self.msgspec.ValidationError as error:
            raise Wrong([_of_msgspec(error, "body")]) from None
        except (self.msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise json_refused(_malformed(error)) from None

    def fields(self, values: dict[str, Any], source: str) -> Any:
        try:
            return self.msgspec.convert(values, self.type, strict=False)
        except self.msgspec.ValidationError as error:
            raise Wrong([_of_msgspec(error, source)]) from None


def _malformed(error: Exception) -> str:
    """Return position and kind of a JSON error in msgspec's words, without input."""
    if isinstance(error, (UnicodeDecodeError, RecursionError)):
        return "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else "nested too deeply"
    return str(error).removeprefix("JSON is malformed: ")


_AT = re.compile(r"(?P<say>.*?)(?: - at `(?P<path>.*)`)?", re.DOTALL)


def _of_msgspec(error: Exception, source: str) -> dict[str, Any]:
    """Return the one error msgspec reports; its path `$.a[0].b` becomes steps."""
    match = _AT.fullmatch(str(error))
    assert match is not None  # the pattern takes any text
    say, path = match["say"], match["path"] or "$"
    if say.startswith("Invalid enum value"):
        say = "Is not one of the allowed values."  # msgspec's text repeats the input
    return complaint((source, *re.findall(r"[^.$\[\]]+", path)), "value", say)


class _Form:
    """How the fields of a model are filled from texts."""

    def __init__(self, annotation: Any) -> None:
        self.slots = Slots()
        self.absent: dict[str, Any] = {}
        for field in _fields(annotation):
            for name in field.names:
                self.slots[name] = slot_for(name, field.annotation)
            if field.required:
                self._note_absent(field)

    def _note_absent(self, field: _Field) -> None:
        """Note what "not sent" means: HTML sends no unticked box and no empty choice."""
        if bare(field.annotation) is bool:
            self.absent[field.names[0]] = False
        elif self.slots[field.names[0]].many:
            self.absent[field.names[0]] = []

    def texts(self, pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
        """Return the texts by field, unknown names too: the model judges them."""
        pairs = [*pairs]
        raw: dict[str, Any] = {}
        self.slots.fill(pairs, raw)
        for name, text in pairs:
            if name not in self.slots:
                raw.setdefault(name, text)
        return raw

    def completed(self, raw: dict[str, Any], files: Any) -> dict[str, Any]:
        """Return *raw* with the uploads, and with what unticked boxes mean."""
        for name in files:
            slot = self.slots.get(name)
            sent = [file for file in files.getlist(name) if file]
            if sent:
                raw.setdefault(name, sent if slot and slot.many else sent[0])
        for name, value in self.absent.items():
            raw.setdefault(name, value)
        return raw


class _Field(typing.NamedTuple):
    names: tuple[str, ...]  # as the request may call it, the preferred one first
    annotation: Any
    required: bool


def _fields(annotation: Any) -> Iterable[_Field]:
    """Yield the fields of the model in *annotation* (Optional and Annotated are seen through)."""
    cls = _model_class(annotation)
    if issubclass(cls, BaseModel):
        for name, info in cls.model_fields.items():
            yield _Field(_names(cls, name, info), info.annotation, info.is_required())
    elif _is_struct(cls):
        for field in sys.modules["msgspec"].structs.fields(cls):
            yield _Field((field.encode_name,), field.type, field.required)
    else:
        required = _required(cls)
        for name, hint in typing.get_type_hints(cls, include_extras=True).items():
            yield _Field((name,), hint, name in required)


def _required(cls: type[Any]) -> Collection[str]:
    """Return the names without a default, of a dataclass or a typed dict."""
    if not dataclasses.is_dataclass(cls):
        return cls.__required_keys__  # type: ignore[no-any-return]  # a typed dict
    absent = dataclasses.MISSING
    return {f.name for f in dataclasses.fields(cls) if f.default is f.default_factory is absent}


def _names(cls: type[BaseModel], name: str, info: Any) -> tuple[str, ...]:
    alias = info.validation_alias or info.alias
    if not isinstance(alias, str):
        choices = getattr(alias, "choices", ())
        return (*(choice for choice in choices if isinstance(choice, str)), name)
    by_name = cls.model_config.get("populate_by_name") or cls.model_config.get("validate_by_name")
    return (alias, name) if by_name else (alias,)


def _model_class(annotation: Any) -> type[Any]:
    plain = bare(annotation)
    if typing.get_origin(plain) in UNIONS:
        plain = bare(next(arg for arg in typing.get_args(plain) if arg is not type(None)))
    return typing.cast("type[Any]", typing.get_origin(plain) or plain)


def _is_struct(annotation: Any) -> bool:
    module = sys.modules.get("msgspec")
    if module is None:
        return False
    plain = bare(annotation)
    if isinstance(plain, type) and issubclass(plain, module.Struct):
        return True
    return any(_is_struct(arg) for arg in typing.get_args(plain))
