"""What the JSON Schema of rules.yaml says in words, and how the values are written that our own readers take. Knows no form."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

Schema: TypeAlias = dict[str, object]

_DURATION = "^[0-9]{1,6}[smhdw]$"
_SOME_TIME = "^0*[1-9][0-9]*[smhdw]$"
_NAME = "^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"
_TIME = "([01]?[0-9]|2[0-3]):[0-5][0-9]"
_WEEKDAY = "([Mm][Oo][Nn]|[Tt][Uu][Ee]|[Ww][Ee][Dd]|[Tt][Hh][Uu]|[Ff][Rr][Ii]|[Ss][Aa][Tt]|[Ss][Uu][Nn])[A-Za-z]{0,6}"
_MONTH = "([A-Za-z]{3,9}|1[0-2]|[1-9])"
_DAY = "-?(0?[1-9]|[12][0-9]|3[01])"

_CONDITION: Schema = {
    "description": "A condition in Sentry's search language, in quotes; an empty one is met by every alert.",
    "examples": ["tags.critical:true", "environment:production level:[error, fatal]", "is:new !tags.team:billing", "payment OR yookassa"],
    "type": ["string", "number", "boolean"],
}
_KEY: Schema = {"type": "string", "minLength": 1, "examples": ["project", "environment", "tags.team"]}
_PLACES: Schema = {"type": ["string", "number", "boolean"], "examples": ["[{project}] {title}"]}

WRITTEN: Mapping[str, Schema] = MappingProxyType(
    {
        "_version": {"enum": [1, "1"]},
        "_duration": {"type": "string", "pattern": _DURATION, "examples": ["90s", "30m", "4h", "2d", "1w"]},
        "_some_time": {"type": "string", "pattern": _SOME_TIME, "examples": ["90s", "30m", "4h", "2d", "1w"]},
        "_query": _CONDITION,
        "_query_of_one": _CONDITION,
        "_template": {"type": ["string", "number", "boolean"], "maxLength": 200, "examples": ["{error.type}.{constraint}"]},
        "_name": {"type": ["string", "number", "boolean"], "pattern": _NAME},
        "_user_group": {"type": "string", "pattern": "^(@[^ @,]{1,80}|S[A-Z0-9]{2,20})$", "examples": ["@on-call", "S0123ABCD"]},
        "_key": _KEY,
        "_over": {"anyOf": [{"enum": ["incident", "project", "everything"]}, _KEY]},
        "_told": {
            "anyOf": [
                {"type": ["string", "number", "boolean"]},
                {
                    "type": "object",
                    "minProperties": 1,
                    "maxProperties": 1,
                    "additionalProperties": {
                        "type": "object",
                        "required": ["severity"],
                        "additionalProperties": False,
                        "properties": {"severity": {"enum": ["critical", "warning", "info"]}},
                    },
                },
            ]
        },
        "_weekdays": {"type": "string", "pattern": rf"^{_WEEKDAY}(\.\.{_WEEKDAY})?$", "examples": ["mon..fri", "sat"]},
        "_days": {"type": ["string", "integer"], "pattern": rf"^{_DAY}(\.\.{_DAY})?$", "minimum": -31, "maximum": 31, "not": {"const": 0}},
        "_months": {"type": ["string", "integer"], "pattern": rf"^{_MONTH}(\.\.{_MONTH})?$", "minimum": 1, "maximum": 12},
        "_times": {"type": "string", "pattern": f"^{_TIME} ?- ?({_TIME}|24:00)$", "examples": ["09:00-17:30", "22:00-07:00"]},
        "_zone": {"type": "string", "minLength": 1, "examples": ["Europe/Berlin", "UTC"]},
        "read_allow_list": {
            "type": "array",
            "minItems": 1,
            "items": {"type": ["string", "number", "boolean"], "minLength": 1},
            "examples": [["#team-*"]],
        },
        "read_places": _PLACES,
    }
)
"""By the name of the function that reads a value: what it takes, in YAML's types."""

DESCRIPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "File.version": "Of the form of this file: 1.",
        "File.defaults": "What rules leave out.",
        "File.receivers": "The destinations, by name.",
        "File.windows": "Times that rules may name under `active` and `mute`, by name.",
        "File.fingerprints": "Alerts that are one trouble, whatever issues Sentry makes of them; the first entry that fits names it.",
        "File.ignore": "Alerts that are kept and counted, and of which no rule is asked.",
        "File.inhibit": "What need not be told while something that explains it fires.",
        "File.throttles": "At most so many alerts are told in such a time.",
        "File.templates": "How messages are headed and what they say first, by name.",
        "File.buttons": "Who may press what in Slack; what is not named here, whoever sees it.",
        "acknowledge": "User groups of Slack, by handle (`@on-call`) or id, whose members may acknowledge.",
        "silence": "User groups whose members may silence an incident.",
        "resolve": "User groups whose members may resolve in Sentry.",
        "assign": "User groups whose members may take an issue over in Sentry.",
        "File.dead_letters": "Who is told of what could not be told and has no fallback: the first of these that is another destination.",
        "File.watch": "What the service looks after beside alerts: itself, Sentry, and the way out.",
        "Watch.canary": "How often it is tried whether each receiver could be told; 0s: never.",
        "Watch.canary_to": "A receiver that is told a test message with each canary, so that sending itself is tried.",
        "Watch.quiet": "Whether it is told that a project's webhooks stay away for longer than is usual.",
        "Watch.notify": "Who is told that something is wrong with the service: the first whom it does not concern; else `dead_letters`.",
        "File.include": "Further files whose parts belong to this one.",
        "File.rules": "Whom to tell about which alerts. Each alert is held against each of them, in this order.",
        "Receiver.kind": "Which vendor it is; the other keys are the kind's own.",
        "Receiver.fallback": "The receiver that is told instead where this one cannot be.",
        "Receiver.fallback_after": "So long it may take to tell this one, before its fallback is told, too.",
        "Receiver.max_per_minute": "What comes faster waits its turn; critical messages do not wait.",
        "Receiver.max_delay": "Where messages would wait longer than this for their turn, they are told in summaries.",
        "Receiver.allow": "What may come of places like {tags.team} in the options; * stands for anything.",
        "name": "Letters, digits, `-`, `_` and `.`, at most 100.",
        "when": "Which alerts are meant: a condition in Sentry's search language.",
        "description": "For people; no message shows it.",
        "Rule.notify": "Receivers, each by its name or as `{name: {severity: info}}`.",
        "severity": "How bad its messages are; left out, the alert's own level decides.",
        "cooldown": "How long a rule stays silent about an incident after it spoke of it; 0s speaks of every alert.",
        "repeat": "Says it again at such intervals while the incident fires and nobody has acknowledged it.",
        "window": "The time that the figures in `when` are about.",
        "over": "The alerts that the figures are about: of the incident, of its project, everything, or those alike under a key.",
        "Rule.per": "Where `is:new` means new.",
        "stop": "If it matches, no rule after it is asked.",
        "active": "Windows; it speaks only within one of them.",
        "mute": "Windows; within any of them it does not speak.",
        "group_by": "Alerts that agree on these keys are told together.",
        "group_wait": "From the first alert of a group to its first message.",
        "group_interval": "Between two messages about a group.",
        "escalate": "Whom else to tell of what stays open.",
        "enabled": "`false` takes the rule out of force.",
        "template": "A name from `templates`.",
        "owner": "Whose rule it is.",
        "runbook": "The address of a page that says what to do.",
        "else": "Rules that are asked only if the condition of this one was not met.",
        "Fingerprint.key": "The name of the trouble, with places for what the alert says.",
        "source": "What explains others as long as it fires.",
        "target": "What is held meanwhile.",
        "equal": "Keys that source and target must have in common.",
        "by": "Alerts that agree on these keys are counted together.",
        "limit": "How many are told.",
        "Throttle.per": "In which time.",
        "after": "Since the rule spoke of the incident for the first time.",
        "unless": "What calls it off, beside the end of the incident.",
        "Step.notify": "The receivers to tell then.",
        "weekdays": "`mon`, `monday`, or ranges: `mon..fri`.",
        "days_of_month": "1 to 31, -1 for the last day, or ranges: `1..7`, `-7..-1`.",
        "months": "1 to 12, `jan` to `dec`, or ranges: `nov..feb`.",
        "times": "`09:00-17:30`; what ends before it begins crosses midnight.",
        "spans": "Several of these, of which any will do.",
        "zone": "An IANA name, `Europe/Berlin`; UTC if left out.",
        "Window.allow": "What is as bad as this, or worse, passes at any time.",
        "Template.title": "In place of the message's own headline.",
        "Template.text": "What the message says first.",
    }
)
"""By key, or by form and key where a key means several things."""
