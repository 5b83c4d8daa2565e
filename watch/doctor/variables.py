"""The variables: what is wrong with each, what is nearly one of ours, and whether each secret looks like what it is to be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from pydantic import SecretStr

from routing.rules import RulesError
from settings import Settings
from storage.rules_file import texts_at
from watch.doctor.finding import Finding, Says
from watch.doctor.patient import Patient

SETTINGS, SECRETS = Says(group="settings"), Says(group="secrets")
NEAR = 0.8
"""How alike two names are, of 1, before one is taken for the other misspelt."""

_IN_RULES = re.compile(r"\$\{(\w+)\}")
_PLACEHOLDER = re.compile(r"<.*>|x{4,}|change.?me.*|your.*|secret|password|token|todo", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """How a secret looks."""

    is_like: re.Pattern[str]
    words: str
    """The same for people."""
    way_out: str


_SHAPES: Mapping[str, _Shape] = {
    "SENTRY_CLIENT_SECRETS": _Shape(
        is_like=re.compile(r"[0-9a-f]{64}"),
        words="64 hexadecimal digits",
        way_out="copy the Client Secret from the integration's page in Sentry, not its token; several with commas",
    ),
    "SENTRY_API_TOKEN": _Shape(
        is_like=re.compile(r"[0-9a-f]{64}|sntr[a-z]+_\S+"),
        words="64 hexadecimal digits, or sntrys_… or sntryu_…",
        way_out="make a token on the integration's page in Sentry, and copy it whole",
    ),
    "SLACK_BOT_TOKEN": _Shape(
        is_like=re.compile(r"xoxb-[0-9A-Za-z-]{10,}"),
        words="xoxb-…",
        way_out="copy the Bot User OAuth Token from the app's page in Slack (xoxp- is a person's, xapp- an app's)",
    ),
    "SLACK_SIGNING_SECRET": _Shape(
        is_like=re.compile(r"[0-9a-f]{32}"),
        words="32 hexadecimal digits",
        way_out="copy the Signing Secret from Basic Information on the app's page in Slack",
    ),
    "TWILIO_ACCOUNT_SID": _Shape(
        is_like=re.compile(r"AC[0-9a-f]{32}"), words="AC and 32 hexadecimal digits", way_out="copy the Account SID from Twilio's console"
    ),
    "TWILIO_AUTH_TOKEN": _Shape(
        is_like=re.compile(r"[0-9a-f]{32}"), words="32 hexadecimal digits", way_out="copy the Auth Token from Twilio's console"
    ),
    "TWILIO_FROM": _Shape(
        is_like=re.compile(r"\+[1-9][0-9]{6,14}|MG[0-9a-f]{32}|[0-9]{3,8}|(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}"),
        words="+15551234567, MG… or a name of at most 11 letters",
        way_out="write a number of the account with + and the country in front",
    ),
}
_CLOUD_TOKEN = _Shape(
    is_like=re.compile(r"ATATT\S{20,}"), words="ATATT…", way_out="make an API token at id.atlassian.com, for the account of JIRA_USER"
)


def look_at_settings(patient: Patient) -> Iterator[Finding]:
    """What the start of the service would refuse, what it would overlook, and what is weaker than it could be."""
    for problem in patient.problems:
        name, _, way_out = problem.partition(": ")
        seen = "the service does not start with it" if name in _given(patient) else "missing"
        yield SETTINGS.fault(name, seen, way_out.removeprefix("missing; ") or problem)
    for name, known in _near_misses(patient).items():
        yield SETTINGS.fault(name, f"nobody reads it; {known}, which it is like, is not set", f"call it {known}, or take it out")
    for name in _quoted(patient.variables):
        yield SETTINGS.fault(name, "its value begins and ends with quotes, which are taken as part of it", "take the quotes out")
    yield SETTINGS.ok("variables", f"{len(_given(patient))} of {len(_known())} are set; {_environment(patient)}")
    yield from _weak(patient)


def look_at_secrets(patient: Patient) -> Iterator[Finding]:
    """Whether each that is set looks like what it is to be; no character of one is shown."""
    for name, value in _secrets(patient):
        shape = _CLOUD_TOKEN if name == "JIRA_TOKEN" else _SHAPES[name]
        if _PLACEHOLDER.fullmatch(value):
            yield SECRETS.fault(name, "it is a placeholder", shape.way_out)
        elif shape.is_like.fullmatch(value):
            yield SECRETS.ok(name, shape.words)
        else:
            seen = f"it has {len(value)} characters, and does not look like {shape.words}"
            yield SECRETS.warning(name, seen, shape.way_out)


def _given(patient: Patient) -> set[str]:
    return {name.upper() for name, value in patient.variables.items() if value.strip()} & _known()


def _known() -> set[str]:
    return {name.upper() for name in Settings.model_fields if name != "environment"}


def _environment(patient: Patient) -> str:
    return f"SENTRY_ENVIRONMENT is {patient.variables.get('SENTRY_ENVIRONMENT') or patient.settings.sentry_environment}"


def _near_misses(patient: Patient) -> Mapping[str, str]:
    """By variable that nobody reads, the one that it probably is to be: one that is read, and not set."""
    asked = _asked_by_rules(patient)
    given = {name for name, value in patient.variables.items() if value.strip()}
    wanted = sorted((_known() | asked) - {name.upper() for name in given})
    strange = sorted(name for name in given if name.upper() not in _known() | asked and re.fullmatch(r"[A-Z][A-Z0-9]*_[A-Z0-9_]+", name))
    found = {name: get_close_matches(name, wanted, n=1, cutoff=NEAR) for name in strange}
    return {name: matches[0] for name, matches in found.items() if matches}


def _asked_by_rules(patient: Patient) -> set[str]:
    try:
        return {name for text in texts_at(patient.settings.rules_file).values() for name in _IN_RULES.findall(text)}
    except RulesError:
        return set()


def _quoted(variables: Mapping[str, str]) -> Sequence[str]:
    """Of ours those that a container's env-file has handed on with their quotes."""
    known, quotes = _known(), ('"', "'")
    ours = [(name, value) for name, value in sorted(variables.items()) if name.upper() in known and len(value) > 1]
    return [name for name, value in ours if value[0] == value[-1] and value.startswith(quotes)]


def _secrets(patient: Patient) -> Iterator[tuple[str, str]]:
    for name in _SHAPES:
        value: object = getattr(patient.settings, name.lower())
        for one in value if isinstance(value, tuple) else (value,):
            if one:
                yield name, one.get_secret_value() if isinstance(one, SecretStr) else str(one)
    settings = patient.settings
    if settings.jira_token and "atlassian.net" in (settings.jira_url or ""):
        yield "JIRA_TOKEN", settings.jira_token.get_secret_value()


def _weak(patient: Patient) -> Iterator[Finding]:
    settings = patient.settings
    if patient.is_production and not settings.public_url:
        way_out = "set it to the address at which people reach the console, https://alerts.example.com"
        yield SETTINGS.warning("PUBLIC_URL", "not set: cookies are not for https only, and messages have no links to the console", way_out)
    if "atlassian.net" in (settings.jira_url or "") and not settings.jira_user:
        yield SETTINGS.fault("JIRA_USER", "not set, and Jira Cloud takes no token without it", "set it to the e-mail of the account")
    if settings.sentry_api_token and not settings.sentry_org:
        yield SETTINGS.fault("SENTRY_ORG", "not set beside SENTRY_API_TOKEN, which is of no use so", "set it to the organization's slug")
    if settings.allow_unsigned and not settings.sentry_client_secrets and not patient.problems:
        way_out = "set SENTRY_CLIENT_SECRETS, and take ALLOW_UNSIGNED out"
        yield SETTINGS.warning("ALLOW_UNSIGNED", "whoever reaches the service can make alerts", way_out)
