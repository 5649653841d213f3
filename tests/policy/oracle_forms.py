"""Queries of every form, written once and run twice: under the policy, and on the pruned copy.

A form is a function of a `Query` (which classes, columns and values it is about) and a
session, and returns plain values that can be compared.
"""

from dataclasses import dataclass
from functools import cached_property

import sqlalchemy as sa
from hypothesis import strategies as st
from oracle_schemas import KINDS
from sqlalchemy import func, inspect, orm, select

FORMS = {}


def form(function):
    """Add a form to the list."""
    FORMS[function.__name__] = function
    return function


@dataclass
class Query:
    """What a form is about, out of drawn numbers.

    a: the class, an alias of it or its table. b: the other end of the relation `r`.
    """

    schema: object
    numbers: tuple

    def pick(self, at, options):
        """Return one of the options by the drawn number at a place."""
        options = list(options)
        return options[self.numbers[at] % len(options)]

    @cached_property
    def r(self):
        return self.pick(0, self.schema.relations.values())

    @cached_property
    def cls(self):
        """The class at this end; sometimes any class, when no relation is needed."""
        return self.schema.classes[self.r.model]

    @cached_property
    def any_class(self):
        return self.pick(1, self.schema.classes.values())

    @cached_property
    def target(self):
        return self.schema.classes[self.r.target]

    @cached_property
    def attribute(self):
        return getattr(self.cls, self.r.name)

    @cached_property
    def column(self):
        """The name of a column of `cls`, and a value to compare it with."""
        columns = self.schema.models[self.r.model].columns
        name = self.pick(2, columns)
        return name, self.pick(3, KINDS[columns[name].kind][1])

    def where(self, one):
        """Return a condition on a class, an alias or a table that has the column."""
        name, value = self.column
        column = getattr(getattr(one, "c", one), name)
        return self.pick(4, [column == value, column.is_not(None), column.is_(None)])

    def plain(self, cls):
        """Return the table of a class, or a class, or an alias of either."""
        single = inspect(cls).inherits is not None
        ways = [cls, orm.aliased(cls)]
        if not single:
            ways += [cls.__table__, cls.__table__.alias()]
        return self.pick(5, ways)

    def joined(self):
        """Return (near end, far end, condition), each as a class, table or alias."""
        far = orm.aliased(self.target)
        if self.r.kind == "pairs":
            via = self.schema.link.alias()
            _, here, there = self.r.via
            near = self.plain(self.cls)
            on = select(via.c[here]).where(via.c[there] == far.id)
            return near, far, columns(near)["id"].in_(on)
        near = self.plain(self.cls)
        a = columns(near)
        if self.r.kind == "one":
            return near, far, a[self.r.key] == far.id
        return near, far, a["id"] == getattr(far, self.r.key)


def numbers():
    """Draw the numbers of a query."""
    return st.tuples(*[st.integers(0, 11)] * 8)


def columns(one):
    """Return the columns of a class, alias or table by name."""
    if hasattr(one, "c"):
        return one.c
    return {a.key: getattr(one, a.key) for a in inspect(one).mapper.column_attrs}


# Plain values


def order(rows):
    """Return rows in an order that does not depend on the database."""
    return sorted((tuple(row) for row in rows), key=repr)


def told(one):
    """Return what an entity tells: its class and the values of its columns."""
    if one is None:
        return None
    mapper = inspect(one).mapper
    names = [a.key for a in mapper.column_attrs if isinstance(a.columns[0], sa.Column)]
    return (type(one).__name__, *((name, getattr(one, name)) for name in sorted(names)))


def all_told(ones):
    """Return what entities tell, in an order of their own."""
    return sorted((told(one) for one in ones), key=repr)


def hanging(one, name):
    """Return what hangs on an entity by a relation."""
    found = getattr(one, name)
    return all_told(found) if isinstance(found, list) else told(found)


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


# Loading


LOADERS = ["selectinload", "joinedload", "subqueryload", "immediateload", "lazyload"]


@form
def relations(q, s):
    loader = getattr(orm, q.pick(6, LOADERS))
    statement = select(q.cls).options(loader(q.attribute))
    s.expire_all()  # populate_existing=True loses rows that refer to each other, also without us
    found = s.scalars(statement).unique().all()
    return sorted(((told(one), hanging(one, q.r.name)) for one in found), key=repr)


@form
def two_steps(q, s):
    further = q.schema.relations_of(q.schema.root(q.r.target).name)
    second = q.pick(7, further.values()) if further else None
    if second is None:
        return None
    loader = getattr(orm, q.pick(6, LOADERS))
    path = loader(q.attribute)
    path = getattr(path, q.pick(5, LOADERS))(getattr(q.target, second.name))
    statement = select(q.cls).options(path)
    s.expire_all()
    found = s.scalars(statement).unique().all()
    hung = ((told(one), [hanging(x, second.name) for x in _many(one, q.r.name)]) for one in found)
    return sorted(((one, sorted(others, key=repr)) for one, others in hung), key=repr)


def _many(one, name):
    found = getattr(one, name)
    return found if isinstance(found, list) else [] if found is None else [found]


@form
def dynamic(q, s):
    if q.r.kind != "many":
        return None
    found = s.scalars(select(q.cls)).all()
    by_proxy = [(one.id, sorted(getattr(one, f"ids_{q.r.name}"))) for one in found]
    by_query = [(one.id, all_told(getattr(one, f"dyn_{q.r.name}"))) for one in found]
    return [sorted(by_proxy), sorted(by_query, key=repr)]


@form
def computed(q, s):
    if q.r.kind != "many":
        return None
    counts = select(q.cls.id, getattr(q.cls, f"n_{q.r.name}"))
    hybrid = select(q.cls.id, getattr(q.cls, f"max_{q.r.name}"))
    proxy = select(q.cls.id).where(getattr(q.cls, f"ids_{q.r.name}") == 1)
    return [order(s.execute(one)) for one in (counts, hybrid, proxy)]


@form
def deferred(q, s):
    name = q.column[0]
    statement = select(q.cls).options(orm.load_only(q.cls.id), orm.defer(getattr(q.cls, name)))
    found = s.scalars(statement.execution_options(populate_existing=True)).all()
    return sorted(((one.id, getattr(one, name)) for one in found), key=repr)


@form
def polymorphic(q, s):
    parents = [one for one in q.schema.roots() if one.children]
    if not parents:
        return None
    parent = q.pick(7, parents)
    cls = q.schema.classes[parent.name]
    child = q.schema.classes[parent.children[0]]
    both = orm.with_polymorphic(cls, "*", aliased=bool(q.pick(6, [0, 1])))
    inner = all_told(s.scalars(select(both)))
    extra = all_told(s.scalars(select(cls).options(orm.selectin_polymorphic(cls, [child]))))
    return [inner, extra, all_told(s.scalars(select(child)))]


# The identity map


@form
def get(q, s):
    return [told(s.get(q.any_class, key)) for key in (1, 2, 3)]


@form
def get_after_load(q, s):
    s.scalars(select(q.cls)).all()
    return [[told(s.get(cls, key)) for key in (1, 2, 3)] for cls in (q.cls, q.target)]


@form
def refreshed(q, s):
    found = s.scalars(select(q.any_class)).all()
    for one in found:
        s.refresh(one)
    for one in found:
        s.expire(one)
    return all_told(found)


@form
def merged(q, s):
    model = q.schema.models[q.r.model]
    if model.parent:
        return None
    found = []
    for key in (1, 2, 3):
        with s.no_autoflush:
            one = s.merge(q.cls(id=key))
            found.append(inspect(one).persistent)
        s.expunge_all()
    return found


# What cannot be checked: refused, or answered as everything else is

SMUGGLED = {"smuggled", "driver_sql"}


def by_operator(where, text):
    """Return an operator that only the low level makes."""
    made = {where: sa.sql.operators.custom_op(text)}
    return sa.sql.elements.UnaryExpression(sa.literal(1), **made)


@form
def smuggled(q, s):
    cls = q.schema.classes[q.schema.root(q.r.model).name]
    name = cls.__table__.name
    count = f"(SELECT count(*) FROM {name})"
    raw = sa.sql.quoted_name(count, quote=False)
    ways = [
        sa.text(f"SELECT id FROM {name}"),
        select(sa.literal_column(count)),
        select(sa.literal(1).op(f"+ {count} +")(0)),
        select(by_operator("operator", f"{count} +")),
        select(by_operator("modifier", f"+ {count}")),
        select(sa.literal(1)).with_statement_hint(f"UNION ALL SELECT id FROM {name}"),
        select(sa.column(raw)),
        select(sa.table(name, sa.column("id"))),
        select(sa.literal(1)).prefix_with(f"{count},"),
    ]
    if s.bind.dialect.name == "postgresql":
        rows = func.query_to_xml(f"SELECT id FROM {name} ORDER BY id", True, False, "")
        field = f"year FROM DATE '2026-01-01') + {count} + extract(year"
        now = sa.literal_column("DATE '2026-01-01'")
        ways += [
            select(sa.cast(rows, sa.Text)),
            select(sa.cast(sa.extract(field, now), sa.Integer)),
            select(sa.tablesample(cls.__table__, 100).c.id),
        ]
    return order(s.execute(ways[(q.numbers[6] + 12 * (q.numbers[7] % 2)) % len(ways)]))


@form
def driver_sql(q, s):
    name = q.cls.__table__.name
    return order(s.connection().exec_driver_sql(f"SELECT id FROM {name}"))


@form
def overridden_binds(q, s):
    types = ("integer", "biginteger", "smallinteger")
    names = [f"carboy_{who}_{kind}" for who in ("user", "tenant") for kind in types]
    return order(s.execute(select(q.cls.id), dict.fromkeys(names, q.pick(6, [0, 1, 2]))))


# Reading by writing: into a table that everybody may write


def undone(s, *statements):
    """Execute statements and return what is in the scratch table; take it all back."""
    with s.begin_nested() as point:
        for one in statements:
            s.execute(one, execution_options={"synchronize_session": False})
        kept = statements[0].table
        found = order(s.execute(select(kept.c.n)))
        point.rollback()
    return found


@form
def insert_from_select(q, s):
    kept = q.schema.scratch.__table__
    one = q.plain(q.cls)
    source = select(columns(one)["id"]).where(q.where(one))
    return undone(s, sa.insert(kept).from_select(["n"], source))


@form
def update_from_select(q, s):
    kept = q.schema.scratch.__table__
    near, far, on = q.joined()
    count = select(func.count()).select_from(near).join(far, on).scalar_subquery()
    return undone(
        s,
        sa.insert(kept).values(n=0),
        sa.update(kept).values(n=count),
        sa.insert(kept).values(n=select(func.max(columns(near)["id"])).scalar_subquery()),
    )


@form
def delete_by_select(q, s):
    kept = q.schema.scratch.__table__
    one = q.plain(q.cls)
    rows = [{"n": number} for number in (1, 2, 3)]
    with s.begin_nested() as point:
        s.execute(sa.insert(kept), rows)
        gone = sa.delete(kept).where(kept.c.n.in_(select(columns(one)["id"]).where(q.where(one))))
        s.execute(gone)
        found = order(s.execute(select(kept.c.n)))
        point.rollback()
    return found


@form
def update_joining(q, s):
    kept = q.schema.scratch.__table__
    other = q.cls.__table__
    with s.begin_nested() as point:
        s.execute(sa.insert(kept), [{"n": number} for number in (1, 2, 3)])
        s.execute(sa.update(kept).values(n=kept.c.n + 10).where(kept.c.n == other.c.id))
        found = order(s.execute(select(kept.c.n)))
        point.rollback()
    return found
