"""Inference: from the profile of a column to a field, with what was not sure of.

    profile  ->  what fits every value  ->  measured once more where a look is not enough
             ->  Column: kind, sizes, converter, comments

A format that fits all but a few values is not taken, unless these may be rejected
(`--skip-bad`); it is told. So is everything that could be read in two ways: it stays text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import TYPE_CHECKING

from carboy.cli.adopt import converters as to
from carboy.cli.adopt.drafts import Column, RawColumn
from carboy.cli.adopt.formats import Format, unit_of
from carboy.cli.adopt.measuring import Measured, example, measure, reads
from carboy.cli.adopt.names import member

if TYPE_CHECKING:
    from carboy.cli.adopt.profiles import Misfit, Profile
    from carboy.cli.adopt.staging import Sheet

__all__ = ["CODES", "infer"]

MOST_DIGITS = 18  # of a Decimal, on every database
ROOMS = (10, 20, 40, 60, 80, 120, 200, 300, 500, 1000, 2000, 5000)
MANY = 50  # rows from which their lengths tell something
LONG = 200  # characters from which a text wants several lines
MEMBERS, OFTEN = 12, 6  # of an enumeration: how many, and how often each at least on average
MONEY = re.compile(
    r"price|cost|amount|total|salary|wage|revenue|gross|budget|fee|balance|money|payment|tax|paid"
)
CODES = re.compile(
    r"(?:.*_)?(?:code|iata|icao|isbn|isbn_?13|ean|upc|sku|slug|email|e_mail|username|login|symbol"
    r"|ticker|iso|iso_?[23]|key|uuid|guid|number|nr|no|barcode|doi|orcid|vin|iban|state)\d?"
)
YES = re.compile(r"(?:is|has|can|was|with|allow)_|active|enabled|deleted|visible|published$")


def infer(sheet: Sheet, at: int, name: str, *, skip_bad: bool) -> Column:
    """Return the field for column *at* of *sheet*, called *name*."""
    raw, profile = sheet.raw.columns[at], sheet.profiles[at]
    column = Column(at, name, raw.name, "text", to.text)
    if not profile.types or (not sheet.raw.typed and not profile.seen):
        _nothing_known(column, raw, profile)
    elif sheet.raw.typed:
        _typed(column, raw, profile, sheet)
    else:
        _written(column, profile, sheet, skip_bad)
    column.optional = _optional(column, raw, profile, sheet)
    if column.kind == "text":
        _size(column, raw, profile, sheet)
        _enumerate(column, raw, profile, sheet)
    return column


def _optional(column: Column, raw: RawColumn, profile: Profile, sheet: Sheet) -> bool:
    nothing = bool(profile.nulls) or (column.kind != "text" and bool(profile.spelled))
    declares = bool(raw.sql)
    return nothing or (declares and raw.nullable) or not sheet.count


def _nothing_known(column: Column, raw: RawColumn, profile: Profile) -> None:
    """No value to go by: what is declared, else text."""
    said = "no row has a value here"
    if profile.spelled:
        column.convert = to.nothing_or_text
        said = f"all there is says nothing: {_words(profile.spelled)}"
    elif raw.kind in to.TYPED:
        column.kind, column.convert = raw.kind, to.TYPED[raw.kind]
        if raw.kind == "decimal":
            _decimal(column, min(raw.digits or MOST_DIGITS, MOST_DIGITS), raw.places or 2)
    if column.kind == "text" or profile.spelled:
        column.unsure.append(said)


# -- CSV: everything is text --


def _written(column: Column, profile: Profile, sheet: Sheet, skip_bad: bool) -> None:
    """Find the one way in which all values are written."""
    for kind, how in _WRITTEN.items():
        fitting = profile.fitting(kind)
        if fitting and how(column, fitting, profile, sheet):
            _spelled(column, profile)
            return
    nearly = profile.nearly()
    if nearly is not None:
        _nearly(column, *nearly, profile, sheet, skip_bad)
    if column.kind == "text" and profile.spelled:
        column.unsure.append(f"{_words(profile.spelled)} kept as text, not as nothing")


def _truth(column: Column, fitting: list[Format], profile: Profile, sheet: Sheet) -> bool:
    found = {str(one).strip().lower() for one in profile.distinct or ()}
    form = fitting[0]
    if form.name != "true" and len(found - to.NOTHING) < 2:
        return False  # a lone "t" is a letter
    column.kind, column.convert = "boolean", to.read_by(form)
    if form.name != "true":
        column.notes.append(f"{form.words} in {sheet.raw.origin}")
    return True


def _number(column: Column, fitting: list[Format], profile: Profile, sheet: Sheet) -> bool:
    by_name = {one.name: one for one in fitting}
    others = by_name.keys() & {"comma", "spaced"}
    if "plain" not in by_name and "english" in by_name and others:
        column.unsure.append(f"{example(sheet, column.at)!r} may be thousands or a decimal comma")
        return False
    form = fitting[0]
    measured = measure(sheet, column.at, form.read)
    if measured is None:
        return False
    sign = "".join(unit_of(example(sheet, column.at))).strip()
    column.unit = sign
    _number_kind(column, measured, form)
    if form.words and form.name != "science":
        column.notes.append(f"written like {form.words}")
    if form.name == "plain" and "comma" in by_name and measured.places:
        column.unsure.append(f"{example(sheet, column.at)!r} is read with a decimal point")
    return True


def _number_kind(column: Column, found: Measured, form: Format) -> None:
    """Choose between a whole number, an exact one and a float."""
    read = form.read
    if not found.places and form.name != "science" and column.unit in ("", "%"):
        if found.whole <= 19 and found.least >= -(2**63) and found.most < 2**63:
            column.kind, column.convert = "integer", to.after(read, int)
            flag = YES.match(column.name) and {found.least, found.most} == {0, 1}
            if flag:
                column.kind, column.convert = "boolean", to.after(read, lambda text: text == "1")
                column.unsure.append("0 and 1 read as no and yes")
            return
        column.unsure.append("longer than a whole number may be, so kept as text")
        return
    money = bool(column.unit in "$€£¥₹" and column.unit) or bool(MONEY.search(column.name))
    exact = found.whole + found.places <= MOST_DIGITS and form.name != "science"
    if exact and found.places <= 4 and (found.fixed or (money and found.places <= 2)):
        places = 2 if money and found.places <= 2 else found.places
        _decimal(column, _digits(found.whole, places), places)
        column.convert = to.after(read, Decimal)
    elif found.floats:
        column.kind, column.convert = "number", to.after(read, float)
    elif exact:
        _decimal(column, _digits(found.whole, found.places), found.places)
        column.convert = to.after(read, Decimal)
    else:
        column.unsure.append("more digits than a number keeps, so kept as text")


def _digits(whole: int, places: int) -> int:
    """Return the digits of a Decimal: what there is, with head-room."""
    return min(MOST_DIGITS, max(whole + 2, 8) + places)


def _decimal(column: Column, digits: int, places: int) -> None:
    column.kind, column.digits, column.places = "decimal", digits, places


def _day(column: Column, fitting: list[Format], profile: Profile, sheet: Sheet) -> bool:
    reading = [one for one in fitting if reads(sheet, column.at, one.read)]
    if len(reading) > 1 and reading[0].words:
        orders = " or ".join(one.words for one in reading)
        column.unsure.append(f"{example(sheet, column.at)!r} may be {orders}, so kept as text")
        return False
    if not reading:
        column.unsure.append("looks like dates, but some are in no calendar; kept as text")
        return False
    form = reading[0]
    column.kind, column.convert = form.kind, to.read_by(form)
    if form.words and form.kind == "date":
        column.notes.append(f"{form.words} in {sheet.raw.origin}")
    if form.kind == "datetime" and form.name != "iso-zone":
        column.unsure.append("no time zone is given: taken as UTC")
    return True


def _plainly(column: Column, fitting: list[Format], profile: Profile, sheet: Sheet) -> bool:
    column.kind, column.convert = fitting[0].kind, to.read_by(fitting[0])
    return True


_WRITTEN: dict[str, Callable[[Column, list[Format], Profile, Sheet], bool]] = {
    "boolean": _truth, "number": _number, "date": _day, "datetime": _day, "time": _plainly,
    "uuid": _plainly,
}  # fmt: skip
"""Kind to what tries it; the first that says yes wins."""


def _nearly(
    column: Column, form: Format, misfit: Misfit, profile: Profile, sheet: Sheet, skip_bad: bool
) -> None:
    """Say what stands in the way; take the format where bad rows may go."""
    rows = f"{misfit.count} of {profile.seen} values"
    said = f"{rows} {_be(misfit.count)} no {form.kind}: {misfit.value[:30]!r}"
    said += f", {sheet.raw.row} {misfit.line}"
    if not skip_bad:
        column.unsure.append(f"{said}; kept as text (--skip-bad would leave these rows out)")
        return
    _WRITTEN.get(form.kind, _plainly)(column, [form], profile, sheet)
    if column.kind == "text":
        return
    _spelled(column, profile)
    column.unsure.append(f"{said}; these rows were left out")


def _be(count: int) -> str:
    return "is" if count == 1 else "are"


def _spelled(column: Column, profile: Profile) -> None:
    if profile.spelled:
        column.convert = to.unless_nothing(column.convert)
        column.notes.append(f"{_words(profile.spelled)} read as nothing")


def _words(found: Iterable[str]) -> str:
    return ", ".join(repr(one) for one in sorted(found)[:4])


# -- JSON and databases: values have types --


def _typed(column: Column, raw: RawColumn, profile: Profile, sheet: Sheet) -> None:
    types = frozenset(profile.types)
    if types == {"str"} and profile.spelled:
        pass  # "NULL" is a text in a source that has NULL, so all of them are
    elif types == {"str"}:
        _texts(column, raw, profile, sheet)
    elif types <= {"int", "float"}:
        _numbers(column, raw, profile, sheet)
    elif types == {"bool"}:
        column.kind, column.convert = "boolean", to.stored_truth
    elif types in ({"dict"}, {"list"}):
        (column.shape,) = types
        column.kind, column.convert = "json", to.stored_json
    elif types == {"bytes"}:
        column.kind, column.convert = "bytes", to.stored_bytes
    else:
        column.convert = to.any_text
        found = ", ".join(f"{count} {_MANY[one]}" for one, count in profile.types.most_common())
        column.unsure.append(f"holds {found}; kept as text")


_MANY = {
    "str": "texts", "int": "whole numbers", "float": "numbers", "bool": "yes or no",
    "dict": "objects", "list": "lists", "huge": "numbers beyond 64 bits", "bytes": "bytes",
    "halves": "broken texts",
}  # fmt: skip


def _numbers(column: Column, raw: RawColumn, profile: Profile, sheet: Sheet) -> None:
    whole = "float" not in profile.types
    found = profile.distinct
    if whole and found is not None and set(found) <= {0, 1} and raw.kind == "boolean":
        column.kind, column.convert = "boolean", bool
    elif whole and raw.kind not in ("decimal", "number"):
        column.kind, column.convert = "integer", int
        if raw.kind in ("date", "datetime", "time"):
            column.unsure.append(f"declared {raw.sql}, but holds whole numbers")
    elif profile.wholes and not raw.sql:
        column.kind, column.convert = "integer", int
    else:
        _fractions(column, raw, sheet)


def _fractions(column: Column, raw: RawColumn, sheet: Sheet) -> None:
    measured = measure(sheet, column.at, to.exact_text)
    places = raw.places if raw.kind == "decimal" and raw.digits else None
    money = bool(MONEY.search(column.name)) and raw.kind in ("", "decimal")
    if measured is not None and not measured.powers and (places is not None or money):
        kept = 2 if places is None else max(places, measured.places)
        whole = max(measured.whole, (raw.digits or 0) - kept)
        if measured.places <= kept and whole + kept <= MOST_DIGITS:
            _decimal(column, (raw.digits or 0) if places == kept else _digits(whole, kept), kept)
            column.convert = to.after(to.exact_text, Decimal)
            return
    if measured is not None and not measured.floats:
        column.convert = to.any_text
        column.unsure.append("holds whole numbers that no float tells apart; kept as text")
        return
    column.kind, column.convert = "number", float


def _texts(column: Column, raw: RawColumn, profile: Profile, sheet: Sheet) -> None:
    """Texts that say something else: by their look, or because the source declares it."""
    if raw.kind in ("integer", "number", "decimal"):
        _declared_number(column, raw, sheet)
        return
    if raw.kind == "json":
        shapes = _shapes(sheet, column.at)
        if shapes in ({"dict"}, {"list"}):
            column.kind, column.convert = "json", to.text_json
            column.shape = shapes.pop()
        return
    if raw.values or raw.max_length:
        return  # VARCHAR(10) is meant as text
    for kind in ("date", "datetime", "time", "uuid"):
        fitting = profile.fitting(kind)
        if fitting and reads(sheet, column.at, fitting[-1].read):
            form = fitting[-1]
            column.kind, column.convert = kind, to.read_by(form)
            if form.name == "iso-time":
                column.unsure.append("no time zone is given: taken as UTC")
            return


def _declared_number(column: Column, raw: RawColumn, sheet: Sheet) -> None:
    measured = measure(sheet, column.at, to.decimal_text)
    if measured is None:
        column.unsure.append(f"declared {raw.sql}, but holds texts that are no numbers")
        return
    places = max(raw.places or 0, measured.places)
    whole = max(measured.whole, (raw.digits or 0) - places)
    if whole + places <= MOST_DIGITS:
        digits = raw.digits if raw.digits == whole + places else _digits(whole, places)
        _decimal(column, digits or _digits(whole, places), places)
        column.convert = to.after(to.decimal_text, Decimal)
    else:
        column.unsure.append(f"{raw.sql} has more digits than every database keeps; kept as text")


def _shapes(sheet: Sheet, at: int) -> set[str]:
    found = set()
    for _, value in sheet.column(at):
        try:
            found.add(type(to.text_json(value)).__name__)
        except ValueError:
            return set()
    return found


# -- text --


def _size(column: Column, raw: RawColumn, profile: Profile, sheet: Sheet) -> None:
    longest = profile.longest
    if raw.max_length and raw.max_length >= longest:
        column.max_length = raw.max_length if raw.max_length <= ROOMS[-1] else None
    else:
        wanted = longest * 1.3 if CODES.fullmatch(column.name) else max(longest * 1.3, 40)
        wanted = wanted if sheet.count >= MANY else max(wanted, 60)  # a few tell little
        column.max_length = next((room for room in ROOMS if room >= wanted), None)
    if column.convert is to.any_text:
        column.max_length = max(column.max_length or 0, 200) if column.max_length else None
    if longest > LONG or profile.broken or (not column.max_length and longest == 0):
        column.widget = "textarea"


def _enumerate(column: Column, raw: RawColumn, profile: Profile, sheet: Sheet) -> None:
    """Make a text that has few values, each often, an enumeration."""
    found = list(raw.values)
    if not found:
        if profile.distinct is None or column.convert is not to.text or profile.broken:
            return
        texts = sorted(str(one) for one in profile.distinct)
        total = profile.distinct.total()
        if not 2 <= len(texts) <= MEMBERS or total < OFTEN * len(texts) or profile.longest > 40:
            return
        if column.max_length and raw.max_length and raw.max_length > 40:
            return
        found = texts
    if any(one != one.strip() or not one.isprintable() for one in found):
        return
    members: dict[str, str] = {}
    for text in found:
        members[member(text, members)] = text
    column.kind, column.members = "choice", members
    if not raw.values:
        column.notes.append(f"the {len(found)} values there are")
