"""Stable keys: which incident an alert belongs to, and whether the same thing was said before.

Both depend on the alert alone, never on rules.yaml, so that a change of the rules neither splits nor joins incidents. Who wants
several issues of Sentry's told as one asks for `fingerprint_key` beside them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from routing import fingerprint_template
from routing.alert import Alert, Category, Json, Status
from routing.fingerprint_template import Template
from routing.query import Facts, Query

_PLAIN = re.compile(r"[A-Za-z0-9_.:-]{1,120}")
_MAX_SLUG = 60
_SLUG = re.compile(rf"[A-Za-z0-9_.-]{{1,{_MAX_SLUG}}}")
_MAX_NAMED = 110
_METRIC_RULE = "metric-rule:"

_Parts = tuple[Json, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """Which alerts are told as one, whatever issues Sentry makes of them."""

    when: Query
    key: Template


def incident_key(alert: Alert) -> str:
    """The key of the incident that an alert is about, the same from its first sign to its end.

    `issue:<id>` for all that concerns a Sentry issue: alerts, changes, comments, Seer. The organization is not part of it:
    issue ids come from one sequence for a whole Sentry (all of sentry.io, or one self-hosted installation), and half of the
    webhooks do not name their organization, so that it would split incidents instead of keeping them apart.

    `metric:<organization id>:<number>` for a metric alert, whose numbers each organization counts for itself. Where its rule is
    named, `metric_key` joins it with the issue that Sentry opens beside it.

    `glitchtip:<id>` for an issue of GlitchTip, which counts its own.

    What people do elsewhere names the incident itself.

    `<category>:<project>:<hash>` for what has no id, by organization, project, culprit and title (or the metric alert's rule,
    because its title changes with its state).

    At most 200 characters, ASCII without blanks, fit for a Jira label and a PagerDuty dedup_key.
    """
    if alert.incident:
        return alert.incident
    if alert.metric_alert_id:
        return f"metric:{_plain(alert.metric_alert_id)}"
    if alert.issue_id:
        return f"{'glitchtip' if alert.resource == 'glitchtip' else 'issue'}:{_plain(alert.issue_id)}"
    kind = alert.resource if alert.category is Category.OTHER else alert.category
    project = re.sub(r"[^A-Za-z0-9_.-]", "", alert.project or "")[:_MAX_SLUG]
    subject = alert.metric.rule_name if alert.metric else alert.title
    return f"{_plain(kind or 'unknown')}:{project}:{_digest(alert.organization, alert.project, alert.culprit, subject)}"


def metric_key(alert: Alert) -> str | None:
    """The key that a metric alert shares with the issue that Sentry opens beside it, `metric-rule:<id>`; None for all else.

    One incident for all that its rule says: an event of the issue names the rule, and not the number of the metric alert. A rule has
    one metric alert open at a time, so what Sentry tells twice (getsentry/sentry#104492) is told once.
    """
    return f"{_METRIC_RULE}{_plain(alert.metric_rule_id)}" if alert.metric_rule_id else None


def is_of_metric(key: str) -> bool:
    """Whether an incident is known by a `metric_key`."""
    return key.startswith(_METRIC_RULE)


def issue_of(key: str) -> str | None:
    """The number of Sentry's issue of which an `incident_key` is; None: of something else."""
    kind, _, number = key.partition(":")
    return number if kind == "issue" and number.isascii() and number.isdecimal() else None


def fingerprint_key(alert: Alert, fingerprints: Sequence[Fingerprint]) -> str | None:
    """The key under which rules.yaml joins an alert with others, None if it stays with its own `incident_key`.

    `fingerprint:<project>:<key>` by the first fingerprint whose condition is met and whose places the alert can all fill, such as
    `fingerprint:shop-api:IntegrityError.unique_constraint`. At most 200 characters, ASCII without blanks, like an incident key;
    two keys that differ stay apart, for what had to be cut or replaced in one is told by a hash at its end.

    None for metric alerts, for what can never fire, and where the project is unknown: what two projects say is never joined.

    What an alert can fill depends on its kind. An event carries all that there is. A change of an issue (created, resolved,
    archived, unresolved) carries type and message of the issue's *latest* event and its culprit: it fills `error.type`, `field`,
    `constraint`, `property` and `variable`, and `path` where the culprit is a route; not `method`, `endpoint` and tags. A comment
    fills nothing. So it is asked once, of the first alert of an issue that fires; `World` remembers where the issue went.
    """
    if alert.metric_alert_id or alert.metric or alert.category is Category.OTHER or not alert.project:
        return None
    facts = Facts(alert)
    filled = (fingerprint.key.fill(alert) for fingerprint in fingerprints if fingerprint.when.check(facts).matched)
    named = next(filter(None, filled), None)
    return f"fingerprint:{_slug(alert.project)}:{_named(named)}" if named else None


def content_key(alert: Alert) -> str | None:
    """The key by which the same thing said twice is recognised (protocol reference, part 3.5); None where nothing is safe.

    At most 64 characters.

    Equal keys mean the same words about the same subject. They do not prove a repetition when something else was said of the
    incident in between: who resolves, reopens and resolves an issue makes Sentry say the same thing twice, and means it.

    Never the same for two actions, with one exception: `ignored` and `archived`, which Sentry sent both for one act in 2024.
    """
    parts_of = _CONTENT.get(alert.resource)
    try:
        parts = parts_of(alert) if parts_of else None
    except RecursionError:  # a payload just shallow enough to be read
        parts = None
    if parts is None:
        return None
    action = "archived" if alert.status is Status.ARCHIVED else alert.action
    return f"{alert.resource}:{_digest(alert.installation, action, *parts)}"


def _event_alert(alert: Alert) -> _Parts | None:
    return (alert.event_id, alert.issue_id, alert.sentry_rule) if alert.event_id else None


def _error(alert: Alert) -> _Parts | None:
    return (alert.event_id,) if alert.event_id else None


def _issue(alert: Alert) -> _Parts | None:
    return (alert.issue_id, alert.substatus, _dumped(alert.payload)) if alert.issue_id else None


def _metric_alert(alert: Alert) -> _Parts | None:
    # The link carries the notification_uuid; old versions have none, and only the measured value tells two messages apart.
    return (alert.metric_alert_id, alert.title, alert.link, alert.text) if alert.metric_alert_id else None


def _comment(alert: Alert) -> _Parts | None:
    return (_dumped(alert.payload),) if alert.payload else None


def _pagerduty(alert: Alert) -> _Parts | None:
    return (alert.event_id, alert.incident) if alert.event_id else None


_CONTENT: Mapping[str, Callable[[Alert], _Parts | None]] = {
    "event_alert": _event_alert,
    "legacy": _event_alert,
    "error": _error,
    "issue": _issue,
    "metric_alert": _metric_alert,
    "comment": _comment,
    "pagerduty": _pagerduty,
}


def _slug(project: str) -> str:
    return project if _SLUG.fullmatch(project) else f"sha256-{_digest(project)}"


def _named(name: str) -> str:
    fit = fingerprint_template.fit(name[:_MAX_NAMED])
    return name if fit == name else f"{fit}-{_digest(name)[:16]}"


def _plain(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else f"sha256-{_digest(name)}"


def _digest(*parts: Json) -> str:
    return hashlib.sha256(_dumped(parts).encode()).hexdigest()[:32]


def _dumped(value: Json) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
