"""Clients: requests as a server would make them, on behalf of whoever the test says.

Client(app)                 nothing of the test's own contexts is seen by the request
Acting(app).be(scope)       each request is asked by that person
with acting: ...            so is what the test itself asks of `db` inside
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from contextvars import Context
from typing import TYPE_CHECKING, Any

from flask.testing import FlaskClient
from sqlalchemy.orm.exc import DetachedInstanceError

from carboy.base.scope import Scope, scope, scope_of
from carboy.engine.asking import ENVIRON

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

__all__ = ["Acting", "Client", "who"]


class Client(FlaskClient):
    """A test client whose requests start from nothing, as on a server.

    A context or a scope that the test has open would else be taken for the request's.
    Answers are read to their end. Inside of `with client:` all is as in Flask, for there
    the test wants to look into the request's contexts.
    """

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        # What the batteries of a Carboy want of a test client: that it is a browser (csrf).
        self.environ_base.update(getattr(self.application, "test_environ", {}))

    def open(self, *args: Any, **more: Any) -> TestResponse:
        """Send a request; see Flask."""
        if self.preserve_context:
            return super().open(*args, **more)
        more.setdefault("buffered", True)  # a stream ends in the context it began in
        return Context().run(super().open, *args, **more)


class Acting(Client):
    """A client that somebody acts through; also a context manager, for direct work on `db`."""

    asker: Scope = Scope()

    def be(self, asker: Scope) -> Acting:
        """Act as *asker* from now on."""
        self.asker = asker
        self.environ_base[ENVIRON] = asker  # type: ignore[assignment]  # text is what servers put there
        self._entered: list[ExitStack] = []
        return self

    def __enter__(self) -> Acting:
        entered = ExitStack()
        entered.enter_context(self.application.app_context())
        entered.enter_context(scope(self.asker))
        self._entered.append(entered)
        return self

    def __exit__(self, *error: Any) -> None:
        self._entered.pop().__exit__(*error)


def who(user: Any, roles: Iterable[str], tenant: Any) -> Scope:
    """Return the scope of *user* (a key, a saved object, a Scope, or None) with these roles.

    Without roles and tenant, those that a user object shows; see `base.scope.scope_of`.
    Raises TypeError when roles is one text, ValueError for an object that was not saved.
    """
    if isinstance(roles, str):
        raise TypeError('roles is a set of names, for example {"staff"}.')
    state = getattr(user, "_sa_instance_state", None)
    if state is not None and state.key is None:
        raise ValueError(f"as_user: {user!r} was not saved, so nobody can be it. make(...) saves.")
    try:
        found = scope_of(user)
    except DetachedInstanceError:  # roles in a relation that was never loaded
        found = Scope(user.id)
    if not roles and tenant is None:
        return found
    return Scope(
        found.user,
        frozenset(roles) or found.roles,
        found.tenant if tenant is None else tenant,
        found.tokens,
    )
