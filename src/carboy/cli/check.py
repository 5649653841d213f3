"""`carboy check`: what is wrong with the set-up, gravest first."""

from __future__ import annotations

import json
from collections import Counter

import rich_click as click

from carboy.base.checks import ERROR, Finding, Level
from carboy.cli.main import App, pass_app
from carboy.cli.preflight import find_faults

__all__ = ["check"]

COLOURS = {Level.ERROR: "red", Level.WARNING: "yellow", Level.NOTE: "blue"}


@click.command()
@click.option("--production", is_flag=True, help="Judge as `carboy run` does before it serves.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.pass_context
@pass_app
def check(app: App, ctx: click.Context, /, *, production: bool, as_json: bool) -> None:
    """Say what is wrong with the set-up; fails on errors.

    Prints every finding of the application and its batteries, gravest first.
    Exit code 1 when one is an ERROR, which also keeps `carboy run` from serving.
    """
    findings = find_faults(app.load(), production=production)
    if as_json:
        click.echo(json.dumps([_row(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            click.echo(_letter(finding) + "\n")
        click.echo(_summary(findings))
    ctx.exit(int(any(finding.level >= ERROR for finding in findings)))


def _row(finding: Finding) -> dict[str, str]:
    return {**vars(finding), "level": finding.level.name}


def _letter(finding: Finding) -> str:
    level = finding.level.name
    return str(finding).replace(level, click.style(level, fg=COLOURS[finding.level], bold=True), 1)


def _summary(findings: list[Finding]) -> str:
    if not findings:
        return "Nothing is wrong."
    counts = Counter(finding.level for finding in findings)
    return (
        ", ".join(
            f"{counts[level]} {level.name.lower()}{'s' if counts[level] > 1 else ''}"
            for level in sorted(counts, reverse=True)
        )
        + "."
    )
