"""A receiver fails, the service reports it to Sentry, and Sentry's alert of that comes back: it is told, and not there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from routing.notification import Reason, State
from storage import inspection
from storage.inspection import Listed
from tests.factories import Webhook, event_alert_webhook
from tests.service import Service, environment
from tests.stand_ins.sentry import Intake
from tests.stand_ins.server import Server
from tests.telemetry.reports import Fact, dsn, member, members
from tests.vendors import Vendors, critical_error

RULES = """
version: 1
receivers:
  chat: {kind: slack, channel: "#errors"}
  mail: {kind: email, to: [team@thebot.local]}
rules: [{name: all, when: "", notify: [chat]}]
watch: {notify: [chat, mail]}
"""


def webhook_of(report: Fact) -> Webhook:
    """What Sentry would send of an event that our SDK has sent."""
    tags = [[name, value] for name, value in {**member(report, "tags"), "level": "error"}.items()]  # type: ignore[dict-item]
    return event_alert_webhook(
        "Everything of the router",
        project=7,
        event_id=report["event_id"],
        issue_id="70001",
        title=report["message"],
        message=report["message"],
        level=report["level"],
        exception=None,
        tags=tags,
    )


def reports(intake: Server[Intake]) -> list[Fact]:
    return [event for event in intake.app.items("event") if str(event.get("message")).startswith("notification_dead")]


def came_of(running: Service, event_id: int) -> Sequence[Listed]:
    return inspection.listed(running.database, event_id=event_id)


def messages(vendors: Vendors) -> int:
    """How many Slack was asked to post; whether it would take one is asked now and then, too."""
    return len([request for request in vendors.slack.requests if request.path.endswith("/chat.postMessage")])


def test_an_alert_of_our_own_about_a_receiver_that_fails_goes_elsewhere(
    tmp_path: Path, sqlite_url: str, redis_url: str, vendors: Vendors
) -> None:
    (tmp_path / "rules.yaml").write_text(RULES)
    vendors.slack.app.refuses = "channel_not_found"
    with Server(Intake()) as sentry:
        own = {
            "SENTRY_DSN": dsn(sentry),
            "SENTRY_TRACES_SAMPLE_RATE": "1",
            "SENTRY_PROFILES_SAMPLE_RATE": "0",
            "SENTRY_RELEASE": "router@1",
        }
        variables = environment(sqlite_url, redis_url, **vendors.environment(), **own, RULES_FILE=str(tmp_path / "rules.yaml"))
        with Service(environment=variables, folder=tmp_path) as running:
            running.start_web()
            running.start_worker()
            running.post(critical_error())
            running.until("the failure is reported", lambda: bool(reports(sentry)))
            [report] = reports(sentry)
            asked = messages(vendors)

            _, answer = running.post(webhook_of(report))
            running.until("it is told elsewhere", lambda: State.SENT in {one.state for one in came_of(running, answer["event"])})

            told = {(one.receiver, one.reason, one.state) for one in came_of(running, answer["event"])}
            why = next(one.why for one in came_of(running, answer["event"]) if one.receiver == "chat")
            running.until("the traces are there", lambda: {"send", "plan", "web"} <= kinds(sentry))

    assert told == {("chat", Reason.OWN_FAILURE, State.HELD), ("mail", Reason.FALLBACK, State.SENT)}
    assert why.endswith("it tells that chat itself fails; told by mail")
    assert messages(vendors) == asked
    # The service tells by itself, too, that the receiver fails.
    assert len([mail for mail in vendors.mail.received if b"chat is not told of its own failure" in mail.content]) == 1
    assert member(report, "tags", "alert_router.receiver") == "chat"
    assert (report["release"], report["environment"]) == ("router@1", "test")
    steps = [crumb["message"] for crumb in members(report, "breadcrumbs", "values") if crumb["category"] == "delivery"]
    assert steps == ["claimed", "refused", "recorded"]
    assert member(report, "contexts", "log", "notification_id") == 1


def kinds(sentry: Server[Intake]) -> set[str]:
    """Of what traces there are that hold statements."""
    names = {"deliver email": "send", "worker.plan_events": "plan", "take_sentry": "web"}
    found = [one for one in sentry.app.items("transaction") if one["transaction"] == "deliver email" or "'op': 'db'" in str(one["spans"])]
    return {names.get(str(one["transaction"]), "") for one in found}
