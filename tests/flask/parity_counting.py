"""Count, in a suite's process, which path each request of a Carboy takes.

    requests    every call of engine/flow.serve
    fast        those that the sealed table matched, and no step was left to Flask

Wrapped from outside: the engine does not know that it is watched.
"""

from __future__ import annotations

from typing import Any

from carboy.engine import flow
from carboy.engine.plan import Plan

__all__ = ["install"]


def install(counts: dict[str, int]) -> None:
    """Count into *counts* from now on, in this process."""
    serve, match_stock = flow.serve, Plan.match_stock
    by_flask: list[bool] = []  # a stack: a view may send a request of its own

    def counted_serve(plan: Plan, environ: Any, start_response: Any) -> Any:
        by_flask.append(plan.through_flask or plan.pushes_stock or plan.dispatches_stock)
        try:
            return serve(plan, environ, start_response)
        finally:
            counts["requests"] += 1
            counts["fast"] += not by_flask.pop()

    def counted_match(self: Plan, ctx: Any) -> Any:
        by_flask[-1:] = [True]
        return match_stock(self, ctx)

    flow.serve = counted_serve
    Plan.match_stock = counted_match  # type: ignore[method-assign]  # only in this process
