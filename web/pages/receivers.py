"""Receivers: who can be told, how they do, how fast they may be told, and a test message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from flask import Blueprint, abort, render_template, request

from routing.durations import spell_duration
from routing.gate import ACCOUNTS, UPDATES, Limit
from routing.notification import Outcome, Reason
from routing.rules import Receiver, RuleSet
from storage import overview, rules_versions
from storage.overview import Health
from storage.users import Role
from web.access import needs, note, somebody
from web.desk import desk, leave_place
from web.receiver_options import from_environment, shown_options
from web.rules_in_force import rules_in_force

NO_MESSAGES = frozenset({"sentry"})
"""Kinds that do something to issues, so that there is nothing to be sent to see whether it arrives."""
WARNINGS = {
    "pagerduty": "It opens an incident there, which may page whoever is on call, and resolves it at once.",
    "jira": "It creates an issue there, and closes it at once.",
    "sms": "It costs what a message costs.",
}
"""By kind what else a test does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A receiver as the page has it."""

    receiver: Receiver
    options: tuple[tuple[str, str], ...]
    limits: tuple[str, ...]
    missing: str | None
    """The variable without which it only previews."""
    health: Health | None

    @property
    def can_be_tested(self) -> bool:
        """Whether a message can be sent to it."""
        return self.receiver.kind not in NO_MESSAGES


def add_receivers(console: Blueprint) -> None:
    """The list, and the test of one."""

    @console.get("/receivers")
    @needs(Role.VIEWER)
    def receivers() -> str:
        rules = rules_in_force()
        shown = [*_shown(rules)] if rules else []
        return render_template("receivers.html", receivers=shown, rules=rules)

    @console.get("/receivers/test")
    @needs(Role.OPERATOR)
    def receiver_test() -> str:
        found = _named(request.args.get("name", ""))
        return _test_page(found, message=desk().test_message(found.receiver, somebody().name))

    @console.post("/receivers/test")
    @needs(Role.OPERATOR)
    def test_receiver() -> str:
        """The answer is the result: who opens the page again is asked by the browser whether to send it again."""
        found = _named(request.form.get("name", ""))
        leave_place()
        done = desk().send_test(found.receiver, somebody().name)
        note("receiver.test", f"receiver {found.receiver.name}", f"{done.outcome}: {done.excerpt}"[:500])
        took = (done.ended_at - done.began_at).total_seconds()
        return _test_page(found, message=done.payload, done=done, took=took, is_fine=done.outcome is Outcome.DELIVERED)


def _test_page(found: Shown, **known: object) -> str:
    return render_template("receiver_test.html", one=found, warning=WARNINGS.get(found.receiver.kind, ""), **known)


def _named(name: str) -> Shown:
    rules = rules_in_force()
    receiver = rules.receivers.get(name) if rules else None
    if rules is None or receiver is None:
        abort(404, f"the rules in force have no receiver {name}")
    found = next(one for one in _shown(rules) if one.receiver is receiver)
    if not found.can_be_tested:
        abort(404, f"a receiver of kind {receiver.kind} is sent no messages")
    return found


def _shown(rules: RuleSet) -> Iterator[Shown]:
    at = desk()
    hidden = from_environment(rules_versions.texts_of(at.engine, rules.version) or {}, at.settings.environment)
    missing = at.missing(rules)
    health = {one.receiver: one for one in overview.health(at.engine, [*rules.receivers], at.clock())}
    for name, receiver in rules.receivers.items():
        yield Shown(
            receiver=receiver,
            options=tuple(shown_options(receiver, hidden)),
            limits=tuple(_limits(receiver, at.limits)),
            missing=missing.get(name),
            health=health.get(name),
        )


def _limits(receiver: Receiver, limits: Mapping[str, Limit]) -> Iterator[str]:
    """What bounds how fast it is told, in words."""
    if limit := limits.get(receiver.kind):
        of = "for the account, all its receivers together" if receiver.kind in ACCOUNTS else "for this destination"
        yield f"{_a_minute(limit)} a minute {of}, {limit.burst} at once"
    if (limit := limits.get(receiver.kind + UPDATES)) and Reason.UPDATED in receiver.options.follows:
        yield f"{_a_minute(limit)} changes a minute of messages that stand there"
    if receiver.max_per_minute:
        later = f"what would wait longer than {spell_duration(receiver.max_delay)} is told in summaries"
        yield f"max_per_minute: {receiver.max_per_minute}, but for critical messages; {later}"


def _a_minute(limit: Limit) -> str:
    return f"{limit.per_second * 60 + limit.burst - 1:.0f}"
