"""Walking syntax trees: what statements they have, without their expressions.

statements(tree)   functions, classes, imports, and all that stands in them
dotted(node)       "os.system" of what is called
"""

import ast


def statements(tree):
    """Yield every statement in *tree*; an import or a function never stands in an expression."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += below(node)


def below(node):
    """Return the statements that stand in *node* itself, and the parts that hold more."""
    found = []
    for field in ("body", "orelse", "handlers", "finalbody", "cases"):
        found += getattr(node, field, ()) or ()
    return found


def dotted(node):
    """Return the dotted name that *node* is, or "" for anything else."""
    names = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(names)]) if isinstance(node, ast.Name) else ""
