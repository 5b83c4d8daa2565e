from __future__ import annotations

from notifiers.limits import limits
from notifiers.registry import KINDS
from routing.gate import ACCOUNTS, UPDATES, Limit
from settings import Settings


def given(**variables: str) -> dict[str, Limit]:
    return dict(limits(Settings.from_variables({"ALLOW_UNSIGNED": "true", **variables})))


def test_vendors_that_say_how_fast_they_may_be_told_are_told_no_faster() -> None:
    pages = Limit.per_minute(120, at_once=0.5)

    assert given() == {"slack": Limit.per_minute(60), f"slack{UPDATES}": Limit.per_minute(50), "pagerduty": pages}


def test_others_are_told_as_fast_as_the_environment_says() -> None:
    assert given(SMTP_PER_MINUTE="30")["email"] == Limit.per_minute(30)


def test_limits_and_accounts_are_of_kinds_that_there_are() -> None:
    every_limit = given(SMTP_PER_MINUTE="30", TWILIO_PER_MINUTE="30")

    assert {kind.removesuffix(UPDATES) for kind in every_limit} | ACCOUNTS <= set(KINDS)
