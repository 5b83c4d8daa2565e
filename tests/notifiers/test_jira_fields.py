"""Jira's further fields: how rules.yaml writes them, how Jira gets them, and what people are told where it refuses some."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest
from pydantic import SecretStr, ValidationError

from notifiers.errors import PermanentError, RetryableError
from notifiers.http import Network
from notifiers.jira import JiraNotifier, JiraOptions
from routing.alert import Json
from routing.notification import Reason
from tests.factories import NOW, make_notification
from tests.stand_ins.faults import Fault, FaultServer, answer
from tests.stand_ins.jira import TOKEN, USER, CustomField, Jira
from tests.stand_ins.server import Server

JIRA_TOKEN = SecretStr(TOKEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One on Cloud."""

    jira_url: str | None
    jira_user: str | None = USER
    jira_token: SecretStr | None = JIRA_TOKEN


@pytest.fixture
def jira() -> Iterator[Server[Jira]]:
    with Server(Jira(now=NOW)) as server:
        yield server


def with_fields(fields: Mapping[str, Json], **options: Json) -> JiraOptions:
    return JiraOptions.model_validate({"project": "OPS", "fields": fields, **options})


def open_with(options: JiraOptions, url: str) -> JiraNotifier:
    return options.open(Account(jira_url=url), network=Network(), clock=lambda: NOW)


@pytest.mark.parametrize(
    ("fields", "what_to_write"),
    [
        ({"priority": {"name": "High"}}, '"priority" is written by the router; use the option priority'),
        ({"Issue Type": "Bug"}, "use the option issue_type"),
        ({"Component/s": ["a"]}, "use the option components"),
        ({"summary": "Ours"}, "is written by the router; take it out"),
        ({"Team": ""}, '"Team" is empty; write a value'),
        ({"Team": None}, '"Team" is empty; write a value'),
        ({" ": "x"}, "is empty"),
        ({"Team": "a", "team": "b"}, "written twice"),
        ({f"Field {number}": "x" for number in range(51)}, "at most 50 fields"),
        ({"Team": "x" * 16_001}, "of 16,000 characters together"),
    ],
    ids=[
        "option", "name of an option", "name of several", "ours", "empty", "without a value", "without a name", "twice", "many", "long",
    ],
)  # fmt: skip
def test_fields_that_cannot_be_given_are_refused_at_the_start(fields: Mapping[str, Json], what_to_write: str) -> None:
    with pytest.raises(ValidationError, match=what_to_write):
        with_fields(fields)


def test_the_fields_that_a_project_wants_are_given_as_they_are(jira: Server[Jira]) -> None:
    jira.app.custom = {
        "customfield_1": CustomField(name="Team", is_required=True),
        "customfield_2": CustomField(name="Story points", takes="number", is_required=True),
        "customfield_3": CustomField(name="Regions", takes="texts", is_required=True),
        "customfield_4": CustomField(name="Impact", takes="choice", is_required=True),
        "customfield_5": CustomField(name="Year", is_required=True),
    }
    fields: dict[str, Json] = {
        "customfield_1": "Checkout",
        "customfield_2": "5",
        "customfield_3": ["eu", "2026"],
        "customfield_4": {"id": "10020"},
        "customfield_5": '"2026"',
    }
    options = with_fields(fields)

    receipt = open_with(options, jira.url).send(make_notification())

    meant = {**fields, "customfield_2": 5, "customfield_5": "2026"}
    [issue] = jira.app.issues
    assert {id_: issue[id_] for id_ in meant} == meant
    assert receipt.payload == options.render(make_notification())
    assert [request.path for request in jira.requests].count("/rest/api/2/field") == 0


@pytest.mark.parametrize(
    ("written", "meant"),
    [("5", 5), ("-0.5", -0.5), ("007", "007"), ("+1", "+1"), ("1e3", "1e3"), ("1.", "1."), ("NaN", "NaN"), ("9" * 5000, "9" * 5000)],
    ids=["whole", "fraction", "zeros", "plus", "exponent", "full stop", "no number", "very long"],
)
def test_what_is_a_number_to_jira_is_a_number(written: str, meant: Json) -> None:
    assert with_fields({"Team": written}).fields == {"Team": meant}


def test_fields_may_be_called_by_their_names_and_jira_is_asked_for_the_ids_once(jira: Server[Jira]) -> None:
    jira.app.custom = {"customfield_1": CustomField(name="Team", is_required=True), "customfield_2": CustomField(name="Owner")}
    jira.app.screen.add("duedate")
    notifier = open_with(with_fields({"team": "Checkout", "customfield_2": "Ann", "Due date": "2026-12-01"}), jira.url)

    receipt = notifier.send(make_notification())
    notifier.send(make_notification(incident="issue:2"))

    assert [request.path for request in jira.requests].count("/rest/api/2/field") == 1
    [issue, _] = jira.app.issues
    assert {id_: issue[id_] for id_ in ("customfield_1", "customfield_2", "duedate")} == {
        "customfield_1": "Checkout",
        "customfield_2": "Ann",
        "duedate": "2026-12-01",
    }
    assert json.loads(receipt.payload)["fields"] == issue


@pytest.mark.parametrize(
    ("fields", "way_out"),
    [
        ({"Taem": "x"}, 'Jira has no field "Taem"; write its id or its name'),
        ({"Owner": "x"}, 'several fields "Owner"; write under `fields` in rules.yaml one of customfield_2, customfield_3'),
        ({"Team": "x", "customfield_1": "y"}, '"customfield_1" is the field customfield_1, which is written already'),
        ({"Zusammenfassung": "x"}, '"Zusammenfassung" is the field summary, which is written already'),
    ],
    ids=["unknown", "of two fields", "a field twice", "a field of ours in another language"],
)
def test_a_name_that_means_no_field_of_its_own_is_refused_with_the_way_out(
    jira: Server[Jira], fields: Mapping[str, Json], way_out: str
) -> None:
    jira.app.custom = {
        "customfield_1": CustomField(name="Team"),
        "customfield_2": CustomField(name="Owner"),
        "customfield_3": CustomField(name="owner"),
        "summary": CustomField(name="Zusammenfassung"),
    }

    with pytest.raises(PermanentError, match=way_out):
        open_with(with_fields(fields), jira.url).send(make_notification())

    assert jira.app.issues == []


@pytest.mark.parametrize(
    ("custom", "options", "way_out"),
    [
        (
            {"customfield_1": CustomField(name="Team", is_required=True)},
            with_fields({}),
            "customfield_1: Team is required. (in rules.yaml, add to the receiver `fields: {customfield_1: …}`)",
        ),
        (
            {},
            with_fields({"customfield_1": "x"}),
            (
                "customfield_1: Field 'customfield_1' cannot be set. It is not on the appropriate screen, or unknown. "
                "(in rules.yaml, mend `customfield_1` under the receiver's `fields` or take it out)"
            ),
        ),
        (
            {"customfield_1": CustomField(name="Team")},
            with_fields({"Team": "5"}),
            "customfield_1: Operation value must be a string (in rules.yaml, mend `Team` under the receiver's `fields` or take it out)",
        ),
        (
            {"priority": CustomField(name="Priority", is_required=True)},
            with_fields({}),
            "priority: Priority is required. (in rules.yaml, add the receiver's option `priority`)",
        ),
        (
            {},
            with_fields({}, issue_type="Story"),
            "issuetype: Specify a valid issue type (in rules.yaml, mend the receiver's option `issue_type`)",
        ),
    ],
    ids=["required", "not on the screen", "of another type", "an option that is required", "an option"],
)
def test_a_refused_field_is_named_with_what_to_write_in_rules_yaml(
    jira: Server[Jira], custom: dict[str, CustomField], options: JiraOptions, way_out: str
) -> None:
    jira.app.custom = custom

    with pytest.raises(PermanentError) as caught:
        open_with(options, jira.url).send(make_notification())

    assert str(caught.value) == f"HTTP 400 Bad Request: {way_out}"
    assert caught.value.status_code == 400
    assert [request.method for request in jira.requests].count("POST") == 1


def test_a_refusal_of_a_thousand_fields_is_told_in_few_words() -> None:
    errors = {f"customfield_{number}": "x" * 10_000 for number in range(60)}

    refusal = json.dumps({"errorMessages": ["no\n" * 999] * 99, "errors": errors})

    with FaultServer(answer(400, body=refusal)) as server, pytest.raises(PermanentError) as caught:
        open_with(with_fields({}), server.url).send(make_notification())

    assert len(str(caught.value)) < 2000
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (answer(503), RetryableError),
        (answer(200, body="<html>"), RetryableError),
        (answer(403, body="no"), PermanentError),
        (answer(200, body="[" + " " * 1024 * 1024 + "]"), PermanentError),
    ],
    ids=["unavailable", "not Jira's", "forbidden", "longer than is read"],
)
def test_where_the_names_of_fields_cannot_be_asked_for_nothing_was_created(fault: Fault, kind: type[Exception]) -> None:
    with FaultServer(fault) as server, pytest.raises(kind) as caught:
        open_with(with_fields({"Team": "x"}), server.url).send(make_notification())

    assert not getattr(caught.value, "ambiguous", False)
    assert len(server.requests) == 1


def test_a_repeat_that_finds_its_issue_open_asks_for_no_names(jira: Server[Jira]) -> None:
    jira.app.custom = {"customfield_1": CustomField(name="Team")}
    open_with(with_fields({}), jira.url).send(make_notification())
    jira.requests.clear()

    open_with(with_fields({"Team": "x"}), jira.url).send(make_notification(id=2, reason=Reason.REPEAT))

    assert [request.path for request in jira.requests] == ["/rest/api/2/search/jql"]
