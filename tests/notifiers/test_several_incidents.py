"""A message that speaks of several incidents, in every kind: the others are named in short, and counted where there is no room."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from notifiers.message import MAX_OTHERS, compose
from notifiers.registry import KINDS
from notifiers.webhook import MAX_OTHERS as MAX_OTHERS_OF_WEBHOOK
from routing.notification import Mention, Reason, Severity
from routing.summary import MOST_CRITICAL
from tests.factories import make_alert, make_notification
from tests.notifiers.contract import contract_of
from tests.notifiers.golden import Goldens
from tests.notifiers.rules_of_the_guide import NOTIFICATIONS

FIRST = NOTIFICATIONS["critical-error"]
SUFFIX: Mapping[str, str] = {"preview": "txt"}
FOUR = (
    Mention(title="KeyError: 'discount_code'", project="shop-api", link="https://acme.sentry.io/issues/2/?a=b&c=d", incident="issue:2"),
    Mention(
        title="<!channel> *boom* [x|y] {code} <b>&amp;</b>", project="shop-web", link="https://acme.sentry.io/issues/3/", incident="issue:3"
    ),
    Mention(title="Ошибка оплаты", project=None, link=None, incident="Payment.yookassa"),
    Mention(title="", project="shop-api", link="javascript:alert(1)", incident="issue:5"),
)
HOSTILE: Mapping[str, Mention] = {
    "300-kB": Mention(title="x" * 300_000, project="p" * 300_000, link="https://acme.sentry.io/" + "x" * 1900, incident="i" * 300_000),
    "emoji": Mention(title="👩‍👩‍👧‍👦🏳️‍🌈" * 200, project="🚀" * 200, link="https://acme.sentry.io/🚀", incident="🧪" * 2000),
    "mark-up": Mention(title="<>&\"'`*_{}[]|\\" * 50, project="{noformat}", link='https://acme.sentry.io/[x]?"', incident="<!channel>"),
    "control": Mention(title="a\x00\r\nBcc: x\u202e\ud800", project="\n", link="https://acme.sentry.io/\n", incident="\x00\ud83d"),
    "backslashes": Mention(title="\\" * 3000, project="\\" * 300, link="https://acme.sentry.io/" + "[" * 1900, incident="\\" * 3000),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_about_several_incidents_looks_as_its_golden(kind: str, goldens: Goldens) -> None:
    contract = contract_of(kind)

    rendered = contract.options.render(replace(FIRST, others=FOUR))

    goldens.check(f"{kind}/several-incidents.{SUFFIX.get(kind, 'json')}", rendered)
    assert contract.fault_of(rendered) is None


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("kind", KINDS)
def test_a_thousand_hostile_incidents_keep_the_vendors_limits(kind: str, hostile: str) -> None:
    contract, mention = contract_of(kind), HOSTILE[hostile]
    notification = make_notification(alert=make_alert(title=mention.title, link=mention.link), others=(mention,) * 1000)

    rendered = contract.options.render(notification)

    assert contract.fault_of(rendered) is None
    rendered.encode()  # no half of a surrogate pair
    assert not set(rendered) & set("\x00\u202e")
    assert "1000" in rendered
    assert len(rendered) < 300_000


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"sms", "webhook"}))
def test_ten_of_them_are_named_and_the_rest_is_counted(kind: str) -> None:
    others = tuple(Mention(title=f"Boom <{number}>", project="shop", incident=f"issue:{number}") for number in range(25))

    rendered = contract_of(kind).options.render(make_notification(others=others))

    assert rendered.count("Boom") == MAX_OTHERS * (2 if kind == "email" else 1)  # a mail has a text and a page
    assert "+ 15 more" in rendered
    assert "(+25 more)" in rendered


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"sms", "webhook", "sentry"}))
def test_all_of_them_are_listed_where_the_console_is(kind: str) -> None:
    others = tuple(Mention(title=f"Boom {number}", project="shop", incident=f"issue:{number}") for number in range(25))
    address = "https://alerts.example.com/deliveries/1"

    rendered = contract_of(kind).options.render(make_notification(others=others, full_list=address))

    assert address in rendered.replace("\\/", "/")


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"sms"}))
def test_each_critical_one_of_a_summary_is_named(kind: str) -> None:
    link = "https://acme.sentry.io/organizations/acme/issues/5300000123/?project=4505000000000000"
    others = [
        Mention(title=f"Boom-{number} {'x' * 300}", project="shop-api", link=link, incident="i") for number in range(1, MOST_CRITICAL)
    ]
    summary = make_notification(reason=Reason.SUMMARY, severity=Severity.CRITICAL, others=tuple(others))

    rendered = contract_of(kind).options.render(summary)

    assert [number for number in range(1, MOST_CRITICAL) if f"Boom-{number}" not in rendered] == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_summary_says_what_it_is(kind: str) -> None:
    rendered = contract_of(kind).options.render(make_notification(reason=Reason.SUMMARY, others=FOUR))

    assert "summed up" in rendered or "summary" in rendered or "(+4 more)" in rendered


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"webhook"}))
def test_a_message_about_one_incident_counts_no_others(kind: str) -> None:
    rendered = contract_of(kind).options.render(make_notification())

    assert " more" not in rendered


def test_an_sms_says_how_many_there_are_and_keeps_its_link() -> None:
    rendered = contract_of("sms").options.render(make_notification(others=FOUR))

    body = json.loads(rendered)["Body"]
    assert body == "CRIT shop-api: Critical error (+4 more). KeyError: 'currency' https://acme.sentry.io/issues/5300000123/"


def test_a_long_title_does_not_push_the_count_out_of_the_headline() -> None:
    message = compose(make_notification(alert=make_alert(title="x" * 5000), others=FOUR))

    shown = [message.headed(message.title, limit) for limit in (20, 150, 2000)]

    assert [len(line) for line in shown[:2]] == [20, 150]
    assert all(line.endswith(" (+4 more)") for line in shown)


def test_a_webhook_lists_fifty_and_counts_all() -> None:
    others = tuple(Mention(title=f"Boom {number}", incident=f"issue:{number}") for number in range(1000))

    content = json.loads(contract_of("webhook").options.render(make_notification(others=others)))["data"]

    assert [other["incident"] for other in content["others"]] == [f"issue:{number}" for number in range(MAX_OTHERS_OF_WEBHOOK)]
    assert content["others"][0] == {"incident": "issue:0", "title": "Boom 0", "project": None, "link": None}
    assert content["others_count"] == 1000
