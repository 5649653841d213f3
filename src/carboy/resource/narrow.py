"""Controls that narrow a list, one for each filter, after the kind of its field.

    choice, boolean    a select        number, date, moment    from, to
    reference          a select, when there are few            text    contains

Their names are the filters' own: "price_cents.ge", so the form needs no code to be read.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect

from carboy.resource.choices import FEW, choices_of

if TYPE_CHECKING:
    from carboy.data.fields import Field
    from carboy.resource.plan import Plan

__all__ = ["Control", "controls"]

RANGES = {"integer": "number", "number": "number", "decimal": "number",
          "date": "date", "datetime": "datetime-local", "time": "time"}  # fmt: skip
MOST = 8  # controls on a page; the address takes all filters


@dataclass(frozen=True)
class Control:
    """One control. kind: "select" or "range" or "text"; type: of the inputs.

    names: of its one or two inputs. values: what is in them. options: (value, label) pairs.
    """

    label: str
    kind: str
    names: tuple[str, ...]
    values: tuple[str, ...]
    type: str = "text"
    options: tuple[tuple[str, str], ...] = ()

    @property
    def used(self) -> bool:
        """Whether it narrows the list now."""
        return any(self.values)


def controls(plan: Plan, args: Any) -> tuple[Control, ...]:
    """Return the controls of a list, with what *args* put into them."""
    found: list[Control] = []
    for made in _controls(plan, args):
        if made is not None and (len(found) < MOST or made.used):
            found.append(made)
    return tuple(found)


def _controls(plan: Plan, args: Any) -> Iterator[Control | None]:
    own = {one.relation: one for one in plan.fields.values() if one.relation} | dict(plan.fields)
    for name in plan.filters.names:
        field = own.get(name)
        if field is not None and not (field.key and field.automatic):
            yield _control(plan, name, field, args)


def _control(plan: Plan, name: str, field: Field, args: Any) -> Control | None:
    label = field.label.removesuffix(" id") if field.relation else field.label
    if field.choices:
        options = tuple((_text(value), said) for value, said in field.choices)
        return Control(label, "select", (name,), (args.get(name, ""),), options=options)
    if field.kind == "boolean":
        options = (("true", "Yes"), ("false", "No"))
        return Control(label, "select", (name,), (args.get(name, ""),), options=options)
    if field.kind == "reference":
        return _reference(plan, name, label, args)
    if field.kind in RANGES:
        names = (f"{name}.ge", f"{name}.le")
        values = (args.get(names[0], ""), args.get(names[1], ""))
        if field.write == "never" and not any(values):
            return None  # when it was created: asked in the address, seldom on the page
        return Control(label, "range", names, values, RANGES[field.kind])
    if field.kind == "text" and not plan.searched:
        name = f"{name}.contains"
        return Control(label, "text", (name,), (args.get(name, ""),))
    return None


def _reference(plan: Plan, name: str, label: str, args: Any) -> Control | None:
    target: Any = inspect(plan.model).relationships[name].mapper.class_
    found = choices_of(target).options("", FEW + 1)
    if len(found) > FEW:
        return None
    options = tuple((str(value), said) for value, said in found)
    return Control(label, "select", (name,), (args.get(name, ""),), options=options)


def _text(value: Any) -> str:
    return str(value.value if isinstance(value, enum.Enum) else value)
