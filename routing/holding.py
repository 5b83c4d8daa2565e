"""What keeps a rule that matched from speaking, in Alertmanager's order: inhibition, windows, silences, what was said lately."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from routing.alert import Level
from routing.history import History
from routing.likeness import keyed, likeness, shown
from routing.notification import Reason, Severity
from routing.query import Facts
from routing.rules import Inhibition, Rule, RuleSet, Throttle
from routing.silences import Silence, silenced_by
from routing.windows import held_until

LOOK_AGAIN = timedelta(minutes=5)
"""How often is looked whether what explains an incident still fires; Alertmanager's group_interval."""

SEVERITY_OF_LEVEL = {
    Level.FATAL: Severity.CRITICAL,
    Level.ERROR: Severity.WARNING,
    Level.WARNING: Severity.WARNING,
    Level.INFO: Severity.INFO,
    Level.DEBUG: Severity.INFO,
}
"""How bad what a rule tells is, where the rule does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Why a rule is silent now."""

    reason: Reason
    why: str
    until: datetime | None = None
    """When to look again; None: nothing is told of it later."""


@dataclass(kw_only=True)
class Situation:
    """An alert, what is known around it, and what of that was looked at."""

    facts: Facts
    rules: RuleSet
    history: History
    silences: Sequence[Silence]
    now: datetime
    explained_by: dict[str, tuple[str, ...]] = field(default_factory=dict)
    told_at: dict[str, tuple[datetime, ...]] = field(default_factory=dict)
    group_told_at: dict[str, datetime] = field(default_factory=dict)

    def severity(self, rule: Rule) -> Severity:
        """How bad a rule says it is."""
        return rule.severity or SEVERITY_OF_LEVEL[self.facts.alert.level]

    def hold(self, rule: Rule, *, with_limits: bool = True) -> Hold | None:
        """What keeps a rule silent, None if nothing does; without limits what was said lately does not count."""
        return (
            self.inhibition
            or _window(rule, self.severity(rule), self.now)
            or self.silence
            or ((self.cooldown(rule) or self.throttle) if with_limits else None)
        )

    @cached_property
    def inhibition(self) -> Hold | None:
        """Another incident that fires and explains this one."""
        for inhibition in self.rules.inhibit:
            other = self._explained(inhibition)
            if other:
                why = f'inhibited by "{inhibition.name}": {other} fires'
                return Hold(reason=Reason.INHIBITED, why=why, until=self.now + LOOK_AGAIN)
        return None

    @cached_property
    def silence(self) -> Hold | None:
        """A silence of somebody's: of this incident, or of all that are like it."""
        quiet = self.history.quiet
        if quiet and self.now < quiet.until:
            return Hold(reason=Reason.SILENCED, why=quiet.why)
        silence = silenced_by(self.facts, self.silences, self.now) if self.silences else None
        if silence is None:
            return None
        why = f"silenced by silence {silence.id} of {silence.author} until {_clock(silence.ends_at)}: {silence.comment[:200]}"
        return Hold(reason=Reason.SILENCED, why=why)

    def cooldown(self, rule: Rule) -> Hold | None:
        """What the rule itself said of this incident lately."""
        notified_at = self.history.notified_at.get(rule.name)
        if notified_at is None or not rule.cooldown or self.now - notified_at >= rule.cooldown:
            return None
        why = f"told {_clock(notified_at)}, cooldown ends {_clock(notified_at + rule.cooldown)}"
        return Hold(reason=Reason.COOLDOWN, why=why)

    @cached_property
    def throttle(self) -> Hold | None:
        """A throttle that has let through as many alerts as it may."""
        for key, throttle in self.throttles.items():
            told = [at for at in self.told_at[key] if at > self.now - throttle.per]
            if len(told) >= throttle.limit:
                alike = f" of {shown(throttle.by, self.facts)}" if throttle.by else ""
                why = f'throttled by "{throttle.name}": {len(told)} alerts{alike} were told since {_clock(min(told))}'
                return Hold(reason=Reason.THROTTLED, why=why)
        return None

    @cached_property
    def throttles(self) -> Mapping[str, Throttle]:
        """Those that count this alert, by the key under which they do."""
        found = {
            likeness(throttle.name, throttle.by, self.facts): throttle
            for throttle in self.rules.throttles
            if throttle.when.check(self.facts).matched
        }
        self.told_at.update((key, self.history.told_at.get(key, ())) for key in found)
        return found

    @property
    def explains(self) -> frozenset[str]:
        """The keys under which this alert, as long as its incident fires, holds others."""
        sources = [one for one in self.rules.inhibit if one.source.check(self.facts).matched]
        return frozenset(_key(one, self.facts, is_target=one.target.check(self.facts).matched) for one in sources)

    def group(self, rule: Rule) -> tuple[str, datetime]:
        """The group of a rule in which this alert is told, and when; only for rules that group."""
        grouping = rule.grouping
        assert grouping is not None  # noqa: S101 - as the docstring says
        key = likeness(rule.name, grouping.by, self.facts) if grouping.by else keyed(rule.name, self.history.incident)
        if (due_at := self.history.group_due_at.get(key)) is not None:
            return key, due_at  # the first alert began the wait, and none after it prolongs it
        due_at = self.now + grouping.wait
        if (told_at := self.history.group_told_at.get(key)) is not None:
            self.group_told_at[key] = told_at
            due_at = max(due_at, told_at + grouping.interval)
        return key, due_at

    def _explained(self, inhibition: Inhibition) -> str | None:
        """The incident that explains this one. What meets both source and target holds none of its like (Alertmanager)."""
        if not inhibition.target.check(self.facts).matched:
            return None
        is_source = inhibition.source.check(self.facts).matched
        for key in [_key(inhibition, self.facts, is_target=is_target) for is_target in (False, True)][: 1 if is_source else 2]:
            self.explained_by[key] = self.history.explained_by.get(key, ())
            if other := next((other for other in self.explained_by[key] if other != self.history.incident), None):
                return other
        return None


def _key(inhibition: Inhibition, facts: Facts, *, is_target: bool) -> str:
    """The same for what has in common what the inhibition wants equal; apart what is its target as well as its source."""
    return likeness(f"{inhibition.name}{'+target' if is_target else ''}", inhibition.equal, facts)


def _window(rule: Rule, severity: Severity, now: datetime) -> Hold | None:
    held = held_until(rule.active, rule.mute, severity, now) if rule.active or rule.mute else None
    if held is None:
        return None
    end = f"until {_clock(held.until)}" if held.until else "for good"
    return Hold(reason=Reason.WINDOW, why=f'held by window "{held.window}" {end}', until=held.until)


def _clock(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
