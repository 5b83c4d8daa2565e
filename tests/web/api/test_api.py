"""The API: what it shows, and what is done by it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import Engine, insert, select, text

from routing.alert import Json
from storage import audit, incident_desk, inspection, silences
from storage.tables import notifications
from storage.tokens import Scope
from tests.factories import event_alert_webhook
from tests.storage.planned import issue, make_rules, notified, plan_all, prune_bodies, store
from tests.web.programs import RULES, Program, api, put_in_force

SOON = timedelta(hours=1)


def rung(app: Flask) -> list[str]:
    """The bells that are rung from now on."""
    heard: list[str] = []
    app.extensions["desk"] = replace(app.extensions["desk"], ring=heard.append)
    return heard


class TestReading:
    def test_a_list_goes_on_until_there_is_no_more(self, reader: Program, engine: Engine) -> None:
        numbers = [store(engine, issue(number)) for number in range(5)]

        found, path = [], "/api/v1/events?limit=2"
        while path:
            answer = reader.client.get(path, headers=reader.headers)
            assert answer.json
            found += [one["id"] for one in answer.json["items"]]
            path = answer.json["next"]
            assert (f'<{path}>; rel="next"' if path else None) == answer.headers.get("Link")

        assert found == numbers[::-1]

    def test_an_event_says_why_it_was_told(self, reader: Program, engine: Engine) -> None:
        told = notified(engine)

        event = reader.get(f"/events/{told.event_id}").json

        assert event
        assert (event["state"], event["disposition"]) == ("planned", "matched")
        assert [one["rule"] for one in event["trace"] if one["matched"]] == ["payment"]
        assert told.id in [one["id"] for one in event["notifications"]]

    def test_of_many_who_were_told_the_first_ones_are_shown(self, reader: Program, engine: Engine) -> None:
        event_id = store(engine, issue(1))
        plan_all(engine)
        with engine.begin() as connection:
            (row,) = connection.execute(select(notifications).where(notifications.c.event_id == event_id).limit(1)).mappings()
            more = [{**row, "id": 1000 + number, "occasion": f"again {number}", "state": "held"} for number in range(120)]
            connection.execute(insert(notifications), more)

        event = reader.get(f"/events/{event_id}").json

        assert event
        assert event["notifications"][0]["id"] == row["id"]

    def test_of_a_pruned_event_it_says_when_that_was(self, reader: Program, engine: Engine) -> None:
        told = notified(engine)
        before = reader.get(f"/events/{told.event_id}").json
        prune_bodies(engine)

        after = reader.get(f"/events/{told.event_id}").json

        assert before
        assert after
        assert before["pruned_at"] is None
        assert after["pruned_at"].startswith("2026-05-03T10:15:32")

    def test_what_was_sent_is_masked_for_those_who_may_not_see_it(self, app: Flask, engine: Engine) -> None:
        told = notified(engine)
        for scope, shown in ((Scope.READ, "•••"), (Scope.OPERATE, "the payload")):
            with_payload(engine, told.id)
            answer = Program(app, engine, scope).get(f"/notifications/{told.id}").json
            assert answer
            assert [one["payload"] for one in answer["tried"]] == [shown]

    def test_events_are_found_by_a_search_page_after_page(self, reader: Program, engine: Engine) -> None:
        for number in range(6):
            store(engine, issue(number))
        plan_all(engine)

        first = reader.get("/events", q="resource:event_alert", limit="4").json
        assert first
        second = reader.client.get(first["next"], headers=reader.headers).json
        assert second
        nothing = reader.get("/events", q="level:fatal environment:nowhere").json

        assert [[one["id"] for one in page["items"]] for page in (first, second)] == [[6, 5, 4, 3], [2, 1]]
        assert second["next"] is None
        assert nothing
        assert nothing["items"] == []

    @pytest.mark.parametrize(
        ("query", "said"),
        [
            ({"q": "level:>"}, "at "),
            ({"q": "message:*joe*"}, "your role does not see"),
            ({"q": "count():>5"}, "figure over many alerts"),
            ({"q": "level:error", "state": "waiting"}, "neither state nor incident_id"),
        ],
    )
    def test_a_search_that_is_none_is_refused_with_the_reason(self, reader: Program, query: dict[str, str], said: str) -> None:
        answer = reader.get("/events", **query)

        assert answer.status_code == 422
        assert said in answer.get_data(as_text=True)

    def test_incidents_go_on_by_their_last_alert(self, reader: Program, engine: Engine) -> None:
        for number in range(3):
            store(engine, issue(number))
        plan_all(engine)

        first = reader.get("/incidents", status="firing", limit="2").json
        assert first
        second = reader.client.get(first["next"], headers=reader.headers).json

        assert second
        assert [one["id"] for one in (*first["items"], *second["items"])] == [3, 2, 1]
        assert second["next"] is None

    def test_an_incident_shows_its_life(self, reader: Program, engine: Engine) -> None:
        notified(engine)

        answer = reader.get("/incidents/1").json

        assert answer
        assert [one["turn"] for one in answer["turns"]] == ["began"]
        assert answer["announced_to"] == ["chat"]

    def test_receivers_are_those_of_the_rules_in_force(self, reader: Program, engine: Engine) -> None:
        put_in_force(engine)
        store(engine)
        plan_all(engine)

        answer = reader.get("/receivers").json

        assert answer
        assert {one["receiver"]: one["kind"] for one in answer["items"]} == {"chat": "slack", "pager": None}


def with_payload(engine: Engine, notification_id: int) -> None:
    """An attempt at it, as it stands in the table."""
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM attempts"))
        sql = "INSERT INTO attempts (notification_id, number, began_at, payload) VALUES (:id, 1, '2026-03-04 10:00:00', 'the payload')"
        connection.execute(text(sql), {"id": notification_id})


class TestChanging:
    @pytest.mark.parametrize(("act", "change"), [("acknowledge", "acknowledged"), ("resolve", "resolved")])
    def test_what_is_done_to_an_incident_is_kept_and_rung_for(
        self, app: Flask, operator: Program, engine: Engine, act: str, change: str
    ) -> None:
        notified(engine)
        bells = rung(app)

        answer = operator.post(f"/incidents/1/{act}")
        plan_all(engine)

        assert (answer.status_code, answer.json) == (202, {"incident": "issue:1", "change": change})
        assert bells == ["plan"]
        life = incident_desk.life(engine, "1")
        assert life
        assert (life.turns[-1].turn, life.turns[-1].who, life.turns[-1].origin) == (change, "a operate token", "the API")
        [entry] = audit.listed(engine)
        assert (entry.who, entry.action, entry.subject) == ("a operate token", f"incident.{act}", "incident 1")
        assert entry.origin.startswith("API token ")

    def test_what_is_over_cannot_be_acknowledged(self, operator: Program, engine: Engine) -> None:
        notified(engine)
        operator.post("/incidents/1/resolve")
        plan_all(engine)

        assert operator.post("/incidents/1/acknowledge").status_code == 409
        assert operator.post("/incidents/99/acknowledge").status_code == 404

    def test_dead_ones_are_sent_again(self, app: Flask, operator: Program, engine: Engine) -> None:
        dead(engine)
        bells = rung(app)

        dry = operator.post("/notifications/requeue", {"all": "dead", "receiver": "chat", "dry_run": True})
        none = operator.post("/notifications/requeue", {"all": "dead", "receiver": "nobody"})
        assert bells == []
        answer = operator.post("/notifications/requeue", {"ids": [1, 2]})

        assert dry.json
        assert (len(dry.json["ids"]), none.json) == (1, {"ids": [], "dry_run": False})
        assert answer.json == {"ids": [1], "dry_run": False}
        assert set(bells) == {"critical", "normal"}
        assert [entry.action for entry in audit.listed(engine)] == ["notification.requeue"]
        assert {one.state for one in inspection.listed(engine)} == {"planned"}

    def test_a_silence_is_made_looked_at_and_ended(self, operator: Program, engine: Engine) -> None:
        ends_at = (datetime.now(UTC) + SOON).isoformat()

        added = operator.post("/silences", {"matchers": ["project:shop"], "comment": "migration", "ends_at": ends_at})
        over = operator.post("/silences/1/expire")
        again = operator.post("/silences/1/expire")

        assert (added.status_code, over.status_code, again.status_code) == (201, 200, 409)
        assert added.json
        assert over.json
        assert (added.json["author"], added.json["state"], over.json["state"]) == ("a operate token", "active", "expired")
        assert silences.find(engine, 1).comment == "migration"
        assert [(entry.action, entry.subject) for entry in audit.listed(engine)] == [
            ("silence.expire", "silence 1"),
            ("silence.add", "silence 1"),
        ]

    def test_a_silence_says_what_it_would_have_held(self, operator: Program, engine: Engine) -> None:
        store(engine, at=datetime.now(UTC))
        plan_all(engine, at=datetime.now(UTC))

        answer = operator.post("/silences/preview", {"matchers": ["payment"]}).json

        assert answer
        assert (answer["events"], answer["notifications"]) == (1, {"chat": 1, "pager": 1})

    def test_a_condition_that_is_wrong_is_shown(self, operator: Program) -> None:
        ends_at = (datetime.now(UTC) + SOON).isoformat()
        body = {"matchers": ["project:shop", "project:("], "comment": "x", "ends_at": ends_at}

        answer = operator.post("/silences", body)

        assert answer.status_code == 422
        assert answer.json
        assert answer.json["errors"][0]["where"] == "#/matchers/1"


def dead(engine: Engine) -> None:
    """Two notifications that were given up."""
    notified(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE notifications SET state = 'dead'"))


class TestRules:
    def test_a_text_is_checked(self, reader: Program) -> None:
        right = reader.post("/rules/check", {"text": RULES}).json
        wrong = reader.post("/rules/check", {"text": RULES.replace("[chat]", "[chatt]")}).json

        assert right
        assert wrong
        assert (right["is_right"], right["rules"], right["receivers"]) == (True, 1, 1)
        assert (wrong["is_right"], wrong["problems"][0]["line"]) == (False, 3)
        assert "chat" in wrong["problems"][0]["message"]

    @pytest.mark.parametrize("of", ["event", "body"])
    def test_an_alert_is_explained_by_the_rules_of_a_text(self, operator: Program, engine: Engine, of: str) -> None:
        event_id = store(engine)
        which: dict[str, Json] = {"event_id": event_id} if of == "event" else {"body": json.loads(event_alert_webhook().body)}

        answer = operator.post("/rules/explain", {**which, "rules": {"text": RULES}})

        assert answer.json
        assert (answer.status_code, answer.json["disposition"]) == (200, "matched")
        assert [(one["rule"], one["matched"]) for one in answer.json["trace"]] == [("one", True)]
        assert [(one["receiver"], one["reason"]) for one in answer.json["told"]] == [("chat", "first")]
        assert inspection.listed(engine) == ()

    def test_by_those_in_force_if_no_others_are_given(self, reader: Program, engine: Engine) -> None:
        event_id = store(engine)
        without = reader.post("/rules/explain", {"event_id": event_id})
        version = put_in_force(engine)

        answer = reader.post("/rules/explain", {"event_id": event_id})

        assert without.status_code == 409
        assert answer.json
        assert answer.json["rules_version"] == version
        assert reader.get("/rules").json["rules"][0]["name"] == "one"  # type: ignore[index]

    @pytest.mark.parametrize(
        "rules",
        [
            RULES.replace("name: one", 'name: "${SMTP_PASSWORD}"'),
            RULES.replace("'payment'", '"message:${SMTP_PASSWORD}"'),
            RULES.replace("rules:", "windows: {night: {times: ['22:00-07:00'], zone: '${SMTP_PASSWORD}'}}\nrules:"),
        ],
    )
    def test_no_variable_shows(self, sqlite_url: str, rules: str) -> None:
        with api(sqlite_url, SMTP_PASSWORD="correct-horse") as (app, engine):
            program = Program(app, engine, Scope.OPERATE)
            event_id = store(engine)

            explained = program.post("/rules/explain", {"event_id": event_id, "rules": {"text": rules}})
            checked = program.post("/rules/check", {"text": rules})

        assert explained.status_code == 422
        assert "correct-horse" not in explained.get_data(as_text=True) + checked.get_data(as_text=True)


class TestPersonalData:
    """Of the buyer of the alert, whom a token that only reads may not see."""

    RULES = "version: 1\nreceivers: {chat: {kind: slack, channel: '#a'}}\nrules: [{name: buyers, when: '%s', notify: [chat]}]\n"

    @pytest.fixture
    def told(self, engine: Engine) -> int:
        text = self.RULES.replace("slack, channel: '#a'", "preview") % "user.email:* OR tags[customer_email]:*"
        event_id = store(engine, event_alert_webhook(tags=[["customer_email", "buyer@example.com"]]))
        plan_all(engine, make_rules(text))
        put_in_force(engine, self.RULES % "user.email:* OR tags[customer_email]:*")
        return event_id

    def asked(self, program: Program, event_id: int) -> str:
        answers = [
            program.get(f"/events/{event_id}"),
            program.get("/notifications"),
            program.get("/notifications/1"),
            program.post("/rules/explain", {"event_id": event_id}),
        ]
        assert [one.status_code for one in answers] == [200] * 4
        return "".join(one.get_data(as_text=True) for one in answers)

    def test_no_reason_tells_of_it(self, reader: Program, operator: Program, told: int) -> None:
        assert "buyer@example.com" not in self.asked(reader, told)
        assert "buyer@example.com" in self.asked(operator, told)

    @pytest.mark.parametrize("condition", ["user.email:b*", "tags[customer_email]:b*", "stack.vars.card:4*", "answer"])
    def test_it_is_not_found_out_by_asking(self, reader: Program, operator: Program, told: int, condition: str) -> None:
        explain: dict[str, Json] = {"event_id": told, "rules": {"text": self.RULES % condition}}
        preview: Json = {"matchers": ["level:error", condition]}

        assert reader.post("/rules/explain", explain).status_code == 403
        assert reader.post("/silences/preview", preview).status_code == 422
        assert operator.post("/rules/explain", explain).status_code == 200
        assert operator.post("/silences/preview", preview).status_code == 200
