"""What a planner remembers while it decides: the world as it is stored, and what came to it since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Self

from sqlalchemy import Connection, insert

from routing.alert import Alert
from routing.figures import to_load
from routing.fingerprint import fingerprint_key, metric_key
from routing.incident import Incident
from routing.query import Facts
from routing.rules import RuleSet
from routing.samples import scopes
from routing.timeline import Samples
from routing.world import Left, Turned, World
from storage import incidents, samples, silences, surroundings
from storage.incidents import Kept
from storage.samples import Taken
from storage.tables import incident_turns
from storage.told import passed_on_in_vain


class Coming(NamedTuple):
    """An alert that is to be decided."""

    alert: Alert
    issue: str
    """The key of its incident, as it says by itself."""
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """A world, and what is stored of its incidents."""

    world: World
    kept: dict[str, Kept]
    """By the key of the incident."""

    @classmethod
    def for_alerts(cls, connection: Connection, coming: Sequence[Coming], rules: RuleSet, now: datetime) -> Self:
        """What has to be known to decide these alerts, each by what was in force when it came."""
        oldest = min([now, *(one.at for one in coming)])
        issues = {one.issue for one in coming}
        joined = incidents.joined(connection, tuple(issues))
        named = {key for one in coming for key in (metric_key(one.alert), fingerprint_key(one.alert, rules.fingerprints))}
        kept = incidents.by_key(connection, tuple({*issues, *joined.values(), *filter(None, named)}))
        _expect_no_echo_of_nothing(connection, [one.incident for one in kept.values()])
        memory = cls.of(connection, kept, rules, oldest)
        memory.world.joined.update(joined)
        if rules.asked.figures:
            memory.world.samples = _samples(connection, memory.world, coming, rules)
        return memory

    @classmethod
    def of(cls, connection: Connection, kept: dict[str, Kept], rules: RuleSet, since: datetime) -> Self:
        """The world of these incidents, with all that these rules look at beside them to decide what comes since then."""
        world = World(incidents={key: one.incident for key, one in kept.items()}, silences=silences.in_force(connection, since))
        surroundings.load(connection, world, rules, since)
        return cls(world=world, kept=kept)

    @property
    def ids(self) -> Mapping[str, int]:
        """By key the numbers of the incidents that are stored."""
        return {key: one.id for key, one in self.kept.items() if one.id is not None}

    def knows(self, key: str) -> bool:
        """Whether there is an incident of this key."""
        return key in self.world.incidents

    def count(self, alert: Alert, key: str) -> None:
        """Count an alert that the world has heard as one of the incident of this key."""
        kept = self.kept.get(key) or self.kept.setdefault(key, Kept(incident=self.world.incidents[key]))
        kept.alerts.append(alert)

    def save(self, connection: Connection, rules: RuleSet, now: datetime) -> None:
        """Store what has changed."""
        incidents.save(connection, self.kept.values())
        if self.world.turns:
            ids = self.ids
            connection.execute(insert(incident_turns), [_turn_row(ids[one.incident], one) for one in self.world.turns])
        surroundings.save(connection, self.world, rules)
        if self.world.new_samples:
            # As old as what is planned, not as the planner's clock: a backlog is decided by what came before it.
            oldest = min(now, *(left.sample.at for left in self.world.new_samples))
            samples.forget(connection, oldest - max(rules.asked.look_back.values()))
            samples.save(connection, [self._taken(left) for left in self.world.new_samples])

    def _taken(self, left: Left) -> Taken:
        heard = left.heard
        kept = self.kept.get(heard.incident_key)
        return Taken(
            event=heard.event, sample=left.sample, incident=kept.id if kept else None, project=heard.alert.project, scopes=left.scopes
        )


def _expect_no_echo_of_nothing(connection: Connection, known: Sequence[Incident]) -> None:
    """Sentry tells of no end that was to be passed on to it, and was not."""
    passed_on = {issue: at for incident in known for issue, at in incident.passed_on.items()}
    in_vain = passed_on_in_vain(connection, passed_on)
    for incident in known:
        for issue in in_vain & incident.passed_on.keys():
            del incident.passed_on[issue]


def _turn_row(incident_id: int, one: Turned) -> dict[str, object]:
    return {
        "incident_id": incident_id,
        "event_id": one.event,
        "turn": one.turn,
        "at": one.at,
        "how": one.how,
        "who": one.who,
        "origin": one.where[:100],
    }


def _samples(connection: Connection, world: World, coming: Sequence[Coming], rules: RuleSet) -> Samples:
    """What figures over many alerts need to decide these."""
    asked = rules.asked
    places = [(one.at, scopes(asked.look_back, Facts(one.alert), world.key_of(one.alert, one.issue, rules))) for one in coming]
    return Samples(samples.load(connection, to_load(asked, places)))
