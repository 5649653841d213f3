"""Random rules, rows and people, and the naive evaluation of the rules in plain Python.

    world(schema)     draws rules (as trees) and rows
        .policies()   the trees as our rules
        .may(table, row, action, who)    what the trees say, evaluated here
        .visible(who)                    the rows that are left over, hidden fields None

A rule is a tree: ("owner",) ("role",) ("token",) ("in",) ("yes",) ("no",) ("where", condition)
("related", relation, rule or None) ("or", a, b) ("and", a, b) ("not", a).
A condition is three-valued: ("cmp", column, op, value) ("in", column, values) ("null", column)
("me", column) ("bool", column) ("and", a, b) ("or", a, b) ("not", a).
"""

import operator

import sqlalchemy as sa
from hypothesis import strategies as st
from oracle_schemas import KINDS, MOST_ROWS, ORDERED

from carboy.base.scope import Scope
from carboy.policy.binds import asker
from carboy.policy.policies import Field, Policy
from carboy.policy.rules import (
    everyone,
    nobody,
    owner,
    related,
    role,
    signed_in,
    token,
    where,
)

OPS = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le,
    ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
SIMPLE = {
    "owner": owner("who"), "role": role("r"), "token": token("t"), "in": signed_in,
    "yes": everyone, "no": nobody,
}  # fmt: skip
ACTIONS = ("read", "create", "update", "delete")


# People

WHO = st.one_of(
    st.none(),  # the system
    *[
        st.builds(
            Scope,
            user=st.sampled_from([None, 0, 1]),
            roles=st.sampled_from([frozenset(), frozenset("r")]),
            tenant=st.sampled_from([None, 1, 2]),
            tokens=st.sampled_from([None, None, frozenset(), frozenset("t")]),
        )
    ] * 4,
)  # fmt: skip


# Trees


def conditions(schema, name):
    """Draw a condition on the columns of a model, as people write them."""
    model = schema.models[name]
    own = {**model.columns}

    def leaf(column):
        kind = own[column].kind
        value = st.sampled_from(KINDS[kind][1])
        ops = sorted(OPS) if kind in ORDERED else ["==", "!="]
        found = [
            st.tuples(st.just("cmp"), st.just(column), st.sampled_from(ops), value),
            st.tuples(st.just("in"), st.just(column),
                      st.lists(st.one_of(value, st.none()), max_size=2)),
            st.just(("null", column)),
        ]  # fmt: skip
        found += [st.just(("me", column))] if kind == "int" else []
        found += [st.just(("bool", column))] if kind == "bool" else []
        return st.one_of(*found)

    leaves = st.sampled_from(sorted(own)).flatmap(leaf)
    if model.children:
        kinds = st.sampled_from([name, *model.children])
        of_kind = st.tuples(st.just("cmp"), st.just("kind"), st.sampled_from(["==", "!="]), kinds)
        leaves = st.one_of(leaves, leaves, of_kind)
    return _combined(leaves, 1)


def trees(schema, name, lean, depth=1):
    """Draw a rule for a model. lean: of whose read rule it may make use."""
    model = schema.models[name]
    root = schema.root(name)
    wheres = st.tuples(st.just("where"), conditions(schema, name))
    simple = ["role", "token", "in", "yes", "no"]
    if model.parent and model.joined:  # its own table alone: the owner is in the parent's
        leaves = [st.sampled_from([(one,) for one in simple]), wheres]
    else:
        wheres = st.tuples(st.just("where"), conditions(schema, root.name))
        owned = st.just(("owner",))
        leaves = [st.sampled_from([(one,) for one in simple]), owned, owned, wheres, wheres]
        if depth:
            leaves += [
                _related(schema, relation, lean, depth)
                for relation in schema.relations_of(root.name).values()
            ]
    return _combined(st.one_of(*leaves), depth)


def _related(schema, relation, lean, depth):
    inner = trees(schema, relation.target, lean, depth - 1)
    if schema.root(relation.target).name in lean:
        inner = st.one_of(st.none(), inner)
    return st.tuples(st.just("related"), st.just(relation.name), inner)


def _combined(leaves, depth):
    if not depth:
        return leaves
    both = st.tuples(st.sampled_from(["or", "and"]), leaves, leaves)
    return st.one_of(leaves, leaves, both, st.tuples(st.just("not"), leaves),
                     st.tuples(st.just("not"), both))  # fmt: skip


def rule_of(tree):
    """Return our rule for a tree."""
    kind, *rest = tree
    if kind in ("or", "and"):
        a, b = map(rule_of, rest)
        return a | b if kind == "or" else a & b
    if kind == "not":
        return ~rule_of(rest[0])
    if kind == "related":
        return related(rest[0], None if rest[1] is None else rule_of(rest[1]))
    if kind == "where":
        return where(lambda t: sql_of(rest[0], t))
    return SIMPLE[kind]


def sql_of(tree, cls):
    """Return the condition in SQLAlchemy's language. cls: a class, or a table for a rule."""
    kind, *rest = tree
    if kind in ("or", "and"):
        return (sa.or_ if kind == "or" else sa.and_)(*(sql_of(part, cls) for part in rest))
    if kind == "not":
        return sa.not_(sql_of(rest[0], cls))
    column = getattr(cls, rest[0])
    if kind == "cmp":
        return OPS[rest[1]](column, rest[2])
    if kind == "in":
        return column.in_(rest[1])
    if kind == "null":
        return column.is_(None)
    return column == asker.user if kind == "me" else column


def kleene(tree, row, who):
    """Evaluate a condition on a row: True, False, or None for SQL's NULL."""
    kind, *rest = tree
    if kind in ("or", "and"):
        found = [kleene(part, row, who) for part in rest]
        decisive = kind == "or"
        return decisive if decisive in found else None if None in found else not decisive
    if kind == "not":
        found = kleene(rest[0], row, who)
        return None if found is None else not found
    value = row[rest[0]]
    if kind == "null":
        return value is None
    if kind == "in":
        return _in(value, rest[1])
    other = rest[2] if kind == "cmp" else who.user if kind == "me" else True
    if value is None or other is None:
        return None
    return OPS[rest[1]](value, other) if kind == "cmp" else value == other


def _in(value, values):
    if not values:
        return False
    if value is None:
        return None
    if value in [one for one in values if one is not None]:
        return True
    return None if None in values else False


# Worlds


class World:
    """Rules and rows of one example.

    rules: root to action to tree; fields: root to column to (read tree, write tree).
    rows: table to rows, as they are stored. tenants: the roots with a tenant.
    """

    def __init__(self, schema, rules, fields, tenants, rows):
        self.schema, self.rules, self.fields = schema, rules, fields
        self.tenants, self.rows = tenants, rows

    def __repr__(self):
        parts = (self.schema.seed, self.rules, self.fields, self.tenants, self.rows)
        return f"World(seed={parts[0]}, rules={parts[1]}, fields={parts[2]}, tenants={parts[3]}, rows={parts[4]})"  # noqa: E501

    def govern(self):
        """Give the classes their policies."""
        for name, rules in self.rules.items():
            fields = {
                column: Field(read=rule_of(read), write=rule_of(write))
                for column, (read, write) in self.fields[name].items()
            }
            ours = {action: rule_of(tree) for action, tree in rules.items()}
            tenant = "org" if name in self.tenants else None
            self.schema.classes[name].policy = Policy(**ours, fields=fields, tenant=tenant)
        self.schema.book.stale = True

    def may(self, name, row, action, who):
        """Return whether *who* may do *action*, by that rule alone, to a row of a root."""
        if who is None:
            return True
        if name in self.tenants and (who.tenant is None or row["org"] != who.tenant):
            return False
        rules = self.rules[name]
        return self.holds(rules[action], name, row, who)

    def holds(self, tree, name, row, who):
        """The naive evaluation of a tree for a row of the model *name*."""
        kind, *rest = tree
        if kind in ("or", "and"):
            found = [self.holds(part, name, row, who) for part in rest]
            return any(found) if kind == "or" else all(found)
        if kind == "not":
            return not self.holds(rest[0], name, row, who)
        if kind == "where":
            return kleene(rest[0], row, who) is True
        if kind == "related":
            return self._related(rest[0], rest[1], name, row, who)
        return {
            "owner": lambda: who.user is not None and row["who"] == who.user,
            "role": lambda: "r" in who.roles,
            "token": lambda: who.tokens is None or "t" in who.tokens,
            "in": lambda: who.user is not None, "yes": lambda: True, "no": lambda: False,
        }[kind]()  # fmt: skip

    def _related(self, relation, tree, name, row, who):
        found = self.schema.relations[self.schema.root(name).name, relation]
        target = found.target
        root = self.schema.root(target).name
        for one in self.leading(found, row):
            if tree is None:
                if self.may(root, self.row_of(root, one["id"]), "read", who):
                    return True
            elif self.holds(tree, target, one, who):
                return True
        return False

    def leading(self, relation, row):
        """Return the rows of the target that a relation leads to from *row*."""
        rows = self.of_model(relation.target)
        if relation.kind == "one":
            return [one for one in rows if one["id"] == row[relation.key]]
        if relation.kind == "many":
            return [one for one in rows if one[relation.key] == row["id"]]
        via, here, there = relation.via
        keys = {one[there] for one in self.rows[via] if one[here] == row["id"]}
        return [one for one in rows if one["id"] in keys]

    def of_model(self, name):
        """Return the rows of a model: of a child, only those of its kind."""
        rows = self.rows[self.schema.table_of(name)]
        model = self.schema.models[name]
        if model.parent and not model.joined:
            return [one for one in rows if one["kind"] == name]
        return rows

    def row_of(self, root, key):
        """Return the root's row with a key."""
        return next(r for r in self.rows[self.schema.tablename(root)] if r["id"] == key)

    def visible(self, who):
        """Return the rows that *who* may see, with hidden fields None."""
        if who is None:
            return self.rows
        found = {}
        for model in self.schema.roots():
            table = self.schema.tablename(model.name)
            seen = [r for r in self.rows[table] if self.may(model.name, r, "read", who)]
            found[table] = [self.masked(model.name, row, who) for row in seen]
            keys = {row["id"] for row in seen}
            for child in model.children:
                if self.schema.models[child].joined:
                    own = self.schema.tablename(child)
                    found[own] = [r for r in self.rows[own] if r["id"] in keys]
        if self.schema.link is not None:
            found[self.schema.link.name] = [r for r in self.pairs() if self._ends(r, found)]
        return found

    def pairs(self):
        """Return the rows of the association table."""
        return self.rows[self.schema.link.name]

    def _ends(self, pair, found):
        ends = self.schema.relations
        left = next(r for r in ends.values() if r.name == "p")
        tables = {"l_id": left.model, "r_id": left.target}
        return all(
            any(row["id"] == pair[key] for row in found[self.schema.table_of(name)])
            for key, name in tables.items()
        )

    def masked(self, name, row, who):
        """Return a row with the fields None that *who* may not read."""
        hidden = {
            column: None
            for column, (read, _) in self.fields[name].items()
            if who is not None and not self.holds(read, name, row, who)
        }
        return {**row, **hidden}


# Drawing a world


def worlds(schema):
    """Draw rules and up to three rows a table."""
    roots = [model.name for model in schema.roots()]
    drawn = {}
    for number, name in enumerate(roots):
        below, usual = set(roots[:number]), st.sampled_from([("owner",), ("yes",)])
        read = trees(schema, name, below, 2)
        write = st.one_of(usual, trees(schema, name, set(roots)))
        # Half of the usual kind: of random trees few let a row be seen, and fewer two.
        rules = {a: st.one_of(read, usual) if a == "read" else write for a in ACTIONS}
        drawn[name] = st.fixed_dictionaries(
            {
                "rules": st.fixed_dictionaries(rules),
                "fields": _fields(schema, name, set(roots)),
                "tenant": st.sampled_from([False, False, False, True]),
                "rows": _lists(_row(schema, name)),
            }
        )
    pairs = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), unique=True, max_size=4)
    return st.tuples(st.fixed_dictionaries(drawn), pairs).map(lambda one: _world(schema, *one))


def _lists(rows):
    full = st.lists(rows, min_size=2, max_size=MOST_ROWS)
    return st.one_of(full, full, st.lists(rows, max_size=MOST_ROWS))


def _fields(schema, name, lean):
    columns = [*schema.models[name].columns]
    columns += [r.key for r in schema.relations_of(name).values() if r.kind == "one"]
    rule = st.one_of(st.sampled_from([("yes",), ("no",), ("owner",)]), trees(schema, name, lean))
    return st.dictionaries(st.sampled_from(columns), st.tuples(rule, rule), max_size=2)


def _row(schema, name):
    model = schema.models[name]
    parts = {column: value_of(one) for column, one in model.columns.items()}
    for child in model.children:
        columns = schema.models[child].columns
        parts |= {column: value_of(one) for column, one in columns.items()}
        parts["kind"] = st.sampled_from([name, child])
    for relation in schema.relations_of(name).values():
        if relation.kind == "one":
            parts[relation.key] = st.integers(0, MOST_ROWS)
    return st.fixed_dictionaries(parts)


def value_of(column):
    """Draw a value of a column."""
    values = st.sampled_from(KINDS[column.kind][1])
    return st.one_of(st.none(), values, values) if column.nullable else values


def _world(schema, drawn, pairs):
    rows = {table: [] for table in schema.tables}
    for name, one in drawn.items():
        _rows(schema, name, one["rows"], rows)
    for name in drawn:  # now that all keys are known
        for relation in schema.relations_of(name).values():
            if relation.kind == "one":
                _refer(schema, relation, rows)
    if schema.link is not None:
        ends = next(r for r in schema.relations.values() if r.name == "p")
        left, right = (_keys(schema, end, rows) for end in (ends.model, ends.target))
        rows[schema.link.name] = [
            {"l_id": a, "r_id": b} for a, b in pairs if a in left and b in right
        ]
    return World(
        schema,
        {name: one["rules"] for name, one in drawn.items()},
        {name: one["fields"] for name, one in drawn.items()},
        {name for name, one in drawn.items() if one["tenant"]},
        rows,
    )


def _rows(schema, name, drawn, rows):
    model = schema.models[name]
    for number, one in enumerate(drawn, 1):
        row = {"id": number, **one}
        if model.versioned:
            row["v"] = 1
        for child in model.children:
            own = {column: row[column] for column in schema.models[child].columns}
            if row["kind"] != child:
                row.update(dict.fromkeys(own))
            if schema.models[child].joined:
                for column in own:
                    del row[column]
                if row["kind"] == child:
                    rows[schema.tablename(child)].append({"id": number, **own})
        rows[schema.tablename(name)].append(row)


def _refer(schema, relation, rows):
    keys = _keys(schema, relation.target, rows)
    for row in rows[schema.tablename(relation.model)]:
        if row[relation.key] not in keys:
            row[relation.key] = None


def _keys(schema, name, rows):
    return {row["id"] for row in rows[schema.table_of(name)]}
