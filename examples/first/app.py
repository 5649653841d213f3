"""Books, and what people think of them. `carboy dev`, then /books, /api/docs and /admin."""

from sqlalchemy.orm import Mapped

from carboy import (
    Carboy, Model, Policy, User, belongs_to, everyone, field, owner, public, render_template,
    role, signed_in,
)  # fmt: skip

app = Carboy(__name__)


class Book(Model):
    title: Mapped[str] = field(max_length=200, search=True)
    price_cents: Mapped[int] = field(ge=0, label="Price", unit="cents")
    published: Mapped[int | None] = field(ge=-800, le=2100)

    policy = Policy(read=everyone, write=role("staff"))


class Review(Model):
    book: Mapped[Book] = belongs_to()
    author: Mapped[User] = belongs_to(default="current_user")
    stars: Mapped[int] = field(ge=1, le=5)
    text: Mapped[str] = field(max_length=2000, widget="textarea")

    policy = Policy(read=everyone, create=signed_in, write=owner("author") | role("moderator"))


app.resource(Book)  # pages, REST, OpenAPI, admin
app.resource(Review)


@app.get("/")
@public
def home() -> str:
    return render_template("home.html", books=Book.newest(10))
