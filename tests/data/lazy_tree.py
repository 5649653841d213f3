"""A tree of nodes with tags, in groups of two-part keys; for the tests of lazy relations."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace

import sqlalchemy as sa
from sqlalchemy import event, orm
from sqlalchemy.orm import Mapped, mapped_column, relationship

K = mapped_column


def models():
    """Return freshly mapped classes: a tree of nodes with tags, in groups of two-part keys."""

    class Base(orm.DeclarativeBase):
        pass

    tagging = sa.Table(
        "tagging",
        Base.metadata,
        sa.Column("node_id", sa.ForeignKey("node.id"), primary_key=True),
        sa.Column("tag_id", sa.ForeignKey("tag.id"), primary_key=True),
    )

    class Tag(Base):
        __tablename__ = "tag"
        id: Mapped[int] = K(primary_key=True)

    class Group(Base):
        __tablename__ = "grp"
        a: Mapped[int] = K(primary_key=True)
        b: Mapped[str] = K(sa.String(9), primary_key=True)
        nodes: Mapped[list[Node]] = relationship(back_populates="group", order_by="-Node.id")

    class Node(Base):
        __tablename__ = "node"
        __table_args__ = (sa.ForeignKeyConstraint(["ga", "gb"], ["grp.a", "grp.b"]),)
        id: Mapped[int] = K(primary_key=True)
        parent_id: Mapped[int | None] = K(sa.ForeignKey("node.id"))
        ga: Mapped[int | None]
        gb: Mapped[str | None] = K(sa.String(9))
        weight: Mapped[int] = K(default=0)
        parent: Mapped[Node | None] = relationship(remote_side=[id], back_populates="children")
        children: Mapped[list[Node]] = relationship(
            back_populates="parent", order_by="Node.weight, Node.id"
        )
        heavy: Mapped[list[Node]] = relationship(
            primaryjoin="and_(Node.id == foreign(remote(Node.parent_id)), remote(Node.weight) > 1)",
            viewonly=True,
            order_by="Node.id",
        )
        group: Mapped[Group | None] = relationship(back_populates="nodes")
        tags: Mapped[list[Tag]] = relationship(secondary=tagging, order_by=Tag.id)
        mark: Mapped[Mark | None] = relationship(back_populates="node")

    class Mark(Base):
        __tablename__ = "mark"
        id: Mapped[int] = K(primary_key=True)
        node_id: Mapped[int] = K(sa.ForeignKey("node.id"), unique=True)
        node: Mapped[Node] = relationship(back_populates="mark")

    names = {"Node": Node, "Mark": Mark}
    Base.registry._class_registry.update(names)
    Base.registry.configure()
    return SimpleNamespace(Base=Base, Tag=Tag, Group=Group, Node=Node, Mark=Mark, tagging=tagging)


def fill(engine, m, size=12):
    """Make `size` nodes: a binary tree under node 1, tags by number, groups by remainder."""
    m.Base.metadata.create_all(engine)
    groups = [{"a": n, "b": letter} for n in (0, 1) for letter in "xy"]
    nodes = [
        {
            "id": n,
            "parent_id": n // 2 or None,
            "ga": n % 2 if n % 3 else None,
            "gb": "xy"[n % 4 // 2] if n % 3 else None,
            "weight": n % 5,
        }
        for n in range(1, size + 1)
    ]
    with engine.begin() as connection:
        connection.execute(sa.insert(m.Tag), [{"id": n} for n in (1, 2, 3)])
        connection.execute(sa.insert(m.Group), groups)
        connection.execute(sa.insert(m.Node), nodes)
        connection.execute(
            sa.insert(m.tagging),
            [{"node_id": n, "tag_id": t} for n in range(1, size + 1) for t in (1, 2) if n % t == 0],
        )
        connection.execute(sa.insert(m.Mark), [{"id": n, "node_id": n} for n in (1, 3)])


@contextmanager
def counted(session):
    """Yield the list of statements that run meanwhile."""
    statements = []

    def note(connection, cursor, statement, *rest):
        statements.append(statement)

    event.listen(session.bind, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(session.bind, "before_cursor_execute", note)


RELATIONS = ("parent", "children", "group", "tags", "mark", "heavy")


def seen(value):
    """Return what is comparable of a relation's value."""
    if value is None:
        return None
    if isinstance(value, list):
        return [seen(one) for one in value]
    return sa.inspect(value).identity
