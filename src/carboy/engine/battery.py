"""The typed battery: views with typed parameters, and typed results.

init    gives the application its binder, its encoders, and its JSON default
seal    the engine asks the binder for each route; nothing is left to do
"""

from __future__ import annotations

import weakref
from typing import Any

from carboy.base.battery import Battery
from carboy.engine import bind, returns
from carboy.engine.jsons import JSON

__all__ = ["Typed"]


class Typed(Battery):
    """Binds view parameters from annotations and answers with models."""

    name = "typed"

    def init(self, app: Any) -> None:
        """Declare; see docs/how-to/typed-views.md."""
        guards = app.json_guards
        ref = weakref.ref(app)

        def binder(view: Any, rule: Any) -> Any:
            hooks = getattr(ref(), "url_value_preprocessors", None)
            return bind.compile(view, rule, guards, lenient=bool(hooks))

        app.binder = binder
        app.encoder_for = returns.encoder_for(app)
        if isinstance(app.json, JSON):
            app.json.default = returns.extended(app.json.default)
