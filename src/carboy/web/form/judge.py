"""Judging: the schema of a form held against what was read, all mistakes at once.

    Reading  ->  judge()  ->  the pydantic object, or errors by field

Made once for each FormSpec. Files and fields that may not be changed are judged by the
form alone: the schema does not see them.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, TypeAdapter, ValidationError, create_model
from pydantic_core import PydanticUndefined

from carboy.engine.signatures import bare, kind_of
from carboy.web.form.messages import of_pydantic, unknown
from carboy.web.form.reading import WRONG, Reading
from carboy.web.form.spec import FILES, FieldSpec, FormSpec
from carboy.web.i18n.texts import gettext

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic.fields import FieldInfo

__all__ = ["Judge", "judge_of"]

JUDGE = "_carboy_judge"  # attribute of a FormSpec
UNIONS = (typing.Union, types.UnionType)


class Judge:
    """What follows from a FormSpec: made once.

    fields: those of the spec, with the widgets that their schema asks for.
    """

    def __init__(self, spec: FormSpec) -> None:
        given = spec.schema.model_fields
        self.nullable = {name for name, one in given.items() if _nullable(one.annotation)}
        self.fields = tuple(self._settled(one) for one in spec.fields)
        self.by_name = {one.name: one for one in self.fields}
        self.defaults = {name: one.default for name, one in given.items() if _is_plain(one)}
        self.beside = frozenset(spec.beside)
        loose = [one.name for one in self.fields if _is_loose(one, given)]
        self.schema = _loosened(spec.schema, loose)
        self.keys = dict(_keys(self.fields, given))
        self.multipart = any(_has_file(one) for one in self.fields)
        self.shapes: dict[Any, Any] = {}  # of widgets.py: fields as they look without a value
        self.buttons = any(
            one.kind == "rows" or not isinstance(one.choices, tuple) for one in self.fields
        )

    def _settled(self, spec: FieldSpec) -> FieldSpec:
        if spec.kind == "boolean" and not spec.widget and spec.name in self.nullable:
            return replace(spec, widget="select")  # a box cannot say "not known"
        return spec

    def judge(self, found: Reading, kept: Mapping[str, Any]) -> BaseModel | None:
        """Return what the schema makes of *found*; None when there are errors, noted in it.

        kept: values the form began with; a file that is there already is not needed again.
        """
        for spec in self.fields:
            self._look_up(spec, found)
            if spec.required and self._is_missing(spec, found, kept):
                found.refuse(spec, "required")
        values = {**found.values}
        values |= {name: None for name in found.emptied if name in self.nullable}
        try:
            made = self.schema.model_validate(values)
        except ValidationError as error:
            self._note(error, found)
            places = {one.name: number for number, one in enumerate(self.fields)}
            told = sorted(found.errors.items(), key=lambda one: places[one[0].split("-")[0]])
            found.errors = dict(told)
            return None
        return None if found.errors or found.form_errors else made

    def key(self, name: str, text: Any) -> Any:
        """Return the key that *text* names among the choices of a field; WRONG for none.

        name: of the field; of a column, "items/author_id".
        """
        try:
            return self.keys[name].validate_python(text)
        except (ValidationError, KeyError):
            return WRONG

    def _look_up(self, spec: FieldSpec, found: Reading) -> None:
        """Refuse what is no choice for who asks, hidden rows among them."""
        if spec.kind == "rows":
            for number, row in enumerate(found.values.get(spec.name) or ()):
                for column in spec.fields:
                    name = f"{spec.name}-{number}-{column.name}"
                    self._check(column, f"{spec.name}/{column.name}", name, row, found)
        else:
            self._check(spec, spec.name, spec.name, found.values, found)

    def _check(
        self, spec: FieldSpec, path: str, name: str, values: dict[str, Any], found: Reading
    ) -> None:
        sent = values.get(spec.name)
        if isinstance(spec.choices, tuple) or sent is None or name in found.errors:
            return
        keys = [self.key(path, one) for one in (sent if spec.multiple else [sent])]
        if any(one is WRONG or spec.choices.label(one) is None for one in keys):
            found.refuse(spec, "exists" if spec.kind == "reference" else "choice", name)
            values[spec.name] = WRONG

    def _is_missing(self, spec: FieldSpec, found: Reading, kept: Mapping[str, Any]) -> bool:
        if spec.name in found.errors or spec.readonly:
            return False
        if spec.kind in FILES:
            return spec.name not in found.values and kept.get(spec.name) is None
        return spec.name in found.emptied

    def _note(self, error: ValidationError, found: Reading) -> None:
        before = frozenset(found.errors)
        for one in error.errors(include_input=False, include_url=False):
            name, spec = self._where(one["loc"])
            if spec is None:
                text = of_pydantic(WHOLE, one) if not name else unknown(name)
                found.form_errors.append(gettext(text))
            elif name not in before and name.split("-")[0] not in before:
                text = of_pydantic(spec, one)
                told = found.errors.setdefault(name, [])
                if text not in told:
                    told.append(text)

    def _where(self, loc: Sequence[Any]) -> tuple[str, FieldSpec | None]:
        """Return name and spec of the control that an error is about."""
        if not loc:
            return "", None
        name, spec = str(loc[0]), self.by_name.get(str(loc[0]))
        if spec is not None and spec.kind == "rows" and len(loc) >= 3:
            column = next((one for one in spec.fields if one.name == loc[2]), None)
            if column is not None:
                return f"{name}-{loc[1]}-{loc[2]}", column
        return name, spec


WHOLE = FieldSpec(name="", label="", kind="text")  # stands for the form itself


def judge_of(spec: FormSpec) -> Judge:
    """Return the judge of *spec*, made at the first call."""
    found: Judge | None = spec.__dict__.get(JUDGE)
    if found is None:
        found = spec.__dict__[JUDGE] = Judge(spec)
    return found


def _is_plain(info: FieldInfo) -> bool:
    """Tell whether a field has a default that a blank form can show."""
    return info.default is not PydanticUndefined and info.default is not None


def _nullable(annotation: Any) -> bool:
    annotation = bare(annotation)
    if typing.get_origin(annotation) in UNIONS:
        return any(_nullable(one) for one in typing.get_args(annotation))
    return annotation is Any or annotation in (None, type(None))


def _item(annotation: Any) -> Any:
    """Return the type of one value: of `list[int] | None` it is int."""
    plain = bare(annotation)
    if typing.get_origin(plain) in UNIONS:
        rest = [one for one in typing.get_args(plain) if one is not type(None)]
        return _item(rest[0]) if len(rest) == 1 else annotation
    if typing.get_origin(plain) in (list, set, tuple, frozenset):
        return _item(typing.get_args(plain)[0])
    return annotation


def _keys(
    fields: Iterable[FieldSpec], given: Mapping[str, FieldInfo], path: str = ""
) -> Iterator[tuple[str, TypeAdapter[Any]]]:
    """Yield what reads the keys of choices that are looked up, by field."""
    for spec in fields:
        if spec.name not in given:
            continue
        item = _item(given[spec.name].annotation)
        if not isinstance(spec.choices, tuple):
            yield path + spec.name, TypeAdapter(item)
        elif spec.kind == "rows" and isinstance(bare(item), type):
            inner = getattr(bare(item), "model_fields", {})
            yield from _keys(spec.fields, inner, f"{spec.name}/")


def _is_loose(spec: FieldSpec, given: Mapping[str, Any]) -> bool:
    if spec.readonly:
        return spec.name in given
    if spec.kind not in FILES or spec.name not in given:
        return False
    return kind_of(given[spec.name].annotation) not in ("file", "files")


def _loosened(schema: type[BaseModel], names: list[str]) -> type[BaseModel]:
    if not names:
        return schema
    members: dict[str, Any] = dict.fromkeys(names, (Any, None))
    made: type[BaseModel] = create_model(
        schema.__name__, __base__=schema, __module__=schema.__module__, **members
    )
    return made


def _has_file(spec: FieldSpec) -> bool:
    return spec.kind in FILES or any(map(_has_file, spec.fields))
