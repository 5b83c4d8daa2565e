"""What a planner remembers while it decides: the world as it is stored, and what came to it since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from sqlalchemy import Connection

from routing.rules import RuleSet
from routing.world import Heard, World
from storage import incidents, silences, surroundings
from storage.incidents import Kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """A world, and what is stored of its incidents."""

    world: World
    kept: dict[str, Kept]
    """By the key of the incident."""

    @classmethod
    def load(
        cls, connection: Connection, kept: dict[str, Kept], rules: RuleSet, now: datetime, first_said: dict[str, int] | None = None
    ) -> Self:
        """The world of these incidents, with all that these rules look at beside them."""
        world = World(
            incidents={key: one.incident for key, one in kept.items()},
            first_said=first_said or {},
            silences=silences.in_force(connection, now),
        )
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
