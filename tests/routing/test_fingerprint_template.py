"""Keys of fingerprints: what is taken, and what a person who made a mistake in one is told."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.fingerprint_template import MAX_TEMPLATE, TemplateError, fit, parse
from tests.factories import make_alert


@pytest.mark.parametrize(
    ("template", "key"),
    [
        ("payments", "payments"),
        ("{error.type}", "KeyError"),
        ("{error.type}.{environment}/{tags.team}", "KeyError.production/cart"),
        ("Http404./users/{{id}}", "Http404./users/{id}"),
        ("{{{error.type}}}", "{KeyError}"),
        ("{error.type}.{transaction}", None),
        ("{tags.shop}", None),
    ],
)
def test_places_are_filled_with_what_the_alert_says_or_there_is_no_key(template: str, key: str | None) -> None:
    assert parse(template).fill(make_alert(tags=(("team", "cart"),))) == key


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("", "character 1: empty; write a key such as {error.type}.{constraint}"),
        ("a.{feild}", 'character 3: no place "feild"; did you mean "field"?'),
        ("{ path }", 'character 1: no place " path "; did you mean "path"?'),
        ("{tags.}", 'character 1: no place "tags."; did you mean "tags.NAME"?'),
        ("a.{}", 'character 3: no place ""; known here: error.type, field, constraint, .*'),
        ("{path", "character 1: `{` is alone; write {place}, or `{{` for the sign itself"),
        ("a}", "character 2: `}` is alone; write {place}, or `}}` for the sign itself"),
        ("payment failed", "character 8: a key holds letters, digits and .* beside its places"),
        ("zahlungsausfälle", "character 13: a key holds .*"),
        ("a" * (MAX_TEMPLATE + 1), "character 201: longer than 200 characters"),
    ],
)
def test_a_mistake_is_shown_with_its_place_and_the_way_out(template: str, complaint: str) -> None:
    with pytest.raises(TemplateError) as refused:
        parse(template)

    said = str(refused.value)
    assert said == complaint or re.fullmatch(complaint, said)
    assert said.startswith(f"character {refused.value.position + 1}: ")


@given(st.text() | st.text(alphabet="{}.paths "))
def test_a_template_is_taken_or_refused_for_a_reason_of_its_own(text: str) -> None:
    try:
        template = parse(text)
    except TemplateError as error:
        assert 0 <= error.position <= len(text)  # noqa: PT017 - either outcome is right
    else:
        assert template == parse(template.text)


@given(st.text())
def test_what_is_fit_for_a_key_is_plain_and_as_long_as_before(text: str) -> None:
    fitted = fit(text)

    assert len(fitted) == len(text)
    assert re.fullmatch(r"[!-~]*", fitted)
