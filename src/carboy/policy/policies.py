"""The policy of a model: a rule for each thing that can be done with its rows.

policy = Policy(read=everyone, create=signed_in, write=owner("author"),
                fields={"price": Field(read=everyone, write=role("staff"))}, tenant="org")
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from carboy.base.errors import SetupError
from carboy.data import guards
from carboy.policy.errors import checked_name
from carboy.policy.rules import Both, Rule, Same, everyone, nobody

__all__ = ["Field", "FieldPolicy", "Policy"]

guards.source = "carboy.policy.plug"  # whoever declares a policy is held to it


@dataclass(frozen=True)
class Field:
    """Who may see a column's value, and who may set it. Hidden values read as None."""

    read: Rule = everyone
    write: Rule = everyone


FieldPolicy = Field
"""The name it is exported under: `from carboy import FieldPolicy`."""


@dataclass(init=False)
class Policy:
    """What may be done with the rows of a model. What is not said is forbidden.

    read, create, update, delete: rules. write: for the last three where they are not given.
    check: what a row must fulfil once it is updated; the update rule when not given.
    fields: column name to a rule (to see and to set it) or a Field.
    tenant: relation or column that must be the tenant of who asks, for everything; new
        objects that do not say are of that tenant.
    Raises SetupError, with the line of the declaration, for what is no rule.
    """

    rules: Mapping[str, Rule]
    fields: Mapping[str, Field]
    tenant: str | None
    place: str = field(compare=False)

    def __init__(
        self,
        *,
        read: Rule = nobody,
        write: Rule | None = None,
        create: Rule | None = None,
        update: Rule | None = None,
        delete: Rule | None = None,
        check: Rule | None = None,
        fields: Mapping[str, Rule | Field] | None = None,
        tenant: str | None = None,
    ) -> None:
        caller = sys._getframe(1)
        self.place = f"{caller.f_code.co_filename}:{caller.f_lineno}"
        other = nobody if write is None else write
        given = {"read": read, "create": create, "update": update, "delete": delete}
        rules = {
            name: self._checked(name, other if rule is None else rule)
            for name, rule in given.items()
        }
        rules["check"] = self._checked("check", rules["update"] if check is None else check)
        if tenant is not None:
            mine = Same("tenant", checked_name(tenant, "tenant", self.place))
            rules = {name: Both((mine, rule)) for name, rule in rules.items()}
        self.rules, self.tenant = rules, tenant
        self.fields = {
            name: one if isinstance(one, Field) else Field(one, one)
            for name, one in (fields or {}).items()
            if isinstance(one, Field) or self._checked(name, one) is not None
        }

    def _checked(self, name: str, rule: Any) -> Rule:
        if isinstance(rule, Rule):
            return rule
        raise SetupError(
            "policy.no_rule",
            f"{name}={rule!r} in the policy at {self.place} is no rule.",
            hint="Use everyone, nobody, signed_in, owner('author'), role('staff'), where(...),"
            " related('notebook'), combined by |, & and ~.",
        )
