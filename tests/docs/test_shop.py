"""examples/shop passes its own tests, as somebody who copied it would run them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SHOP = Path(__file__).parents[2] / "examples" / "shop"
TIME_S = 400  # two processors, shared


def run(folder, *command, **environ):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        command, cwd=folder, env={**os.environ, "PATH": path, **environ},
        capture_output=True, text=True, timeout=TIME_S,
    )  # fmt: skip


@pytest.fixture
def copy(tmp_path):
    """The example in a folder of its own."""
    skipped = shutil.ignore_patterns("instance", "__pycache__", ".pytest_cache", ".hypothesis")
    return shutil.copytree(SHOP, tmp_path / "shop", ignore=skipped)


@pytest.mark.slow
@pytest.mark.timeout(TIME_S)
def test_its_tests_pass_on_sqlite(copy):
    strict = ("-q", "-W", "error", "-p", "no:cacheprovider", "-m", "not browser")
    done = run(copy, sys.executable, "-m", "pytest", *strict)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "skipped" not in done.stdout


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.timeout(TIME_S)
@pytest.mark.usefixtures("pg")  # skips, loudly, where there is no PostgreSQL
def test_its_checkout_holds_on_postgresql(copy):
    tests = ("tests/test_orders.py", "tests/test_shop.py")
    done = run(copy, sys.executable, "-m", "pytest", "-q", *tests,
               CARBOY_TEST_DATABASE="postgresql")  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.timeout(TIME_S)
def test_its_walk_in_a_browser(copy):
    if not (shutil.which("chromium") or shutil.which("chromium-browser")):
        pytest.skip("no Chromium on this machine; as root, bin/test installs it")
    done = run(copy, sys.executable, "-m", "pytest", "-q", "-m", "browser")
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.slow
def test_the_commands_of_its_page(copy, tmp_path):
    """The README's way in: migrate, sow, add somebody; then the shop is open."""
    environ = {
        "CARBOY_DATABASE_URL": f"sqlite:///{tmp_path}/shop.db",
        "CARBOY_SECRET_KEY": "a" * 64,
    }
    someone = "users add you@example.org --role staff --no-password"
    for command in ("db upgrade", "db seed", someone, "db check"):
        done = run(copy, "carboy", *command.split(), **environ)
        assert done.returncode == 0, f"{command}: {done.stdout} {done.stderr}"
    visit = "from app import app; print('New on the shelf' in app.test_client().get('/').text)"
    done = run(copy, sys.executable, "-c", visit, **environ)
    assert done.stdout.strip().endswith("True"), done.stderr
