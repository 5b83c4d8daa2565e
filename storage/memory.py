"""What a planner remembers while it decides: the world as it is stored, and what came to it since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Self

from sqlalchemy import Connection

from routing.alert import Alert
from routing.figures import to_load
from routing.query import Facts
from routing.rules import RuleSet
from routing.samples import scopes
from routing.timeline import Samples
from routing.world import Heard, Left, World
from storage import incidents, samples, silences, surroundings
from storage.incidents import Kept
from storage.samples import Taken


class Coming(NamedTuple):
    """An alert that is to be decided."""

    alert: Alert
    incident_key: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """A world, and what is stored of its incidents."""

    world: World
    kept: dict[str, Kept]
    """By the key of the incident."""

    @classmethod
    def load(cls, connection: Connection, kept: dict[str, Kept], rules: RuleSet, now: datetime, *, heard: Iterable[Coming] = ()) -> Self:
        """The world of these incidents, with all that these rules look at beside them to decide these alerts."""
        world = World(
            incidents={key: one.incident for key, one in kept.items()},
            silences=silences.in_force(connection, now),
        )
        if rules.asked.figures:
            asked = rules.asked
            wanted = to_load(asked, [(one.at, scopes(asked.look_back, Facts(one.alert), one.incident_key)) for one in heard])
            world.samples = Samples(samples.load(connection, wanted))
        surroundings.load(connection, world, rules, now)
        return cls(world=world, kept=kept)

    @property
    def ids(self) -> Mapping[str, int]:
        """By key the numbers of the incidents that are stored."""
        return {key: one.id for key, one in self.kept.items() if one.id is not None}

    def counts(self, heard: Heard) -> bool:
        """Count an alert that the world has heard as one of its incident; whether it has one."""
        incident = self.world.incidents.get(heard.incident_key)
        if incident is None:
            return False
        kept = self.kept.get(heard.incident_key) or self.kept.setdefault(heard.incident_key, Kept(incident=incident))
        kept.alerts.append(heard.alert)
        return True

    def save(self, connection: Connection, rules: RuleSet, now: datetime) -> None:
        """Store what has changed."""
        incidents.save(connection, self.kept.values())
        surroundings.save(connection, self.world, rules, now)
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
