"""Django with Django REST framework: a ModelSerializer, generic views, the filter by hand.

The middleware is that of `startproject`; connections stay open between requests.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.urls import path

from benchmarks.programs import SECRET
from benchmarks.programs._django import APPS, MIDDLEWARE

TITLE = "Django + DRF"
KIND = "wsgi"
DISTRIBUTIONS = ("django", "djangorestframework")

urlpatterns: list[Any] = []  # this module is ROOT_URLCONF


def build(url: str, blank: dict[str, bytes]) -> Any:
    """Return the application; once per process."""
    settings.configure(
        DEBUG=False,
        SECRET_KEY=SECRET,
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF=__name__,
        MIDDLEWARE=MIDDLEWARE,
        INSTALLED_APPS=[*(f"django.contrib.{name}" for name in APPS), "rest_framework"],
        DATABASES={"default": {**_database(url), "CONN_MAX_AGE": None}},
        REST_FRAMEWORK={"DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"]},
        USE_TZ=True,
        TIME_ZONE="UTC",
    )
    django.setup()
    urlpatterns[:] = _patterns(blank)
    return WSGIHandler()


def _database(url: str) -> dict[str, Any]:
    if url.startswith("sqlite"):
        name = url.removeprefix("sqlite:///")
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": name}
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": parts.username,
        "HOST": parts.hostname,
        "PORT": parts.port,
    }


def _patterns(blank: dict[str, bytes]) -> list[Any]:
    from django.db import models
    from django.db.models import Q
    from rest_framework import generics, serializers
    from rest_framework.decorators import api_view

    class Book(models.Model):  # type: ignore[misc,unused-ignore]  # Django ships no types
        id = models.BigAutoField(primary_key=True)
        owner_id = models.BigIntegerField()
        shelf = models.BigIntegerField()
        title = models.CharField(max_length=200)
        price_cents = models.BigIntegerField()
        rating = models.FloatField()
        public = models.BooleanField()
        published_at = models.DateTimeField()

        class Meta:
            app_label = "shop"
            db_table = "books"
            managed = False

    class Serializer(serializers.ModelSerializer):  # type: ignore[misc,unused-ignore]
        class Meta:
            model = Book
            fields = ("id", "title", "price_cents", "rating", "public", "published_at")

    class Visible:
        serializer_class = Serializer

        def get_queryset(self: Any) -> Any:
            me = int(self.request.headers["X-User"])
            books = Book.objects.filter(Q(owner_id=me) | Q(public=True))
            if "shelf" in self.kwargs:
                return books.filter(shelf=self.kwargs["shelf"]).order_by("id")[:20]
            return books

    several = type("Several", (Visible, generics.ListAPIView), {})
    one = type("One", (Visible, generics.RetrieveAPIView), {})

    @api_view(["GET"])  # type: ignore[untyped-decorator,unused-ignore]
    def nothing(request: Any, name: str) -> HttpResponse:
        assert int(request.headers["X-User"])
        return HttpResponse(blank[name], content_type="application/json")

    return [
        path("shelves/<int:shelf>/books", several.as_view()),  # type: ignore[attr-defined,unused-ignore]
        path("books/<int:pk>", one.as_view()),  # type: ignore[attr-defined,unused-ignore]
        path("blank/<str:name>", nothing),
    ]
