"""rules.yaml: what is taken, and what a person who made a mistake in it is told."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from notifiers.registry import KINDS
from notifiers.slack import SlackOptions
from routing.notification import Severity
from routing.query import parse
from routing.rules import Options, RulesError, RuleSet
from routing.rules_forms import DEFAULT_COOLDOWN
from routing.rules_loading import load
from routing.windows import Span, Window

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "rules.yaml"
FIXTURES = ROOT / "tests" / "fixtures" / "rules"
SECRET = "correct-horse-battery-staple"
ENVIRONMENT = {"SECRET": SECRET, "BLANK": "  ", "TEAM_CHANNEL": "#team"}

RULES = """\
version: 1
receivers:
  slack-errors: {kind: slack, channel: "#errors"}
rules:
  - name: critical-error
    when: "tags.critical:true"
    notify: [slack-errors]
"""


class Kind(Options):
    """A kind of receiver for cases that are not about any particular one."""

    secret: SecretStr | None = None
    text: str = ""


def load_rules(text: str, **environment: str) -> RuleSet:
    return load(text, kinds=KINDS, environment=environment)


def refusal(text: str) -> RulesError | None:
    """What a person is told of a file, None if it is taken."""
    try:
        load(text, kinds=KINDS, environment=ENVIRONMENT)
    except RulesError as error:
        return error
    return None


def problems(text: str) -> str:
    """What a person is told of a faulty file."""
    refused = refusal(text)
    assert refused, "it was taken"
    return str(refused)


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("bad.*.yaml")), ids=lambda path: path.name.split(".")[1])
def test_each_fault_is_told_with_its_line_and_what_to_write_instead(path: Path) -> None:
    said = problems(path.read_text(encoding="utf-8"))

    assert said == path.with_suffix(".txt").read_text(encoding="utf-8").rstrip("\n")
    assert SECRET not in said


def test_faults_of_every_kind_are_told_at_once_in_the_order_of_the_file() -> None:
    said = problems("""\
version: 2
defaults: {cooldown: soon}
receivers:
  slack-errors: {kind: slak}
  other: {kind: slack, channel: "#a", channel: "#b"}
rules:
  - name: one
    when: !has:release
    notify: [nobody]
  - name: one
    when: "level:"
    notfy: [other]
""")

    assert re.findall(r"^(\d+):\d+: ([^:]+):", said, re.MULTILINE) == [
        ("1", "version"),
        ("2", "defaults.cooldown"),
        ("4", "receivers.slack-errors.kind"),
        ("5", "receivers.other.channel"),
        ("8", "rules.one.when"),
        ("9", "rules.one.notify.0"),
        ("10", "rules.one.notify"),
        ("10", "rules.one.name"),
        ("11", "rules.one.when"),
        ("12", "rules.one.notfy"),
    ]


def test_a_file_as_small_as_can_be_is_taken() -> None:
    rules = load_rules(RULES)

    (rule,) = rules.rules
    assert (rule.name, rule.when, rule.severity, rule.notify) == ("critical-error", parse("tags.critical:true"), None, ("slack-errors",))
    assert rule.cooldown == DEFAULT_COOLDOWN == timedelta(minutes=30)
    receiver = rules.receivers["slack-errors"]
    assert (receiver.kind, receiver.options, receiver.position) == ("slack", SlackOptions(channel="#errors"), (3, 17))


def test_the_form_of_the_design_is_taken_although_yaml_wants_quotes_there() -> None:
    text = RULES.replace('{kind: slack, channel: "#errors"}', "{kind: pagerduty, routing_key: ${PAGERDUTY_CRITICAL_KEY}}")

    rules = load_rules(text, PAGERDUTY_CRITICAL_KEY="0" * 32)

    assert rules.receivers["slack-errors"].options.model_dump(exclude_defaults=True) == {"routing_key": SecretStr("0" * 32)}


@pytest.mark.parametrize(
    ("written", "cooldown"),
    [
        ("0s", timedelta()),
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("4h", timedelta(hours=4)),
        ("2d", timedelta(days=2)),
        ("1w", timedelta(weeks=1)),
        ("520w", timedelta(weeks=520)),
    ],
)
def test_a_duration_is_a_number_and_a_unit(written: str, cooldown: timedelta) -> None:
    rules = load_rules(f"{RULES}    cooldown: {written}\n")

    assert rules.rules[0].cooldown == cooldown


def test_a_rule_may_have_a_cooldown_of_its_own_beside_that_of_all() -> None:
    text = RULES + "  - {name: other, when: payment, notify: [slack-errors], cooldown: 5m}\ndefaults: {cooldown: 2h}\n"

    first, second = load_rules(text).rules

    assert (first.cooldown, second.cooldown) == (timedelta(hours=2), timedelta(minutes=5))


@pytest.mark.parametrize("word", ["false", "no", "off", "False", "0"])
def test_a_disabled_rule_is_out_of_force(word: str) -> None:
    rules = load_rules(f"{RULES}    enabled: {word}\n")

    assert rules.rules == ()


def test_a_disabled_rule_is_checked_all_the_same() -> None:
    said = problems(RULES.replace("[slack-errors]", "[nobody]") + "    enabled: false\n")

    assert said == '7:14: rules.critical-error.notify.0: no receiver "nobody"; define it under receivers'


def test_fingerprints_keep_the_order_of_the_file_and_need_not_be_there() -> None:
    written = """\
fingerprints:
  - {when: "error.type:IntegrityError", key: "{error.type}.{constraint}", description: by constraint}
  - {when: "payment", key: payments}
"""

    rules = load_rules(RULES + written)

    assert [(str(one.when), one.key.text) for one in rules.fingerprints] == [
        ("error.type:IntegrityError", "{error.type}.{constraint}"),
        ("payment", "payments"),
    ]
    assert load_rules(RULES).fingerprints == ()


@pytest.mark.parametrize("severity", Severity)
def test_a_rule_may_say_how_bad_it_is(severity: Severity) -> None:
    rules = load_rules(f"{RULES}    severity: {severity}\n")

    assert rules.rules[0].severity is severity


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("404", "404"),
        ("NO", "NO"),
        ("on", "on"),
        ("'!has:release'", "!has:release"),
        ('"#errors"', "#errors"),
        (">\n      level:error\n      payment\n", "level:error payment"),
        ("(payment OR yookassa) level:error", "(payment OR yookassa) level:error"),
    ],
)
def test_a_condition_means_what_is_written(written: str, meant: str) -> None:
    rules = load_rules(RULES.replace('"tags.critical:true"', written))

    assert rules.rules[0].when == parse(meant)


def test_a_rule_names_windows_in_which_it_speaks_or_does_not() -> None:
    text = (
        RULES
        + """\
    active: [working-hours, on-call]
    mute: [quiet-hours]
  - {name: other, when: payment, notify: [slack-errors]}
windows:
  working-hours: {weekdays: [mon..fri], times: [09:00-17:30], zone: Europe/Berlin}
  on-call: {spans: [{weekdays: [sat..sun]}, {days_of_month: [-1], months: [dec]}]}
  quiet-hours: {times: [22:00-07:00], allow: critical}
  unused: {months: [8]}
"""
    )

    rules = load_rules(text)

    first, other = rules.rules
    assert [window.name for window in (*first.active, *first.mute)] == ["working-hours", "on-call", "quiet-hours"]
    assert (other.active, other.mute) == ((), ())
    assert list(rules.windows) == ["working-hours", "on-call", "quiet-hours", "unused"]
    assert first.active[0] == Window(
        name="working-hours",
        spans=(Span(weekdays=frozenset(range(5)), times=((timedelta(hours=9), timedelta(hours=17, minutes=30)),)),),
        zone=ZoneInfo("Europe/Berlin"),
    )
    assert first.active[1].spans == (
        Span(weekdays=frozenset({5, 6})),
        Span(days_of_month=((-1, -1),), months=frozenset({12})),
    )
    assert (first.mute[0].allow, first.mute[0].zone) == (Severity.CRITICAL, ZoneInfo("UTC"))


def test_a_variable_stands_for_its_value() -> None:
    text = RULES.replace('"#errors"', '"#${TEAM}-${STAGE}"').replace("critical:true", "team:${TEAM}")

    rules = load_rules(text, TEAM="shop", STAGE="live")

    assert rules.receivers["slack-errors"].options == SlackOptions(channel="#shop-live")
    assert rules.rules[0].when == parse("tags.team:shop")


def test_what_a_variable_holds_is_not_looked_through_for_variables() -> None:
    rules = load(
        "version: 1\nreceivers: {a: {kind: any, text: '${A}'}}\nrules: []", kinds={"any": Kind}, environment={"A": "${B}", "B": "x"}
    )

    assert rules.receivers["a"].options == Kind(text="${B}")


@pytest.mark.parametrize("held", [None, "", "   "], ids=["unset", "empty", "blank"])
@pytest.mark.parametrize("written", ["${TOKEN}", "Bearer ${TOKEN}", "${TOKEN}/${TEAM}"])
def test_an_option_that_names_an_unset_variable_is_empty_and_the_receiver_knows_its_name(held: str | None, written: str) -> None:
    text = f'version: 1\nreceivers: {{a: {{kind: any, secret: "{written}", text: "${{TEAM}}"}}}}\nrules: []'
    environment = {"TEAM": "shop"} if held is None else {"TEAM": "shop", "TOKEN": held}

    receiver = load(text, kinds={"any": Kind}, environment=environment).receivers["a"]

    assert receiver.options == Kind(secret=SecretStr(""), text="shop")
    assert receiver.unset == {"secret": "TOKEN"}


def test_a_variable_of_odd_bytes_breaks_nothing() -> None:
    text = 'version: 1\nreceivers: {a: {kind: any, secret: "${TOKEN}"}}\nrules: []'

    options = load(text, kinds={"any": Kind}, environment={"TOKEN": "caf\udce9"}).receivers["a"].options

    assert options == Kind(secret=SecretStr("caf?"))


@pytest.mark.parametrize(
    "line",
    [
        "  - {name: '${SECRET} x', when: x, notify: [slack-errors]}",
        "  - {name: x, when: 'level:${SECRET} level:', notify: [slack-errors]}",
        "  - {name: x, when: 'transaction.duration:>${SECRET}', notify: [slack-errors]}",
        "  - {name: x, when: x, notify: ['${SECRET}']}",
        "  - {name: x, when: x, notify: '${SECRET}'}",
        "  - {name: x, when: x, notify: [slack-errors], cooldown: '${SECRET}'}",
        "  - {name: x, when: x, notify: [slack-errors], severity: '${SECRET}'}",
        "  - {name: x, when: x, notify: [slack-errors], enabled: '${SECRET}'}",
        "  - {name: x, when: x, notify: [slack-errors], '${SECRET}': x}",
        *(
            f"receivers: {{x: {{kind: {kind}, {option}: '${{SECRET}}'}}}}"
            for kind in KINDS
            for option in (*KINDS[kind].model_fields, "other")
        ),
        "receivers: {x: {kind: '${SECRET}'}}",
        *(f"windows: {{x: {{{key}: ['${{SECRET}}']}}}}" for key in ("weekdays", "days_of_month", "months", "times", "spans", "zone")),
        "windows: {x: {times: [09:00-17:30], zone: '${SECRET}', allow: '${SECRET}'}}",
        "windows: {x: {spans: [{weekdays: ['${SECRET}']}, {'${SECRET}': x}]}}",
        "  - {name: x, when: x, notify: [slack-errors], active: ['${SECRET}'], mute: ['${SECRET}']}",
        "version: '${SECRET}'",
    ],
)
def test_no_problem_shows_what_a_variable_holds(line: str) -> None:
    with pytest.raises(RulesError) as refused:
        load(f"{RULES}{line}\n", kinds=KINDS, environment={"SECRET": SECRET})

    assert SECRET not in f"{refused.value}{refused.value!r}{refused.value.problems}"


def test_the_version_is_that_of_the_text() -> None:
    first, same, other = (load_rules(text).version for text in (RULES, RULES, RULES + "# a comment\n"))

    assert first == same != other
    assert re.fullmatch("[0-9a-f]{12}", first)


@pytest.mark.parametrize("written", ["group_by: [project, count()]", "over: p95(transaction.duration)"])
def test_a_figure_over_many_alerts_is_nothing_that_alerts_have_in_common(written: str) -> None:
    said = problems(f"{RULES}    {written}\n")

    assert "is a figure over many alerts; write what each alert says by itself, like project or tags.team" in said


class TestTheShippedFile:
    def test_it_loads_and_has_the_five_rules_of_the_guide_and_that_of_silences(self) -> None:
        rules = load_rules(SHIPPED.read_text(encoding="utf-8"))

        assert {rule.name: {rules.receivers[name].kind for name in rule.notify} for rule in rules.rules} == {
            "critical-error": {"slack", "pagerduty", "jira"},
            "high-error-rate": {"email", "slack", "pagerduty"},
            "payment-failure": {"slack", "email", "jira"},
            "slow-transaction": {"slack", "email"},
            "new-error": {"email", "slack"},
            "silences": {"slack"},
        }

    def test_every_receiver_is_told_of_something(self) -> None:
        rules = load_rules(SHIPPED.read_text(encoding="utf-8"))

        assert {name for rule in rules.rules for name in rule.notify} == set(rules.receivers)

    def test_without_any_variable_only_credentials_are_missing(self) -> None:
        rules = load_rules(SHIPPED.read_text(encoding="utf-8"))

        assert {name: unset for name, receiver in rules.receivers.items() for unset in receiver.unset.values()} == {
            "pagerduty-critical": "PAGERDUTY_CRITICAL_KEY",
            "pagerduty-on-call": "PAGERDUTY_ON_CALL_KEY",
        }


NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True)
RULE = st.fixed_dictionaries(
    {"name": NAMES, "when": st.sampled_from(["level:error", "!has:release", "payment OR #x", "", "is:new a:[b, c]"])},
    optional={
        "severity": st.sampled_from([severity.value for severity in Severity]),
        "cooldown": st.from_regex(r"[0-9]{1,4}[smh]|[0-9]{1,3}d|[0-9]{1,2}w", fullmatch=True),
        "enabled": st.booleans(),
        "description": st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])).filter(lambda text: "${" not in text),
    },
)


@given(st.lists(RULE, unique_by=lambda rule: rule["name"], max_size=4), st.lists(NAMES, unique=True, min_size=1, max_size=3), st.booleans())
def test_a_valid_file_is_taken_however_yaml_lays_it_out(rules: list[dict[str, object]], receivers: list[str], flow: bool) -> None:  # noqa: FBT001 - drawn
    content = {
        "version": 1,
        "receivers": {name: {"kind": "slack", "channel": "#errors"} for name in receivers},
        "rules": [{**rule, "notify": list(receivers)} for rule in rules],
    }

    loaded = load_rules(yaml.safe_dump(content, default_flow_style=flow))

    assert [rule.name for rule in loaded.rules] == [rule["name"] for rule in rules if rule.get("enabled", True)]
    assert list(loaded.receivers) == sorted(receivers)


EDITS = st.lists(
    st.tuples(
        st.integers(0, 400), st.integers(0, 6), st.sampled_from([*"{}[]:,#&*!|>'\"%@` \n\t\\-~\0", "${SECRET}", "rules:", "null", "# "])
    ),
    max_size=5,
)


@given(EDITS)
def test_whatever_is_done_to_a_file_it_is_loaded_or_refused_with_lines(edits: list[tuple[int, int, str]]) -> None:
    text = RULES
    for place, cut, put in edits:
        text = text[:place] + put + text[place + cut :]

    found = refusal(text)

    assert found is None or all(problem.line >= 1 and problem.column >= 1 and problem.message for problem in found.problems)
    assert found is None or found.problems
    assert SECRET not in str(found)


@given(st.text())
def test_any_text_is_refused_unless_it_has_the_form(text: str) -> None:
    with pytest.raises(RulesError):
        load_rules(text)


class TestWatch:
    RECEIVERS = "receivers: {first: {kind: preview}, second: {kind: preview}}"

    def test_who_is_told_of_the_service_are_those_named_or_else_those_of_dead_letters(self) -> None:
        letters = f"version: 1\n{self.RECEIVERS}\ndead_letters: [second]\nrules: []"

        assert load(letters, kinds=KINDS, environment={}).watch.notify == ("second",)
        assert load(f"{letters}\nwatch: {{notify: [first, second]}}", kinds=KINDS, environment={}).watch.notify == ("first", "second")

    def test_they_must_be_there(self) -> None:
        with pytest.raises(RulesError, match='no receiver "nobody"'):
            load(f"version: 1\n{self.RECEIVERS}\nrules: []\nwatch: {{notify: [nobody]}}", kinds=KINDS, environment={})
