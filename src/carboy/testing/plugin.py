"""The pytest plugin: what a project's tests need, by naming it.

    app       the application, found as the `carboy` command finds it
    client    requests to it           as_user(7, roles={"staff"})   requests by somebody
    db        direct work on the data  make(Book, title="Emma")      rows
    queries   a budget of statements   clock                         time, standing still

Whatever of these a test uses, the database is its own: what it writes is undone at its
end. Nothing of Flask or SQLAlchemy is imported before a test asks for it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from carboy.base.errors import SetupError
from carboy.cli.find import Target, find, search

if TYPE_CHECKING:
    from carboy.testing.budget import Sent
    from carboy.testing.clients import Acting, Client
    from carboy.testing.clocks import Clock
    from carboy.testing.databases import Databases
    from carboy.testing.factories import Make

VARIABLE = "CARBOY_TEST_DATABASE"
MARKERS = (
    "commits: give this test real transactions; the tables are emptied afterwards",
    "repeats(n): let one line of code run one statement up to n times in a request (N+1)",
)

reports = pytest.StashKey[list[str]]()
"""Of a test: what was repeated too often in its requests."""


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Let tests import the application by its name, as the `carboy` command does."""
    _make_importable(_search(early_config.rootpath))


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> None:
    """Likewise where a repository holds several: each test imports the nearest."""
    _make_importable(_nearest(parent.config.rootpath, module_path.parent))


def pytest_configure(config: pytest.Config) -> None:
    """Make our markers known."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail a test in whose requests a statement was repeated (N+1)."""
    result = yield
    found = item.stash.get(reports, [])
    if found:
        pytest.fail("\n\n".join(found), pytrace=False)
    return result


# Fixtures


@pytest.fixture
def app(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The application; a project whose application is made by hand overrides this fixture."""
    found = _found(request.config, request.path.parent)
    with _isolated(request, found):
        yield found


@pytest.fixture
def database(request: pytest.FixtureRequest, app: Any) -> Iterator[None]:
    """The application's databases, empty but for what this test puts there."""
    with _isolated(request, app):
        yield


@pytest.fixture
def client(app: Any, database: None) -> Client:
    """A client whose requests nobody in particular makes."""
    from carboy.testing.clients import Client  # here, as below: imported when it is used

    return Client(app, app.response_class)


@pytest.fixture
def as_user(app: Any, database: None) -> Callable[..., Acting]:
    """`as_user(user, roles=(), tenant=None)`: a client that acts as that person.

    As a context manager it is for direct work: `with as_user(ada): db.session...`.
    """
    from carboy.testing.clients import Acting, who

    def as_user(user: Any, roles: Iterable[str] = (), tenant: Any = None) -> Acting:
        return Acting(app, app.response_class).be(who(user, roles, tenant))

    return as_user


@pytest.fixture
def db(request: pytest.FixtureRequest, app: Any) -> Iterator[Any]:
    """The database, with the application at hand: `db.session` works in the test itself."""
    from carboy.data.db import db

    request.getfixturevalue("database")  # after the import: now there are data
    with app.app_context():
        yield db


@pytest.fixture
def make(request: pytest.FixtureRequest, db: Any) -> Make:
    """The factory of rows; see `carboy.testing.factories`."""
    from carboy.testing.factories import Make

    return Make(request.node.nodeid)


@pytest.fixture
def queries() -> Callable[..., AbstractContextManager[list[Sent]]]:
    """`with queries(at_most=3):` fails when more statements are sent, and lists them."""
    from carboy.testing.budget import queries

    return queries


@pytest.fixture
def clock() -> Iterator[Clock]:
    """Carboy's clock, standing still until the test moves it."""
    from carboy.testing.clocks import frozen

    with frozen() as hands:
        yield hands


@pytest.fixture(scope="session")
def make_tables() -> Callable[[Any], None]:
    """The function that makes the tables in new databases (Places); override to do otherwise."""
    from carboy.testing.databases import make_tables

    return make_tables


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a private PostgreSQL server, started for this run."""
    from carboy.testing.servers import postgresql

    with postgresql(tmp_path_factory.mktemp("pg")) as address:
        yield address


@pytest.fixture(scope="session")
def mariadb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a private MariaDB server, started for this run."""
    from carboy.testing.servers import mariadb

    with mariadb(tmp_path_factory.mktemp("maria")) as address:
        yield address


@pytest.fixture(scope="session")
def carboy_databases(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    make_tables: Callable[[Any], None],
) -> Iterator[Databases]:
    """The databases of this run; CARBOY_TEST_DATABASE says where."""
    from carboy.testing.databases import Databases

    address, private = os.environ.get(VARIABLE, ""), False
    if address in ("postgresql", "mariadb"):
        address, private = request.getfixturevalue(f"{address}_server"), True
    worker = "" if private else os.environ.get("PYTEST_XDIST_WORKER", "")
    made = Databases(
        address, tmp_path_factory.mktemp("data"),
        private=private, worker=worker, setup=make_tables,
    )  # fmt: skip
    yield made
    made.close()


# How


@contextmanager
def _isolated(request: pytest.FixtureRequest, app: Any) -> Iterator[None]:
    """Give *app* databases of the test's own; nothing to do where it has none, or has them."""
    held = request.node.stash.setdefault(isolated, [])
    data = getattr(app, "extensions", {}).get("carboy.data")
    if app in held or data is None or not data.in_use:
        yield
        return
    databases: Databases = request.getfixturevalue("carboy_databases")
    allowed = _allowed(request.node, app)
    open_ = databases.rolled_back
    if request.node.get_closest_marker("commits"):
        open_ = databases.committing  # type: ignore[assignment]  # other Places, else the same
    with ExitStack() as stack:
        stack.enter_context(open_(app, allowed))
        stack.enter_context(_listening(request.node))
        stack.callback(held.remove, app)
        held.append(app)
        yield


isolated = pytest.StashKey[list[Any]]()
"""Of a test: the applications that have databases of their own."""


@contextmanager
def _listening(item: pytest.Item) -> Iterator[None]:
    """Collect what is repeated."""
    from carboy.data import repeats

    found = item.stash.setdefault(reports, [])

    def listen(repeat: Any) -> None:
        found.append(f"{repeat}\nMeant so? @pytest.mark.repeats({repeat.count}) allows it here.")

    repeats.listeners.append(listen)
    try:
        yield
    finally:
        repeats.listeners.remove(listen)


def _allowed(item: pytest.Item, app: Any) -> int:
    marker = item.get_closest_marker("repeats")
    if marker is not None:
        return int(marker.args[0])
    return int(app.config.get("DATABASE_REPEATS", 0))


applications = pytest.StashKey[dict[Any, Any]]()
"""Of a run: the applications that were imported, by where they are."""


def _found(config: pytest.Config, folder: Path) -> Any:
    """Return the application of the project, else that of the nearest folder above a test."""
    root = config.rootpath
    target = _nearest(root, folder)
    known = config.stash.setdefault(applications, {})
    if target not in known:
        known[target] = _imported(target, root)
    return known[target]


def _nearest(root: Path, folder: Path) -> Target | None:
    """Return where the application is: of *root*, else of the first folder above a test."""
    above = (one for one in (folder, *folder.parents) if root in one.parents)
    return next(filter(None, map(_search, (root, *above))), None)


def _make_importable(found: Target | None) -> None:
    if found is not None:
        folder = str((found.folder / found.path).parent if "/" in found.path else found.folder)
        if folder not in sys.path:
            sys.path.insert(0, folder)


_search = lru_cache(maxsize=None)(search)


def _imported(target: Any, root: Path) -> Any:
    """Import an application as the command line does, ready to be tested."""
    from carboy.cli.load import load  # here: imports Flask

    before = os.environ.get("FLASK_RUN_FROM_CLI")
    try:
        app = load(target or find(None, root))
    except SetupError as error:
        pytest.fail(_no_app(error), pytrace=False)
    finally:
        if before is None:
            os.environ.pop("FLASK_RUN_FROM_CLI", None)
        else:
            os.environ["FLASK_RUN_FROM_CLI"] = before
    app.testing = True
    if not app.secret_key:
        app.secret_key = "only for tests"  # noqa: S105  # it is
    return app


def _no_app(error: Any) -> str:
    return (
        f"The fixture `app` found no application to test.\n{error}\n\n"
        "Set CARBOY_APP, or [tool.carboy] app in pyproject.toml. Where the application is made\n"
        "by hand, say so in conftest.py:\n\n"
        "    @pytest.fixture\n"
        "    def app():\n"
        "        from shop import create_app\n"
        "        return create_app(testing=True)"
    )
