"""Sentry: the token, the integration that sends us webhooks, what of them failed, and which alert rules name it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from urllib.parse import urlsplit

from notifiers.errors import DeliveryError
from notifiers.sentry_client import Organization
from notifiers.sentry_integration import FailedRequest, Integration, alert_rules, failed_requests, integrations
from routing.query_tree import Term, TextValue, conditions
from routing.rules import RuleSet
from watch.doctor.finding import Finding, Says
from watch.doctor.patient import Patient

SAYS = Says(group="sentry")
PATH = "/webhooks/sentry"
MOST = 5
NEEDED = {
    "event:read": "reading tags of issues, whose own webhooks have none",
    "project:read": "names of projects",
    "org:read": "looking after the integration, and the error rate",
    "alerts:read": "looking after alert rules",
}
"""By scope what it is for; sentry-webhooks, 9."""
_FAMILIES = {
    "event:read": ("event:write", "event:admin"),
    "project:read": ("project:write", "project:admin"),
    "org:read": ("org:write", "org:admin"),
}
"""By scope those that let do the same and more."""
_SUBSCRIBED = {"issue": "ends, assignments and comments of incidents", "error": "", "comment": ""}
_SCOPES = "give the integration the permission in Sentry (Settings > Custom Integrations), and make a new token where it is a public one"


def look(patient: Patient) -> Iterator[Finding]:
    """Token scopes, subscriptions, last errors, alert rules."""
    settings = patient.settings
    if not settings.sentry_api_token or not settings.sentry_org:
        missing = "SENTRY_API_TOKEN" if not settings.sentry_api_token else "SENTRY_ORG"
        way_out = f"set {missing}; docs/doctor.md says with which scopes"
        yield SAYS.unchecked("token", f"{missing} is not set, so Sentry cannot be asked", way_out)
        return
    url, slug, timeouts = settings.sentry_base_url, settings.sentry_org, patient.network.timeouts
    organization = Organization(url, slug, token=settings.sentry_api_token, timeouts=timeouts, clock=patient.clock)
    try:
        scopes = organization.scopes()
    except DeliveryError as error:
        yield SAYS.fault("token", str(error), "see to SENTRY_BASE_URL and SENTRY_API_TOKEN, and to the way to Sentry")
        return
    yield from _token(scopes, patient)
    yield from _integration(organization, patient)


def _token(scopes: frozenset[str] | None, patient: Patient) -> Iterator[Finding]:
    if scopes is None:
        yield SAYS.fault("token", "Sentry does not know it", "make a new one on the integration's page in Sentry, and set SENTRY_API_TOKEN")
        return
    yield SAYS.ok("token", f"scopes: {', '.join(sorted(scopes)) or 'none'}")
    needed = NEEDED | ({"event:write": "what people do elsewhere"} if _writes(patient.rule_set) else {})
    for scope, purpose in needed.items():
        if not scopes & {scope, *_FAMILIES.get(scope, ())}:
            yield SAYS.warning("scopes", f"the token has no {scope}, which is for {purpose}", _SCOPES)


def _writes(rules: RuleSet | None) -> bool:
    return rules is not None and any(one.kind == "sentry" for one in rules.receivers.values())


def _integration(organization: Organization, patient: Patient) -> Iterator[Finding]:
    try:
        found = integrations(organization)
    except DeliveryError as error:
        yield _unasked("integration", error, "org:read")
        return
    ours = _ours(found, patient)
    if ours is None:
        listed = ", ".join(f"{one.slug} ({_host(one.webhookUrl)})" for one in found[:MOST]) or "none"
        seen = f"no integration of {organization.slug} has a webhook URL that ends with {PATH}: {listed}"
        yield SAYS.fault("integration", seen, f"set its Webhook URL to https://<this service>{PATH}")
        return
    yield SAYS.ok("integration", f"{ours.slug}, webhooks go to {_host(ours.webhookUrl)}")
    yield from _address(ours, patient)
    yield from _subscriptions(ours, patient.rule_set)
    yield _asked("last errors", "org:read", lambda: _errors(failed_requests(organization, ours.slug)))
    yield _asked("alert rules", "alerts:read", lambda: _rules(organization, ours))


def _ours(found: Sequence[Integration], patient: Patient) -> Integration | None:
    """That which sends to us: by our address, else the only one with our path."""
    ours = [one for one in found if urlsplit(one.webhookUrl or "").path.rstrip("/") == PATH]
    host = urlsplit(patient.settings.public_url or "").hostname
    return next((one for one in ours if urlsplit(one.webhookUrl or "").hostname == host), ours[0] if ours else None)


def _address(ours: Integration, patient: Patient) -> Iterator[Finding]:
    expected, found = urlsplit(patient.settings.public_url or "").hostname, urlsplit(ours.webhookUrl or "").hostname
    if expected and found != expected:
        seen = f"its webhooks go to {found}, and PUBLIC_URL is {expected}"
        yield SAYS.warning("address", seen, "set the Webhook URL to this service, unless both names lead here")


def _subscriptions(ours: Integration, rules: RuleSet | None) -> Iterator[Finding]:
    if ours.isAlertable:
        yield SAYS.ok("alert rule action", "alert rules can name it")
    else:
        seen = "it is off: no alert rule can name the integration, and no event_alert or metric_alert comes"
        yield SAYS.fault("alert rule action", seen, "switch Alert Rule Action on in the integration's settings in Sentry")
    missing = sorted({"issue", *_resources(rules)} & _SUBSCRIBED.keys() - set(ours.events))
    for resource in missing:
        purpose = _SUBSCRIBED[resource] or f"rules with resource:{resource}"
        seen = f"it is not subscribed to {resource}, which is for {purpose}"
        way_out = f"tick {resource} under Webhooks in the integration's settings in Sentry"
        yield SAYS.fault("subscriptions", seen, way_out) if resource == "issue" else SAYS.warning("subscriptions", seen, way_out)
    if not missing:
        yield SAYS.ok("subscriptions", ", ".join(ours.events) or "none, and none is needed")


def _resources(rules: RuleSet | None) -> set[str]:
    """Those by name for which rules ask."""
    asked = (one for rule in (rules.rules if rules else ()) for one in conditions(rule.when.tree) if isinstance(one, Term))
    return {value.text for one in asked if one.key.name == "resource" for value in one.values if isinstance(value, TextValue)}


def _errors(failed: Sequence[FailedRequest]) -> Finding:
    if not failed:
        return SAYS.ok("last errors", "none of its webhooks failed lately")
    last = failed[0]
    code = f"HTTP {last.responseCode}" if last.responseCode else "no answer within its time"
    seen = f"{len(failed)} webhooks failed, the last one {last.date[:19]}: {last.eventType}, {code}"
    way_out = {
        401: "compare SENTRY_CLIENT_SECRETS with the integration's Client Secret",
        413: "raise MAX_BODY_BYTES",
        503: "see to the database: `database` above; set SPOOL_DIR",
        0: "see to the way from Sentry to here: proxy, certificate, firewall; Sentry waits one second",
    }
    return SAYS.warning("last errors", seen, way_out.get(last.responseCode, "see the log of `web` and of the proxy at that time"))


def _rules(organization: Organization, ours: Integration) -> Finding:
    found = alert_rules(organization, ours)
    silent = [one.name for one in found if not one.is_ours]
    if not found:
        way_out = f"make an alert in Sentry with the action: send a notification via {ours.name or ours.slug}"
        return SAYS.fault("alert rules", "there is none, so no event_alert ever comes", way_out)
    if not silent:
        return SAYS.ok("alert rules", f"each of {len(found)} tells the integration")
    named = ", ".join(f'"{name}"' for name in silent[:MOST]) + (f" and {len(silent) - MOST} more" if len(silent) > MOST else "")
    way_out = f"add to each that matters the action: send a notification via {ours.name or ours.slug}"
    if len(silent) == len(found):
        return SAYS.fault("alert rules", f"none of {len(found)} tells the integration: {named}", way_out)
    return SAYS.warning("alert rules", f"{len(silent)} of {len(found)} do not tell the integration: {named}", way_out)


def _asked(name: str, scope: str, ask: Callable[[], Finding]) -> Finding:
    try:
        return ask()
    except DeliveryError as error:
        return _unasked(name, error, scope)


def _unasked(name: str, error: DeliveryError, scope: str) -> Finding:
    if error.status_code == 403:
        return SAYS.unchecked(name, f"the token may not ask: it has no {scope}", _SCOPES)
    if error.status_code == 404:
        way_out = "see to SENTRY_ORG; an older or other server may have no such page, then look there yourself"
        return SAYS.unchecked(name, "Sentry has no such page", way_out)
    return SAYS.unchecked(name, str(error), "try again; see to the way to Sentry")


def _host(url: str | None) -> str:
    """Without what may be a token in it."""
    return urlsplit(url or "").hostname or "nowhere"
