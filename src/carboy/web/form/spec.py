"""What a form is before anybody fills it: its fields, said once.

    FieldSpec   one control: its label, kind, bounds, choices
    FormSpec    the controls of a form, and the pydantic class that judges them

A resource makes these from a model, `Form` from a class that is written by hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from pydantic import BaseModel

__all__ = ["FEW", "FILES", "KINDS", "Choices", "FieldSpec", "FormSpec"]

KINDS = frozenset(
    {
        "text", "integer", "decimal", "number", "boolean", "date", "datetime", "time",
        "choice", "reference", "file", "image", "json", "uuid", "rows",
    }
)  # fmt: skip
FILES = ("file", "image")
FEW = 50  # options of a select; where there are more, one searches


@runtime_checkable
class Choices(Protocol):
    """Choices that are looked up: rows of a table, through the policy of who asks.

    One may also have `url`: where a page searches for more as one types.
    """

    def options(self, query: str, limit: int) -> list[tuple[Any, str]]:
        """Return at most *limit* (value, label) pairs that match *query*."""
        ...

    def label(self, value: Any) -> str | None:
        """Return the label of *value*; None when it is no choice for who asks."""
        ...


@dataclass(frozen=True, kw_only=True)
class FieldSpec:
    """What one control needs to know.

    kind: one of KINDS. widget: the template of the control; by kind when "".
    max_length, min_length: characters; of a file, bytes. ge, le: bounds, inclusive.
    places: of a decimal number. pattern: for the whole text; message: what to say when it
    does not match. accept: media types of a file, as in HTML.
    choices: (value, label) pairs, or an object of `Choices`.
    fields: for the kind "rows", the columns.
    """

    name: str
    label: str
    kind: str
    widget: str = ""
    required: bool = True
    help: str = ""
    unit: str = ""
    placeholder: str = ""
    max_length: int | None = None
    min_length: int | None = None
    ge: Any = None
    le: Any = None
    pattern: str = ""
    places: int | None = None
    multiple: bool = False
    readonly: bool = False
    autocomplete: str = ""
    accept: str = ""
    choices: Choices | tuple[tuple[Any, str], ...] = ()
    message: str = ""
    fields: tuple[FieldSpec, ...] = ()


@dataclass(frozen=True, eq=False)
class FormSpec:
    """The fields of a form, in their order, and the class that validates them together.

    name: begins the ids on the page. schema: refuses unknown fields.
    beside: more names that the page posts and others read, such as a version.
    """

    name: str
    fields: tuple[FieldSpec, ...]
    schema: type[BaseModel]
    beside: tuple[str, ...] = ()
