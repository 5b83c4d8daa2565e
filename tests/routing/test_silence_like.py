"""A silence of alerts like one holds that one, can be read, and is not one of everything."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from routing.query import parse_condition
from routing.silence_like import matcher_like
from routing.silences import read_matchers
from tests.factories import make_alert

TITLES = st.text(min_size=1, max_size=300) | st.text(alphabet='*"\\()[]<>:! OR', min_size=1, max_size=20)


def test_it_is_of_the_issue_where_there_is_one() -> None:
    assert matcher_like(make_alert()) == "project:shop-api issue.id:5300000123"


def test_it_is_of_the_title_where_there_is_none() -> None:
    assert matcher_like(make_alert(issue_id=None, title="Failure rate of the shop")) == 'project:shop-api title:"Failure rate of the shop"'


@given(TITLES, st.none() | st.just("123"), st.none() | TITLES)
def test_whatever_it_is_called_the_alert_meets_it(title: str, issue_id: str | None, project: str | None) -> None:
    alert = make_alert(title=title, issue_id=issue_id, project=project)

    assert parse_condition(matcher_like(alert)).evaluate(alert).matched


def test_it_may_be_a_silence() -> None:
    for title in ("a", '"', "x" * 500, "in [a", "a OR b"):
        assert read_matchers([matcher_like(make_alert(title=title, issue_id=None))])
