"""The compilers' methods: a new one is a new door, and must be looked at."""

import re

import pytest
import sqlalchemy as sa

from carboy.base.errors import SetupError
from carboy.policy import seam
from carboy.policy.filters import PolicyCompiler

ADDRESSES = ("sqlite://", "postgresql+psycopg://", "mariadb+pymysql://", "mysql+pymysql://")
COMPILERS = {
    address.partition(":")[0]: sa.make_url(address).get_dialect()().statement_compiler
    for address in ADDRESSES
}
"""Those of the drivers that we connect by: each has a class of its own."""

PIECES = re.compile(r"(visit_\w+|\w+_clause|\w*hint_text)$")


def methods(compiler):
    """Return the names of what renders a piece of SQL."""
    return {name for name in dir(compiler) if PIECES.match(name)}


def test_every_method_that_renders_is_known(root):
    """Those of all drivers; add a name once it is known to need no closing."""
    known = set((root / "tests/policy/known_methods.txt").read_text().split())
    found = set().union(*(methods(compiler) for compiler in COMPILERS.values()))
    assert found - known == set(), "look at these, then write them into known_methods.txt"
    assert known - found == set(), "these are gone: what did they turn into?"


@pytest.fixture
def root(request):
    """The folder of the repository."""
    return request.config.rootpath


def test_every_hook_of_ours_still_is_one_of_theirs():
    """A method that SQLAlchemy renames would silently not be called any more."""
    ours = {name for name in vars_of(PolicyCompiler) if PIECES.match(name)}
    theirs = set().union(*(set(dir(compiler)) for compiler in COMPILERS.values()))
    assert ours - theirs == {"visit_policy_inside", "visit_policy_witnessed"}
    for name in ("construct_params", "render_literal_bindparam", "stack", "bind_names"):
        assert all(name in dir(c) or name in source(c) for c in COMPILERS.values()), name


def vars_of(cls):
    """Return the names that the mixin and its parts define."""
    return {
        name for part in cls.__mro__ if part.__module__.startswith("carboy") for name in vars(part)
    }


def source(compiler):
    """Return the annotations of the compiler, where instance attributes are declared."""
    return {name for part in compiler.__mro__ for name in getattr(part, "__annotations__", {})}


@pytest.mark.parametrize("version", ["2.0.44", "2.2.0", "3.0.0b1"])
def test_another_series_of_sqlalchemy_is_refused(version):
    """Its compiler was looked at by nobody."""
    with pytest.raises(SetupError, match=re.escape(version)):
        seam.check_version(version)
    seam.check_version(sa.__version__)
