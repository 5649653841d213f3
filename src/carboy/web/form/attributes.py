"""What tells a browser of the constraints of a field, from the same FieldSpec as the schema.

    FieldSpec, widget  ->  attributes()  ->  type required maxlength min max step pattern ...

Made once for each field: they never change.
"""

from __future__ import annotations

from string import ascii_letters, digits
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from carboy.web.form.spec import FILES
from carboy.web.form.values import shown

if TYPE_CHECKING:
    from carboy.web.form.spec import FieldSpec

__all__ = ["INPUTS", "attributes"]

TYPES = {
    "integer": "number", "date": "date", "datetime": "datetime-local", "time": "time",
    "decimal": "text", "number": "text", "file": "file", "image": "file",
}  # fmt: skip
INPUTS = frozenset({"email", "password", "search", "tel", "url", "color", "number", "range",
                    "hidden", "date", "datetime", "time"})  # fmt: skip
IMAGES = "image/jpeg,image/png,image/gif,image/webp,image/avif"


def attributes(spec: FieldSpec, widget: str) -> Markup:
    """Return the attributes of a control that follow from *spec*, each with a space before."""
    made: Markup | None = spec.__dict__.get(f"_carboy_{widget}")
    if made is None:
        found = _attributes(spec, widget)
        made = Markup("").join(
            Markup(" ") + name if value is True else Markup(' {}="{}"').format(name, value)
            for name, value in found.items()
            if value not in (None, "", False)
        )
        spec.__dict__[f"_carboy_{widget}"] = made
    return made


def _attributes(spec: FieldSpec, widget: str) -> dict[str, Any]:
    boxed = widget in ("checkbox", "switch", "radio", "pills", "checkboxes")
    found: dict[str, Any] = {
        "required": spec.required and spec.kind != "boolean" and widget != "checkboxes",
        "readonly": spec.readonly and not boxed and widget != "select",
        "disabled": spec.readonly and (boxed or widget == "select"),
    }
    if boxed or widget == "hidden":
        return {} if widget == "hidden" else found
    if widget in ("select", "combo"):
        return {**found, "multiple": spec.multiple, "autocomplete": spec.autocomplete}
    if widget != "textarea":
        found["type"] = _type(spec, widget)
    if spec.kind in FILES:
        accept = spec.accept or (IMAGES if spec.kind == "image" else "")
        return {**found, "accept": accept, "multiple": spec.multiple}
    return {**found, **_hints(spec, found.get("type", ""))}


def _type(spec: FieldSpec, widget: str) -> str:
    if widget in INPUTS:
        return {"datetime": "datetime-local"}.get(widget, widget)
    return TYPES.get(spec.kind, "text")


def _hints(spec: FieldSpec, kind: str) -> dict[str, Any]:
    """Return what tells the browser of the constraints."""
    known = "current-password" if kind == "password" else ""  # a new one is said: new-password
    found: dict[str, Any] = {"autocomplete": spec.autocomplete or known}
    if spec.kind == "text":
        found |= {"maxlength": spec.max_length, "minlength": spec.min_length or None}
        if kind and _is_common(spec.pattern):
            found["pattern"] = spec.pattern
    if spec.kind in ("integer", "decimal", "number") and kind == "text":
        found["inputmode"] = "numeric" if spec.kind == "integer" else "decimal"
    elif kind in ("number", "range", "date", "datetime-local", "time"):
        found |= {"min": _limit(spec, spec.ge), "max": _limit(spec, spec.le)}
        found["step"] = _step(spec, kind)
    return found


def _limit(spec: FieldSpec, value: Any) -> str | None:
    if value is None:
        return None
    return shown(spec, value) if spec.kind in ("datetime", "time", "date") else str(value)


def _step(spec: FieldSpec, kind: str) -> str | None:
    if kind in ("datetime-local", "time"):
        return "any"
    if spec.kind == "decimal" and spec.places is not None:
        return f"0.{'0' * (spec.places - 1)}1" if spec.places else "1"
    return "any" if spec.kind in ("decimal", "number") else None


PLAIN = frozenset(f"{ascii_letters}{digits} @_#:,;+*?{{}}[]()|-^$.\\")


def _is_common(pattern: str) -> bool:
    """Tell whether *pattern* means the same to Python and to a browser.

    Classes with signs and groups with options are written differently there.
    """
    if not pattern or not PLAIN.issuperset(pattern) or "(?" in pattern:
        return False
    try:
        escapes = {pattern[n + 1] for n, sign in enumerate(pattern) if sign == "\\"}
    except IndexError:
        return False
    inside = [part.split("]")[0] for part in pattern.split("[")[1:]]
    plain = all(one.replace("-", "").replace("^", "").isalnum() for one in inside)
    return plain and escapes <= set("d.+*?()[]{}|$^\\")
