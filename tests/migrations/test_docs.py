"""docs/how-to/migrations.md is complete, and its examples run in the order they stand."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/migrations.md").read_text()
BLOCKS = re.findall(r"```(python|console)\n(.*?)```", PAGE, re.DOTALL)
OURS = [
    "develop", "failures", "folder", "lint", "lock", "plan", "project", "render", "renames",
    "runner", "seeds", "status",
]  # fmt: skip
FILES = [
    *(ROOT / "src/carboy/data/migrations" / f"{name}.py" for name in OURS),
    *(ROOT / "src/carboy/cli" / f"{name}.py" for name in ("db", "client")),
]
SOURCE = "".join(path.read_text() for path in FILES)
CODES = sorted(set(re.findall(r'^ +"((?:migrations|db)\.[a-z_]+)",$', SOURCE, re.MULTILINE)))


@pytest.mark.parametrize("code", CODES)
def test_every_code_is_explained(code):
    """Whoever meets one finds it here."""
    assert f"[{code}]" in PAGE


@pytest.mark.slow
def test_the_examples_run(tmp_path):
    """Files are written, commands print what stands under them."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("CARBOY", "FLASK"))}
    clean["PATH"] = f"{Path(sys.executable).parent}:{clean['PATH']}"
    clean["PYTHONDONTWRITEBYTECODE"] = "1"  # a file written twice in one second is read twice
    assert shutil.which("carboy", path=clean["PATH"])
    for kind, block in BLOCKS:
        if kind == "python":
            place(tmp_path, block)
            continue
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            done = subprocess.run(
                command, shell=True, cwd=tmp_path, env=clean, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            )  # fmt: skip
            pattern = re.escape(expected.strip()).replace(re.escape("..."), "(?s:.*)")
            assert re.fullmatch(pattern, done.stdout.strip()), f"$ {command}\n{done.stdout}"


def place(folder, block):
    """Write, compare or extend the file that the first line of a block names."""
    first, _, rest = block.partition("\n")
    if first.startswith("# shown: migrations/"):
        assert (folder / first.removeprefix("# shown: ")).read_text() == rest
    elif first.startswith("# edit: "):
        with (folder / first.removeprefix("# edit: ")).open("a") as file:
            file.write(f"\n{rest}")
    elif not first.startswith("# shown"):
        (folder / first.removeprefix("# ")).write_text(rest)
