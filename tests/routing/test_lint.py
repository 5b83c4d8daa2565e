"""`flask rules lint`: what makes no sense is found, what makes sense is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from notifiers.registry import KINDS
from notifiers.waking import wakes
from routing.lint import Defect, Finding, lint
from routing.query import parse
from routing.rules_loading import load
from tests.factories import NOW
from tests.routing.lint_corpus import BAD, GOOD, HEAD

SHIPPED = Path(__file__).parents[2] / "rules.yaml"


def found_in(text: str) -> tuple[Finding, ...]:
    return lint({"": text}, load(text, kinds=KINDS, environment={"KEY": "k" * 32}), wakes=wakes, now=NOW)


def test_the_shipped_rules_make_sense() -> None:
    assert [str(one) for one in found_in(SHIPPED.read_text(encoding="utf-8"))] == []


def test_of_seeded_defects_nearly_all_are_found() -> None:
    missed = [f"{defect}: {text}" for defect, text in BAD if defect not in {one.defect for one in found_in(HEAD + text)}]

    recall = 1 - len(missed) / len(BAD)
    assert len(BAD) >= 60
    assert recall >= 0.95, f"recall {recall:.1%} of {len(BAD)}; missed:\n" + "\n".join(missed)


def test_of_a_seeded_defect_nothing_else_is_said() -> None:
    strange = [f"{defect}: {one}\n{text}" for defect, text in BAD for one in found_in(HEAD + text) if one.defect is not defect]

    assert not strange, "\n".join(strange)


def test_of_good_rules_nothing_is_said() -> None:
    wrong = [f"{one}\n{text}" for text in GOOD for one in found_in(HEAD + text)]

    assert len(GOOD) >= 30
    assert not wrong, f"{len(wrong)} false among {len(GOOD)} good files:\n" + "\n".join(wrong)


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (
            "rules:\n  - name: one\n    when: 'level:error level:fatal'\n    notify: [chat, mail, pager]\n",
            (
                "8:11: rules.one.when: no alert can meet this: level:error and level:fatal exclude each other; "
                "write OR, or key:[a, b], between values of which any will do [never-met]"
            ),
        ),
        (
            "rules:\n  - {name: one, when: 'level:critical', notify: [chat, mail, pager]}\n",
            (
                "7:23: rules.one.when: no alert can meet this: level:critical is never true of what fires; "
                "levels are fatal, error, warning, info and debug [never-met]"
            ),
        ),
        (
            "rules:\n  - {name: one, when: 'failure_rate():>5', notify: [chat, mail, pager]}\n",
            (
                "7:23: rules.one.when: no alert can meet this: failure_rate():>5 is never true of what fires; "
                "a rate is at most 100%; write >5% or >0.05 [never-met]"
            ),
        ),
        (
            (
                "rules:\n  - {name: one, when: 'team:shop', severity: critical, notify: [chat, mail]}\n"
                "  - {name: two, when: 'level:info', notify: [pager]}\n"
            ),
            (
                "7:46: rules.one.severity: critical, but told to slack, email alone, which wakes nobody; add what does "
                "(pagerduty, sms, webhook, a Jira incident) to `notify` or `escalate`, or write severity: warning; for example: "
                'level "fatal", tags.team "shop" [nobody-wakes]'
            ),
        ),
    ],
    ids=["contradiction", "level", "rate", "nobody-wakes"],
)
def test_a_finding_says_where_what_and_what_to_do(rules: str, said: str) -> None:
    found = found_in(HEAD + rules)

    assert [str(one) for one in found] == [said]


def test_what_is_shadowed_comes_with_an_alert_of_which_the_engine_says_so() -> None:
    rules = "rules:\n  - {name: one, when: 'level:error', stop: true, notify: [chat, mail, pager]}\n"
    rules += "  - {name: two, when: 'level:error team:shop', notify: [chat]}\n"

    (finding,) = found_in(HEAD + rules)

    assert finding.defect is Defect.SHADOWED
    assert finding.example is not None
    assert all(parse(text).evaluate(finding.example).matched for text in ("level:error", "level:error team:shop"))


def test_a_receiver_of_a_rule_out_of_force_or_a_fallback_is_not_unused() -> None:
    rules = "rules:\n  - {name: one, when: x, notify: [chat]}\n  - {name: two, when: y, notify: [mail], enabled: false}\n"
    text = (HEAD + rules).replace('channel: "#errors"', 'channel: "#errors", fallback: pager')

    assert found_in(text) == ()


def test_a_jira_incident_wakes_and_another_issue_does_not() -> None:
    rules = (
        "rules:\n  - {name: one, when: x, severity: critical, notify: [chat, mail, pager2]}\n  - {name: two, when: y, notify: [pager]}\n"
    )
    text = HEAD + "  pager2: {kind: jira, project: OPS, issue_type: %s}\n" + rules

    assert found_in(text % "Incident") == ()
    assert [one.defect for one in found_in(text % "Bug")] == [Defect.NOBODY_WAKES]


def test_what_an_included_file_says_is_told_with_its_name() -> None:
    main = HEAD + "include: [rules/*.yaml]\nrules:\n  - {name: one, when: 'x', notify: [chat, mail, pager]}\n"
    more = "rules:\n  - {name: two, when: 'level:critical', notify: [chat]}\n"

    rules = load(main, kinds=KINDS, environment={}, included={"rules/more.yaml": more})
    (finding,) = lint({"": main, "rules/more.yaml": more}, rules, wakes=wakes, now=NOW)

    assert (finding.problem.file, finding.problem.line, finding.problem.place) == ("rules/more.yaml", 2, "rules.two.when")
