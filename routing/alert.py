"""The words of the whole system: what one webhook said, freed from the shape in which Sentry said it.

Nothing here knows Sentry's JSON; `routing.sentry` fills these values and everybody else reads them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"


class Level(StrEnum):
    """Sentry's severity of one event, worst first."""

    FATAL = "fatal"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    DEBUG = "debug"


class Status(StrEnum):
    """What an alert says of its incident."""

    FIRING = "firing"
    RESOLVED = "resolved"
    ARCHIVED = "archived"
    UNCHANGED = "unchanged"
    """Said about the incident without changing it: an assignment, a comment, a finished Seer run."""


ENDS = frozenset({Status.RESOLVED, Status.ARCHIVED})
"""What ends an incident."""


SENTRY = "Sentry"
UNTIL_ITS_END = datetime(9999, 1, 1, tzinfo=UTC)
"""A moment that no incident sees."""


class Category(StrEnum):
    """What kind of trouble: Sentry's issue categories, folded to the names that its webhooks have used over the years."""

    ERROR = "error"
    PERFORMANCE = "performance"
    METRIC = "metric"
    CRON = "cron"
    UPTIME = "uptime"
    REPLAY = "replay"
    FEEDBACK = "feedback"
    OTHER = "other"
    """Installations, comments, builds: nothing that can fire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One line of a stack trace."""

    filename: str | None = None
    module: str | None = None
    function: str | None = None
    line_number: int | None = None
    source_line: str | None = None
    in_app: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionValue:
    """One exception of a chain."""

    type: str | None = None
    value: str | None = None
    module: str | None = None
    mechanism: str | None = None
    handled: bool | None = None
    """None where the SDK did not say."""
    frames: Sequence[Frame] = ()
    """Oldest call first, as Sentry has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Whom it happened to."""

    id: str | None = None
    email: str | None = None
    username: str | None = None
    ip_address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """What a metric alert measured."""

    rule_name: str
    aggregate: str
    """In Sentry's words: `count()`, `failure_rate()`, `p95(transaction.duration)`."""
    value: float | None = None
    """In the aggregate's own unit; rates as fractions (7.3 % is 0.073), durations in milliseconds. None where the text held no number."""
    threshold: float | None = None
    """In the same unit as the value."""
    window_minutes: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What one webhook says. Whatever it did not say is None, empty, or the most harmless member of its enum."""

    resource: str
    """Sentry's `Sentry-Hook-Resource`, or `legacy` or `glitchtip`."""
    action: str
    status: Status
    category: Category
    level: Level
    title: str
    """One line, never empty."""
    received_at: datetime
    occurred_at: datetime
    text: str = ""
    """The message behind the title: the raised exception's value, the measured text, the comment."""
    culprit: str | None = None
    organization: str | None = None
    project: str | None = None
    """The slug."""
    environment: str | None = None
    release: str | None = None
    platform: str | None = None
    transaction: str | None = None
    duration_ms: float | None = None
    """How long a transaction took."""
    database_ms: float | None = None
    """How much of that its spans spent in databases."""
    link: str | None = None
    """Where a person sees it in Sentry."""
    event_id: str | None = None
    event_type: str | None = None
    """Sentry's type of the event: error, default, transaction, generic, csp."""
    incident: str | None = None
    """The key of the incident, where the alert names it by that: what people do in places other than Sentry."""
    reference: str | None = None
    """The vendor's name for what stands there for the incident, where that is all that it is known by."""
    origin: str = SENTRY
    """Where it happened, as people call it."""
    place: str | None = None
    """The destination of ours at which it happened, as `Receiver.place` spells it."""
    acknowledged: bool | None = None
    """Whether somebody has taken the incident on, or has given it back; None: it says nothing of that."""
    assigns_to: str | None = None
    """Somebody wants the incident for himself: by what the place calls him where it happened."""
    reopens: bool = False
    """Somebody wants an incident back that is over."""
    silenced_until: datetime | None = None
    """Somebody wants to hear nothing of the incident until then; `UNTIL_ITS_END`: as long as it lasts."""
    issue_id: str | None = None
    short_id: str | None = None
    metric_alert_id: str | None = None
    """`organization_id:identifier` of a metric alert's incident, the same from critical to resolved; its bare id where that is all."""
    metric_rule_id: str | None = None
    """The metric alert's rule in Sentry; a metric issue's events name it, too."""
    sentry_rule: str | None = None
    """The label of the alert rule in Sentry that sent this."""
    installation: str | None = None
    """The uuid of the Sentry integration that sent this; two of them may tell the same story."""
    substatus: str | None = None
    resolution: str | None = None
    """Sentry's word for how an issue was resolved: `now`, `in_next_release`."""
    actor: str | None = None
    """Who did it, by the name that people know; None where Sentry itself did, or nobody is named."""
    by_app: bool = False
    """An integration did it through its token, perhaps that of ours; or nobody knows."""
    priority: str | None = None
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    event_count: int | None = None
    user_count: int | None = None
    exceptions: tuple[ExceptionValue, ...] = ()
    """The chain, cause first; the last one is the one that was raised."""
    tags: tuple[tuple[str, str], ...] = ()
    user: User | None = None
    metric: Metric | None = None
    asks: bool = False
    """Somebody wants to know why the incident was told."""
    member_of: tuple[str, ...] = ()
    """The user groups of whoever did it in Slack, by handle and by id, where that was asked."""
    unknown: str = ""
    """Why not all that was asked is known."""
    payload: Mapping[str, Json] = field(default_factory=dict)
    """The event, issue or metric alert as Sentry sent it, for queries by path."""

    @property
    def is_of_sentry(self) -> bool:
        """Whether Sentry says so, and not people in another place."""
        return self.origin == SENTRY

    @property
    def exception(self) -> ExceptionValue | None:
        """The exception that was raised, as opposed to its causes."""
        return self.exceptions[-1] if self.exceptions else None

    @property
    def changes_state(self) -> bool:
        """Whether it says that an incident has begun, has ended or is over, or that somebody has taken it on or given it back."""
        return self.status is not Status.UNCHANGED or self.acknowledged is not None or self.reopens

    def tag(self, key: str) -> str | None:
        """The first value of a tag, None if the alert has no such tag."""
        return next((value for name, value in self.tags if name == key), None)
