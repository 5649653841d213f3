"""Assets: files that a browser keeps for ever, because their address names their content.

    add(folder or file)  ->  freeze()  ->  {"3f9a…/carboy.css": Asset}    at the seal
    asset("carboy.css")  ->  /_carboy/3f9a…/carboy.css                    in templates
    GET that address     ->  find()    ->  one look into the dict, no path is touched

A changed file has another address, so nobody ever sees yesterday's.
"""

from __future__ import annotations

import difflib
import functools
import gzip
import hashlib
import mimetypes
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from carboy.base.errors import SetupError

__all__ = ["SHEETS", "Asset", "Assets", "squeeze"]

HERE = Path(__file__).parent
SHEETS = tuple(HERE / "css" / name for name in ("tokens.css", "base.css", "components.css"))

DIGITS = 12  # of the hash in an address: 48 bits; files are ours, nobody makes them collide
WORTH = 0.9  # a gzip variant is kept when it is smaller than this
TYPES = {
    # Ours first: what the machine's own table says differs from one machine to the next.
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
    ".ico": "image/x-icon",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".avif": "image/avif",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent. zipped: the gzip variant, b"" when it would not be smaller."""

    name: str
    digest: str
    body: bytes
    zipped: bytes
    type: str

    @property
    def place(self) -> str:
        """What follows ``/_carboy/`` in its address."""
        return f"{self.digest}/{self.name}"


class Assets:
    """The files of the look, of other batteries and of the application, by name.

    A later file of the same name replaces an earlier one: an application that adds its
    own carboy.css has its own look.
    """

    def __init__(self) -> None:
        self._sources: dict[str, tuple[Path, ...]] = {}
        self._by_name: Mapping[str, Asset] = {}
        self._by_place: Mapping[str, Asset] = {}

    def add(self, source: str | Path) -> None:
        """Add a file under its name, or each file of a folder under its path in it.

        Names that begin with a dot are left out.
        Raises SetupError when nothing is there.
        """
        path = Path(source)
        if path.is_file():
            self._sources[path.name] = (path,)
            return
        if not path.is_dir():
            raise SetupError(
                "look.no_asset",
                f"There is no file or folder {str(path)!r} to serve.",
                hint='Give a path from here: look.add(Path(__file__).parent / "static").',
            )
        for file in sorted(path.rglob("*")):
            inside = file.relative_to(path)
            if file.is_file() and not any(part.startswith(".") for part in inside.parts):
                self._sources[inside.as_posix()] = (file,)

    def join(self, name: str, parts: Iterable[Path]) -> None:
        """Add several style sheets as one, without their comments and indents."""
        self._sources[name] = tuple(parts)

    def freeze(self) -> None:
        """Read, hash and compress what was added; files that did not change are not read again."""
        by_name = {name: _load(name, parts) for name, parts in self._sources.items()}
        self._by_place = {asset.place: asset for asset in by_name.values()}
        self._by_name = by_name

    def find(self, place: str) -> Asset | None:
        """Return the asset at this place: digest, slash, name. None for anything else."""
        return self._by_place.get(place)

    def named(self, name: str) -> Asset:
        """Return the asset of this name.

        Raises LookupError with the nearest name when there is none.
        """
        if not self._by_name:  # a command or a job, which seals nothing
            self.freeze()
        found = self._by_name.get(name)
        if found is None:
            near = difflib.get_close_matches(name, self._by_name, n=1)
            meant = f" Did you mean {near[0]!r}?" if near else ""
            raise LookupError(
                f"There is no asset called {name!r}.{meant} Add its folder with"
                ' app.batteries["look"].add(folder) before the first request.  [look.unknown]'
            )
        return found

    def __iter__(self) -> Iterator[Asset]:
        return iter(self._by_name.values())


def _load(name: str, parts: tuple[Path, ...]) -> Asset:
    stamps = tuple((path, *_stamp(path)) for path in parts)
    return _read(name, stamps)


def _stamp(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size


# PERF: 5 ms for our own; a program with many applications, as tests are, does it once.
@functools.lru_cache(maxsize=512)
def _read(name: str, stamps: tuple[tuple[Path, int, int], ...]) -> Asset:
    if len(stamps) == 1:
        body = stamps[0][0].read_bytes()
    else:
        body = squeeze("".join(path.read_text("utf-8") for path, *_ in stamps)).encode()
    kind = _type_of(name)
    zipped = gzip.compress(body, 9, mtime=0) if _is_text(kind) else b""
    if len(zipped) > WORTH * len(body):
        zipped = b""
    digest = hashlib.sha256(body).hexdigest()[:DIGITS]
    return Asset(name, digest, body, zipped, kind)


def squeeze(css: str) -> str:
    """Return *css* without comments, indents and empty lines.

    For our own sheets, which have no comment marks within strings.
    """
    bare = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    return re.sub(r"\s*\n\s*", "\n", bare).strip() + "\n"


def _type_of(name: str) -> str:
    ending = Path(name).suffix.lower()
    return TYPES.get(ending) or mimetypes.guess_type(name)[0] or "application/octet-stream"


def _is_text(kind: str) -> bool:
    return kind.startswith("text/") or kind.endswith(("json", "xml"))
