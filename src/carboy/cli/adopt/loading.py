"""Loading: every staged row into the new database, in one transaction.

    Sheet.rows()  ->  converted, row by row  ->  db.bulk(Model, rows)  ->  commit, or nothing

Without `skip_bad` the first wrong row ends it, with its line and column. With it, wrong rows
and those that refer to them are left out, and told in rejected.csv.
"""

# SECURITY: SQL is put together from names that are our own or quoted; values are bound.
# ruff: noqa: S608

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from carboy.base.errors import SetupError
from carboy.base.scope import unscoped
from carboy.cli.adopt.staging import Bad, Sheet, Stage
from carboy.cli.adopt.tables import field_name

if TYPE_CHECKING:
    from carboy.cli.adopt.drafts import Column, Draft

__all__ = ["Load", "refuse", "write_rejected", "wrong"]

TICK = 1_000  # rows between two movements of the progress bar
SHOWN = 40  # characters of a wrong value
HINT = (
    "Nothing was written. Correct the source, or leave such rows out: --skip-bad puts them into"
    " rejected.csv with the reason."
)


def wrong(one: Draft, bad: Bad) -> str:
    """Return where a row is wrong, and why, as the beginning of a sentence."""
    column = f", {bad.column}" if bad.column else ""
    return f"{one.raw.origin}, {one.raw.row} {bad.line}{column}: {bad.reason}"


def refuse(stage: Stage, *, skip_bad: bool) -> None:
    """Raise SetupError (new.from.rows_wrong) for rows that could not even be read."""
    for sheet in stage.sheets:
        if sheet.rejected and not skip_bad:
            bad, more = sheet.rejected[0], len(sheet.rejected) - 1
            others = f", and {more} more" if more else ""
            raise SetupError(
                "new.from.rows_wrong",
                f"{sheet.raw.origin}, {sheet.raw.row} {bad.line}: {bad.reason}{others}.",
                hint=HINT,
            )


class Load:
    """One load of all tables. models: name to class. tick: told how many rows went by."""

    def __init__(
        self, stage: Stage, drafts: Sequence[Draft], models: Any, *, skip_bad: bool = False,
        tick: Callable[[int], None] = lambda rows: None,
    ) -> None:  # fmt: skip
        self.stage, self.drafts, self.models = stage, drafts, models
        self.skip_bad, self.tick = skip_bad, tick
        self.rejected: dict[int, list[Bad]] = {one.number: [] for one in drafts}
        self.written: dict[int, int] = {}
        self._parents = {one.parent.target for one in drafts if one.parent}
        self._by_number = {one.number: one for one in drafts}

    def run(self, db: Any) -> None:
        """Write everything through *db*, whose tables are there and empty, or nothing.

        Raises SetupError (new.from.rows_wrong) for the first row that is wrong.
        """
        for one in self.drafts:
            self.rejected[one.number] += self.stage.sheets[one.number].rejected
        if self.skip_bad:
            self.stage.run("CREATE TEMP TABLE gone (t, n, PRIMARY KEY (t, n)) WITHOUT ROWID")
        with unscoped("loading what --from brings"), db.transaction():
            if db.session.connection().dialect.name == "sqlite":
                # Rows may refer to later ones of their own table.
                db.session.connection().exec_driver_sql("PRAGMA defer_foreign_keys = ON")
            for one in self.drafts:
                self._table(db, one)

    def _table(self, db: Any, one: Draft) -> None:
        from carboy.data.validity import InvalidRow

        model = getattr(self.models, one.cls)
        if self.skip_bad:
            self._cast_out(one, model)
        try:
            self.written[one.number] = db.bulk(model, self._rows(one))
        except InvalidRow as error:
            number, name = error.errors[0]["loc"][0], error.errors[0]["loc"][1]
            raise self._letter(one, self._at(one, number + 1), name, error) from None

    def _letter(self, one: Draft, line: int, name: str, error: Any) -> SetupError:
        column = next((c.source for c in one.columns if field_name(c) == name), name)
        bad = Bad(line, column, str(error.errors[0]["msg"]).rstrip("."), ())
        return SetupError("new.from.rows_wrong", f"{wrong(one, bad)}.", hint=HINT)

    def _at(self, one: Draft, number: int) -> int:
        sheet = self.stage.sheets[one.number]
        found = self.stage.ask(f"SELECT line FROM {sheet.name} WHERE n = ?", number)
        return next((int(line) for (line,) in found), 0)

    def _rows(self, one: Draft) -> Iterator[dict[str, Any]]:
        """Yield the rows of a table, those that were cast out left aside."""
        gone = self._gone(one)
        for done, (number, row, values) in enumerate(self._read(one), 1):
            if done % TICK == 0:
                self.tick(TICK)
            if isinstance(values, Bad):
                if not self.skip_bad:
                    raise SetupError("new.from.rows_wrong", f"{wrong(one, values)}.", hint=HINT)
            elif number not in gone:
                yield values
            del row
        self.tick(self.stage.sheets[one.number].count % TICK)

    def _read(self, one: Draft) -> Iterator[tuple[int, tuple[Any, ...], dict[str, Any] | Bad]]:
        """Yield (number, staged row, values by field, or what is wrong with them)."""
        plan = [(c, field_name(c), c.at + 3, self._convert(c)) for c in one.columns]
        parent = self._parent_key(one)
        numbered = one.number in self._parents and one.own_id
        for row in self.stage.sheets[one.number].rows():
            values: dict[str, Any] = {"id": row[0]} if numbered else {}
            made: dict[str, Any] | Bad = values
            for column, name, at, convert in plan:
                value = row[at]
                try:
                    values[name] = None if value is None else convert(value)
                except (ValueError, IndexError, OverflowError) as error:
                    said = str(error) if str(error).startswith(("is ", "holds ")) else "is wrong"
                    made = Bad(row[1], column.source, f"{_short(value)} {said}", row[3:])
                    break
            else:
                if parent is not None:
                    name, key = parent
                    values[name] = key(row[2])
            yield row[0], row, made

    def _convert(self, column: Column) -> Callable[[Any], Any]:
        if column.kind != "choice":
            return column.convert
        members = {one.value: one for one in getattr(self.models, column.enum)}

        def convert(value: Any) -> Any:
            found = members.get(value)
            if found is None:
                raise ValueError("is none of the values there are")
            return found

        return convert

    def _parent_key(self, one: Draft) -> tuple[str, Callable[[int], Any]] | None:
        """Return the field that refers to the row these were nested in, and how."""
        link = one.parent
        if link is None:
            return None
        if link.on < 0:
            return f"{link.name}_id", lambda number: number
        key = self._by_number[link.target].column(link.on)
        assert key is not None
        table, column = self.stage.sheets[link.target].name, key
        last: list[Any] = [None, None]

        def find(number: int) -> Any:
            if last[0] != number:  # rows come in the order of their parents
                asked = self.stage.ask(
                    f"SELECT c{column.at} FROM {table} WHERE n = ?",
                    number,
                )
                ((value,),) = asked
                last[:] = [number, column.convert(value)]
            return last[1]

        return f"{link.name}_id", find

    # -- rows that are left out --

    def _gone(self, one: Draft) -> set[int]:
        if not self.skip_bad:
            return set()
        return {n for (n,) in self.stage.ask("SELECT n FROM gone WHERE t = ?", one.number)}

    def _cast_out(self, one: Draft, model: Any) -> None:
        """Find the wrong rows of a table, and those that refer to rows that are gone."""
        from carboy.data.rowreader import Reader

        reader = Reader(model)
        for number, row, values in self._read(one):
            if isinstance(values, Bad):
                self._cast(one, number, values)
                continue
            for error in reader.errors(values):
                name = str(error["loc"][0]) if error["loc"] else ""
                column = next((c.source for c in one.columns if field_name(c) == name), name)
                self._cast(one, number, Bad(row[1], column, str(error["msg"]), row[3:]))
                break
        while self._orphans(one):
            pass

    def _cast(self, one: Draft, number: int, bad: Bad) -> None:
        self.stage.con.execute("INSERT OR IGNORE INTO gone VALUES (?, ?)", (one.number, number))
        self.rejected[one.number].append(bad)

    def _orphans(self, one: Draft) -> int:
        """Cast out rows that refer to nothing; return how many."""
        mine, count = self.stage.sheets[one.number], 0
        here = f"n NOT IN (SELECT n FROM gone WHERE t = {one.number})"
        if one.parent is not None:
            lost = f"parent IN (SELECT n FROM gone WHERE t = {one.parent.target})"
            count += self._lost(one, mine, f"{here} AND {lost}", "", "belongs to a row left out")
        for column in one.columns:
            if column.link is None:
                continue
            target = self.stage.sheets[column.link.target]
            there = (
                f"SELECT c{column.link.on} FROM {target.name} WHERE c{column.link.on} IS NOT NULL"
                f" AND n NOT IN (SELECT n FROM gone WHERE t = {target.number})"
            )
            lost = f"{here} AND c{column.at} IS NOT NULL AND c{column.at} NOT IN ({there})"
            said = f"refers to no row of {target.raw.name}"
            count += self._lost(one, mine, lost, column.source, said)
        return count

    def _lost(self, one: Draft, sheet: Sheet, condition: str, column: str, said: str) -> int:
        found = [*self.stage.ask(f"SELECT * FROM {sheet.name} WHERE {condition}")]
        for number, line, _, *row in found:
            self._cast(one, number, Bad(line, column, said, row))
        return len(found)


def write_rejected(path: Path, drafts: Sequence[Draft], rejected: dict[int, list[Bad]]) -> int:
    """Write rejected.csv when there is something to tell; return how many rows."""
    count = sum(map(len, rejected.values()))
    if not count:
        return 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["source", "line", "column", "reason", "row"])
        for one in drafts:
            for bad in sorted(rejected[one.number], key=lambda bad: bad.line):
                row = [value.decode("utf-8", "replace") if isinstance(value, bytes) else value
                       for value in bad.row]  # fmt: skip
                writer.writerow([one.raw.origin, bad.line, bad.column, bad.reason, *row])
    return count


def _short(value: Any) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return repr(text if len(text) <= SHOWN else text[:SHOWN] + "\u2026")
