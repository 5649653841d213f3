"""Controls: a field with its value in one request, as templates show it.

    FieldSpec                ->  attributes      what never changes, made once
    BoundForm                ->  BoundField      value, errors, options, rows
    BoundField               ->  field(f)        a macro of carboy/form.html,
                                                 or widgets/<name>.html of the application

How a field looks without its value is rendered once; the value is put in afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from flask import current_app
from markupsafe import Markup, escape

from carboy.web.form.attributes import INPUTS, attributes
from carboy.web.form.reading import WRONG, Row
from carboy.web.form.spec import FEW, FILES, FieldSpec
from carboy.web.form.values import key_text, printable, shown
from carboy.web.i18n.locales import current
from carboy.web.i18n.texts import _, gettext

if TYPE_CHECKING:
    from carboy.web.form.bound import BoundForm

__all__ = ["BoundField", "Option", "bound_fields", "macros", "render", "render_field"]

TEMPLATE = "carboy/form.html"
FOUND = 20  # choices that a search shows
FIRST = 5  # choices that are shown before anybody searches
BY_KIND = {
    "boolean": "checkbox", "choice": "select", "reference": "select", "json": "textarea",
    "file": "file", "image": "file", "rows": "rows",
}  # fmt: skip
BUILT_IN = INPUTS | {"input", "textarea", "select", "radio", "checkbox", "checkboxes", "pills",
                     "switch", "file", "combo", "rows", "affix"}  # fmt: skip
GROUPS = frozenset({"radio", "checkboxes", "pills", "combo", "rows"})


class Option(NamedTuple):
    """One choice, as a page shows it."""

    value: str
    label: str
    selected: bool


class BoundField:
    """A field with its value, for a template.

    name, id: in HTML. widget: which control. text: what the control holds; `texts` when it
    may hold several. errors: sentences. attrs: attributes that follow from the spec.
    """

    def __init__(self, form: BoundForm, spec: FieldSpec, row: _RowOf | None = None) -> None:
        self.form, self.spec, self.row = form, spec, row
        self.name: str = f"{row.name}-{spec.name}" if row else spec.name
        self.id = f"{form.spec.name}-{self.name}"
        self.errors = form.errors.get(self.name) or ()

    @property
    def macros(self) -> Any:
        """The macros of carboy/form.html."""
        return self.form.macros

    @cached_property
    def label(self) -> str:
        """What it is called, in the language of the request."""
        return gettext(self.spec.label)

    @property
    def help(self) -> str:
        """The hint, in the language of the request."""
        return gettext(self.spec.help) if self.spec.help else ""

    @property
    def unit(self) -> str:
        """The unit, in the language of the request."""
        return gettext(self.spec.unit) if self.spec.unit else ""

    @property
    def placeholder(self) -> str:
        """An example inside the empty control."""
        return gettext(self.spec.placeholder) if self.spec.placeholder else ""

    @cached_property
    def widget(self) -> str:
        """The name of the control."""
        spec = self.spec
        looked_up = not isinstance(spec.choices, tuple)
        if spec.widget and not (looked_up and spec.widget == "select"):
            return spec.widget
        if looked_up and self._few is None:
            return "combo"
        if spec.multiple and (looked_up or spec.choices):
            return "checkboxes"
        return "select" if spec.choices or looked_up else BY_KIND.get(spec.kind, "input")

    @property
    def built_in(self) -> bool:
        """Whether the control is one of ours; else a template is looked for."""
        return self.widget in BUILT_IN

    @property
    def group(self) -> bool:
        """Whether it is several controls with one legend."""
        return self.widget in GROUPS

    @property
    def optional(self) -> bool:
        """Whether a page says so."""
        spec = self.spec
        return not (spec.required or spec.readonly or spec.kind == "boolean")

    @property
    def clearable(self) -> bool:
        """Whether it may hold nothing; what has a default goes back to that."""
        return not self.spec.required and (
            self.row is not None or self.spec.name in self.form.judge.nullable
        )

    @property
    def attrs(self) -> Markup:
        """The attributes that follow from the spec."""
        return attributes(self.spec, self.widget)

    @property
    def described(self) -> str:
        """The ids of hint and error, for aria-describedby; "" when there are none."""
        hint = f"{self.id}-hint" if self.spec.help else ""
        error = f"{self.id}-error" if self.errors else ""
        return f"{hint} {error}".strip()

    @property
    def value(self) -> Any:
        """The value that the form began with; the default of the schema on a blank one."""
        name = self.spec.name
        if self.row is not None:
            return _get(self.row.value, name)
        values = self.form.values
        return values[name] if name in values else self.form.judge.defaults.get(name)

    @cached_property
    def texts(self) -> list[str]:
        """What was typed, else what the form began with, as texts."""
        spec = self.spec
        if spec.widget == "password" or spec.kind in FILES:
            return []  # SECURITY: a password is never sent back
        if self.row is not None and self.row.typed is not None:
            return [printable(one) for one in self.row.typed.texts.getlist(spec.name)]
        if self.form.posted and self.row is None and not spec.readonly:
            return [printable(one) for one in self.form.reading.texts.get(spec.name, ())]
        value = self.value
        if value is None:
            return []
        if spec.multiple and not isinstance(value, str):
            return [key_text(one) for one in value]
        return [shown(spec, value)]

    @property
    def text(self) -> str:
        """What the control holds."""
        return self.texts[0] if self.texts else ""

    @property
    def checked(self) -> bool:
        """Whether a box is ticked."""
        return self.text.strip().lower() in ("on", "true", "1", "yes")

    @property
    def options(self) -> list[Option]:
        """The choices; of a combo, those that were found and those that are chosen."""
        spec = self.spec
        chosen = {*self.texts}
        if spec.kind == "boolean":
            pairs: Iterable[tuple[Any, str]] = (("true", _("Yes")), ("false", _("No")))
            chosen = {one.lower() for one in chosen}
        elif isinstance(spec.choices, tuple):
            pairs = ((value, gettext(label)) for value, label in spec.choices)
        elif self.widget == "combo":
            pairs = self._found()
        else:
            pairs = self._few or spec.choices.options("", FEW)
        keyed = ((key_text(value), label) for value, label in pairs)
        return [Option(key, printable(label), key in chosen) for key, label in keyed]

    @property
    def query(self) -> str:
        """What was searched for in a combo."""
        return printable(self.form.reading.searches.get(self.name, ""))

    @property
    def url(self) -> str:
        """Where a combo searches as one types; "" for nowhere."""
        return str(getattr(self.spec.choices, "url", ""))

    @cached_property
    def rows(self) -> list[_RowOf]:
        """The rows of a list; one empty row when there is none."""
        if self.form.posted:
            typed = self.form.reading.rows.get(self.name, [])
            return [_RowOf(self, n, None, one) for n, one in enumerate(typed)]
        values = self.value or ()
        return [_RowOf(self, n, one, None) for n, one in enumerate(values)]

    def __html__(self) -> str:
        return render_field(self)

    @cached_property
    def _few(self) -> list[tuple[Any, str]] | None:
        """The choices that are looked up; None when there are too many for a select."""
        assert not isinstance(self.spec.choices, tuple)
        found = self.spec.choices.options("", FEW + 1)
        return None if len(found) > FEW else found

    def _found(self) -> list[tuple[Any, str]]:
        choices = self.spec.choices
        assert not isinstance(choices, tuple)
        pairs = {}
        path = f"{self.row.of}/{self.spec.name}" if self.row else self.spec.name
        for text in self.texts:
            key = self.form.judge.key(path, text)
            label = None if key is WRONG else choices.label(key)
            if label is not None:
                pairs[key] = label
        limit = FOUND if self.query else FIRST
        return [*({**pairs, **dict(choices.options(self.query, limit))}).items()]


class _RowOf:
    """One row of a list. of: the name of the list. number: from 1, as people count."""

    def __init__(self, field: BoundField, index: int, value: Any, typed: Row | None) -> None:
        self.name: str = f"{field.name}-{index}"
        self.of, self.number = field.name, index + 1
        self.value, self.typed = value, typed
        self.fields = [BoundField(field.form, one, self) for one in field.spec.fields]


def bound_fields(form: BoundForm) -> list[BoundField]:
    """Return the fields of *form* in their order."""
    return [BoundField(form, spec) for spec in form.judge.fields]


def macros() -> Any:
    """Return the macros of carboy/form.html, the application's own when it has one."""
    return current_app.jinja_env.get_template(TEMPLATE).module


def render(macro: str, shown: BoundForm | BoundField, **options: Any) -> Markup:
    """Return what a macro of carboy/form.html makes of a form or a field."""
    made: Markup = getattr(shown.macros, macro)(shown, **options)  # macros escape what they get
    return made


def render_field(field: BoundField) -> Markup:
    """Return one field: label, hint, control and error."""
    if not field.built_in:
        environment = current_app.jinja_env
        names = [f"widgets/{field.widget}.html", f"carboy/widgets/{field.widget}.html"]
        text = environment.select_template(names).render(field=field)
        return Markup(text)  # noqa: S704  # a template's output, escaped there
    module: Any = field.form.macros
    shape = _shape(field)
    if shape is None:
        made: Markup = module.field(field)
        return made
    shapes = field.form.judge.shapes
    key = (module, current().name, field.id, *shape)
    parts = shapes.get(key)
    if parts is None:
        if len(shapes) > MOST_SHAPES:
            shapes.clear()
        parts = shapes[key] = _parts(module, field)
    # SECURITY: in its place stood our own mark; what is put there is escaped as a value.
    return Markup(str(escape(field.text)).join(parts))  # noqa: S704  # both are escaped


MOST_SHAPES = 2_000  # of one form; languages times fields times choices
MARK = (
    "carboy7mark7of7a7value"  # where the value goes: letters and digits, never changed by escaping
)


def _shape(field: BoundField) -> tuple[Any, ...] | None:
    """Return what, but for its text, decides how a field looks; None when that is too much.

    PERF: a macro costs 4 us and a field takes five; the shape is rendered once, and cut where
    the text goes: seven fields in 60 us in place of 350.
    """
    spec, widget = field.spec, field.widget
    if field.errors or field.row is not None:
        return None
    if widget in INPUTS or widget in ("input", "affix", "textarea"):
        return (widget, "")
    if widget in ("checkbox", "switch"):
        return (widget, field.checked)
    if widget in ("select", "radio") and isinstance(spec.choices, tuple) and not spec.multiple:
        text = field.text
        keys = {key_text(value) for value, _label in spec.choices} | {"", "true", "false"}
        return (widget, text) if text in keys else None
    return None


def _parts(module: Any, field: BoundField) -> list[str]:
    """Return what stands around the text of a field, rendered by the template."""
    twin = BoundField(field.form, field.spec)
    if field.widget in INPUTS or field.widget in ("input", "affix", "textarea"):
        twin.texts = [MARK]
    return str(module.field(twin)).split(MARK)


def _get(value: Any, name: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(name)
    return getattr(value, name, None)
