"""What Sentry says of the integration that sends us webhooks: its subscriptions, what of them failed, and which alert rules name it.

Sentry's documentation names few of these; its own pages ask so. What a server does not have it answers with 404.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote

from pydantic import BaseModel, Field, TypeAdapter

from notifiers.errors import PermanentError
from notifiers.sentry_client import Organization

MOST_PROJECTS = 10
"""An older server is asked for the alert rules of so many."""


class Integration(BaseModel):
    """As `organizations/{org}/sentry-apps/` lists it."""

    slug: str
    name: str = ""
    uuid: str = ""
    status: str = ""
    events: tuple[str, ...] = ()
    """Resources to which it is subscribed; alerts come by alert rules, and are not among them."""
    scopes: tuple[str, ...] = ()
    isAlertable: bool = False  # noqa: N815 - the names are Sentry's
    """Whether alert rules can name it: Alert Rule Action."""
    webhookUrl: str | None = None  # noqa: N815


class FailedRequest(BaseModel):
    """A webhook that did not go well; 0: no answer in time."""

    eventType: str = ""  # noqa: N815 - the names are Sentry's
    date: str = ""
    responseCode: int = 0  # noqa: N815


class _App(BaseModel):
    uuid: str = ""
    slug: str = ""


class _Installation(BaseModel):
    uuid: str
    app: _App


class _Config(BaseModel):
    targetIdentifier: str | int | None = None  # noqa: N815 - the names are Sentry's
    targetDisplay: str | None = None  # noqa: N815


class _Action(BaseModel):
    """Of a workflow, or of an older alert rule."""

    type: str = ""
    config: _Config = _Config()
    sentryAppInstallationUuid: str | None = None  # noqa: N815
    service: str | None = None


class _Group(BaseModel):
    actions: tuple[_Action, ...] = ()


class _Workflow(BaseModel):
    name: str = ""
    enabled: bool = True
    actionFilters: tuple[_Group, ...] | None = None  # noqa: N815


class _Rule(BaseModel):
    name: str = ""
    status: str = "active"
    actions: tuple[_Action, ...] = Field(())


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """An alert rule in Sentry."""

    name: str
    is_ours: bool
    """Whether it tells our integration."""


_Integrations, _Requests = TypeAdapter(tuple[Integration, ...]), TypeAdapter(tuple[FailedRequest, ...])
_Installations = TypeAdapter(tuple[_Installation, ...])
_Workflows, _Rules = TypeAdapter(tuple[_Workflow, ...]), TypeAdapter(tuple[_Rule, ...])


def integrations(organization: Organization) -> Sequence[Integration]:
    """Those of the organization; needs `org:read`, as all that follow."""
    return organization.read(f"organizations/{organization.slug}/sentry-apps/", _Integrations)


def failed_requests(organization: Organization, slug: str) -> Sequence[FailedRequest]:
    """Its webhooks of the last days that did not go well, the latest first."""
    asked = "?errorsOnly=true"
    return _either(organization, f"sentry-apps/{slug}/webhook-requests/{asked}", f"sentry-apps/{slug}/requests/{asked}", _Requests)


def alert_rules(organization: Organization, ours: Integration) -> Sequence[AlertRule]:
    """The first hundred that are on; needs `alerts:read`. Of a server without workflows those of its first projects."""
    installed = {one.uuid for one in _installations(organization) if one.app.slug == ours.slug}
    try:
        found = organization.read(f"organizations/{organization.slug}/workflows/", _Workflows)
    except PermanentError as error:
        if error.status_code != HTTPStatus.NOT_FOUND:
            raise
        return _older_rules(organization, ours, installed)
    return [AlertRule(name=one.name, is_ours=_tells(_actions(one), ours, installed)) for one in found if one.enabled]


def _installations(organization: Organization) -> Sequence[_Installation]:
    return organization.read(f"organizations/{organization.slug}/sentry-app-installations/", _Installations)


def _older_rules(organization: Organization, ours: Integration, installed: set[str]) -> Sequence[AlertRule]:
    slugs = list(organization.projects().values())[:MOST_PROJECTS]
    rules = [rule for slug in slugs for rule in organization.read(f"projects/{organization.slug}/{quote(slug, safe='')}/rules/", _Rules)]
    return [AlertRule(name=one.name, is_ours=_tells(one.actions, ours, installed)) for one in rules if one.status == "active"]


def _actions(workflow: _Workflow) -> tuple[_Action, ...]:
    return tuple(action for group in workflow.actionFilters or () for action in group.actions)


def _tells(actions: Sequence[_Action], ours: Integration, installed: set[str]) -> bool:
    """By the installation, by the name, or by the integration's own number, which no list of Sentry's tells; then by its name alone."""
    for action in actions:
        named = {str(action.config.targetIdentifier), str(action.sentryAppInstallationUuid)}
        if named & installed or ours.slug == action.service or (action.type == "sentry_app" and action.config.targetDisplay == ours.name):
            return True
    return False


def _either(organization: Organization, path: str, older: str, model: TypeAdapter[tuple[FailedRequest, ...]]) -> Sequence[FailedRequest]:
    try:
        return organization.read(path, model)
    except PermanentError as error:
        if error.status_code != HTTPStatus.NOT_FOUND:
            raise
        return organization.read(older, model)
