"""Observe as the application meets it: four batteries, one door for operations.

    Ids       admit: environ["carboy.id"]        after: X-Request-ID
    Logs      finish: one line per request       seal: standard logging in its shape
    Metrics   finish: numbers by route pattern   door: /metrics
    Health    door: /healthz, /readyz

Together they cost a request three small functions of ours and one write.
"""

from __future__ import annotations

import hmac
import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from werkzeug.wrappers import Response

from carboy.base.battery import Battery
from carboy.base.checks import NOTE, WARNING, Finding
from carboy.base.facts import Facts
from carboy.base.ids import accepted, new_id
from carboy.base.options import Choice, Flag, Names, Option, Seconds, Secret, Text
from carboy.observe import health, lines, logs, metrics, store
from carboy.observe.doors import Door, Doors, Peers, is_local
from carboy.observe.sink import Sink

__all__ = ["Health", "Ids", "Logs", "Metrics"]


class Ids(Battery):
    """Gives every request an id; the answer, the log and error pages carry it."""

    name = "ids"
    options = (
        Option(
            "TRUST_REQUEST_ID", Flag, default=False,
            help="Take the request id from the client's X-Request-ID when its form is harmless.",
            because="Only behind a proxy that sets it: anybody else could forge log entries.",
        ),
    )  # fmt: skip

    def init(self, app: Any) -> None:
        """Declare the stage on the way in and the header on the way out."""
        self.trust = False
        app.admit(self.admit, name="ids", over=("doors", "limits", "hosts"))
        app.stage(after=self.answer, name="ids", over=("headers", "flask"))

    def seal(self, app: Any) -> None:
        """Read the option."""
        self.trust = app.config["TRUST_REQUEST_ID"]

    def admit(self, environ: Any) -> None:
        """Give the request its id."""
        if self.trust:
            environ["carboy.id"] = accepted(environ.get("HTTP_X_REQUEST_ID")) or new_id()
        else:
            environ["carboy.id"] = new_id()

    def answer(self, ctx: Any, response: Any) -> Any:
        """Put the id on the answer."""
        # PERF: 0.04 us; Headers.add is 0.4 us, mostly a search for line breaks.
        # SECURITY: the id is ours or was accepted(): there are none.
        made = response.__dict__
        if "carboy_id" in made:  # a view hands out one Response again and again
            response.headers["X-Request-ID"] = ctx.environ["carboy.id"]
        else:
            response.headers._list.append(("X-Request-ID", ctx.environ["carboy.id"]))
        made["carboy_id"] = True
        return response


class Logs(Battery):
    """Writes one line per request and gives standard logging the same shape."""

    name = "logs"
    needs = ("ids",)
    options = (
        Option(
            "LOG_TO", Text, default="stdout", bounds=(1, 4096),
            help="Write log lines to stdout, to stderr, or to the end of this file.",
            because="The event stream belongs to stdout: 12factor.net/logs.",
        ),
        Option(
            "LOG_LEVEL", Choice("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"), default="INFO",
            help="Write log records from this level up; request lines are INFO, 5xx are ERROR.",
        ),
        Option(
            "LOG_FORMAT", Choice("auto", "json", "text"), default="auto",
            help="Write JSON for machines or text for people; auto is text in debug only.",
        ),
        Option("LOG_REQUESTS", Flag, default=True, help="Write one line per request."),
        Option(
            "LOG_HOLD", Seconds, default="20 ms", bounds=("0 s", "1 s"),
            help="Let request lines that follow each other this fast go out together; 0 s: none.",
            because="A write per request is a tenth of its cost. SIGKILL can cost what is held.",
        ),
        Option(
            "LOG_PROBES", Flag, default=False,
            help="Write a line for health checks and scrapes too.",
            because="They come every few seconds and say nothing; metrics count them.",
        ),
    )  # fmt: skip

    def __init__(self) -> None:
        self.sink: Sink | None = None
        self.lines = lines.RequestLines()
        self._handler: logs.SinkHandler | None = None
        self._target = ""

    def init(self, app: Any) -> None:
        """Declare the closer that writes the line."""
        app.finish(self.lines.write, name="logs")

    def seal(self, app: Any) -> None:
        """Open the sink, precompute each route's part of the line, set logging up."""
        config = app.config
        text = config["LOG_FORMAT"] == "text" or (config["LOG_FORMAT"] == "auto" and app.debug)
        sink = self._open(config["LOG_TO"])
        sink.hold_s = 0.0 if app.debug or app.testing else config["LOG_HOLD"]
        colour = sink.is_terminal and "NO_COLOR" not in os.environ
        self.lines.set(
            sink, text=text, colour=colour, doors=config["LOG_PROBES"], floor=_floor(config)
        )
        for lane in app.lanes:
            lane.notes[lines.NOTE] = lines.fragment(lane.pattern, lane.endpoint)
        self._handler = logs.SinkHandler(
            sink, logs.TextFormatter() if text else logs.JsonFormatter()
        )
        logs.install(self._handler, app.logger, config["LOG_LEVEL"])

    def close(self) -> None:
        """Take the handler away and close the file."""
        if self._handler is not None:
            logs.uninstall(self._handler)
        if self.sink is not None:
            self.sink.close()
            self.sink = None

    def _open(self, target: str) -> Sink:
        """Return the sink for *target*; the one in use when it is the same."""
        if self.sink is None or target != self._target:
            self.close()
            self.sink, self._target = Sink.to(target), target
        return self.sink


class Metrics(Battery):
    """Counts requests by route pattern, for all workers, and shows them at /metrics."""

    name = "metrics"
    options = (
        Option(
            "METRICS_PATH", Text, default="/metrics",
            help="Answer Prometheus at this path; empty switches it off.",
        ),
        Option(
            "METRICS_ALLOW", Names, default=("loopback", "private"),
            help="Show metrics to these networks (or loopback, private), to others 404.",
            because="Route names and volumes help an attacker. What a proxy forwards is refused.",
        ),
        Option(
            "METRICS_TOKEN", Secret, bounds=(16, 256),
            help="Show metrics also to whoever sends this as a bearer token.",
        ),
    )  # fmt: skip

    def __init__(self) -> None:
        self.directory: Path | None = None
        self.store = store.Store()
        self.requests = metrics.RequestMetrics(self.store)

    def init(self, app: Any) -> None:
        """Declare the closer that counts."""
        self._doors = _doors(app)
        app.finish(self.requests.count, name="metrics")

    def seal(self, app: Any) -> None:
        """Find the place for the numbers, give each route its table, open the door."""
        self._place()
        self.store.caches.clear()
        for lane in (*app.lanes, app.no_lane):
            lane.notes[metrics.NOTE] = self.requests.table(lane.pattern)
        logs_battery = app.batteries.get("logs")
        if logs_battery is not None and logs_battery.sink is not None:
            logs_battery.sink.on_loss = lambda n: self.store.add(metrics.LOST_LINES, n)
        self._peers = Peers(app.config["METRICS_ALLOW"])
        self._token = app.config["METRICS_TOKEN"]
        path = app.config["METRICS_PATH"]
        self._doors.set(self.name, {path: self._scrape} if path else {}, _taken(app))

    def event(self, name: str, about: str = "") -> None:
        """Count one event. Both words come from the program, never from a client."""
        self.store.add((metrics.EVENT, name, about))

    def checks(self, app: Any) -> Iterable[Finding]:
        """Tell when the application has a rule where the door would be."""
        return _taken_findings(app, ("METRICS_PATH",))

    def facts(self, app: Any) -> Facts:
        """Tell where to scrape."""
        path = app.config["METRICS_PATH"]
        return Facts(probes={"metrics": path} if path else {})

    def close(self) -> None:
        """Let go of the mapped file; what it holds stays for the other workers."""
        self.store.close()

    def _place(self) -> None:
        """Take the launcher's directory, when there is one."""
        directory = _runtime_dir()
        if directory != self.store.directory:
            self.store.close()
            self.store.directory = directory

    def _scrape(self, environ: Any) -> Response | None:
        if not (self._peers.allow(environ) or self._knows_token(environ)):
            return None
        rows, workers = self._numbers()
        accept = environ.get("HTTP_ACCEPT", "")
        body, content_type = metrics.exposition(rows, workers, accept)
        return Response(body, content_type=content_type)

    def _numbers(self) -> tuple[list[store.Row], list[int]]:
        """Return the rows of all workers, and the living ones; ours alone if need be."""
        directory = self.store.directory
        if directory is not None:
            try:
                store.retire(directory)
                return store.read_all(directory), store.living(directory)
            except OSError:  # the directory is gone (we are stopping) or its disk is full
                pass
        return self.store.rows(), [os.getpid()]

    def _knows_token(self, environ: Any) -> bool:
        given: str = environ.get("HTTP_AUTHORIZATION", "")
        if not self._token or given[:7].lower() != "bearer ":
            return False
        # SECURITY: constant time; the token is secret.
        return hmac.compare_digest(given[7:].encode(), self._token.encode())


class Health(Battery):
    """Answers liveness and readiness, before anything of the application runs."""

    name = "health"
    options = (
        Option(
            "HEALTH_PATH", Text, default="/healthz",
            help="Answer 200 here while the process is alive; empty switches it off.",
            because="Kubernetes restarts on failure: it must never depend on a database.",
        ),
        Option(
            "READY_PATH", Text, default="/readyz",
            help="Answer 200 here while this instance may get traffic, else 503; empty: off.",
        ),
        Option(
            "READY_TIMEOUT", Seconds, default="2 s", bounds=("50 ms", "30 s"),
            help="Take a readiness probe that says nothing for this long as failed.",
            because="With a second of caching, readiness shows an outage within 3 s.",
        ),
    )  # fmt: skip

    def __init__(self) -> None:
        self._own: list[tuple[str, health.Probe]] = []
        self._drain = health.Drain(None)
        self._readiness = health.Readiness(())

    def probe(self, name: str, function: health.Probe) -> health.Probe:
        """Add a readiness probe: None when all is well, else one line that says what is not.

        >>> health = Health()
        >>> _ = health.probe("disk", lambda: None)
        """
        self._own.append((name, function))
        return function

    def init(self, app: Any) -> None:
        """Get hold of the application's doors."""
        self._doors = _doors(app)

    def probes(self) -> Sequence[tuple[str, health.Probe]]:
        """Return the probes the application added by itself."""
        return tuple(self._own)

    def seal(self, app: Any) -> None:
        """Collect the probes of all batteries and open the doors."""
        probes = [probe for battery in app.batteries.values() for probe in battery.probes()]
        self._drain = health.Drain(_runtime_dir())
        self._readiness = health.Readiness(
            probes, limit_s=app.config["READY_TIMEOUT"], on_change=_tell
        )
        wanted = {
            app.config["HEALTH_PATH"]: self._alive,
            app.config["READY_PATH"]: self._ready,
        }
        doors: dict[str, Door] = {path: door for path, door in wanted.items() if path}
        self._doors.set(self.name, doors, _taken(app))

    def checks(self, app: Any) -> Iterable[Finding]:
        """Tell when the application has a rule where a door would be."""
        return _taken_findings(app, ("HEALTH_PATH", "READY_PATH"))

    def facts(self, app: Any) -> Facts:
        """Tell operations where to ask."""
        paths = {"live": app.config["HEALTH_PATH"], "ready": app.config["READY_PATH"]}
        return Facts(probes={kind: path for kind, path in paths.items() if path})

    def _alive(self, environ: Any) -> Response:
        return Response(b'{"status":"alive"}\n', content_type="application/json")

    def _ready(self, environ: Any) -> Response:
        draining = self._drain.now()
        failing = {} if draining else self._readiness.failing()
        body = health.ready_body(failing, draining=draining, in_full=is_local(environ))
        status = 503 if draining or failing else 200
        return Response(body, status, content_type="application/json")


def _doors(app: Any) -> Doors:
    """Return the application's doors; the first battery that asks puts them up."""
    doors: Doors | None = app.extensions.get("carboy.doors")
    if doors is None:
        doors = app.extensions["carboy.doors"] = Doors()
        # Before the gate: a probe comes by address, not by a known Host.
        app.admit(doors.admit, name="doors", over=("limits", "hosts"))
    return doors


def _taken(app: Any) -> set[str]:
    """Return the fixed paths the application has rules for."""
    return {rule.rule for rule in app.url_map.iter_rules()}


def _taken_findings(app: Any, names: tuple[str, ...]) -> Iterable[Finding]:
    taken = _taken(app)
    for name in names:
        path = app.config[name]
        if path and path in taken:
            yield Finding(
                NOTE, "observe.path_taken",
                f"The application answers {path} itself, so {name} has no effect.",
                hint=f"Give {name} another path, or '' to say that this is meant.",
            )  # fmt: skip
        elif path and not path.startswith("/"):
            yield Finding(
                WARNING, "observe.path", f"{name} is {path!r}, which no request can ask for.",
                hint=f"Write '/{path}'.",
            )  # fmt: skip


def _floor(config: Any) -> int:
    """Return the lowest status that gets a line."""
    if not config["LOG_REQUESTS"] or config["LOG_LEVEL"] == "CRITICAL":
        return lines.RequestLines.SILENT
    return 0 if config["LOG_LEVEL"] in ("DEBUG", "INFO") else 500


def _runtime_dir() -> Path | None:
    """Return the launcher's directory for its workers, when there is one."""
    name = os.environ.get("CARBOY_RUNTIME_DIR")
    return Path(name) if name and Path(name).is_dir() else None


def _tell(failing: dict[str, str]) -> None:
    """Log a change of readiness once, not with every probe."""
    logger = logging.getLogger("carboy.health")
    if failing:
        logger.warning("Not ready: %s", "; ".join(f"{n}: {r}" for n, r in failing.items()))
    else:
        logger.info("Ready")
