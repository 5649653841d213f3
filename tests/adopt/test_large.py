"""Large files: in bounded memory, and quick enough."""

import resource
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

pytestmark = pytest.mark.slow

MEASURED = """
import resource, sys
import carboy.cli.adopt.adopt, carboy.data.db, carboy.data.migrations.runner
from carboy.cli.main import carboy as command
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    command(["new", "big", "--from", sys.argv[1]], prog_name="carboy")
except SystemExit as end:
    assert not end.code, end.code
print("grown", (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def write(path, rows):
    """Write rows of seven columns: numbers, money, dates, words, holes."""
    with path.open("w") as file:
        file.write("id,title,price,born,genre,score,note\n")
        for n in range(rows):
            day = f"{1950 + n % 70}-{n % 12 + 1:02d}-{n % 28 + 1:02d}"
            file.write(
                f"{n},Film number {n},{n % 900}.{n % 100:02d},{day},{'abcde'[n % 5]},"
                f"{n * 7919 % 1000 / 7!r},{'' if n % 3 else 'said ' * (n % 4)}\n"
            )
    return path


def load(folder, rows):
    """Return (MiB by which the process grew, CPU seconds, rows in the new database)."""
    source = write(folder / "films.csv", rows)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(source)], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    with closing(sqlite3.connect(folder / "big/instance/app.db")) as con:
        ((count,),) = con.execute("select count(*) from films")
        ((total,),) = con.execute("select sum(price) from films")
    assert total == sum(n % 900 * 100 + n % 100 for n in range(rows))
    return int(done.stdout.rpartition("grown ")[2]), cpu_s, count


@pytest.mark.timeout(300)
def test_a_hundred_thousand_rows_take_twenty_seconds(tmp_path):
    """Of one processor, whatever else the machine does."""
    grown, cpu_s, count = load(tmp_path, 100_000)
    print(f"100,000 rows: {cpu_s:.1f} s, {grown} MiB")
    assert count == 100_000
    assert cpu_s <= 20


@pytest.mark.timeout(900)
def test_a_million_rows_in_bounded_memory(tmp_path):
    """The process grows by less than 150 MiB."""
    grown, cpu_s, count = load(tmp_path, 1_000_000)
    print(f"1,000,000 rows: {cpu_s:.1f} s, {grown} MiB")
    assert count == 1_000_000
    assert grown < 150
