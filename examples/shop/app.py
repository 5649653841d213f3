"""Demijohn Books: a shop for books that belong to everyone.

    carboy db upgrade && carboy db seed && carboy dev         SQLite, in instance/app.db
    CARBOY_DATABASE_URL=postgresql://localhost/shop ...       the same, on PostgreSQL

models.py   what there is, and who may do what      cart.py     what somebody is about to buy
views.py    the pages that are the shop's own       orders.py   the checkout
"""

import cart
from covers import cover
from models import SUBJECTS, Book, Order, OrderLine, Review, Wish, rate
from views import ORDERS, PRICES, TIMES, shop

from carboy import Carboy, Resource, current_app, current_user

app = Carboy(__name__)
app.register_blueprint(shop)


class Reviews(Resource):
    """Reviews, which keep the ratings of the books, however they come."""

    model = Review
    columns = ("book_id", "stars", "title", "reader_id", "created_at")
    nav = False

    def saved(self, row: Review, *, new: bool) -> None:
        """Count it in."""
        rate(row.book_id)

    def deleted(self, row: Review) -> None:
        """Count it out."""
        rate(row.book_id, without=row.id)


# /api/books for programs, /admin/books for the staff, and so on; /reviews has pages, too
app.resource(Book, pages=False, columns=("title", "author", "stock", "price_cents", "readers"))
app.resource(Order, pages=False, columns=("created_at", "name", "city", "state", "total_cents"))
app.resource(OrderLine, pages=False, admin=False)
app.resource(Reviews)
app.resource(Wish, pages=False, admin=False)


app.nav("Books", "/books")
app.nav("Cart", "/cart", icon="cart", count=cart.count)


@app.template_global()
def is_staff() -> bool:
    """Whether who asks is let into the admin."""
    me = current_user()
    return me is not None and not set(me.roles).isdisjoint(current_app.config["ADMIN_ROLES"])


@app.template_filter()
def in_years(year: int) -> str:
    """Return a year as people write it."""
    return f"{-year} BC" if year < 0 else str(year)


app.jinja_env.globals.update(
    cover=cover, SUBJECTS=SUBJECTS, ORDERS=ORDERS, PRICES=PRICES, TIMES=TIMES
)
