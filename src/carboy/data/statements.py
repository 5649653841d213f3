"""Statements: a select compiled once, by the engine's own compiler, to text and binds.

    select, engine  ->  compiled()  ->  Statement
        .text(limit, offset)             the SQL, with both as literals
        .bind(clauses, keys, scope)      the parameters, in the driver's form

The engine's compiler may be the policy's: then rules are inside, and their values are
asked for at each execution, after everything a caller gives.

A bound LIMIT and a prepared statement do not go together: PostgreSQL's generic plan does
not know the limit, and cost 17 times the work.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Integer, bindparam

from carboy.base.errors import SetupError
from carboy.data.clauses import placed_name

if TYPE_CHECKING:
    from sqlalchemy import BindParameter, Engine, Select
    from sqlalchemy.types import TypeEngine

    from carboy.base.scope import Scope
    from carboy.data.clauses import Clause

__all__ = ["Bind", "Statement", "compiled", "key_name", "one_name"]

MARKS = (920_017_330_441_001, 920_017_330_441_002)  # stand for LIMIT and OFFSET in the text
KEY, ONE = re.compile(r"key(\d+)_(\d+)"), re.compile(r"one(\d+)")
TEXTS = 64  # pages of one statement whose text is kept; the first ones are what people read

Bind = Callable[[Sequence["Clause"], Sequence[Any], "Scope | None"], Any]


class Statement:
    """SQL that was compiled for one engine and one shape of who asks.

    types: of the columns, in order. scoped: `bind` needs the scope.
    """

    __slots__ = ("_parts", "_texts", "bind", "scoped", "types")

    def __init__(
        self, parts: tuple[str, ...], types: Sequence[TypeEngine[Any]], bind: Bind, scoped: bool
    ) -> None:
        self._parts = parts
        self._texts: dict[tuple[int, int], str] = {}
        self.types = tuple(types)
        self.bind = bind
        self.scoped = scoped

    def text(self, limit: int, offset: int) -> str:
        """Return the SQL for a page; both numbers were checked to be whole."""
        found = self._texts.get((limit, offset))
        if found is None:
            numbers = {MARKS[0]: str(limit), MARKS[1]: str(offset)}
            found = "".join(numbers[p] if isinstance(p, int) else p for p in self._parts)
            if len(self._texts) < TEXTS:
                self._texts[limit, offset] = found
        return found


def compiled(
    select: Select[Any], engine: Engine, shape: Hashable, *, paged: bool, clauses: Sequence[Clause]
) -> Statement:
    """Return *select* compiled for *engine* and for who asks now.

    shape: what the SQL may depend on besides. paged: it gets a literal LIMIT and OFFSET.
    clauses: those that were placed in it, by position.
    """
    if paged:
        select = select.limit(_literal(0)).offset(_literal(1))
    made = select.compile(dialect=engine.dialect)
    good_for = getattr(made, "_compiled_for", None)
    if good_for is not None and good_for is not shape:
        raise SetupError(
            "data.shape",
            "A read was compiled for another shape of who asks than it is kept for.",
            hint="Usually a model was added meanwhile; read again. Else this is a fault of Carboy.",
        )
    state: Any = made.construct_expanded_state()
    values = _Values(made, state, engine.dialect, clauses)
    parts = _parts(state.statement) if paged else (state.statement,)
    types = [column.type for column in select.selected_columns]
    return Statement(parts, types, values.function(), values.scoped)


def key_name(position: int, part: int) -> str:
    """Return the name of the bind for a key, as the driver gave it, of rows with a relation."""
    return f"key{position}_{part}"


def one_name(part: int) -> str:
    """Return the name of the bind for a part of the key of the one row that is asked for."""
    return f"one{part}"


def _literal(number: int) -> BindParameter[int]:
    return bindparam(None, MARKS[number], type_=Integer, literal_execute=True)


def _parts(text: str) -> tuple[Any, ...]:
    """Return the text cut at the marks: MariaDB writes the offset first."""
    first, second = sorted(MARKS, key=lambda mark: text.index(str(mark)))
    before, _, rest = text.partition(str(first))
    between, _, after = rest.partition(str(second))
    return before, first, between, second, after


class _Values:
    """Writes the function that gives the parameters of one execution."""

    def __init__(self, made: Any, state: Any, dialect: Any, clauses: Sequence[Clause]) -> None:
        self.made, self.state, self.dialect = made, state, dialect
        self.scoped = False
        self._names: dict[str, Any] = {}  # of the function's module
        self._given = {
            placed_name(name, position): f"clauses[{position}].values[{name!r}]"
            for position, clause in enumerate(clauses)
            for name in clause.values
        }
        self._expanded = {name for many in state.parameter_expansion.values() for name in many}
        self._check_expanded()

    def function(self) -> Bind:
        """Return bind(clauses, keys, scope): a tuple, or a dict where the driver names them."""
        if self.state.positiontup is not None:
            body = "".join(f"{self._value(name)}, " for name in self.state.positiontup)
            return self._compiled(f"({body})")
        escaped = self.made.escaped_bind_names
        names = [n for b, n in self.made.bind_names.items() if not self._in_text(b)]
        pairs = [(escaped.get(name, name), self._value(name)) for name in names]
        pairs += [(name, self._value(name)) for name in sorted(self._expanded)]
        return self._compiled("{" + ", ".join(f"{n!r}: {value}" for n, value in pairs) + "}")

    def _compiled(self, body: str) -> Bind:
        # Names are reprs, values come by the namespace.
        source = f"def bind(clauses, keys, scope):\n    return {body}"
        exec(source, self._names)  # noqa: S102  # no text of anybody else's is in it
        made: Bind = self._names["bind"]
        return made

    def _in_text(self, bind: Any) -> bool:
        literal = bind in self.made.literal_execute_params
        return literal or self.made.bind_names[bind] in self.state.parameter_expansion

    def _value(self, name: str) -> str:
        """Return the source of one value."""
        if name in self._expanded:
            return self._constant(self.state.parameters[name], self.state.processors.get(name))
        bind = self.made.binds[name]
        process = bind.type.dialect_impl(self.dialect).bind_processor(self.dialect)
        source = self._given.get(name) or self._of_key(name) or self._asked(bind)
        if source is None:
            return self._constant(bind.value, process)
        if process is None or KEY.fullmatch(name):
            return source
        return f"{self._name(process)}({source})"

    def _of_key(self, name: str) -> str | None:
        if found := KEY.fullmatch(name):
            return f"keys[{found[1]}][{found[2]}]"
        found = ONE.fullmatch(name)
        return f"keys[{found[1]}]" if found else None

    def _asked(self, bind: Any) -> str | None:
        """Return the source of a value that is asked for at each execution."""
        if hasattr(bind, "now") and getattr(bind, "source", "") != "constant":
            self.scoped = True
            return f"{self._name(bind.now)}(scope)"
        return f"{self._name(bind.callable)}()" if bind.callable is not None else None

    def _constant(self, value: Any, process: Any) -> str:
        return self._name(value if process is None else process(value))

    def _name(self, value: Any) -> str:
        name = f"n{len(self._names)}"
        self._names[name] = value
        return name

    def _check_expanded(self) -> None:
        for name in self.state.parameter_expansion:
            bind = self.made.binds[name]
            if bind.callable is not None or getattr(bind, "source", "constant") != "constant":
                raise SetupError(
                    "data.expanding",
                    f"The list {name!r} of a read differs from call to call.",
                    hint="A condition whose value varies belongs into a Clause, with one bind"
                    " for each member of a list.",
                )
