"""Source distributions of other packages: fetched by pip, proven by hash, unpacked.

    name, version, sha256  ->  fetch()  ->  .cache/sdists/<file>  ->  unpack()  ->  folder

pip knows where packages come from; this module knows no address. A file whose
hash is right is used again without asking anybody, so everything works offline
after the first time.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CACHE", "HERE", "Sdist", "SdistError", "newest", "pinned", "unpacked"]

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CACHE = Path(os.environ.get("CARBOY_TEST_CACHE", ROOT / ".cache")).resolve()
PIP_TIMEOUT_S = 300  # a build backend may have to be fetched before pip hands the file over


class SdistError(Exception):
    """A source distribution cannot be had, or is not the one we know."""


@dataclass(frozen=True)
class Sdist:
    """One source distribution. sha256: hex, or "" when not yet known."""

    name: str
    version: str
    sha256: str

    @property
    def folder(self) -> Path:
        return CACHE / "sdists" / f"{self.name.lower()}-{self.version}"


def pinned(table: Path, name: str, version: str) -> Sdist:
    """Return the entry of *table* (TOML: [name] "version" = "sha256").

    Raises SdistError, with the line to add, when the version is not pinned.
    """
    known = tomllib.loads(table.read_text())
    sha256 = known.get(name, {}).get(version)
    if sha256 is None:
        raise SdistError(
            f"{table.name} has no hash for {name} {version}.\n"
            f"A new version was installed. Fetch its source distribution with pip, look at it,\n"
            f'and add  "{version}" = "<sha256>"  under [{name}].'
        )
    return Sdist(name, version, str(sha256))


def unpacked(sdist: Sdist, into: Path) -> Path:
    """Unpack *sdist* into the new folder *into* and return the tree's own folder.

    The archive comes from the cache, or by pip when it is not there yet. A fresh
    tree each time, because suites write into their own folder.
    Raises SdistError when it cannot be fetched, or its hash is another one.
    """
    with tarfile.open(_archive(sdist)) as tar:
        tar.extractall(into, filter="data")
    (tree,) = into.iterdir()
    return tree


def newest(name: str) -> tuple[str, ...]:
    """Return all released versions of *name*, newest first; empty when offline."""
    command = [sys.executable, "-m", "pip", "index", "versions", name, "--json"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if answer.returncode != 0:
        return ()
    document, _ = json.JSONDecoder().raw_decode(answer.stdout)
    return tuple(document["versions"])


def _archive(sdist: Sdist) -> Path:
    found = _known(sdist)
    if found is None:
        _download(sdist)
        found = _known(sdist)
    if found is None:
        raise SdistError(f"pip delivered no source distribution of {sdist.name} {sdist.version}.")
    return found


def _known(sdist: Sdist) -> Path | None:
    """The cached archive when its hash is right; a wrong one is removed and reported."""
    for path in sorted(sdist.folder.glob("*.tar.gz")):
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if sdist.sha256 in (found, ""):
            return path
        path.unlink()
        raise SdistError(
            f"{path.name} has sha256 {found}, expected {sdist.sha256}.\n"
            "Either the download was damaged (run again) or somebody changed the release."
        )
    return None


def _download(sdist: Sdist) -> None:
    """Let pip fetch the archive; it appears in the cache whole or not at all."""
    with tempfile.TemporaryDirectory(dir=_folder(CACHE)) as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--no-binary", sdist.name, "--dest", folder, f"{sdist.name}=={sdist.version}"]
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=PIP_TIMEOUT_S, check=False
        )
        if answer.returncode != 0:
            raise SdistError(
                f"pip could not fetch the source distribution of {sdist.name} {sdist.version}:\n"
                f"{answer.stderr.strip()[-800:]}\n"
                "The first run needs the network; later ones use .cache/."
            )
        for path in Path(folder).glob("*.tar.gz"):
            shutil.move(path, _folder(sdist.folder) / path.name)


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path
