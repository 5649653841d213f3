"""Rows: a light object for each row, made by a function written for its selection.

    Node  ->  classes()    a slotted class for pages, one for JSON, with its fields alone
          ->  builder()    rows of the driver -> objects, in one list comprehension

What a row refers to is an object in it, or None where it is absent or hidden; rows of a
relation are a list in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import starmap
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

import msgspec

from carboy.data.moments import Inline
from carboy.data.selections import Many, Node

if TYPE_CHECKING:
    from carboy.data.moments import Conversion

__all__ = ["Flavour", "Layout", "Row", "builder"]

Flavour = Literal["rows", "json", "iso"]
"""What rows become: objects for pages, or what JSON is written of, moments as ISO 8601 or not."""

Builder = Callable[..., Any]


class Row(msgspec.Struct):
    """A row as templates and views see it: attributes, `==` and a repr."""

    def __getattr__(self, name: str) -> Any:
        # Only for names it does not have.
        known = ", ".join(self.__struct_fields__)
        raise AttributeError(
            f"{type(self).__name__} has no {name!r}: it was read with {known}."
            f" Add {name!r} to its read(...).",
            name=name,
            obj=self,
        )


@dataclass(frozen=True)
class Layout:
    """Where a statement's columns are.

    columns: position of a node's attribute. markers: of a key of the row referred to,
    NULL when there is none. keys: of the columns that rows of a relation hang on.
    group: of those that say which row these hang on; empty in the first statement.
    """

    columns: Mapping[tuple[Node, str], int]
    markers: Mapping[Node, int]
    keys: Mapping[Many, tuple[int, ...]]
    group: tuple[int, ...] = ()


def builder(
    node: Node, layout: Layout, conversions: Sequence[Conversion], flavour: Flavour
) -> Builder:
    """Return build(rows, *groups): a list of objects, or lists of them by key.

    conversions: per column. groups: for each relation, in the order of `Node.manies`,
    the `get` of what its own builder gave.
    """
    return _Writer(layout, conversions, flavour).function(node)


class _Writer:
    """Writes the source of one builder. Names in it are ours; values come by the namespace."""

    def __init__(self, layout: Layout, conversions: Sequence[Conversion], flavour: Flavour) -> None:
        self.layout, self.conversions, self.flavour = layout, conversions, flavour
        self.names: dict[str, Any] = {}
        self.manies: list[Many] = []

    def function(self, node: Node) -> Builder:
        made = self._object(node)
        groups = "".join(f", g{number}" for number in range(len(self.manies)))
        unpacked = "".join(f"c{number}, " for number in range(len(self.conversions)))
        if self.layout.group:
            body = self._grouped(made, unpacked)
        elif self._is_flat(node):
            self.names["starmap"] = starmap
            body = f"    return [*starmap({self._class(node)}, rows)]"
        else:
            body = f"    return [{made} for {unpacked}in rows]"
        source = f"def build(rows{groups}):\n{body}"
        exec(source, self.names)  # noqa: S102  # no text of anybody else's is in it: `_name`
        build: Builder = self.names["build"]
        return build

    def _grouped(self, made: str, unpacked: str) -> str:
        return (
            "    found = {}\n"
            f"    for {unpacked}in rows:\n"
            f"        key = {_key(self.layout.group)}\n"
            "        if key in found:\n"
            f"            found[key].append({made})\n"
            "        else:\n"
            f"            found[key] = [{made}]\n"
            "    return found"
        )

    def _is_flat(self, node: Node) -> bool:
        """Tell whether the driver's tuples are the arguments of the class as they are."""
        positions = [self.layout.columns.get((node, name)) for name in node.members]
        return positions == list(range(len(self.conversions))) and not any(self.conversions)

    def _object(self, node: Node) -> str:
        values = [self._member(node, name, member) for name, member in node.members.items()]
        made = f"{self._class(node)}({', '.join(values)})"
        marker = self.layout.markers.get(node)
        return made if marker is None else f"(None if c{marker} is None else {made})"

    def _member(self, node: Node, name: str, member: Node | Many | None) -> str:
        if member is None:
            return self._converted(self.layout.columns[node, name])
        if isinstance(member, Node):
            return self._object(member)
        self.manies.append(member)
        found = f"g{len(self.manies) - 1}({_key(self.layout.keys[member])})"
        if member.single:
            return f"({found} or (None,))[0]"
        # JSON may share one empty list; a page could append to it.
        return f"({found} or {'[]' if self.flavour == 'rows' else '()'})"

    def _converted(self, position: int) -> str:
        how, value = self.conversions[position], f"c{position}"
        if how is None:
            return value
        if isinstance(how, Inline):
            self.names.update(how.names)
            source = how.source.replace("VALUE", value)
        else:
            source = f"{self._name(how)}({value})"
        return f"(None if {value} is None else {source})"

    def _class(self, node: Node) -> str:
        return self._name(_class_of(node, self.flavour))

    def _name(self, value: Any) -> str:
        name = f"n{len(self.names)}"
        self.names[name] = value
        return name


def _key(positions: Sequence[int]) -> str:
    if len(positions) == 1:
        return f"c{positions[0]}"
    return f"({''.join(f'c{position}, ' for position in positions)})"


_classes: WeakKeyDictionary[Node, dict[Flavour, type]] = WeakKeyDictionary()


def _class_of(node: Node, flavour: Flavour) -> type:
    """Return the class of a node's objects; made once, whatever is compiled later."""
    made = _classes.setdefault(node, {})
    if flavour not in made:
        name, fields = node.model.__name__, list(node.members)
        if flavour != "rows":
            made[flavour] = msgspec.defstruct(name, fields, gc=False)  # PERF: a tree, no cycles
        else:
            module = node.model.__module__
            made[flavour] = msgspec.defstruct(f"{name}Row", fields, bases=(Row,), module=module)
    return made[flavour]
