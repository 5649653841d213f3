"""The admin: who gets in, what it shows, and what it keeps of changes."""

import io
import re

import pytest

pytestmark = pytest.mark.slow  # each test makes an application and its tables

ADMIN = {"user": 3, "roles": {"admin", "staff"}}
PAGES = ("/admin", "/admin/search?q=emma", "/admin/history", "/admin/books", "/admin/books/1",
         "/admin/books/new", "/admin/books/import", "/admin/books.csv")  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_only_admins_get_in(ask, path):
    assert ask("get", path, **ADMIN).status_code == 200
    for who in ({}, {"user": 1}, {"user": 9, "roles": {"staff"}}):
        assert ask("get", path, **who).status_code == 403


def test_the_dashboard_counts_what_its_user_may_see(ask):
    text = ask("get", "/admin", **ADMIN).text
    assert re.search(r'href="/admin/books">Books</a></dt>\s*<dd class="value">1</dd>', text)
    assert re.search(r'href="/admin/drafts">Drafts</a></dt>\s*<dd class="value">0</dd>', text)


def test_one_search_finds_everything(ask):
    text = ask("get", "/admin/search?q=jane", **ADMIN).text
    assert '<a href="/admin/authors/1">Jane Austen</a>' in text
    assert "Nothing fits" in ask("get", "/admin/search?q=zzz", **ADMIN).text
    assert ask("get", "/admin/search?q=" + "%25" * 300, **ADMIN).status_code == 200


def test_links_stay_in_the_admin(ask):
    text = ask("get", "/admin/books", **ADMIN).text
    assert '<a href="/admin/authors/1">Jane Austen</a>' in text
    assert '"/books/' not in text


BOOK = {"title": "Emma (1815)", "author_id": "2", "price_cents": "1090", "binding": "paper",
        "published": "1815", "in_stock": "on", "row_version": "1", "cost_cents": "400"}  # fmt: skip


def test_a_change_is_kept_with_who_made_it(ask, rows, models):
    """What was before, what is now; nothing of protected values."""
    from carboy.resource.history import Change

    assert ask("post", "/admin/books/1/edit", data=BOOK, **ADMIN).status_code == 303
    changed = {**BOOK, "row_version": "2", "cost_cents": "555"}
    assert ask("post", "/admin/books/1/edit", data=changed, **ADMIN).status_code == 303
    first, second = [row for row in rows(Change) if row["action"] == "changed"]
    assert first["values"] == {"title": ["Emma", "Emma (1815)"], "author_id": [1, 2]}
    assert (first["model"], first["key"], first["who"]) == ("Book", "1", "3")
    assert second["values"] == {"cost_cents": ["…", "…"]}
    text = ask("get", "/admin/books/1", **ADMIN).text
    assert "<del>Emma</del> <ins>Emma (1815)</ins>" in text
    assert "555" not in ask("get", "/admin/history", **ADMIN).text


def test_what_is_undone_leaves_no_history(ask, rows, models):
    from carboy.resource.history import Change

    before = len(rows(Change))
    clash = {"name": "Jane Austen"}
    assert ask("post", "/admin/authors/2/edit", data=clash, **ADMIN).status_code == 409
    assert len(rows(Change)) == before


def bring(ask, text, path="/admin/authors/import", **who):
    data = {"file": (io.BytesIO(text if isinstance(text, bytes) else text.encode()), "a.csv")}
    return ask("post", path, data=data, content_type="multipart/form-data", **(who or ADMIN))


def test_a_file_is_looked_at_before_it_is_imported(ask, rows, models):
    seen = bring(ask, "Name,Age\nHomer,900\nSappho,600\n")
    assert seen.status_code == 200
    assert "2 rows are ready" in seen.text
    assert "Age" in seen.text
    assert len(rows(models.Author)) == 2, "nothing yet"
    (path,) = re.findall(r'action="(/admin/authors/import/[^"]+)"', seen.text)
    assert ask("post", path, user=1, roles={"admin"}).status_code == 403
    assert ask("post", path, **ADMIN).status_code == 303
    assert [row["name"] for row in rows(models.Author)][2:] == ["Homer", "Sappho"]
    ask("post", path, **ADMIN)
    assert len(rows(models.Author)) == 4, "a file is imported once"


def test_every_error_of_a_file_is_told_with_its_line(ask, rows, models):
    text = "title,author,price\nEmma,Jane Austen,5\n,Nobody,-1\nWalden,1,x\n"
    page = bring(ask, text, "/admin/books/import")
    assert page.status_code == 422
    for told in ("Line 3", "there is none called so", "at least 0", "Line 4", "2 rows cannot"):
        assert told in page.text
    assert "import/" not in page.text
    assert len(rows(models.Book)) == 1


@pytest.mark.parametrize(
    "text",
    [b"", b"\x00\x01\x02", b"nothing,here\n1,2\n", b'name\n"unclosed', b"name\n" + b"x" * 9_000,
     b"\xff\xfe\x00", b"name\n" + b"\n" * 10, b"name,name\na,b\n", b"name\na,b,c\n"],
    ids=["empty", "binary", "unknown", "unclosed", "large", "utf-16", "blank", "twice", "ragged"],
)  # fmt: skip
def test_a_file_that_is_none_is_told(ask, rows, models, text, monkeypatch):
    monkeypatch.setattr("carboy.resource.admin.imports.MOST_BYTES", 8_000)
    assert bring(ask, text).status_code in (200, 422)
    assert len(rows(models.Author)) == 2


def test_an_import_is_all_or_nothing(ask, rows, models):
    """The second row clashes with what is there, which only the database knows."""
    seen = bring(ask, "name\nHomer\nJane Austen\n")
    (path,) = re.findall(r'action="(/admin/authors/import/[^"]+)"', seen.text)
    assert ask("post", path, **ADMIN).status_code == 409
    assert len(rows(models.Author)) == 2
