"""What a write is, and what the naive evaluation says of what may be written.

    Write      which row of which class, and what it becomes
    Expected   the rows afterwards, and whether it must succeed

oracle_writes.py has the kinds of writes.
"""

import copy
from dataclasses import dataclass, field
from functools import cached_property

from hypothesis import strategies as st
from oracle_rules import World, value_of
from oracle_schemas import MOST_ROWS

QUIET = {"execution_options": {"synchronize_session": False}}
DENIED = {"NotFound", "NotPermitted", "Conflict"}
NEW = 9  # a key that no drawn row has


@dataclass
class Expected:
    """What must come of a write. rows None: what came of it is taken as it is."""

    rows: dict | None
    ok: bool | None = True
    errors: set = field(default_factory=lambda: set(DENIED))


@dataclass
class Write:
    """What is written: a class, a key, and values for some columns."""

    schema: object
    name: str
    key: int
    values: dict
    flags: tuple

    @cached_property
    def cls(self):
        return self.schema.classes[self.name]

    @property
    def model(self):
        return self.schema.models[self.name]

    @property
    def root(self):
        return self.schema.root(self.name)

    @property
    def table(self):
        return self.schema.tablename(self.root.name)

    def full_row(self, key):
        """Return a whole new row of the root, as it is stored."""
        row = dict.fromkeys(self.schema.tables[self.table].c.keys())
        row |= {c: v for c, v in self.values.items() if c in row}
        if "kind" in row:
            row["kind"] = self.name
        if self.root.versioned:
            row["v"] = 1
        return {**row, "id": key}

    def part(self, names):
        """Return the values of the first columns that are to be set."""
        return {name: self.values[name] for name in names}

    @cached_property
    def few(self):
        """One or two of the root's columns to set."""
        own = [c for c in self.values if c in self.settable]
        at = self.flags[0] % len(own)
        return self.part(own[at : at + 1 + self.flags[1] % 2])

    @cached_property
    def settable(self):
        relations = self.schema.relations_of(self.root.name).values()
        return {*self.root.columns, *(r.key for r in relations if r.kind == "one")}

    def where(self, one):
        """Return a condition on a column, or none."""
        name = sorted(self.root.columns)[self.flags[2] % len(self.root.columns)]
        column = getattr(getattr(one, "c", one), name)
        return [None, column.is_(None), column.is_not(None)][self.flags[3] % 3]

    def matches(self, row):
        """Return whether a row fulfils the same condition."""
        name = sorted(self.root.columns)[self.flags[2] % len(self.root.columns)]
        return [True, row[name] is None, row[name] is not None][self.flags[3] % 3]


def writes(schema):
    """Draw a write: (how, who comes elsewhere)."""

    def of(name):
        root = schema.root(name)
        values = {c: value_of(one) for c, one in root.columns.items()}
        if schema.models[name].parent:
            values |= {c: value_of(one) for c, one in schema.models[name].columns.items()}
        for relation in schema.relations_of(root.name).values():
            if relation.kind == "one":
                values[relation.key] = st.one_of(st.none(), st.integers(1, MOST_ROWS + 1))
        return st.builds(
            Write, st.just(schema), st.just(name), st.integers(1, MOST_ROWS + 1),
            st.fixed_dictionaries(values), st.tuples(*[st.integers(0, 5)] * 5),
        )  # fmt: skip

    return st.sampled_from(sorted(schema.classes)).flatmap(of)


# What may be written


def after(world, table, change):
    """Return a copy of all rows, with *change* made to the rows of a table."""
    rows = copy.deepcopy(world.rows)
    rows[table] = change(rows[table])
    return rows


def writable(world, name, row, action, who):
    """Return whether a row may be seen and written."""
    return world.may(name, row, "read", who) and world.may(name, row, action, who)


def fields_open(world, name, row, keys, who):
    """Return whether the protected fields among *keys* may be set."""
    rules = world.fields[name]
    return who is None or all(
        world.holds(write, name, row, who) for key, (_, write) in rules.items() if key in keys
    )


def referring(world, name, row, keys, who):
    """Return whether all that the foreign keys among *keys* refer to is there and visible."""
    for relation in world.schema.relations_of(name).values():
        if relation.kind == "one" and relation.key in keys and row[relation.key] is not None:
            table = world.schema.table_of(relation.target)
            root = world.schema.root(relation.target).name
            if not any(one["id"] == row[relation.key] for one in world.rows[table]):
                return False
            if not world.may(root, world.row_of(root, row[relation.key]), "read", who):
                return False
    return True


def there(world, name, row, keys):
    """Return whether what the foreign keys refer to is there at all."""
    return referring(world, name, row, keys, None)


def changeable(world, name, row, changes, who):
    """Return whether *row* may become what *changes* make of it."""
    new = {**row, **changes}
    return (
        writable(world, name, row, "update", who)
        and fields_open(world, name, row, changes, who)
        and writable(world, name, new, "update", who)
        and referring(world, name, new, changes, who)
    )


def creatable(world, write, who, key, *, flushed=True):
    """Return all rows with the new one, and whether it may be created."""
    name, row = write.root.name, write.full_row(key)
    if flushed and who is not None and name in world.tenants and row["org"] is None:
        row["org"] = who.tenant  # filled in before the flush
    rows = copy.deepcopy(world.rows)
    rows[write.table].append(row)
    if write.model.joined:
        own = {c: write.values[c] for c in write.model.columns}
        rows[write.schema.tablename(write.name)].append({"id": key, **own})
    new = World(world.schema, world.rules, world.fields, world.tenants, rows)
    keys = {c for c, value in row.items() if value is not None}
    allowed = (
        world.may(name, row, "create", who)  # as if it were not there yet
        and fields_open(new, name, row, keys, who)
        and referring(new, name, row, keys, who)
    )
    return rows, allowed


def find(world, write):
    """Return the row of the root with the key of the write; None when there is none."""
    return next((r for r in world.rows[write.table] if r["id"] == write.key), None)


def of_class(write, row):
    """Return whether a row is one of the written class."""
    return not write.model.parent or row["kind"] == write.name


# What adds a kind of write

CHANGES, EXPECTED = {}, {}


def change(function):
    """Add what carries a write out."""
    CHANGES[function.__name__] = function
    return function


def expected(function):
    """Add what is expected of the write of the same name."""
    EXPECTED[function.__name__.removeprefix("of_")] = function
    return function
