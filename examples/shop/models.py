"""The models: what the shop keeps, and who may do what. Pages, API and admin follow from them."""

import enum

from sqlalchemy.orm import Mapped

from carboy import (
    Model,
    Policy,
    Timestamps,
    User,
    Versioned,
    belongs_to,
    db,
    everyone,
    field,
    has_many,
    nobody,
    owner,
    related,
    role,
    signed_in,
    unique,
    unscoped,
)

SUBJECTS = {
    "adventure": "Adventure",
    "drama": "Drama",
    "fable": "Fables and children’s books",
    "gothic": "Gothic",
    "history": "History",
    "mystery": "Detective stories",
    "philosophy": "Philosophy",
    "poetry": "Poetry",
    "romance": "Romance",
    "science": "Science",
    "sea": "Sea stories",
    "society": "Society",
    "travel": "Travel",
}
DELIVERY = {"post": 490, "courier": 1150}  # cents
COUNTRIES = ("Austria", "Belgium", "Czechia", "Denmark", "Finland", "France", "Germany", "Greece",
             "Ireland", "Italy", "Netherlands", "Norway", "Poland", "Portugal", "Spain", "Sweden",
             "Switzerland", "United Kingdom")  # fmt: skip
MOST = 99  # copies of one book in an order

staff = role("staff") | role("admin")


class Book(Timestamps, Versioned, Model):
    """A title on the shelves."""

    title: Mapped[str] = field(max_length=200, min_length=1, search=True)
    author: Mapped[str] = field(max_length=100, min_length=1, search=True, index=True)
    year: Mapped[int] = field(ge=-3000, le=2100, help="Below zero: before our era.")
    language: Mapped[str] = field(max_length=40, min_length=1, search=True, index=True)
    subject: Mapped[str] = field(max_length=20, choices=SUBJECTS.items(), index=True)
    keywords: Mapped[str] = field(max_length=200, default="", search=True)
    about: Mapped[str] = field(max_length=2000, widget="textarea")
    headline: Mapped[str] = field(
        max_length=80, default="", help="Makes it a book of the week, when its week comes.",
    )  # fmt: skip
    pages: Mapped[int] = field(ge=1, le=10_000)
    price_cents: Mapped[int] = field(ge=0, le=1_000_000, label="Price", unit="cents")
    stock: Mapped[int] = field(ge=0, le=100_000)
    rating: Mapped[float | None] = field(ge=1, le=5, write="never")
    readers: Mapped[int] = field(ge=0, default=0, write="never", help="Who gave it stars.")
    reviews: Mapped[list["Review"]] = has_many()

    policy = Policy(read=everyone, write=staff)


class Review(Timestamps, Model):
    """What one reader says about one book."""

    book: Mapped[Book] = belongs_to(on_delete="cascade", write="create")
    reader: Mapped[User] = belongs_to(on_delete="cascade", default="current_user")
    stars: Mapped[int] = field(ge=1, le=5, widget="stars", label="Your stars")
    title: Mapped[str] = field(max_length=80, default="", label="In a few words")
    text: Mapped[str] = field(
        max_length=2000, min_length=1, widget="textarea", label="Your review",
        help="Up to 2,000 characters. Say what you would tell a friend.",
    )  # fmt: skip

    constraints = (unique("reader", "book", message="You have reviewed this book already."),)
    policy = Policy(
        read=everyone,
        create=signed_in & owner("reader"),
        update=owner("reader"),
        delete=owner("reader") | staff,
    )


def rate(book_id: int, *, without: int = 0) -> None:
    """Work out the rating of a book anew, in the transaction of the review that changes it.

    without: the key of a review that is going.
    """
    of_book = (Review.book_id == book_id, Review.id != without)
    connection = db.session.connection()
    with unscoped("ratings belong to the shop"):
        mine = db.select(Book.id).where(Book.id == book_id)
        connection.execute(mine.with_for_update(key_share=True))  # two readers: one at a time
        rating, readers = connection.execute(
            db.select(db.func.avg(Review.stars), db.func.count()).where(*of_book)
        ).one()
        connection.execute(
            db.update(Book).where(Book.id == book_id)
            .values(rating=rating and float(rating), readers=readers)
        )  # fmt: skip


class Wish(Timestamps, Model):
    """A book that somebody would like to have."""

    __tablename__ = "wishes"

    book: Mapped[Book] = belongs_to(on_delete="cascade")
    reader: Mapped[User] = belongs_to(on_delete="cascade", default="current_user")

    constraints = (unique("reader", "book", message="This book is on your list already."),)
    policy = Policy(read=owner("reader"), write=signed_in & owner("reader"))


class State(enum.Enum):
    """How far an order is."""

    PLACED = "placed"
    SENT = "sent"
    CANCELLED = "cancelled"


class Order(Timestamps, Versioned, Model):
    """What somebody bought. Orders are made by the checkout alone: see orders.py."""

    customer: Mapped[User] = belongs_to(write="never")
    state: Mapped[State] = field(default=State.PLACED)
    name: Mapped[str] = field(max_length=80, min_length=1, label="Full name")
    street: Mapped[str] = field(max_length=120, min_length=1, label="Street and number")
    postcode: Mapped[str] = field(
        max_length=10, pattern=r"[A-Za-z0-9][A-Za-z0-9 -]{1,8}[A-Za-z0-9]",
        message="Use letters and digits, for example 31-042.",
    )  # fmt: skip
    city: Mapped[str] = field(max_length=80, min_length=1, label="Town")
    country: Mapped[str] = field(max_length=40, choices=COUNTRIES)
    delivery: Mapped[str] = field(
        max_length=10, widget="radio", label="How fast", default="post", write="create",
        choices=[("post", "Post, three to five days"), ("courier", "Courier, next working day")],
    )  # fmt: skip
    delivery_cents: Mapped[int] = field(ge=0, label="Delivery", unit="cents", write="never")
    total_cents: Mapped[int] = field(ge=0, label="To pay", unit="cents", write="never")
    lines: Mapped[list["OrderLine"]] = has_many()

    policy = Policy(read=owner("customer") | staff, create=nobody, update=staff)

    @property
    def number(self) -> str:
        """The number as it stands on the parcel."""
        return f"D-{self.created_at:%Y}-{self.id:06}"


class OrderLine(Model):
    """Some copies of one book in an order, at the price of that day."""

    order: Mapped[Order] = belongs_to(on_delete="cascade")
    book: Mapped[Book] = belongs_to()
    count: Mapped[int] = field(ge=1, le=MOST)
    price_cents: Mapped[int] = field(ge=0, label="Price", unit="cents")

    policy = Policy(read=related("order"))
