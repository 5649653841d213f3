"""What stands between the application and the open web, as batteries.

    limits   both presets   counts and sizes of requests       admit
    headers  both presets   headers that break nothing         stage, after
    hosts    default        Host, proxies                      admit
    csp      default        page policy, isolation             rides on `headers`
    pages    default        error pages, problem documents     app.fault_renderer

The one module of this folder that sees the application. What is checked is in
the modules beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from carboy.base.battery import Battery
from carboy.base.checks import ERROR, NOTE, WARNING, Finding
from carboy.base.errors import SetupError
from carboy.base.options import Bytes, Count, Flag, Names, Option, Seconds
from carboy.web import csp, headers, hosts, jsons, proxies, syntax
from carboy.web.gate import Bounds, Gate
from carboy.web.pages import Renderer

__all__ = ["Csp", "Headers", "Hosts", "Limits", "Pages"]

App = Any  # class Carboy; a battery may meet subclasses and extensions of it


class Limits(Battery):
    """Refuses requests that are too large, too many-sided, or ambiguous in framing."""

    name: ClassVar[str] = "limits"
    options: ClassVar[tuple[Option, ...]] = (
        Option(
            "MAX_BODY", Bytes, default="16 MB", bounds=("1 kB", "100 GB"),
            help="Refuse request bodies longer than this with 413, chunked ones too.",
            because="Flask reads any length into memory; 50 MB of JSON cost 1 s of CPU."
            " A larger MAX_CONTENT_LENGTH of Flask counts instead.",
        ),
        Option(
            "MAX_FIELDS", Count, default=1_000, bounds=(10, 1_000_000),
            help="Refuse urlencoded forms with more fields than this with 413.",
            because="CWE-770; Flask's MAX_FORM_PARTS (also 1,000) covers multipart only.",
        ),
        Option(
            "MAX_HEADERS", Count, default=100, bounds=(20, 1_000),
            help="Refuse requests with more headers than this with 431.",
            because="Browsers send 20 to 30; Apache's LimitRequestFields is 100.",
        ),
        Option(
            "MAX_HEADER_BYTES", Bytes, default="32 kB", bounds=("4 kB", "1 MB"),
            help="Refuse requests whose headers together are longer than this with 431.",
            because="nginx accepts 32 kB (4 x 8); Granian alone accepts 70 kB in one header.",
        ),
        Option(
            "MAX_PATH", Bytes, default="4 kB", bounds=(256, "64 kB"),
            help="Refuse paths longer than this with 414.",
            because="RFC 9110 section 4.1 asks for 8,000 for a whole address.",
        ),
        Option(
            "MAX_QUERY", Bytes, default="8 kB", bounds=(256, "1 MB"),
            help="Refuse query strings longer than this with 414.",
            because="RFC 9110 section 4.1.",
        ),
        Option(
            "MAX_QUERY_ARGS", Count, default=500, bounds=(10, 100_000),
            help="Refuse queries with more arguments than this with 414.",
            because="Parsing time, CWE-770.",
        ),
        Option(
            "MAX_COOKIES", Count, default=150, bounds=(10, 3_000),
            help="Refuse requests with more cookies than this with 431.",
            because="Browsers keep at most 150 to 180 a site (RFC 6265 section 6.1 asks for 50).",
        ),
        Option(
            "MAX_JSON_DEPTH", Count, default=64, bounds=(4, 500),
            help="Refuse JSON nested deeper than this with 400.",
            because="100,000 levels are a 500 in Flask; Python's parser recurses to about 1,000.",
        ),
        Option(
            "STRICT_INPUT", Flag, default=None,
            help="Refuse what Flask silently reads in its own way: broken percent-encoding and"
            " UTF-8, malformed cookies, compressed or truncated bodies, NaN and doubled names in"
            " JSON. Unset: on with the default batteries, off with the compatible ones.",
            because="What two programs read differently is how checks are passed by.",
        ),
    )  # fmt: skip

    def __init__(self) -> None:
        self.gate = Gate()
        self.depth = 64
        self.strict = False

    def init(self, app: App) -> None:
        """Put the gate and the guards of JSON in their places."""
        app.admit(self.gate.admit, name="limits")
        app.json_guards.append(self._guard_json)

    def seal(self, app: App) -> None:
        """Read the bounds."""
        config = app.config
        chosen = config["STRICT_INPUT"]
        self.strict = "hosts" in app.batteries if chosen is None else chosen
        self.depth = config["MAX_JSON_DEPTH"]
        self.gate.tune(
            Bounds(
                headers=config["MAX_HEADERS"],
                header_bytes=config["MAX_HEADER_BYTES"],
                path_bytes=config["MAX_PATH"],
                query_bytes=config["MAX_QUERY"],
                query_args=config["MAX_QUERY_ARGS"],
                cookies=config["MAX_COOKIES"],
                body_bytes=max(config["MAX_BODY"], config["MAX_CONTENT_LENGTH"] or 0),
                fields=config["MAX_FIELDS"],
                strict=self.strict,
                methods=syntax.METHODS | _methods(app),
            )
        )

    def _guard_json(self, data: bytes | str) -> None:
        jsons.check_depth(data, self.depth)
        if self.strict:
            jsons.check_strict(data)


class Hosts(Battery):
    """Answers to its own names only, and believes listed proxies only."""

    name: ClassVar[str] = "hosts"
    needs: ClassVar[tuple[str, ...]] = ("limits",)
    options: ClassVar[tuple[Option, ...]] = (
        Option(
            "ALLOWED_HOSTS", Names, default=None,
            help="Answer to these hosts only, others get 421: 'example.com', '.example.com' with"
            " all names below it, 'example.com:8443' for one port. Loopback is always included.",
            because="A believed Host ends up in links, password mails and caches.",
        ),
        Option(
            "TRUSTED_PROXIES", Names, default=None,
            help="Believe X-Forwarded headers from these addresses and networks, or 'unix'.",
            because="gunicorn trusts 127.0.0.1 by default, so any local program can forge https.",
        ),
        Option(
            "PROXY_SETS", Names, default=["for", "proto"],
            help="What those proxies set on every request: for, proto, host, port, prefix; or"
            " 'forwarded' alone for the header of RFC 7239.",
            because="A header that the proxy merely passes on was written by the client;"
            " nginx passes X-Forwarded-Host.",
        ),
    )  # fmt: skip

    def __init__(self) -> None:
        self.hosts = hosts.HostGate()
        self.proxies = proxies.Proxies()
        self.listed = proxies.HEADERS

    def init(self, app: App) -> None:
        """Judge proxies and Host before anything is matched."""
        app.admit(self._admit, name="hosts", under="limits")

    def seal(self, app: App) -> None:
        """Read who we are and whom we believe."""
        try:
            config = app.config
            self.proxies = proxies.Proxies.of(
                config["TRUSTED_PROXIES"] or (), config["PROXY_SETS"] or ()
            )
        except ValueError as error:
            raise SetupError(
                "hosts.proxies",
                f"TRUSTED_PROXIES or PROXY_SETS cannot be read: {error}.",
                hint="TRUSTED_PROXIES takes addresses and networks such as '10.0.0.0/8';"
                f" PROXY_SETS takes {', '.join(proxies.SETS)}.",
            ) from None
        usable, wrong = hosts.usable(_names_of(app))
        if wrong:
            raise SetupError(
                "hosts.malformed",
                f"ALLOWED_HOSTS has {wrong[0]!r}, which is not a host name.",
                hint="Write names as in 'example.com' or '.example.com': no scheme, no path.",
            )
        allowed = hosts.Allowed((*usable, *hosts.LOOPBACK))
        self.hosts.tune(allowed, frozenset(app.facts().probes.values()), tell=app.debug)

    def _admit(self, environ: dict[str, Any]) -> None:
        # PERF: one frame for both; each looks once and goes on, 0.2 us together.
        if not environ.keys().isdisjoint(self.listed):
            proxies.judge(environ, self.proxies)
        if environ.get("HTTP_HOST") not in self.hosts.good:
            self.hosts.admit(environ)

    def checks(self, app: App) -> Iterable[Finding]:
        """Say when the hosts are not stated, or anything goes."""
        names = _names_of(app)
        if "*" in names:
            yield Finding(
                WARNING if app.debug or app.testing else ERROR,
                "hosts.any",
                "ALLOWED_HOSTS has '*': whoever sends a Host header chooses our name.",
                hint='List the names that people use: ALLOWED_HOSTS = ["example.com"].',
                where=app.config.origin("ALLOWED_HOSTS"),
            )
        elif not names and not app.debug and not app.testing:
            yield Finding(
                WARNING,
                "hosts.unset",
                "ALLOWED_HOSTS is not set, so this application answers on loopback only.",
                hint='Set it to the names that people use: ALLOWED_HOSTS = ["example.com"].',
                where=app.config.origin("ALLOWED_HOSTS"),
            )
        if {"0.0.0.0/0", "::/0"} & set(app.config["TRUSTED_PROXIES"] or ()):
            yield Finding(
                ERROR,
                "hosts.proxies.any",
                "TRUSTED_PROXIES believes every address: each client may name its own.",
                hint="List the addresses of the proxies only.",
                where=app.config.origin("TRUSTED_PROXIES"),
            )


class Headers(Battery):
    """Adds the security headers that break nothing to every answer."""

    name: ClassVar[str] = "headers"
    options: ClassVar[tuple[Option, ...]] = (
        Option(
            "HSTS", Seconds, default="730 days", bounds=("0 s", "3650 days"),
            help="Over https, let browsers use nothing but https for this long; 0 s sends nothing.",
            because="OWASP: two years. Sent over https only, never on loopback.",
        ),
        Option(
            "HSTS_SUBDOMAINS", Flag, default=False,
            help="Let HSTS count for every name below this host too.",
            because="It would close http for siblings that this application knows nothing of.",
        ),
    )  # fmt: skip

    def __init__(self) -> None:
        self.sender = headers.Sender()

    def init(self, app: App) -> None:
        """Add the stage, outermost but for what batteries before it registered."""
        app.stage(after=self.sender.after, name="headers")

    def seal(self, app: App) -> None:
        """Compute the headers; with the csp battery, its own chooser counts."""
        battery = app.batteries.get("csp")
        secure = headers.hsts(app.config["HSTS"], app.config["HSTS_SUBDOMAINS"])
        if isinstance(battery, Csp):
            self.sender.use(battery.chooser(app, headers.HARMLESS, secure))
        else:
            self.sender.use(headers.make_chooser(headers.HARMLESS, secure))


class Csp(Battery):
    """Lets pages load and run only what is ours."""

    name: ClassVar[str] = "csp"
    needs: ClassVar[tuple[str, ...]] = ("headers",)
    options: ClassVar[tuple[Option, ...]] = (
        Option(
            "CSP_REPORT_ONLY", Flag, default=False,
            help="Let browsers report what the policy would refuse, and refuse nothing.",
            because="For the first days on an existing application.",
        ),
    )  # fmt: skip

    def __init__(self) -> None:
        self.extra: csp.Policy = {}

    def init(self, app: App) -> None:
        """Give the application `app.csp(...)`, and its templates `csp_nonce()`."""
        touch = app.config.on_change  # the application itself would make a cycle

        def allow(**sources: Any) -> None:
            self.extra = csp.merged(self.extra, csp.parse(sources))
            touch()  # what was computed from the old policy is void

        app.csp = allow
        app.jinja_environment = _with_nonce(app.jinja_environment)

    def seal(self, app: App) -> None:
        """Note what views ask for."""
        for lane in app.lanes:
            sources = csp.asked_by(app.view_functions.get(lane.endpoint))
            if sources:
                lane.notes["csp"] = sources

    def chooser(
        self, app: App, harmless: tuple[headers.Pair, ...], secure: tuple[headers.Pair, ...]
    ) -> headers.Choice:
        """Return how to choose headers, the page policy included."""
        names = {name for name, _ in csp.CLOSING}
        always = (*(pair for pair in harmless if pair[0] not in names), *csp.CLOSING)
        return csp.make_chooser(self.extra, always, secure, app.config["CSP_REPORT_ONLY"])

    def checks(self, app: App) -> Iterable[Finding]:
        """Say where the policy is loosened."""
        if self.extra:
            yield _loosened("for every page", self.extra)
        for endpoint, view in app.view_functions.items():
            if sources := csp.asked_by(view):
                yield _loosened(f"on {endpoint!r}", sources)
        if app.config["CSP_REPORT_ONLY"] and not app.debug:
            yield Finding(
                WARNING,
                "csp.report_only",
                "The page policy is only reported: browsers refuse nothing.",
                hint="Remove CSP_REPORT_ONLY when the console of the browser stays empty.",
                where=app.config.origin("CSP_REPORT_ONLY"),
            )


def _with_nonce(base: type[Any]) -> type[Any]:
    """Return the Jinja environment class *base* with `csp_nonce` among its globals.

    PERF: the environment itself is made when a template is rendered, not for this.
    """

    class Environment(base):  # type: ignore[misc]  # whichever class the application has
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.globals["csp_nonce"] = csp.csp_nonce

    return Environment


def _loosened(where: str, sources: csp.Policy) -> Finding:
    return Finding(NOTE, "csp.loosened", f"The page policy adds {where}: {csp.render(sources)}.")


class Pages(Battery):
    """Answers errors: a page for people, a problem document for programs."""

    name: ClassVar[str] = "pages"

    def __init__(self) -> None:
        self.renderer = Renderer()

    def init(self, app: App) -> None:
        """Render the errors that nobody handles."""
        app.fault_renderer = self.renderer

    def seal(self, app: App) -> None:
        """Learn whether developers are told more."""
        self.renderer.debug = bool(app.debug)


def _methods(app: App) -> frozenset[str]:
    """Return every method that a route states: PROPFIND is as good as GET there."""
    rules = app.url_map.iter_rules()
    return frozenset(name for rule in rules for name in rule.methods or ())


def _names_of(app: App) -> list[str]:
    """Return the hosts that the set-up states, in our option, Flask's, or routes."""
    config = app.config
    server = [config["SERVER_NAME"]] if config["SERVER_NAME"] else []
    if server and app.subdomain_matching:
        server.append("." + server[0])
    routes = [rule.host for rule in app.url_map.iter_rules() if rule.host and "<" not in rule.host]
    stated = [*(config["ALLOWED_HOSTS"] or ()), *(config["TRUSTED_HOSTS"] or ())]
    return [*stated, *server, *(routes if app.url_map.host_matching else ())]
