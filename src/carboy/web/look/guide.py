"""What the style guide shows: made-up books and figures for each component."""

from __future__ import annotations

import re
from typing import Any

from carboy.web.look.assets import SHEETS

__all__ = ["values"]

BOOKS = (
    ("Die Verwandlung", "Franz Kafka", 1915, "€7.90", 31),
    ("Dracula", "Bram Stoker", 1897, "€10.90", 26),
    ("Frankenstein; or, The Modern Prometheus", "Mary Shelley", 1818, "€11.20", 3),
    ("The Life and Opinions of Tristram Shandy, Gentleman", "Laurence Sterne", 1767, "€15.80", 0),
)
DAYS = (450, 500, 565, 560, 550, 595, 610, 685, 705, 690, 650, 625, 535, 505, 460, 545, 515, 615,
        610, 700, 720, 740, 805, 725, 655, 697, 660, 575, 633, 680)  # fmt: skip


def values(shell: str, icons: dict[str, str]) -> dict[str, Any]:
    """Return what templates/carboy/guide.html needs."""
    return {
        "shell": f"carboy/{shell}.html",
        "icons": sorted(icons),
        "tokens": _colours(),
        "columns": _columns(),
        "rows": [_row(number, *book) for number, book in enumerate(BOOKS, 1)],
        "days": DAYS,
        "before": [round(day * 0.8) if place % 7 else None for place, day in enumerate(DAYS)],
        "labels": [f"{day} Nov" for day in range(1, 31)],
    }


def _colours() -> list[str]:
    """Return the names of the tokens that are colours, as tokens.css states them."""
    text = SHEETS[0].read_text("utf-8")
    return re.findall(r"--([\w-]+): light-dark\(oklch", text)


def _columns() -> list[dict[str, Any]]:
    return [
        {"label": "Title", "sort": "?sort=-title", "order": "ascending"},
        {"label": "Author", "sort": "?sort=author"},
        {"label": "Written", "num": True, "sort": "?sort=year"},
        {"label": "Price", "num": True},
        {"label": "Stock", "num": True, "sort": "?sort=stock"},
    ]


def _row(key: int, title: str, author: str, year: int, price: str, stock: int) -> dict[str, Any]:
    left: Any = stock
    if not stock:
        left = {"text": "Sold out", "tone": "bad"}
    elif stock < 5:
        left = {"text": f"{stock} left", "tone": "warn"}
    return {
        "key": str(key),
        "label": title,
        "url": f"#book-{key}",
        "edit": f"#edit-{key}",
        "cells": [title, author, year, price, left],
    }
