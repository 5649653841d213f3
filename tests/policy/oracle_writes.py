"""Writes of every kind, and what the naive evaluation says must be there afterwards.

    CHANGES[name](write, session)     carries it out
    EXPECTED[name](write, world, who) -> Expected: rows if it succeeds, and how it may fail

A write that fails leaves everything as it was. `ok` False: it must fail; None: it may.
"""

import copy

import sqlalchemy as sa
from oracle_change import (
    DENIED,
    NEW,
    QUIET,
    Expected,
    after,
    change,
    changeable,
    creatable,
    expected,
    fields_open,
    find,
    of_class,
    referring,
    there,
    writable,
)
from oracle_rules import World
from sqlalchemy import inspect, orm
from sqlalchemy.dialects import mysql, postgresql, sqlite

from carboy.base.scope import unscoped


def target_of(write):
    """Return the class or its table."""
    root = write.schema.classes[write.root.name]
    return root.__table__ if write.flags[4] % 2 else root


@change
def update(write, session):
    target = target_of(write)
    statement = sa.update(target).values(**write.few)
    condition = write.where(target)
    session.execute(statement if condition is None else statement.where(condition), **QUIET)


@expected
def of_update(write, world, who):
    name, failing = write.root.name, False
    hit = []
    for row in world.rows[write.table]:
        if not write.matches(world.masked(name, row, who)):
            continue
        may = changeable(world, name, row, write.few, who)
        if not may and who is None:
            failing = True  # the system may do everything but refer to what is not there
        elif not may and not there(world, name, {**row, **write.few}, write.few):
            failing = failing or (writable(world, name, row, "update", who))
        if may:
            hit.append(row["id"])
    rows = after(world, write.table, lambda found: [
        {**row, **write.few} if row["id"] in hit else row for row in found
    ])  # fmt: skip
    # A foreign key to nothing hits no row, or is the database's to refuse.
    return Expected(rows, ok=(False if who is None else None) if failing else True)


@change
def delete(write, session):
    target = target_of(write)
    condition = write.where(target)
    statement = sa.delete(target)
    session.execute(statement if condition is None else statement.where(condition), **QUIET)


@expected
def of_delete(write, world, who):
    name = write.root.name
    gone = {
        row["id"]
        for row in world.rows[write.table]
        if write.matches(world.masked(name, row, who)) and writable(world, name, row, "delete", who)
    }
    rows = after(world, write.table, lambda found: [r for r in found if r["id"] not in gone])
    if dangling(world.schema, rows):
        return Expected(None, ok=False)
    inside = [r for r in own_relations(write) if any(
        row[r.key] in gone and row["id"] in gone for row in world.rows[write.table])]  # fmt: skip
    return Expected(rows, ok=None if inside else True)  # MariaDB looks at each row by itself


def own_relations(write):
    """Return the relations of a model to itself."""
    relations = write.schema.relations_of(write.root.name).values()
    return [r for r in relations if r.kind == "one" and write.schema.root(r.target) is write.root]


def dangling(schema, rows):
    """Return whether some foreign key refers to a row that is not there."""
    for name, table in schema.tables.items():
        for key in table.foreign_keys:
            known = {row["id"] for row in rows[key.column.table.name]} | {None}
            if any(row[key.parent.key] not in known for row in rows[name]):
                return True
    return False


def loaded(write, session):
    """Return the object: one that may be seen; or any, stolen from the system."""
    if write.flags[4] % 3:
        return session.get(write.cls, write.key)
    with unscoped("test"), orm.Session(session.get_bind()) as other:
        found = other.get(write.cls, write.key)
        if found is not None:
            other.refresh(found)
            other.expunge(found)
    if found is not None:
        session.add(found)
    return found


def reached(write, world, who):
    """Return the row that `loaded` gives, as it is loaded; None when it gives none."""
    row = find(world, write)
    if row is None or not of_class(write, row):
        return None, None
    if not write.flags[4] % 3:
        return row, row
    visible = world.may(write.root.name, row, "read", who)
    return (row, world.masked(write.root.name, row, who)) if visible else (None, None)


@change
def flush_update(write, session):
    found = loaded(write, session)
    if found is not None:
        for name, value in write.few.items():
            setattr(found, name, value)
        session.flush()


@expected
def of_flush_update(write, world, who):
    row, shown = reached(write, world, who)
    changes = {} if row is None else {k: v for k, v in write.few.items() if shown[k] != v}
    if not changes:
        return Expected(world.rows)
    if not changeable(world, write.root.name, row, changes, who):
        return Expected(None, ok=False)
    if write.root.versioned:
        changes["v"] = row["v"] + 1
    return Expected(with_changes(world, write, changes))


def with_changes(world, write, changes):
    """Return all rows, with changes made to the one of the write."""
    return after(world, write.table, lambda found: [
        {**row, **changes} if row["id"] == write.key else row for row in found
    ])  # fmt: skip


@change
def by_key(write, session):
    if write.root.versioned:
        return
    root = write.schema.classes[write.root.name]
    if write.flags[4] % 2:
        session.execute(sa.update(root), [{"id": write.key, **write.few}])
    else:
        session.bulk_update_mappings(inspect(root), [{"id": write.key, **write.few}])


@expected
def of_by_key(write, world, who):
    if write.root.versioned:
        return Expected(world.rows)
    row = find(world, write)
    if row is None:
        return Expected(None, ok=False)
    if not changeable(world, write.root.name, row, write.few, who):
        return Expected(None, ok=False)
    return Expected(with_changes(world, write, write.few))


@change
def flush_insert(write, session):
    row = {c: v for c, v in write.values.items() if v is not None}
    found = write.cls(id=NEW, **row)
    if write.flags[4] % 3:
        session.add(found)
        session.flush()
    else:
        session.bulk_save_objects([found])
        session.flush()


@expected
def of_flush_insert(write, world, who):
    bulk = not write.flags[4] % 3  # decided in Python: it may be refused
    rows, allowed = creatable(world, write, who, NEW, flushed=not bulk)
    if any(row["id"] == NEW for row in world.rows[write.table]):
        return Expected(None, ok=False, errors={*DENIED, "Refused", "FlushError"})
    errors = {*DENIED, "Refused"} if bulk else DENIED
    return Expected(rows, ok=(None if bulk else True) if allowed else False, errors=errors)


@change
def core_insert(write, session):
    table = write.schema.tables[write.table]
    session.execute(sa.insert(table), [write.full_row(NEW)])


@expected
def of_core_insert(write, world, who):
    name, row = write.root.name, write.full_row(NEW)
    rows = after(world, write.table, lambda found: [*found, row])
    new = World(world.schema, world.rules, world.fields, world.tenants, rows)
    keys = {c for c, value in row.items() if value is not None}
    allowed = (
        new.may(name, row, "create", who)
        and fields_open(new, name, row, keys, who)
        and referring(new, name, row, keys, who)
    )
    if any(one["id"] == NEW for one in world.rows[write.table]):
        allowed = False
    certain = who is None or plain(world, name)
    return Expected(rows, ok=(True if certain else None) if allowed else False,
                    errors={*DENIED, "Refused"})  # fmt: skip


def plain(world, name):
    """Return whether Python can be asked for the create rule: it is about who asks alone."""
    simple = {"owner", "role", "token", "in", "yes", "no"}
    foreign = any(r.kind == "one" for r in world.schema.relations_of(name).values())
    tree = world.rules[name]["create"]
    return tree[0] in simple and not world.fields[name] and not foreign


@change
def upsert(write, session):
    table = write.schema.tables[write.table]
    kinds = {"sqlite": sqlite, "postgresql": postgresql, "mariadb": mysql}
    kind = kinds[session.get_bind().dialect.name]
    statement = kind.insert(table).values(**write.full_row(write.key))
    if kind is mysql:
        statement = statement.on_duplicate_key_update(**write.few)
    else:
        statement = statement.on_conflict_do_update(index_elements=["id"], set_=write.few)
    session.execute(statement, **QUIET)


@expected
def of_upsert(write, world, who):
    row, name = find(world, write), write.root.name
    errors = {*DENIED, "Refused"}
    if row is None:
        rows = after(world, write.table, lambda found: [*found, write.full_row(write.key)])
        new = World(world.schema, world.rules, world.fields, world.tenants, rows)
        made = write.full_row(write.key)
        keys = {c for c, value in made.items() if value is not None}
        allowed = (
            new.may(name, made, "create", who)
            and fields_open(new, name, made, keys, who)
            and referring(new, name, made, keys, who)
        )
        return Expected(rows, ok=None if allowed else False, errors=errors)
    may = changeable(world, name, row, write.few, who)
    rows = with_changes(world, write, write.few) if may else world.rows
    return Expected(rows, ok=None, errors=errors)


@change
def merge(write, session):
    if write.root.children or write.root.versioned:
        return
    session.merge(write.cls(id=write.key, **write.values))
    session.flush()


@expected
def of_merge(write, world, who):
    if write.root.children or write.root.versioned:
        return Expected(world.rows)
    row, name = find(world, write), write.root.name
    if row is None:
        rows, allowed = creatable(world, write, who, write.key)
        return Expected(rows, ok=allowed)
    if not world.may(name, row, "read", who):
        return Expected(None, ok=False)
    shown = world.masked(name, row, who)
    changes = {k: v for k, v in write.values.items() if shown[k] != v}
    if changes and not changeable(world, name, row, changes, who):
        return Expected(None, ok=False)
    return Expected(with_changes(world, write, changes))


def ends_of(write):
    """Return (relation, key here, key there) of the many-to-many; None without one."""
    found = [r for r in write.schema.relations.values() if r.name == "p"]
    return (found[0], 1 + write.flags[0] % 2, 1 + write.flags[1] % 2) if found else None


@change
def link(write, session):
    ends = ends_of(write)
    if ends is None:
        return
    relation, here, far = ends
    left = session.get(write.schema.classes[relation.model], here)
    right = session.get(write.schema.classes[relation.target], far)
    if left is None or right is None:
        return
    if right in left.p:
        left.p.remove(right)
    else:
        left.p.append(right)
    session.flush()


@expected
def of_link(write, world, who):
    ends = ends_of(write)
    if ends is None:
        return Expected(world.rows)
    relation, here, far = ends
    schema, pair = write.schema, {"l_id": here, "r_id": far}
    rows = []
    for name, key in ((relation.model, here), (relation.target, far)):
        found = [r for r in world.rows[schema.tablename(name)] if r["id"] == key]
        if not found or not world.may(name, found[0], "read", who):
            return Expected(world.rows)
        rows.append((name, found[0]))
    may = any(writable(world, name, row, "update", who) for name, row in rows)
    pairs = world.rows[schema.link.name]
    now = [p for p in pairs if p != pair] if pair in pairs else [*pairs, pair]
    return Expected(after(world, schema.link.name, lambda _: now), ok=may)


@change
def vanish(write, session):
    found = session.get(write.cls, write.key)
    if found is None:
        return
    with unscoped("test"):
        table = write.schema.tables[write.table]
        change = sa.update(table).where(table.c.id == write.key).values(**write.few)
        session.connection().execute(change)
    session.refresh(found)


@expected
def of_vanish(write, world, who):
    row, name = find(world, write), write.root.name
    if row is None or not of_class(write, row) or not world.may(name, row, "read", who):
        return Expected(world.rows)
    rows = with_changes(world, write, write.few)
    if dangling(write.schema, rows):
        return Expected(None, ok=False, errors={*DENIED, "IntegrityError", "ConstraintFault"})
    new = World(world.schema, world.rules, world.fields, world.tenants, rows)
    return Expected(rows, ok=new.may(name, find(new, write), "read", who))


@change
def flush_delete(write, session):
    found = loaded(write, session)
    if found is not None:
        session.delete(found)
        session.flush()


@expected
def of_flush_delete(write, world, who):
    row, _ = reached(write, world, who)
    if row is None:
        return Expected(world.rows)
    if not writable(world, write.root.name, row, "delete", who):
        return Expected(None, ok=False)
    rows = copy.deepcopy(world.rows)
    certain = _gone(write, world, rows, row, who)
    if certain is None:  # a circle of rows, the ORM itself refuses
        return Expected(None, ok=None, errors={*DENIED, "CircularDependencyError"})
    return Expected(rows, ok=certain and not dangling(write.schema, rows))


def _gone(write, world, rows, row, who):
    """Take a row out, with what hangs on it; None where the order of things decides."""
    schema, key = write.schema, row["id"]
    for model in (write.root.name, *write.root.children):
        table = schema.tablename(model)
        if table in rows:
            rows[table] = [one for one in rows[table] if one["id"] != key]
    certain = True
    for relation in schema.relations_of(write.root.name).values():
        if relation.kind == "pairs":
            via, here, _ = relation.via
            rows[via] = [one for one in rows[via] if one[here] != key]
        elif relation.kind == "many":
            hanging = _hanging(write, world, rows, relation, key, who)
            certain = None if hanging is None else certain and hanging
    return certain


def _hanging(write, world, rows, relation, key, who):
    table = world.schema.tablename(relation.target)
    found = [one for one in world.rows[table] if one[relation.key] == key]
    if not found:
        return True
    target = world.schema.models[relation.target]
    further = [r for r in world.schema.relations_of(relation.target).values() if r.kind != "one"]
    if relation.target == write.root.name or target.children or further:
        return None  # what goes with what, and in which order: tests of their own
    if relation.cascade:
        return _following(world, rows, relation, found, who)
    for one in found:
        if not _let_go(world, relation, one, who):
            return False
    for one in rows[table]:
        if one[relation.key] == key:
            one[relation.key] = None
            if target.versioned:
                one["v"] += 1
    return True if len(world.schema.relations_of(relation.target)) < 2 else None


def _let_go(world, relation, one, who):
    """Return whether the foreign key of a row may be seen and set to NULL."""
    shown = world.masked(relation.target, one, who)[relation.key]
    return shown is not None and changeable(world, relation.target, one, {relation.key: None}, who)


def _following(world, rows, relation, found, who):
    """Take out what goes with its parent, also what one may not delete, or not see."""
    table = world.schema.tablename(relation.target)
    for one in found:
        hidden = world.masked(relation.target, one, who)[relation.key] is None
        if hidden and writable(world, relation.target, one, "delete", who):
            return None
    keys = [one["id"] for one in found]
    rows[table] = [one for one in rows[table] if one["id"] not in keys]
    return True
