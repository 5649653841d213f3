"""Forms of a resource: the controls that follow from the fields of a model.

    form_of(plan, "create", names)   ->  FormSpec, made once for each set of names
    form_for(Book), form_for(book)   ->  the form of this request, bound: for views of one's own
    with saving(form) as session:    ->  a transaction; what it is refused for goes into the form

The constraints, the sentences and the schema are those of the API.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from flask import current_app, request, url_for
from sqlalchemy import inspect

from carboy.base.errors import RequestFault, SetupError
from carboy.data.db import db
from carboy.resource.choices import choices_of
from carboy.resource.may import settable
from carboy.resource.schemas import schema
from carboy.web.form.bound import BoundForm
from carboy.web.form.spec import FieldSpec, FormSpec

if TYPE_CHECKING:
    from carboy.data.fields import Field
    from carboy.data.session import DataSession
    from carboy.resource.plan import Plan
    from carboy.resource.schemas import Purpose

__all__ = ["answered", "bound", "form_for", "form_of", "home_of", "saving", "values_of"]

COMPLETE = {
    "email": "email", "name": "name", "phone": "tel", "street": "street-address",
    "city": "address-level2", "postcode": "postal-code", "country": "country-name",
}  # fmt: skip
"""Names of fields to what a browser fills in (HTML, "autofill field names")."""

LONG = 300  # characters; text that may be longer gets several lines


@lru_cache(maxsize=4096)
def form_of(plan: Plan, purpose: Purpose, names: tuple[str, ...]) -> FormSpec:
    """Return the form for *names*, the fields who asks may set."""
    fields = plan.model.facts().fields
    return FormSpec(
        name=plan.name,
        fields=tuple(_spec(plan, fields[name]) for name in names),
        schema=schema(plan, purpose, names),
        beside=("row_version",),
    )


def values_of(row: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """Return what is in the fields of *row*."""
    return {name: getattr(row, name) for name in names}


def answered(plan: Plan | None, form: BoundForm, error: RequestFault) -> None:
    """Put what saving was refused for beside the fields it is about."""
    names = {one.name for one in form.spec.fields}
    fields = {} if plan is None else plan.model.facts().fields
    by_column = {fields[name].column: name for name in names if name in fields}
    told = [(str(one["loc"][-1]), str(one["msg"])) for one in error.errors if one.get("loc")]
    for where, text in told:
        name = where if where in names else by_column.get(where, "")
        form.add_error(name, text)
    if not told:
        form.add_error("", error.message)


def bound(spec: FormSpec, values: dict[str, Any]) -> BoundForm:
    """Return the form of this request: what was posted, or *values*."""
    if request.method == "POST":
        return BoundForm(spec, values, posted=request.form, files=request.files)
    return BoundForm(spec, values)


def form_for(what: Any, *names: str) -> BoundForm:
    """Return the form of a resource for a view of one's own: of a model, or of a row of it.

    names: the fields, those that who asks may set if none is given.
    """
    model = what if isinstance(what, type) else type(what)
    plan = plan_of(model)
    if what is model:
        return bound(form_of(plan, "create", names or settable(model, plan.create)), {})
    fields = names or settable(model, plan.update)
    return bound(form_of(plan, "replace", fields), values_of(what, fields))


@contextmanager
def saving(form: BoundForm) -> Iterator[DataSession]:
    """Run the block in a transaction; what it is refused for, the form tells.

    Only 409 and 422 are for people to put right; anything else is raised.
    """
    try:
        with db.transaction() as session:
            yield session
            session.flush()
    except RequestFault as error:
        if error.status not in (409, 422):
            raise
        answered(None, form, error)


def plan_of(model: Any) -> Plan:
    """Return the plan of the resource of *model* in this application.

    Raises SetupError when there is none.
    """
    declared = current_app.extensions["carboy.resources"].declared
    for one in declared.values():
        if one.model is model:
            return cast("Plan", one.plan)
    raise SetupError(
        "resources.none",
        f"{model.__name__} is no resource of this application.",
        hint=f"Add app.resource({model.__name__}, pages=False), or write a Form of your own.",
    )


def _spec(plan: Plan, field: Field) -> FieldSpec:
    kind = field.kind if field.kind in KINDS else "text"
    choices: Any = field.choices
    label = field.label
    if field.kind == "reference":
        label = label.removesuffix(" id")
        target: Any = inspect(plan.model).relationships[field.relation].mapper.class_
        choices = choices_of(target, f"{plan.path}/-/options/{field.name}")
    long = field.kind == "text" and (field.max_length is None or field.max_length > LONG)
    return FieldSpec(
        name=field.name, label=label, kind=kind,
        widget=field.widget or ("textarea" if long or field.kind == "json" else ""),
        required=field.required, help=field.help, unit=field.unit,
        max_length=field.max_length, min_length=field.min_length, ge=field.ge, le=field.le,
        pattern=field.pattern, places=field.places, message=field.message,
        autocomplete=COMPLETE.get(field.name, ""), choices=choices,
    )  # fmt: skip


KINDS = frozenset(
    {"text", "integer", "decimal", "number", "boolean", "date", "datetime", "time", "choice",
     "reference", "file", "image", "json", "uuid"}
)  # fmt: skip


def home_of(plan: Plan, row: Any) -> str:
    """Return the address of the page of *row*."""
    return url_for(f"{plan.name}.detail", key=plan.key_text(row))
