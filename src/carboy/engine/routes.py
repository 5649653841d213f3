"""The sealed route table: Werkzeug's own matcher, compiled for the common case.

    path, method  ->  exact paths in a dict
                  ->  the same state machine as Werkzeug's, without its overhead
                  ->  None: Werkzeug decides (404, 405, redirects, anything odd)

The table is read off Werkzeug's state machine after it was built, so it cannot
know other rules; where a rule or a state is unusual, the walk gives up instead
of guessing. What it does answer is what Werkzeug would have answered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from werkzeug.routing.converters import IntegerConverter

from carboy.engine.seam import State, match_root, passes_through

if TYPE_CHECKING:
    from werkzeug.routing import Map, Rule

__all__ = ["RouteTable", "Target"]

Target = tuple[Any, tuple[tuple[str, Callable[[str], Any] | None], ...]]
"""What a rule leads to, and its converters: (lane, ((name, to_python), ...))."""

_GIVE_UP: Any = object()  # the walk cannot say; Werkzeug decides

TEXT = r"(?P<__werkzeug_0>[^/]{1,})\Z"  # <name>, as Werkzeug compiles it
DIGITS = r"(?P<__werkzeug_0>\d+)\Z"  # <int:name>


Way = tuple[Callable[[str], Any], bool, bool, "Node"]
"""A dynamic transition: (test, whole, final, node after it).

test: takes the text, says whether it fits. whole: the test is a yes or no about
a single converter that fills the part; else it returns a match with groups.
final: the text is all that remains of the path.
"""


class Node:
    """One state: how to go on from here, and what ends here."""

    __slots__ = ("dynamic", "ends", "leaf", "odd", "only", "slash", "static")

    def __init__(self) -> None:
        self.static: dict[str, Node] = {}
        self.dynamic: tuple[Way, ...] = ()
        self.only: Way | None = None  # the one dynamic way, when it is whole and not final
        self.leaf: dict[str, Target] = {}
        self.ends = False  # some rule ends here, whatever its methods
        self.slash = False  # the same path with a slash is a rule
        self.odd = False  # a rule here takes any method, or is a websocket's


class RouteTable:
    """Path and method to (lane, arguments), for rules without surprises.

    lane_of: returns the lane for a rule and a method. Called once per pair.
    """

    def __init__(self, url_map: Map, lane_of: Callable[[Rule, str], Any]) -> None:
        self.lane_of = lane_of
        self.defaults = {
            endpoint
            for endpoint, rules in url_map._rules_by_endpoint.items()
            if any(rule.defaults for rule in rules)
        }
        start = None if url_map.host_matching else match_root(url_map)
        self.root = Node() if start is None else self._compile(start)
        self.exact = dict(_exact_paths(self.root, ""))

    def match(self, path: str, method: str) -> tuple[Any, dict[str, Any]] | None:
        """Return (lane, arguments), or None when Werkzeug has to decide.

        path: PATH_INFO as the server gave it; only plain ASCII is looked up.
        """
        leaf = self.exact.get(path)
        if leaf is not None:
            hit = leaf.get(method)
            return None if hit is None else (hit[0], {})
        if not path.isascii() or path[:1] != "/" or path[:2] == "//":
            return None
        parts = path[1:].split("/")
        values: list[str] = []
        target = _walk(self.root, parts, 0, len(parts), method, values)
        if target is None or target is _GIVE_UP:
            return None
        return _convert(target, values)

    def _compile(self, state: State) -> Node:
        node = Node()
        node.static = {text: self._compile(after) for text, after in state.static.items()}
        node.ends = bool(state.rules)
        node.slash = "" in state.static
        node.dynamic = tuple(
            (*_test(part), part.final, self._compile(after)) for part, after in state.dynamic
        )
        if len(node.dynamic) == 1 and node.dynamic[0][1:3] == (True, False):
            node.only = node.dynamic[0]
        for method in {m for rule in state.rules for m in rule.methods or ()}:
            node.leaf[method] = self._target(state.rules, method)
        node.odd = any(rule.methods is None or rule.websocket for rule in state.rules)
        return node

    def _target(self, rules: list[Rule], method: str) -> Target:
        rule = next(rule for rule in rules if method in (rule.methods or (method,)))
        if rule.redirect_to is not None or rule.alias or rule.endpoint in self.defaults:
            return _GIVE_UP  # type: ignore[no-any-return]  # the sentinel stands in for a target
        converters = tuple(
            (name, None if passes_through(converter) else _to_python(converter))
            for name, converter in rule._converters.items()
        )
        return self.lane_of(rule, method), converters


def _test(part: Any) -> tuple[Callable[[str], Any], bool]:
    """Return (test, whole) for one dynamic part; an odd one makes the walk give up.

    PERF: the two commonest converters need no regular expression on ASCII text.
    """
    if part.content == TEXT and not part.suffixed:
        return bool, True
    if part.content == DIGITS and not part.suffixed:
        return str.isdigit, True
    pattern = re.compile(part.content)
    ours = [name for name in pattern.groupindex if name.startswith("__werkzeug_")]
    plain = not part.suffixed and pattern.groups == len(ours)
    return (pattern.match if plain else _odd), False


def _to_python(converter: Any) -> Callable[[str], Any]:
    """Return what converts the matched text; int itself for an int without limits."""
    plain = type(converter) is IntegerConverter and not (
        converter.fixed_digits or converter.min is not None or converter.max is not None
    )
    return int if plain and not converter.signed else converter.to_python


def _odd(text: str) -> Any:
    return _GIVE_UP


def _exact_paths(node: Node, path: str) -> Iterator[tuple[str, dict[str, Target]]]:
    """Yield (path, {method: target}) for every rule without a converter."""
    for text, after in node.static.items():
        here = f"{path}/{text}"
        plain = not after.odd and _GIVE_UP not in after.leaf.values()
        if after.leaf and plain and here.isascii():
            yield here, after.leaf
        yield from _exact_paths(after, here)


def _walk(node: Node, parts: list[str], i: int, n: int, method: str, values: list[str]) -> Any:
    """Follow *parts* from *i* on; return a target, None, or _GIVE_UP.

    *values* holds the matched texts of the way taken. The order of trying is
    Werkzeug's: static before dynamic, dynamic by weight, first success wins.
    """
    while i < n and parts[i]:  # while there is one way at most, nothing is tried twice
        part = parts[i]
        after = node.static.get(part)
        if not node.dynamic:
            if after is None:
                return None
            node = after
        elif after is None and node.only is not None:
            test, _, _, node = node.only
            if not test(part):
                return None
            values.append(part)
        else:
            return _fork(node, parts, i, n, method, values)
        i += 1
    return _end(node, method) if i == n else _fork(node, parts, i, n, method, values)


def _end(node: Node, method: str) -> Any:
    """Return what the path that ends here leads to."""
    if node.odd:
        return _GIVE_UP
    if method in node.leaf:
        return node.leaf[method]
    return _GIVE_UP if node.slash else None


def _fork(node: Node, parts: list[str], i: int, n: int, method: str, values: list[str]) -> Any:
    """Try each way on from *node*, as `_walk` says."""
    part = parts[i]
    after = node.static.get(part)
    if after is not None:
        found = _walk(after, parts, i + 1, n, method, values)
        if found is not None:
            return found
    for test, whole, final, after in node.dynamic:
        matched = test("/".join(parts[i:]) if final else part)
        if not matched:
            continue
        if matched is _GIVE_UP:
            return _GIVE_UP
        kept = len(values)
        values.extend((part,) if whole else matched.groups())
        found = _walk(after, parts, n if final else i + 1, n, method, values)
        if found is not None:
            return found
        del values[kept:]
    # A lone trailing slash may still fit a rule that is not strict about it.
    return _GIVE_UP if node.ends and i == n - 1 and not part else None


def _convert(target: Target, values: list[str]) -> tuple[Any, dict[str, Any]] | None:
    lane, converters = target
    arguments: dict[str, Any] = {}
    i = 0
    try:
        for name, to_python in converters:
            arguments[name] = values[i] if to_python is None else to_python(values[i])
            i += 1
    except Exception:  # ValidationError, or whatever a converter likes to raise
        return None
    return lane, arguments
