"""Promises about the text of src/carboy: size, documentation, and what it never does."""

import ast
import re

import pytest
from tests.shape.walking import dotted, statements

MAX_MODULE = 450  # lines: what fits one sitting
MAX_FUNCTION = 50  # lines without the docstring; five to twelve are the habit

EXEC_ALLOWED = {
    "cli/shell.py": "runs the developer's own script, given on standard input",
    "data/rows.py": "a function per selection: our words, and repr() of declared names",
    "data/rowreader.py": "a function per model: our words, and repr() of declared names",
    "data/statements.py": "a function per statement: our words, and numbers",
    "data/migrations/develop.py": "the migration that `carboy db make` would write, unwritten",
}
"""The only modules that may call exec: why, and what it is fed."""

FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "marshal", "shelve", "jsonpickle"}
FORBIDDEN_CALLS = {"eval", "exec", "os.system", "os.popen", "yaml.load", "yaml.unsafe_load"}


def test_modules_fit_one_sitting(sources, root):
    """A longer module is two modules."""
    lengths = {
        str(path): len((root / "src/carboy" / path).read_text().splitlines()) for path in sources
    }
    assert {path: lines for path, lines in lengths.items() if lines > MAX_MODULE} == {}


def test_functions_are_short(sources):
    """A longer function is a sequence of named steps."""
    long = [
        f"{path}:{node.lineno} {node.name}: {lines(node)} lines"
        for path, tree in sources.items()
        for node in functions(tree)
        if lines(node) > MAX_FUNCTION
    ]
    assert not long, "\n".join(long)


def test_everything_public_is_documented(sources):
    """Modules, classes, functions and methods whose names promise use say what they do."""
    silent = [
        f"{path}:{line} {what}" for path, tree in sources.items() for line, what in bare(tree)
    ]
    assert not silent, "\n".join(["Without a docstring:", *silent])


def test_no_code_or_objects_from_data(sources):
    """No pickle, eval, exec, unsafe YAML or shell: data never becomes code (CWE-94, CWE-502)."""
    found = [
        f"{path}:{line} {what}"
        for path, tree in sources.items()
        for line, what in dangers(tree)
        if not (str(path) in EXEC_ALLOWED and what == "exec")
    ]
    assert not found, "\n".join(found)


def test_each_exemption_is_still_needed(sources):
    """A module that no longer calls exec loses its leave to do so."""
    trees = {str(path): tree for path, tree in sources.items() if str(path) in EXEC_ALLOWED}
    users = {path for path, tree in trees.items() if "exec" in dict_of(dangers(tree))}
    assert set(EXEC_ALLOWED) <= users


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from pickle import loads",
        "eval('1')",
        "exec(code)",
        "os.system('ls')",
        "yaml.load(text)",
        "subprocess.run('ls', shell=True)",
    ],
)
def test_each_danger_is_seen(code):
    """The search above can fail."""
    assert list(dangers(ast.parse(code)))


def test_the_search_for_dangers_leaves_the_harmless_alone():
    """Words in text, methods of the same name and safe calls are not accused."""
    code = "re.compile('x'); model.eval(); subprocess.run(['ls']); '''never eval()'''"
    assert not list(dangers(ast.parse(code)))


def test_no_switched_off_check_without_a_reason(sources, root):
    """`noqa` and `type: ignore` say why in the same line."""
    mute = re.compile(r"#\s*(noqa(:[ A-Z0-9,]+)?|type: ignore(\[[\w, -]+\])?)\s*$")
    found = [
        f"{path}:{number}: {line.strip()}"
        for path in sources
        for number, line in enumerate((root / "src/carboy" / path).read_text().splitlines(), 1)
        if mute.search(line)
    ]
    assert not found, "\n".join(found)


def dangers(tree):
    """Yield (line, what) of each way in *tree* by which data could become code."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            yield from ((node.lineno, n) for n in names if n.split(".")[0] in FORBIDDEN_MODULES)
        elif isinstance(node, ast.Call):
            called = dotted(node.func)
            if called in FORBIDDEN_CALLS:
                yield node.lineno, called
            if any(k.arg == "shell" and ast.unparse(k.value) != "False" for k in node.keywords):
                yield node.lineno, "shell=True"


def dict_of(pairs):
    """Return {what: line} of (line, what) *pairs*."""
    return {what: line for line, what in pairs}


def functions(tree):
    """Yield every function in *tree*, nested ones too."""
    return (n for n in statements(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))


def lines(function):
    """Return how many lines *function* has without its docstring."""
    text = function.body[0] if ast.get_docstring(function, clean=False) else None
    return (
        function.end_lineno
        - function.lineno
        + 1
        - (text.end_lineno - text.lineno + 1 if text else 0)
    )


def bare(tree):
    """Yield (line, name) of what is public in *tree* and has no docstring."""
    if not ast.get_docstring(tree):
        yield 1, "the module"
    waiting = [(tree, "")]
    while waiting:
        node, prefix = waiting.pop()
        for child in node.body:
            if not isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if child.name.startswith("_") or _documented_elsewhere(child):
                continue
            if not ast.get_docstring(child, clean=False):
                yield child.lineno, prefix + child.name
            if isinstance(child, ast.ClassDef):
                waiting.append((child, f"{prefix}{child.name}."))


def _documented_elsewhere(node):
    """Tell whether *node* is an overload, an override, a setter, or a member of a Protocol."""
    marks = {ast.unparse(each).split(".")[-1] for each in node.decorator_list}
    empty = [_is_ellipsis(each) for each in node.body] == [True]
    return empty or bool(marks & {"overload", "override", "setter", "deleter"})


def _is_ellipsis(node):
    return isinstance(node, ast.Expr) and getattr(node.value, "value", None) is Ellipsis
