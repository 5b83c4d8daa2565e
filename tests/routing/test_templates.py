"""Templates of rules.yaml: what is taken, and what an alert makes of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from routing.placeholders import parse
from routing.templates import MessageTemplate, TemplateForm
from tests.factories import make_alert


def test_a_template_has_a_title_a_text_or_both() -> None:
    both = TemplateForm.model_validate({"title": "[{project}] {title}", "text": "Call {tags.owner}"})
    title = TemplateForm.model_validate({"title": "{title}"})

    assert both.template == MessageTemplate(title=parse("[{project}] {title}"), text=parse("Call {tags.owner}"))
    assert title.template == MessageTemplate(title=parse("{title}"))


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ({}, r"write a title, a text, or both: \{title: "),
        ({"title": ""}, r"write one text, in quotes"),
        ({"text": ["a"]}, r"write one text, in quotes"),
        ({"title": "{titel"}, r"character 1: `\{` is alone"),
        ({"title": "{count()}"}, r"character 2: count\(\) is a figure over many alerts"),
        ({"title": "a", "color": "red"}, r"Extra inputs are not permitted"),
    ],
    ids=["empty", "no title", "a list", "brace", "figure", "unknown key"],
)
def test_a_mistake_is_told_with_the_way_out(written: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        TemplateForm.model_validate(written)


def test_a_place_that_cannot_be_filled_is_empty() -> None:
    template = MessageTemplate(title=parse(" [{tags.none}] {title} "), text=parse("{tags.none}"))

    assert template.title_of(make_alert()) == "[] KeyError: 'currency'"
    assert template.text_of(make_alert()) == ""


def test_what_a_template_does_not_have_is_empty() -> None:
    assert MessageTemplate(text=parse("a")).title_of(make_alert()) == ""
    assert MessageTemplate(title=parse("a")).text_of(make_alert()) == ""


@given(st.text(), st.text())
def test_an_alert_adds_no_line_to_a_template(title: str, tag: str) -> None:
    template = MessageTemplate(text=parse("a {title}\nb {tags.x} c"))

    said = template.text_of(make_alert(title=title, tags=(("x", tag),)))

    assert len(said.splitlines()) == 2
