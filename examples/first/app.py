"""A useful application in one file: books, and what people think of them.

carboy dev          then http://127.0.0.1:8000, /books, /api/books, /api/docs, /admin
"""

from sqlalchemy.orm import Mapped

from carboy import (
    Carboy,
    Model,
    Policy,
    Timestamps,
    User,
    belongs_to,
    everyone,
    field,
    has_many,
    owner,
    public,
    render_template,
    role,
    signed_in,
)

app = Carboy(__name__)


class Book(Timestamps, Model):
    """What the shop sells."""

    title: Mapped[str] = field(max_length=200, search=True)
    price_cents: Mapped[int] = field(ge=0, label="Price", unit="cents")
    published: Mapped[int | None] = field(ge=-800, le=2100)
    reviews: Mapped[list["Review"]] = has_many()

    policy = Policy(read=everyone, write=role("staff") | role("admin"))


class Review(Timestamps, Model):
    """What somebody thinks of a book."""

    book: Mapped[Book] = belongs_to()
    author: Mapped[User] = belongs_to(default="current_user")
    stars: Mapped[int] = field(ge=1, le=5)
    text: Mapped[str] = field(max_length=2000, widget="textarea")

    policy = Policy(
        read=everyone,
        create=signed_in,
        update=owner("author"),
        delete=owner("author") | role("moderator"),
    )


app.resource(Book)  # /books as pages, /api/books as REST, in /admin and in /api/docs
app.resource(Review)


@app.get("/")
@public
def home() -> str:
    """Show the newest books."""
    return render_template("home.html", books=Book.newest(10))
