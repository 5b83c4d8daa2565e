"""All checks, at the same time and within one limit: what hangs costs its own finding and no other."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Thread

from watch.doctor import alerts, clocks, database, receivers, redis_server, rules, sentry, variables, work
from watch.doctor.finding import Finding, Look, Says, State
from watch.doctor.patient import Patient

WITHIN_SECONDS = 12.0

LOOKS: Mapping[str, Look] = {
    "settings": variables.look_at_settings,
    "secrets": variables.look_at_secrets,
    "database": database.look,
    "redis": redis_server.look,
    "clock": clocks.look,
    "workers": work.look_at_workers,
    "spool": work.look_at_spool,
    "rules": rules.look,
    "receivers": receivers.look,
    "sentry": sentry.look,
    "alerts": alerts.look,
}
"""By group, in the order in which they are shown."""


@dataclass(slots=True, kw_only=True)
class _Course:
    found: list[Finding] = field(default_factory=list)
    is_over: bool = False


def examine(patient: Patient, only: Collection[str] = (), *, within_seconds: float = WITHIN_SECONDS) -> tuple[Finding, ...]:
    """Look at these groups, or at all; what was seen until the time is up. Raises nothing."""
    groups = [group for group in LOOKS if not only or group in only]
    courses = {group: _Course() for group in groups}
    for group, course in courses.items():
        Thread(target=_follow, args=(group, course, patient), name=f"doctor: {group}", daemon=True).start()
    until = time.monotonic() + within_seconds
    while time.monotonic() < until and not all(course.is_over for course in courses.values()):
        time.sleep(0.01)
    return tuple(one for group, course in courses.items() for one in _seen(group, course, within_seconds))


def worst(found: Sequence[Finding]) -> State:
    """The worst of them; what was not checked is no worse than what is ok."""
    states = {one.state for one in found}
    return next((state for state in (State.FAULT, State.WARNING) if state in states), State.OK)


def _follow(group: str, course: _Course, patient: Patient) -> None:
    try:
        for one in LOOKS[group](patient):
            course.found.append(one)
    except Exception as error:  # noqa: BLE001 - the top of its thread; the text of what nobody foresaw may hold a secret
        way_out = "report this as a fault of the router"
        course.found.append(Says(group=group).fault("look", f"the check itself failed: {type(error).__name__}", way_out))
    course.is_over = True


def _seen(group: str, course: _Course, seconds: float) -> Sequence[Finding]:
    # Receivers come as they answer; two looks are to show them alike.
    found = sorted(course.found, key=lambda one: one.name) if group == "receivers" else list(course.found)
    if not course.is_over:
        way_out = "something hangs: see which of the lines that are missing here asks whom, and try that by hand"
        found.append(Says(group=group).fault("time", f"not all was seen within {seconds:g} s", way_out))
    return found
