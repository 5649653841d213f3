"""The application that the browser tests look at: the style guide, and a list of forty books."""

from flask import current_app, redirect, render_template, render_template_string, request

from carboy import Carboy
from carboy.web.look import guide
from carboy.web.look.battery import Look

BOOKS = [f"Book {number}" for number in range(1, 41)]
SIZE = 10
LIST = """{% extends "carboy/workshop.html" %}{% import "carboy/table.html" as table %}
{% block title %}Books{% endblock %}
{% block content %}<h1>Books</h1>
{{ table.filters("/books", query, label="Search books", keep=[("sort", sort)] if sort else ()) }}
<div class="stack" id="list">
{{ table.sheet(
  [{"label": "Title", "sort": turned, "order": order}, {"label": "Pages", "num": true}],
  rows, "Books", action="/bulk",
  choices=[{"value": "delete", "label": "Delete…", "tone": "bad"}]) }}
{{ table.pager("Books %s to %s of %s" | format(first, last, total), previous=previous, next=next) }}
</div>{% endblock %}"""


def make(folder):
    """Return the application."""
    app = Carboy(
        "demijohn", batteries=("limits", "hosts", "csp", "pages", Look()), root_path=str(folder)
    )
    app.debug = True
    app.secret_key = "only for tests, and long enough for each of them"
    app.nav("Guide", "look.guide", icon="book")
    app.nav("Books", "books", icon="list", count=lambda: 40)
    app.nav("Dashboard", "/books?all", icon="home", where="workshop")
    app.nav("Books", "books", icon="book", group="Shop", where="workshop", count=lambda: 40)
    app.add_url_rule("/books", "books", books)
    app.add_url_rule("/bulk", "bulk", bulk, methods=["POST"])
    app.add_url_rule("/ar", "arabic", arabic)
    app.add_url_rule(
        "/sign-in", "sign_in_form", lambda: "<!doctype html><title>x</title><p>Sign in"
    )
    return app


def books():
    """Search, sort, pages."""
    query, sort = request.args.get("q", ""), request.args.get("sort", "")
    if query == "away":
        return redirect("/sign-in")
    if query == "boom":
        return "<!doctype html><title>x</title><p>418", 418
    found = [name for name in BOOKS if query.lower() in name.lower()]
    if sort == "-title":
        found.reverse()
    page = int(request.args.get("page", 1))
    start = (page - 1) * SIZE
    rows = [
        {"key": name.split()[1], "label": name, "cells": [name, 100]}
        for name in found[start : start + SIZE]
    ]
    turn = f"/books?sort={sort}&q={query}&page="
    return render_template_string(
        LIST, query=query, sort=sort, rows=rows, first=start + 1, last=start + len(rows),
        total=len(found), order="descending" if sort else "ascending",
        turned="/books" if sort else "/books?sort=-title",
        previous=f"{turn}{page - 1}" if page > 1 else "",
        next=f"{turn}{page + 1}" if start + SIZE < len(found) else "",
    )  # fmt: skip


def bulk():
    """Say what was chosen."""
    count = len(request.form.getlist("key"))
    return f"<!doctype html><title>x</title>{request.form['action']} {count}"


def arabic():
    """The style guide, as if the visitor read Arabic."""
    look = current_app.batteries["look"]
    shell = request.args.get("shell", "shop")
    environment = current_app.jinja_env
    environment.globals["locale"] = "ar"
    try:
        return render_template("carboy/guide.html", **guide.values(shell, look.icons))
    finally:
        environment.globals["locale"] = "en"
