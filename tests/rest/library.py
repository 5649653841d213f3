"""Three related models with every kind of field, on a base of their own, under policies."""

import enum
from datetime import date, datetime, time
from decimal import Decimal
from uuid import UUID

from sqlalchemy import MetaData
from sqlalchemy.orm import Mapped, registry

from carboy.data.constraints import unique
from carboy.data.fields import field
from carboy.data.mixins import Timestamps, Versioned
from carboy.data.models import CONVENTION, Model
from carboy.data.relations import belongs_to, has_many
from carboy.policy.plug import govern
from carboy.policy.policies import Field, Policy
from carboy.policy.rules import everyone, owner, role, signed_in, where

own = registry(metadata=MetaData(naming_convention=CONVENTION))


class Base(Model):
    __abstract__ = True
    registry = own
    _sa_registry = own


Base.metadata = own.metadata


class Binding(enum.Enum):
    """How a volume is bound."""

    PAPER = "paper"
    CLOTH = "cloth"


class Writer(Base):
    """Everybody sees them, but for the secret ones."""

    name: Mapped[str] = field(max_length=80, search=True)
    born: Mapped[int | None] = field(ge=-800, le=2100)
    secret: Mapped[bool] = field(default=False)
    note: Mapped[str | None] = field(max_length=50, api="hidden")
    volumes: Mapped[list["Volume"]] = has_many()
    policy = Policy(
        read=where(lambda one: one.secret == False) | role("staff"),  # noqa: E712
        write=role("staff"),
        fields={"secret": Field(read=role("staff"), write=role("staff"))},
    )


class Volume(Timestamps, Versioned, Base):
    """Written by staff; a code is given once and for all."""

    title: Mapped[str] = field(max_length=200, search=True)
    code: Mapped[str | None] = field(max_length=20, unique=True, write="create", pattern="[a-z]+")
    price_cents: Mapped[int] = field(ge=0, le=1_000_000, label="Price", unit="cents")
    published: Mapped[int | None] = field(ge=-800, le=2100)
    binding: Mapped[Binding] = field(default=Binding.PAPER)
    writer: Mapped[Writer] = belongs_to()
    opinions: Mapped[list["Opinion"]] = has_many()
    policy = Policy(read=everyone, write=role("staff"))


class Opinion(Base):
    """Each person has their own, and everything a field can be."""

    volume: Mapped[Volume] = belongs_to()
    person: Mapped[int | None] = field(default=lambda: _asker(), write="never")
    stars: Mapped[int] = field(ge=1, le=5)
    text: Mapped[str] = field(max_length=2000, widget="textarea")
    weight: Mapped[float | None] = field(ge=0, le=10)
    price: Mapped[Decimal | None] = field(digits=8, places=2)
    read_at: Mapped[datetime | None]
    day: Mapped[date | None]
    hour: Mapped[time | None]
    mark: Mapped[UUID | None]
    tags: Mapped[dict | None]
    public: Mapped[bool] = field(default=True)
    constraints = (unique("person", "volume", message="You have an opinion on it already."),)
    policy = Policy(
        read=where(lambda one: one.public == True) | owner("person"),  # noqa: E712
        create=signed_in,
        update=owner("person"),
        delete=owner("person") | role("staff"),
    )


def _asker():
    from carboy.base.scope import current

    return current().user


govern(Base)
