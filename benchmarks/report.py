"""The record of the last run, as JSON for machines and as tables for people.

results.json  <- remember(section, values)
RESULTS.md    <- render(record)          README.md <- figures(record)
"""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.data.report import data_section
from benchmarks.environment import ROOT
from benchmarks.figures import Verdict, judge, ratio
from benchmarks.programs import ORDER
from benchmarks.startup import table as startup_table
from benchmarks.workloads import NAMES

__all__ = ["Record", "circumstances", "cpu_section", "figures_into", "load", "remember"]

Record = dict[str, Any]

JSON = ROOT / "benchmarks" / "results.json"
MARKDOWN = ROOT / "benchmarks" / "RESULTS.md"
OPENING, CLOSING = "<!-- figures -->", "<!-- /figures -->"


def circumstances() -> Record:
    """Return date, machine and load: what a figure is worth nothing without."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "python": platform.python_version(),
        "machine": f"{_processor()}, {os.cpu_count()} cores, {_system()}",
        "load": [round(value, 1) for value in os.getloadavg()],
    }


def load() -> Record:
    """Return the last record, empty when nothing was measured yet."""
    record: Record = json.loads(JSON.read_text()) if JSON.exists() else {}
    return record


def remember(section: str, values: Record) -> None:
    """Replace *section* of the record and write both files anew."""
    record = {**load(), section: values}
    JSON.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
    MARKDOWN.write_text(render(record))


def render(record: Record) -> str:
    """Return RESULTS.md for *record*."""
    parts = ["# Results", "", "Written by `bin/bench`; how to read it: [README.md](README.md).", ""]
    for section, write in _SECTIONS.items():
        if section in record:
            parts += [*write(record[section]), ""]
    return "\n".join(parts).rstrip() + "\n"


def cpu_section(cpu: Record) -> list[str]:
    """Return the lines for CPU per request."""
    lines = ["## CPU per request, in process", "", _where(cpu), ""]
    lines += _verdicts(judge(cpu["micros"]))
    for workload in NAMES:
        if workload in cpu["micros"]:
            lines += ["", f"### {workload}", "", *_workload(cpu, workload)]
    lines += ["", *_logged(cpu)]
    versions = sorted(cpu["versions"].items())
    lines += ["", "Versions: " + ", ".join(f"{name} {version}" for name, version in versions) + "."]
    return lines


def figures_into(readme: Path) -> None:
    """Write the figures region of *readme*. Raises ValueError without markers."""
    text = readme.read_text()
    before, opening, rest = text.partition(OPENING)
    _, closing, after = rest.partition(CLOSING)
    if not (opening and closing):
        raise ValueError(f"{readme.name} has no region {OPENING} ... {CLOSING}")
    readme.write_text(f"{before}{opening}\n{_figures(load())}\n{closing}{after}")


def _logged(cpu: Record) -> list[str]:
    """Return the proof that log lines were written: bytes per request."""
    written = cpu.get("log_bytes", {}).get("json", {})
    told = ", ".join(f"{cpu['titles'][name]} {size}" for name, size in written.items())
    return [f"Written to the log per JSON request, in bytes: {told}."] if told else []


def _workload(cpu: Record, workload: str) -> list[str]:
    rows = cpu["micros"][workload]
    lines = _head("", "us, median", "us, quietest", "x Flask", "middle half", "x bare WSGI")
    ranked = sorted(rows, key=lambda name: statistics.median(rows[name]))
    for name in ranked:
        lines.append(_row(cpu["titles"][name], *_cells(rows, name)))
    reasons = cpu["not_offered"].get(workload, {})
    if reasons:
        told = "; ".join(f"{cpu['titles'][name]} ({why})" for name, why in reasons.items())
        lines += ["", f"Not offered: {told}."]
    return lines


def _cells(rows: dict[str, list[float]], name: str) -> Iterable[str]:
    mine = rows[name]
    yield f"{statistics.median(mine):.1f}"
    yield f"{min(mine):.1f}"
    if "flask" in rows:
        flask = ratio(mine, rows["flask"])
        yield f"{flask.median:.3f}"
        yield f"{flask.low:.3f} to {flask.high:.3f}"
    else:
        yield from ("", "")
    yield f"{ratio(mine, rows['bare_wsgi']).median:.0f}" if "bare_wsgi" in rows else ""


def _verdicts(verdicts: Sequence[Verdict]) -> list[str]:
    if not verdicts:
        return []
    lines = _head("target", "measured", "middle half", "")
    for each in verdicts:
        got = each.measured
        spread = f"{got.low:.3f} to {got.high:.3f}"
        lines.append(
            _row(str(each.target), f"{got.median:.3f}", spread, "met" if each.met else "**missed**")
        )
    return lines


def _server(server: Record) -> list[str]:
    """Requests per second; the share is of bare WSGI in the same round."""
    loads = server["loads"]
    bare = loads["bare_wsgi"]["granian-wsgi"]["per_second"]
    lines = ["## Requests per second", "", _where(server), ""]
    lines += _head(
        "", "server", "requests/s", "share of bare WSGI", "middle half", "CPU us", "p50 ms"
    )
    rows = [(name, kind, each) for name in loads for kind, each in loads[name].items()]
    for name, kind, each in sorted(rows, key=lambda row: -statistics.median(row[2]["per_second"])):
        share = ratio(each["per_second"], bare)
        lines.append(
            _row(
                server["titles"][name],
                kind,
                f"{statistics.median(each['per_second']):.0f}",
                f"{share.median:.0%}",
                f"{share.low:.0%} to {share.high:.0%}",
                f"{statistics.median(each['cpu_us']):.0f}",
                f"{statistics.median(each['latency_ms']):.2f}",
            )
        )
    return lines


def _startup(startup: Record) -> list[str]:
    lines = ["## Start-up", "", _where(startup), ""]
    lines += _head("", "ms, median", "ms, quietest", "x `import flask`, interpreter taken off")
    for name, middle, least, net in startup_table(startup["seconds"]):
        lines.append(
            _row(f"`{name}`", f"{middle:.0f}", f"{least:.0f}", f"{net:.2f}" if net else "")
        )
    return [*lines, "", "CPU time of fresh interpreters; `carboy --help` alone is wall time."]


def _data(data: Record) -> list[str]:
    return data_section(data, _where(data))


def _resources(section: Record) -> list[str]:
    from benchmarks.resources.run import table  # imports models: only where they are shown

    lines = ["## REST list of a resource", "", _where(section), ""]
    return lines + table(section)


_SECTIONS = {
    "cpu": cpu_section, "data": _data, "resources": _resources, "server": _server,
    "startup": _startup,
}  # fmt: skip


def _figures(record: Record) -> str:
    """Return README's table: CPU per request as a multiple of plain Flask's."""
    cpu = record["cpu"]
    shown = [name for name in ORDER if name not in ("bare_wsgi", "starlette_tasks")]
    workloads = [name for name in NAMES if name in cpu["micros"]]
    lines = _head("CPU per request, x plain Flask", *workloads)
    for name in shown:
        cells = (_cell(cpu["micros"][workload], name) for workload in workloads)
        lines.append(_row(_bold(name, cpu["titles"].get(name, name)), *cells))
    lines += ["", _measured(cpu)]
    if "server" in record:
        lines += ["", _share(record["server"])]
    return "\n".join(lines)


def _cell(rows: dict[str, list[float]], name: str) -> str:
    return f"{ratio(rows[name], rows['flask']).median:.2f}" if name in rows else "-"


def _bold(name: str, title: str) -> str:
    return f"**{title}**" if name.startswith("carboy") else title


def _measured(cpu: Record) -> str:
    return (
        f"`bin/bench`, {cpu['date']}, CPython {cpu['python']}, {cpu['machine']}: median of "
        f"{cpu['rounds']} interleaved rounds. Spread, versions and method: "
        "[benchmarks/RESULTS.md](benchmarks/RESULTS.md)."
    )


def _share(server: Record) -> str:
    """One sentence on requests per second, the best server of each."""
    loads = server["loads"]
    bare = loads["bare_wsgi"]["granian-wsgi"]["per_second"]
    parts = []
    for name in ("carboy_none", "carboy", "falcon", "starlette", "fastapi", "flask"):
        if name in loads:
            best = max(ratio(each["per_second"], bare).median for each in loads[name].values())
            parts.append(f"{server['titles'][name]} {best:.0%}")
    return (
        "JSON under each one's best server, share of a bare WSGI callable's requests per second "
        f"on Granian: {', '.join(parts)} (`bin/bench --server`)."
    )


def _where(section: Record) -> str:
    machine = f"{section['machine']}; CPython {section['python']}"
    load = ", ".join(str(value) for value in section["load"])
    return f"{section['date']}. {machine}; load when it ended {load}. {section['method']}"


def _head(*cells: str) -> list[str]:
    return [_row(*cells), "|" + "---|" * len(cells)]


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.platform()
