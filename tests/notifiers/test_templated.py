"""A message that a template of rules.yaml heads and begins, in every kind: its words are as hostile as the alert's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifiers.message import MAX_TEXT, as_text, compose
from notifiers.registry import KINDS
from routing.notification import Mention
from routing.placeholders import parse
from routing.templates import MessageTemplate
from tests.factories import make_alert, make_notification
from tests.notifiers.contract import contract_of
from tests.notifiers.golden import Goldens
from tests.notifiers.rules_of_the_guide import NOTIFICATIONS

SUFFIX: Mapping[str, str] = {"preview": "txt"}
TEMPLATE = MessageTemplate(
    title=parse("[{project}] {error.type} in {transaction}"),
    text=parse("Team {tags.team|nobody} & <on call>: {title}\nRunbook: https://wiki.example/{environment}/*db*"),
)
HOSTILE: Mapping[str, str] = {
    "300-kB": "x" * 300_000,
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈" * 200,
    "mark-up": "<!channel> <b>&amp;</b> {noformat} [x|https://evil.example] *b* `c` " * 50,
    "control": "a\x00\r\nBcc: x\u202e\ud800\u2028b",
    "backslashes": "\\" * 3000,
    "quotes": '"' * 3000,
    "links": "https://acme.sentry.io/" + "[" * 1900,
}
LITERAL = st.text(alphabet=st.characters(exclude_characters="{}"), min_size=1, max_size=300)


def titled(title: str, text: str | None = None) -> MessageTemplate:
    return MessageTemplate(title=parse(title), text=parse(text) if text else None)


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_with_a_template_looks_as_its_golden(kind: str, goldens: Goldens) -> None:
    contract = contract_of(kind)

    rendered = contract.options.render(replace(NOTIFICATIONS["critical-error"], template=TEMPLATE))

    goldens.check(f"{kind}/template.{SUFFIX.get(kind, 'json')}", rendered)
    assert contract.fault_of(rendered) is None


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("kind", KINDS)
def test_a_hostile_alert_in_a_template_keeps_the_vendors_limits(kind: str, hostile: str) -> None:
    contract, said = contract_of(kind), HOSTILE[hostile]
    alert = make_alert(title=said, culprit=said, project=said, environment=said, link=HOSTILE["links"], tags=((said, said),) * 50)
    mention = Mention(title=said, project=said, link=HOSTILE["links"], incident=said)
    template = titled("{title} {project}" * 20, "{title}\n{tags.none}{culprit}\n" * 20)

    rendered = contract.options.render(make_notification(alert=alert, why=said, others=(mention,) * 1000, template=template))

    assert contract.fault_of(rendered) is None
    rendered.encode()  # no half of a surrogate pair
    assert not set(rendered) & set("\x00\u202e")
    assert len(rendered) < 400_000


@pytest.mark.parametrize("kind", KINDS)
def test_a_template_that_comes_to_nothing_changes_nothing(kind: str) -> None:
    options, empty = contract_of(kind).options, titled("{tags.none}", " {tags.none}\n")

    assert options.render(make_notification(template=empty)) == options.render(make_notification())


@pytest.mark.parametrize("kind", KINDS)
def test_the_alerts_title_is_told_even_if_the_template_has_lost_it(kind: str) -> None:
    rendered = contract_of(kind).options.render(make_notification(template=titled("Trouble in {project}")))

    assert "Trouble in shop-api" in rendered
    assert kind == "sms" or "KeyError: 'currency'" in rendered


def test_a_template_heads_the_message_and_the_count_of_others_stays() -> None:
    others = (Mention(title="Boom", incident="issue:2"),)

    message = compose(make_notification(template=titled("{project}: {title}"), others=others))

    assert message.headline == "[CRITICAL] shop-api: KeyError: 'currency' (+1 more)"
    assert message.opening == ()


@pytest.mark.parametrize(
    ("template", "body"),
    [
        (titled("{project}"), "CRIT shop-api (+1 more) https://acme.sentry.io/issues/5300000123/"),
        (titled("{project}", "Call\nAnn"), "CRIT shop-api (+1 more). Call Ann https://acme.sentry.io/issues/5300000123/"),
        (
            MessageTemplate(text=parse("Call Ann")),
            "CRIT shop-api: Critical error (+1 more). Call Ann https://acme.sentry.io/issues/5300000123/",
        ),
        (titled("x" * 200, "Call"), f"CRIT {'x' * 100}... (+1 more) https://acme.sentry.io/issues/5300000123/"),
    ],
    ids=["title", "both", "text", "too long"],
)
def test_an_sms_has_what_of_a_template_fits(template: MessageTemplate, body: str) -> None:
    notification = make_notification(template=template, others=(Mention(title="Boom", incident="issue:2"),))

    rendered = contract_of("sms").options.render(notification)

    assert json.loads(rendered)["Body"] == body


@given(title=LITERAL, text=LITERAL)
def test_whatever_a_template_says_the_message_is_printable_and_bounded(title: str, text: str) -> None:
    message = compose(make_notification(template=MessageTemplate(title=parse(title), text=parse(text * 5))))

    assert len(message.text) <= MAX_TEXT
    shown = [line for line in as_text(message).splitlines() if line]
    assert not [line for line in shown if set(line) & set("\x00\x1b\r\u2028\u202e\ud800")]
