"""Data: models, sessions and engines on SQLAlchemy; imported at first use."""
