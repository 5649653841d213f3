"""Queries of every form, continued: loading, the identity map, smuggled SQL, writes that read.

FORMS has these and those of oracle_forms.py, which come first.
"""

import oracle_forms  # noqa: F401  # adds its forms
import sqlalchemy as sa
from oracle_query import FORMS, all_told, columns, form, hanging, order, told
from sqlalchemy import func, inspect, orm, select

__all__ = ["FORMS", "SMUGGLED"]

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
