"""The shipped rules do what their tests say, and their tests notice when they do not."""

from __future__ import annotations

import pytest

from routing.rule_tests import RuleTest
from routing.rule_tests_coverage import coverage
from routing.rule_tests_running import run
from tests.mutate_rules import SHIPPED, TESTS, attempt, read_rules, read_tests

RULES = read_rules(SHIPPED)
TESTS_OF_RULES = read_tests(TESTS, RULES)

CANNOT_HOLD = "rules with cooldown that held: 5 of 6, never new-error"
"""What is new is so once."""


@pytest.mark.parametrize("test", TESTS_OF_RULES, ids=lambda test: test.name)
def test_the_shipped_rules_do_what_their_test_says(test: RuleTest) -> None:
    assert [line for failure in run(test, RULES).failures for line in failure.lines] == []


def test_every_part_of_the_shipped_rules_is_met_by_a_test() -> None:
    lines = coverage(RULES, [run(test, RULES) for test in TESTS_OF_RULES])

    assert [str(line) for line in lines if line.missing] == [CANNOT_HOLD]


def test_hardly_any_change_of_the_shipped_rules_goes_unnoticed() -> None:
    trial = attempt(RULES, TESTS_OF_RULES)

    assert trial.tried > 500
    assert trial.share_killed >= 0.95, "\n".join(trial.survivors)
