"""Random models: two to five classes with columns, relations and inheritance of every kind.

    Schema(seed)      the same seed, the same classes
        .models       name to Model: columns, parent; roots come before their children
        .relations    (model, attribute) to Relation: "one", "many" or "pairs"
        .classes      name to mapped class        .tables    name to table

Mapping costs some 30 ms, so that a run draws from a pool of schemas.
"""

import datetime as dt
import enum
import random
import uuid
from dataclasses import dataclass, field
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.ext.associationproxy import association_proxy
from sqlalchemy.ext.hybrid import hybrid_property

from carboy.data.models import Model as DataModel
from carboy.data.types import column_type
from carboy.policy.book import Rulebook
from carboy.policy.policies import Policy
from carboy.policy.rules import everyone


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


KINDS = {
    "int": (int, [0, 1, 2]),
    "str": (str, ["a", "A", "b", "a "]),
    "bool": (bool, [False, True]),
    "date": (dt.date, [dt.date(1999, 12, 31), dt.date(2026, 1, 1)]),
    "decimal": (Decimal, [Decimal("0.10"), Decimal("-1.05"), Decimal("3.00")]),
    "moment": (dt.datetime, [dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC),
                             dt.datetime(2026, 1, 1, 12, 0, 0, 1, tzinfo=dt.UTC)]),
    "uuid": (uuid.UUID, [uuid.UUID(int=1), uuid.UUID(int=2**127)]),
    "enum": (Colour, list(Colour)),
}  # fmt: skip
"""Kind of a column to its Python type and the values that rows and rules draw."""

ORDERED = {"int", "date", "decimal", "moment"}
MOST_ROWS = 3  # per table


@dataclass(frozen=True)
class Column:
    """A column of a model: `who` and `org` are the owner and the tenant."""

    kind: str
    nullable: bool


@dataclass
class Model:
    """A class. parent: of a child, whose rows are in the parent's table too (or only)."""

    name: str
    columns: dict
    parent: str = ""
    joined: bool = False
    children: list = field(default_factory=list)
    versioned: bool = False


@dataclass(frozen=True)
class Relation:
    """A relationship. key: the column with the foreign key, at the side that has it.

    via: of "pairs", the association table, then its column here and its column there.
    """

    model: str
    name: str
    kind: str
    target: str
    key: str = ""
    via: tuple = ()
    cascade: bool = False


class Schema:
    """The classes of a seed, with their rulebook."""

    def __init__(self, seed):
        self.seed = seed
        self.random = random.Random(seed)
        self.models, self.relations = {}, {}
        self.prefix = f"z{seed}"
        self._draw()
        self._map()
        self.book = Rulebook(self.base.registry)

    # What there is

    def roots(self):
        """Return the models that have a policy of their own."""
        return [one for one in self.models.values() if not one.parent]

    def root(self, name):
        """Return the model whose policy stands for *name*."""
        return self.models[self.models[name].parent or name]

    def table_of(self, name):
        """Return the name of the table that the columns of *name* are in."""
        model = self.models[name]
        return self.tablename(model.parent if model.parent and not model.joined else name)

    def tablename(self, name):
        """Return the name of a model's own table."""
        return f"{self.prefix}_{name.lower()}"

    def relations_of(self, name):
        """Return the relations declared at a model, by attribute."""
        return {r.name: r for (model, _), r in self.relations.items() if model == name}

    # Drawing

    def _draw(self):
        draw = self.random
        for letter in "ABC"[: draw.choice([2, 2, 3])]:
            self._model(letter)
        roots = list(self.models)
        for number, name in enumerate(roots):
            self._child(name)
            for link in range(draw.choice([0, 1, 1, 2]) if number else draw.choice([0, 1])):
                targets = [*roots[:number], *roots[:number], name]
                self._one(name, f"f{link}", draw.choice(targets))
        if draw.random() < 0.6:
            self._pairs(draw.choice(roots), draw.choice(roots))
        if not self.relations:
            self._one(roots[-1], "f0", roots[0])

    def _columns(self, count, prefix, *, nullable=0.5):
        draw = self.random
        return {
            f"{prefix}{n}": Column(draw.choice(list(KINDS)), draw.random() < nullable)
            for n in range(count)
        }

    def _model(self, name):
        usual = {"who": Column("int", True), "org": Column("int", True)}
        columns = {**usual, **self._columns(self.random.choice([1, 2, 2]), "c")}
        self.models[name] = Model(name, columns, versioned=self.random.random() < 0.2)

    def _child(self, name):
        if self.random.random() > 0.4 or len(self.models) > 4:
            return
        child = Model(f"{name}x", self._columns(1, "d", nullable=1), name)
        child.joined = self.random.random() < 0.6
        self.models[child.name] = child
        self.models[name].children.append(child.name)

    def _one(self, owner, name, target):
        draw = self.random
        children = self.models[target].children
        own = target == owner and children and self.models[children[0]].joined  # a circle of keys
        if children and not own and draw.random() < 0.3:
            target = children[0]
        key = f"{name}_id"
        self.relations[owner, name] = Relation(owner, name, "one", target, key)
        back = f"{owner.lower()}_{name}"
        if not self.models[target].parent:
            self.relations[target, back] = Relation(
                target, back, "many", owner, key, cascade=draw.random() < 0.3
            )

    def _pairs(self, left, right):
        via = f"{self.prefix}_link"
        self.relations[left, "p"] = Relation(left, "p", "pairs", right, "", (via, "l_id", "r_id"))
        self.relations[right, "q"] = Relation(right, "q", "pairs", left, "", (via, "r_id", "l_id"))

    # Mapping

    def _map(self):
        self.base = type("Base", (orm.DeclarativeBase,), {})
        self.link = self._link()
        self.classes = {}
        for model in self.models.values():
            self.classes[model.name] = self._class(model)
        body = {
            "__tablename__": f"{self.prefix}_scratch",
            "id": sa.Column(sa.Integer, primary_key=True),
            "n": sa.Column(sa.Integer),
            "policy": Policy(read=everyone, write=everyone),
        }
        self.scratch = type("Scratch", (self.base,), body)
        for (model, name), relation in list(self.relations.items()):
            if relation.kind == "many":
                self._counted(self.classes[model], name, self.classes[relation.target], relation)
        orm.configure_mappers()
        self.tables = dict(self.base.metadata.tables)

    def _link(self):
        ends = [r for r in self.relations.values() if r.name == "p"]
        if not ends:
            return None
        left, right = self.tablename(ends[0].model), self.tablename(ends[0].target)
        return sa.Table(
            f"{self.prefix}_link",
            self.base.metadata,
            sa.Column("l_id", sa.ForeignKey(f"{left}.id"), primary_key=True),
            sa.Column("r_id", sa.ForeignKey(f"{right}.id"), primary_key=True),
            **options(),
        )

    def _class(self, model):
        body = {name: _column(one) for name, one in model.columns.items()}
        if model.parent:
            return self._child_class(model, body)
        body["__tablename__"] = self.tablename(model.name)
        body["__table_args__"] = options()
        body["id"] = sa.Column(sa.Integer, primary_key=True)
        arguments = {}
        if model.children:
            body["kind"] = sa.Column(sa.String(5), nullable=False)
            arguments = {"polymorphic_on": "kind", "polymorphic_identity": model.name}
        if model.versioned:
            body["v"] = sa.Column(sa.Integer, nullable=False)
            arguments["version_id_col"] = body["v"]
        body["__mapper_args__"] = arguments
        for relation in self.relations_of(model.name).values():
            self._relation(relation, body)
        return type(model.name, (self.base,), body)

    def _child_class(self, model, body):
        body["__mapper_args__"] = {"polymorphic_identity": model.name}
        if model.joined:
            parent = sa.ForeignKey(f"{self.tablename(model.parent)}.id")
            body["id"] = sa.Column(sa.Integer, parent, primary_key=True)
            body["__tablename__"] = self.tablename(model.name)
            body["__table_args__"] = options()
        return type(model.name, (self.classes[model.parent],), body)

    def _relation(self, relation, body):
        name, target = relation.name, relation.target
        if relation.kind == "one":
            there = self.table_of(target)
            column = sa.Column(sa.Integer, sa.ForeignKey(f"{there}.id"))
            body[relation.key] = column
            back = f"{relation.model.lower()}_{name}"
            more = {"back_populates": back} if (target, back) in self.relations else {}
            if self.root(target).name == relation.model:
                more["remote_side"] = f"{target}.id"
            body[name] = orm.relationship(target, foreign_keys=[column], **more)
        elif relation.kind == "many":
            own = name.partition("_")[2]
            keys = f"{target}.{relation.key}"
            cascade = {"cascade": "all, delete-orphan"} if relation.cascade else {}
            body[name] = orm.relationship(target, foreign_keys=keys, back_populates=own, **cascade)
            body[f"ids_{name}"] = association_proxy(name, "id")
            body[f"dyn_{name}"] = orm.relationship(
                target, foreign_keys=keys, viewonly=True, lazy="dynamic",
                primaryjoin=f"{relation.model}.id == foreign({keys})",
            )  # fmt: skip
            body[f"max_{name}"] = self._hybrid(relation)
        else:
            _, here, there = relation.via
            joins = {
                "primaryjoin": f"{relation.model}.id == {self.link.name}.c.{here}",
                "secondaryjoin": f"{target}.id == {self.link.name}.c.{there}",
            }
            other = {"p": "q", "q": "p"}[name]
            body[name] = orm.relationship(
                target, secondary=self.link, back_populates=other, **joins
            )

    def _hybrid(self, relation):
        classes = self.classes

        def value(self):
            return max((one.id for one in getattr(self, relation.name)), default=None)

        def sql(cls):
            there = orm.aliased(classes[relation.target])
            found = sa.select(sa.func.max(there.id)).where(getattr(there, relation.key) == cls.id)
            return found.scalar_subquery()

        return hybrid_property(value, expr=sql)

    def _counted(self, cls, name, target, relation):
        there = orm.aliased(target)
        count = sa.select(sa.func.count(there.id)).where(getattr(there, relation.key) == cls.id)
        deferred = self.random.random() < 0.5
        kept = orm.column_property(count.correlate(cls).scalar_subquery(), deferred=deferred)
        setattr(cls, f"n_{name}", kept)


def options():
    """Return table options that make MariaDB compare text by code point, as ours do."""
    return dict(DataModel.__table_options__)


def _column(one):
    python = KINDS[one.kind][0]
    length = 20 if one.kind == "str" else None
    kind = column_type(python, max_length=length, digits=8, places=2)
    return sa.Column(kind, nullable=one.nullable)
