"""What every kind of message says, before a vendor's layout: worked out once, so that Slack, mail and a page agree.

Texts are plain here, of one line except the stack; each layout escapes and cuts by its vendor's rules.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import accumulate

from notifiers.message_facts import MAX_FACT, MAX_NAME, Fact, duration, facts_of, measured
from notifiers.wording import MAX_LINE, cut, one_line, tail, web_address
from routing.alert import ENDS, Alert, ExceptionValue, Frame, Status
from routing.announcement import GROUP
from routing.notification import Mention, Notification, Reason, Severity
from routing.own_events import Change

STACK_FRAMES = 6
MAX_TITLE = 1000
MAX_STACK = 4000
MAX_TAGS = 8
MAX_WHY = 500
MAX_OTHERS = 10
MAX_TEXT = 1000

# Told elsewhere in the message, or a copy of what is.
_TAGS_TOLD_ELSEWHERE = frozenset(
    {"environment", "handled", "http.status_code", "level", "mechanism", "payment.provider", "release", "user"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """Another incident that the message speaks of, too."""

    title: str
    project: str | None
    link: str | None

    @property
    def name(self) -> str:
        """Title and project: `KeyError: 'currency' (shop-api)`."""
        return f"{self.title} ({self.project})" if self.project else self.title

    @property
    def line(self) -> str:
        """All of it in one line of plain text."""
        return " ".join(filter(None, (self.name, self.link)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """The content of a message; what the alert did not say is None or empty and is left out by the layouts."""

    severity: Severity
    ending: str
    """`Resolved` or `Archived` where it tells of an end, else empty."""
    news: str
    """What became of it, where that is told: `Resolved`, `Acknowledged`; else empty."""
    heading: str
    """The rule's name for people: `Critical error`; a repeat says so: `Critical error, again`."""
    title: str
    project: str
    """The slug, `unknown project` where Sentry gave none."""
    environment: str | None
    culprit: str | None
    release: str | None
    link: str | None
    reference: str | None
    """Sentry's short name of the issue, `SHOP-API-3F`."""
    facts: tuple[Fact, ...]
    stack: str
    tags: tuple[tuple[str, str], ...]
    why: str
    other_rules: tuple[str, ...]
    """The names for people of the further rules that asked for the same message."""
    occurred_at: datetime
    is_acknowledged: bool
    offers: frozenset[Change]
    """What people may ask for that is done in Sentry then."""
    incident: str
    """The incident's key, by which vendors tell repeats from news."""
    others: tuple[Other, ...] = ()
    """The further incidents of which it speaks, the first ten of them."""
    others_count: int = 0
    """How many there are in all."""
    full_list: str = ""
    """Where all of them are listed."""
    template_title: str = ""
    """The headline as a template of rules.yaml has it, in place of every layout's own; empty where it says nothing of it."""
    text: str = ""
    """What a template says first; may have lines."""

    @property
    def is_of_one(self) -> bool:
        """Whether it speaks of one incident, so that something can be done to it by a button."""
        return not self.others and not self.incident.startswith(GROUP)

    @property
    def place(self) -> str:
        """Project and environment as one phrase: `shop-api, production`."""
        return ", ".join(filter(None, (self.project, self.environment)))

    @property
    def rows(self) -> tuple[Fact, ...]:
        """All that has a label, for layouts with a table."""
        named = (("Issue", self.reference), ("Culprit", self.culprit), ("Release", self.release))
        occurred = Fact(label="Last seen" if self.ending else "Occurred", value=f"{self.occurred_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC")
        return (
            *(Fact(label=label, value=value) for label, value in named if value),
            *self.facts,
            occurred,
            *(Fact(label=key, value=value) for key, value in self.tags),
        )

    @property
    def reasons(self) -> str:
        """Why it was sent, with the further rules that asked for it."""
        return "; ".join((self.why, *(f"also {rule}" for rule in self.other_rules)))

    @property
    def headline(self) -> str:
        """All of it in one line: `[CRITICAL] Critical error: OperationalError: … (shop-api, production)`."""
        return f"[{self.mark}] {self.headed(f'{self.heading}: {self.title} ({self.place})', MAX_LINE)}"

    @property
    def mark(self) -> str:
        """What a headline begins with: `CRITICAL`, or `RESOLVED`."""
        return (self.ending or self.severity).upper()

    @property
    def further(self) -> str:
        """What a headline adds for the further incidents: ` (+4 more)`; empty where there are none."""
        return f" (+{self.others_count} more)" if self.others_count else ""

    def headed(self, usual: str, limit: int) -> str:
        """A layout's headline, the template's or its own, at most `limit` characters, cut before what it adds for further incidents."""
        return cut(self.template_title or usual, limit - len(self.further)) + self.further

    @property
    def opening(self) -> tuple[str, ...]:
        """The paragraphs below a headline: the alert's title where a template has lost it, and the template's text."""
        is_lost = self.template_title and self.title not in f"{self.template_title}\n{self.text}"
        return tuple(filter(None, (self.title if is_lost else "", self.text)))

    def others_within(self, limit: int, width: Callable[[Other], int]) -> tuple[Other, ...]:
        """The first of the further incidents, as many as a layout with such a limit holds."""
        return self.others[: bisect_right(list(accumulate(map(width, self.others))), limit)]

    def others_beside(self, shown: int) -> str:
        """What a layout adds for those that it has not shown: `+ 3 more`; empty if it has shown all."""
        return f"+ {self.others_count - shown} more" if self.others_count > shown else ""

    def others_elsewhere(self, shown: int) -> str:
        """The same for layouts without links: `+ 3 more: https://alerts.example.com/deliveries/17`."""
        return ": ".join(filter(None, (self.others_beside(shown), self.full_list))) if self.others_beside(shown) else ""


_OCCASIONS = {
    Reason.REPEAT: ", again",
    Reason.REMINDER: ", still open",
    Reason.ESCALATION: ", escalated",
    Reason.SUMMARY: ", summed up",
    Reason.FALLBACK: ", not delivered elsewhere",
}
"""What a heading adds for those who have heard of it before, or should have."""

_NEWS = {Reason.ACKNOWLEDGED: "Acknowledged", Reason.UNACKNOWLEDGED: "No longer acknowledged", Reason.MUTED: "Silenced"}


def compose(notification: Notification) -> Message:
    """Work out what to say of a notification."""
    notification = replace(notification, alert=_as_known(notification))
    alert, template = notification.alert, notification.template
    return Message(
        severity=notification.severity,
        ending=_ending(notification),
        news=_ending(notification) or _NEWS.get(notification.reason, ""),
        heading=heading(notification.rule) + _OCCASIONS.get(notification.reason, ""),
        title=_title(alert),
        project=cut(one_line(alert.project or ""), MAX_NAME) or "unknown project",
        environment=_line_or_none(alert.environment),
        culprit=_culprit(alert),
        release=_line_or_none(alert.release),
        link=web_address(alert.link),
        reference=_line_or_none(alert.short_id),
        facts=facts_of(notification),
        stack=_stack(alert.exception),
        tags=_tags(alert),
        why=cut(one_line(notification.why), MAX_WHY),
        other_rules=tuple(heading(rule) for rule in notification.rules[1:]),
        occurred_at=alert.occurred_at,
        is_acknowledged=notification.acknowledged_by is not None,
        incident=notification.incident,
        offers=notification.offers,
        others=tuple(map(_other, notification.others[:MAX_OTHERS])),
        others_count=len(notification.others),
        full_list=notification.full_list,
        template_title=cut(one_line(template.title_of(alert)), MAX_TITLE) if template else "",
        text=_text(template.text_of(alert)) if template else "",
    )


def _as_known(notification: Notification) -> Alert:
    """The alert with the numbers that are known by now; they only grow, whoever says them."""
    alert, said = notification.alert, (notification.alert, notification.numbers, notification.details)
    events, users = ([getattr(one, name) for one in said if one is not None] for name in ("event_count", "user_count"))
    first_seen = notification.numbers.first_seen if notification.numbers else None
    return replace(alert, event_count=_largest(events), user_count=_largest(users), first_seen=alert.first_seen or first_seen)


def _largest(numbers: Sequence[int | None]) -> int | None:
    return max((number for number in numbers if number is not None), default=None)


def _ending(notification: Notification) -> str:
    if not notification.is_closing:
        return ""
    # What ended it in another place tells of the alert that began it.
    return (notification.alert.status if notification.alert.status in ENDS else Status.RESOLVED).capitalize()


def as_text(message: Message) -> str:
    """The whole message as plain text, for where there is no layout."""
    lines = [message.headline, *message.opening, *(f"{row.label}: {row.value}" for row in message.rows)]
    if message.stack:
        lines += ["", message.stack, ""]
    lines += [f"Why: {message.reasons}"]
    if message.link:
        lines += [f"Sentry: {message.link}"]
    if message.others:
        lines += ["", others_as_text(message)]
    return "\n".join(lines)


def others_as_text(message: Message) -> str:
    """The further incidents as plain text, a line for each; empty where there are none."""
    if not message.others:
        return ""
    rest = message.others_elsewhere(len(message.others))
    return "\n".join(filter(None, (f"And {message.others_count} more:", *(f"- {other.line}" for other in message.others), rest)))


def heading(rule: str) -> str:
    """A rule's name as people read it: `high-error-rate` is `High error rate`."""
    words = cut(one_line(rule.replace("-", " ").replace("_", " ")), MAX_NAME) or cut(one_line(rule), MAX_NAME) or "(no name)"
    return words[:1].upper() + words[1:]


def _title(alert: Alert) -> str:
    """The alert's title with what was measured, which is what a person woken by it asks first."""
    title = cut(one_line(alert.title), MAX_TITLE - 100) or "(no title)"
    if alert.metric and alert.metric.value is not None:
        return f"{title}: now {measured(alert.metric, alert.metric.value)}"
    if alert.duration_ms is not None:
        return f"{title} took {duration(alert.duration_ms)}"
    return title


def _text(text: str) -> str:
    return cut("\n".join(map(one_line, text[:MAX_LINE].splitlines())).strip(), MAX_TEXT)


def _other(mention: Mention) -> Other:
    return Other(
        title=cut(one_line(mention.title), MAX_FACT) or "(no title)",
        project=cut(one_line(mention.project or ""), MAX_NAME) or None,
        link=web_address(mention.link),
    )


def _culprit(alert: Alert) -> str | None:
    culprit = _line_or_none(alert.culprit or alert.transaction)
    return None if culprit == one_line(alert.title) else culprit


def _stack(exception: ExceptionValue | None) -> str:
    if exception is None or not exception.frames:
        return ""
    in_app = [frame for frame in exception.frames if frame.in_app]
    lines = [_frame(frame) for frame in (in_app or exception.frames)[-STACK_FRAMES:]]
    raised = ": ".join(cut(one_line(part), 500) for part in (exception.type, exception.value) if part)
    return tail("\n".join((*lines, raised)), MAX_STACK)


def _frame(frame: Frame) -> str:
    place = cut(one_line(frame.filename or frame.module or "?"), 200)
    line = f", line {frame.line_number}" if frame.line_number is not None else ""
    function = f", in {cut(one_line(frame.function), 120)}" if frame.function else ""
    source = f"\n    {cut(one_line(frame.source_line), 200)}" if frame.source_line and frame.source_line.strip() else ""
    return f'  File "{place}"{line}{function}{source}'


def _tags(alert: Alert) -> tuple[tuple[str, str], ...]:
    shown = ((cut(one_line(key), MAX_NAME), cut(one_line(value), 200)) for key, value in alert.tags if key not in _TAGS_TOLD_ELSEWHERE)
    return tuple((key, value) for key, value in shown if key and value)[:MAX_TAGS]


def _line_or_none(text: str | None) -> str | None:
    return cut(one_line(text or ""), 300) or None
