"""The paths by which vendors tell what people did to incidents there. What they say is kept here, and done by a worker."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from flask import Flask, Response, abort, request

from routing import jira_webhooks, own_events, pagerduty_webhooks, slack_interactions
from settings import Settings
from web.intake import Keeper, accepted, check_token, whole_body

SLACK_HEADERS = ("X-Slack-Signature", "X-Slack-Request-Timestamp")
PAGERDUTY_HEADER = "X-PagerDuty-Signature"


def add_changes(app: Flask, settings: Settings, keep: Keeper) -> None:
    """Those whose secrets are set; the others answer 404."""

    @app.post("/webhooks/pagerduty")
    def take_pagerduty() -> tuple[Response, int]:
        """A V3 webhook of PagerDuty's."""
        keys, body = [secret.get_secret_value() for secret in settings.pagerduty_webhook_secrets], whole_body(settings.max_body_bytes)
        if not keys:
            abort(404)
        if not pagerduty_webhooks.verify_signature(body, request.headers.get(PAGERDUTY_HEADER, ""), keys):
            abort(401, "the signature does not fit the body: check PAGERDUTY_WEBHOOK_SECRETS against the subscription's secret")
        return accepted(keep(pagerduty_webhooks.RESOURCE, body))

    @app.post("/webhooks/jira/<token>")
    def take_jira(token: str) -> tuple[Response, int]:
        """A webhook of Jira's, which signs nothing."""
        check_token(token, settings.jira_webhook_token)
        return accepted(keep(jira_webhooks.RESOURCE, whole_body(settings.max_body_bytes)))

    @app.post("/slack/interactions")
    def take_slack() -> tuple[Response, int]:
        """What somebody pressed in Slack. The answer is due within three seconds."""
        secret, body = settings.slack_signing_secret, whole_body(settings.max_body_bytes)
        if secret is None:
            abort(404)
        signature, sent_at = (request.headers.get(header, "") for header in SLACK_HEADERS)
        if not slack_interactions.verify_signature(body, signature, sent_at, secret.get_secret_value(), datetime.now(UTC)):
            abort(401, "the signature does not fit the body, or is older than five minutes: check SLACK_SIGNING_SECRET, and the clock")
        for change in slack_interactions.read(body):
            keep(own_events.CHANGE, json.dumps(change).encode())
        return Response(), 200
