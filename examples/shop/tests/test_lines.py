"""The README says how long the shop is; it must stay true."""

from pathlib import Path

from lines import lines_of, table

README = Path(__file__).parents[1] / "README.md"


def test_only_lines_with_code_count():
    source = (
        '"""Told."""\n\n# said\nx = (1,\n     2)  # here\n'
        'def f():\n    """Told\n    twice."""\n    return x\n'
    )
    assert lines_of(source) == 4


def test_the_readme_says_what_was_counted():
    assert table() in README.read_text(encoding="utf-8"), f"python lines.py says:\n{table()}"
