"""Folders stand on floors, and imports go down only.

src/carboy/**.py  ->  (file, line, imported module)  ->  climbs, crossings, cycles
"""

import ast
import graphlib
import sys
from pathlib import Path

import pytest
from tests.shape.walking import below

FLOORS = {
    "base": 0,
    "engine": 1,
    "observe": 2,
    "cache": 2,
    "data": 2,
    "web": 2,
    "jobs": 3,
    "policy": 3,
    "auth": 4,
    "resource": 5,
}
OUTSIDE = {"testing", "cli", "ops"}  # may import anything; nothing imports them


def test_imports_go_down_only(sources):
    """No file imports from a higher floor, from a neighbour, or from outside."""
    wrong = [
        complaint
        for path, tree in sources.items()
        for line, target in imports(tree)
        if (complaint := judge(path, line, target))
    ]
    assert not wrong, "\n".join(["Imports that climb:", *wrong])


@pytest.mark.parametrize(
    ("path", "target", "verdict"),
    [
        pytest.param("web/csp.py", "carboy.engine.app", "", id="down"),
        pytest.param("web/csp.py", "carboy.web.headers", "", id="same folder"),
        pytest.param("web/battery.py", "carboy.observe.logs", "", id="battery meets a neighbour"),
        pytest.param("cli/main.py", "carboy.auth.tokens", "", id="outside may import anything"),
        pytest.param("web/csp.py", "flask.sessions", "", id="others' modules"),
        pytest.param("web/csp.py", "carboy", "the public door", id="public door"),
        pytest.param("web/csp.py", "carboy.Carboy", "has no floor", id="name of the public door"),
        pytest.param("web/csp.py", "carboy.observe.logs", "a neighbour", id="neighbour"),
        pytest.param("web/battery.py", "carboy.auth.tokens", "climbs", id="up"),
        pytest.param("engine/app.py", "carboy.cli.main", "outside", id="outside"),
        pytest.param("engine/app.py", "carboy.extras.x", "no floor", id="unknown folder"),
    ],
)
def test_the_judge_tells_right_from_wrong(path, target, verdict):
    """Each rule of the floors test can fail."""
    complaint = judge(Path(path), 7, target)

    assert bool(complaint) == bool(verdict)
    assert verdict in complaint


def test_base_needs_only_the_standard_library(sources):
    """Floor 0 can be imported where nothing is installed."""
    wrong = [
        f"base/{path.name}:{line} imports {target}"
        for path, tree in sources.items()
        if path.parts[0] == "base"
        for line, target in imports(tree)
        if target.split(".")[0] not in {"carboy", *sys.stdlib_module_names}
    ]
    assert not wrong, "\n".join(wrong)


def test_no_import_cycles(sources):
    """Modules can be read, and loaded, in one order."""
    modules = {name(path): path for path in sources}
    graph = {
        module: {t for _, t in imports(sources[path], at_load=True) if t in modules and t != module}
        for module, path in modules.items()
    }
    try:
        tuple(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        pytest.fail("Import cycle: " + " -> ".join(reversed(error.args[1])))


def judge(path, line, target):
    """Return what is wrong with an import of *target* in *path*, or an empty string."""
    here = path.parts[0]
    if here == "__init__.py" or here in OUTSIDE or target.split(".")[0] != "carboy":
        return ""
    found = _why(path, here, target)
    return f"  {path}:{line} (floor {FLOORS.get(here, '?')}) -> {target}: {found}" if found else ""


def _why(path, here, target):
    if target == "carboy.__version__":
        return ""
    there = target.split(".")[1] if "." in target else ""
    if not there:
        return "the public door is for users; import the module itself"
    if there in OUTSIDE:
        return "nothing imports what stands outside"
    if here not in FLOORS or there not in FLOORS:
        return f"{here if here not in FLOORS else there!r} has no floor; give it one here"
    if FLOORS[there] > FLOORS[here]:
        return f"climbs to floor {FLOORS[there]}"
    if FLOORS[there] == FLOORS[here] and there != here and path.name != "battery.py":
        return "a neighbour; only battery.py may meet it"
    return ""


def imports(tree, at_load=False):
    """Yield (line, dotted module) of the imports that concern floors.

    at_load: leave out imports in functions and under TYPE_CHECKING.
    """
    for node in _walk(tree, at_load):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from ((node.lineno, target) for target in _targets(node))
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "carboy.relative imports are not used here"


def _targets(node):
    """`from carboy.web import csp` may name a module: both readings count."""
    yield from (f"{node.module}.{alias.name}" for alias in node.names)
    if node.module != "carboy":
        yield node.module


def _walk(tree, at_load):
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if at_load and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if at_load and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            waiting += node.orelse
            continue
        waiting += below(node)


def name(path):
    """Return the dotted module name of a *path* below src/carboy."""
    parts = ["carboy", *path.with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
