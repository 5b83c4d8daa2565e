"""The shipped rules do what their tests say, and their tests notice when they do not."""

from __future__ import annotations

import re

import pytest

from routing import rule_tests_forms
from routing.rule_tests import RuleTest
from routing.rule_tests_coverage import coverage
from routing.rule_tests_reading import load_tests, read
from routing.rule_tests_running import run
from routing.rules_forms import Form
from tests.mutate_rules import ROOT, SHIPPED, TESTS, attempt, read_rules, read_tests

RULES = read_rules(SHIPPED)
TESTS_OF_RULES = read_tests(TESTS, RULES)

CANNOT_HOLD = "rules with cooldown that held: 5 of 6, never new-error"
"""What is new is so once."""


def open_nothing(name: str) -> bytes:
    raise FileNotFoundError(name)


@pytest.mark.parametrize("test", TESTS_OF_RULES, ids=lambda test: test.name)
def test_the_shipped_rules_do_what_their_test_says(test: RuleTest) -> None:
    assert [line for failure in run(test, RULES).failures for line in failure.lines] == []


def test_every_part_of_the_shipped_rules_is_met_by_a_test() -> None:
    lines = coverage(RULES, [run(test, RULES) for test in TESTS_OF_RULES])

    assert [str(line) for line in lines if line.missing] == [CANNOT_HOLD]


def test_the_example_of_the_page_is_one_that_passes() -> None:
    page = (ROOT / "docs" / "rules-tests.md").read_text(encoding="utf-8")
    example = page.partition("```yaml\n")[2].partition("```")[0]

    tests = load_tests(read(example), RULES, open_nothing)

    assert [run(test, RULES).failures for test in tests] == [(), ()]


def test_the_page_names_every_key_that_there_is() -> None:
    page = (ROOT / "docs" / "rules-tests.md").read_text(encoding="utf-8")
    forms = [form for form in vars(rule_tests_forms).values() if isinstance(form, type) and issubclass(form, Form)]

    keys = {field.alias or name for form in forms for name, field in form.model_fields.items()}

    assert {"alert", "expect_at_least", "for"} <= keys
    assert sorted(key for key in keys if not re.search(rf"\b{key}\b", page)) == []


def test_hardly_any_change_of_the_shipped_rules_goes_unnoticed() -> None:
    trial = attempt(RULES, TESTS_OF_RULES)

    assert trial.tried > 500
    assert trial.share_killed >= 0.95, "\n".join(trial.survivors)
