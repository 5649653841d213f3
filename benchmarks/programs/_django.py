"""Django's six views; `django` and `django_bare` differ in middleware only."""

from __future__ import annotations

from typing import Any

import django
from django import forms
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.urls import path

from benchmarks.programs import SECRET, TEMPLATES, routes
from benchmarks.workloads import FORTUNES, GREETING

__all__ = ["MIDDLEWARE", "application"]

# What `django-admin startproject` writes.
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
APPS = ["auth", "contenttypes", "sessions", "messages", "staticfiles"]

urlpatterns: list[Any] = []  # of the workload; this module is ROOT_URLCONF


class Contact(forms.Form):  # type: ignore[misc,unused-ignore]  # Django ships no types
    """The four fields, each required and bounded."""

    name = forms.CharField(max_length=80)
    email = forms.CharField(max_length=120)
    topic = forms.CharField(max_length=80)
    message = forms.CharField(max_length=2000)


def application(workload: str, middleware: list[str]) -> WSGIHandler:
    """Configure Django for *workload*; once per process."""
    urlpatterns[:] = _patterns(workload)
    settings.configure(
        DEBUG=False,
        SECRET_KEY=SECRET,
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF=__name__,
        MIDDLEWARE=middleware,
        INSTALLED_APPS=[f"django.contrib.{name}" for name in APPS],
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "DIRS": [TEMPLATES / "django"],
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                    if middleware
                    else []
                },
            }
        ],
        USE_TZ=True,
    )
    django.setup()
    return WSGIHandler()


def _patterns(workload: str) -> list[Any]:
    if workload == "params":
        return [
            path(rule.lstrip("/"), order if measured else other)
            for rule, measured in routes("<int:NAME>", "<str:NAME>")
        ]
    return [path(workload, _VIEWS[workload]), path("begin", begin)]


def plaintext(request: HttpRequest) -> HttpResponse:
    return HttpResponse(GREETING, content_type="text/plain")


def json(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"message": GREETING})


def order(request: HttpRequest, id: int, order_id: str) -> HttpResponse:
    return JsonResponse({"user": id, "order": order_id})


def other(request: HttpRequest, id: int, order_id: str = "") -> HttpResponse:
    return JsonResponse({"area": id, "part": order_id})


def fortunes(request: HttpRequest) -> HttpResponse:
    rows = sorted(FORTUNES, key=lambda row: row[1])
    return render(request, "fortunes.html", {"fortunes": rows})


def begin(request: HttpRequest) -> HttpResponse:
    request.session["name"] = "Ada"
    return HttpResponse(get_token(request), content_type="text/plain")


def form(request: HttpRequest) -> HttpResponse:
    contact = Contact(request.POST)
    if not contact.is_valid():
        return HttpResponse(contact.errors.as_json(), status=422)
    request.session["name"] = contact.cleaned_data["name"]
    request.session["topic"] = contact.cleaned_data["topic"]
    return HttpResponse(f"Thank you, {contact.cleaned_data['name']}.")


def touch(request: HttpRequest) -> HttpResponse:
    return HttpResponse(
        " ".join(
            (
                request.session["name"],
                request.GET["q"],
                request.method,
                request.headers["User-Agent"],
                request.path,
                request.get_host(),
            )
        )
    )


_VIEWS: dict[str, Any] = {
    "plaintext": plaintext,
    "json": json,
    "fortunes": fortunes,
    "form": form,
    "touch": touch,
}
