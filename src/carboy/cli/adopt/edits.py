"""Edits of somebody's Python file: lines are put between statements, never into them.

    Source(text)  ->  .need("carboy", "field")  ->  .after(line, text)  ->  .result()

Places are found by the syntax tree; everything that stood there still stands there, which
`result` checks. Where a place is not plain, nothing is guessed: Unsure.
"""

from __future__ import annotations

import ast
import sys

__all__ = ["Source", "Unsure"]

WIDTH = 100


class Unsure(Exception):
    """The file is not plain enough to be edited; says why."""


class Source:
    """One file, and what is to be put into it. Raises Unsure for what is no Python."""

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            self.tree = ast.parse(text)
        except (SyntaxError, ValueError) as error:
            raise Unsure(f"it is no valid Python: {error}") from None
        self.lines = text.splitlines()
        self._added: list[tuple[int, str]] = []
        self._replaced: dict[ast.stmt, str] = {}
        self._standard: list[str] = []

    # -- what is there --

    def classes(self, base: str = "") -> list[ast.ClassDef]:
        """Return the classes at the top; with *base*, those that derive from it by name."""
        found = [one for one in self.tree.body if isinstance(one, ast.ClassDef)]
        if not base:
            return found
        return [one for one in found if base in {_name(parent) for parent in one.bases}]

    def bound(self) -> set[str]:
        """Return all names that the top of the file binds."""
        names: set[str] = set()
        for one in self.tree.body:
            if isinstance(one, (ast.Import, ast.ImportFrom)):
                names |= {(a.asname or a.name).split(".")[0] for a in one.names}
            elif isinstance(one, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                names.add(one.name)
            elif isinstance(one, (ast.Assign, ast.AnnAssign)):
                targets = one.targets if isinstance(one, ast.Assign) else [one.target]
                names |= {t.id for t in targets if isinstance(t, ast.Name)}
        return names

    def made_by(self, function: str) -> tuple[str, int] | None:
        """Return (name, last line) of `name = function(...)` at the top."""
        for one in self.tree.body:
            if (
                isinstance(one, ast.Assign)
                and isinstance(one.value, ast.Call)
                and _name(one.value.func) == function
                and isinstance(one.targets[0], ast.Name)
            ):
                return one.targets[0].id, _end(one)
        return None

    def calls(self, name: str, method: str) -> list[int]:
        """Return the last lines of `name.method(...)` at the top."""
        return [
            _end(one)
            for one in self.tree.body
            if isinstance(one, ast.Expr)
            and isinstance(one.value, ast.Call)
            and isinstance(one.value.func, ast.Attribute)
            and one.value.func.attr == method
            and _name(one.value.func.value) == name
        ]

    # -- what is to be there --

    def after(self, line: int, text: str) -> None:
        """Put *text* below *line*, which ends a statement; 0 is the beginning."""
        self._added.append((line, text))

    def need(self, module: str, *names: str) -> None:
        """Import *names* of *module*; "as" is allowed for a module: need("datetime as dt")."""
        if not names:
            self._need_module(module)
            return
        missing = [name for name in names if not self._imported(module, name)]
        taken = [name for name in missing if name in self.bound()]
        if taken:
            raise Unsure(f"{taken[0]} means something else there than {module}'s")
        if missing:
            self._import(module, missing)

    def result(self) -> str:
        """Return the new text. Raises Unsure when something else would change with it."""
        lines = list(self.lines)
        if self._standard:
            self._begin()
        for node, text in self._replaced.items():
            for number in range(node.lineno, _end(node)):
                lines[number] = _GONE
            lines[node.lineno - 1] = text
        for line, text in sorted(self._added, key=lambda pair: pair[0], reverse=True):
            lines[line:line] = text.split("\n")
        made = "\n".join(line for line in lines if line is not _GONE) + "\n"
        _check(self.tree, made)
        return made

    def _begin(self) -> None:
        """Put imports of the standard library where there were none."""
        imports = [one for one in self.tree.body if isinstance(one, (ast.Import, ast.ImportFrom))]
        others = [one for one in imports if _module(one) != "__future__"]
        lines = sorted(self._standard, key=lambda line: (line.startswith("from"), line))
        if others:
            self.after(others[0].lineno - 1, "\n".join([*lines, ""]))
        else:
            self.after(_head(self.tree), "\n".join(["", *lines]))
        self._standard = []

    def _need_module(self, module: str) -> None:
        line, bound = f"import {module}", module.split()[-1]
        for one in self.tree.body:
            if isinstance(one, ast.Import) and ast.unparse(one) == line:
                return
        if bound in self.bound():
            raise Unsure(f"{bound} means something else there")
        self._place(line, module.split()[0])

    def _imported(self, module: str, name: str) -> bool:
        return any(
            isinstance(one, ast.ImportFrom)
            and one.module == module
            and any(a.name == name and a.asname in (None, name) for a in one.names)
            for one in self.tree.body
        )

    def _import(self, module: str, names: list[str]) -> None:
        for one in self.tree.body:
            if (
                isinstance(one, ast.ImportFrom)
                and one.module == module
                and not one.level
                and all(a.asname is None and a.name != "*" for a in one.names)
                and "#" not in "\n".join(self.lines[one.lineno - 1 : _end(one)])
                and one not in self._replaced
            ):
                together = {*names, *(a.name for a in one.names)}
                self._replaced[one] = _import_line(module, together)
                return
        self._place(_import_line(module, set(names)), module)

    def _place(self, line: str, module: str) -> None:
        """Put an import among its kind: the standard library's first."""
        imports = [one for one in self.tree.body if isinstance(one, (ast.Import, ast.ImportFrom))]
        imports = [one for one in imports if _module(one) != "__future__"]
        standard = [one for one in imports if _is_standard(_module(one))]
        others = [one for one in imports if not _is_standard(_module(one))]
        if _is_standard(module):
            if standard:
                plain = line.startswith("import ")
                before = [one for one in standard if plain and _module(one) < module
                          and isinstance(one, ast.Import)]  # fmt: skip
                if plain and not before:
                    self.after(standard[0].lineno - 1, line)
                else:
                    self.after(_end((before or standard)[-1]), line)
            else:
                self._standard.append(line)
        elif others:
            known = [one for one in others if _module(one) <= module] or others[:1]
            self.after(_end(known[-1]), line)
        elif imports:
            self.after(_end(imports[-1]), f"\n{line}")
        else:
            self.after(_head(self.tree), f"\n{line}")


_GONE = "\0gone"


def _import_line(module: str, names: set[str]) -> str:
    """Return an import as ruff writes it: constants, classes, the rest."""

    def order(name: str) -> tuple[int, str]:
        return (0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2, name)

    found = sorted(names, key=order)
    line = f"from {module} import {', '.join(found)}"
    if len(line) <= WIDTH:
        return line
    return f"from {module} import (\n" + "".join(f"    {name},\n" for name in found) + ")"


def _module(one: ast.Import | ast.ImportFrom) -> str:
    return one.names[0].name if isinstance(one, ast.Import) else one.module or ""


def _is_standard(module: str) -> bool:
    return module.partition(".")[0] in sys.stdlib_module_names


def _head(tree: ast.Module) -> int:
    """Return the last line of the file's docstring and of `from __future__`; 0 without."""
    line = 0
    for one in tree.body:
        is_text = isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)
        if not is_text and not (isinstance(one, ast.ImportFrom) and one.module == "__future__"):
            break
        line = _end(one)
    return line


def _end(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def _check(before: ast.Module, made: str) -> None:
    """Raise Unsure unless every statement that was there is there, in its order."""
    try:
        after = ast.parse(made)
    except SyntaxError as error:
        raise Unsure(f"it would be no valid Python any more (line {error.lineno})") from None
    rest = iter([ast.dump(one) for one in after.body])
    for one in before.body:
        if isinstance(one, ast.ImportFrom):
            continue  # names may have been added
        if ast.dump(one) not in rest:
            raise Unsure(f"line {one.lineno} would change")
