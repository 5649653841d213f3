"""Adopting sources without a project: models made from their text, rows read back."""

import contextlib
import itertools
import subprocess
import sys
import types
from pathlib import Path

import pytest
from sqlalchemy import MetaData, select
from sqlalchemy.orm import registry

from carboy.base.scope import unscoped
from carboy.cli.adopt.loading import Load, refuse
from carboy.cli.adopt.modeltext import models_text
from carboy.cli.adopt.sources import read
from carboy.cli.adopt.staging import Stage
from carboy.cli.adopt.tables import draft
from carboy.data.db import db
from carboy.data.models import CONVENTION, Model

numbers = itertools.count()


class Adopted:
    """What came of a source: its models' text, its drafts, and its rows by model."""

    def __init__(self, sources, skip_bad, folder):
        with Stage() as stage, new_base() as base:
            read([str(one) for one in sources], stage)
            refuse(stage, skip_bad=skip_bad)
            self.drafts = draft(stage, "demo", skip_bad=skip_bad)
            self.notes = stage.notes
            self.text = models_text(self.drafts, "Demo", "it")
            with executed(self.text, base) as module, db.connect(f"sqlite:///{folder}/x.db"):
                with unscoped("test"):  # other tests have models of the same names, with policies
                    db.create_all(metadata=base.metadata)
                load = Load(stage, self.drafts, module, skip_bad=skip_bad)
                load.run(db)
                self.rejected = [bad for some in load.rejected.values() for bad in some]
                with unscoped("test"):
                    self.rows = {one.cls: rows_of(getattr(module, one.cls)) for one in self.drafts}

    def __getitem__(self, name):
        """Return the field called so: adopted["Movie.title"]."""
        cls, _, field = name.partition(".")
        (found,) = [one for one in self.drafts if one.cls == cls]
        return next(c for c in found.columns if field in (c.name, c.link and c.link.name))

    @property
    def only(self):
        """The rows of the only model."""
        (rows,) = self.rows.values()
        return rows

    def column(self, name):
        """The values of one field of the only model."""
        return [row[name] for row in self.only]


@contextlib.contextmanager
def new_base():
    metadata = MetaData(naming_convention=CONVENTION)
    own = registry(metadata=metadata)

    class Base(Model):
        __abstract__ = True
        registry = own
        _sa_registry = own

    Base.metadata = metadata
    try:
        yield Base
    finally:
        own.dispose()


@contextlib.contextmanager
def executed(text, base):
    module = types.ModuleType(f"adopted_{next(numbers)}")
    sys.modules[module.__name__] = module
    module.Base = base
    try:
        exec(compile(text.replace("(Model):", "(Base):"), "models.py", "exec"), vars(module))
        yield module
    finally:
        del sys.modules[module.__name__]


def rows_of(model):
    names = list(model.facts().fields)
    keys = [name for name in names if model.facts().fields[name].key]
    query = select(model).order_by(*(getattr(model, key) for key in keys))
    return [
        {name: plain(getattr(row, name)) for name in names} for row in db.session.scalars(query)
    ]


def plain(value):
    """Return a member of an Enum as its value, JSON without our tracking."""
    if isinstance(value, dict):
        return dict(value)
    if isinstance(value, list):
        return list(value)
    return getattr(value, "value", value)


@pytest.fixture
def adopt(tmp_path):
    """adopt(path, ..., skip_bad=False), or adopt(csv="a,b\\n1,2\\n") -> Adopted."""

    def run(*sources, skip_bad=False, **texts):
        for ending, text in texts.items():
            path = tmp_path / f"things.{ending}"
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
            sources = (*sources, path)
        folder = tmp_path / f"db{next(numbers)}"
        folder.mkdir()
        return Adopted(sources, skip_bad, folder)

    return run


@pytest.fixture
def carboy(tmp_path):
    """Run the command in a process of its own, in an empty folder."""

    def run(*arguments, cwd=tmp_path, **more):
        program = "from carboy.cli.main import main; main()"
        return subprocess.run(
            [sys.executable, "-c", program, *map(str, arguments)],
            cwd=cwd, capture_output=True, text=True, timeout=300, **more,
        )  # fmt: skip

    return run


@pytest.fixture(scope="session")
def vega():
    """The folder of the data sets of the package vega_datasets; it is not imported."""
    import importlib.util

    found = importlib.util.find_spec("vega_datasets")
    if found is None:
        pytest.skip("vega_datasets is not installed")
    return Path(found.submodule_search_locations[0], "_data")
