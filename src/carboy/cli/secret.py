"""`carboy secret`: print a new strong key."""

from __future__ import annotations

import secrets

import rich_click as click

__all__ = ["secret"]

KEY_BYTES = 32  # 256 bits; itsdangerous signs with HMAC, whose strength ends at the digest size


@click.command()
def secret() -> None:
    """Print a new strong key for SECRET_KEY.

    256 bits from the system's random source. Keep it out of the repository:
    put CARBOY_SECRET_KEY=... into .env or into the environment of the server.
    """
    click.echo(secrets.token_hex(KEY_BYTES))
