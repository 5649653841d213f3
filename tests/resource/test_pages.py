"""Pages: what people see of a model, and what they may do there."""

import re

import pytest

pytestmark = pytest.mark.slow  # each test makes an application and its tables

STAFF = {"user": 9, "roles": {"staff"}}
BOOK = {"title": "Persuasion", "author_id": "1", "price_cents": "990", "binding": "cloth"}


def key_of(page):
    """Return the one-time key of the form on a page."""
    return re.search(r'name="form_key" value="([^"]+)"', page.text).group(1)


def test_a_list_shows_rows_with_links(ask):
    page = ask("get", "/books")
    assert page.status_code == 200
    assert '<a href="/books/1">Emma</a>' in page.text
    assert '<a href="/authors/1">Jane Austen</a>' in page.text
    assert "Add book" not in page.text, "a visitor may not"


def test_what_is_hidden_or_protected_is_not_on_the_page(ask):
    """Not on the list, not on the page of the row, not in files."""
    for path in ("/books", "/books/1", "/books.csv", "/books.json"):
        text = ask("get", path).text
        assert "s3cret" not in text, path
        assert "400" not in text, f"{path}: the cost, for admins only"
    assert "400" in ask("get", "/books/1", user=3, roles={"admin"}).text


def test_staff_get_what_they_need(ask):
    text = ask("get", "/books", **STAFF).text
    for shown in ("Add book", "/books/1/edit", 'name="key" value="1"', "Delete…"):
        assert shown in text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=emm*", True), ("q=zola", False), ("price_cents.ge=1000", True),
        ("price_cents.ge=2000", False), ("binding=paper", True), ("binding=cloth", False),
        ("author=1", True), ("author=2", False), ("in_stock=true&q=emma", True),
        ("published.ge=&published.le=", True), ("sort=-title", True),
    ],
)  # fmt: skip
def test_a_list_is_searched_and_narrowed(ask, query, found):
    page = ask("get", f"/books?{query}")
    assert page.status_code == 200
    assert (">Emma</a>" in page.text) is found
    if not found:
        assert "Nothing fits" in page.text


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("nope=1", 400), ("sort=nope", 400), ("sort=cost_cents", 400), ("secret=x", 400),
        ("price_cents.ge=x", 422), ("cursor=zzz", 400), ("size=0", 422), ("size=x", 422),
        ("size=1000000", 422), ("binding=vellum", 422), ("author=x", 422), ("q=" + "x" * 300, 400),
        ("price_cents.ge=" + "9" * 400, 422), ("q=%00", 200), ("q=%22%27%3B--", 200),
    ],
)  # fmt: skip
def test_a_question_that_cannot_be_is_told(ask, query, status):
    assert ask("get", f"/books?{query}").status_code == status


def test_pages_follow_one_another(ask, shop, models):
    """Forward and back, without a row lost or met twice."""
    from carboy.base.scope import unscoped
    from carboy.data.db import db

    with shop.app_context(), unscoped("test"):
        db.session.add_all(models.Author(name=f"Author {n:02}") for n in range(30))
        db.session.commit()
    seen, path = [], "/authors?size=7"
    while path:
        text = ask("get", path).text
        seen += re.findall(r'<th scope="row" role="rowheader"><a href="/authors/(\d+)"', text)
        after = re.search(r'rel="next" href="([^"]+)"', text)
        path = "/authors" + after.group(1).replace("&amp;", "&") if after else ""
    assert len(seen) == len(set(seen)) == 32


def test_a_row_is_created(ask, rows, models):
    blank = ask("get", "/books/new", **STAFF)
    assert blank.status_code == 200
    data = {**BOOK, "form_key": key_of(blank)}
    saved = ask("post", "/books/new", data=data, **STAFF)
    assert saved.status_code == 303, saved.text
    (made,) = [row for row in rows(models.Book) if row["title"] == "Persuasion"]
    assert saved.location == f"/books/{made['id']}"
    assert made["price_cents"] == 990


def test_sent_twice_is_saved_once(ask, rows, models):
    """Somebody presses the button twice: one row, and both answers lead to it."""
    data = {**BOOK, "form_key": key_of(ask("get", "/books/new", **STAFF))}
    first, second = (ask("post", "/books/new", data=data, **STAFF) for _ in range(2))
    assert first.status_code == second.status_code == 303
    assert first.location == second.location
    assert len([row for row in rows(models.Book) if row["title"] == "Persuasion"]) == 1


def test_all_errors_are_told_and_values_kept(ask, rows, models):
    bad = {**BOOK, "title": "", "price_cents": "-5", "author_id": "77", "published": "<b>"}
    page = ask("post", "/books/new", data=bad, **STAFF)
    assert page.status_code == 422
    assert page.text.count('aria-invalid="true"') == 4
    assert "&lt;b&gt;" in page.text, "what was typed is there again, escaped"
    assert "Price must be at least 0 cents" in page.text
    assert len(rows(models.Book)) == 1


@pytest.mark.parametrize("name", ["id", "version", "created_at", "secret", "cost_cents", "x"])
def test_a_field_that_is_not_in_the_form_is_refused(ask, rows, models, name):
    """No mass assignment."""
    page = ask("post", "/books/new", data={**BOOK, name: "1"}, **STAFF)
    assert page.status_code == 422
    assert len(rows(models.Book)) == 1


def test_a_row_is_changed(ask, rows, models):
    form = ask("get", "/books/1/edit", **STAFF)
    assert 'value="Emma"' in form.text
    version = re.search(r'name="row_version" value="(\d+)"', form.text).group(1)
    data = {**BOOK, "title": "Emma (1815)", "row_version": version, "in_stock": "1"}
    done = ask("post", "/books/1/edit", data=data, **STAFF)
    assert (done.status_code, done.location) == (303, "/books/1")
    (row,) = rows(models.Book)
    assert (row["title"], row["version"], row["cost_cents"]) == ("Emma (1815)", 2, 400)


def test_what_somebody_changed_meanwhile_is_not_overwritten(ask, rows, models):
    done = ask("post", "/books/1/edit", data={**BOOK, "row_version": "0"}, **STAFF)
    assert done.status_code == 409
    assert "Somebody changed this book meanwhile" in done.text
    assert 'value="Persuasion"' in done.text, "what was typed is still there"
    assert rows(models.Book)[0]["title"] == "Emma"


def test_a_clash_is_told_beside_its_field(ask, rows, models):
    page = ask("post", "/authors/new", data={"name": "Jane Austen"}, **STAFF)
    assert page.status_code == 409
    assert "is taken already" in page.text
    assert len(rows(models.Author)) == 2


def test_a_delete_says_what_goes_with_it(ask, rows, models):
    asked = ask("get", "/books/1/delete", **STAFF)
    assert "Delete book and 1 more row" in asked.text
    done = ask("post", "/books/1/delete", **STAFF)
    assert (done.status_code, done.location) == (303, "/books")
    assert rows(models.Book) == rows(models.Review) == []


def test_what_is_in_the_way_stops_a_delete(ask, rows, models):
    """An author with books: the page says so, and nothing goes."""
    asked = ask("get", "/authors/1/delete", **STAFF)
    assert "in the way" in asked.text
    assert 'class="btn danger"' not in asked.text
    assert ask("post", "/authors/1/delete", **STAFF).status_code == 409
    assert len(rows(models.Author)) == 2


def test_many_are_deleted_after_asking(ask, rows, models):
    asked = ask("post", "/reviews/bulk", data={"key": ["1"]}, **STAFF)
    assert asked.status_code == 200
    assert "Delete 1 row?" in asked.text
    assert len(rows(models.Review)) == 1, "not yet"
    done = ask("post", "/reviews/bulk", data={"key": ["1"], "confirmed": "yes"}, **STAFF)
    assert done.status_code == 303
    assert rows(models.Review) == []


def test_of_many_none_goes_when_one_may_not(ask, rows, models):
    data = {"key": ["1", "2"], "confirmed": "yes"}
    assert ask("post", "/authors/bulk", data=data, **STAFF).status_code == 409
    assert len(rows(models.Author)) == 2


ADA, BOB, VISITOR = {"user": 1}, {"user": 2}, {}
REVIEW = {"book_id": "1", "stars": "4", "text": "Good."}


@pytest.mark.parametrize(
    ("who", "method", "path", "data", "status"),
    [
        (VISITOR, "get", "/reviews/new", None, 403),
        (VISITOR, "post", "/reviews/new", REVIEW, 403),
        (ADA, "post", "/reviews/new", REVIEW, 303),
        (ADA, "get", "/reviews/1/edit", None, 200),
        (BOB, "get", "/reviews/1/edit", None, 403),
        (BOB, "post", "/reviews/1/edit", REVIEW, 403),
        (BOB, "post", "/reviews/1/delete", None, 403),
        (ADA, "post", "/reviews/1/delete", None, 303),
        (VISITOR, "post", "/reviews/1/delete", None, 403),
        (BOB, "get", "/books/new", None, 403),
        (ADA, "get", "/drafts/1", None, 200),
        (BOB, "get", "/drafts/1", None, 404),
        (BOB, "get", "/drafts/1/edit", None, 404),
        (BOB, "post", "/drafts/1/delete", None, 404),
        (BOB, "post", "/drafts/bulk", {"key": "1", "confirmed": "yes"}, 404),
        (STAFF, "get", "/sealeds/new", None, 403),
    ],
)
def test_who_may_do_what(ask, rows, models, who, method, path, data, status):
    """Hidden is 404, seen and not changeable is 403; nothing is written by who may not."""
    before = {model: rows(model) for model in (models.Review, models.Draft)}
    answer = ask(method, path, data=data, **who)
    assert answer.status_code == status, answer.text[:2000]
    if status in (403, 404):
        assert {model: rows(model) for model in before} == before


def test_the_owner_is_who_asks(ask, rows, models):
    """Nobody writes in another's name."""
    forged = ask("post", "/reviews/new", data={**REVIEW, "author_id": "1"}, **BOB)
    assert forged.status_code == 422
    assert ask("post", "/reviews/new", data=REVIEW, **BOB).status_code == 303
    assert [row["author_id"] for row in rows(models.Review)] == [1, 2]


@pytest.mark.parametrize(
    "path", ["/books/x", "/books/0", "/books/-1", "/books/99", "/books/1e3", f"/books/{'9' * 40}",
             "/books/%00", "/books/1%2C2", "/books/-/options/title", "/books/-/options/nope"],
)  # fmt: skip
def test_what_is_not_there(ask, path):
    assert ask("get", path, **STAFF).status_code in (400, 404)


def test_choices_are_searched_as_one_types(ask):
    found = ask("get", "/books/-/options/author_id?author_id-q=aus", **STAFF).text
    assert "Jane Austen" in found
    assert "Zola" not in found
    for odd in ("%25", "_", "%5C", "%00", "'", "x" * 500):
        assert (
            ask("get", f"/books/-/options/author_id?author_id-q={odd}", **STAFF).status_code == 200
        )


def test_exports_follow_the_question(ask):
    text = ask("get", "/books.csv").text
    head, row = text.splitlines()
    assert head.startswith("id,title,author.name,price_cents")
    assert row.startswith("1,Emma,Jane Austen,1090,paper")
    assert ask("get", "/books.csv?q=zola").text.count("\n") == 1
    assert ask("get", "/books.json").json[0]["title"] == "Emma"
    assert ask("get", "/books.json?q=zola").json == []
    assert ask("get", "/books.csv?nope=1").status_code == 400
    assert ask("get", "/drafts.csv", user=2).text.splitlines()[1:] == []


def test_a_formula_is_no_formula_in_a_spreadsheet(ask, shop, models):
    from carboy.base.scope import unscoped
    from carboy.data.db import db

    with shop.app_context(), unscoped("test"):
        db.session.add(models.Author(name="=HYPERLINK(0)"))
        db.session.commit()
    assert "'=HYPERLINK(0)" in ask("get", "/authors.csv").text


def test_text_is_escaped_everywhere(ask, shop, models):
    """Markup in a title is a title."""
    from carboy.base.scope import unscoped
    from carboy.data.db import db

    with shop.app_context(), unscoped("test"):
        db.session.get(models.Book, 1).title = "<script>x</script>"
        db.session.commit()
    for path in ("/books", "/books/1", "/books/1/edit", "/books/1/delete", "/authors/1",
                 "/reviews", "/admin/books", "/admin/search?q=script"):  # fmt: skip
        text = ask("get", path, user=3, roles={"admin", "staff"}).text
        assert "<script>x" not in text, path
        assert "&lt;script&gt;x" in text or "/reviews" in path, path
