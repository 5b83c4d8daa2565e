"""Incidents in the console: the list, the life of one, what happens next, and what people do about it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, update

from notifiers.configuration import read_rules
from routing.alert import Status
from routing.notification import State
from routing.own_events import Change
from routing.rules import RuleSet
from storage import audit, incident_desk, incident_story, rules_versions, silences
from storage.incident_desk import Somebody
from storage.tables import announcements, incidents, notifications
from storage.users import Role
from tests.factories import NOW, event_alert_webhook, make_silence
from tests.storage.planned import incident_rows, issue, make_many, make_rules, plan_all, store
from tests.test_app import make_settings
from tests.web.console import SAME_SITE, Browser, signed_in
from web.pages.incident_ahead import coming

HOSTILE = "<script>alert(1)</script>"
ESCALATES = """\
version: 1
receivers:
  chat: {kind: preview}
  boss: {kind: preview}
rules:
  - name: payment
    when: payment
    notify: [chat]
    repeat: 4h
    escalate: [{after: 15m, notify: [boss], unless: assigned}]
"""
WITH_SENTRY = """\
version: 1
receivers:
  chat: {kind: preview}
  sentry: {kind: sentry}
rules:
  - {name: payment, when: payment, notify: [chat]}
"""
HAS_TOKEN = {"SENTRY_API_TOKEN": "sentry-token", "SENTRY_ORG": "acme"}
ANN = Somebody(name="Ann Lee", where="Slack")


def in_force(engine: Engine, text: str, database_url: str, **variables: str) -> RuleSet:
    """These rules, as a worker has said."""
    rules = read_rules(text, make_settings(database_url, **variables))
    rules_versions.remember(engine, rules.version, {"": text}, NOW)
    return rules


def only_id(engine: Engine) -> int:
    [(id_,)] = incident_rows(engine, incidents.c.id)
    assert isinstance(id_, int)
    return id_


def text_of(browser: Browser, path: str) -> str:
    answer = browser.get(path)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_data(as_text=True)


class TestStorage:
    def test_the_list_goes_on_where_it_ended_however_many_came_at_one_time(self, engine: Engine) -> None:
        for number in range(5):
            store(engine, issue(number), at=NOW + timedelta(seconds=number // 2))
        plan_all(engine)

        shown: list[int] = []
        before = None
        while page := incident_desk.listed(engine, status=Status.FIRING, limit=2, before=before):
            shown += [one.id for one in page]
            before = page[-1].last_alert_at, page[-1].id

        assert shown == [one.id for one in incident_desk.listed(engine, status=None, limit=100)]
        assert len(shown) == 5

    def test_what_is_muted_for_hours_says_until_when(self, engine: Engine) -> None:
        store(engine, issue(1))
        plan_all(engine)

        incident_desk.change(engine, "issue:1", Change.SILENCED, ANN, NOW, hours=4)
        plan_all(engine)

        life = incident_desk.life(engine, "issue:1")
        assert life
        assert life.quiet
        assert life.quiet.until == NOW + timedelta(hours=4)

    def test_only_what_is_over_is_reopened_and_nothing_else_is_done_to_it(self, engine: Engine) -> None:
        store(engine, issue(1))
        plan_all(engine)

        assert incident_desk.change(engine, "issue:1", Change.REOPENED, ANN, NOW) is None
        incident_desk.change(engine, "issue:1", Change.RESOLVED, ANN, NOW)
        plan_all(engine)

        assert incident_desk.change(engine, "issue:1", Change.RESOLVED, ANN, NOW) is None
        assert incident_desk.change(engine, "issue:1", Change.REOPENED, ANN, NOW) == "issue:1"

    def test_what_was_told_in_a_message_of_several_is_told_of_each(self, engine: Engine) -> None:
        store(engine, issue(1))
        store(engine, issue(2))
        plan_all(engine)
        ids = [row[0] for row in incident_rows(engine, incidents.c.id)]
        with engine.begin() as connection:
            of_first = notifications.c.incident_id == ids[0]
            connection.execute(update(notifications).where(of_first).values(subject="group:a", others='[{"incident":"issue:2"}]'))
            connection.execute(update(announcements).values(subject="group:a"))

        told = [incident_story.messages(engine, int(str(id_)), key, limit=10) for id_, key in zip(ids, ("issue:1", "issue:2"), strict=True)]

        assert [len(one) for one in told] == [1, 2]

    def test_messages_of_several_are_found_page_after_page(self, engine: Engine) -> None:
        make_many(engine, 1, 1, 1, 1, 1)
        store(engine, issue(2))
        plan_all(engine)
        ids = [row[0] for row in incident_rows(engine, incidents.c.id)]
        with engine.begin() as connection:
            of_first = notifications.c.incident_id == ids[0]
            connection.execute(update(notifications).where(of_first).values(subject="group:a", others='[{"incident":"issue:2"}]'))
            connection.execute(update(announcements).values(subject="group:a"))

        pages, before = [], None
        while page := incident_story.messages(engine, int(str(ids[1])), "issue:2", limit=2, before=before):
            pages.append([one.id for one in page])
            before = page[-1].id

        assert [id_ for page in pages for id_ in page] == [6, 5, 4, 3, 2, 1]

    def test_a_change_is_told_once_as_a_turn_of_its_life(self, engine: Engine) -> None:
        store(engine, issue(1))
        plan_all(engine)
        incident_desk.change(engine, "issue:1", Change.ACKNOWLEDGED, ANN, NOW)
        plan_all(engine)

        heard = incident_story.heard(engine, only_id(engine), limit=10)

        assert [one.is_alert for one in heard] == [True]

    def test_the_silences_are_said_that_hold_its_alerts_now_or_later(self, engine: Engine) -> None:
        event = store(engine, issue(1))
        plan_all(engine)
        for matcher, begins in (("environment:production", 0), ("environment:production", 1), ("environment:staging", 0)):
            silences.add(engine, make_silence(matcher, begins=timedelta(hours=begins)), NOW)

        found = silences.holding(engine, event, NOW)

        assert [one.starts_at for one in found] == [NOW, NOW + timedelta(hours=1)]


class TestAhead:
    def test_it_says_whom_a_rule_tells_when_and_what_would_call_it_off(self, engine: Engine) -> None:
        rules = make_rules(ESCALATES)
        store(engine, issue(1))
        plan_all(engine, rules)
        life = incident_desk.life(engine, "issue:1")
        assert life

        said = {one.at: one.words for one in coming(life, rules, ())}

        assert said[NOW + timedelta(minutes=15)] == "payment escalates to boss, unless it is assigned."
        assert said[NOW + timedelta(hours=4)] == "payment reminds chat, if it still fires and nobody has acknowledged it."

    def test_a_rule_that_is_gone_is_named_all_the_same(self, engine: Engine) -> None:
        store(engine, issue(1))
        plan_all(engine, make_rules(ESCALATES))
        life = incident_desk.life(engine, "issue:1")
        assert life

        assert {one.words.split()[0] for one in coming(life, None, ())} == {"payment"}


class TestPages:
    def test_the_list_has_filters_and_pages(self, sqlite_url: str, stored: Engine) -> None:
        for number in range(55):
            store(stored, issue(number, title=f"PaymentError {number} {HOSTILE}"), at=NOW + timedelta(seconds=number))
        plan_all(stored)
        browser = signed_in(sqlite_url, Role.VIEWER)

        first = text_of(browser, "/incidents")
        following = first.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
        second = text_of(browser, following)

        assert "PaymentError 54" in first
        assert "PaymentError 4 " not in first
        assert "PaymentError 4 " in second
        assert HOSTILE not in first
        assert "Nothing is resolved" in text_of(browser, "/incidents?status=resolved")

    @pytest.mark.parametrize(
        "query", ["status=odd", "before=x", "before=2026-03-04T10:15_x", "before=1_1", "before=2026-03-04T10:15_" + "9" * 30]
    )
    def test_a_list_of_nonsense_is_refused(self, sqlite_url: str, query: str) -> None:
        assert signed_in(sqlite_url).get(f"/incidents?{query}").status_code == 400

    def test_an_incident_shows_its_life_and_what_comes_next(self, sqlite_url: str, stored: Engine) -> None:
        rules = in_force(stored, ESCALATES, sqlite_url)
        store(stored, issue(1, title=f"PaymentError {HOSTILE}"))
        plan_all(stored, rules)
        incident_desk.change(stored, "issue:1", Change.ACKNOWLEDGED, ANN, NOW)
        plan_all(stored, rules)
        with stored.begin() as connection:
            connection.execute(update(notifications).values(state=State.SENT, link="https://acme.slack.com/archives/C1/p1"))

        text = text_of(signed_in(sqlite_url), f"/incidents/{only_id(stored)}")

        assert "Acknowledged</strong> by Ann Lee in Slack" in text
        assert "payment escalates to boss" in text
        assert 'href="https://acme.slack.com/archives/C1/p1"' in text
        assert 'href="/alerts/1"' in text
        assert HOSTILE not in text

    def test_a_link_that_is_no_web_address_is_none(self, sqlite_url: str, stored: Engine) -> None:
        store(stored, issue(1))
        plan_all(stored)
        with stored.begin() as connection:
            connection.execute(update(notifications).values(link="javascript:alert(1)"))

        assert "javascript:" not in text_of(signed_in(sqlite_url), f"/incidents/{only_id(stored)}")

    def test_a_long_life_is_shown_in_parts_and_nothing_is_left_out(self, sqlite_url: str, stored: Engine) -> None:
        for number in range(70):
            store(stored, issue(1, number, title=f"PaymentError no {number}"), at=NOW + timedelta(seconds=number))
        plan_all(stored)
        browser = signed_in(sqlite_url)

        path, text = f"/incidents/{only_id(stored)}", ""
        while path:
            page = text_of(browser, path)
            text += page
            path = page.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")

        assert {number for number in range(70) if f"PaymentError no {number}<" in text} == {*range(70)}
        assert text.count("Began</strong>") == 1

    @pytest.mark.parametrize("query", ["show=odd", "before=1", "before=1.2.x"])
    def test_a_life_of_nonsense_is_refused(self, sqlite_url: str, stored: Engine, query: str) -> None:
        store(stored, issue(1))
        plan_all(stored)

        assert signed_in(sqlite_url).get(f"/incidents/1?{query}").status_code == 400

    @pytest.mark.parametrize("path", ["/incidents/5", f"/incidents/{10**30}", "/incidents/0"])
    def test_what_is_not_there_is_said_to_be_not_there(self, sqlite_url: str, path: str) -> None:
        assert signed_in(sqlite_url).get(path).status_code == 404

    def test_a_viewer_is_offered_nothing(self, sqlite_url: str, stored: Engine) -> None:
        store(stored, issue(1))
        plan_all(stored)

        assert "Acknowledge" not in text_of(signed_in(sqlite_url, Role.VIEWER), "/incidents/1")

    def test_values_that_met_a_condition_are_shown_to_viewers_unless_they_are_somebodys(self, sqlite_url: str, stored: Engine) -> None:
        store(stored, event_alert_webhook())
        plan_all(stored)

        assert "tags.critical is &#34;true&#34;" in text_of(signed_in(sqlite_url, Role.VIEWER), "/incidents/1")


class TestActs:
    def test_what_somebody_does_is_done_told_and_written_down(self, sqlite_url: str, stored: Engine) -> None:
        store(stored, issue(1))
        plan_all(stored)
        browser = signed_in(sqlite_url, Role.OPERATOR)

        answer = browser.post("/incidents/1/change", what="acknowledge")
        plan_all(stored)

        assert answer.status_code == 303
        life = incident_desk.life(stored, "issue:1")
        assert life
        assert life.incident.acknowledged_by == "operator in the console"
        [entry] = audit.listed(stored)
        assert (entry.who, entry.action, entry.subject) == ("operator", "incident.acknowledge", "incident 1")
        assert "Give back" in text_of(browser, "/incidents/1")

    def test_it_is_muted_for_as_long_as_was_chosen(self, sqlite_url: str, stored: Engine) -> None:
        store(stored, issue(1))
        plan_all(stored)

        signed_in(sqlite_url).post("/incidents/1/change", what="mute", hours="8")
        plan_all(stored)

        life = incident_desk.life(stored, "issue:1")
        assert life
        assert life.quiet
        [event] = incident_story.heard(stored, 1, limit=1, before=None)
        assert life.quiet.until - event.received_at > timedelta(hours=8)

    def test_what_is_over_meanwhile_is_left_alone_and_that_is_said(self, sqlite_url: str, stored: Engine) -> None:
        store(stored, issue(1))
        plan_all(stored)
        incident_desk.change(stored, "issue:1", Change.RESOLVED, ANN, NOW)
        plan_all(stored)
        browser = signed_in(sqlite_url)

        browser.post("/incidents/1/change", what="acknowledge")

        assert "It is over by now" in text_of(browser, "/incidents/1")
        assert audit.listed(stored) == ()

    @pytest.mark.parametrize("fields", [{"what": "odd"}, {"what": "mute", "hours": "7"}, {}])
    def test_nonsense_is_refused(self, sqlite_url: str, stored: Engine, fields: dict[str, str]) -> None:
        store(stored, issue(1))
        plan_all(stored)

        assert signed_in(sqlite_url).post("/incidents/1/change", SAME_SITE, **fields).status_code == 400

    @pytest.mark.parametrize(("variables", "is_offered"), [(HAS_TOKEN, True), ({}, False)])
    def test_reopening_is_offered_where_sentry_can_be_asked(
        self, sqlite_url: str, stored: Engine, variables: dict[str, str], *, is_offered: bool
    ) -> None:
        rules = in_force(stored, WITH_SENTRY, sqlite_url, **variables)
        store(stored, issue(1))
        plan_all(stored, rules)
        incident_desk.change(stored, "issue:1", Change.RESOLVED, ANN, NOW)
        plan_all(stored, rules)
        browser = signed_in(sqlite_url, Role.ADMIN, **variables)

        assert ("Reopen in Sentry" in text_of(browser, "/incidents/1")) is is_offered
        browser.post("/incidents/1/change", what="reopen")
        plan_all(stored, rules)

        told = incident_story.messages(stored, 1, "issue:1", limit=1)[0]
        assert (told.receiver, told.reason) == ("sentry", "reopened")
