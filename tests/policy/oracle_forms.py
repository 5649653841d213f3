"""Queries of every form, written once and run twice: under the policy, and on the pruned copy.

A form is a function of a `Query` (which classes, columns and values it is about) and a
session, and returns plain values that can be compared. Here: rows, joins, conditions,
aggregates, statements inside statements; loading and writing are in oracle_loads.py.
"""

import sqlalchemy as sa
from oracle_query import all_told, columns, form, hanging, order, told
from sqlalchemy import func, inspect, orm, select

# Entities and columns


@form
def entities(q, s):
    return all_told(s.scalars(select(q.any_class)))


@form
def plain_columns(q, s):
    one = q.plain(q.any_class)
    return order(s.execute(select(*columns(one).values())))


@form
def filtered(q, s):
    one = q.plain(q.cls)
    return order(s.execute(select(columns(one)["id"]).where(q.where(one))))


@form
def by_connection(q, s):
    found = [q.pick(0, q.schema.tables.values()), q.cls.__table__]
    return [order(s.connection().execute(select(one))) for one in found]


@form
def associations(q, s):
    link = q.schema.link
    return [] if link is None else order(s.execute(select(link)))


@form
def legacy(q, s):
    query = s.query(q.cls).filter(q.where(q.cls))
    first = s.query(q.cls).order_by(q.cls.id).first()
    far = orm.aliased(q.target)
    pairs = s.query(q.cls.id, far.id).select_from(q.cls).join(far, q.attribute)
    exists = s.query(query.exists()).scalar()
    return [query.count(), all_told(query), told(first), exists, order(pairs)]


@form
def bundles(q, s):
    one = q.any_class
    bundle = orm.Bundle("b", one.id, q.cls.id)
    return sorted(tuple(row[0]) for row in s.execute(select(bundle).where(one.id == q.cls.id)))


@form
def lambdas(q, s):
    cls, value = q.cls, q.column[1]
    column = getattr(cls, q.column[0])
    statement = sa.lambda_stmt(lambda: select(cls.id))
    statement += lambda one: one.where(column == value)
    return order(s.execute(statement))


@form
def paged(q, s):
    one = q.any_class
    statement = select(one).order_by(one.id).limit(2).offset(q.pick(6, [0, 1]))
    return [told(found) for found in s.scalars(statement.execution_options(yield_per=1))]


@form
def sorted_by_column(q, s):
    name, _ = q.column
    column = getattr(q.cls, name)
    return [tuple(r) for r in s.execute(select(q.cls.id, column).order_by(column, q.cls.id))]


@form
def distinct(q, s):
    one = q.plain(q.cls)
    return order(s.execute(select(columns(one)[q.column[0]]).distinct()))


# Joins


@form
def joins(q, s):
    near, far, on = q.joined()
    how = q.pick(6, [{}, {"isouter": True}, {"full": True}])
    if how.get("full") and (q.r.kind == "pairs" or s.bind.dialect.name in ("mysql", "mariadb")):
        how = {"isouter": True}
    statement = select(columns(near)["id"], columns(near)[q.column[0]], far.id, far.who)
    return order(s.execute(statement.select_from(near).join(far, on, **how)))


@form
def joined_along(q, s):
    far = orm.aliased(q.target)
    statement = select(q.cls, far).join(q.attribute.of_type(far), isouter=q.pick(6, [True, False]))
    return sorted(([told(a), told(b)] for a, b in s.execute(statement)), key=repr)


@form
def core_joins(q, s):
    near = q.cls.__table__
    if q.r.kind != "one":
        return None
    far = q.schema.tables[q.schema.table_of(q.r.target)].alias()
    joined = sa.outerjoin(near, far, near.c[q.r.key] == far.c.id)
    return order(s.execute(select(near.c.id, far.c.id).select_from(joined)))


@form
def implicit_joins(q, s):
    if q.r.kind == "pairs":
        link, (_, here, there) = q.schema.link.c, q.r.via
        near, far = q.plain(q.cls), orm.aliased(q.target)
        on = sa.and_(link[here] == columns(near)["id"], link[there] == far.id)
    else:
        near, far, on = q.joined()
    return order(s.execute(select(columns(near)["id"], far.id).where(on)))


@form
def eager_by_hand(q, s):
    statement = select(q.cls).outerjoin(q.attribute).options(orm.contains_eager(q.attribute))
    if q.schema.root(q.r.target).name == q.schema.root(q.r.model).name:
        return None
    found = s.scalars(statement.execution_options(populate_existing=True)).unique()
    return sorted(((told(one), hanging(one, q.r.name)) for one in found), key=repr)


# Conditions on other rows


@form
def exists(q, s):
    near, far, on = q.joined()
    there = sa.exists().where(on, q.pick(6, [far.id > 0, far.who.is_(None)])).correlate(near)
    statement = select(columns(near)["id"]).select_from(near)
    return [order(s.execute(statement.where(one))) for one in (there, ~there)]


@form
def any_and_has(q, s):
    test = q.attribute.has if q.r.kind == "one" else q.attribute.any
    found = [test(), ~test(), test(q.target.id > 1)]
    return [order(s.execute(select(q.cls.id).where(one))) for one in found]


@form
def contains(q, s):
    others = s.scalars(select(q.target).order_by(q.target.id)).all()
    one = q.cls
    if q.r.kind == "one":
        found = [select(one.id).where(q.attribute == other) for other in others]
        found.append(select(one.id).where(q.attribute == None))  # noqa: E711  # SQL
    else:
        known = [other for other in others if not q.r.key or getattr(other, q.r.key) is not None]
        found = [select(one.id).where(q.attribute.contains(other)) for other in known]
    return [order(s.execute(statement)) for statement in found]


@form
def in_subquery(q, s):
    near, far, _ = q.joined()
    inner = select(far.id if q.r.kind != "many" else getattr(far, q.r.key))
    own = columns(near)[q.r.key if q.r.kind == "one" else "id"]
    inner = inner.where(inner.selected_columns[0].is_not(None))
    statement = select(columns(near)["id"])
    return [order(s.execute(statement.where(one))) for one in (own.in_(inner), own.not_in(inner))]


@form
def scalar_subquery(q, s):
    near, far, on = q.joined()
    inner = select(q.pick(6, [func.count(far.id), func.max(far.who)])).where(on)
    statement = select(columns(near)["id"], inner.correlate(near).scalar_subquery())
    return order(s.execute(statement))


@form
def compared_with_all(q, s):
    one = q.plain(q.cls)
    other = orm.aliased(q.any_class)
    most = select(func.max(other.id)).scalar_subquery()
    return order(s.execute(select(columns(one)["id"]).where(columns(one)["id"] >= most)))


# Aggregates


@form
def aggregates(q, s):
    one = columns(q.plain(q.cls))
    name = q.column[0]
    kind = q.schema.models[q.r.model].columns[name].kind
    found = [func.count(), func.count(one[name]), func.count(one[name].distinct()),
             func.max(one["id"]), func.sum(one["id"])]  # fmt: skip
    if kind in ("int", "decimal", "str", "date"):
        found += [func.min(one[name]), func.max(one[name])]
    return order(s.execute(select(*found)))


@form
def grouped(q, s):
    one = q.plain(q.cls)
    column = columns(one)[q.column[0]]
    statement = select(column, func.count()).group_by(column)
    if q.pick(6, [True, False]):
        statement = statement.having(func.count() > 1)
    return order(s.execute(statement))


@form
def grouped_by_key(q, s):
    near, far, on = q.joined()
    a = columns(near)
    statement = select(a["id"], a[q.column[0]], func.count(far.id)).select_from(near)
    statement = statement.join(far, on, isouter=True).group_by(a["id"])
    if s.bind.dialect.name in ("mysql", "mariadb"):
        statement = statement.group_by(a[q.column[0]])
    return order(s.execute(statement))


@form
def windows(q, s):
    one = columns(q.plain(q.cls))
    number = func.row_number().over(order_by=one["id"])
    many = func.count().over(partition_by=one[q.column[0]])
    return order(s.execute(select(one["id"], number, many)))


@form
def filtered_aggregates(q, s):
    one = columns(q.plain(q.cls))
    if s.bind.dialect.name in ("mysql", "mariadb"):
        return None
    return order(s.execute(select(func.count().filter(one["id"] > 1), func.count(one["id"]))))


# Statements inside statements


@form
def unions(q, s):
    one, other = columns(q.plain(q.cls)), columns(q.plain(q.any_class))
    a, b = select(one["id"]), select(other["id"])
    how = q.pick(6, ["union", "union_all", "except_", "intersect"])
    return order(s.execute(getattr(a, how)(b)))


@form
def subqueries(q, s):
    one = q.plain(q.cls)
    inner = select(*columns(one).values()).where(q.where(one)).subquery()
    return order(s.execute(select(func.count(), func.max(inner.c.id)).select_from(inner)))


@form
def aliased_subquery(q, s):
    inner = select(q.cls).where(q.where(q.cls)).subquery()
    if inspect(q.cls).polymorphic_on is not None:
        return order(s.execute(select(inner.c.id)))
    return all_told(s.scalars(select(orm.aliased(q.cls, inner))))


@form
def ctes(q, s):
    one = q.plain(q.cls)
    inner = select(columns(one)["id"].label("id")).where(q.where(one)).cte("picked")
    again = select(inner.c.id).where(inner.c.id > 0).cte("again")
    other = q.plain(q.any_class)
    statement = select(columns(other)["id"], again.c.id).join(
        again, again.c.id == columns(other)["id"]
    )
    return order(s.execute(statement))


@form
def recursion(q, s):
    selves = [r for r in q.schema.relations.values() if r.kind == "one" and r.target == r.model]
    if selves:
        cls, key = q.schema.classes[selves[0].model], selves[0].key
        start = select(cls.id.label("id")).where(getattr(cls, key).is_(None)).cte(recursive=True)
        step = q.plain(cls)
        more = select(columns(step)["id"]).join(start, columns(step)[key] == start.c.id)
        return order(s.execute(select(start.union(more).c.id)))
    cls = q.cls
    start = select(cls.id.label("id")).where(cls.id == 1).cte(recursive=True)
    more = select(cls.id).join(start, cls.id == start.c.id + 1)
    return order(s.execute(select(start.union(more).c.id)))


@form
def from_statement(q, s):
    if inspect(q.cls).polymorphic_on is not None:
        return order(s.execute(select(q.cls.id).from_statement(select(q.cls.__table__.c.id))))
    return all_told(s.scalars(select(q.cls).from_statement(select(q.cls.__table__))))


@form
def locked(q, s):
    one = q.any_class
    statement = select(one).with_for_update(of=one) if q.pick(6, [0, 1]) else select(one)
    return all_told(s.scalars(statement.with_for_update()))
