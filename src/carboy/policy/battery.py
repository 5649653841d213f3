"""Policy as the application meets it: who may see what, in every query.

a request       brings its scope, found by @app.scope_loader when first asked
data            every engine and session stands under the guard
a denial        a log line; `carboy check` lists every `unscoped`
"""

from __future__ import annotations

import importlib
import logging
import sys
import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from carboy.base import scope
from carboy.base.battery import Battery
from carboy.base.options import Choice, Option
from carboy.engine.seam import cv_app

if TYPE_CHECKING:
    from carboy.base.checks import Finding
    from carboy.policy.errors import Denial

__all__ = ["Policies"]

LOG = logging.getLogger("carboy.policy")


class Policies(Battery):
    """Holds the application's data to the policies of its models."""

    name = "policy"
    needs = ("data",)
    options = (
        Option(
            "POLICY_UNDECLARED", Choice("closed", "open"), default="closed",
            help="What a model without a policy shows: 'closed' nothing, 'open' everything.",
            because="A model that was forgotten must not show its rows; 'open' is for an"
            " application that adopts policies one model at a time.",
        ),
    )  # fmt: skip

    def __init__(self) -> None:
        self._ref: Any = None

    def init(self, app: Any) -> None:
        """Become what `data` asks for its guard, and tell of every `unscoped`."""
        self._ref = weakref.ref(app)
        app.extensions["carboy.policy"] = self
        if _unscoped not in scope.listeners:
            scope.listeners.append(_unscoped)

    @property
    def guard(self) -> Any:
        """The guard of this application's data."""
        plug = importlib.import_module("carboy.policy.plug")  # imports SQLAlchemy
        if _denied not in plug.denied:
            plug.denied.append(_denied)
        return plug.guard(self._ref().config["POLICY_UNDECLARED"] == "closed")

    def checks(self, app: Any) -> Iterable[Finding]:
        """Tell which models nobody may see, and read all rules: mistakes show here."""
        if "carboy.data.models" not in sys.modules:
            return ()
        checks = importlib.import_module("carboy.policy.checks")
        return [*checks.findings(app, self.guard.book)]


def _unscoped(frame: scope.Frame) -> None:
    """Log and count work of the system."""
    LOG.info("policy.unscoped", extra={"reason": frame.reason, "place": frame.place})
    _count("unscoped", "")


def _denied(denial: Denial) -> None:
    """Log and count what was denied, and to whom; nothing of the row is known here."""
    who = denial.who
    LOG.warning(
        "policy.denied",
        extra={
            "action": denial.action, "about": denial.about, "code": denial.code,
            "place": denial.place, "user": None if who is None else str(who.user),
            "roles": sorted(who.roles) if who else [],
        },
    )  # fmt: skip
    _count("denied", denial.about)


def _count(name: str, about: str) -> None:
    ctx = cv_app.get(None)
    metrics = None if ctx is None else getattr(ctx.app, "batteries", {}).get("metrics")
    if metrics is not None:
        metrics.event(f"policy.{name}", about)
