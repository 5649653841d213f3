"""The shop as its customers, its staff and other programs use it: by requests."""

import os
import subprocess
from pathlib import Path

import pytest
import seeds
from models import Book, Order, Review, Wish

from carboy import User, unscoped

HERE = Path(__file__).parents[1]
MERGE = {"Content-Type": "application/merge-patch+json"}


@pytest.fixture
def titles():
    """The books on a page of shelves, in their order."""

    def titles(response):
        assert response.status_code == 200
        cut = response.text.split('<h3><a href="/books/')[1:]
        return [part.split("<bdi>")[1].split("</bdi>")[0] for part in cut]

    return titles


# -- looking around --


def test_the_front_page(client, emma, make, titles):
    make(Review, book=emma, text="Badly done, Emma!", stars=5, reader__name="George K.")
    page = client.get("/")
    assert titles(page) == ["Emma"]
    assert "Badly done, Emma!" in page.text
    assert "George K." in page.text


def test_the_book_of_the_week_is_one_with_a_headline(client, make):
    assert "Book of the week" not in client.get("/").text
    make(Book, headline="A whale and some weather")
    assert "A whale and some weather" in client.get("/").text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"Emma", "Faust"}),
        ("q=austen", {"Emma"}),
        ("q=goeth*", {"Faust"}),
        ("q=society", {"Emma"}),
        ("q=nothing+like+it", set()),
        ("language.in=German", {"Faust"}),
        ("language.in=German&language.in=English", {"Emma", "Faust"}),
        ("subject=romance&price_cents.le=", {"Emma"}),
        ("price_cents.le=800", {"Faust"}),
        ("year.between=1800,1810", {"Faust"}),
        ("author=Jane+Austen&stock.ge=1", {"Emma"}),
    ],
)
def test_finding_books(client, emma, faust, titles, query, expected):
    assert set(titles(client.get(f"/books?{query}"))) == expected


def test_sorting_and_paging(client, make, titles, queries):
    make(Book, 45, title=lambda n: f"No. {n:02}", price_cents=lambda n: 5000 - n)

    with queries(at_most=4):  # the page, how many there are, the languages, who asks
        first = client.get("/books?sort=title")

    assert titles(first) == [f"No. {n:02}" for n in range(1, 21)]
    assert "20 of 45 books" in first.text
    assert titles(client.get("/books?sort=price_cents"))[0] == "No. 45"


@pytest.mark.parametrize(
    "query",
    ["sort=stock", "price_cents.le=cheap", "secret=1", "cursor=forged", "subject=sea&subject=x"],
)
def test_what_cannot_be_asked_is_refused(client, query):
    assert client.get(f"/books?{query}").status_code in (400, 422)


def test_a_title_is_text(client, make):
    book = make(Book, title="<script>alert(1)</script>", author="A & B")
    for page in (f"/books/{book.id}", "/books", "/"):
        assert "<script>alert" not in client.get(page).text


# -- reviews --


def test_a_review_counts(as_user, ines, sam, emma):
    for who, stars in ((ines, 5), (sam, 2)):
        sent = {"stars": stars, "text": "Handsome, clever and rich."}
        assert as_user(who).post(f"/books/{emma.id}/review", data=sent).status_code == 303

    page = as_user(ines).get(f"/books/{emma.id}").text
    assert "3.5 of 5 stars" in page
    assert "2 readers" in page


def test_saying_it_better_keeps_one_review(as_user, ines, emma):
    reader = as_user(ines)
    for stars in (1, 4):
        reader.post(f"/books/{emma.id}/review", data={"stars": stars, "text": "Hm."})
    page = reader.get(f"/books/{emma.id}").text
    assert "One reader" in page
    assert "4.0 of 5 stars" in page


def test_a_review_needs_stars_words_and_a_reader(client, as_user, ines, emma):
    path = f"/books/{emma.id}/review"
    assert client.post(path, data={"stars": 5, "text": "!"}).status_code == 401

    page = as_user(ines).post(path, data={"stars": 9, "text": ""})

    assert page.status_code == 422
    assert "2 things need another look" in page.text


@pytest.mark.commits  # real transactions: a review and its rating belong to one
def test_ratings_follow_reviews_however_they_come(as_user, ines, sam, emma):
    def rating():
        return as_user(ines).get(f"/api/books/{emma.id}").json["rating"]

    reader, other = as_user(ines), as_user(sam)
    reader.post(f"/books/{emma.id}/review", data={"stars": 4, "text": "Well."})
    assert rating() == 4
    made = other.post("/api/reviews", json={"book_id": emma.id, "stars": 1, "text": "No."})
    assert (made.status_code, rating()) == (201, 2.5)
    other.patch(f"/api/reviews/{made.json['id']}", json={"stars": 2}, headers=MERGE)
    assert rating() == 3
    other.delete(f"/api/reviews/{made.json['id']}")
    assert rating() == 4


# -- buying --


def buy(shopper, address, *books):
    for book in books:
        shopper.post("/cart", data={"book": book.id})
    return shopper.post("/checkout", data=address)


def test_from_the_shelf_to_the_order(as_user, ines, emma, faust, address):
    shopper = as_user(ines)
    shopper.post("/cart", data={"book": emma.id, "count": 2})

    done = buy(shopper, address, faust)

    assert done.status_code == 303
    order = shopper.get(done.location)
    assert "Thank you. 3 books are on their way." in order.text
    assert "€31.90" in order.text  # 2 x 10.00 + 7.00 + 4.90
    assert "Nothing" not in shopper.get("/orders").text
    assert "There is nothing in it yet" in shopper.get("/cart").text
    assert "Only 3 left" in shopper.get(f"/books/{emma.id}").text
    assert "Sold out" in shopper.get(f"/books/{faust.id}").text


def test_changing_the_cart(client, emma):
    client.post("/cart", data={"book": emma.id, "count": 3})
    client.post(f"/cart/{emma.id}", data={"count": 1})
    assert "€10.00" in client.get("/cart").text
    client.post(f"/cart/{emma.id}", data={"count": 0})
    assert "There is nothing in it yet" in client.get("/cart").text


@pytest.mark.parametrize(
    "sent", [{"book": "x"}, {"count": 1}, {"book": 1, "count": 0}, {"book": 1, "count": 100}]
)
def test_odd_wishes_of_a_cart(client, sent):
    assert client.post("/cart", data=sent).status_code == 422


def test_what_was_sold_meanwhile(as_user, ines, sam, faust, address):
    late = as_user(sam)
    late.post("/cart", data={"book": faust.id})
    buy(as_user(ines), address, faust)

    cart = late.get(late.post("/checkout", data=address).location)

    assert "Of “Faust” there are none left. Nothing was ordered." in cart.text
    assert "Sold out: remove it" in cart.text


def test_a_wrong_address_is_told_with_what_was_typed(as_user, ines, emma, address):
    page = buy(as_user(ines), address | {"postcode": "!", "name": ""}, emma)
    assert page.status_code == 422
    assert "2 things need another look" in page.text
    assert "Krzyża 14/3" in page.text


def test_orders_are_nobody_elses(as_user, client, make, ines, emma, address):
    path = buy(as_user(ines), address, emma).location
    assert as_user(ines).get(path).status_code == 200
    assert as_user(make(User)).get(path).status_code == 404
    assert client.get(path).status_code == 401


def test_buying_needs_somebody(client, emma):
    client.post("/cart", data={"book": emma.id})
    answer = client.get("/checkout", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.location) == (303, "/sign-in?next=/checkout")


def test_a_wish_comes_and_goes(as_user, make, ines, emma, titles):
    reader, other = as_user(ines), as_user(make(User))
    reader.post("/wishes", data={"book": emma.id})
    assert titles(reader.get("/wishes")) == ["Emma"]
    assert titles(other.get("/wishes")) == []
    reader.post("/wishes", data={"book": emma.id})
    assert titles(reader.get("/wishes")) == []


# -- staff and programs --


def test_staff_look_after_stock_and_orders(as_user, ines, sam, emma, address, db):
    buy(as_user(ines), address, emma)
    desk = as_user(sam)
    assert "Emma" in desk.get("/admin/books").text
    assert "Kraków" in desk.get("/admin/orders").text

    changed = desk.patch(f"/api/books/{emma.id}", json={"stock": 40}, headers=MERGE)
    assert changed.status_code == 200
    with unscoped("look"):
        assert db.session.scalar(db.select(Book.stock)) == 40


def test_customers_have_no_business_at_the_desk(as_user, client, ines, emma):
    for path in ("/admin", "/admin/books", "/admin/orders"):
        assert as_user(ines).get(path).status_code == 403
        assert client.get(path).status_code == 401  # a browser is sent to sign in
    patched = as_user(ines).patch(f"/api/books/{emma.id}", json={"price_cents": 1}, headers=MERGE)
    assert patched.status_code == 403


def test_a_form_older_than_a_sale_is_refused(as_user, ines, sam, emma, address):
    """Who edits stock has seen a number that is no longer true."""
    desk = as_user(sam)
    fields = ("title", "author", "year", "language", "subject", "about", "pages", "price_cents")
    sent = {name: getattr(emma, name) for name in fields} | {
        "stock": 5,
        "row_version": emma.version,
    }
    buy(as_user(ines), address, emma)

    assert desk.post(f"/admin/books/{emma.id}/edit", data=sent).status_code == 409


def test_the_api_makes_no_orders(as_user, ines, sam, address):
    for who in (ines, sam):
        assert as_user(who).post("/api/orders", json=address).status_code in (403, 405, 422)


def test_whose_things_are_whose(as_user, make, ines, emma):
    """Reviews are everybody's to read and the reader's to change; orders and wishes are private."""
    review, wish = make(Review, book=emma), make(Wish, book=emma)
    other = as_user(ines)
    assert other.get(f"/api/reviews/{review.id}").status_code == 200
    assert (
        other.patch(f"/api/reviews/{review.id}", json={"text": "Ha"}, headers=MERGE).status_code
        == 403
    )
    assert other.get(f"/api/wishes/{wish.id}").status_code == 404
    order = make(Order)
    assert other.get(f"/api/orders/{order.id}").status_code == 404


def test_seeds_may_be_sown_again(app, db):
    with app.app_context(), unscoped("seed"):
        for _ in range(2):
            with db.transaction():
                seeds.seed()
        assert db.session.scalar(db.select(db.func.count(Book.id))) >= 160
        assert db.session.scalar(db.select(db.func.count(User.id))) == 0  # no default accounts


def test_readers_come_only_when_they_are_asked(app, db, monkeypatch):
    monkeypatch.setenv("SHOP_READERS", "1")
    with app.app_context(), unscoped("seed"):
        for _ in range(2):
            with db.transaction():
                seeds.seed()
        people = db.session.scalars(db.select(User)).all()
        assert not any(one.active or one.password_hash for one in people)
        whale = db.session.scalars(db.select(Book).where(Book.title.contains("Moby"))).one()
        assert (whale.readers, whale.rating) == (4, 4.5)


def test_models_and_migrations_agree(tmp_path):
    """What CI asks: nobody forgot `carboy db make`."""
    environ = {**os.environ, "CARBOY_DATABASE_URL": f"sqlite:///{tmp_path}/shop.db"}
    for command in ("upgrade", "check"):
        done = subprocess.run(
            ["carboy", "db", command], cwd=HERE, env=environ, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
