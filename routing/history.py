"""What was known before an alert came: together with the alert, the rules and the time, all that a decision rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from routing.alert import Status
from routing.announcement import Announcement, Quiet, Topic

_NOTHING: Mapping[str, float] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What was known before an alert came."""

    incident: str = ""
    """The key of the incident that it belongs to."""
    was: Status | None = None
    """What that incident had come to; None if this is its first alert."""
    acknowledged: bool = False
    assigned: bool = False
    quiet: Quiet | None = None
    """Somebody wants to hear nothing of it for a time."""
    notified_at: Mapping[str, datetime] = field(default_factory=dict)
    """By rule: when it last spoke of this incident."""
    seen_in: frozenset[str] = frozenset()
    """The releases and environments of the incident, as `Incident.seen_in` has them."""
    announced: tuple[Announcement, ...] = ()
    """Where it was announced and not yet closed."""
    open_issues: tuple[str, ...] = ()
    """The keys of those of Sentry's issues that are open in the incident."""
    shared: frozenset[Topic] = frozenset()
    """Those of these announcements that tell of other incidents, too, which still fire."""
    is_open_beside: bool = False
    """Another issue that is joined in the incident is open."""
    is_overtaken: bool = False
    """What the alert says of the incident was over before it came."""
    is_echo: bool = False
    """Sentry tells of an end that was passed on to it from here."""
    duplicate_of: int | None = None
    """The earlier event that said the same thing."""
    figures: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """By rule the figures over many alerts for which it asks, this alert included."""
    explained_by: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By inhibition and what it wants equal, as `likeness` spells it: the incidents that fire and meet its source."""
    escalates_at: Mapping[str, Mapping[int, datetime]] = field(default_factory=dict)
    """By rule and number of the step: when it will be escalated, if nothing calls that off."""
    told_at: Mapping[str, tuple[datetime, ...]] = field(default_factory=dict)
    """By throttle and likeness: when alerts were told."""
    group_told_at: Mapping[str, datetime] = field(default_factory=dict)
    """By rule and likeness: when the group was last told."""
    group_due_at: Mapping[str, datetime] = field(default_factory=dict)
    """By rule and likeness: when a group is told in which this incident waits."""

    @property
    def incident_is_known(self) -> bool:
        """Whether any earlier alert belongs to the same incident."""
        return self.was is not None

    def figures_of(self, rule: str) -> Mapping[str, float]:
        """Those of one rule."""
        return self.figures.get(rule, _NOTHING)
