"""The public door: `import carboy` names everything, loads little, and is enough."""

import subprocess
import sys
import types

import flask
import pytest

import carboy

HEAVY = ("sqlalchemy", "alembic", "pydantic", "granian", "msgspec", "rich", "webauthn", "asyncio")


def test_public_names_are_sorted_and_exist():
    """`__all__` can be read from top to bottom, and each name in it can be imported."""
    assert carboy.__all__ == sorted(carboy.__all__)
    assert [name for name in carboy.__all__ if not hasattr(carboy, name)] == []


def test_public_names_are_listed_by_dir():
    """A shell completes what can be imported."""
    assert set(carboy.__all__) <= set(dir(carboy))


def test_every_public_name_of_flask_is_here():
    """One import is enough: what `from flask import ...` gives, `from carboy import ...` gives."""
    public = {
        name
        for name, value in vars(flask).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert public - set(carboy.__all__) - {"annotations", "t"} == set()


def test_an_unknown_name_is_an_attribute_error():
    """Lazy loading does not swallow a misspelling."""
    with pytest.raises(AttributeError, match="render_tmplate"):
        _ = carboy.render_tmplate


def test_import_loads_nothing_heavy():
    """What an application may never use is imported at first use."""
    code = "import sys, carboy; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert sorted(set(HEAVY) & set(run.stdout.split())) == []
