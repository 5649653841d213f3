"""Covers: a book's jacket, drawn from its words. Nobody designs them one by one.

    sha256(title|author)  ->  palette, layout, seed of the motif
    subject               ->  motif
    length of the title   ->  size of the type

Equal words give an equal cover. The drawing has no ids and no styles, only presentation
attributes, so it may stand many times on a page and passes a strict CSP; inner <svg>
elements clip what is drawn in them.
"""

import hashlib
import unicodedata
from collections.abc import Callable, Iterable
from functools import lru_cache
from random import Random

from markupsafe import Markup, escape

SERIF = "'Iowan Old Style','Palatino Linotype',Palatino,P052,'Noto Serif','Noto Naskh Arabic',serif"
SANS = "system-ui,'Segoe UI',Roboto,'Noto Sans',sans-serif"
PALETTES = (  # ground, figure, accent, type: type on ground has a contrast of at least 7:1
    ("#17454a", "#2a6a6c", "#dca965", "#f7f0e1"),
    ("#f0e7d4", "#d9c9a8", "#a23d24", "#23302f"),
    ("#232f4b", "#3a4d78", "#e3b552", "#f5eddd"),
    ("#8c3a1f", "#a9512f", "#f3d08e", "#fff5e4"),
    ("#dde5db", "#b4c6b5", "#28594a", "#172823"),
    ("#3b2733", "#61404f", "#e09a74", "#f7ebe2"),
    ("#dcb45c", "#c69a3f", "#1d3f44", "#1a2626"),
    ("#bcd3d3", "#93b6b8", "#8a3b23", "#14292c"),
)
Board = Callable[[Random, str, str, str], str]  # draws on 200 x 200: seed, figure, accent, line


@lru_cache(maxsize=2_000)  # PERF: a shelf draws twenty of them, the same ones all day
def cover(title: str, author: str, subject: str) -> Markup:
    """Return an <svg>; decorative, as the title stands beside it in the page."""
    seed = int.from_bytes(hashlib.sha256(f"{title}|{author}".encode()).digest()[:8])
    main, _, small = _clean(title).replace(":", ";").partition(";")
    main = main.strip() or "…"
    ground, figure, accent, ink = PALETTES[seed % len(PALETTES)]
    layout = _layout(seed, main)
    line = f'fill="none" stroke="{figure}" stroke-width="{4 if layout is frame else 2}"'
    board = MOTIFS.get(subject, weave)(Random(seed), figure, accent, line)  # noqa: S311
    return Markup(  # noqa: S704 -- what is not ours in it was escaped by _text
        '<svg class="cover" viewBox="0 0 200 300" direction="ltr" aria-hidden="true"'
        f' focusable="false"><rect width="200" height="300" fill="{ground}"/>'
        f"{layout(main, small.strip(), _clean(author), board, (ground, figure, accent, ink))}"
        '<path d="M7 0v300" stroke="#000" stroke-opacity=".16" stroke-width="1.5"/>'
        '<path d="M9 0v300" stroke="#fff" stroke-opacity=".14"/></svg>'
    )


# -- type --

WIDE = dict.fromkeys("mwMW@—…", 0.92) | dict.fromkeys("iljtfrI.,;:'’!|-", 0.33) | {" ": 0.27}


def width(text: str, size: float, *, caps: bool = False) -> float:
    """Estimate how wide *text* is; good to a tenth, which the margins absorb."""
    return size * sum(_em(letter, caps) for letter in text)


def fit(
    text: str, room: float, sizes: Iterable[float], most: int, *, caps: bool = False
) -> tuple[float, list[str]]:
    """Return the largest of *sizes* at which *text* takes at most *most* lines, and these.

    What fits at no size is cut short, with an ellipsis.
    """
    size, lines = 0.0, [text]
    for size in sizes:
        lines = _wrap(text, size, room, caps)
        if len(lines) <= most and max(width(line, size, caps=caps) for line in lines) <= room:
            return size, lines
    lines = [part for line in lines for part in _pieces(line, size, room, caps)]
    if len(lines) > most:
        last = lines[most - 1]
        while width(f"{last}…", size, caps=caps) > room:
            last = last[:-1]
        lines = [*lines[: most - 1], f"{last}…"]
    return size, lines


def _em(letter: str, caps: bool) -> float:
    if unicodedata.combining(letter) or letter in "\u200c\u200d\ufe0f":
        return 0
    if unicodedata.east_asian_width(letter) in "WF" or ord(letter) > 0xFFFF:
        return 1.3 if ord(letter) > 0xFFFF else 1.05
    return WIDE.get(letter, 0.72 if letter.isupper() or caps else 0.53)


def _clean(text: str) -> str:
    """Return *text* without what XML forbids, or what would turn the line around."""
    kept = (c if c.isprintable() or c in "\u200c\u200d" else " " for c in text)
    return " ".join("".join(kept).split())


def _wrap(text: str, size: float, room: float, caps: bool) -> list[str]:
    lines = [""]
    for word in text.split() or [""]:
        joined = f"{lines[-1]} {word}".strip()
        fits = not lines[-1] or width(joined, size, caps=caps) <= room
        lines[-1:] = [joined] if fits else [lines[-1], word]
    return lines


def _pieces(line: str, size: float, room: float, caps: bool) -> list[str]:
    """Return *line* cut where it is full: a word may be longer than the cover is wide."""
    parts = [""]
    for letter in line:
        if width(parts[-1] + letter, size, caps=caps) > room:
            parts.append("")
        parts[-1] += letter
    return parts


def _text(line: str, x: float, y: float, size: float, fill: str, *more: str) -> str:
    """Return one line of type. more: further attributes, the font last when it is not SERIF."""
    font = "" if any(one.startswith("font-family") for one in more) else f'font-family="{SERIF}"'
    attributes = " ".join((font, *more))
    return (
        f'<text x="{x}" y="{y:.1f}" font-size="{size:g}" fill="{fill}" {attributes}>'
        f"{escape(line)}</text>"
    )


def _lines(
    lines: list[str], x: float, y: float, size: float, fill: str, *more: str, lead: float = 1.12
) -> str:
    return "".join(
        _text(line, x, y + number * size * lead, size, fill, *more)
        for number, line in enumerate(lines)
    )


def _name(author: str, x: float, y: float, fill: str, *more: str, room: float = 160) -> str:
    room = (room - 0.4 * len(author)) / 1.08  # the letters are spaced, and SANS runs wider
    size, lines = fit(author, max(room, 90), (11, 10, 9, 8), 1)
    spaced = () if _right_to_left(author) else ('letter-spacing=".4"',)
    return _lines(lines, x, y, size, fill, f'font-family="{SANS}"', *spaced, *more)


def _right_to_left(text: str) -> bool:
    return any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in text)


# -- layouts: where title, name and board stand --

Palette = tuple[str, str, str, str]
MIDDLE = 'text-anchor="middle"'
ITALIC = 'font-style="italic"'


def _layout(seed: int, title: str) -> Callable[[str, str, str, str, Palette], str]:
    if _right_to_left(title):
        return (plate, frame)[seed // 8 % 2]
    chosen = (plate, block, stack, initial, frame)[(seed >> 24) % 5]
    if chosen is stack and (len(title.split()) > 4 or not 3 <= len(title) <= 26):
        return block
    return chosen


def _art(board: str, x: float, y: float, w: float, h: float, box: str = "0 0 200 200") -> str:
    return (
        f'<svg x="{x}" y="{y:g}" width="{w}" height="{h:g}" viewBox="{box}"'
        f' preserveAspectRatio="xMidYMid slice">{board}</svg>'
    )


def _box(x: int, y: int, w: int, h: float, stroke: str, weight: float = 1) -> str:
    return (
        f'<rect x="{x}" y="{y}" width="{w}" height="{h:.0f}" fill="none"'
        f' stroke="{stroke}" stroke-width="{weight}"/>'
    )


def plate(title: str, small: str, author: str, board: str, colours: Palette) -> str:
    """A label on a patterned cloth."""
    ground, _, accent, ink = colours
    size, lines = fit(title, 128, (26, 23, 20, 18, 16), 4)
    low = 52 + size * 0.9 + len(lines) * size * 1.12
    tall = 52 + len(lines) * size * 1.12 + (14 if small else 0)
    sub = fit(small, 128, (9.5,), 1)[1] if small else []
    return (
        _art(board, 0, 0, 200, 300)
        + f'<rect x="24" y="36" width="152" height="{tall:.0f}" fill="{ground}"/>'
        + _box(29, 41, 142, tall - 10, accent, 1.2)
        + _lines(lines, 100, 54 + size * 0.9, size, ink, MIDDLE)
        + _lines(sub, 100, low - size * 0.4, 9.5, ink, MIDDLE, ITALIC)
        + _name(author, 100, 22 + tall, ink, MIDDLE, room=126)
    )


def block(title: str, small: str, author: str, board: str, colours: Palette) -> str:
    """Large type above, the board below."""
    size, lines = fit(title, 164, (32, 28, 25, 22, 19), 5)
    low = 34 + size * 0.5 + len(lines) * size * 1.08
    top = max(low + 34, 122)
    return (
        _art(board, 0, top, 200, 300 - top, "0 0 200 178")
        + _lines(lines, 18, 30 + size * 0.7, size, colours[3], lead=1.08)
        + f'<rect x="18" y="{low:.0f}" width="26" height="3" fill="{colours[2]}"/>'
        + _name(author, 18, low + 18, colours[3])
    )


def stack(title: str, small: str, author: str, board: str, colours: Palette) -> str:
    """Each word as wide as the cover."""
    y, body = 24.0, ""
    for word in title.upper().split():
        size = min(164 / width(word, 1, caps=True), 58)
        y += size * 0.78
        wide = f'textLength="{min(164, width(word, size, caps=True)):.0f}"'
        body += _text(word, 18, y, round(size, 1), colours[3], 'font-weight="700"', wide,
                      'lengthAdjust="spacingAndGlyphs"', f'font-family="{SANS}"')  # fmt: skip
        y += 9
    body += f'<rect x="18" y="{y:.0f}" width="164" height="1.5" fill="{colours[2]}"/>'
    body += _name(author, 18, y + 18, colours[3])
    if y > 170:
        return body + f'<path d="M18 276h164M18 282h164" stroke="{colours[2]}"/>'
    top = max(y + 40, 120)
    return body + _art(board, 0, top, 200, 300 - top, "0 20 200 180")


def initial(title: str, small: str, author: str, board: str, colours: Palette) -> str:
    """One huge letter."""
    size, lines = fit(title, 160, (27, 24, 21, 18), 4)
    top = 262 - len(lines) * size * 1.1
    letter = title.removeprefix("The ").removeprefix("Die ").removeprefix("A ")[:1]
    return (
        _text(letter, 100, top - 26, min(236, 170 // width(letter, 1)), colours[1], MIDDLE)
        + f'<rect x="20" y="{top - 14:.0f}" width="160" height="2" fill="{colours[2]}"/>'
        + _lines(lines, 20, top + size * 0.85, size, colours[3], lead=1.1)
        + _name(author, 20, 278, colours[3])
    )


def frame(title: str, small: str, author: str, board: str, colours: Palette) -> str:
    """A picture in a double frame."""
    _, figure, accent, ink = colours
    sizes = (25, 22, 19, 17) if len(title) < 22 else (22, 19, 17)  # four lines above the picture
    size, lines = fit(title, 144, sizes, 4)
    slant = () if _right_to_left(title) else (ITALIC,)
    return (
        _box(11, 11, 178, 278, accent, 1.5)
        + _box(15, 15, 170, 270, figure)
        + _lines(lines, 100, 42 + size * 0.6, size, ink, MIDDLE, *slant)
        + _art(board, 46, 144, 108, 108)
        + _box(46, 144, 108, 108, accent)
        + _name(author, 100, 273, ink, MIDDLE, room=150)
    )


# -- motifs: one for each subject --


def waves(rng: Random, figure: str, accent: str, line: str) -> str:
    """The sea, with a sun."""
    rows = (f'<path d="M{10 * (i % 4) - 40} {64 + i * 17}{"q10 -13 20 0t20 0" * 7}" {line}/>'
            for i in range(9))  # fmt: skip
    sun = rng.choice((52, 100, 148))
    return f'<circle cx="{sun}" cy="44" r="24" fill="{accent}"/>' + "".join(rows)


def moon(rng: Random, figure: str, accent: str, line: str) -> str:
    """A moon above hills."""
    hills = (f'<path d="M0 {y}q50 -{rng.randint(16, 44)} 100 0t100 0V200H0z" fill="{figure}"'
             f' opacity="{opacity}"/>'
             for y, opacity in ((128, 0.45), (150, 0.7), (174, 1)))  # fmt: skip
    return "".join(hills) + f'<circle cx="{rng.randint(70, 130)}" cy="70" r="36" fill="{accent}"/>'


def orbits(rng: Random, figure: str, accent: str, line: str) -> str:
    """Planets on their ways."""
    turn = rng.randint(0, 60)
    rings = (f'<ellipse cx="100" cy="100" rx="{28 + i * 17}" ry="{12 + i * 10}" {line}'
             f' transform="rotate({turn + i * 9} 100 100)"/>' for i in range(5))  # fmt: skip
    planet = f'<circle cx="{rng.randint(150, 172)}" cy="{rng.randint(60, 130)}" r="6"'
    return (
        "".join(rings)
        + f'<circle cx="100" cy="100" r="13" fill="{accent}"/>{planet} fill="{accent}"/>'
    )


def leaves(rng: Random, figure: str, accent: str, line: str) -> str:
    """A twig."""
    pairs = (f'<path d="M{100 + s * 3} {184 - i * 19}q{s * 30} -6 {s * 42} -34q{-s * 34} 0'
             f' {-s * 42} 34z" fill="{accent if (i + k) % 4 == 0 else figure}"/>'
             for i in range(8) for k, s in enumerate((-1, 1)))  # fmt: skip
    return f'<path d="M100 200V18" {line}/>' + "".join(pairs)


def peaks(rng: Random, figure: str, accent: str, line: str) -> str:
    """Mountains."""
    tops = sorted(rng.sample(range(20, 190, 20), 4))
    hills = (f'<path d="M{t - 90} 200L{t} {88 + i * 22}L{t + 90} 200z" fill="{figure}"'
             f' opacity="{0.45 + i * 0.18:.2f}"/>' for i, t in enumerate(tops))  # fmt: skip
    return f'<circle cx="{200 - tops[1]}" cy="58" r="22" fill="{accent}"/>' + "".join(hills)


def windows(rng: Random, figure: str, accent: str, line: str) -> str:
    """A house front; one window is lit."""
    lit = rng.randrange(20)
    return "".join(
        f'<path d="M{14 + c * 36} {54 + r * 48}v-22a13 13 0 0 1 26 0v22z"'
        f' fill="{accent if r * 5 + c == lit else figure}"/>'
        for r in range(4) for c in range(5)
    )  # fmt: skip


def rings(rng: Random, figure: str, accent: str, line: str) -> str:
    """Circles in water."""
    circles = (f'<circle cx="100" cy="200" r="{r}" {line}/>' for r in range(30, 190, 13))
    return "".join(circles) + f'<circle cx="100" cy="200" r="22" fill="{accent}"/>'


def birds(rng: Random, figure: str, accent: str, line: str) -> str:
    """A flock."""
    return "".join(
        f'<path d="M{rng.randint(4, 160)} {12 + i * 13}q9 -12 16 0q7 -12 16 0" fill="none"'
        f' stroke="{accent if i % 5 == 2 else figure}" stroke-width="3"/>'
        for i in range(14)
    )


def weave(rng: Random, figure: str, accent: str, line: str) -> str:
    """Wicker, as on a demijohn."""
    return "".join(
        f'<rect x="{c * 26 + r % 2 * 13 - 10}" y="{6 + r * 16}" width="21" height="11" rx="5"'
        f' fill="{accent if rng.random() < 0.12 else figure}"/>'
        for r in range(12) for c in range(9)
    )  # fmt: skip


def arches(rng: Random, figure: str, accent: str, line: str) -> str:
    """An arcade."""
    return "".join(
        f'<path d="M{x} 200V{60 + k * 16}a{20 - k * 5} {20 - k * 5} 0 0 1 {40 - k * 10} 0V200z"'
        f' fill="{(figure, accent, figure)[k]}" opacity="{(1, 0.9, 0.55)[k]}"/>'
        for base in range(5, 200, 49) for k, x in enumerate((base, base + 5, base + 10))
    )  # fmt: skip


def curtain(rng: Random, figure: str, accent: str, line: str) -> str:
    """A stage before the play."""
    folds = (f'<path d="M{x} 0C{x} 90 {x + s * 26} 150 {x + s * (60 - i * 6)} 200H{edge}V0z"'
             f' fill="{figure}" opacity="{0.35 + i * 0.16:.2f}"/>'
             for s, edge in ((-1, 0), (1, 200))
             for i, x in enumerate(100 + s * step for step in (4, 24, 46, 70)))  # fmt: skip
    spot = f'<ellipse cx="100" cy="188" rx="{rng.randint(26, 40)}" ry="9" fill="{accent}"/>'
    return spot + "".join(folds)


def road(rng: Random, figure: str, accent: str, line: str) -> str:
    """A way through hills."""
    bend = rng.choice((-38, 38))
    dunes = (f'<path d="M0 {y}q60 {-28 + i * 8} 120 0t120 0V200H0z" fill="{figure}"'
             f' opacity="{0.4 + i * 0.2:.1f}"/>'
             for i, y in enumerate((92, 122, 156)))  # fmt: skip
    way = f'<path d="M100 84q{bend} 26 0 52t0 64" fill="none" stroke="{accent}" stroke-width="4"'
    return "".join(dunes) + f'{way} stroke-dasharray="9 7"/>'


def columns(rng: Random, figure: str, accent: str, line: str) -> str:
    """A temple with a broken column."""
    broken = rng.randrange(4)
    shafts = (f'<path d="M{22 + i * 44} 200V{(118 if i == broken else 66)}h24V200z"'
              f' fill="{accent if i == broken else figure}"/>' for i in range(4))  # fmt: skip
    return f'<path d="M100 14L192 46H8zM12 50h176v10H12z" fill="{figure}"/>' + "".join(shafts)


MOTIFS: dict[str, Board] = {
    "sea": waves,
    "gothic": moon,
    "science": orbits,
    "romance": leaves,
    "adventure": peaks,
    "mystery": windows,
    "philosophy": rings,
    "poetry": birds,
    "fable": weave,
    "society": arches,
    "drama": curtain,
    "travel": road,
    "history": columns,
}
