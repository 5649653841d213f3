"""Carboy: Flask at full size."""

__version__ = "0.1.0"
