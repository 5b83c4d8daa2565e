"""Tests of rules: how they are written, what is wrong with them, and what they say when something else came."""

from __future__ import annotations

import json
from contextlib import suppress
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.rule_tests import RuleTest
from routing.rule_tests_coverage import coverage
from routing.rule_tests_reading import RuleTestsError, load_tests, read, rules_file
from routing.rule_tests_running import Result, run
from tests.factories import fixture
from tests.routing.story import rules_of

RULES = rules_of("""
windows: {nights: {times: [22:00-07:00], zone: Europe/Berlin}}
ignore: [{name: noise, when: "tags.noise:true"}]
rules:
  - {name: critical, when: "tags.critical:true", severity: critical, notify: [pager, chat], escalate: [{after: 15m, notify: [mail]}]}
  - {name: errors, when: "level:error", severity: warning, notify: [mail], mute: [nights]}
""")
FILES = {"resolved.json": fixture("issue.resolved"), "created.json": fixture("issue.created"), "other.json": b'{"some": 1}'}


def open_file(name: str) -> bytes:
    if name not in FILES:
        raise FileNotFoundError(2, "No such file or directory")
    return FILES[name]


def tests_in(text: str) -> tuple[RuleTest, ...]:
    return load_tests(read(dedent(text)), RULES, open_file)


tests_in.__test__ = False  # type: ignore[attr-defined]  # it is none, whatever pytest takes its name for


def results(text: str) -> list[Result]:
    return [run(test, RULES) for test in tests_in(text)]


def complaints(text: str) -> list[str]:
    """What is told of all that came otherwise, without the reasons below it."""
    return [line for result in results(text) for failure in result.failures for line in failure.lines if not line.startswith(" " * 6)]


def problems(text: str) -> list[str]:
    with pytest.raises(RuleTestsError) as raised:
        tests_in(text)
    return str(raised.value).splitlines()


def step(keys: str) -> str:
    return f"tests: [{{name: one, {keys}}}]"


@pytest.mark.parametrize(
    "expected",
    [
        "{pager: first critical by critical, chat: first critical by critical, mail: first warning by errors}",
        '{"pager, chat": first critical, mail: warning first}',
        "[{pager: told}, {chat: first}, {mail: told warning}]",
        "{pager: [first], chat: told first by critical, mail: {reason: first, rules: [errors], why: level is, title: KeyError, others: 0}}",
    ],
    ids=["in words", "several at once", "as a list", "part by part"],
)
def test_what_is_expected_can_be_written_in_many_ways(expected: str) -> None:
    assert complaints(step(f'alert: {{title: KeyError, tags: {{critical: "true"}}}}, expect: {expected}')) == []


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ("alert: {}, expect: {mail: first critical}", ["expected    mail: first critical", "     but    mail: first warning by errors"]),
        ("alert: {}, expect: {pager: first}", ["missing     pager: first", "unexpected  mail: first warning by errors"]),
        ("alert: {}, expect: nothing", ["unexpected  mail: first warning by errors"]),
        ("alert: {}, expect_at_least: {pager: held}", ["missing     pager: held"]),
        ("alert: {}, not_told: [mail, pager]", ["told although it is not to be  mail: first warning by errors"]),
        ("alert: {}, outcome: unrouted", ["expected the alert to be unrouted, it is matched"]),
        (
            "alert: {tags: {noise: 'true'}}, outcome: matched",
            ['expected the alert to be matched, it is ignored (noise: tags.noise is "true")'],
        ),
        ("alert: {}, incident: 'issue:2'", ["expected the alert to belong to issue:2, it belongs to issue:1"]),
        (
            "alert: {}, rules: {critical: matched}",
            ["expected rule critical matched, it did not match: tags.critical is absent"],
        ),
        ("acknowledge: issue 1, expect: nothing", ["issue:1 does not fire, so nobody can acknowledge it"]),
    ],
    ids=["another", "missing", "nothing", "at least", "not told", "outcome", "ignored", "incident", "rules", "acknowledge"],
)
def test_what_came_otherwise_is_said(keys: str, told: list[str]) -> None:
    assert complaints(step(keys)) == told


def test_what_is_missing_comes_with_what_the_rules_said() -> None:
    (result,) = results(step("alert: {}, expect: {pager: first, mail: first}"))

    (failure,) = result.failures
    assert failure.lines[1].strip().startswith("critical did not match: tags.critical is")


def test_a_story_goes_through_a_night() -> None:
    text = """
        defaults: {zone: Europe/Berlin, alert: {project: shop}}
        tests:
          - name: what is no page waits for the morning
            at: 2026-03-04T23:00
            steps:
              - alert: {title: "KeyError: 'a'", issue: 1}
                expect: {mail: held window by errors}
              - at: 06:59
                expect: nothing
              - at: 07:00
                expect: {mail: delayed}
              - after: 1d
                silence: {matchers: "project:shop", for: 1h}
              - alert: {issue: 1}
                expect: {mail: silenced}
              - expire: 1
              - alert: {issue: 1}
                expect: {mail: repeat}
    """

    assert complaints(text) == []


def test_an_escalation_is_called_off_by_an_acknowledgement() -> None:
    text = """
        tests:
          - name: nobody looks
            steps:
              - alert: {level: info, tags: {critical: "true"}}
              - {after: 15m, expect: {mail: escalation}}
          - name: somebody looks
            steps:
              - alert: {level: info, tags: {critical: "true"}}
              - {after: 5m, acknowledge: issue 1}
              - {after: 10m, expect: nothing}
    """

    assert complaints(text) == []


def test_webhooks_of_files_go_the_same_way() -> None:
    text = """
        tests:
          - name: from files
            steps:
              - {webhook: created.json, expect: {mail: first}, outcome: matched}
              - {webhook: resolved.json, resource: issue, expect: {mail: resolved}, outcome: noted}
    """

    assert complaints(text) == []


@pytest.mark.parametrize(
    ("keys", "rule", "why"),
    [
        ("alert: {error: {type: KeyError, value: a, handled: false}}", "error.handled:false error.type:KeyError", "error.handled is false"),
        ("alert: {user: '8812', url: 'https://a.example/b', method: POST, status: 500}", "user.id:8812 http.method:POST", "user.id"),
        ("alert: {payload: {contexts: {trace: {op: http}}, measurements: {lcp: {value: 2500}}}}", "measurements.lcp:>2s", "2.5 s"),
        ("alert: {release: 'shop@1.2.3', platform: go}", "release.version:>=1.2 platform:go", "1.2.3"),
        ("alert: {transaction: /a, duration: 8.4s}", "transaction.duration:>8s event.type:transaction", "8.4 s"),
        ("metric: {aggregate: count(), value: 1532}", "count():>1500", "1532"),
        ("issue: {action: unresolved, substatus: regressed, users: 7}", "is:regressed users:>5", "regressed"),
        ("reminder: {silence: 7, words: ends}", "resource:silence", "resource"),
    ],
    ids=["error", "request", "payload", "release", "transaction", "metric", "issue", "reminder"],
)
def test_a_short_alert_says_what_sentry_would(keys: str, rule: str, why: str) -> None:
    rules = rules_of(f"rules: [{{name: it, when: '{rule}', notify: [chat]}}]")
    (test,) = load_tests(read(step(f"{keys}, expect: {{chat: first}}")), rules, open_file)

    result = run(test, rules)

    assert result.failures == ()
    assert why in result.sayings[0].notification.why


FAULTS = [
    ("alert: {}", ": expects nothing; write one of expect, expect_at_least, not_told, outcome, incident, rules"),
    ("alert: {}, expect: {pagr: first}", '.expect.pagr: the rules have no receiver "pagr"; did you mean "pager"?'),
    ("alert: {}, expect: {pager: frist}", '.expect.pager: "frist" is not known; did you mean "first"?'),
    ("alert: {}, expect: {pager: held first}", ".expect.pager: what is first is told; take the other word out"),
    ("alert: {}, expect: {pager: first by eror}", '.expect.pager: the rules have no rule "eror"; did you mean "errors"?'),
    ("alert: {levl: error}, expect: nothing", '.alert.levl: unknown key "levl"; did you mean "level"?'),
    ("alert: {}, metric: {value: 1}, expect: nothing", ".metric: alert happens in this step already; make it a step of its own"),
    ("acknowledge: 1, outcome: noted", ".outcome: is about an alert, and none comes in this step"),
    ("at: tomorrow, alert: {}, expect: nothing", '.at: "tomorrow" is no time; write 07:00 for the next time that clocks show it'),
    ("webhook: none.json, expect: nothing", '.webhook: "none.json" cannot be read: No such file or directory; names are'),
    ("webhook: other.json, expect: nothing", '.webhook: "other.json": which webhook is this? say it beside: resource:'),
    ("expire: 1, expect: nothing", ".expire: this test has no silences up to here; they count from 1"),
    ("silence: {matchers: 'is:nwe', for: 1h}, expect: nothing", ".silence.matchers.0:"),
    ("alert: {title: '${SECRET}'}, expect: nothing", ".alert.title: a test takes nothing from the environment; write what SECRET"),
    ("alert: {}, after: 400d, expect: nothing", ".after: is more than 366 days behind the beginning of the test"),
    ("steps: [{alert: {}}], expect: nothing", ".expect: belongs into one of the steps"),
    ("assigned: metric 1, expect: nothing", ".assigned: Sentry says nothing like it of metric:1:1; write issue 1"),
    ("zone: Berlin, alert: {}, expect: nothing", '.zone: "Berlin" is no time zone; write one of the IANA database, like'),
    ("alert: {}, outcome: ignored by nois", '.outcome: the rules have no entry of ignore "nois"; did you mean "noise"?'),
]


@pytest.mark.parametrize(("keys", "problem"), FAULTS, ids=[keys for keys, _ in FAULTS])
def test_a_fault_is_said_with_what_to_write_instead(keys: str, problem: str) -> None:
    _, _, said = problems(step(keys))[0].partition(": tests.one")

    assert said.startswith(problem)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[]", "1:1: a file of rule tests has the key tests; write tests: [{name: …, alert: {…}, expect: {…}}]"),
        ("tests: []", "1:8: tests: empty; write at least one"),
        ("tests: [{name: a, alert: {}, expect: nothing}, {name: a, alert: {}, expect: nothing}]", "1:55: tests.a.name: "),
        ("tests:\n  - name: a\n    alert: {levl: error}\n    expect: nothing", "3:13: tests.a.alert.levl: "),
        ("tests:\n  - name: a\n    alert: {}\n    expect:\n      mail: frist", "5:13: tests.a.expect.mail: "),
    ],
    ids=["no keys", "no tests", "a name twice", "a key", "a value"],
)
def test_a_fault_is_said_where_it_stands(text: str, problem: str) -> None:
    assert problems(text)[0].startswith(problem)


def test_all_faults_are_said_at_once() -> None:
    text = """
        tests:
          - {name: one, alert: {levl: error}, expect: nothing}
          - {name: two, alert: {}, expect: {nobody: first, mail: frist}}
          - {name: three, at: never, alert: {}, expect: nothing}
    """

    assert [problem.partition(":")[0] for problem in problems(text)] == ["3", "4", "4", "5"]


def test_the_file_may_name_its_rules() -> None:
    assert rules_file(read("rules: our.yaml\ntests: []")) == "our.yaml"
    assert rules_file(read("tests: []")) is None


def test_what_no_test_has_met_is_told() -> None:
    lines = coverage(RULES, results(step("alert: {level: error}, expect: {mail: first}")))

    assert [str(line) for line in lines] == [
        "rules matched: 1 of 2, never critical",
        "rules passed over: 1 of 2, never errors",
        "receivers told: 1 of 3, never chat, pager",
        "entries of ignore met: 0 of 1, never noise",
        "windows that held: 0 of 1, never nights",
        "rules with cooldown that held: 0 of 2, never critical, errors",
        "escalations: 0 of 1, never critical step 1",
    ]


def test_a_step_without_end_fails_in_words() -> None:
    rules = rules_of("rules: [{name: errors, when: '', notify: [chat], repeat: 1s}]")
    (test,) = load_tests(read("tests: [{name: a, steps: [{alert: {}}, {after: 52w, expect: nothing}]}]"), rules, open_file)

    (failure,) = run(test, rules).failures

    assert failure.lines == ("rules came back to incidents more than 20,000 times; is a `repeat` too short, or a step too long?",)


KEYS = st.sampled_from(
    ["name", "at", "after", "alert", "issue", "metric", "webhook", "silence", "expire", "resolved", "acknowledge", "expect"]
)
VALUES = st.recursive(
    st.sampled_from(["", "1", "first", "nothing", "1h", "07:00", "pager", "issue 1", "held window by errors", "0"]) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(KEYS, VALUES, max_size=4), max_size=3))
def test_whatever_a_file_holds_it_is_run_or_refused_in_words(tests: object) -> None:
    with suppress(RuleTestsError):
        for test in load_tests(read(json.dumps({"tests": tests})), RULES, open_file):
            run(test, RULES)
