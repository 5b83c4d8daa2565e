"""What people do in one place is so in all of them, and then there is quiet: no place answers another for ever.

The vendors keep state, and tell by their own webhooks of all that becomes of it, also of what the router did there itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from routing.notification import State
from storage import inspection
from storage.tables import events
from tests.factories import issue_webhook
from tests.storage.planned import plan_all, store
from tests.web.everywhere import Everywhere, opened


@pytest.fixture
def everywhere(sqlite_url: str) -> Iterator[Everywhere]:
    """An issue that was told in all four places, and from which nobody has heard since."""
    with opened(sqlite_url) as found:
        found.fires()
        found.settle()
        yield found


def do(everywhere: Everywhere, deed: str) -> None:
    """`PagerDuty acknowledged`."""
    place, action = deed.split(" ", 1)
    {
        "Sentry": everywhere.sentry_does,
        "Slack": everywhere.slack_does,
        "PagerDuty": everywhere.pagerduty_does,
        "Jira": everywhere.jira_does,
    }[place](action)
    everywhere.settle()


FIRING = {"here": "firing", "Slack": "firing", "PagerDuty": "triggered", "Jira": "To Do", "Sentry": "unresolved", "assignee": ""}
ACKNOWLEDGED = {**FIRING, "here": "acknowledged", "Slack": "acknowledged", "PagerDuty": "acknowledged"}
RESOLVED = {"here": "resolved", "Slack": "resolved", "PagerDuty": "resolved", "Jira": "Done", "Sentry": "resolved", "assignee": ""}
ASSIGNED = {**FIRING, "assignee": "ann@example.com"}


def test_it_is_told_in_all_places(everywhere: Everywhere) -> None:
    assert everywhere.state() == FIRING


@pytest.mark.parametrize(
    ("deeds", "becomes"),
    [
        (["Slack acknowledge"], ACKNOWLEDGED),
        (["PagerDuty acknowledged"], ACKNOWLEDGED),
        (["Jira Doing"], {**ACKNOWLEDGED, "Jira": "Doing"}),
        (["Sentry resolved"], RESOLVED),
        (["Slack resolve"], RESOLVED),
        (["PagerDuty resolved"], RESOLVED),
        (["Jira Done"], RESOLVED),
        (["Sentry resolved", "Sentry unresolved"], FIRING),
        (["Jira Done", "PagerDuty reopened"], FIRING),
        (["PagerDuty resolved", "Jira To Do"], FIRING),
        (["Slack acknowledge", "PagerDuty resolved", "Sentry unresolved", "Slack acknowledge"], ACKNOWLEDGED),
        (["Slack assign"], ASSIGNED),
        (["Jira assigned"], ASSIGNED),
        (["PagerDuty reassigned"], ASSIGNED),
        (["Sentry assigned"], ASSIGNED),
    ],
    ids=lambda given: ", then ".join(given) if isinstance(given, list) else "",
)
def test_what_is_done_in_one_place_is_so_in_all(deeds: list[str], becomes: dict[str, str], everywhere: Everywhere) -> None:
    for deed in deeds:
        do(everywhere, deed)

    assert everywhere.state() == becomes
    assert [one for one in inspection.listed(everywhere.engine) if one.state in {State.DEAD, State.PLANNED}] == []
    assert len(everywhere.jira.app.issues) == 1


def test_what_the_router_did_in_sentry_ends_nothing_that_has_begun_again_since(everywhere: Everywhere) -> None:
    everywhere.pagerduty_does("resolved")
    everywhere.work()
    everywhere.fires()
    everywhere.work()
    everywhere.sentry_says("resolved", actor="application")
    everywhere.work()

    assert everywhere.state() == FIRING
    with everywhere.engine.connect() as connection:
        assert connection.execute(select(events.c.disposition).order_by(events.c.id.desc()).limit(1)).scalar() == "echo"


@pytest.mark.parametrize("place", ["PagerDuty", "Jira"])
def test_what_a_place_tells_late_of_the_routers_own_doing_ends_nothing_that_has_begun_again(place: str, everywhere: Everywhere) -> None:
    everywhere.sentry_does("resolved")
    everywhere.work()
    ended = everywhere.passed
    everywhere.later(seconds=10)
    everywhere.fires()
    everywhere.work()
    if place == "PagerDuty":
        everywhere.pagerduty_says("incident.resolved", who=None, done=ended)
    else:
        everywhere.jira_says("router", state="Done", done=ended)
    everywhere.work()

    assert everywhere.state() == FIRING


def test_nor_does_what_it_tells_late_of_who_had_taken_the_trouble_before_on(everywhere: Everywhere) -> None:
    everywhere.slack_does("acknowledge")
    everywhere.work()
    acknowledged = everywhere.passed
    everywhere.later(seconds=5)
    everywhere.sentry_does("resolved")
    everywhere.work()
    everywhere.later(seconds=20)
    everywhere.fires()
    everywhere.work()
    everywhere.pagerduty_says("incident.acknowledged", who=None, done=acknowledged)
    everywhere.work()

    assert everywhere.state() == FIRING


def test_what_the_router_reopened_in_jira_reopens_nothing_that_has_ended_since(everywhere: Everywhere) -> None:
    do(everywhere, "Sentry resolved")
    everywhere.later(minutes=5)
    everywhere.fires()
    everywhere.work()
    everywhere.later(seconds=20)
    everywhere.sentry_does("resolved")
    everywhere.work()
    everywhere.settle()

    assert everywhere.state() == RESOLVED


def test_what_somebody_reopened_before_the_last_end_is_over(everywhere: Everywhere) -> None:
    do(everywhere, "Sentry resolved")
    everywhere.later(minutes=12)
    reopened = everywhere.passed
    everywhere.fires()
    everywhere.settle()
    everywhere.later(minutes=5)
    do(everywhere, "Sentry resolved")
    everywhere.later(minutes=30)
    everywhere.pagerduty_says("incident.reopened", who="Ann Lee", done=reopened)
    everywhere.settle()

    assert everywhere.state() == RESOLVED


def test_what_was_not_passed_on_to_sentry_is_no_echo_when_sentry_tells_of_it(everywhere: Everywhere) -> None:
    everywhere.pagerduty_does("resolved")
    plan_all(everywhere.engine, everywhere.rules, at=everywhere.now)
    everywhere.later(minutes=3)
    everywhere.fires()
    everywhere.work()
    everywhere.later(hours=2)
    everywhere.sentry.app.issues["1"].status = "resolved"
    everywhere.sentry_says("resolved", actor="application")
    everywhere.work()

    assert everywhere.state() == RESOLVED


def test_what_people_do_in_jira_counts_in_the_order_in_which_they_did_it(everywhere: Everywhere) -> None:
    everywhere.later(minutes=5)
    now = everywhere.passed
    everywhere.jira_says("ann", state="To Do", done=now + timedelta(seconds=30))
    everywhere.jira_says("ann", state="Done", done=now + timedelta(seconds=20))
    everywhere.settle()

    assert everywhere.state() == FIRING


def test_what_people_do_in_pagerduty_counts_in_the_order_in_which_they_did_it(everywhere: Everywhere) -> None:
    everywhere.later(minutes=5)
    now = everywhere.passed
    everywhere.pagerduty_says("incident.unacknowledged", who="Ann Lee", done=now + timedelta(seconds=30))
    everywhere.pagerduty_says("incident.acknowledged", who="Ann Lee", done=now + timedelta(seconds=20))
    everywhere.work()

    assert everywhere.state() == FIRING


def test_an_end_that_was_over_when_sentry_told_of_it_ends_nothing(everywhere: Everywhere) -> None:
    do(everywhere, "Sentry resolved")
    do(everywhere, "Sentry unresolved")
    store(everywhere.engine, issue_webhook("resolved", id="1", status="unresolved", lastSeen="2030-01-01T00:00:00Z"), at=everywhere.now)
    everywhere.work()

    assert everywhere.state() == FIRING


def test_whoever_begins_with_it_in_jira_has_reopened_nothing(everywhere: Everywhere) -> None:
    do(everywhere, "Jira Doing")

    [root, *_] = everywhere.slack.app.messages["C0ERRORS1"]
    assert "acknowledged in Jira by ann" in json.dumps(everywhere.slack.app.messages["C0ERRORS1"])
    assert "Acknowledged" in json.dumps(root)
    [comment] = everywhere.sentry.app.issues["1"].comments
    assert comment.startswith("Acknowledged in Jira by ann\n")


def test_what_another_integration_does_there_counts(everywhere: Everywhere) -> None:
    everywhere.sentry_says("resolved", actor="application")
    everywhere.work()

    assert everywhere.state()["here"] == "resolved"


def test_each_place_links_to_the_others(everywhere: Everywhere) -> None:
    do(everywhere, "PagerDuty acknowledged")

    [root, *_] = everywhere.slack.app.messages["C0ERRORS1"]
    shown = json.dumps(root["blocks"])
    assert "<https://acme.pagerduty.com/incidents/PGR0VU2|PGR0VU2>" in shown
    assert f"<{everywhere.jira.url}/browse/OPS-1|OPS-1>" in shown
