"""A sent message shows on a page as its receiver shows it, and nothing in it can be more than text."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.alert import Json
from tests.notifiers.golden import Goldens
from tests.web.hostile import STRINGS
from web.drawn import drawn

GOLDEN = Path(__file__).parents[1] / "golden"
MESSAGES = [
    (kind, case)
    for kind in ("slack", "email", "pagerduty", "jira", "sms")
    for case in ("critical-error", "resolved", "several-incidents")
    if (GOLDEN / kind / f"{case}.json").exists()
]
BLOCKS = {"p", "pre", "blockquote", "ul", "li", "div", "dl", "dt", "dd", "hr", "table", "tr", "td"}
ALLOWED = BLOCKS | {"a", "b", "br", "code", "em", "s", "span", "strong"}
KEYS = ["type", "text", "blocks", "elements", "url", "style", "fields", "html", "headers", "payload", "links", "To", "Body"]
EMPTY = {"br", "hr"}


@pytest.fixture
def goldens(request: pytest.FixtureRequest) -> Goldens:
    return Goldens(updating=bool(request.config.getoption("--update-goldens")))


def payload(kind: str, case: str) -> str:
    return (GOLDEN / kind / f"{case}.json").read_text(encoding="utf-8")


class Page(HTMLParser):
    """What a browser would make of it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.tags, self.attributes = "", list[str](), list[tuple[str, str | None]]()
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(kind: str, said: str) -> Page:
    shown = drawn(kind, said)
    assert shown is not None
    page = Page(shown)
    assert page.open == []
    assert set(page.tags) <= ALLOWED
    assert {name for name, _ in page.attributes} <= {"class", "href", "rel"}
    assert [value for name, value in page.attributes if name == "href" and not str(value).lower().startswith(("https://", "http://"))] == []
    return page


@pytest.mark.parametrize(("kind", "case"), MESSAGES)
def test_a_message_looks_as_its_golden(kind: str, case: str, goldens: Goldens) -> None:
    goldens.check(f"drawn/{kind}-{case}.html", str(drawn(kind, payload(kind, case))).replace("><", ">\n<") + "\n")


@pytest.mark.parametrize("kind", sorted({kind for kind, _ in MESSAGES}))
@pytest.mark.parametrize("hostile", STRINGS)
def test_what_is_said_in_it_is_text_and_nothing_else(kind: str, hostile: str) -> None:
    said = payload(kind, "critical-error").replace("OperationalError", json.dumps(hostile)[1:-1])

    page = read(kind, said)

    assert "critical" in page.text.lower()


def test_marks_of_slack_are_drawn_and_its_escapes_are_read() -> None:
    words = "*bold* _it_ `co*de` <https://acme.example/a?b=1&amp;c=2|a &lt;page&gt;> <!here> <!date^1^{date}|yesterday> 2 &lt; 3"
    said = json.dumps({"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": words}}]})

    assert str(drawn("slack", said)) == (
        '<div class="mb-2"><div><span class="message"><strong>bold</strong> <em>it</em> <code>co*de</code> '
        '<a href="https://acme.example/a?b=1&amp;c=2" rel="noopener noreferrer">a &lt;page&gt;</a> '
        "@here yesterday 2 &lt; 3</span></div></div>"
    )


def test_a_link_of_slack_that_leads_to_no_page_is_text() -> None:
    link: Json = {"type": "link", "url": "javascript:alert(1)", "text": "press me"}
    said = json.dumps({"blocks": [{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [link]}]}]})

    assert read("slack", said).tags == ["div", "div"]


def test_of_a_mail_only_the_structure_is_kept() -> None:
    html = "<html><body onload=x><style>p {}</style><script>alert(1)</script><p style='color:red' onclick=x>Hello <img src=x> <a href='https://a.example'>there"

    page = read("email", json.dumps({"headers": {"Subject": "Hi"}, "html": html}))

    assert page.tags == ["dl", "dt", "dd", "hr", "p", "a"]
    assert "Hello" in page.text
    assert "alert(1)" not in page.text


@pytest.mark.parametrize("said", ["", "{", "[]", "7", '"text"'])
def test_what_is_no_message_is_not_drawn(said: str) -> None:
    assert drawn("slack", said) is None
    assert drawn("webhook", '{"a": 1}') is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.sampled_from(sorted({kind for kind, _ in MESSAGES})),
    st.dictionaries(st.sampled_from(KEYS), json_values),
)
def test_whatever_is_in_a_message_it_is_drawn_and_well_formed(kind: str, said: dict[str, Json]) -> None:
    read(kind, json.dumps(said))
