"""`flask doctor`: what keeps alerts from arriving, and how to mend it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import click

from cli.doctor_layout import as_lines, summary
from cli.group import NUMBER
from watch.doctor.finding import Finding, State

GROUPS = ("settings", "secrets", "database", "redis", "clock", "workers", "spool", "rules", "receivers", "sentry", "alerts")
"""As `watch.doctor.examination.LOOKS` has them; here so that the web process, which loads this module, loads no check. A test compares."""
FAULTS, WARNINGS = 2, 1


class Groups(click.ParamType[tuple[str, ...]]):
    """Names of groups, comma-separated."""

    name = "groups"

    def convert(self, value: str | tuple[str, ...], param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Each is one that there is."""
        named = value if isinstance(value, tuple) else tuple(part.strip() for part in value.split(",") if part.strip())
        if unknown := [one for one in named if one not in GROUPS]:
            self.fail(f"there is no group {', '.join(unknown)}; there are {', '.join(GROUPS)}", param, ctx)
        return named


def doctor_command(variables: Mapping[str, str]) -> click.Command:
    """The command, for an application to add, for the service that these variables describe."""

    @click.command("doctor")
    @click.option("--only", type=Groups(), default=(), metavar="GROUPS", help=f"Look at these alone, comma-separated: {', '.join(GROUPS)}.")
    @click.option("--event", type=NUMBER, metavar="ID", help="Say why this event did or did not tell anybody (the group alerts).")
    @click.option("--json", "is_json", is_flag=True, help="For programs.")
    @click.option("--strict", is_flag=True, help="Let warnings decide the status, too.")
    def doctor(only: tuple[str, ...], event: int | None, *, is_json: bool, strict: bool) -> None:
        """Look at everything that must be right for an alert to arrive.

        Nothing is sent, opened or changed, and no secret is shown. The status is 0 if all is well or there are only warnings, 1 if
        there are warnings and --strict was given, 2 if there are faults. docs/doctor.md has every check.
        """
        from watch.doctor.examination import examine, worst  # noqa: PLC0415 - the web process loads this module, too
        from watch.doctor.patient import described_by  # noqa: PLC0415 - the same

        began = time.monotonic()
        patient = described_by(variables, lambda: datetime.now(UTC), event)
        found = examine(patient, only or (("alerts",) if event else ()))
        seconds = time.monotonic() - began
        click.echo(as_json(found, seconds) if is_json else "\n".join([*as_lines(found), "", summary(found, seconds)]))
        raise click.exceptions.Exit(_status(worst(found), strict=strict))

    return doctor


def as_json(found: Sequence[Finding], seconds: float) -> str:
    """For programs: each finding, and how many there are of each state."""
    counts = {state.value: sum(one.state is state for one in found) for state in State}
    each = [
        {"group": one.group, "name": one.name, "state": one.state.value, "seen": one.seen, "way_out": one.way_out or None} for one in found
    ]
    return json.dumps({"seconds": round(seconds, 1), "counts": counts, "findings": each}, indent=2, ensure_ascii=False)


def _status(state: State, *, strict: bool) -> int:
    if state is State.FAULT:
        return FAULTS
    return WARNINGS if strict and state is State.WARNING else 0
