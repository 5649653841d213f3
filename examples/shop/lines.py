"""Count the lines of this shop, beside an outline of the same in Django: `python lines.py`."""

import ast
import io
import tokenize
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
OURS = ("app.py", "models.py", "views.py", "cart.py", "orders.py")
SKIPPED = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
           tokenize.ENDMARKER)  # fmt: skip


def lines_of(source: str) -> int:
    """Return the lines with code: not blank, no comment, no docstring."""
    told: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            told.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    code = {line for one in tokens if one.type not in SKIPPED
            for line in range(one.start[0], one.end[0] + 1)}  # fmt: skip
    return len(code - told)


def table() -> str:
    """Return the comparison as Markdown."""
    ours = {name: lines_of((HERE / name).read_text(encoding="utf-8")) for name in OURS}
    theirs = tomllib.loads((HERE / "lines.toml").read_text(encoding="utf-8"))["item"]
    mine = ", ".join(f"{name} {count}" for name, count in ours.items())
    other = ", ".join(f"{one['file']} {one['lines']}" for one in theirs)
    return (
        "| | lines | of which |\n|---|---|---|\n"
        f"| this shop | {sum(ours.values())} | {mine} |\n"
        f"| in Django + REST framework, as outlined | {sum(one['lines'] for one in theirs)}"
        f" | {other} |"
    )


if __name__ == "__main__":
    print(table())
