"""FastAPI with SQLModel, as SQLModel's tutorial has it: views that are no coroutines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException, Response
from sqlalchemy import DateTime
from sqlmodel import Field, Session, SQLModel, create_engine, or_, select

TITLE = "FastAPI + SQLModel"
KIND = "asgi"
DISTRIBUTIONS = ("fastapi", "sqlmodel", "pydantic")


class BookPublic(SQLModel):
    id: int
    title: str
    price_cents: int
    rating: float
    public: bool
    published_at: datetime


class Book(SQLModel, table=True):
    __tablename__ = "books"
    id: int = Field(primary_key=True)
    owner_id: int
    shelf: int = Field(index=True)
    title: str = Field(max_length=200)
    price_cents: int
    rating: float
    public: bool
    published_at: datetime = Field(sa_type=DateTime(timezone=True))  # type: ignore[call-overload,unused-ignore]


def build(url: str, blank: dict[str, bytes]) -> FastAPI:
    """Return the application."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    app = FastAPI()

    def opened() -> Iterator[Session]:
        with Session(engine) as session:
            yield session

    Opened = Annotated[Session, Depends(opened)]
    Me = Annotated[int, Header(alias="X-User")]

    def visible(me: int) -> Any:
        return or_(Book.owner_id == me, Book.public)

    def several(shelf: int, me: Me, session: Opened) -> Any:
        found = select(Book).where(Book.shelf == shelf, visible(me))
        return session.exec(found.order_by(Book.id).limit(20)).all()  # type: ignore[arg-type,unused-ignore]

    def one(key: int, me: Me, session: Opened) -> Any:
        book = session.exec(select(Book).where(Book.id == key, visible(me))).first()
        if book is None:
            raise HTTPException(404)
        return book

    def nothing(name: str, me: Me) -> Response:
        return Response(blank[name], media_type="application/json")

    # Set by hand: annotations that are texts cannot name what is local here.
    several.__annotations__ = {"shelf": int, "me": Me, "session": Opened}
    one.__annotations__ = {"key": int, "me": Me, "session": Opened}
    nothing.__annotations__ = {"name": str, "me": Me}
    app.get("/shelves/{shelf}/books", response_model=list[BookPublic])(several)
    app.get("/books/{key}", response_model=BookPublic)(one)
    app.get("/blank/{name}")(nothing)
    return app
