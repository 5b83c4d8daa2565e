"""What is to be said to one receiver, why, and how each try to say it ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from routing.alert import Alert
from routing.own_events import Change
from routing.templates import MessageTemplate
from routing.trend import Trend


class Severity(StrEnum):
    """How bad a rule says it is, worst first."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """How far it is from the worst, which has 0."""
        return _SEVERITIES.index(self)


_SEVERITIES = tuple(Severity)


def worst_of(severities: Iterable[Severity]) -> Severity:
    """Of some, at least one."""
    return min(severities, key=lambda one: one.rank)


class Lane(StrEnum):
    """The two queues of sending: a page never waits behind lesser messages."""

    CRITICAL = "critical"
    NORMAL = "normal"


class Reason(StrEnum):
    """Why a notification is sent or held."""

    FIRST = "first"
    """This rule speaks of this incident for the first time."""
    REPEAT = "repeat"
    """It spoke before, and the cooldown has passed."""
    COOLDOWN = "cooldown"
    """Held: it spoke less than the cooldown ago."""
    DELAYED = "delayed"
    """What held it has come to its end: a window of time, or another incident that explains it."""
    REMINDER = "reminder"
    """The incident still fires, and the rule repeats what it said."""
    ESCALATION = "escalation"
    """The incident still fires, and nobody has done what would call the escalation off."""
    GROUP = "group"
    """Told together with others; held: it waits for them."""
    FALLBACK = "fallback"
    """Told here because another receiver could not be told."""
    SUMMARY = "summary"
    """Told together with others, because more waited than the receiver may be told."""
    SUMMED_UP = "summed up"
    """Held: told in a summary; `why` says in which."""
    WINDOW = "window"
    """Held: a window of time keeps it silent; `why` names the window and its end."""
    SILENCED = "silenced"
    """Held: somebody silenced alerts like this one."""
    INHIBITED = "inhibited"
    """Held: another incident that fires explains it."""
    THROTTLED = "throttled"
    """Held: as many alerts like it were told in this time as may be."""
    ACKNOWLEDGED = "acknowledged"
    """Somebody has taken it on, in another place."""
    UNACKNOWLEDGED = "unacknowledged"
    """Whoever had taken it on has given it back."""
    MUTED = "muted"
    """Somebody wants to hear nothing of the incident for a time."""
    UPDATED = "updated"
    """What stands there is brought up to date; nobody is told by that."""
    PASSED_ON = "passed on"
    """What somebody did to the incident in another place is done in Sentry, too."""
    REOPENED = "reopened"
    """The incident, which was over, is wanted back in another place, and reopened in Sentry."""
    ANSWER = "answer"
    """Somebody has asked there, or has done what he may not: nobody else sees it."""
    RESOLVED = "resolved"
    """What was announced there has ended: resolved, or archived."""
    ENDED = "ended"
    """Held: it ended before it was told, or the receiver is not told of ends."""
    KNOWN = "known"
    """Held: it was told there, where no more is wanted until it gets worse."""
    OPTED_OUT = "opted out"
    """Held: whoever is there wants to hear nothing any more, as the vendor says."""
    OWN_FAILURE = "own failure"
    """Held: it tells that this very receiver fails, as the service's own Sentry project says."""
    NOWHERE = "nowhere"
    """Held: the alert names no destination that it may, and the receiver has no fallback."""
    PREVIEW = "preview"
    """Held: the receiver's credential is not set, so the payload was recorded and nothing was sent."""


FOLLOW_UPS = frozenset({Reason.ACKNOWLEDGED, Reason.UNACKNOWLEDGED, Reason.MUTED, Reason.UPDATED, Reason.RESOLVED})
"""Reasons of what is told only where the incident was announced."""


DONE_IN_SENTRY = frozenset({Reason.PASSED_ON, Reason.REOPENED})
"""Reasons of what is no message, but does there what somebody did elsewhere."""

ANNOUNCES_NOTHING = FOLLOW_UPS | DONE_IN_SENTRY | {Reason.ANSWER}
"""Reasons of what leaves nothing that has to be closed."""


class State(StrEnum):
    """Where a notification is on its way; the last three are final."""

    PLANNED = "planned"
    SENDING = "sending"
    SENT = "sent"
    HELD = "held"
    DEAD = "dead"


class Outcome(StrEnum):
    """How one attempt ended."""

    DELIVERED = "delivered"
    PREVIEWED = "previewed"
    RETRY = "retry"
    """Certainly not done, worth another try."""
    AMBIGUOUS = "ambiguous"
    """Perhaps done: no answer came. Before another try the vendor is asked."""
    NEEDLESS = "needless"
    """Nothing was sent, for nothing is to be said: `held_for` has the reason."""
    REFUSED = "refused"
    """Will never be done like this; trying again is useless."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """What is known of an incident, from whatever has said it last."""

    event_count: int | None = None
    """As Sentry counts."""
    user_count: int | None = None
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    assignee: str | None = None
    """In Sentry."""
    trend: Trend = ()
    """How often it fired."""


class Link(NamedTuple):
    """Where an incident stands at another vendor."""

    vendor: str
    """As people call it."""
    text: str
    """What it is called there."""
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What Sentry says of an issue when it is asked, beside what its webhook said."""

    event_count: int
    user_count: int
    owners: tuple[str, ...] = ()
    """By the ownership rules of the project."""
    suspect_commit: str | None = None
    """`a1b2c3d by Ann Lee: Round prices`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """Another incident that a notification speaks of, too, in short."""

    title: str
    """As its alert said it: hostile, of any length."""
    project: str | None = None
    """The slug."""
    link: str | None = None
    """Where a person sees it in Sentry."""
    incident: str
    """Its stable key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedNotification:
    """One message to be sent, or held for a reason."""

    receiver: str
    kind: str
    rules: tuple[str, ...]
    severity: Severity
    reason: Reason
    why: str
    state: State
    subject: str
    """What it is about to its receiver: the incident's key, or that of a group of incidents."""
    place: str = ""
    """The destination, however receivers are called."""
    others: tuple[Mention, ...] = ()
    """Other incidents that it tells of, too."""
    changes: Mapping[str, object] = field(default_factory=dict)
    """Options of the receiver that hang on the alert."""
    follows: frozenset[Reason] = frozenset({Reason.RESOLVED})
    """What its receiver wants to be told later of what it announces."""
    then: str = ""
    """Whom a rule tells next if nobody acts, and when; empty: nobody."""
    event: int | None = None
    """The number of the event that it tells of; None: of the one that came."""

    @property
    def lane(self) -> Lane:
        """Critical ones travel apart; what tells nobody is not one of them."""
        return Lane.CRITICAL if self.severity is Severity.CRITICAL and self.reason is not Reason.UPDATED else Lane.NORMAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One message to one receiver about one incident, and about others that are told together with it."""

    id: int
    incident: str
    """The incident's stable key, the same for all that is ever said of it."""
    receiver: str
    rules: tuple[str, ...]
    """The names of the rules that asked for it, never empty; the first one heads the message."""
    severity: Severity
    reason: Reason
    why: str
    """The condition that was met with the value that met it: `tags.critical is "true"`."""
    created_at: datetime
    alert: Alert
    reference: Mapping[str, str] = field(default_factory=dict)
    """The vendor's name for what stands there for the incident already; empty where nothing does."""
    so_far: Mapping[str, str] = field(default_factory=dict)
    """What earlier attempts have done of it, in the vendor's terms; empty: nothing that is known of."""
    tried_until: datetime | None = None
    """When the last attempt was over that may have arrived; None: there was none."""
    of_others: frozenset[str] = frozenset()
    """The vendor's names for what stands there and is of other notifications; looked for where an earlier attempt may have arrived."""
    full_list: str = ""
    """The address of the console's page that names all of which it tells; empty where nobody has said at which address the console is."""
    closed_at: datetime | None = None
    """When its end was told there, if that was the last word there of it."""
    others: tuple[Mention, ...] = ()
    """The further incidents of its group, in the order in which they are to be told."""
    acknowledged_by: str | None = None
    """Who has taken the incident on, and where: `Ann Lee in Slack`; None: nobody."""
    numbers: Numbers | None = None
    """What is known of the incident by now, whoever said it; None: no more than the alert says."""
    details: Details | None = None
    """What Sentry said when it was asked; None: nobody asked, or Sentry did not answer."""
    links: tuple[Link, ...] = ()
    """Where else the incident stands."""
    then: str = ""
    """Who is told next if nobody acts, and when."""
    fires: bool = True
    """Whether the incident still does, or again, when this is sent."""
    offers: frozenset[Change] = frozenset()
    """What people may ask for, where it is shown, that is done in Sentry then."""
    owner: str = ""
    """Who sees to it, as the rule says."""
    runbook: str = ""
    """The address of a page that says what to do."""
    template: MessageTemplate | None = None
    """How rules.yaml wants it headed and begun; None: as every message."""

    @property
    def is_closing(self) -> bool:
        """Whether it tells how what was announced there has ended."""
        return self.reason is Reason.RESOLVED

    @property
    def rule(self) -> str:
        """The rule that heads the message."""
        return self.rules[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tries:
    """Where a notification stands when its next attempt is made."""

    number: int
    """Of this attempt, counted from 1."""
    failures: int
    """How many attempts have failed before; those that the vendor put off are not counted."""
    planned_at: datetime
    may_be_there: bool
    """An earlier attempt was ambiguous: the vendor is asked before it is sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try to deliver one notification."""

    number: int
    """Counted from 1."""
    began_at: datetime
    ended_at: datetime
    outcome: Outcome
    status_code: int | None = None
    excerpt: str = ""
    """What the vendor answered or what went wrong, cut, without secrets."""
    payload: str = ""
    """What was sent or would have been sent, without credentials."""
    reference: Mapping[str, str] = field(default_factory=dict)
    """The vendor's own name for what was made: Slack's ts and channel, Jira's key, Twilio's sid."""
    retry_after: timedelta | None = None
    """How long to wait before the next try; None where none follows."""
    rules_version: str | None = None
    """Those by whose receiver it was sent; None where nothing was."""
    place: str | None = None
    """The destination of that receiver, which an edit may have changed since it was planned."""
    held_for: Reason | None = None
    """Why nothing was sent, where nothing was to be."""
    opted_out: bool | None = None
    """Whether whoever is there wants to hear nothing any more; None: nothing was said of that."""
    was_put_off: bool = False
    """The vendor said when to come back, so it does not count as a failure."""
    was_asked: bool = True
    """Whether the destination may have been asked anything; if not, how it ended says nothing of that."""
