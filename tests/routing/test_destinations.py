"""Receivers whose options hang on the alert: what of rules.yaml is computed, what is wrong with it, and where an alert goes."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from notifiers.registry import KINDS
from routing.destinations import Changes, Destination, Refusal, check, examples, find, read_allow_list
from routing.placeholders import AllowList
from routing.query import Facts
from tests.factories import make_alert

ALLOW = AllowList(("#team-*", "#ops"))


class Chat(BaseModel):
    """Options of an invented kind: a channel, people to call, a credential, a number."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    channel: str
    people: tuple[str, ...] = Field((), max_length=3)
    token: SecretStr | None = None
    weight: int = 1

    @field_validator("channel")
    @classmethod
    def _is_channel(cls, value: str) -> str:
        if not value.startswith("#") or " " in value:
            raise ValueError('is no channel; write "#errors"')
        return value


def destination(allow: AllowList = ALLOW, /, **written: object) -> Destination:
    computed = find(written, Chat)
    assert computed.faults == ()
    return Destination(model=Chat, written=written, computed=computed.options, allow=allow)


def resolved(destination: Destination, **tags: str) -> Changes | Refusal:
    return destination.resolve(Facts(make_alert(tags=tuple(tags.items()))))


def faults(written: Mapping[str, object], allow: AllowList | None) -> dict[tuple[str | int, ...], str]:
    computed = find(written, Chat)
    return {fault.path: fault.message for fault in (*computed.faults, *check(computed, allow))}


def test_an_alert_goes_where_its_own_words_say() -> None:
    assert resolved(destination(channel="#team-{tags.team}"), team="cart") == {"channel": "#team-cart"}


def test_of_a_list_every_text_is_filled_and_those_without_places_stay() -> None:
    allow = AllowList(("*@acme.example",))
    chat = destination(allow, channel="#errors", people=["{tags.owner}@acme.example", "audit@other.example"])

    assert resolved(chat, owner="ann") == {"people": ["ann@acme.example", "audit@other.example"]}


@pytest.mark.parametrize(
    ("channel", "tags", "why"),
    [
        ("#team-{tags.team}", {}, 'channel: the alert has no tags.team that could stand in "#team-{tags.team}"'),
        ("#team-{tags.team}", {"team": "x" * 101}, 'channel: the alert has no tags.team that could stand in "#team-{tags.team}"'),
        ("#{tags.a}{tags.b}", {}, 'channel: the alert has no tags.a and no tags.b that could stand in "#{tags.a}{tags.b}"'),
        ("#{tags.team}", {"team": "general"}, 'channel: "#general" is not allowed; allowed: "#team-*", "#ops"'),
        ("{tags.team}", {"team": "#Team-cart"}, 'channel: "#Team-cart" is not allowed; allowed: "#team-*", "#ops"'),
        ("#team-{tags.team}", {"team": "a b"}, 'channel: "#team-a b" is not taken: is no channel; write "#errors"'),
    ],
    ids=["absent", "too long", "two", "not allowed", "other case", "refused by the model"],
)
def test_an_alert_without_a_fit_destination_is_refused_with_the_reason(channel: str, tags: dict[str, str], why: str) -> None:
    assert resolved(destination(channel=channel), **tags) == Refusal(why=why)


def test_a_refusal_tells_nothing_of_a_credential() -> None:
    chat = destination(AllowList(("#*",)), channel="#{tags.team}", token="xoxb-secret", weight="xoxb-secret")

    refused = resolved(chat, team="cart")

    assert refused == Refusal(why="channel: the receiver's options do not go together")
    assert "xoxb" not in f"{refused}{chat!r}"


def test_the_options_of_an_alert_are_those_written_but_for_the_computed_ones() -> None:
    chat = destination(channel="#team-{tags.team}", token="xoxb-secret", weight="3")
    changes = resolved(chat, team="cart")
    assert not isinstance(changes, Refusal)

    options = chat.options(changes)

    assert options == Chat(channel="#team-cart", token=SecretStr("xoxb-secret"), weight=3)


@given(channel=st.sampled_from(["#team-{tags.team}", "{tags.team}", "#{title}", "#{tags.team|ops}"]), value=st.text(max_size=120))
def test_what_is_not_allowed_is_never_returned(channel: str, value: str) -> None:
    changes = destination(channel=channel).resolve(Facts(make_alert(title=value or "-", tags=(("team", value),))))

    if isinstance(changes, Refusal):
        assert changes.why.isprintable()
        assert len(changes.why) <= 600
    else:
        assert ALLOW.allows(str(changes["channel"]))


def test_credentials_are_left_alone_and_braces_without_a_place_are_meant() -> None:
    computed = find({"channel": "${CHANNEL}", "token": "a{b}", "people": ["{{x}}"], "weight": "1", "unknown": "{x}"}, Chat)

    assert list(computed.options) == ["people"]
    assert computed.places == {}
    assert examples(computed, Chat, None) == {"people": ["{x}"]}


@pytest.mark.parametrize(
    ("written", "allow", "fault"),
    [
        ({"channel": "#a"}, None, {}),
        ({"channel": "#a"}, ALLOW, {("allow",): "no option has places like {tags.team}; take it out"}),
        (
            {"channel": "#team*-{tags.team}"},
            None,
            {("channel",): r'the alert is to say where this goes; add what may come of it: `allow: ["#team\*-*"]`'},
        ),
        (
            {"channel": "#dev-{tags.team}"},
            ALLOW,
            {("channel",): 'nothing that `allow` lists can come of this; add to it, say, "#dev-*"'},
        ),
        (
            {"channel": "#{tags.team}"},
            AllowList(("#",)),
            {("channel",): 'nothing that `allow` lists can come of this; add to it, say, "#*"'},
        ),
        ({"channel": "#{tags.team}-x"}, AllowList(("#ops-x",)), {}),
        (
            {"channel": "#a", "people": ["x", "{tags"]},
            None,
            {("people", 1): "character 1: `{` is alone; write {place}, or `{{` for the sign itself"},
        ),
        (
            {"channel": "#a", "people": ["${WHO}", "{tags.owner}"]},
            AllowList(("*",)),
            {("people", 0): "beside places no variable is put in; write here what it holds"},
        ),
    ],
    ids=["plain", "needless allow", "no allow", "never allowed", "nothing for the place", "fits", "lone brace", "variable"],
)
def test_what_is_wrong_is_told_with_its_place_and_the_way_out(
    written: Mapping[str, object], allow: AllowList | None, fault: Mapping[tuple[str | int, ...], str]
) -> None:
    assert faults(written, allow) == fault


@pytest.mark.parametrize("value", ["#team-*", [], [""], [{}], None, {"a": "b"}])
def test_a_list_of_what_is_allowed_is_a_list_of_texts(value: object) -> None:
    with pytest.raises(ValueError, match=r"write a list of what may come of the places"):
        read_allow_list(value)


@pytest.mark.parametrize(
    ("kind", "written", "allow"),
    [
        ("slack", {"channel": "#team-{tags.team}"}, ["#team-*"]),
        ("slack", {"channel": "{tags.channel_id}"}, ["C0*"]),
        ("email", {"to": ["{tags.owner}@acme.example", "team@acme.example"], "cc": ["{tags.lead}"]}, ["*@acme.example"]),
        ("jira", {"project": "{tags.jira}", "labels": ["team-{tags.team}"], "priority": "{tags.priority|High}"}, ["*"]),
        ("jira", {"project": "AB{tags.jira}"}, ["AB1", "AB2"]),
        ("sms", {"to": "{tags.phone}"}, ["+49*"]),
        ("sms", {"to": "+{tags.phone}"}, ["+4915112345678"]),
    ],
)
def test_each_kind_takes_its_destinations_with_places_once_they_hold_examples(
    kind: str, written: Mapping[str, object], allow: list[str]
) -> None:
    model, allowed = KINDS[kind], AllowList(tuple(allow))
    computed = find(written, model)

    options = model.model_validate({**written, **examples(computed, model, allowed)})

    assert [*computed.faults, *check(computed, allowed)] == []
    assert not [name for name in computed.options if "{" in str(getattr(options, name))]


@pytest.mark.parametrize(("kind", "written"), [("slack", {"channel": "team-{tags.team}"}), ("sms", {"to": "sms:{tags.phone}"})])
def test_what_is_wrong_around_the_places_is_refused_at_the_start(kind: str, written: Mapping[str, object]) -> None:
    model = KINDS[kind]

    with pytest.raises(ValueError, match="write"):
        model.model_validate({**written, **examples(find(written, model), model, AllowList(("*",)))})


def test_every_kind_has_its_credentials_left_alone() -> None:
    written = {"webhook_url": "{a}", "routing_key": "{a}", "url": "{a}", "secret": "{a}"}

    assert [kind for kind, model in KINDS.items() if find(written, model).options] == []
