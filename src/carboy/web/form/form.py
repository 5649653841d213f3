"""Forms written by hand: a class says the fields, the rules and how they look.

    class Contact(Form):
        email: EmailStr
        message: Text

    form = Contact.bind()        GET: blank; POST: what was sent, judged
    def view(contact: Contact)   the validated object, or 422 with every error

`Form(...)` called on the base itself is the marker of a view's parameter, as in
`Annotated[str, Form()]`.
"""

from __future__ import annotations

import datetime as dt
import enum
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal
from uuid import UUID

from flask import request
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from werkzeug.datastructures import FileStorage

from carboy.base.errors import RequestFault
from carboy.engine import params
from carboy.engine.bodies import FORMS, Wrong, has_body
from carboy.engine.complaints import complaint, type_refused
from carboy.engine.signatures import bare
from carboy.web.form.bound import BoundForm
from carboy.web.form.spec import Choices, FieldSpec, FormSpec

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

__all__ = ["Control", "Form", "Text"]

SPEC = "_carboy_form_spec"  # attribute of a Form class, its own


@dataclass(frozen=True)
class Control:
    """How a field looks, in its annotation: ``Annotated[str, Control("Name", unit="kg")]``.

    The rules are pydantic's, ``Field(max_length=80)``. The arguments are those of FieldSpec.
    """

    label: str = ""
    _: KW_ONLY
    kind: str = ""
    widget: str = ""
    help: str = ""
    unit: str = ""
    placeholder: str = ""
    autocomplete: str = ""
    accept: str = ""
    message: str = ""
    readonly: bool = False
    most_bytes: int | None = None
    choices: Choices | Iterable[Any] = ()


Text = Annotated[str, Field(max_length=10_000), Control(widget="textarea")]
"""Text of several lines."""


if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(BaseModel)  # where pydantic keeps it is its own affair


class _FormMeta(ModelMetaclass):
    def __call__(cls, *given: Any, **values: Any) -> Any:
        """Make an object of a form; of `Form` itself, the marker of a parameter."""
        if cls.__module__ == __name__ and cls.__qualname__ == "Form":
            return params.Form(*given, **values)
        return super().__call__(*given, **values)


class Form(BaseModel, metaclass=_FormMeta):
    """A form: a pydantic class that can be shown, posted and judged. Unknown fields are refused.

    Raises TypeError for a field that no control can show.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=True
    )

    if TYPE_CHECKING:  # what the metaclass does, in words that type checkers know

        def __new__(cls, *given: Any, **values: Any) -> Any:
            """Make an object of a form; of `Form` itself, the marker of a parameter."""

    @classmethod
    def spec(cls) -> FormSpec:
        """Return what controls need to know, made at the first call."""
        found: FormSpec | None = cls.__dict__.get(SPEC)
        if found is None:
            name = cls.__name__.lower()
            found = FormSpec(name, tuple(_fields(cls)), cls)
            type.__setattr__(cls, SPEC, found)
        return found

    @classmethod
    def bind(cls, values: Mapping[str, Any] | None = None) -> BoundForm:
        """Return the form in this request: blank or with *values* on GET, else as posted."""
        if request.method not in ("POST", "PUT", "PATCH"):
            return BoundForm(cls.spec(), values)
        return BoundForm(cls.spec(), values, posted=request.form, files=request.files)

    @classmethod
    def __carboy_bind__(cls, sent: Any) -> Any:
        """Return the validated object for a view's parameter.

        Raises Wrong with every error, RequestFault 415 for a body that is no form.
        """
        if has_body(sent) and sent.mimetype not in FORMS:
            raise type_refused(FORMS)
        form = BoundForm(cls.spec(), posted=sent.form, files=sent.files)
        if form.valid:
            return form.model
        told = [(name, text) for name, texts in form.errors.items() for text in texts]
        told += [("", text) for text in form.form_errors]
        if not told:
            raise RequestFault(400, "forms.button", "A button for the page itself was pressed.")
        raise Wrong([complaint(("form", name) if name else ("form",), "form", text)
                     for name, text in told])  # fmt: skip


def _fields(cls: type[BaseModel]) -> Iterable[FieldSpec]:
    for name, info in cls.model_fields.items():
        yield _spec(cls, name, info)


def _spec(cls: type[BaseModel], name: str, info: FieldInfo) -> FieldSpec:
    annotation, inner = _stripped(info.annotation)
    metadata = [*info.metadata, *inner]
    item, multiple = _item(annotation)
    control = next((one for one in metadata if isinstance(one, Control)), Control())
    rules = _rules(metadata)
    rows = tuple(_fields(item)) if multiple and _is_model(item) else ()
    choices: Any = control.choices
    if not isinstance(choices, Choices):
        choices = tuple(map(_pair, choices)) or _choices(item)
    kind = control.kind or ("rows" if rows else _kind(item, choices))
    if not kind:
        raise TypeError(
            f"{cls.__qualname__}.{name}: no control can show {info.annotation!r}. "
            f"Say which kind it is: Annotated[..., Control(kind='text')]."
        )
    nullable = info.annotation is not None and _accepts_none(info.annotation)
    required = info.is_required() and not nullable
    if multiple:
        required = required and bool(rules.get("min_length"))
    return FieldSpec(
        name=name, kind=kind, label=control.label or info.title or _label(name),
        widget=control.widget or _widget(name, item), help=control.help or info.description or "",
        unit=control.unit, placeholder=control.placeholder, required=required,
        max_length=control.most_bytes if kind in ("file", "image") else rules.get("max_length"),
        min_length=rules.get("min_length"), ge=rules.get("ge"), le=rules.get("le"),
        pattern=rules.get("pattern") or "", places=rules.get("decimal_places"),
        multiple=multiple and not rows, readonly=control.readonly, accept=control.accept,
        autocomplete=control.autocomplete or _autocomplete(name, item), choices=choices,
        message=control.message, fields=rows,
    )  # fmt: skip


def _stripped(annotation: Any) -> tuple[Any, list[Any]]:
    """Return the type without None and Annotated, and what Annotated said."""
    found: list[Any] = []
    while True:
        if typing.get_origin(annotation) is Annotated:
            annotation, *more = typing.get_args(annotation)
            found += more
        elif typing.get_origin(annotation) in (typing.Union, types.UnionType):
            rest = [one for one in typing.get_args(annotation) if one is not type(None)]
            if len(rest) != 1:
                return annotation, found
            annotation = rest[0]
        else:
            return bare(annotation), found


def _accepts_none(annotation: Any) -> bool:
    if typing.get_origin(annotation) is Annotated:
        return _accepts_none(typing.get_args(annotation)[0])
    return type(None) in typing.get_args(annotation)


def _item(annotation: Any) -> tuple[Any, bool]:
    """Return the type of one value, and whether there may be several."""
    if typing.get_origin(annotation) in (list, set, frozenset, tuple):
        return _stripped(typing.get_args(annotation)[0])[0], True
    return annotation, False


def _rules(metadata: Iterable[Any]) -> dict[str, Any]:
    """Return the constraints in *metadata*: annotated_types, pydantic's own, a FieldInfo."""
    found: dict[str, Any] = {}
    for one in metadata:
        if hasattr(one, "metadata"):
            found |= _rules(one.metadata)
        for name in ("max_length", "min_length", "ge", "le", "pattern", "decimal_places"):
            value = getattr(one, name, None)
            if value is not None and not isinstance(one, Control):
                found[name] = getattr(value, "pattern", value)
    return found


def _is_model(cls: Any) -> bool:
    return isinstance(cls, type) and issubclass(cls, BaseModel)


def _choices(item: Any) -> tuple[tuple[Any, str], ...]:
    if typing.get_origin(item) is Literal and typing.get_args(item) != (True,):
        return tuple(map(_pair, typing.get_args(item)))
    if isinstance(item, type) and issubclass(item, enum.Enum):
        return tuple((member, _label(member.name.lower())) for member in item)
    return ()


def _pair(choice: Any) -> tuple[Any, str]:
    if isinstance(choice, tuple) and len(choice) == 2:
        return choice[0], str(choice[1])
    return choice, str(choice)


def _kind(item: Any, choices: Any) -> str:
    if choices or not isinstance(choices, tuple):
        return "choice"
    if typing.get_args(item) == (True,):
        return "boolean"  # Literal[True]: a box that must be ticked
    item = typing.get_origin(item) or item
    if not isinstance(item, type):
        return ""
    return next((kind for cls, kind in KINDS if issubclass(item, cls)), _by_name(item))


KINDS: tuple[tuple[type, str], ...] = (
    (bool, "boolean"), (int, "integer"), (float, "number"), (Decimal, "decimal"), (str, "text"),
    (SecretStr, "text"), (dt.datetime, "datetime"), (dt.date, "date"), (dt.time, "time"),
    (UUID, "uuid"), (FileStorage, "file"), (dict, "json"),
)  # fmt: skip


def _by_name(cls: type) -> str:
    """Return the kind of a type that pydantic reads from text, such as EmailStr or HttpUrl."""
    return "text" if cls.__module__.startswith("pydantic") else ""


def _widget(name: str, item: Any) -> str:
    written = getattr(item, "__name__", "")
    if written in ("EmailStr", "NameEmail"):
        return "email"
    if written.endswith("Url"):
        return "url"
    return "password" if item is SecretStr else ""


COMPLETE = {
    "name": "name", "phone": "tel", "telephone": "tel", "street": "street-address",
    "city": "address-level2", "town": "address-level2", "postcode": "postal-code",
    "country": "country-name",
}  # fmt: skip


def _autocomplete(name: str, item: Any) -> str:
    return "email" if _widget(name, item) == "email" else COMPLETE.get(name, "")


def _label(name: str) -> str:
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]
