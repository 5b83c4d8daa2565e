"""What people do in one place is so in all of them, and then there is quiet: no place answers another for ever.

The vendors keep state, and tell by their own webhooks of all that becomes of it, also of what the router did there itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from sqlalchemy import select

from routing.notification import State
from storage import inspection
from storage.tables import events
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
