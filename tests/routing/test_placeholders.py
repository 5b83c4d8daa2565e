"""Texts with places and lists of what they may become: what is taken, what an alert makes of them, and what never comes through."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.alert import Alert
from routing.placeholders import MAX_SAID, MAX_TEXT, MAX_VALUE, AllowList, PlaceholderError, parse
from routing.query import Facts
from tests.factories import make_alert

ALERT = make_alert(tags=(("team", "cart"), ("team", "second"), ("owner", "ann")), event_count=12)
WRITTEN = st.text(alphabet="{}|*\\#a.") | st.sampled_from(["#{tags.team}", "{tags.team|x}{title}", "{level}-{{x}}", "{tags.none|}"])


def facts(alert: Alert = ALERT) -> Facts:
    return Facts(alert)


@pytest.mark.parametrize(
    ("written", "filled"),
    [
        ("#errors", "#errors"),
        ("#team-{tags.team}", "#team-cart"),
        ("{tags[team]}/{project}", "cart/shop-api"),
        ("{level}: {timesSeen}", "error: 12"),
        ("{error.handled}", "false"),
        ("{contexts.none|platform}", "platform"),
        ("{tags.team|platform}", "cart"),
        ("{{{tags.team}}}", "{cart}"),
        ("#team-{tags.none}", None),
        ("#team-{tags.none|}", None),
        ("{tags.team}{tags.none}", None),
    ],
)
def test_a_place_is_filled_with_the_first_text_of_its_key_or_the_text_is_not_filled(written: str, filled: str | None) -> None:
    assert parse(written).fill(facts()) == filled


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("{tags.team", "character 1: `{` is alone; write {place}, or `{{` for the sign itself"),
        ("a}", "character 2: `}` is alone; write {place}, or `}}` for the sign itself"),
        ("#{}", "character 3: no key between the braces; write a key of the query language, like {project} or {tags.team}"),
        ("{ project }", 'character 2: " project " is no key; write {project}'),
        ("{tags team}", 'character 2: "tags team" is no key; write a key of the query language, like {project} or {tags.team}'),
        (
            "{count()}",
            "character 2: count() is a figure over many alerts; write a key of the query language, like {project} or {tags.team}",
        ),
        ("{is}", "character 2: `is:` asks and says nothing; write a key of the query language, like {project} or {tags.team}"),
        ("{has}", "character 2: `has:` asks and says nothing; write a key of the query language, like {project} or {tags.team}"),
        ("{project|a\nb}", "character 10: a default is one line of at most 100 characters"),
        ("x" * (MAX_TEXT + 1), f"character {MAX_TEXT + 1}: longer than {MAX_TEXT} characters"),
    ],
)
def test_a_mistake_is_shown_with_its_place_and_the_way_out(written: str, complaint: str) -> None:
    with pytest.raises(PlaceholderError) as refused:
        parse(written)

    assert str(refused.value) == complaint


def test_a_text_knows_what_it_asks_for() -> None:
    assert parse("{tags.team|x}-{project}-{tags.team}").keys == ("tags.team", "project")
    assert parse("{{project}}").is_plain
    assert not parse("{project}").is_plain


def test_what_cannot_be_filled_is_named() -> None:
    alert = make_alert(tags=(("team", "cart"), ("long", "x" * (MAX_VALUE + 1))))

    assert parse("{tags.team}{tags.none}{tags.long}{tags.none}").unfilled(facts(alert)) == ("tags.none", "tags.long")


def test_a_part_of_a_long_value_is_no_destination_but_can_be_said() -> None:
    places = parse("{tags.long}")
    fits, longer = (facts(make_alert(tags=(("long", "x" * length),))) for length in (MAX_VALUE, 300_000))

    assert places.fill(fits) == "x" * MAX_VALUE
    assert places.fill(longer) is None
    assert places.say(longer) == "x" * MAX_SAID


def test_where_people_read_it_a_place_that_cannot_be_filled_is_empty() -> None:
    assert parse("[{tags.none}] {tags.team} {tags.none|nobody}").say(facts()) == "[] cart nobody"


@pytest.mark.parametrize(
    ("value", "filled"),
    [
        ("a\r\nBcc: x", "a Bcc: x"),
        ("\u202egnp", "gnp"),
        ("a\x00b", "a b"),
        (" a ", "a"),
        ("\ud800", None),
        ("\x00", None),
        ("{project}", "{project}"),
    ],
)
def test_a_value_is_one_line_without_what_is_hidden(value: str, filled: str | None) -> None:
    assert parse("{tags.team}").fill(facts(make_alert(tags=(("team", value),)))) == filled


@given(written=WRITTEN, value=st.text(max_size=300), title=st.text(max_size=2000))
def test_whatever_an_alert_says_filling_fails_for_no_reason_and_yields_no_control_character(written: str, value: str, title: str) -> None:
    alert = make_alert(title=title, tags=(("team", value), (value, title)))
    try:
        places = parse(written)
    except PlaceholderError as error:
        assert 0 <= error.position <= len(written)  # noqa: PT017 - either outcome is right
        return

    filled, said = places.fill(facts(alert)), places.say(facts(alert))

    assert not [sign for sign in (filled or "") + said if unicodedata.category(sign) in {"Cc", "Cs", "Zl", "Zp"}]
    assert (filled is None) == bool(places.unfilled(facts(alert)))
    assert len(said) <= len(written) + MAX_SAID * written.count("{")


@pytest.mark.parametrize(
    ("pattern", "text", "allowed"),
    [
        ("#team-*", "#team-cart", True),
        ("#team-*", "#team-", True),
        ("#team-*", "x#team-cart", False),
        ("#team-*", "#Team-cart", False),
        ("*@acme.example", "ann@acme.example", True),
        ("*@acme.example", "ann@acme.example.evil", False),
        ("*@acme.example", "ann@acme\u200b.example", False),
        ("#*-alerts", "#cart-alerts", True),
        ("a*a", "a", False),
        (r"a\*", "a*", True),
        (r"a\*", "ab", False),
        ("#ops", "#ops", True),
        ("#ops", "#opsx", False),
        ("[a-z].?", "[a-z].?", True),
        ("*", "a\nb", False),
    ],
)
def test_a_text_is_allowed_only_as_a_whole_and_as_it_is_written(pattern: str, text: str, *, allowed: bool) -> None:
    assert AllowList(("#other", pattern)).allows(text) is allowed


@given(st.text(), st.text(alphabet=st.characters(exclude_characters="*\\")))
def test_a_pattern_without_stars_allows_nothing_but_itself(text: str, pattern: str) -> None:
    assert AllowList((pattern,)).allows(text) is (text == pattern and text.isprintable())


def test_an_empty_list_allows_nothing() -> None:
    assert not AllowList(()).allows("")
