"""Carboy: Flask at full size.

The public names, loaded when they are first asked for; nothing else.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from flask import (
        Config as Config,
        Flask as Flask,
        abort as abort,
        after_this_request as after_this_request,
        appcontext_popped as appcontext_popped,
        appcontext_pushed as appcontext_pushed,
        appcontext_tearing_down as appcontext_tearing_down,
        before_render_template as before_render_template,
        copy_current_request_context as copy_current_request_context,
        current_app as current_app,
        flash as flash,
        g as g,
        get_flashed_messages as get_flashed_messages,
        get_template_attribute as get_template_attribute,
        got_request_exception as got_request_exception,
        has_app_context as has_app_context,
        has_request_context as has_request_context,
        json as json,
        jsonify as jsonify,
        make_response as make_response,
        message_flashed as message_flashed,
        redirect as redirect,
        render_template as render_template,
        render_template_string as render_template_string,
        request as request,
        request_finished as request_finished,
        request_started as request_started,
        request_tearing_down as request_tearing_down,
        send_file as send_file,
        send_from_directory as send_from_directory,
        session as session,
        stream_template as stream_template,
        stream_template_string as stream_template_string,
        stream_with_context as stream_with_context,
        template_rendered as template_rendered,
        url_for as url_for,
    )

    from carboy.auth.access import require as require
    from carboy.auth.acts import (
        current_user as current_user,
        sign_in as sign_in,
        sign_out as sign_out,
    )
    from carboy.auth.models import User as User
    from carboy.base.access import public as public
    from carboy.base.battery import Battery as Battery
    from carboy.base.checks import Finding as Finding
    from carboy.base.errors import (
        CarboyError as CarboyError,
        RequestFault as RequestFault,
        ServiceDown as ServiceDown,
        SetupError as SetupError,
    )
    from carboy.base.options import Option as Option
    from carboy.base.scope import Scope as Scope, scope as scope, unscoped as unscoped
    from carboy.data.clauses import Clause as Clause
    from carboy.data.constraints import check as check, unique as unique
    from carboy.data.db import db as db
    from carboy.data.fields import field as field
    from carboy.data.filters import filters as filters
    from carboy.data.mixins import Timestamps as Timestamps, Versioned as Versioned
    from carboy.data.models import Model as Model
    from carboy.data.relations import (
        belongs_to as belongs_to,
        has_many as has_many,
        many_to_many as many_to_many,
    )
    from carboy.data.search import search as search
    from carboy.data.sorts import sorts as sorts
    from carboy.data.stored import StoredFile as StoredFile, StoredImage as StoredImage
    from carboy.engine.app import Blueprint as Blueprint, Carboy as Carboy
    from carboy.engine.params import (
        Body as Body,
        Cookie as Cookie,
        File as File,
        Given as Given,
        Header as Header,
        Query as Query,
    )
    from carboy.engine.requests import Request as Request
    from carboy.engine.responses import Response as Response
    from carboy.policy.binds import asker as asker
    from carboy.policy.policies import FieldPolicy as FieldPolicy, Policy as Policy
    from carboy.policy.rules import (
        everyone as everyone,
        nobody as nobody,
        owner as owner,
        related as related,
        role as role,
        signed_in as signed_in,
        tenant as tenant,
        token as token,
        where as where,
    )
    from carboy.resource.declared import Resource as Resource
    from carboy.resource.forms import form_for as form_for, saving as saving
    from carboy.resource.may import may as may
    from carboy.web.csp import csp as csp, csp_nonce as csp_nonce
    from carboy.web.csrf.battery import csrf_always as csrf_always, csrf_exempt as csrf_exempt
    from carboy.web.form.form import Form as Form

_OURS = {
    "Battery": "carboy.base.battery",
    "Blueprint": "carboy.engine.app",
    "Body": "carboy.engine.params",
    "Carboy": "carboy.engine.app",
    "CarboyError": "carboy.base.errors",
    "Clause": "carboy.data.clauses",
    "Cookie": "carboy.engine.params",
    "FieldPolicy": "carboy.policy.policies",
    "File": "carboy.engine.params",
    "Finding": "carboy.base.checks",
    "Form": "carboy.web.form.form",
    "Given": "carboy.engine.params",
    "Header": "carboy.engine.params",
    "Model": "carboy.data.models",
    "Option": "carboy.base.options",
    "Policy": "carboy.policy.policies",
    "Query": "carboy.engine.params",
    "Request": "carboy.engine.requests",
    "RequestFault": "carboy.base.errors",
    "Resource": "carboy.resource.declared",
    "Response": "carboy.engine.responses",
    "Scope": "carboy.base.scope",
    "ServiceDown": "carboy.base.errors",
    "SetupError": "carboy.base.errors",
    "StoredFile": "carboy.data.stored",
    "StoredImage": "carboy.data.stored",
    "Timestamps": "carboy.data.mixins",
    "User": "carboy.auth.models",
    "Versioned": "carboy.data.mixins",
    "asker": "carboy.policy.binds",
    "belongs_to": "carboy.data.relations",
    "check": "carboy.data.constraints",
    "csp": "carboy.web.csp",
    "csp_nonce": "carboy.web.csp",
    "csrf_always": "carboy.web.csrf.battery",
    "csrf_exempt": "carboy.web.csrf.battery",
    "current_user": "carboy.auth.acts",
    "db": "carboy.data.db",
    "everyone": "carboy.policy.rules",
    "field": "carboy.data.fields",
    "filters": "carboy.data.filters",
    "form_for": "carboy.resource.forms",
    "has_many": "carboy.data.relations",
    "many_to_many": "carboy.data.relations",
    "may": "carboy.resource.may",
    "nobody": "carboy.policy.rules",
    "owner": "carboy.policy.rules",
    "public": "carboy.base.access",
    "related": "carboy.policy.rules",
    "require": "carboy.auth.access",
    "role": "carboy.policy.rules",
    "saving": "carboy.resource.forms",
    "scope": "carboy.base.scope",
    "search": "carboy.data.search",
    "sign_in": "carboy.auth.acts",
    "sign_out": "carboy.auth.acts",
    "signed_in": "carboy.policy.rules",
    "sorts": "carboy.data.sorts",
    "tenant": "carboy.policy.rules",
    "token": "carboy.policy.rules",
    "unique": "carboy.data.constraints",
    "unscoped": "carboy.base.scope",
    "where": "carboy.policy.rules",
}
"""Name to the module that holds it; every other public name is Flask's own."""

__all__ = [
    "Battery",
    "Blueprint",
    "Body",
    "Carboy",
    "CarboyError",
    "Clause",
    "Config",
    "Cookie",
    "FieldPolicy",
    "File",
    "Finding",
    "Flask",
    "Form",
    "Given",
    "Header",
    "Model",
    "Option",
    "Policy",
    "Query",
    "Request",
    "RequestFault",
    "Resource",
    "Response",
    "Scope",
    "ServiceDown",
    "SetupError",
    "StoredFile",
    "StoredImage",
    "Timestamps",
    "User",
    "Versioned",
    "abort",
    "after_this_request",
    "appcontext_popped",
    "appcontext_pushed",
    "appcontext_tearing_down",
    "asker",
    "before_render_template",
    "belongs_to",
    "check",
    "copy_current_request_context",
    "csp",
    "csp_nonce",
    "csrf_always",
    "csrf_exempt",
    "current_app",
    "current_user",
    "db",
    "everyone",
    "field",
    "filters",
    "flash",
    "form_for",
    "g",
    "get_flashed_messages",
    "get_template_attribute",
    "got_request_exception",
    "has_app_context",
    "has_many",
    "has_request_context",
    "json",
    "jsonify",
    "make_response",
    "many_to_many",
    "may",
    "message_flashed",
    "nobody",
    "owner",
    "public",
    "redirect",
    "related",
    "render_template",
    "render_template_string",
    "request",
    "request_finished",
    "request_started",
    "request_tearing_down",
    "require",
    "role",
    "saving",
    "scope",
    "search",
    "send_file",
    "send_from_directory",
    "session",
    "sign_in",
    "sign_out",
    "signed_in",
    "sorts",
    "stream_template",
    "stream_template_string",
    "stream_with_context",
    "template_rendered",
    "tenant",
    "token",
    "unique",
    "unscoped",
    "url_for",
    "where",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'carboy' has no attribute {name!r}")
    value = getattr(importlib.import_module(_OURS.get(name, "flask")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
