"""`bin/bench`: reads the command line and calls one measurement."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from typing import Any

from benchmarks import environment


def main() -> None:
    """Enter the environment and do what the command line asks."""
    arguments = _arguments()
    environment.ensure()
    if arguments.profile:
        _profile(arguments)
    elif arguments.budgets:
        _budgets()
    elif arguments.startup:
        _startup(arguments)
    elif arguments.data:
        _data(arguments)
    elif arguments.resources:
        _resources(arguments)
    elif arguments.server:
        _server(arguments)
    elif not arguments.readme:
        _cpu(arguments)
    if arguments.readme:
        _readme()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("bin/bench", description="Measure Carboy beside its peers.")
    add = parser.add_argument
    add("--server", action="store_true", help="requests per second under real servers")
    add("--data", action="store_true", help="reads, writes and the policy beside peers")
    add("--resources", action="store_true", help="the REST list of a resource beside peers")
    add("--import", dest="startup", action="store_true", help="start-up: imports and --help")
    add("--profile", metavar="WORKLOAD", help="where a request's time goes")
    add("--budgets", action="store_true", help="count function calls anew into budgets.toml")
    add("--readme", action="store_true", help="put the last figures into README.md")
    add("--quick", action="store_true", help="few rounds")
    add("--rounds", type=int, help="how many rounds")
    add("--program", action="append", help="only these programs; nothing is written")
    add("--workload", action="append", help="only these workloads; nothing is written")
    return parser.parse_args()


def _cpu(arguments: argparse.Namespace) -> None:
    from benchmarks import report
    from benchmarks.programs import ORDER
    from benchmarks.rounds import TURN_S, measure
    from benchmarks.workloads import NAMES

    rounds = arguments.rounds or (7 if arguments.quick else 41)
    section: dict[str, Any] = {
        "rounds": rounds,
        "micros": {},
        "not_offered": {},
        "titles": _titles(),
        "versions": {},
        "log_bytes": {},
    }
    for workload in arguments.workload or NAMES:
        print(f"{workload} ...", file=sys.stderr)
        _add(section, workload, measure(arguments.program or ORDER, workload, rounds))
    section["method"] = (
        f"{rounds} interleaved rounds, each turn {TURN_S * 1e3:.0f} ms of CPU; ratios within "
        "rounds. Log lines, where a framework writes them, go to a file on disk."
    )
    section.update(report.circumstances())
    print("\n".join(report.cpu_section(section)))
    _keep(arguments, "cpu", section)


def _add(section: dict[str, Any], workload: str, outcomes: dict[str, Any]) -> None:
    done = {name: each for name, each in outcomes.items() if each.micros}
    section["micros"][workload] = {
        name: [round(value, 3) for value in each.micros] for name, each in done.items()
    }
    section["not_offered"][workload] = {
        name: each.not_offered for name, each in outcomes.items() if each.not_offered
    }
    section["log_bytes"][workload] = {
        name: round(each.log_bytes) for name, each in done.items() if each.log_bytes
    }
    for each in done.values():
        section["versions"].update(each.versions)


def _server(arguments: argparse.Namespace) -> None:
    from benchmarks import report, servers
    from benchmarks.programs import ORDER

    servers.require_wrk()
    rounds, seconds = arguments.rounds or (3 if arguments.quick else 7), 1 if arguments.quick else 2
    workload = (arguments.workload or ["json"])[0]
    loads = servers.measure(arguments.program or ORDER, workload, rounds, seconds)
    section: dict[str, Any] = {
        "loads": {
            name: {server: dataclasses.asdict(each) for server, each in made.items()}
            for name, made in loads.items()
        },
        "titles": _titles(),
        "method": (
            f"GET /{workload}, wrk with {servers.CONNECTIONS} connections, {rounds} interleaved "
            f"rounds of {seconds} s; one worker on one core, wrk on another, both on loopback."
        ),
    }
    section.update(report.circumstances())
    print("\n".join(report._server(section)))
    _keep(arguments, "server", section)


def _data(arguments: argparse.Namespace) -> None:
    from benchmarks import report
    from benchmarks.data import run

    section = run.measure(quick=arguments.quick, rounds=arguments.rounds or 0)
    section.update(report.circumstances())
    print("\n".join(report._data(section)))
    _keep(arguments, "data", section)


def _resources(arguments: argparse.Namespace) -> None:
    from benchmarks import report
    from benchmarks.resources import run

    rounds = arguments.rounds or (5 if arguments.quick else 21)
    section = run.measure(rounds, 2 if arguments.quick else 4)
    section.update(report.circumstances())
    print("\n".join(run.table(section)))
    _keep(arguments, "resources", section)


def _startup(arguments: argparse.Namespace) -> None:
    from benchmarks import report, startup

    rounds = arguments.rounds or (5 if arguments.quick else 21)
    section = {"seconds": startup.measure(rounds), "method": f"{rounds} interleaved rounds."}
    section.update(report.circumstances())
    print("\n".join(report._startup(section)))
    _keep(arguments, "startup", section)


def _profile(arguments: argparse.Namespace) -> None:
    from benchmarks.hotspots import profile

    profile(arguments.program or ["carboy"], arguments.profile)


def _budgets() -> None:
    from benchmarks import budgets

    print(budgets.rewrite())


def _readme() -> None:
    from benchmarks import report

    report.figures_into(environment.ROOT / "README.md")


def _titles() -> dict[str, str]:
    from benchmarks.programs import ORDER, load

    return {name: load(name).TITLE for name in ORDER}


def _keep(arguments: argparse.Namespace, name: str, section: dict[str, Any]) -> None:
    """Remember a whole run; a partial or quick one is only shown."""
    from benchmarks import report

    if arguments.program or arguments.workload or arguments.quick:
        print("\n(not written: only a whole run is)", file=sys.stderr)
    else:
        report.remember(name, section)


if __name__ == "__main__":
    main()
