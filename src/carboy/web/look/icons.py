"""The icons: names to paths on a grid of 24, drawn by `ui.icon` with a line of 1.75.

An application adds its own: `app.batteries["look"].icons["jar"] = "M6 4h12"`.
"""

from __future__ import annotations

__all__ = ["ICONS", "STARS"]


def _ring(x: float, y: float, r: float) -> str:
    """Return a circle as a path."""
    return f"M{x - r:g} {y:g}a{r:g} {r:g} 0 1 0 {2 * r:g} 0a{r:g} {r:g} 0 1 0 {-2 * r:g} 0z"


def _box(x: float, y: float, width: float, height: float, r: float) -> str:
    """Return a rectangle with round corners as a path."""
    w, h = width - 2 * r, height - 2 * r
    return (
        f"M{x + r:g} {y:g}h{w:g}a{r:g} {r:g} 0 0 1 {r:g} {r:g}v{h:g}a{r:g} {r:g} 0 0 1 {-r:g} {r:g}"
        f"h{-w:g}a{r:g} {r:g} 0 0 1 {-r:g} {-r:g}v{-h:g}a{r:g} {r:g} 0 0 1 {r:g} {-r:g}z"
    )


ICONS = {
    "add": "M12 5v14M5 12h14",
    "alert": _ring(12, 12, 9) + "M12 7v6M12 16.5v.01",
    "book": "M5 4h11a3 3 0 0 1 3 3v13H8a3 3 0 0 1-3-3zM5 17a3 3 0 0 1 3-3h11",
    "calendar": _box(4, 5, 16, 15, 2) + "M4 10h16M8 3v4M16 3v4",
    "cart": "M4 9h16l-1.6 9.2a2 2 0 0 1-2 1.8H7.6a2 2 0 0 1-2-1.8zM8 9l3-6M16 9l-3-6",
    "chart": "M4 4v16h16M8 15l4-5 3 3 5-7",
    "check": "m5 12.5 4.5 4.5L19 7.5",
    "clock": _ring(12, 12, 9) + "M12 7v5l3.5 2",
    "close": "m6 6 12 12M18 6 6 18",
    "computer": _box(5, 5, 14, 10, 1.5) + "M2.5 19h19",
    "copy": _box(8, 8, 12, 12, 2) + "M16 8V4H4v12h4",
    "delete": "M4 6.5h16M9 6.5V4h6v2.5M6 6.5 7 20h10l1-13.5M10 10.5v6M14 10.5v6",
    "dot": _ring(12, 12, 3),
    "down": "M12 5v14M6 13l6 6 6-6",
    "download": "M12 4v11M7 10.5l5 5 5-5M4 20h16",
    "edit": "m4 20 1-4.5L16.5 4 20 7.5 8.5 19zM14 6.5 17.5 10",
    "file": "M6 3h8l4 4v14H6zM14 3v4h4",
    "filter": "M4 6h16M7 12h10M10 18h4",
    "globe": _ring(12, 12, 9) + "M3 12h18M12 3c6 6 6 12 0 18c-6-6-6-12 0-18z",
    "heart": "M12 20S4 15 4 9.3C4 6.5 6 5 8 5c1.7 0 3.2 1 4 2.6C12.8 6 14.3 5 16 5c2 0 4 1.5 4 4.3"
    "C20 15 12 20 12 20z",
    "home": "m4 11 8-7 8 7v9h-5v-6H9v6H4z",
    "image": _box(4, 5, 16, 14, 2) + "M4 17l5-5 4 4 3-3 4 4" + _ring(15.5, 9.5, 1.5),
    "info": _ring(12, 12, 9) + "M12 11v5.5M12 7.5v.01",
    "key": _ring(8, 14.5, 4.5) + "M11.5 11.5l8-8M16 7l3 3",
    "left": "m15 5-7 7 7 7",
    "list": "M8 6h12M8 12h12M8 18h12M4 6h.01M4 12h.01M4 18h.01",
    "lock": _box(5, 11, 14, 9, 2) + "M8 11V8a4 4 0 0 1 8 0v3",
    "mail": _box(3, 5, 18, 14, 2) + "M3.5 7l8.5 6 8.5-6",
    "menu": "M4 6h16M4 12h16M4 18h16",
    "moon": "M20 14A8.5 8.5 0 0 1 10 4a8.5 8.5 0 1 0 10 10z",
    "more": _ring(5, 12, 0.7) + _ring(12, 12, 0.7) + _ring(19, 12, 0.7),
    "phone": _box(7, 2.5, 10, 19, 2) + "M11 18h2",
    "right": "m9 5 7 7-7 7",
    "search": _ring(11, 11, 6.5) + "M16 16l4.5 4.5",
    "sort": "M8 4v16M4.5 7.5 8 4l3.5 3.5M16 20V4M12.5 16.5 16 20l3.5-3.5",
    "star": "m12 3 2.7 5.9 6.3.7-4.7 4.3 1.3 6.3L12 17l-5.6 3.2 1.3-6.3L3 9.6l6.3-.7z",
    "sun": _ring(12, 12, 4) + "M12 2v3M12 19v3M2 12h3M19 12h3M5 5l2 2M17 17l2 2M5 19l2-2M17 7l2-2",
    "tag": "M4 4h8l8 8-8 8-8-8z" + _ring(8, 8, 1),
    "truck": "M2.5 6h11v11h-11zM13.5 10h4.5l3.5 3.5V17h-8" + _ring(7, 18, 2) + _ring(17.5, 18, 2),
    "up": "M12 19V5M6 11l6-6 6 6",
    "upload": "M12 16V5M7 9.5l5-5 5 5M4 20h16",
    "user": _ring(12, 8, 4) + "M4 21c.6-4.4 3.8-6.5 8-6.5s7.4 2.1 8 6.5",
    "warn": "M12 4 2.8 20h18.4zM12 10v4.5M12 17.2v.01",
}

_STAR = "l2.7 5.9 6.3.7-4.7 4.3 1.3 6.3-5.6-3.2-5.6 3.2 1.3-6.3-4.7-4.3 6.3-.7z"
STARS = "".join(f"M{10 + 20 * place} 1{_STAR}" for place in range(5))
"""Five stars side by side on a grid of 100 by 20."""
