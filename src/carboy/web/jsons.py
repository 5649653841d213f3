"""JSON that is refused before it is decoded: too deep, or ambiguous.

    bytes | str  ->  check_depth(data, limit)     both presets; a deep body is a 500 in Flask
                 ->  check_strict(data)           strict: NaN, doubled names, lone surrogates

Follows RFC 8259 (section 4 on names, 6 on numbers, 8 on text) and RFC 7493, I-JSON.
A body that is no JSON at all passes here; the decoder says where it is wrong.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from carboy.base.errors import RequestFault

__all__ = ["check_depth", "check_strict", "strict_loads"]

BRACES_TO_BRACKETS = bytes.maketrans(b"{}", b"[]")
ALL_BUT_STRUCTURE = bytes(sorted(set(range(256)) - set(b'"[]{}')))
STRINGS = re.compile(rb'"([^"]*+)"([ \t\r\n]*+:)?')  # only where no backslash is
SURROGATE = re.compile(r"[\ud800-\udfff]")


def check_depth(data: bytes | str, limit: int) -> None:
    """Raise RequestFault 400 when arrays and objects nest deeper than *limit*.

    Linear in time and memory for each of at most *limit* passes, all in C: every
    pass removes the innermost pairs.

    >>> check_depth(b"[[]]", 2)
    >>> check_depth(b'["[[[["]', 1)
    """
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    # PERF: most bodies have fewer brackets than levels are allowed; two counts and done.
    if raw.count(b"[") + raw.count(b"{") <= limit:
        return
    left = _structure(raw)
    for _ in range(limit):
        left = left.replace(b"[]", b"")
        if not left:
            return
    if b"[]" in left or left.count(b"[") > limit:  # else unbalanced: the decoder will tell
        raise RequestFault(
            400,
            "json.deep",
            f"The JSON is nested deeper than {limit} levels.",
            hint="Send flatter data.",
        )


def _structure(raw: bytes) -> bytes:
    """Return only the brackets of *raw* that stand outside strings, braces as brackets."""
    bare = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    bare = bare.translate(BRACES_TO_BRACKETS, ALL_BUT_STRUCTURE)
    # Two quotes in a row neither open nor close anything: removing them keeps what
    # is inside and what is outside, and makes the list below short.
    return b"".join(bare.replace(b'""', b"").split(b'"')[::2])


def check_strict(data: bytes | str) -> None:
    """Raise RequestFault 400 for JSON that two decoders may read differently.

    Cheap signs first; the body is decoded here only when one of them shows.
    """
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    if _suspicious(raw):
        try:
            strict_loads(raw)
        except (ValueError, RecursionError):
            return  # no JSON at all: the decoder says where


def _suspicious(raw: bytes) -> bool:
    if b"\0" in raw or raw.startswith((b"\xfe\xff", b"\xff\xfe")):  # UTF-16 and UTF-32
        raise _ambiguous("encoding", "is not UTF-8", "Send JSON as UTF-8.")
    if b"\\" in raw or b"NaN" in raw or b"Infinity" in raw or not _is_utf8(raw):
        return True
    names = [name for name, colon in STRINGS.findall(raw) if colon]
    return len(set(names)) != len(names)


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def strict_loads(data: bytes) -> Any:
    """Return the value of *data*, UTF-8 JSON without ambiguities.

    Raises RequestFault 400 for NaN, Infinity, a name given twice in one object,
    a lone surrogate, or bytes that are not UTF-8; ValueError when it is no JSON.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise _ambiguous("encoding", "is not UTF-8", "Send JSON as UTF-8.") from None
    value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    if "\\u" in text and SURROGATE.search(json.dumps(value, ensure_ascii=False)):
        raise _ambiguous(
            "surrogate",
            "holds half of a surrogate pair",
            "Write characters above U+FFFF as a whole pair.",
        )
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        name = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]  # set.add is None, on purpose
        raise _ambiguous("duplicate", f"gives the name {name[:60]!a} twice", "Give it once.")
    return found


def _no_constant(name: str) -> NoReturn:
    raise _ambiguous("constant", f"holds {name}", "Send null, or a finite number.")


def _ambiguous(kind: str, what: str, hint: str) -> RequestFault:
    return RequestFault(400, f"json.{kind}", f"The JSON {what}.", hint=hint)
