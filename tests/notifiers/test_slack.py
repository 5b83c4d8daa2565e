"""Slack: what people see in the channel, and how Slack is asked to show it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError
from slack_sdk import WebClient

from notifiers.errors import PermanentError, RetryableError
from notifiers.http import Network
from notifiers.message import compose
from notifiers.notifier import Notifier, Reconciler
from notifiers.slack import SlackNotifier, SlackOptions
from notifiers.slack_layout import MAX_BLOCKS_JSON, blocks, escaped
from routing.alert import ExceptionValue, Frame, Json
from routing.notification import Notification, Reason
from tests.factories import NOW, make_alert, make_notification
from tests.notifiers.contract import Contract
from tests.notifiers.golden import Goldens
from tests.notifiers.rules_of_the_guide import NOTIFICATIONS
from tests.stand_ins import slack as stand_in
from tests.stand_ins.faults import FaultServer, answer
from tests.stand_ins.server import Server
from tests.stand_ins.slack import TOKEN, WEBHOOK_PATH, Slack

OPTIONS = SlackOptions(channel="#errors")
BOT_TOKEN = SecretStr(TOKEN)
NOTIFICATION = NOTIFICATIONS["critical-error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A workspace's."""

    slack_bot_token: SecretStr | None = BOT_TOKEN
    slack_signing_secret: SecretStr | None = None
    slack_api_url: str = "https://slack.com/api"


def open_at(url: str, network: Network, options: SlackOptions = OPTIONS) -> Notifier:
    return options.open(Settings(slack_api_url=f"{url}/api"), network=network, clock=lambda: NOW)


def open_webhook(url: str, network: Network | None = None) -> Notifier:
    options = SlackOptions(webhook_url=SecretStr(url + WEBHOOK_PATH), allow_private=True)
    return options.open(Settings(slack_bot_token=None), network=network or Network(), clock=lambda: NOW)


def fault_of(rendered: str) -> str | None:
    body = json.loads(rendered)
    if len(json.dumps(body["blocks"], ensure_ascii=False)) > MAX_BLOCKS_JSON:
        return "the blocks are too long"
    return stand_in.fault_of(body, "#/$defs/chat.postMessage" if "channel" in body else "#/$defs/incoming_webhook")


CONTRACT = Contract(options=OPTIONS, open=open_at, secrets=(TOKEN,), fault_of=fault_of)


@pytest.fixture
def slack() -> Iterator[Server[Slack]]:
    with Server(Slack()) as server:
        yield server


@pytest.fixture
def bot(slack: Server[Slack]) -> SlackNotifier:
    notifier = open_at(slack.url, Network())
    assert isinstance(notifier, SlackNotifier)
    return notifier


def texts(notification: Notification) -> str:
    """Everything that a reader sees, unescaped, in one string."""
    shown: list[str] = []

    def collect(value: Json) -> None:
        if isinstance(value, dict):
            shown.extend(str(value[key]) for key in ("text",) if isinstance(value.get(key), str))
            for inner in value.values():
                collect(inner)
        elif isinstance(value, list):
            for inner in value:
                collect(inner)

    collect(list(blocks(compose(notification))))
    return "\n".join(shown)


@pytest.mark.parametrize("rule", NOTIFICATIONS)
def test_a_message_looks_as_its_golden(rule: str, goldens: Goldens) -> None:
    rendered = OPTIONS.render(NOTIFICATIONS[rule])

    goldens.check(f"slack/{rule}.json", rendered)
    assert fault_of(rendered) is None


def test_a_webhooks_body_names_no_channel_and_no_metadata(goldens: Goldens) -> None:
    options = SlackOptions(webhook_url=SecretStr("https://hooks.slack.com/services/T/B/secret"))

    rendered = options.render(NOTIFICATION)

    goldens.check("slack/webhook.json", rendered)
    assert fault_of(rendered) is None


def test_a_bot_posts_one_message_and_returns_where_it_stands(slack: Server[Slack], bot: SlackNotifier) -> None:
    receipt = bot.send(NOTIFICATION)

    [request] = slack.requests
    [message] = slack.app.messages["C0ERRORS1"]
    assert request.json == json.loads(receipt.payload)
    assert receipt.reference == {"channel": "C0ERRORS1", "ts": message["ts"]}
    assert TOKEN not in receipt.payload


def test_a_webhook_posts_one_message(slack: Server[Slack]) -> None:
    receipt = open_webhook(slack.url).send(NOTIFICATION)

    [request] = slack.requests
    assert request.json == json.loads(receipt.payload)
    assert receipt.excerpt == "ok"


@pytest.mark.parametrize("way", ["bot", "webhook"])
def test_a_message_whose_layout_is_refused_goes_out_as_text(way: str) -> None:
    with Server(Slack(refuses_layouts=True)) as slack:
        notifier = open_at(slack.url, Network()) if way == "bot" else open_webhook(slack.url)

        receipt = notifier.send(NOTIFICATION)

    [message] = slack.app.messages["C0ERRORS1"]
    assert "blocks" not in message
    assert 'File "shop/orders/views.py", line 88' in str(message["text"])
    assert "https://acme.sentry.io/issues/4509877001/" in str(message["text"])
    assert "invalid_blocks; sent as text" in receipt.excerpt
    assert len(slack.requests) == 2


@pytest.mark.parametrize(
    ("error", "kind", "ambiguous"),
    [
        ("ratelimited", RetryableError, False),
        ("service_unavailable", RetryableError, False),
        ("internal_error", RetryableError, True),
        ("fatal_error", RetryableError, True),
        ("is_archived", PermanentError, False),
        ("channel_not_found", PermanentError, False),
        ("token_revoked", PermanentError, False),
        ("an_error_of_the_future", PermanentError, False),
    ],
)
def test_a_no_of_slack_is_judged_by_its_error(error: str, kind: type[Exception], *, ambiguous: bool) -> None:
    with Server(Slack(refuses=error)) as slack, pytest.raises(kind, match=f"chat.postMessage: {error}") as raised:
        open_at(slack.url, Network()).send(NOTIFICATION)

    assert getattr(raised.value, "ambiguous", False) is ambiguous
    assert len(slack.requests) == 1


def test_a_text_that_is_refused_as_well_is_refused_for_good() -> None:
    with Server(Slack(refuses="msg_too_long")) as slack, pytest.raises(PermanentError, match="msg_too_long"):
        open_at(slack.url, Network()).send(NOTIFICATION)

    assert len(slack.requests) == 2


def test_a_yes_that_is_not_json_is_not_believed() -> None:
    with FaultServer(answer(200, body="<html>Please sign in</html>")) as proxy, pytest.raises(RetryableError, match="sign in") as raised:
        open_at(proxy.url, Network()).send(NOTIFICATION)

    assert raised.value.ambiguous


@pytest.mark.parametrize("body", ["null", "7", "[]", "[7]", "{}", '{"ok": "perhaps"}', "[" * 9999], ids=lambda body: body[:20])
def test_json_that_slack_would_not_answer_is_not_believed(body: str) -> None:
    with FaultServer(answer(200, body=body)) as proxy, pytest.raises(RetryableError, match="not the vendor's answer") as raised:
        open_at(proxy.url, Network()).send(NOTIFICATION)

    assert raised.value.ambiguous


def test_what_slack_may_add_to_its_answers_does_not_matter() -> None:
    body = '{"ok": true, "channel": "C0ERRORS1", "ts": "1.2", "warning": null, "message": {"ts": 1.2, "blocks": [[]]}}'

    with FaultServer(answer(202, body=body)) as slack:
        receipt = open_at(slack.url, Network()).send(NOTIFICATION)

    assert receipt.reference == {"channel": "C0ERRORS1", "ts": "1.2"}


def test_connections_to_slack_stay_open(slack: Server[Slack], bot: SlackNotifier) -> None:
    bot.send(NOTIFICATION)
    open_webhook(slack.url).send(NOTIFICATION)

    assert [request.headers.get("connection") for request in slack.requests] == [None, None]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "10.0.0.8", "169.254.169.254", "0x7f000001", "2130706433"])
def test_a_webhook_at_a_private_address_is_not_called_unless_that_is_allowed(host: str, slack: Server[Slack]) -> None:
    port = slack.url.rpartition(":")[2]
    options = SlackOptions(webhook_url=SecretStr(f"http://{host}:{port}{WEBHOOK_PATH}"))

    with pytest.raises(PermanentError, match="set `allow_private: true`"):
        options.open(Settings(), network=Network(), clock=lambda: NOW).send(NOTIFICATION)

    assert slack.requests == []


def test_a_public_webhook_is_called_by_the_address_that_was_checked(slack: Server[Slack]) -> None:
    port = slack.url.rpartition(":")[2]
    asked: list[str] = []

    def public(host: str, _port: int) -> str:
        asked.append(host)
        return "127.0.0.1"

    options = SlackOptions(webhook_url=SecretStr(f"http://hooks.slack.invalid:{port}{WEBHOOK_PATH}"))
    receipt = options.open(Settings(), network=Network(address_of=public), clock=lambda: NOW).send(NOTIFICATION)

    [request] = slack.requests
    assert (receipt.excerpt, asked) == ("ok", ["hooks.slack.invalid"])
    assert request.headers["host"] == f"hooks.slack.invalid:{port}"


@pytest.mark.parametrize("body", ["", "OK!", "<html>", "no_service"])
def test_a_webhook_believes_no_word_but_ok(body: str) -> None:
    with FaultServer(answer(200, body=body)) as proxy, pytest.raises(RetryableError) as raised:
        open_webhook(proxy.url).send(NOTIFICATION)

    assert raised.value.ambiguous


def test_a_webhook_follows_no_redirect() -> None:
    with (
        FaultServer(answer(302, headers={"Location": "/elsewhere"})) as proxy,
        pytest.raises(RetryableError, match="a redirect is not followed"),
    ):
        open_webhook(proxy.url).send(NOTIFICATION)

    assert len(proxy.requests) == 1


def test_a_webhook_obeys_no_proxy_of_the_environment(slack: Server[Slack], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    receipt = open_webhook(slack.url).send(NOTIFICATION)

    assert receipt.excerpt == "ok"


def test_a_webhook_logs_nothing_of_what_it_was_answered(caplog: pytest.LogCaptureFixture) -> None:
    with FaultServer(answer(404, echo=True)) as proxy, pytest.raises(PermanentError):
        open_webhook(proxy.url).send(NOTIFICATION)

    assert caplog.records == []


def test_the_secret_of_a_webhooks_address_is_in_no_error_even_if_it_is_echoed() -> None:
    with FaultServer(answer(404, body=f"no such page: {WEBHOOK_PATH}")) as proxy, pytest.raises(PermanentError) as raised:
        open_webhook(proxy.url).send(NOTIFICATION)

    assert str(raised.value) == "HTTP 404 Not Found: no such page: /services/T0ACME001/B0ROUTER1/***"


@pytest.mark.parametrize("channel", ["#errors", "C0ERRORS1"])
def test_a_message_that_slack_took_without_saying_so_is_found(channel: str) -> None:
    with Server(Slack(loses_answers=True)) as slack:
        bot = open_at(slack.url, Network(), SlackOptions(channel=channel))
        assert isinstance(bot, Reconciler)
        with pytest.raises(RetryableError):
            bot.send(NOTIFICATION)

        found = bot.find(NOTIFICATION)

    assert found is not None
    assert found.reference == {"channel": "C0ERRORS1", "ts": "1795428560.000000"}


def test_a_message_that_was_taken_as_text_is_found() -> None:
    with Server(Slack(refuses_layouts=True, loses_answers=True)) as slack:
        bot = open_at(slack.url, Network())
        assert isinstance(bot, Reconciler)
        with pytest.raises(RetryableError) as raised:
            bot.send(NOTIFICATION)

        found = bot.find(NOTIFICATION)

    assert raised.value.ambiguous
    assert found is not None


def test_a_workspace_that_takes_no_metadata_gets_the_blocks_without_it() -> None:
    with Server(Slack(refuses_metadata=True)) as slack:
        receipt = open_at(slack.url, Network()).send(NOTIFICATION)

    [message] = slack.app.messages["C0ERRORS1"]
    assert "blocks" in message
    assert "metadata" not in message
    assert receipt.excerpt == "chat.postMessage: metadata_too_large; sent without metadata"
    assert "metadata" not in receipt.payload


def test_only_the_message_of_this_very_notification_is_found(bot: SlackNotifier) -> None:
    bot.send(replace(NOTIFICATION, id=2))
    bot.send(replace(NOTIFICATION, incident="issue:1"))

    assert bot.find(NOTIFICATION) is None


def test_a_message_and_a_channel_are_found_on_a_later_page() -> None:
    channels = {f"C0OTHER{number:02}": f"other-{number}" for number in range(5)} | {"C0ERRORS1": "errors"}
    with Server(Slack(channels=channels, page_size=2)) as slack:
        bot = open_at(slack.url, Network())
        assert isinstance(bot, Reconciler)
        bot.send(NOTIFICATION)
        for number in range(10, 15):
            bot.send(replace(NOTIFICATION, id=number))

        found = bot.find(NOTIFICATION)

    assert found is not None


def test_those_who_look_at_the_same_moment_read_the_channel_once(slack: Server[Slack]) -> None:
    bot = open_at(slack.url, Network(), SlackOptions(channel="#errors"))
    assert isinstance(bot, Reconciler)
    several = [replace(NOTIFICATION, id=number, tried_until=NOW - timedelta(seconds=1)) for number in range(2, 12)]
    for one in several:
        bot.send(one)
    slack.requests.clear()

    assert all(map(bot.find, several))
    assert [request.path for request in slack.requests] == ["/api/conversations.list", "/api/conversations.history"]


def test_what_was_read_before_an_attempt_was_over_says_nothing_about_it(bot: SlackNotifier) -> None:
    assert bot.find(replace(NOTIFICATION, tried_until=NOW)) is None
    bot.send(NOTIFICATION)

    assert bot.find(replace(NOTIFICATION, tried_until=NOW + timedelta(seconds=1)))
    assert bot.find(replace(NOTIFICATION, tried_until=None))


def test_what_slack_refuses_it_refuses_to_all_who_look_at_that_moment() -> None:
    with Server(Slack(scopes=stand_in.ALL_SCOPES - {"channels:history"})) as slack:
        bot = open_at(slack.url, Network(), SlackOptions(channel="C0ERRORS1"))
        assert isinstance(bot, Reconciler)

        for number in (2, 3):
            with pytest.raises(PermanentError, match="missing_scope"):
                bot.find(replace(NOTIFICATION, id=number, tried_until=NOW - timedelta(seconds=1)))

    assert len(slack.requests) == 1


def busy_channel(messages: int) -> Slack:
    """One in which so many other messages came since, a page each."""
    others: list[stand_in.Body] = [{"ts": f"1795428560.{number:06d}", "text": "another"} for number in range(messages)]
    return Slack(page_size=1, messages={"C0ERRORS1": others})


def test_what_is_on_none_of_a_channels_pages_is_not_there() -> None:
    with Server(busy_channel(messages=10)) as slack:
        bot = open_at(slack.url, Network(), SlackOptions(channel="C0ERRORS1"))
        assert isinstance(bot, Reconciler)

        assert bot.find(NOTIFICATION) is None

    assert len(slack.requests) == 10


def test_what_may_be_on_a_page_that_nobody_looked_at_is_not_said_to_be_absent() -> None:
    with Server(busy_channel(messages=11)) as slack:
        bot = open_at(slack.url, Network(), SlackOptions(channel="C0ERRORS1"))
        assert isinstance(bot, Reconciler)

        with pytest.raises(PermanentError, match="not on the first 10 pages, and there are more"):
            bot.find(NOTIFICATION)

    assert len(slack.requests) == 10


@pytest.mark.parametrize("scope", ["channels:history", "channels:read"])
def test_without_the_scope_slack_cannot_be_asked(scope: str) -> None:
    with Server(Slack(scopes=stand_in.ALL_SCOPES - {scope})) as slack:
        bot = open_at(slack.url, Network())
        assert isinstance(bot, Reconciler)

        with pytest.raises(PermanentError, match="missing_scope"):
            bot.find(NOTIFICATION)


def test_a_channel_that_is_not_listed_cannot_be_asked(slack: Server[Slack]) -> None:
    bot = open_at(slack.url, Network(), SlackOptions(channel="#private"))
    assert isinstance(bot, Reconciler)

    with pytest.raises(PermanentError, match="#private is not in"):
        bot.find(NOTIFICATION)


def test_the_stand_in_is_understood_by_slacks_own_client(slack: Server[Slack], bot: SlackNotifier) -> None:
    client = WebClient(token=TOKEN, base_url=f"{slack.url}/api/", retry_handlers=[])
    client.proxy = None  # it would take one from the environment, for loopback too
    bot.send(NOTIFICATION)

    posted = client.chat_postMessage(channel="#errors", text="hello")
    history = client.conversations_history(channel="C0ERRORS1", oldest="0", include_all_metadata=True)

    assert posted["ts"] == "1795428560.000001"
    assert history["messages"][0]["text"] == "hello"
    assert history["messages"][1]["metadata"]["event_payload"]["notification_id"] == "1"


def test_a_title_with_mark_up_and_mentions_is_shown_as_it_is() -> None:
    title = "<!channel> *boom* `__init__` <@U012AB3CD> & <https://evil.example|click>"
    notification = make_notification(alert=make_alert(title=title, tags=(("to", "@here #general `x` <!everyone>"),)))

    payload = SlackOptions(channel="#errors").payload(notification)

    assert payload["text"] == (
        "[CRITICAL] Critical error: &lt;!channel&gt; *boom* `__init__` &lt;@U012AB3CD&gt; &amp; "
        "&lt;https://evil.example|click&gt; (shop-api, production)"
    )
    assert title in texts(notification)  # literal, in rich text
    assert "to: `@here #general 'x' &lt;!everyone&gt;`" in texts(notification)
    marked_up = json.dumps(payload["blocks"]).split('{"type": "mrkdwn"')[1:]
    assert all('"verbatim": true}' in block for block in marked_up)


def test_a_repeat_and_the_other_rules_are_told() -> None:
    notification = make_notification(reason=Reason.REPEAT, rules=("critical-error", "payment_failure", "new-error"))

    shown = texts(notification)

    assert ":rotating_light: Critical error, again · shop-api · production" in shown
    assert 'rule: tags.critical is "true"; also Payment failure; also New error | ' in shown


def test_an_alert_that_says_next_to_nothing_is_a_short_message(goldens: Goldens) -> None:
    bare = make_alert(
        title="\u202e\x00",
        culprit=None,
        project=None,
        environment=None,
        release=None,
        link="javascript:alert(1)",
        exceptions=(),
        tags=(),
        user=None,
    )

    rendered = OPTIONS.render(make_notification(alert=bare))

    goldens.check("slack/next-to-nothing.json", rendered)


def test_the_end_of_a_long_stack_is_what_is_shown() -> None:
    frames = tuple(Frame(filename=f"shop/{'deep/' * 30}file{number}.py", line_number=number, in_app=True) for number in range(9))
    alert = make_alert(exceptions=(ExceptionValue(type="KeyError", value="'currency'", frames=frames),))

    shown = texts(make_notification(alert=alert))

    assert "KeyError: 'currency'" in shown
    assert "file8.py" in shown
    assert "file3.py" not in shown


@given(st.text(alphabet=st.sampled_from('ab<>&é👩‍💻"\\'), max_size=80), st.integers(min_value=1, max_value=60))
def test_escaping_keeps_the_limit_and_ends_inside_no_entity(text: str, limit: int) -> None:
    shown = escaped(text, limit)

    assert len(shown) <= limit
    rest = shown.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")
    assert not set(rest) & set("<>&")


@given(st.text(max_size=3000), st.lists(st.tuples(st.text(max_size=300), st.text(max_size=300)), max_size=12))
def test_whatever_an_alert_says_slack_takes_the_message(text: str, tags: list[tuple[str, str]]) -> None:
    exception = ExceptionValue(type=text, value=text, frames=(Frame(filename=text, function=text, source_line=text),) * 6)
    link = "https://acme.sentry.io/" + "x" * 1900
    alert = make_alert(
        title=text, culprit=text, project=text, release=text, short_id=text, tags=tuple(tags), exceptions=(exception,), link=link
    )

    rendered = OPTIONS.render(make_notification(alert=alert, why=text, rules=("critical-error", "other")))

    assert fault_of(rendered) is None


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({}, 'missing; add `channel: "#errors"`'),
        ({"channel": "errors"}, 'write a name with its sign, "#errors"'),
        ({"channel": "#"}, "no channel"),
        ({"channel": "#two words"}, "no channel"),
        ({"channel": "c0abcdef"}, "no channel"),
        ({"channel": "#errors", "webhook_url": "https://hooks.slack.com/services/T/B/x"}, "exclude each other"),
        ({"webhook_url": "hooks.slack.com/services/T/B/x"}, "copy the whole Webhook URL"),
        ({"webhook_url": "https://me:pass@hooks.slack.com/services/T/B/x"}, "copy the whole Webhook URL"),
        ({"channel": "#errors", "allow_private": "true"}, "allow_private is about webhook_url"),
        ({"channel": "#errors", "colour": "red"}, "Extra inputs are not permitted"),
    ],
)
def test_wrong_options_are_refused_with_the_way_out(options: dict[str, str], wrong: str) -> None:
    with pytest.raises(ValidationError, match=wrong.replace("(", r"\(")):
        SlackOptions.model_validate(options)


@pytest.mark.parametrize(
    ("options", "token", "missing"),
    [
        ({"channel": "#errors"}, BOT_TOKEN, None),
        ({"channel": "#errors"}, None, "SLACK_BOT_TOKEN"),
        ({"webhook_url": ""}, BOT_TOKEN, "webhook_url"),
        ({"webhook_url": "https://hooks.slack.com/services/T/B/x"}, None, None),
    ],
)
def test_a_missing_credential_is_named(options: dict[str, str], token: SecretStr | None, missing: str | None) -> None:
    assert SlackOptions.model_validate(options).missing_credential(Settings(slack_bot_token=token)) == missing
