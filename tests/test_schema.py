"""rules.schema.json: as the forms are, and of one mind with the reader of rules.yaml."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft7Validator

from notifiers.registry import KINDS
from routing.rules import RulesError
from routing.rules_loading import load
from routing.rules_schema import rules_schema

ROOT = Path(__file__).parents[1]
SCHEMA = rules_schema(KINDS)
VALIDATOR = Draft7Validator(SCHEMA)
FIXTURES = ROOT / "tests" / "fixtures" / "rules"
TELLABLE = ("duration", "empty-values", "kind", "list", "missing", "names", "types", "unknown-key", "version", "windows")
"""The faults of fixtures that are neither YAML's own nor hang on other parts of the file."""
ENVIRONMENT = {"SECRET": "correct-horse-battery-staple", "TEAM_CHANNEL": "#team"}
RULES = """\
version: 1
receivers: {chat: {kind: slack, channel: "#errors"}, pager: {kind: sms, to: "+15551234567"}}
windows: {night: {times: [22:00-07:00]}}
templates: {short: {title: "[{project}] {title}"}}
"""
RULE = "rules: [{name: one, when: x, notify: [chat], %s}]\n"


class Yaml(yaml.SafeLoader):
    """YAML 1.2, as editors read it: `no` is a text there."""


Yaml.yaml_implicit_resolvers = {}
Yaml.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("(true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
Yaml.add_implicit_resolver("tag:yaml.org,2002:int", re.compile("[-+]?[0-9]+$"), list("-+0123456789"))
Yaml.add_implicit_resolver("tag:yaml.org,2002:null", re.compile("(~|null|Null|NULL|)$"), ["~", "n", "N", ""])


def complaints(text: str) -> list[str]:
    """What an editor says of a text, each with its place."""
    errors = VALIDATOR.iter_errors(yaml.load(text, Loader=Yaml))  # noqa: S506 - a SafeLoader
    return [f"{error.json_path}: {error.message[:200]}" for error in errors]


def taken(text: str) -> bool:
    """Whether the service would take it."""
    try:
        load(text, kinds=KINDS, environment=ENVIRONMENT)
    except RulesError:
        return False
    return True


def texts_of_tests() -> Iterator[str]:
    """Every whole rules file in the tests that the service takes."""
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and "version: 1" in node.value and taken(node.value):
                yield node.value


def test_the_file_is_what_the_forms_say_today() -> None:
    written = json.loads((ROOT / "rules.schema.json").read_text(encoding="utf-8"))

    assert written == SCHEMA, "rules.schema.json has drifted from the forms; run `make schema`"


def test_it_is_a_schema() -> None:
    Draft7Validator.check_schema(SCHEMA)


def test_every_key_says_what_it_means() -> None:
    definitions = SCHEMA["$defs"]
    assert isinstance(definitions, dict)

    mute = [
        f"{form}.{key}"
        for form, definition in definitions.items()
        if not form.startswith("receiver-")
        for key, value in definition.get("properties", {}).items()
        if "description" not in value and key != "kind"
    ]

    assert mute == []


def test_the_shipped_rules_pass() -> None:
    assert complaints((ROOT / "rules.yaml").read_text(encoding="utf-8")) == []


def test_the_parts_that_are_shipped_as_comments_pass() -> None:
    lines = (ROOT / "rules.yaml").read_text(encoding="utf-8").splitlines()
    parts = ("# windows", "# fingerprints", "# inhibit", "# throttles", "# templates", "# buttons", "#   ")
    commented = "\n".join(line.removeprefix("# ") if line.startswith(parts) else line for line in lines)

    assert "\nwindows:" in commented
    assert complaints(commented) == []


def test_every_text_of_the_tests_that_the_service_takes_passes() -> None:
    texts = list(texts_of_tests())

    assert len(texts) >= 3
    assert {text: complaints(text) for text in texts if complaints(text)} == {}


@pytest.mark.parametrize(
    "written",
    [
        "cooldown: 0s",
        "severity: critical",
        "enabled: no",
        "enabled: 'False'",
        "enabled: false",
        "stop: true",
        "window: 5m, over: project",
        "over: tags.team",
        "per: release",
        "repeat: 4h",
        "active: [night], mute: [night]",
        "group_by: [project, tags.team], group_wait: 10s, group_interval: 5m",
        "escalate: [{after: 15m, unless: assigned, notify: [pager]}]",
        "else: [{name: two, when: '', notify: [{chat: {severity: info}}], else: [{name: three, when: 404, notify: [chat]}]}]",
        "owner: payments, runbook: 'https://wiki.example/payments', description: 404",
        "template: short",
        "severity: '${SECRET}', enabled: true",
        "cooldown: '${SECRET}'",
    ],
)
def test_what_a_rule_may_say_passes(written: str) -> None:
    text = RULES + RULE % written

    assert complaints(text) == []
    assert taken(text) or "${" in written


@pytest.mark.parametrize(
    "written",
    [
        "windows: {a: {weekdays: [mon..fri, Saturday], days_of_month: [1, -1, 1..7, '-7..-1'], months: [12, jan, nov..feb]}}",
        "windows: {a: {spans: [{times: [9:00-17:30, 18:00-24:00]}, {months: [8]}], zone: Europe/Berlin, allow: critical}}",
        "inhibit: [{name: a, source: level:fatal, target: level:error, equal: [project]}]",
        "throttles: [{name: a, when: '', by: [project], limit: 20, per: 1h}]",
        "throttles: [{name: a, when: '', limit: '20', per: 1h}]",
        "ignore: [{name: a, when: 404, description: noise}]",
        "fingerprints: [{when: x, key: '{error.type}.{constraint}'}]",
        "defaults: {cooldown: 1h, group_wait: 0s, group_interval: 1m}",
        "receivers: {a: {kind: jira, project: OPS, labels: [404], fields: {customfield_1: {value: x}}}}",
        "receivers: {a: {kind: preview, max_per_minute: 3, fallback: b}, b: {kind: preview}}",
        "receivers: {a: {kind: slack, channel: '#team-{tags.team}', allow: ['#team-*']}}",
        "receivers: {a: {kind: webhook, url: '${URL}', secret: '${KEY}', allow_private: true}}",
        "receivers: {a: {kind: pagerduty, routing_key: '${KEY}'}}",
        "receivers: {404: {kind: email, to: [team@example.com], cc: [other@example.com]}}",
    ],
)
def test_what_the_other_parts_may_say_passes(written: str) -> None:
    text = f"version: 1\n{written}\nrules: []\n"

    assert complaints(text) == []
    assert taken(text)


@pytest.mark.parametrize("fault", TELLABLE)
def test_an_editor_complains_of_what_it_can_know(fault: str) -> None:
    assert complaints((FIXTURES / f"bad.{fault}.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("cooldown: soon", "cooldown"),
        ("cooldown: 30", "cooldown"),
        ("window: 0m", "window"),
        ("severity: urgent", "severity"),
        ("notfy: [chat]", "notfy"),
        ("enabled: maybe", "enabled"),
        ("per: country", "per"),
        ("active: []", "active"),
        ("active: night", "active"),
        ("group_by: project", "group_by"),
        ("escalate: [{after: 15m}]", "notify"),
        ("escalate: [{after: 0m, notify: [pager]}]", "after"),
        ("escalate: [{after: 15m, unless: asleep, notify: [pager]}]", "unless"),
        ("else: {name: two, when: x, notify: [chat]}", "else"),
        ("else: [{name: two, notify: [chat]}]", "when"),
        ("else: [{name: two, when: x, notify: [chat], stopp: true}]", "stopp"),
        ("else: [{name: two, when: x, notify: [{chat: {colour: red}}]}]", "notify"),
        ("else: [{name: 'two words', when: x, notify: [chat]}]", "name"),
    ],
)
def test_what_a_rule_must_not_say_is_complained_of_where_it_stands(written: str, place: str) -> None:
    text = RULES + RULE % written

    assert not taken(text)
    assert any(place in said for said in complaints(text)), complaints(text)


@pytest.mark.parametrize(
    "written",
    [
        "receivers: {a: {kind: slak}}",
        "receivers: {a: {channel: x}}",
        "receivers: {a: {kind: slack, chanel: x}}",
        "receivers: {a: {kind: jira}}",
        "receivers: {a: {kind: email, to: []}}",
        "receivers: {a: {kind: preview, max_per_minute: 0}}",
        "receivers: {'a b': {kind: preview}}",
        "windows: {a: {weekdays: [someday]}}",
        "windows: {a: {months: [13]}}",
        "windows: {a: {days_of_month: [0]}}",
        "windows: {a: {times: [25:00-26:00]}}",
        "windows: {a: {spans: [{zone: UTC}]}}",
        "inhibit: [{name: a, source: x}]",
        "throttles: [{name: a, when: x, limit: many, per: 1h}]",
        "throttles: [{name: a, when: x, limit: 0, per: 1h}]",
        "ignore: {name: a, when: x}",
        "fingerprints: [{when: x}]",
        "version: 2",
        "recievers: {}",
    ],
)
def test_what_the_other_parts_must_not_say_is_complained_of(written: str) -> None:
    text = f"{'' if written.startswith('version') else 'version: 1'}\n{written}\nrules: []\n"

    assert not taken(text)
    assert complaints(text)
