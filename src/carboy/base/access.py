"""Who may use a route: the mark that a view carries, read when the application is sealed.

    @public                 ->  everybody
    @signed_in, @require    ->  a rule of the policy language (carboy.policy, carboy.auth)
    mark(view, public)      ->  the same, for the views of a feature; a blueprint's mark is
                                that of all its views

Below everything else, so that each feature can say it of its own views.
"""

from __future__ import annotations

from typing import Any, TypeVar

from carboy.base.errors import SetupError

__all__ = ["ATTRIBUTE", "PUBLIC", "Public", "mark", "marked", "public"]

T = TypeVar("T")

ATTRIBUTE = "__carboy_access__"


class Public:
    """Everybody may use it: a decorator of views, and what `app.access` takes."""

    def __call__(self, view: T) -> T:
        """Open *view* to everybody."""
        return mark(view, self)

    def words(self) -> str:
        """Return it in words."""
        return "public"

    def __repr__(self) -> str:
        return "public"


public = PUBLIC = Public()


def mark(target: T, who: Any) -> T:
    """Say that *who* (`public` or a rule) may use the view or blueprint *target*; return it.

    Raises SetupError when it says so already, of somebody else.
    """
    there = vars(target).get(ATTRIBUTE) if hasattr(target, "__dict__") else None
    if there is not None and there is not who:
        name = getattr(target, "__name__", None) or getattr(target, "name", repr(target))
        raise SetupError(
            "access.twice",
            f"{name} says twice who may use it.",
            hint="Keep one of @public, @signed_in and @require; join rules by & and |, as in"
            ' @require(role("staff") | role("admin")).',
        )
    setattr(target, ATTRIBUTE, who)
    return target


def marked(target: Any) -> Any:
    """Return who may use *target*, a view, a class of views or a blueprint; None: not said."""
    found = getattr(target, ATTRIBUTE, None)
    return (
        found
        if found is not None
        else getattr(getattr(target, "view_class", None), ATTRIBUTE, None)
    )
