"""All that is remembered between alerts: decisions rest on it and change it. Whoever keeps it, a database or a test, loads and saves it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from routing.alert import ENDS, Alert, Status
from routing.announcement import Topic, manner
from routing.asking import facts_of, noise
from routing.comeback import Comeback, Due, come_due
from routing.fingerprint import fingerprint_key, metric_key
from routing.history import History
from routing.incident import BRINGS_ALL, Cause, Incident, Timer, Turn, turns
from routing.notification import ANNOUNCES_NOTHING, PlannedNotification, Reason, State
from routing.plan import Disposition, Plan, plan
from routing.rules import RuleSet
from routing.samples import Sample, Scope, sample, scopes
from routing.silences import Silence
from routing.timeline import Samples

SHOWN_ONLY = frozenset({Disposition.OVERTAKEN, Disposition.ECHO, Disposition.REFUSED})
"""Of alerts that are listed with their incident, and change nothing of it."""
NOT_COUNTED = SHOWN_ONLY | {Disposition.DUPLICATE, Disposition.IGNORED}
"""Of alerts that are kept, and not counted as any of their incident's."""
_HAVE_A_MANNER = frozenset({Turn.RESOLVED, Turn.ARCHIVED, Turn.REOPENED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """An alert with its number, and the keys by which it is known again."""

    event: int
    alert: Alert
    incident_key: str
    """As the alert by itself says: that of its issue. A world may have joined the issue with others, by a fingerprint."""
    content_key: str | None
    issue: str | None = None
    """The key of its issue, where that is joined with others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What an alert leaves behind for figures over many of them."""

    heard: Heard
    sample: Sample
    scopes: tuple[Scope, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """Something became of an incident."""

    incident: str
    """Its key."""
    event: int
    """The number of the event that said so."""
    turn: Turn
    at: datetime
    """When it happened, by its source; for changes of an issue when the webhook came, because Sentry only says when it was last seen."""
    how: str
    """In what way, as far as that is said: `until it escalates`."""
    who: str | None
    where: str


@dataclass(slots=True, kw_only=True)
class World:
    """What is known before an event; each event that is heard adds to it for those behind."""

    incidents: dict[str, Incident] = field(default_factory=dict)
    """By key."""
    joined: dict[str, str] = field(default_factory=dict)
    """By the key of an issue the incident into which a fingerprint has joined it."""
    first_said: dict[str, int] = field(default_factory=dict)
    """By content key the first event that said so."""
    silences: Sequence[Silence] = ()
    explained_by: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By inhibition and likeness the incidents that fire and explain others."""
    members: dict[Topic, set[str]] = field(default_factory=dict)
    """By announcement of a group the incidents that fire and were told by it."""
    told_at: dict[str, tuple[datetime, ...]] = field(default_factory=dict)
    """By throttle and likeness when alerts were told."""
    group_told_at: dict[str, datetime] = field(default_factory=dict)
    """By rule and likeness when a group was last told."""
    samples: Samples = field(default_factory=Samples)
    """What alerts have left behind for figures."""
    turns: list[Turned] = field(default_factory=list)
    """What has become of incidents since they were loaded."""
    new_samples: list[Left] = field(default_factory=list)
    """What came to them since they were loaded."""
    new_told: list[tuple[str, datetime]] = field(default_factory=list)
    """What came to `told_at` since it was loaded."""
    new_group_told: set[str] = field(default_factory=set)
    """The same of `group_told_at`."""

    def hear(self, heard: Heard, rules: RuleSet, at: datetime) -> Plan:
        """Decide about an alert that came at this time, and remember what follows; `inputs` of the plan name the incident."""
        heard = self._joined(heard, rules)
        incident = self.incidents.get(heard.incident_key)
        samples_before = len(self.new_samples)
        try:
            planned = plan(heard.alert, rules, self._history(heard, incident, rules, at), at, self.silences)
        except Exception:
            # It is heard again once the fault is mended, and counts then.
            del self.new_samples[samples_before:]
            raise
        if planned.disposition not in NOT_COUNTED and (incident or heard.alert.status is not Status.UNCHANGED):
            incident = incident or self.incidents.setdefault(heard.incident_key, Incident(key=heard.incident_key))
            self._learn(incident, heard, planned, rules, at)
        elif incident and planned.disposition is Disposition.ECHO:
            incident.passed_on.pop(heard.issue or incident.key, None)
        return planned

    def key_of(self, alert: Alert, issue: str, rules: RuleSet) -> str:
        """The key of the incident to which an alert belongs whose issue has this key.

        Once an issue belongs to an incident it stays there, however the rules are edited.
        """
        if known := self.joined.get(issue):
            return known
        if issue in self.incidents:
            return issue
        if key := metric_key(alert):
            return key
        if not rules.fingerprints or alert.status is not Status.FIRING:
            return issue
        return fingerprint_key(alert, rules.fingerprints) or issue

    def come_due(self, together: Sequence[tuple[Incident, Timer]], alerts: Mapping[int, Alert], rules: RuleSet, now: datetime) -> Comeback:
        """Decide what is told of timers that are due together, and remember what follows.

        `alerts` has those of the events that the timers tell of; of what is not there nothing is told.
        """
        due = [
            Due(timer=timer, alert=alerts[timer.event], history=self._known(incident))
            for incident, timer in together
            if timer.event in alerts
        ]
        comeback = come_due(due, rules, now, self.silences) if due else Comeback()
        for incident, timer in together:
            incident.timers.pop(timer.key, None)
        self._remember(comeback, rules, now)
        return comeback

    def _joined(self, heard: Heard, rules: RuleSet) -> Heard:
        key = self.key_of(heard.alert, heard.incident_key, rules)
        return heard if key == heard.incident_key else replace(heard, incident_key=key, issue=heard.incident_key)

    def _history(self, heard: Heard, incident: Incident | None, rules: RuleSet, at: datetime) -> History:
        """What plan() may know before this alert."""
        first = self._first_to_say(heard, incident)
        if first is not None:
            return History(incident=heard.incident_key, duplicate_of=first)
        incident = incident or Incident(key=heard.incident_key)
        known = replace(
            self._known(incident),
            is_open_beside=incident.is_open_beside(heard.issue),
            is_overtaken=incident.is_overtaken(heard.alert, at, heard.issue),
            is_echo=incident.is_echo(heard.alert, at, heard.issue),
        )
        if not rules.asked.figures or heard.alert.status is not Status.FIRING:
            return known
        return replace(known, figures=self._figures(heard, known, rules, at))

    def _figures(self, heard: Heard, known: History, rules: RuleSet, at: datetime) -> Mapping[str, Mapping[str, float]]:
        """By rule the figures for which it asks, this alert included unless it is noise."""
        facts = facts_of(heard.alert, known, at)
        if noise(facts, rules):
            return {}
        asked = rules.asked
        left = Left(heard=heard, sample=sample(facts, asked.columns, at), scopes=scopes(asked.look_back, facts, heard.incident_key))
        self.samples.add(left.sample, left.scopes)
        self.new_samples.append(left)
        return self.samples.figures(asked, left.scopes, at)

    def _known(self, incident: Incident) -> History:
        return History(
            incident=incident.key,
            was=incident.status,
            acknowledged=incident.acknowledged,
            assigned=incident.assigned,
            quiet=incident.quiet,
            notified_at=dict(incident.notified_at),
            seen_in=frozenset(incident.seen_in),
            announced=tuple(incident.announced.values()),
            open_issues=incident.open_issues,
            shared=frozenset(topic for topic in incident.announced if self.members.get(topic, set()) - {incident.key}),
            explained_by=self.explained_by,
            escalates_at=incident.escalates_at,
            told_at=self.told_at,
            group_told_at=self.group_told_at,
            group_due_at={timer.group: timer.due_at for timer in incident.timers.values() if timer.cause is Cause.GROUP},
        )

    def _first_to_say(self, heard: Heard, incident: Incident | None) -> int | None:
        """The earlier event that said the same, if this one only repeats it."""
        if heard.content_key is None:
            return None
        first = self.first_said.setdefault(heard.content_key, heard.event)
        # Who resolves an issue, reopens it and resolves it again makes Sentry say the same thing twice, and means it.
        is_meant = heard.alert.resource == "issue" and incident is not None and incident.last_change != heard.content_key
        return None if first == heard.event or is_meant else first

    def _learn(self, incident: Incident, heard: Heard, planned: Plan, rules: RuleSet, at: datetime) -> None:
        explained, announced, standing = set(incident.explains), set(incident.announced), incident.standing
        if heard.issue:
            self.joined[heard.issue] = incident.key
        incident.hear(heard.alert, heard.content_key, at, heard.issue)
        self.turns += [_turned(heard, incident, turn) for turn in turns(standing, incident.standing)]
        for topic in announced - set(incident.announced):
            self.members.get(topic, set()).discard(incident.key)
        self._announce([incident.key], planned.notifications, heard.event)
        if heard.alert.status in ENDS:
            incident.passed_on |= {one.subject: at for one in planned.notifications if one.reason is Reason.PASSED_ON}
        incident.spoke(planned.speaking, at)
        incident.set_timers(planned.timers, heard.event)
        incident.explains |= planned.explains
        self._explain(incident.key, explained, incident.explains)
        self._count(planned.throttles, rules, at)

    def _remember(self, comeback: Comeback, rules: RuleSet, now: datetime) -> None:
        for due in comeback.told:
            if due.timer.cause is not Cause.ESCALATION:
                self.incidents[due.history.incident].spoke([due.timer.rule], now)
            if due.timer.cause is Cause.GROUP:
                self.group_told_at[due.timer.group] = now
                self.new_group_told.add(due.timer.group)
        for due, notification in comeback.notifications:
            members = [due.history.incident, *(other.incident for other in notification.others)]
            self._announce(members, [notification], due.timer.event)
        for due, timer in comeback.timers:
            self.incidents[due.history.incident].set_timers([timer])
        self._count(comeback.throttles, rules, now)

    def _announce(self, incidents: Iterable[str], notifications: Iterable[PlannedNotification], event: int) -> None:
        """What goes out of these incidents, of this event, is to be closed with them."""
        going_out = [one for one in notifications if one.state is State.PLANNED and one.reason not in ANNOUNCES_NOTHING]
        for key in incidents:
            for notification in going_out:
                self.incidents[key].announce(notification, event)
                self.members.setdefault(Topic(notification.subject, notification.place), set()).add(key)

    def _explain(self, incident: str, before: set[str], after: set[str]) -> None:
        for key in before - after:
            self.explained_by[key] = tuple(other for other in self.explained_by.get(key, ()) if other != incident)
        for key in after - before:
            self.explained_by[key] = tuple(sorted({*self.explained_by.get(key, ()), incident}))

    def _count(self, throttles: Iterable[str], rules: RuleSet, at: datetime) -> None:
        for key in throttles:
            self.told_at[key] = (*(told for told in self.told_at.get(key, ()) if told > at - rules.longest_throttle), at)
            self.new_told.append((key, at))


def _turned(heard: Heard, incident: Incident, turn: Turn) -> Turned:
    alert = heard.alert
    at = alert.received_at if alert.resource == "issue" else alert.occurred_at
    how = manner(alert) if turn in _HAVE_A_MANNER else ""
    return Turned(incident=incident.key, event=heard.event, turn=turn, at=at, how=how, who=alert.actor, where=alert.origin)


def due_together(timers: Sequence[tuple[Incident, Timer]], now: datetime) -> Iterator[list[tuple[Incident, Timer]]]:
    """Those whose time has come, and who comes with them, in the order of their times.

    Together come those of a group, and of an incident what several rules could not say, and what they say again.
    """
    brought = {(timer.cause, timer.group) for _, timer in timers if timer.group and timer.cause in BRINGS_ALL and timer.due_at <= now}
    due = [(incident, timer) for incident, timer in timers if timer.due_at <= now or (timer.cause, timer.group) in brought]
    batches: dict[tuple[str, ...], list[tuple[Incident, Timer]]] = {}
    for incident, timer in sorted(due, key=lambda pair: (pair[1].due_at, pair[0].key, pair[1].key)):
        match timer.cause:
            case Cause.WINDOW | Cause.INHIBITION:
                name: tuple[str, ...] = (incident.key, "late")
            case cause:
                name = (timer.group, cause, str(timer.step)) if timer.group else (incident.key, cause)
        batches.setdefault(name, []).append((incident, timer))
    yield from batches.values()
