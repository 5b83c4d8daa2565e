"""The pages about rules: what is in force, what it came to, what is wrong with the last edit, and what other rules would do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from routing.rules_loading import load
from storage import rules_edits, rules_versions
from storage.rules_counts import counted
from storage.users import Role
from tests.factories import NOW, event_alert_webhook
from tests.storage.planned import RULES, issue, make_rules, plan_all, store
from tests.web.console import SAME_SITE, Browser, signed_in
from tests.web.programs import api
from web.differences import differences
from web.rules_in_force import without_secrets

WEEK = timedelta(days=7)
KEY = "0123456789abcdef0123456789abcdef"
CANNOT_BE_TRIED: list[tuple[dict[str, str], str]] = [
    ({}, "Write the number of an event"),
    ({"event": "12345"}, "there is no event 12345"),
    ({"event": "9" * 40}, "Write the number of an event"),
    ({"body": "[]"}, "Which webhook is this?"),
    ({"body": "[]", "resource": "event_alert"}, "cannot be read"),
    ({"body": "{}", "resource": "change"}, "Which webhook is this?"),
    ({"event": "0" * 20 + "9" * 20}, "Write the number of an event"),
    ({"event": "1", "at": "tomorrow"}, "Write the time as"),
    ({"event": "1", "at": "9999-12-31T23:59"}, "Write the time as"),
    ({"event": "1", "at": "2026-03-04T23:30+02:00"}, "Write the time as"),
    ({"body": event_alert_webhook().body.decode(), "text": RULES + "#" * 140_000}, "more than 131,072 characters"),
]


@pytest.fixture
def browser(sqlite_url: str, stored: Engine, tmp_path: Path) -> Browser:
    """An operator's, where RULES are in force and in the file."""
    file = tmp_path / "rules.yaml"
    file.write_text(RULES)
    rules_versions.remember(stored, make_rules().version, {"": RULES}, datetime.now(UTC))
    return signed_in(sqlite_url, Role.OPERATOR, RULES_FILE=str(file))


def page(browser: Browser, path: str = "/rules") -> str:
    answer = browser.get(path)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def outcome(browser: Browser, **fields: str) -> str:
    answer = browser.client.post("/rules/try", data={"csrf_token": browser.token(), **fields}, headers=dict(SAME_SITE))
    assert answer.status_code == 200
    return answer.get_data(as_text=True).partition('id="outcome"')[2]


class TestCounts:
    def test_a_rule_counts_events_and_what_was_told_and_held_of_them(self, engine: Engine) -> None:
        store(engine, event_alert_webhook())
        plan_all(engine)
        store(engine, event_alert_webhook(event_id="f" * 32), at=NOW + timedelta(minutes=1))
        plan_all(engine, at=NOW + timedelta(minutes=1))

        found = counted(engine, NOW - WEEK)

        critical = found.by_rule["critical"]
        assert (critical.matched, critical.notified, critical.held) == (2, 2, 2)
        assert found.are_all

    def test_what_is_older_is_not_counted(self, engine: Engine) -> None:
        store(engine, event_alert_webhook())
        plan_all(engine)

        assert counted(engine, NOW + timedelta(hours=1)).by_rule == {}

    def test_of_more_than_are_looked_at_it_says_since_when(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("storage.rules_counts.MOST", 2)
        for number in range(3):
            at = NOW + timedelta(minutes=number)
            store(engine, issue(number), at=at)
            plan_all(engine, at=at)

        found = counted(engine, NOW - WEEK)

        assert (found.are_all, found.since) == (False, NOW + timedelta(minutes=1))
        assert found.by_rule["payment"].matched == 2


class TestEdits:
    def test_a_refusal_stands_until_an_edit_is_taken(self, engine: Engine) -> None:
        rules_edits.refuse(engine, file="rules.yaml", problems="rules.yaml:3:1: rules: missing", by="a", now=NOW)
        refused = rules_edits.last_refused(engine)
        rules_edits.take(engine, file="rules.yaml", version="abc", by="a", now=NOW)

        assert refused
        assert refused.problems == "rules.yaml:3:1: rules: missing"
        assert rules_edits.last_refused(engine) is None

    def test_many_workers_leave_one_line(self, engine: Engine) -> None:
        for worker in "abc":
            rules_edits.refuse(engine, file="rules.yaml", problems="wrong", by=worker, now=NOW)

        refused = rules_edits.last_refused(engine)
        assert refused
        assert refused.by == "a"

    def test_a_version_that_comes_back_is_the_one_in_force(self, engine: Engine) -> None:
        for number, version in enumerate(("abc", "def", "abc")):
            rules_versions.remember(engine, version, {"": version}, NOW + timedelta(hours=number))

        assert [one.version for one in rules_versions.listed(engine)] == ["abc", "def"]
        assert rules_versions.latest(engine) == "abc"


class TestRules:
    def test_the_page_shows_the_text_with_its_lines_and_the_rules(self, browser: Browser) -> None:
        text = page(browser)

        assert make_rules().version in text
        assert 'id="file-0-6"' in text
        assert "- {name: critical, when: &#34;tags.critical:true&#34;" in text
        assert "differs from what is in force" not in text

    def test_an_edit_that_no_worker_has_taken_is_shown(self, browser: Browser, tmp_path: Path) -> None:
        (tmp_path / "rules.yaml").write_text(RULES.replace("warning", "info"))

        text = page(browser)

        assert "differs from what is in force" in text
        assert "severity: info" in text

    def test_a_bad_edit_is_shown_with_its_lines(self, browser: Browser, stored: Engine, tmp_path: Path) -> None:
        (tmp_path / "rules.yaml").write_text(RULES.replace("notify: [chat]", "notify: [chta]"))
        rules_edits.refuse(stored, file="rules.yaml", problems="rules.yaml:7:1: no receiver <chta>", by="worker-a", now=NOW)

        text = page(browser)

        assert "The last edit was refused" in text
        assert "no receiver &lt;chta&gt;" in text
        assert "line 7" in text
        assert "did you mean &#34;chat&#34;?" in text

    def test_what_makes_no_sense_is_found(self, browser: Browser, stored: Engine) -> None:
        twice = RULES + '  - {name: never, when: "level:error level:fatal", notify: [chat]}\n'
        rules_versions.remember(stored, make_rules(twice).version, {"": twice}, datetime.now(UTC))

        assert "never-met" in page(browser)

    def test_a_version_that_nobody_can_have_kept_is_not_found(self, database_url: str) -> None:
        with api(database_url, CONSOLE_OPEN_ON_LOOPBACK="true") as (app, _):
            assert Browser(app).get("/rules/versions?from=%00&to=x").status_code == 404

    def test_two_versions_are_compared(self, browser: Browser, stored: Engine) -> None:
        before = make_rules(RULES).version
        changed = RULES.replace("warning", "info")
        after = make_rules(changed).version
        rules_versions.remember(stored, after, {"": changed}, datetime.now(UTC))

        text = page(browser, f"/rules/versions?from={before}&to={after}")

        assert text.count("line-added") == text.count("line-removed") == 1
        assert browser.get("/rules/versions?from=nobody&to=knows").status_code == 404

    def test_without_rules_in_force_it_says_so(self, sqlite_url: str) -> None:
        assert "No rules are in force yet" in page(signed_in(sqlite_url, Role.VIEWER))


def test_a_credential_that_was_written_into_the_file_is_shown_nowhere(sqlite_url: str, stored: Engine, tmp_path: Path) -> None:
    rules = (
        f"version: 1\nreceivers:\n  oncall: {{kind: pagerduty, routing_key: {KEY}}}\nrules:\n  - {{name: a, when: '', notify: [oncall]}}\n"
    )
    (tmp_path / "rules.yaml").write_text(f"{rules}# edited\n")
    rules_versions.remember(stored, "abc", {"": rules}, NOW)
    browser = signed_in(sqlite_url, RULES_FILE=str(tmp_path / "rules.yaml"))

    shown = [page(browser), page(browser, "/rules/try"), page(browser, "/rules/versions?from=abc&to=abc")]

    assert [KEY in text for text in shown] == [False] * 3
    assert "routing_key: hiddenhidden" in shown[0]


def test_texts_without_secrets_can_be_read_as_well() -> None:
    from notifiers.registry import KINDS  # noqa: PLC0415 - only here

    signing = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
    text = (
        f"version: 1\nreceivers:\n  a: {{kind: pagerduty, routing_key: {KEY}}}\n"
        f"  b: {{kind: webhook, url: 'https://hooks.example.com/t0ken', secret: {signing}}}\n"
        "rules:\n  - {name: a, when: 'level:error', notify: [a, b]}\n"
    )
    rules = load(text, kinds=KINDS, environment={})

    shown = without_secrets({"": text}, rules)[""]

    assert not [secret for secret in (KEY, "t0ken", signing) if secret in shown]
    assert load(shown, kinds=KINDS, environment={}).names == ("a",)


class TestTrying:
    def test_an_event_is_decided_by_the_edited_rules(self, browser: Browser, stored: Engine) -> None:
        event = store(stored, issue(1), at=datetime.now(UTC))
        edited = RULES.replace("tags.critical:true", "level:error")

        text = outcome(browser, text=edited, event=str(event))

        assert "Would be matched" in text
        assert "not met in force" in text
        assert "pager" in text
        assert "level is" in text

    def test_nothing_is_saved(self, browser: Browser, stored: Engine) -> None:
        event = store(stored, issue(1), at=datetime.now(UTC))

        outcome(browser, text=RULES.replace("payment, when", "other, when"), event=str(event))

        assert rules_versions.latest(stored) == make_rules().version
        assert counted(stored, NOW - WEEK).by_rule == {}

    def test_a_pasted_webhook_is_decided(self, browser: Browser) -> None:
        text = outcome(browser, text=RULES, body=event_alert_webhook().body.decode())

        assert "this webhook at" in text
        assert "tags.critical is" in text

    def test_problems_of_the_text_are_said_with_their_lines(self, browser: Browser) -> None:
        text = outcome(browser, text=RULES.replace("[chat]}", "[chta]}"), body=event_alert_webhook().body.decode())

        assert "line 7" in text
        assert '<tr id="text-7" class="table-warning">' in text

    def test_what_cannot_be_tried_is_said_in_words(self, browser: Browser) -> None:
        found = {said: said in outcome(browser, **{"text": RULES, **fields}) for fields, said in CANNOT_BE_TRIED}

        assert [said for said, is_said in found.items() if not is_said] == []

    def test_whatever_is_pasted_is_decided(self, database_url: str) -> None:
        """No database can hold a null character."""
        hostile = event_alert_webhook(issue_id="\0", title="\0<b>", environment="\ud800", tags=[["critical\0", "\ud800"]])

        browser = signed_in(database_url, Role.OPERATOR)
        text = outcome(browser, text=RULES, body=hostile.body.decode())
        browser.client.application.extensions["desk"].engine.dispose()

        assert "What each rule says" in text
        assert "<b>" not in text

    def test_variables_are_told_to_nobody(self, browser: Browser) -> None:
        """A condition says which value it wants: by one on a variable anybody could read all that the process knows."""
        leak = RULES.replace("tags.critical:true", "message:${SENTRY_CLIENT_SECRETS}")

        text = outcome(browser, text=leak, body=event_alert_webhook().body.decode())

        assert "variables are only known where the rules in force have them" in text
        assert "test-client-secret" not in text

    def test_events_are_tried_by_those_only_who_may_see_what_is_in_them(self, sqlite_url: str, stored: Engine) -> None:
        event = store(stored, issue(1))

        text = outcome(signed_in(sqlite_url, Role.VIEWER), text=RULES, event=str(event))

        assert "events hold personal data" in text


def test_differences_name_what_came_and_went() -> None:
    found = differences({"": "a\nb\nc", "x": "1"}, {"": "a\nB\nc", "x": "1", "y": "new"})

    assert [(line.kind, line.text) for line in found[""]][1:] == [("same", "a"), ("removed", "b"), ("added", "B"), ("same", "c")]
    assert [*found] == ["", "y"]
