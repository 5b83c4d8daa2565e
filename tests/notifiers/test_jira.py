"""Jira: how an issue reads, and how one is created and found again."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from notifiers.errors import PermanentError, RetryableError
from notifiers.http import Network
from notifiers.jira import MAX_DESCRIPTION, MAX_SUMMARY, JiraNotifier, JiraOptions, incident_label
from notifiers.jira_layout import escaped
from routing.alert import ExceptionValue, Frame, Json
from routing.notification import Reason
from tests.factories import NOW, make_alert, make_notification
from tests.notifiers import specs
from tests.notifiers.contract import Contract
from tests.notifiers.golden import Goldens
from tests.notifiers.rules_of_the_guide import NOTIFICATIONS
from tests.stand_ins.faults import FaultServer, answer
from tests.stand_ins.jira import TOKEN, USER, CustomField, Jira
from tests.stand_ins.server import Server

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

OPTIONS = JiraOptions(project="OPS", priority="High", labels=("on-call",), components=("checkout",))
LATER = NOW + timedelta(minutes=5)
TOKEN_OF_THE_ACCOUNT = SecretStr(TOKEN)
AUTHORIZATION = {True: "Basic " + base64.b64encode(f"{USER}:{TOKEN}".encode()).decode(), False: f"Bearer {TOKEN}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """An account's."""

    jira_url: str | None = "https://acme.atlassian.net"
    jira_user: str | None = USER
    jira_token: SecretStr | None = TOKEN_OF_THE_ACCOUNT


def open_at(url: str, network: Network) -> JiraNotifier:
    return OPTIONS.open(Settings(jira_url=url), network=network, clock=lambda: LATER)


def open_as(user: str | None, token: SecretStr, url: str) -> JiraNotifier:
    return OPTIONS.open(Settings(jira_url=url, jira_user=user, jira_token=token), network=Network(), clock=lambda: LATER)


def fault_of(rendered: str) -> str | None:
    fields = fields_of(rendered)
    if not 0 < len(fields["summary"]) <= MAX_SUMMARY or len(fields["summary"].splitlines()) != 1:
        return "summary"
    if len(fields["description"]) > MAX_DESCRIPTION:
        return "description"
    return specs.schema_fault(json.loads(rendered), "jira/create-issue.strict.schema.json") if specs.present() else None


NONE = '{"issues": []}'
CONTRACT = Contract(options=OPTIONS, open=open_at, secrets=(TOKEN,), fault_of=fault_of, to_questions=NONE)


def fields_of(rendered: str) -> dict[str, str]:
    body: Mapping[str, Mapping[str, Json]] = json.loads(rendered)
    return {name: str(body["fields"][name]) for name in ("summary", "description")}


def labels_of(fields: Mapping[str, Json]) -> Sequence[Json]:
    labels = fields["labels"]
    assert isinstance(labels, Sequence)
    return labels


def made(server: Server[Jira]) -> list[str]:
    """What has changed something in Jira: the paths."""
    return [request.path.removeprefix("/rest/api/2") for request in server.requests if request.method == "POST"]


@pytest.fixture
def jira() -> Iterator[Server[Jira]]:
    with Server(Jira(now=NOW)) as server:
        yield server


@pytest.fixture
def notifier(jira: Server[Jira]) -> JiraNotifier:
    return open_at(jira.url, Network())


@pytest.mark.parametrize("rule", NOTIFICATIONS)
def test_an_issue_looks_as_its_golden(rule: str, goldens: Goldens) -> None:
    rendered = OPTIONS.render(NOTIFICATIONS[rule])

    goldens.check(f"jira/{rule}.json", rendered)
    goldens.check(f"jira/{rule}.wiki", fields_of(rendered)["description"])


@pytest.mark.parametrize(
    ("options", "what_to_write"),
    [
        ({"project": "ops"}, "write the key of the project"),
        ({"project": 'OPS" OR labels = "x'}, "write the key of the project"),
        ({"project": "OPS", "labels": ["on call"]}, "no blanks"),
        ({"project": "OPS", "labels": ["x" * 256]}, "1 to 255 characters"),
        ({"project": "OPS", "priority": ""}, "at least 1 character"),
        ({"project": "OPS", "prio": "High"}, "Extra inputs"),
    ],
    ids=["lower case", "query language", "blank in a label", "long label", "empty priority", "unknown option"],
)
def test_options_that_jira_would_refuse_are_refused_at_the_start(options: Mapping[str, object], what_to_write: str) -> None:
    with pytest.raises(ValidationError, match=what_to_write):
        JiraOptions.model_validate(options)


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        (Settings(), None),
        (Settings(jira_user=None), None),
        (Settings(jira_url=None), "JIRA_URL"),
        (Settings(jira_token=None), "JIRA_TOKEN"),
        (Settings(jira_token=SecretStr("")), "JIRA_TOKEN"),
    ],
    ids=["cloud", "data center", "no address", "no token", "empty token"],
)
def test_the_credential_that_is_not_set_is_named(settings: Settings, missing: str | None) -> None:
    assert OPTIONS.missing_credential(settings) == missing


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ("shop_api a-b 2^3 a*b", "shop_api a-b 2^3 a*b"),
        ("__init__ -x- *bold* a--b", r"\_\_init\_\_ \-x\- \*bold\* a\-\-b"),
        ("{color:red} [a|b] !img.png!", r"\{color:red\} \[a\|b\] \!img.png\!"),
        ("f(x) (10.0.0.5) (on)", r"f\(x) (10.0.0.5) \(on)"),
        ("C:\\app\\x \\\\srv \\{x", r"C:\app\x &#92;\srv &#92;\{x"),
        ("&#124; &lt; a&b", r"&amp;\#124; &amp;lt; a&b"),
        ("h1. Big", "h1&#46; Big"),
        ("bq. Said", "bq&#46; Said"),
        ("# item", r"\# item"),
        ("??cited?? why?", r"\?\?cited\?\? why\?"),
    ],
    ids=["inside words", "at edges", "macros and links", "icons", "backslashes", "entities", "heading", "quote", "list", "citation"],
)
def test_a_text_shows_as_it_is_whatever_jira_would_make_of_it(text: str, markup: str) -> None:
    assert escaped(text) == markup


def test_a_stack_cannot_end_its_own_block() -> None:
    frame = Frame(filename="{noformat}.py", function="{noformat:x}")
    hostile = make_alert(exceptions=(ExceptionValue(type="E", value="{noformat} *bold* {NoFormat}", frames=(frame,)),))

    description = str(OPTIONS.issue(make_notification(alert=hostile))["description"])

    assert len(re.findall(r"\{noformat", description, re.IGNORECASE)) == 2


@given(
    title=st.text(min_size=1) | st.just("\\" * 3000),
    rules=st.lists(st.text(min_size=1), min_size=1, max_size=3),
    tags=st.lists(st.tuples(st.text(), st.text() | st.just("\\" * 3000)), max_size=10),
    link=st.none() | st.text().map("https://example.com/{}".format) | st.just("https://example.com/" + "[" * 1900),
)
def test_whatever_the_alert_says_the_issue_keeps_jiras_limits(
    title: str, rules: list[str], tags: list[tuple[str, str]], link: str | None
) -> None:
    alert = make_alert(title=title, culprit=title, tags=tuple(tags), link=link)

    rendered = OPTIONS.render(make_notification(alert=alert, rules=tuple(rules), incident=title))

    assert fault_of(rendered) is None


@given(text=st.text())
def test_a_value_stays_in_its_cell(text: str) -> None:
    description = str(OPTIONS.issue(make_notification(alert=make_alert(tags=(("tag", text),))))["description"])

    rows = [line for line in description.splitlines() if line.startswith("|tag|")]
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 3 for row in rows)


def test_an_issue_is_created_by_one_request_and_linked_by_another(jira: Server[Jira], notifier: JiraNotifier) -> None:
    receipt = notifier.send(make_notification())

    assert made(jira) == ["/issue", "/issue/OPS-1/remotelink"]
    assert jira.app.issues == [OPTIONS.issue(make_notification())]
    assert (receipt.status_code, receipt.excerpt) == (201, "created OPS-1")
    assert receipt.reference == {"key": "OPS-1", "url": f"{jira.url}/browse/OPS-1"}
    assert receipt.payload == OPTIONS.render(make_notification())


def test_a_repeat_makes_no_second_issue_while_one_is_open(jira: Server[Jira], notifier: JiraNotifier) -> None:
    notifier.send(make_notification())

    receipt = notifier.send(make_notification(id=2, reason=Reason.REPEAT))

    assert len(jira.app.issues) == 1
    assert receipt.excerpt == "OPS-1 is open already, so no second issue was made"
    assert receipt.payload == ""
    assert receipt.reference["key"] == "OPS-1"


def test_a_repeat_makes_an_issue_if_the_first_one_never_came_about(jira: Server[Jira], notifier: JiraNotifier) -> None:
    notifier.send(make_notification(reason=Reason.REPEAT))

    assert len(jira.app.issues) == 1


def test_data_center_is_told_with_a_personal_access_token() -> None:
    with Server(Jira(now=NOW, is_cloud=False)) as server:
        settings = Settings(jira_url=f"{server.url}/", jira_user=None)

        OPTIONS.open(settings, network=Network(), clock=lambda: LATER).send(make_notification())

        assert len(server.app.issues) == 1


def test_issues_of_one_incident_and_project_share_a_label_that_no_other_issue_has() -> None:
    label = incident_label(make_notification(), "OPS")

    assert re.fullmatch(r"sar-[0-9a-f]{24}", label)
    assert incident_label(make_notification(id=2, rules=("another",), receiver="renamed"), "OPS") == label
    assert incident_label(make_notification(incident="issue:1"), "OPS") != label
    assert incident_label(make_notification(), "PAY") != label


@pytest.mark.parametrize("hidden", [{"priority"}, {"components"}, {"priority", "components", "labels", "description"}])
def test_a_field_that_the_project_does_not_take_does_not_cost_the_issue(
    jira: Server[Jira], notifier: JiraNotifier, hidden: set[str]
) -> None:
    jira.app.screen -= hidden

    receipt = notifier.send(make_notification())

    assert made(jira) == ["/issue", "/issue", "/issue/OPS-1/remotelink"]
    assert jira.app.issues == [{name: value for name, value in OPTIONS.issue(make_notification()).items() if name not in hidden}]
    assert receipt.excerpt.startswith("created OPS-1 without ")
    assert all(name in receipt.excerpt for name in hidden)
    assert set(json.loads(receipt.payload)["fields"]) == set(jira.app.issues[0])


def test_a_priority_that_does_not_exist_does_not_cost_the_issue(jira: Server[Jira], notifier: JiraNotifier) -> None:
    jira.app.priorities = ("P1", "P2")

    receipt = notifier.send(make_notification())

    assert receipt.excerpt == "created OPS-1 without priority: The priority selected is invalid."


def test_an_issue_type_that_does_not_exist_is_refused_for_good_in_jiras_words(jira: Server[Jira], notifier: JiraNotifier) -> None:
    jira.app.issue_types = ("Story",)

    with pytest.raises(PermanentError, match="Specify a valid issue type"):
        notifier.send(make_notification())

    assert made(jira) == ["/issue"]


def test_a_refused_field_beside_a_missing_one_is_not_worth_a_second_request(jira: Server[Jira], notifier: JiraNotifier) -> None:
    jira.app.screen -= {"priority"}
    jira.app.custom = {"customfield_10010": CustomField(name="Team", is_required=True)}

    with pytest.raises(PermanentError, match="customfield_10010: Team is required"):
        notifier.send(make_notification())

    assert made(jira) == ["/issue"]


def test_a_wrong_token_is_refused_for_good_and_not_shown(jira: Server[Jira]) -> None:
    settings = Settings(jira_url=jira.url, jira_token=SecretStr("another-token-77"))
    notifier = OPTIONS.open(settings, network=Network(), clock=lambda: LATER)

    with pytest.raises(PermanentError) as caught:
        notifier.send(make_notification())

    assert caught.value.status_code == 401
    assert "another-token-77" not in str(caught.value)


@pytest.mark.parametrize("is_cloud", [True, False], ids=["cloud", "data center"])
def test_an_issue_whose_answer_was_lost_is_found(is_cloud: bool) -> None:  # noqa: FBT001 - a parameter of the table
    with Server(Jira(now=NOW, is_cloud=is_cloud, loses_answers=True)) as server:
        settings = Settings(jira_url=server.url, jira_user=USER if is_cloud else None)
        notifier = OPTIONS.open(settings, network=Network(), clock=lambda: LATER)
        with pytest.raises(RetryableError) as caught:
            notifier.send(make_notification())

        found = notifier.find(make_notification())

        assert caught.value.ambiguous
        assert found is not None
        assert (found.excerpt, found.reference["key"]) == ("found OPS-1", "OPS-1")
        assert made(server) == ["/issue", "/issue/OPS-1/remotelink"]


@pytest.mark.parametrize("is_cloud", [True, False], ids=["cloud", "data center"])
def test_an_account_of_the_other_kind_costs_one_request_more(is_cloud: bool) -> None:  # noqa: FBT001 - a parameter of the table
    jira = Jira(now=NOW, is_cloud=is_cloud)

    def any_account(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return jira({**environ, "HTTP_AUTHORIZATION": AUTHORIZATION[is_cloud]}, start_response)

    with Server(any_account) as server:
        notifier = open_as(None if is_cloud else USER, TOKEN_OF_THE_ACCOUNT, server.url)
        notifier.send(make_notification())

        found = [notifier.find(make_notification()) for _ in range(2)]

        assert all(found)
        assert [request.method for request in server.requests] == ["GET", "GET", "POST", "POST", "GET", "POST", "GET", "POST"]


def test_an_account_may_be_written_in_any_script() -> None:
    with Server(Jira(now=NOW)) as jira, pytest.raises(PermanentError, match="401"):
        open_as("Алёна", SecretStr("пароль"), jira.url).send(make_notification())

    [request] = jira.requests
    assert request.headers["authorization"] == "Basic " + base64.b64encode("Алёна:пароль".encode()).decode()


@pytest.mark.parametrize("token", ["line\nbreak", "токен"])
def test_a_token_that_http_does_not_allow_is_refused_without_being_shown(jira: Server[Jira], token: str) -> None:
    with pytest.raises(PermanentError, match="a character that HTTP does not allow") as caught:
        open_as(None, SecretStr(token), jira.url).send(make_notification())

    assert token not in str(caught.value)
    assert jira.requests == []


def test_an_address_that_cannot_be_used_is_refused() -> None:
    with pytest.raises(PermanentError, match="address"):
        open_at("http://", Network()).send(make_notification())


def test_an_issue_that_was_never_created_is_not_found(notifier: JiraNotifier) -> None:
    notifier.send(make_notification(incident="issue:1"))

    assert notifier.find(make_notification()) is None


def test_the_issue_of_an_earlier_notification_is_no_proof(notifier: JiraNotifier) -> None:
    notifier.send(make_notification())

    assert notifier.find(make_notification(id=2, created_at=NOW + timedelta(minutes=4))) is None


def test_right_after_the_attempt_an_empty_search_proves_nothing(jira: Server[Jira]) -> None:
    notifier = OPTIONS.open(Settings(jira_url=jira.url), network=Network(), clock=lambda: NOW + timedelta(seconds=12))
    notifier.send(make_notification())
    jira.app.search_lags = True

    with pytest.raises(RetryableError, match="may not know the issue yet") as caught:
        notifier.find(make_notification())

    assert caught.value.retry_after == timedelta(seconds=30)


def test_where_the_database_was_lost_the_open_issue_is_found_by_its_label(jira: Server[Jira], notifier: JiraNotifier) -> None:
    notifier.send(make_notification())

    receipt = notifier.send(make_notification(id=2, receiver="renamed"))

    assert len(jira.app.issues) == 1
    assert receipt.excerpt == "OPS-1 is open already, so no second issue was made"


def test_a_search_that_fails_has_made_nothing() -> None:
    with FaultServer(answer(503)) as server, pytest.raises(RetryableError) as caught:
        open_at(server.url, Network()).send(make_notification())

    assert not caught.value.ambiguous


class TestLink:
    """The issue links to Sentry's, once, whatever becomes of it."""

    def test_it_leads_to_the_issue_in_sentry(self, jira: Server[Jira], notifier: JiraNotifier) -> None:
        alert = make_alert(link="https://acme.sentry.io/issues/1/", short_id="SHOP-3F")

        notifier.send(make_notification(incident="issue:1", alert=alert))

        target = {"url": "https://acme.sentry.io/issues/1/", "title": "Sentry: SHOP-3F"}
        assert jira.app.links == {1: {"sentry/issue:1": {"globalId": "sentry/issue:1", "object": target}}}

    def test_that_it_is_refused_does_not_cost_the_issue(self, jira: Server[Jira], notifier: JiraNotifier) -> None:
        jira.app.refuses_links = True

        receipt = notifier.send(make_notification())

        assert receipt.reference["key"] == "OPS-1"
        assert receipt.excerpt.startswith("created OPS-1 without a link to Sentry: HTTP 403 Forbidden")

    def test_without_an_address_there_is_none(self, jira: Server[Jira], notifier: JiraNotifier) -> None:
        notifier.send(make_notification(alert=make_alert(link=None)))

        assert made(jira) == ["/issue"]

    @pytest.mark.parametrize("incident", ["issue:1", "x" * 400, "группа:1"])
    def test_its_name_is_one_that_jira_takes(self, jira: Server[Jira], notifier: JiraNotifier, incident: str) -> None:
        notifier.send(make_notification(incident=incident))

        [name] = jira.app.links[1]
        assert 0 < len(name) <= 255
        assert name.isascii()


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"issues": 7}', '{"issues": [{"key": "OPS-1", "fields": {"created": "soon"}}]}', "[" * 9999]
)
def test_a_search_that_cannot_be_read_is_no_proof_of_absence(content: str) -> None:
    with FaultServer(answer(200, body=content)) as server, pytest.raises(RetryableError):
        open_at(server.url, Network()).find(make_notification())


@pytest.mark.parametrize("content", ["", "null", "7", "[]", "{}", '{"key": null}', '{"key": ""}', "<html></html>"])
def test_an_answer_that_names_no_issue_proves_nothing(content: str) -> None:
    with FaultServer(answer(200, body=content), to_questions=NONE) as server, pytest.raises(RetryableError) as caught:
        open_at(server.url, Network()).send(make_notification())

    assert caught.value.ambiguous
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "content",
    [
        "",
        "null",
        "[]",
        '{"errors": {}}',
        '{"errors": null}',
        '{"errors": ["priority"]}',
        '{"errorMessages": ["no"], "errors": {"priority": "no"}}',
    ],
)
def test_a_refusal_that_names_no_field_alone_is_final(content: str) -> None:
    with FaultServer(answer(400, body=content), to_questions=NONE) as server, pytest.raises(PermanentError):
        open_at(server.url, Network()).send(make_notification())

    assert len(server.requests) == 1


@pytest.mark.parametrize("is_cloud", [True, False], ids=["cloud", "data center"])
def test_a_mature_client_finds_the_stand_in_to_be_a_jira(is_cloud: bool) -> None:  # noqa: FBT001 - a parameter of the table
    client = pytest.importorskip("jira")
    with Server(Jira(now=NOW, is_cloud=is_cloud)) as server:
        signed_in = {"basic_auth": (USER, TOKEN)} if is_cloud else {"token_auth": TOKEN}
        jira = client.JIRA(server.url, timeout=5, max_retries=0, **signed_in)

        created = jira.create_issue(fields=OPTIONS.issue(make_notification()), prefetch=False)
        found = jira.search_issues(
            f'project = "OPS" AND labels = "{incident_label(make_notification(), "OPS")}" ORDER BY created DESC', fields=["created"]
        )

        assert [issue.key for issue in found] == [created.key] == ["OPS-1"]
