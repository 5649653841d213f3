"""A form in one request: blank, filled from a row, or as somebody posted it.

    form = BoundForm(spec, values, posted=request.form, files=request.files)
    if form.valid:
        save(form.data)
        return redirect(...)
    return render_template("page.html", form=form), form.status

`{{ form() }}` in a template shows it, with what was typed and what is wrong.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from markupsafe import Markup
from werkzeug.datastructures import FileStorage, MultiDict

from carboy.web.form.judge import judge_of
from carboy.web.form.messages import translated
from carboy.web.form.reading import KEY_NAME, Reading, read
from carboy.web.form.spec import FILES
from carboy.web.form.values import shown
from carboy.web.form.widgets import BoundField, bound_fields, macros, render, render_field
from carboy.web.i18n.locales import in_locale
from carboy.web.i18n.texts import _, gettext, ngettext

if TYPE_CHECKING:
    from pydantic import BaseModel

    from carboy.web.form.spec import FormSpec

__all__ = ["BoundForm"]

KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")
KEPT = ("datetime", "time", "number")  # shown shorter than they are; unchanged is unchanged


class BoundForm:
    """One form in one request.

    values: what is in it at first, by field. posted, files: of the request; None when
    nothing was sent. locale: a tag, when it is not the language of the request.
    submitted: it was sent to be judged; a button that adds a row or searches does not.
    data: the validated values, by field: what was sent, emptied, or has a default.
    errors: sentences by field, all at once; of a row under "items-0-title".
    form_errors: what is wrong with the whole. model: the pydantic object, when valid.
    key: goes with the form, so that sending it twice can be noticed.
    """

    def __init__(
        self,
        spec: FormSpec,
        values: Mapping[str, Any] | None = None,
        *,
        posted: MultiDict[str, str] | None = None,
        files: MultiDict[str, FileStorage] | None = None,
        locale: str | None = None,
    ) -> None:
        self.spec = spec
        self.values = dict(values or {})
        self.data: dict[str, Any] = {}
        self.model: BaseModel | None = None
        self.key = ""
        self.judge = judge_of(spec)
        self.reading = Reading()
        self.submitted = False
        if posted is not None and locale is not None:
            with in_locale(locale):
                self._receive(posted, files or MultiDict())
        elif posted is not None:
            self._receive(posted, files or MultiDict())
        self.errors = self.reading.errors
        self.form_errors = self.reading.form_errors
        self.key = self.key or secrets.token_urlsafe(18)
        self.posted = posted is not None

    @property
    def valid(self) -> bool:
        """Whether it was sent and nothing is wrong."""
        return self.submitted and not self.errors and not self.form_errors

    @property
    def status(self) -> int:
        """The status of a page that shows it: 422 when something is wrong."""
        return 422 if self.errors or self.form_errors else 200

    @property
    def count(self) -> int:
        """How many things are wrong."""
        return len(self.form_errors) + sum(map(len, self.errors.values()))

    @property
    def title(self) -> str:
        """What the title of the page begins with: "2 errors: ", "" when there are none."""
        count = self.count
        return ngettext("%(num)s error: ", "%(num)s errors: ", count) if count else ""

    @property
    def problems(self) -> list[tuple[str, str]]:
        """What is wrong, as a page lists it: (id of the control, "" for the whole; sentence)."""
        told = [("", text) for text in self.form_errors]
        for name, texts in self.errors.items():
            label = self._label(name)
            for text in texts:
                named = text if label in text else _("%(label)s: %(text)s", label=label, text=text)
                hidden = name in self and self[name].widget == "hidden"
                told.append(("" if hidden else f"{self.spec.name}-{name}", named))
        return told

    def _label(self, name: str) -> str:
        """Return what a field is called; of a row, with its number."""
        first, *rest = name.split("-")
        label = gettext(self.judge.by_name[first].label)
        if not rest:
            return label
        return _("%(label)s, row %(number)s", label=label, number=int(rest[0]) + 1)

    @cached_property
    def fields(self) -> list[BoundField]:
        """The fields with their values, in their order."""
        return bound_fields(self)

    @property
    def all(self) -> Markup:
        """All fields as HTML, one after the other."""
        return Markup("").join([render_field(one) for one in self.fields])

    @cached_property
    def macros(self) -> Any:
        """The macros of carboy/form.html."""
        return macros()

    @cached_property
    def _by_name(self) -> dict[str, BoundField]:
        return {one.spec.name: one for one in self.fields}

    def __getitem__(self, name: str) -> BoundField:
        """Return the field called *name*."""
        return self._by_name[name]

    def __contains__(self, name: object) -> bool:
        return name in self.judge.by_name

    def add_error(self, name: str, text: str) -> None:
        """Note what is wrong with a field, or with the whole when *name* is "".

        What a model or the database said in English is said in the language of the request.
        """
        if name in self:
            text = translated(self.judge.by_name[name], text)
        into = self.errors.setdefault(name, []) if name in self else self.form_errors
        if text not in into:
            into.append(text)

    def __call__(self, **options: Any) -> Markup:
        """Return the whole form as HTML; see `carboy/form.html` for the options."""
        return render("form", self, **options)

    def __html__(self) -> str:
        return self()

    def _receive(self, posted: MultiDict[str, str], files: MultiDict[str, FileStorage]) -> None:
        judge = self.judge
        found = self.reading = read(judge.fields, posted, files, judge.beside)
        self._read_key(posted)
        if found.redo:
            found.errors, found.form_errors = {}, []
            return
        self.submitted = True
        self._keep()
        self.model = judge.judge(found, self.values)
        if self.model is not None:
            self._gather(self.model)

    def _read_key(self, posted: MultiDict[str, str]) -> None:
        keys = posted.getlist(KEY_NAME)
        if len(keys) == 1 and KEY.fullmatch(keys[0]):
            self.key = keys[0]
        elif keys:
            self.reading.form_errors.append(
                _("This form was not recognized. Nothing was saved; send it again.")
            )

    def _keep(self) -> None:
        """Leave alone what may not be changed, and what was not."""
        found = self.reading
        for spec in self.judge.fields:
            texts = found.texts.get(spec.name)
            if not texts or spec.kind in FILES:
                continue
            before = self.values.get(spec.name)
            same = texts[0].strip() == shown(spec, before).strip()
            if spec.readonly:
                found.values.pop(spec.name, None)
                found.emptied.discard(spec.name)
                if not same:
                    found.errors.pop(spec.name, None)
                    found.refuse(spec, "readonly")
            elif same and spec.kind in KEPT and before is not None and len(texts) == 1:
                found.values[spec.name] = before
                found.errors.pop(spec.name, None)

    def _gather(self, made: BaseModel) -> None:
        sent = made.model_fields_set
        for spec in self.judge.fields:
            if spec.readonly or spec.name not in type(made).model_fields:
                continue
            value = getattr(made, spec.name)
            if spec.name in sent or value is not None:
                self.data[spec.name] = value
