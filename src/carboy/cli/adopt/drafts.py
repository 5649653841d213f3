"""What is known of a source, first as it stands, then as models.

    RawTable, RawColumn    what the source says of itself
    Draft, Column, Link    what the application will say

Plain data: the readers fill the first, `infer` and `keys` make the second, `models` and
`project` write it down, `loading` follows it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Column", "Draft", "Link", "RawColumn", "RawReference", "RawTable"]


@dataclass
class RawColumn:
    """A column of the source.

    name: as the source has it. kind: what it declares, a word of `data.types.KINDS`; "" when
    it declares nothing. sql: its declaration, for people. values: of an enumeration.
    """

    name: str
    kind: str = ""
    sql: str = ""
    nullable: bool = True
    max_length: int | None = None
    digits: int | None = None
    places: int | None = None
    values: tuple[str, ...] = ()


@dataclass
class RawReference:
    """A foreign key that the source declares."""

    columns: tuple[str, ...]
    table: str
    targets: tuple[str, ...]


@dataclass
class RawTable:
    """A table of the source.

    name: of the table, or of the file without its ending. origin: for people, "movies.csv".
    row: what its rows are counted in, "line" or "row". typed: whether values carry types of
    their own (JSON, databases), or are all text (CSV). parent: the number of the table whose
    rows these were nested in, for JSON. notes: what the reader noticed.
    """

    name: str
    origin: str
    columns: list[RawColumn] = field(default_factory=list)
    row: str = "row"
    typed: bool = True
    key: tuple[str, ...] = ()
    uniques: list[tuple[str, ...]] = field(default_factory=list)
    references: list[RawReference] = field(default_factory=list)
    checks: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    parent: int | None = None


@dataclass
class Column:
    """A field of a model, and how its values are made from the source's.

    at: number of the column in the stage; -1 for one that is made up. name: the attribute.
    source: what the source calls it. kind: a word of `data.types.KINDS`, or "choice".
    convert: from a staged value to the field's; raises ValueError that says why not.
    members: of an Enum called *enum*, name to value. shape: "dict" or "list", of JSON.
    notes: comments beside the line. unsure: the subset of these that wants a decision.
    """

    at: int
    name: str
    source: str
    kind: str
    convert: Callable[[Any], Any]
    optional: bool = False
    max_length: int | None = None
    digits: int | None = None
    places: int | None = None
    members: dict[str, str] = field(default_factory=dict)
    enum: str = ""
    shape: str = ""
    key: bool = False
    unique: bool = False
    label: str = ""
    unit: str = ""
    widget: str = ""
    search: bool = False
    notes: list[str] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)
    link: Link | None = None


@dataclass
class Link:
    """A reference from one column to the key of another table.

    name: of the relation. target: number of the table. on: number of its column in the
    stage; -1 for the id that we give. guessed: whether the source declares it not.
    """

    name: str
    target: int
    on: int
    guessed: bool = False


@dataclass
class Draft:
    """A model to be.

    number: of the table in the stage. cls, table: of the model. columns: in order.
    links_of_many: (columns, table, target columns) that only SQL can say.
    parent: the relation to the table that these rows were nested in.
    """

    number: int
    raw: RawTable
    cls: str
    table: str
    columns: list[Column]
    rows: int = 0
    own_id: bool = True
    title: str = ""
    uniques: list[tuple[str, ...]] = field(default_factory=list)
    links_of_many: list[tuple[tuple[str, ...], str, tuple[str, ...]]] = field(default_factory=list)
    listed: tuple[str, ...] = ()
    parent: Link | None = None
    unsure: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def named(self, source: str) -> Column:
        """Return the field made from the column that the source calls *source*."""
        return next(one for one in self.columns if one.source == source and one.at >= 0)

    @property
    def key(self) -> list[Column]:
        """The fields of the key; empty when every row gets an id of ours."""
        return [one for one in self.columns if one.key]

    def column(self, at: int) -> Column | None:
        """Return the field made from column *at* of the stage."""
        return next((one for one in self.columns if one.at == at), None)
