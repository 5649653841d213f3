"""Hypothesis strategies: random applications and random steps.

    cases()  ->  twins_spec.Case

Weighted so that most requests of most applications succeed; what is odd comes
one thing at a time, and sometimes all at once.
"""

from __future__ import annotations

import re
from typing import Any

from hypothesis import strategies as st
from twins_acts import ACTS, GIVES, ODD_GIVES
from twins_build import CLASSES, SIGNALS, TRAITS
from twins_drive import BODIES, VIA
from twins_late import LATE
from twins_spec import App, Blueprint, Call, Case, Handler, Hook, Late, Override, Rule

__all__ = ["cases"]

SAMPLES: dict[str, tuple[str, ...]] = {
    "<x>": ("x", "a", "7", "é", "a b", "a.b"),
    "<string(length=2):x>": ("ab", "a", "é7"),
    "<string(minlength=2,maxlength=3):x>": ("ab", "abcd", "a"),
    "<any(a,b,'c d'):x>": ("a", "c d", "z"),
    "<path:x>": ("a/b", "a", "a//b", "x/1"),
    "<int:x>": ("7", "0", "-1", "007", "1.5", "x", "٣"),
    "<int(min=2,max=9):x>": ("5", "1", "10"),
    "<int(fixed_digits=3):x>": ("007", "7"),
    "<int(signed=True):x>": ("-3", "3", "--3"),
    "<float:x>": ("1.5", "1", "-1.5"),
    "<float(signed=True):x>": ("-1.5", "0.0"),
    "<uuid:x>": ("00000000-0000-0000-0000-000000000005", "00000000"),
    "<upper:x>": ("ABC", "abc", "NO"),
    "<crosses:x>": ("c/1/2", "c", "d"),
    "<unknown:x>": ("x",),
}
PATTERNS = list(SAMPLES)[:-1]
STATIC = ("a", "b", "ab", "é", "a-b", "a.b", "7", "static")
RARE_KINDS = ("async class", "no view")
PREFIXES = ("/p", "/p/q", "/<int:y>", "/a")
METHODS = ("GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "ODD", "get")
HOSTS = ("localhost", "example.com", "api.example.com", "b.example.com", "localhost:8080")
ODD_HOSTS = (
    "EXAMPLE.com",
    "evil.test",
    "bad host",
    "",
    "a_b",
    "[::1]:80",
    "example.com:x",
    "é.test",
)
QUERIES = ("", "x=1", "x=1&x=2&y=%C3%A9", "x", "x=%ff", "&&=;", "a=b+c%20d")
HEADERS = (
    {},
    {"Accept": "application/json"},
    {"If-None-Match": '"x", *'},
    {"Range": "bytes=2-5"},
    {"Cookie": "session=broken; a=1; a=2; =; é"},
    {"Cookie": "session=eyJuIjoxfQ.aVPRAA.AAAAAAAAAAAAAAAAAAAAAAAAAAA"},
    {"X-Forwarded-Host": "evil.test", "X-Forwarded-For": "1.2.3.4"},
    {"Content-Length": "5"},
    {"Connection": "Upgrade", "Upgrade": "websocket"},
    {"Transfer-Encoding": "chunked"},
)
ENVIRONS: tuple[dict[str, Any], ...] = (
    {},
    {"SCRIPT_NAME": "/root"},
    {"wsgi.url_scheme": "https"},
    {"SCRIPT_NAME": None},
    {"PATH_INFO": None},
    {"QUERY_STRING": None},
    {"HTTP_HOST": None, "SERVER_NAME": "example.com"},
    {"REMOTE_ADDR": None},
    {"CONTENT_LENGTH": "-1"},
    {"CONTENT_LENGTH": "x"},
    {"HTTP_COOKIE": ""},
    {"werkzeug.debug.preserve_context": repr},
)
CONFIG: dict[str, tuple[Any, ...]] = {
    "SECRET_KEY": ("secret", "secret", "secret", b"bytes", None),
    "SECRET_KEY_FALLBACKS": (["old"],),
    "TESTING": (True,),
    "DEBUG": (True,),
    "PROPAGATE_EXCEPTIONS": (True, False),
    "TRAP_HTTP_EXCEPTIONS": (True,),
    "TRAP_BAD_REQUEST_ERRORS": (True, False),
    "SESSION_COOKIE_NAME": ("sid",),
    "SESSION_COOKIE_DOMAIN": ("example.com", ".example.com"),
    "SESSION_COOKIE_PATH": ("/a",),
    "SESSION_COOKIE_HTTPONLY": (False,),
    "SESSION_COOKIE_SECURE": (True,),
    "SESSION_COOKIE_PARTITIONED": (True,),
    "SESSION_COOKIE_SAMESITE": ("Lax", "Strict", "wrong"),
    "SESSION_REFRESH_EACH_REQUEST": (False, True),
    "PERMANENT_SESSION_LIFETIME": (60,),
    "TRUSTED_HOSTS": (["localhost", ".example.com"], [], ["other.test"]),
    "SERVER_NAME": ("example.com", "localhost", "example.com:80", "localhost:8080"),
    "APPLICATION_ROOT": ("/root", "/"),
    "PREFERRED_URL_SCHEME": ("https",),
    "MAX_CONTENT_LENGTH": (5, 1000),
    "MAX_FORM_MEMORY_SIZE": (3,),
    "MAX_FORM_PARTS": (1,),
    "MAX_COOKIE_SIZE": (100, 0),
    "PROVIDE_AUTOMATIC_OPTIONS": (False,),
    "SEND_FILE_MAX_AGE_DEFAULT": (60,),
    "EXPLAIN_TEMPLATE_LOADING": (False,),
}
METHODS_OF_FLASK = (
    "preprocess_request", "process_response", "full_dispatch_request", "dispatch_request",
    "make_response", "finalize_request", "handle_user_exception", "handle_http_exception",
    "handle_exception", "log_exception", "raise_routing_exception", "wsgi_app",
    "make_default_options_response", "create_url_adapter", "request_context", "app_context",
    "do_teardown_request", "do_teardown_appcontext", "should_ignore_error", "ensure_sync",
    "inject_url_defaults", "update_template_context", "async_to_sync", "trap_http_exception",
    "url_for", "redirect", "get_send_file_max_age", "create_jinja_environment",
    "test_request_context", "make_aborter", "add_url_rule", "_find_error_handler",
)  # fmt: skip
# Without those of the application context: a receiver that fails there leaves it half made.
ACTING_SIGNALS = tuple(name for name in SIGNALS if not name.startswith("appcontext"))
SIGNAL_ACTS = ("write session", "read session", "write g", "look", "after this", "raise oops")
ANSWERING = ("dispatch_request", "full_dispatch_request", "preprocess_request", "make_response")
MARKING = ("process_response", "finalize_request", "full_dispatch_request", "make_response")
HOOKS = (
    "before_request", "before_request", "after_request", "after_request", "teardown_request",
    "teardown_appcontext", "url_value_preprocessor", "url_defaults", "context_processor",
    "before_app_request", "after_app_request", "teardown_app_request",
    "app_url_value_preprocessor", "app_url_defaults", "app_context_processor",
)  # fmt: skip

ODD_ACTS = (
    "raise",
    "abort",
    "bad",
    "unjson",
    "small",
    "push",
    "other route",
    "other error",
    "new args",
)
calm_acts = [a for a in ACTS if not a.startswith(ODD_ACTS)]
some_acts = st.lists(st.sampled_from(calm_acts), max_size=3)
one_odd_act = st.lists(st.sampled_from(list(ACTS)), max_size=1)
acts = st.tuples(some_acts, st.one_of(*[st.just([])] * 5, one_odd_act)).map(
    lambda pair: tuple(pair[0] + pair[1])
)
gives = st.one_of(
    st.sampled_from(["text", "dict", "path"]),
    st.sampled_from(list(GIVES)),
    st.sampled_from(list(GIVES)),
    st.sampled_from([*GIVES, *ODD_GIVES]),
)
part = st.one_of(
    st.sampled_from(STATIC),
    st.sampled_from(STATIC),
    st.sampled_from(PATTERNS),
    st.tuples(st.sampled_from(["a", "a-", "."]), st.sampled_from(PATTERNS)).map("".join),
)
on = st.sampled_from([None, None, None, 0, 1, 2])


def _rare(one_in: int) -> st.SearchStrategy[bool]:
    return st.integers(0, one_in - 1).map(lambda number: number == one_in // 2)


def _signal_name(signal: str) -> str:
    return signal.partition(":")[0].rstrip("*")


def _rule(parts: list[str], end: str) -> str:
    """Join *parts*; the variables are called x, w, v, because one name may come once."""
    names = iter("xwv")
    return "/" + re.sub(r"x>", lambda _: next(names) + ">", "/".join(parts)) + end


paths = st.one_of(
    st.sampled_from(["/", "/a", "/a/", "/b"]),
    st.builds(_rule, st.lists(part, min_size=1, max_size=3), st.sampled_from(["", "/"])),
)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    options: dict[str, Any] = {}
    for name, values in {
        "methods": (["GET"], ["GET", "POST"], ["POST", "PUT"], ["OPTIONS", "GET"], ["get"], []),
        "strict_slashes": (False, True),
        "merge_slashes": (False,),
        "defaults": ({"x": 1}, {"z": "d"}),
        "subdomain": ("api", "<s>"),
        "host": ("example.com", "<h>", "localhost"),
        "redirect_to": ("/a", "a/<x>"),
        "provide_automatic_options": (False, True),
        "alias": (True,),
        "build_only": (True,),
        "websocket": (True,),
    }.items():
        if draw(_rare(3 if name == "methods" else 30)):
            options[name] = draw(st.sampled_from(values))
    return Rule(
        draw(st.sampled_from(["a", "//", "/<unknown:x>"])) if draw(_rare(150)) else draw(paths),
        endpoint=draw(st.sampled_from(["e0", "a.b", "same"])) if draw(_rare(20)) else None,
        does=draw(acts),
        gives=draw(gives),
        kind=draw(
            st.sampled_from(
                ["plain", "plain", "plain", "async", "class", "once", "own options", *RARE_KINDS]
            )
        ),
        on=draw(on),
        options=options,
    )


@st.composite
def hooks(draw: st.DrawFn) -> Hook:
    kind = draw(st.sampled_from(HOOKS))
    given = ""
    if "before" in kind and draw(_rare(6)):
        given = draw(gives)
    elif "after" in kind:
        given = draw(st.sampled_from(["same", "same", "header", "status", "body", "new", "none"]))
    elif "value_preprocessor" in kind:
        given = draw(st.sampled_from(["", "", "change"]))
    return Hook(kind, draw(acts), given, draw(on), draw(_rare(6)))


@st.composite
def handlers(draw: st.DrawFn) -> Handler:
    codes = st.sampled_from([404, 404, 405, 500, 400, 401, 409, 418])
    if draw(_rare(40)):
        codes = st.sampled_from([308, 299])  # Flask refuses them
    return Handler(
        draw(st.one_of(codes, st.sampled_from(list(CLASSES)))),
        draw(acts),
        draw(st.one_of(gives, st.just("error"))),
        draw(on),
        draw(_rare(7)),
    )


@st.composite
def blueprints(draw: st.DrawFn) -> tuple[Blueprint, ...]:
    made = []
    for index in range(draw(st.sampled_from([0, 0, 1, 2, 3]))):
        own: dict[str, Any] = {}
        at: dict[str, Any] = {}
        for place in (own, at):
            if draw(_rare(3)):
                place["url_prefix"] = draw(st.sampled_from(PREFIXES))
            if draw(_rare(10)):
                place["subdomain"] = draw(st.sampled_from(["api", "b"]))
            if draw(_rare(10)):
                place["url_defaults"] = {"y": 5}
        if draw(_rare(10)):
            at["name"] = "renamed"
        if draw(_rare(10)):
            own["cli_group"] = None
        parent = draw(st.sampled_from([None, *range(index)]))
        made.append(Blueprint("abc"[index], parent, own, at))
    return tuple(made)


@st.composite
def overrides(draw: st.DrawFn) -> Override:
    way = draw(st.sampled_from(["class", "class", "instance", "flask"]))
    does = draw(st.sampled_from(["log", "log", "log", "answer", "raise", "nothing", "mark"]))
    names: tuple[str, ...] = METHODS_OF_FLASK
    if does in ("answer", "raise", "nothing"):
        names = ANSWERING
    elif does == "mark":
        names = MARKING
    name = draw(st.sampled_from(names))
    return Override(name, way, does)


@st.composite
def apps(draw: st.DrawFn) -> App:
    config = {"SECRET_KEY": "secret"}
    for name in draw(st.lists(st.sampled_from(list(CONFIG)), max_size=3)):
        config[name] = draw(st.sampled_from(CONFIG[name]))
    arguments: dict[str, Any] = {}
    kind = draw(st.integers(0, 13))
    if kind == 0:
        arguments["subdomain_matching"] = True
        config.setdefault("SERVER_NAME", "example.com")
    elif kind == 1:
        arguments |= {"host_matching": True, "static_host": "localhost"}
    elif kind == 2:
        arguments |= draw(st.sampled_from([{"static_folder": None}, {"static_url_path": "/a"}]))
    # The converters nearly always: a rule that needs one must not fail the whole application.
    traits = ["converters"] if not draw(_rare(40)) else []
    calm = [name for name in TRAITS if name != "stop" or draw(_rare(10))]
    traits += draw(st.lists(st.sampled_from(calm), max_size=2))
    signals = [name + star for name in SIGNALS for star in ("", "*")]
    signals += [f"{name}:{act}" for name in ACTING_SIGNALS for act in SIGNAL_ACTS]
    return App(
        rules=tuple(draw(st.lists(rules(), min_size=1, max_size=6))),
        blueprints=draw(blueprints()),
        hooks=tuple(draw(st.lists(hooks(), max_size=4))),
        handlers=tuple(draw(st.lists(handlers(), max_size=3))),
        overrides=tuple(draw(st.one_of(*[st.just([])] * 5, st.lists(overrides(), max_size=2)))),
        # One receiver for each signal: blinker calls several in the order of their addresses.
        signals=tuple(draw(st.lists(st.sampled_from(signals), max_size=4, unique_by=_signal_name))),
        arguments=arguments,
        config=config,
        traits=tuple(dict.fromkeys(traits)),
    )


@st.composite
def targets(draw: st.DrawFn, app: App) -> str:
    """A path that one of the application's rules may match, perhaps bent a little."""
    rule = draw(st.sampled_from(app.rules[:1] * 2 + app.rules))
    path = rule.rule
    index = None if rule.on is None or not app.blueprints else rule.on % len(app.blueprints)
    while index is not None:
        blueprint = app.blueprints[index]
        prefix = {**blueprint.own, **blueprint.at}.get("url_prefix", "")
        path, index = prefix + path, blueprint.parent
    path = re.sub(r"<[^<>]*>", lambda m: draw(_sample(m[0])), path)
    bend = draw(st.integers(0, 99))
    if bend < len(BENDS):
        path = BENDS[bend](path)
    return path.encode().decode("latin-1")  # as WSGI wants it


def _sample(pattern: str) -> st.SearchStrategy[str]:
    """A value for one variable, most often the one that fits."""
    known = SAMPLES.get(re.sub(r"\w>", "x>", pattern), ("7",))
    return st.sampled_from(known[:1] * 8 + known)


BENDS = (
    lambda path: path + "/",
    lambda path: path.rstrip("/"),
    lambda path: path.replace("/", "//"),
    lambda path: path.upper(),
    lambda path: path + "\udcff".encode("utf-8", "surrogateescape").decode("latin-1"),
    lambda path: path.lstrip("/"),
    lambda path: "/." + path,
    lambda path: path + "/../a",
    lambda path: path + ";a=%2F?b",
    lambda path: path + "\n",
    lambda path: "/static/a.txt",
    lambda path: "/static/../x",
    lambda path: "/nowhere",
    lambda path: "",
)


@st.composite
def calls(draw: st.DrawFn, app: App) -> Call:
    odd = draw(_rare(4))
    return Call(
        draw(targets(app)),
        draw(st.sampled_from(METHODS if draw(_rare(4)) else ("GET", "GET", "GET", "POST"))),
        draw(st.sampled_from(QUERIES)) if odd else "",
        draw(st.sampled_from(HOSTS + ODD_HOSTS)) if odd else draw(st.sampled_from(HOSTS[:2])),
        draw(st.sampled_from(HEADERS)) if odd else {},
        draw(st.sampled_from(list(BODIES))) if draw(st.booleans()) else "none",
        draw(st.sampled_from(ENVIRONS)) if odd else {},
        draw(st.sampled_from(["wsgi", "wsgi", "wsgi", *VIA])),
    )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Return an application and up to eight steps, at least half of them requests."""
    app = draw(apps())
    steps: list[Call | Late] = [draw(calls(app))]
    for _ in range(draw(st.integers(1, 7))):
        if draw(_rare(4)):
            steps.append(Late(draw(st.sampled_from(list(LATE)))))
        steps.append(draw(calls(app)))
    return Case(app, tuple(steps))
