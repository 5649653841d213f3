"""Accounts as the application meets them.

    User is imported  ->  Accounts: sessions in the database, who asks, the pages

Nothing of it exists before. What closes the routes is `Access`, below.
"""

from __future__ import annotations

from typing import Any, ClassVar

from carboy.auth import people
from carboy.base.battery import Battery

__all__ = ["Accounts"]


class Accounts(Battery):
    """Lets people sign up, sign in and out, and look after their account."""

    name: ClassVar[str] = "accounts"
    needs: ClassVar[tuple[str, ...]] = ("policy",)

    def init(self, app: Any) -> None:
        """Wait for people."""
        app.extensions["carboy.accounts"] = self
        people.tell(self.begin, app)

    def begin(self, app: Any) -> None:
        """Make what people need."""


# Access: which routes are open to whom. It stands from here to the end of the file.
