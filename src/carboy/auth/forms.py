"""The forms of accounts, and how what was sent reaches the views, as a form or as JSON.

Sent(SignIn)   .text("email")     what was sent, by name
               .check()           raises a RequestFault with every field that is wrong
               .refuse(fault)     the errors of a view, beside their fields
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from flask import request
from pydantic import Field

from carboy.auth.emails import LONGEST as LONGEST_EMAIL
from carboy.auth.models import NAME
from carboy.auth.passwords import LONGEST
from carboy.base.errors import RequestFault
from carboy.web.form.form import Control, Form
from carboy.web.i18n.texts import N_, _

if TYPE_CHECKING:
    from carboy.web.form.bound import BoundForm

__all__ = [
    "FirstPassword",
    "Link",
    "Password",
    "Profile",
    "Sent",
    "SignIn",
    "SignUp",
    "broken",
    "wrong",
]

# The texts of controls are translated when they are shown.
ADVICE = N_("Fifteen characters or more. A sentence works well.")
SEEN = N_("Others see it beside what you write.")

Broken = dict[str, Any]
"""One wrong field, as problem documents list it."""

Secret = Annotated[str, Field(max_length=LONGEST)]
Address = Annotated[str, Field(max_length=LONGEST_EMAIL)]
Called = Annotated[str, Field(max_length=NAME)]
Hidden = Annotated[str, Control(widget="hidden")]


class SignIn(Form):
    """Who somebody says they are."""

    email: Annotated[
        Address, Control(N_("E-mail address"), widget="email", autocomplete="username")
    ]
    password: Annotated[
        Secret, Control(N_("Password"), widget="password", autocomplete="current-password")
    ]
    stay: Annotated[bool, Control(N_("Stay signed in"))] = False
    next: Hidden = ""


class SignUp(Form):
    """Who somebody wants to be."""

    name: Annotated[
        Called,
        Control(N_("Name"), help=N_("What shall we call you?"), autocomplete="nickname"),
    ]
    email: Annotated[Address, Control(N_("E-mail address"), widget="email", autocomplete="email")]
    password: Annotated[
        Secret,
        Control(N_("Password"), widget="password", help=ADVICE, autocomplete="new-password"),
    ]
    next: Hidden = ""


class Link(Form):
    """A secret that works once."""

    token: Hidden = ""


class Profile(Form):
    """What others see."""

    act: Hidden = "name"
    name: Annotated[Called, Control(N_("Name"), help=SEEN, autocomplete="nickname")]


class FirstPassword(Form):
    """A password, for somebody who came in by a link and has none."""

    act: Hidden = "password"
    password: Annotated[
        Secret,
        Control(N_("New password"), widget="password", help=ADVICE, autocomplete="new-password"),
    ]


class Password(Form):
    """Another password."""

    act: Hidden = "password"
    current: Annotated[
        Secret, Control(N_("Password now"), widget="password", autocomplete="current-password")
    ]
    password: Annotated[
        Secret,
        Control(N_("New password"), widget="password", help=ADVICE, autocomplete="new-password"),
    ]


class Sent:
    """What came with this request for *form*, as a form or as JSON."""

    def __init__(self, form: type[Form]) -> None:
        self.form: BoundForm = form.bind()
        self._data: dict[str, Any] | None = None
        self._fields = form.model_fields

    def check(self, also: Callable[[Sent], list[Broken]] | None = None) -> None:
        """Raise a RequestFault (422) that names each field that does not fit.

        also: returns more errors, so that all are told at once.
        """
        if request.is_json:
            self._data = self._from_json(request.get_json())
            if errors := also(self) if also else []:
                raise wrong("accounts.form", errors)
            return
        self._data = self.form.data if self.form.valid else self.form.reading.values
        for error in also(self) if also else []:
            self.form.errors[error["loc"][-1]] = [error["msg"]]  # it says more than "is needed"
        if not self.form.valid:
            raise RequestFault(422, "accounts.form", _("Something is missing, or does not fit."))

    def text(self, name: str) -> str:
        """Return a text that was sent, "" when it was not."""
        value = (self._data or {}).get(name)
        return value if isinstance(value, str) else ""

    def flag(self, name: str) -> bool:
        """Return whether a box was ticked."""
        return bool((self._data or {}).get(name, False))

    def refuse(self, fault: RequestFault) -> None:
        """Show the errors of *fault* in the form."""
        if fault.code == "accounts.form":
            return  # the form knows them
        told = False
        for error in fault.errors:
            name = str(error["loc"][-1]) if error.get("loc") else ""
            if name in self.form:
                self.form.add_error(name, str(error["msg"]))
                told = True
        if not told:
            self.form.add_error("", fault.message)

    def _from_json(self, sent: Any) -> dict[str, Any]:
        if not isinstance(sent, dict):
            raise RequestFault(422, "accounts.json", _("Send an object of JSON."))
        errors = [
            broken(name, _("%(name)s is needed.", name=name))
            for name, info in self._fields.items()
            if info.is_required() and name not in sent
        ]
        for name, value in sent.items():
            if name not in self._fields:
                errors.append(broken(name[:40], _("%(name)s is not known here.", name=name[:40])))
            elif name == "stay" and not isinstance(value, bool):
                errors.append(broken(name, _("%(name)s must be true or false.", name=name)))
            elif name != "stay" and not isinstance(value, str):
                errors.append(broken(name, _("%(name)s must be text.", name=name)))
        if errors:
            raise wrong("accounts.json", errors)
        return sent


def broken(name: str, said: str) -> Broken:
    """Return one wrong field."""
    return {"loc": [name], "msg": said, "type": name}


def wrong(code: str, errors: list[Broken]) -> RequestFault:
    """Return the fault (422) of several wrong fields."""
    return RequestFault(422, code, " ".join(one["msg"] for one in errors), errors=errors)
