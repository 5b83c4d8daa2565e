"""What every kind of message says, before a vendor's layout: worked out once, so that Slack, mail and a page agree.

Texts are plain here, of one line except the stack; each layout escapes and cuts by its vendor's rules.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import accumulate

from routing import plain_text
from routing.alert import ENDS, Alert, Category, ExceptionValue, Frame, Metric, Status
from routing.announcement import GROUP
from routing.notification import Mention, Notification, Reason, Severity
from routing.own_events import Change
from routing.trend import shown

STACK_FRAMES = 6
MAX_TITLE = 1000
MAX_STACK = 4000
MAX_TAGS = 8
MAX_NAME = 80
MAX_WHY = 500
MAX_FACT = 200
MAX_OTHERS = 10
MAX_TEXT = 1000
MAX_LINE = 8000
"""No layout shows more of one line; what is longer (a message of 300 kB) is not even looked at."""

# Told elsewhere in the message, or a copy of what is.
_TAGS_TOLD_ELSEWHERE = frozenset(
    {"environment", "handled", "http.status_code", "level", "mechanism", "payment.provider", "release", "user"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One labelled value."""

    label: str
    value: str
    link: str | None = None
    """The address that a person would open."""


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


_OCCASIONS = {Reason.REPEAT: ", again", Reason.REMINDER: ", still open", Reason.ESCALATION: ", escalated"}
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
        facts=_facts(notification),
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
    rest = message.others_beside(len(message.others))
    return "\n".join(filter(None, (f"And {message.others_count} more:", *(f"- {other.line}" for other in message.others), rest)))


def key_within(key: str, limit: int) -> str:
    """A key that a vendor with such a limit takes, the same for the same key: itself, or its SHA-256 if it is too long or odd."""
    if len(key) <= limit and key.isascii() and key.isprintable():
        return key
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def heading(rule: str) -> str:
    """A rule's name as people read it: `high-error-rate` is `High error rate`."""
    words = cut(one_line(rule.replace("-", " ").replace("_", " ")), MAX_NAME) or cut(one_line(rule), MAX_NAME) or "(no name)"
    return words[:1].upper() + words[1:]


def cut(text: str, limit: int) -> str:
    """At most `limit` characters, the last one an ellipsis where something is missing; never ends inside a combined character."""
    if len(text) <= limit:
        return text
    if limit < 1:
        return ""
    end = limit - 1
    while end > 0 and (unicodedata.combining(text[end]) or text[end] in "\u200d\ufe0f" or text[end - 1] == "\u200d"):
        end -= 1
    return text[:end].rstrip() + "…"


def tail(text: str, limit: int) -> str:
    """The last whole lines, at most `limit` characters: of a stack trace the end matters."""
    if len(text) <= limit:
        return text
    _, _, whole_lines = text[2 - limit :].partition("\n")
    return f"…\n{whole_lines}" if whole_lines else cut(text.rpartition("\n")[2], limit)


def one_line(text: str) -> str:
    """Without line breaks, control characters and bidirectional overrides, which could make a message read as something else."""
    return plain_text.one_line(text[:MAX_LINE])


def web_address(link: str | None) -> str | None:
    """The link if it is one that a vendor takes (http or https, no blanks), else None."""
    if link and len(link) <= 2000 and re.fullmatch(r"https?://[^\s<>|\"\\^`{}\x00-\x1f]+", link):
        return link
    return None


def duration(milliseconds: float) -> str:
    """A duration as people say it: `8.4 s`, `320 ms`, `2 min`."""
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 120_000:
        return f"{milliseconds / 1000:.3g} s"
    return f"{milliseconds / 60_000:.0f} min"


def ago(then: datetime, now: datetime) -> str:
    """How long before `now`: `just now`, `2 min ago`, `3 h ago`, `5 days ago`."""
    passed = now - then
    if passed < timedelta(minutes=1):
        return "just now"
    if passed < timedelta(hours=1):
        return f"{passed // timedelta(minutes=1)} min ago"
    if passed < timedelta(days=2):
        return f"{passed // timedelta(hours=1)} h ago"
    return f"{passed.days} days ago"


def _title(alert: Alert) -> str:
    """The alert's title with what was measured, which is what a person woken by it asks first."""
    title = cut(one_line(alert.title), MAX_TITLE - 100) or "(no title)"
    if alert.metric and alert.metric.value is not None:
        return f"{title}: now {_measured(alert.metric, alert.metric.value)}"
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


def _facts(notification: Notification) -> tuple[Fact, ...]:
    alert, numbers, details = notification.alert, notification.numbers, notification.details
    candidates = (
        ("Next", notification.then),
        ("Owner", notification.owner),
        ("Assigned to", numbers.assignee if numbers else None),
        ("Acknowledged", f"by {notification.acknowledged_by}" if notification.acknowledged_by else None),
        ("Code owner", ", ".join(details.owners) if details else None),
        ("Suspect commit", details.suspect_commit if details else None),
    )
    known = tuple(Fact(label=label, value=cut(one_line(value), MAX_FACT)) for label, value in candidates if value)
    known += tuple(_linked(notification))
    trend = shown(numbers.trend, notification.created_at) if numbers else ""
    return known + (_metric_facts(alert.metric) if alert.metric else _facts_of_event(alert, notification.created_at, trend))


def _linked(notification: Notification) -> Iterator[Fact]:
    """What a person would open."""
    if runbook := notification.runbook:
        yield Fact(label="Runbook", value=cut(one_line(runbook), MAX_FACT), link=web_address(runbook))
    for link in notification.links:
        if url := web_address(link.url):
            yield Fact(label=cut(one_line(link.vendor), MAX_NAME), value=cut(one_line(link.text), MAX_FACT), link=url)


def _facts_of_event(alert: Alert, now: datetime, trend: str) -> tuple[Fact, ...]:
    candidates = (
        ("Duration", duration(alert.duration_ms) if alert.duration_ms is not None else None),
        ("Events", _count(alert.event_count)),
        ("Users", _count(alert.user_count)),
        ("Alerts in 24 h", trend),
        ("Provider", alert.tag("payment.provider")),
        ("HTTP status", alert.tag("http.status_code")),
        ("First seen", ago(alert.first_seen, now) if alert.first_seen else None),
        ("Status", (alert.substatus or "").capitalize()),
        ("Level", alert.level.capitalize() if alert.category is Category.ERROR else None),
    )
    return tuple(Fact(label=label, value=cut(one_line(value), MAX_FACT)) for label, value in candidates if value)


def _metric_facts(metric: Metric) -> tuple[Fact, ...]:
    limit = f" (limit {_measured(metric, metric.threshold)})" if metric.threshold is not None else ""
    label = "Error rate" if metric.aggregate.startswith("failure_rate") else metric.aggregate or "Value"
    facts = [Fact(label="Sentry alert", value=cut(one_line(metric.rule_name), MAX_FACT))]
    if metric.value is not None:
        facts.insert(0, Fact(label=cut(one_line(label), MAX_NAME), value=_measured(metric, metric.value) + limit))
    if metric.window_minutes:
        facts.append(Fact(label="Window", value=f"{metric.window_minutes:g} min"))
    return tuple(fact for fact in facts if fact.value)


def _measured(metric: Metric, value: float) -> str:
    function, _, arguments = metric.aggregate.partition("(")
    if function.endswith("_rate") or function == "percentage":
        return f"{value * 100:.3g}%"
    if "duration" in arguments and not function.startswith("count"):
        return duration(value)
    return f"{value:,.6g}".replace(",", " ")


def _count(number: int | None) -> str | None:
    return None if number is None else f"{number:,}".replace(",", " ")


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
