"""Observe: request ids, log lines, metrics, health. Each request carries all four."""
