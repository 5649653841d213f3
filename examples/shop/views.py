"""The pages that are the shop's own: home, shelves, a book, the cart, the checkout, orders.

What staff need is in /admin and what programs need in /api: derived from the models, see app.py.
"""

from typing import Annotated, Any
from urllib.parse import urlencode

import cart
import orders
from models import DELIVERY, SUBJECTS, Book, Order, OrderLine, Review, Wish, rate
from sqlalchemy.orm import joinedload, selectinload

from carboy import (
    Blueprint,
    Form,
    current_user,
    db,
    filters,
    flash,
    form_for,
    public,
    redirect,
    render_template,
    request,
    saving,
    search,
    session,
    signed_in,
    sorts,
    url_for,
)
from carboy.data.mixins import now

shop = Blueprint("shop", __name__)

SHELF = Book.read("id", "title", "author", "subject", "price_cents", "rating")
WEEKLY = Book.read(
    "id", "title", "author", "subject", "price_cents", "rating", "readers", "headline", "about",
    where=Book.headline != "", order=("id",),
)  # fmt: skip
ADDRESS = ("name", "street", "postcode", "city", "country", "delivery")
PRICES = {"1000": "Up to €10", "1500": "Up to €15", "2000": "Up to €20"}
TIMES = {
    "-3000,1499": "Before 1500",
    "1500,1799": "1500 to 1799",
    "1800,1899": "1800 to 1899",
    "1900,2100": "1900 and later",
}
ORDERS = {
    "-rating": "Best rated",
    "-created_at": "Newest",
    "price_cents": "Price, low to high",
    "title": "Title",
}
SAYS = {  # a filter in words, for those whose values do not speak for themselves
    "subject": SUBJECTS.get,
    "price_cents.le": PRICES.get,
    "year.between": TIMES.get,
    "stock.ge": lambda least: "In stock",
    "q": lambda words: f"“{words}”",
}
narrowed = filters(Book, "author", "language", "subject", "price_cents", "year", "stock")
ordered = sorts(Book, "rating", "created_at", "price_cents", "title", default=("-rating",))


@shop.get("/")
@public
def home() -> str:
    """The front page."""
    offers = WEEKLY.rows()
    week = offers[now().isocalendar().week % len(offers)] if offers else None
    return render_template(
        "home.html",
        week=week,
        beside=[other for other in offers if other is not week][:2],
        newest=Book.newest(6),
        subjects=counted(Book.subject),
        said=db.session.scalars(
            db.select(Review).order_by(Review.id.desc()).limit(3)
            .options(joinedload(Review.book), joinedload(Review.reader))
        ).all(),
    )  # fmt: skip


@shop.get("/books")
@public
def books() -> str:
    """The shelves: searched, narrowed, sorted, a page at a time."""
    sent = [(name, text) for name, text in request.args.items(multi=True) if text.strip()]
    asked = narrowed.parse(sent)
    found = search(Book, request.args.get("q", ""))
    page = db.keyset(SHELF, found.clause, *asked, order=ordered.parse(request.args.get("sort")))
    conditions = (*found.where(), *asked.where())
    return render_template(
        "books.html",
        page=page,
        count=db.session.scalar(db.select(db.func.count(Book.id)).where(*conditions)),
        chips=[
            (SAYS.get(name, str)(text) or text, address(sent, without=(name, text)))
            for name, text in sent if name not in ("sort", "cursor")
        ],
        previous=address(sent, cursor=page.prev),
        next=address(sent, cursor=page.next),
        languages=counted(Book.language),
    )  # fmt: skip


@shop.get("/books/<int:id>")
@public
def book(id: int) -> str:
    """One book, with what its readers say."""
    return book_page(db.get_or_404(Book, id))


@shop.post("/books/<int:id>/review")
@signed_in
def review(id: int) -> Any:
    """Say what one thinks of a book, or say it better."""
    book = db.get_or_404(Book, id)
    mine = my_review(book)
    form = form_for(mine or Review, "stars", "title", "text")
    if form.valid:
        with saving(form) as session:
            said = mine or Review(book=book)
            for name, value in form.data.items():
                setattr(said, name, value)
            session.add(said)
            session.flush()
            rate(book.id)
    if form.valid:
        flash("Thank you. Your review is published.", "good")
        return redirect(url_for(".book", id=id, _anchor="reviews"), 303)
    return book_page(book, form), form.status


@shop.get("/cart")
@public
def the_cart() -> str:
    """What is about to be bought."""
    lines = cart.lines()
    return render_template("cart.html", lines=lines, cents=cart.cents(lines))


@shop.post("/cart")
@public
def put(book: Annotated[int, Form()], count: Annotated[int, Form(ge=1, le=99)] = 1) -> Any:
    """Put copies of a book into the cart."""
    found = db.get_or_404(Book, book)
    cart.want(book, cart.wanted().get(book, 0) + count)
    flash(f"“{found.title}” is in your cart.", "good")
    return redirect(url_for(".the_cart"), 303)


@shop.post("/cart/<int:book>")
@public
def change(book: int, count: Annotated[int, Form(ge=0, le=99)]) -> Any:
    """Want another number of copies; none takes the book out."""
    cart.want(book, count)
    return redirect(url_for(".the_cart"), 303)


@shop.route("/checkout", methods=["GET", "POST"])
@signed_in
def checkout() -> Any:
    """Ask where the books go, then order them."""
    lines = cart.lines()
    if not lines:
        return redirect(url_for(".the_cart"), 303)
    form = form_for(Order, *ADDRESS)
    if form.valid:
        wanted = {line.book.id: line.count for line in lines}
        try:
            key = orders.place(current_user().id, wanted, **form.data)
        except orders.SoldOut as error:
            flash(error.message, "bad")
            return redirect(url_for(".the_cart"), 303)
        session.pop("cart")
        return redirect(url_for(".order", id=key, new=1), 303)
    page = render_template("checkout.html", form=form, lines=lines, cents=cart.cents(lines),
                           speed=form["delivery"].text or "post", prices=DELIVERY)  # fmt: skip
    return page, form.status


@shop.get("/orders")
@signed_in
def my_orders() -> str:
    """What I have ordered, the newest first."""
    mine = db.select(Order).where(Order.customer_id == current_user().id)
    page = db.keyset(mine, order=("-created_at",))
    return render_template("orders.html", page=page)


@shop.get("/orders/<int:id>")
@signed_in
def order(id: int, new: bool = False) -> str:
    """One order: also the page that says thank you."""
    lines = selectinload(Order.lines).joinedload(OrderLine.book)
    found = db.first_or_404(db.select(Order).where(Order.id == id).options(lines))
    return render_template("order.html", order=found, new=new)


@shop.get("/wishes")
@signed_in
def wishes() -> str:
    """The books I would like to have."""
    mine = db.select(Book).join(Wish).order_by(Wish.id.desc()).limit(100)
    return render_template("wishes.html", books=db.session.scalars(mine).all())


@shop.post("/wishes")
@signed_in
def wish(book: Annotated[int, Form()]) -> Any:
    """Put a book on the wish list, or take it off again."""
    found = db.get_or_404(Book, book)
    with db.transaction() as session:
        if there := my_wish(found):
            session.delete(there)
        else:
            session.add(Wish(book=found))
    flash(f"“{found.title}” is {'off' if there else 'on'} your wish list.", "good")
    return redirect(url_for(".book", id=book), 303)


@shop.get("/about")
@public
def about() -> str:
    """How the shop works: delivery, returns, covers."""
    return render_template("about.html")


# -- helpers, in order of use --


def counted(column: Any) -> list[tuple[str, int]]:
    """Return the values of *column*, the most frequent first, with their numbers."""
    number = db.func.count(Book.id)
    found = db.select(column, number).group_by(column).order_by(number.desc(), column)
    return [(value, count) for value, count in db.session.execute(found)]


def address(sent: list[tuple[str, str]], without: Any = None, cursor: str | None = "") -> str:
    """Return the address of the same list, without a filter, or at a cursor; "" for None."""
    kept = [pair for pair in sent if pair != without and pair[0] != "cursor"]
    if cursor is None:
        return ""
    return "?" + urlencode([*kept, ("cursor", cursor)] if cursor else kept)


def book_page(book: Book, form: Any = None) -> str:
    """Return the page of *book*; form: a review that needs another look."""
    said = db.select(Review).options(joinedload(Review.reader)).where(Review.book_id == book.id)
    stars = db.select(Review.stars, db.func.count()).where(Review.book_id == book.id)
    mine = my_review(book)
    return render_template(
        "book.html",
        book=book,
        page=db.keyset(said, order=("-created_at",), size=5),
        stars=dict(db.session.execute(stars.group_by(Review.stars)).all()),
        mine=mine,
        wished=my_wish(book),
        form=form or form_for(mine or Review, "stars", "title", "text"),
    )


def my_review(book: Book) -> Review | None:
    """Return what who asks said about *book*."""
    me = current_user()
    return me and db.session.scalar(db.select(Review).filter_by(book_id=book.id, reader_id=me.id))


def my_wish(book: Book) -> Wish | None:
    """Return the line of *book* on the list of who asks: the policy hides all others."""
    return db.session.scalar(db.select(Wish).filter_by(book_id=book.id))
