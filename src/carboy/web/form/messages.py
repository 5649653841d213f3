"""What is wrong with a field, in one sentence, in the language of the request.

    sentence(spec, "max_length")          a rule of ours
    of_pydantic(spec, error)         an error of pydantic's, by its type

In English these are the sentences of `data.fields.message`: the same in the form, in the
API and from the database. What was typed is never repeated in them.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from carboy.web.i18n.formats import format_date, format_datetime, format_number, signs
from carboy.web.i18n.locales import current, in_locale
from carboy.web.i18n.texts import N_, _, gettext, ngettext

if TYPE_CHECKING:
    from carboy.web.form.spec import FieldSpec

__all__ = ["labels", "of_pydantic", "sentence", "translated", "unknown"]

MOST_LABELS = 20  # choices that a sentence lists
Ctx = Mapping[str, Any]


def sentence(spec: FieldSpec, rule: str, ctx: Ctx | None = None) -> str:
    """Return the sentence for a broken *rule* of a field.

    rule: as in `data.fields.message`, and those of forms: doubled, readonly, size, empty,
    image, media, email, url. ctx: bounds that *spec* does not have, under pydantic's names.
    """
    if rule == "pattern" and spec.message:
        return gettext(spec.message)
    return _SAYERS.get(rule, _other)(spec, gettext(spec.label), ctx or {})


def of_pydantic(spec: FieldSpec, error: Mapping[str, Any]) -> str:
    """Return the sentence for one entry of `ValidationError.errors()`."""
    kind = str(error["type"])
    if spec.kind == "text" and kind in ("too_short", "too_long"):  # of a SecretStr
        kind = {"too_short": "min_length", "too_long": "max_length"}[kind]
    if spec.kind == "boolean" and kind == "literal_error":  # a box that must be ticked
        kind = "required"
    if kind in _SAYERS:  # a PydanticCustomError with the name of a rule
        return sentence(spec, kind, error.get("ctx"))
    if kind == "value_error":
        text = str(error["msg"]).removeprefix("Value error, ")
        if "email address" in text and "ctx" in error and "reason" in error["ctx"]:
            return sentence(spec, "email")
        return gettext(text)  # as the author of the validator wrote it
    if kind == "assertion_error":
        return gettext(str(error["msg"]).removeprefix("Assertion failed, "))
    if kind.startswith("url_"):
        return sentence(spec, "url")
    return sentence(
        spec, RULES.get(kind, "type" if spec.kind != "text" else "form"), error.get("ctx")
    )


RULES = {
    "missing": "required", "string_type": "type", "string_unicode": "type",
    "string_too_long": "max_length", "string_too_short": "min_length",
    "string_pattern_mismatch": "pattern", "enum": "choice", "literal_error": "choice",
    "greater_than_equal": "ge", "less_than_equal": "le", "greater_than": "gt",
    "less_than": "lt", "multiple_of": "multiple_of", "too_short": "too_short",
    "too_long": "too_long", "date_past": "past", "date_future": "future",
    "datetime_past": "past", "datetime_future": "future",
}  # fmt: skip
"""pydantic's types of errors to our rules."""


def translated(spec: FieldSpec, text: str) -> str:
    """Return *text*, said by a model or the database, in the language of the request."""
    if current().name.startswith("en"):
        return text
    with in_locale("en"):
        rule = next((one for one in OF_MODELS if sentence(spec, one) == text), "")
    return sentence(spec, rule) if rule else gettext(text)


OF_MODELS = ("required", "type", "min_length", "max_length", "ge", "le", "pattern", "choice",
             "unique", "exists")  # fmt: skip


def unknown(name: str) -> str:
    """Return what to say of a posted *name* that no field has."""
    return _("There is no field %(name)s here.", name=repr(name[:80]))


def labels(spec: FieldSpec) -> list[str]:
    """Return what the choices of a field are called."""
    if not isinstance(spec.choices, tuple):
        return []
    return [gettext(label) for _value, label in spec.choices[:MOST_LABELS]]


def _required(spec: FieldSpec, label: str, ctx: Ctx) -> str:
    return _("%(label)s is needed.", label=label)


def _type(spec: FieldSpec, label: str, ctx: Ctx) -> str:
    return gettext(TYPES.get(spec.kind, OTHER), label=label)


OTHER = N_("%(label)s must be another kind of value.")
TYPES = {
    "boolean": N_("%(label)s must be true or false."),
    "integer": N_("%(label)s must be a whole number of 64 bits."),
    "number": N_("%(label)s must be a finite number."),
    "text": N_("%(label)s must be text without NUL characters."),
    "datetime": N_("%(label)s must be a date and a time, as in 2026-05-01T12:00."),
    "date": N_("%(label)s must be a date, as in 2026-05-01."),
    "time": N_("%(label)s must be a time of day without zone, as in 12:30."),
    "uuid": N_("%(label)s must be a UUID."),
    "json": N_("%(label)s must be what JSON can hold."),
    "file": N_("%(label)s must be a file."),
    "image": N_("%(label)s must be an image."),
    "decimal": N_("%(label)s must be an exact number that fits its places."),
    "reference": N_("%(label)s must be the key of a row."),
    "rows": N_("%(label)s must be a list."),
}


def _min_length(spec: FieldSpec, label: str, ctx: Ctx) -> str:
    count = ctx.get("min_length") or spec.min_length or 0
    return ngettext(
        "%(label)s must have at least %(num)s character.",
        "%(label)s must have at least %(num)s characters.",
        count, label=label,
    )  # fmt: skip


def _max_length(spec: FieldSpec, label: str, ctx: Ctx) -> str:
    count = ctx.get("max_length") or spec.max_length
    if not count:
        return _("%(label)s is too long.", label=label)
    return ngettext(
        "%(label)s must have at most %(num)s character.",
        "%(label)s must have at most %(num)s characters.",
        count, label=label,
    )  # fmt: skip


def _ge(spec: FieldSpec, label: str, ctx: Ctx) -> str:
    bound = _bound(spec, ctx.get("ge", spec.ge))
    return _("%(label)s must be at least %(bound)s.", label=label, bound=bound)


def _le(spec: FieldSpec, label: str, ctx: Ctx) -> str:
    bound = _bound(spec, ctx.get("le", spec.le))
    return _("%(label)s must be at most %(bound)s.", label=label, bound=bound)


def _gt(spec: FieldSpec, label: str, ctx: Ctx) -> str:
    bound = _bound(spec, ctx.get("gt"))
    return _("%(label)s must be more than %(bound)s.", label=label, bound=bound)


def _lt(spec: FieldSpec, label: str, ctx: Ctx) -> str:
    bound = _bound(spec, ctx.get("lt"))
    return _("%(label)s must be less than %(bound)s.", label=label, bound=bound)


def _multiple_of(spec: FieldSpec, label: str, ctx: Ctx) -> str:
    bound = _bound(spec, ctx.get("multiple_of"))
    return _("%(label)s must be a multiple of %(bound)s.", label=label, bound=bound)


def _too_short(spec: FieldSpec, label: str, ctx: Ctx) -> str:
    return ngettext(
        "%(label)s: choose at least %(num)s.", "%(label)s: choose at least %(num)s.",
        ctx.get("min_length") or 1, label=label,
    )  # fmt: skip


def _too_long(spec: FieldSpec, label: str, ctx: Ctx) -> str:
    return ngettext(
        "%(label)s: choose at most %(num)s.", "%(label)s: choose at most %(num)s.",
        ctx.get("max_length") or 1, label=label,
    )  # fmt: skip


def _choice(spec: FieldSpec, label: str, ctx: Ctx) -> str:
    names = labels(spec)
    if not names or len(spec.choices) > MOST_LABELS:  # type: ignore[arg-type]  # a tuple then
        return _("%(label)s is not a valid choice.", label=label)
    return _("%(label)s must be one of %(labels)s.", label=label, labels=", ".join(names))


def _size(spec: FieldSpec, label: str, ctx: Ctx) -> str:
    return _("%(label)s must be at most %(size)s.", label=label, size=_bytes(spec.max_length or 0))


def _bytes(count: int) -> str:
    if count < 1_000:
        return ngettext("%(num)s byte", "%(num)s bytes", count)
    divisor, unit = (1_000, "kB") if count < 1_000_000 else (1_000_000, "MB")
    return f"{format_number(round(count / divisor, 1))} {unit}"


def _simply(text: str) -> Callable[[FieldSpec, str, Ctx], str]:
    return lambda spec, label, ctx: gettext(text, label=label)


_other = _simply(N_("%(label)s does not have the right form."))
_SAYERS: dict[str, Callable[[FieldSpec, str, Ctx], str]] = {
    "required": _required, "type": _type, "min_length": _min_length, "max_length": _max_length,
    "ge": _ge, "le": _le, "gt": _gt, "lt": _lt, "multiple_of": _multiple_of, "choice": _choice,
    "too_short": _too_short, "too_long": _too_long, "size": _size,
    "pattern": _other, "form": _other,
    "unique": _simply(N_("%(label)s is taken already.")),
    "exists": _simply(N_("%(label)s refers to something that does not exist.")),
    "doubled": _simply(N_("%(label)s was sent more than once.")),
    "readonly": _simply(N_("%(label)s cannot be changed.")),
    "empty": _simply(N_("%(label)s is an empty file.")),
    "media": _simply(N_("%(label)s is a file of another kind than is accepted here.")),
    "image": _simply(N_("%(label)s must be an image: JPEG, PNG, GIF, WebP or AVIF.")),
    "email": _simply(N_("%(label)s must be an e-mail address, as in name@example.org.")),
    "url": _simply(N_("%(label)s must be a web address, as in https://example.org.")),
    "past": _simply(N_("%(label)s must be in the past.")),
    "future": _simply(N_("%(label)s must be in the future.")),
}  # fmt: skip


def _bound(spec: FieldSpec, value: Any) -> str:
    """Return a bound with its unit; English as `data.fields` writes it."""
    unit = f" {gettext(spec.unit)}" if spec.unit else ""
    return f"{_shown(value)}{unit}"


def _shown(value: Any) -> str:
    if isinstance(value, enum.Enum):
        return str(value.value)
    if current().name.startswith("en"):
        return str(value)
    if isinstance(value, dt.datetime):
        return format_datetime(value)
    if isinstance(value, dt.date):
        return format_date(value)
    if isinstance(value, (float, Decimal)):
        return str(value).replace(".", signs(current().name)[0])  # not grouped: it may be a year
    return str(value)
