"""What a query is about, and the plain values that its answers are compared as.

FORMS     every form by name: oracle_forms.py and oracle_loads.py add theirs
Query     classes, columns and values, out of drawn numbers
told()    what an entity tells
"""

from dataclasses import dataclass
from functools import cached_property

import sqlalchemy as sa
from hypothesis import strategies as st
from oracle_schemas import KINDS
from sqlalchemy import inspect, orm, select

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
