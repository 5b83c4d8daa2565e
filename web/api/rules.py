"""The rules: those in force, whether a text could be put in force, and what would become of an alert."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Self

from flask import Blueprint
from pydantic import Field, JsonValue, model_validator
from werkzeug.exceptions import Conflict, Forbidden, NotFound, ServiceUnavailable

from routing import document, sentry
from routing.alert import Alert
from routing.document import MAX_CHARACTERS, DocumentError
from routing.notification import Reason, Severity, State
from routing.plan import Disposition, Plan
from routing.rules import RulesError, RuleSet
from routing.rules_reading import unset_variables
from storage import dry_run
from storage.inspection import NoSuchEventError
from storage.tokens import Scope
from web.api.events import RuleVerdict
from web.api.notifications import Title, Why
from web.api.operations import Answer, Body, Moment, operation
from web.api.paging import LARGEST
from web.api.problems import Fault, UnfitError
from web.desk import desk
from web.personal import may_see_personal
from web.rules_in_force import rules_in_force
from web.rules_trying import TryError, one_at_a_time

NONE_IN_FORCE = "no rules are in force that this process can read: a worker puts them in force when it starts"


class RuleAnswer(Answer):
    """A rule in force."""

    name: str
    severity: Severity | None = Field(description="null: as bad as the alert's own level says")
    receivers: list[str] = Field(description="those that are told at once")
    owner: str
    runbook: str


class RulesAnswer(Answer):
    """The rules in force. Their text is not shown: it may hold what should be in a variable."""

    version: str
    rules: list[RuleAnswer]
    receivers: list[str]


class RulesText(Body):
    """A text as rules.yaml has it."""

    text: str = Field(max_length=MAX_CHARACTERS)
    included: dict[str, str] = Field(default_factory=dict, max_length=100, description="by name the files that it includes")


class ProblemInRules(Answer):
    """One thing that is wrong with a text."""

    file: str = Field(description="empty for the first one")
    line: int
    column: int
    place: str = Field(description="the keys that lead there")
    message: str


class Checked(Answer):
    """Whether a text could be put in force."""

    is_right: bool
    version: str | None = Field(description="that it would have")
    rules: int | None = Field(description="how many it has")
    receivers: int | None
    problems: list[ProblemInRules]


class Explain(Body):
    """Of which alert, and by which rules: an event by its number, or the body of a webhook."""

    event_id: int | None = Field(None, ge=1, le=LARGEST)
    body: dict[str, JsonValue] | None = Field(None, description="a webhook as Sentry sends it")
    resource: str | None = Field(None, max_length=64, description="which webhook it is, where its body does not show it: `event_alert`")
    at: Moment | None = Field(None, description="as if it came then; null: now")
    rules: RulesText | None = Field(None, description="null: those in force")

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.event_id is None) == (self.body is None):
            raise ValueError("write event_id, or body, one of them")
        if self.resource and self.body is None:
            raise ValueError("resource says what body is; an event knows it")
        return self


class WouldBeTold(Answer):
    """A message that would be sent, or held."""

    receiver: str
    state: State
    reason: Reason
    severity: Severity
    rules: list[str]
    why: Why


class WouldComeBack(Answer):
    """When a rule would come back to it, if it is still open then."""

    rule: str
    cause: str
    due_at: datetime


class Explanation(Answer):
    """What would become of an alert."""

    title: Title
    disposition: Disposition
    ignored_by: Why | None
    rules_version: str
    trace: list[RuleVerdict]
    told: list[WouldBeTold]
    later: list[WouldComeBack]


def add_rules(api: Blueprint) -> None:
    """Their paths."""

    @api.get("/rules")
    @operation(scope=Scope.READ, answer=RulesAnswer, refuses={409: "no rules are in force"})
    def show_rules() -> RulesAnswer:
        """Show the rules in force."""
        rules = _in_force()
        return RulesAnswer(
            version=rules.version,
            rules=[
                RuleAnswer(name=one.name, severity=one.severity, receivers=[*one.notify], owner=one.owner, runbook=one.runbook)
                for one in rules.rules
            ],
            receivers=[*rules.receivers],
        )

    @api.post("/rules/check")
    @operation(scope=Scope.READ, body=RulesText, answer=Checked)
    def check_rules(body: RulesText) -> Checked:
        """Say everything that is wrong with a text. Nothing is put in force."""
        try:
            with _in_turn():
                rules = desk().read_rules(body.text, body.included)
        except RulesError as error:
            problems = [ProblemInRules.model_validate(problem) for problem in error.problems]
            return Checked(is_right=False, version=None, rules=None, receivers=None, problems=problems)
        return Checked(is_right=True, version=rules.version, rules=len(rules.rules), receivers=len(rules.receivers), problems=[])

    @api.post("/rules/explain")
    @operation(scope=Scope.READ, body=Explain, answer=Explanation, refuses={404: "there is no such event", 409: "no rules are in force"})
    def explain(body: Explain) -> Explanation:
        """Say what would become of an alert if it came now, by what is remembered now. Nothing is told or kept."""
        if body.event_id and body.rules and not may_see_personal():
            raise Forbidden("rules of one's own would tell of the personal data of an event what this token may not see; send a body")
        with _in_turn():
            rules = _of_text(body.rules) if body.rules else _in_force()
            at = body.at or desk().clock()
            alert = _alert(body, at)
            return _explained(alert, dry_run.decide(desk().engine, alert, rules, at), rules.version)


@contextmanager
def _in_turn() -> Iterator[None]:
    try:
        with one_at_a_time():
            yield
    except TryError as error:
        raise ServiceUnavailable(str(error)) from None


def _in_force() -> RuleSet:
    rules = rules_in_force()
    if rules is None:
        raise Conflict(NONE_IN_FORCE)
    return rules


def _of_text(given: RulesText) -> RuleSet:
    """What a decision quotes of the rules would show what a variable holds: in receivers they may stand, for nothing quotes those."""
    try:
        rules = desk().read_rules(given.text, given.included)
    except RulesError as error:
        faults = [Fault(where="#/rules/text", detail=str(problem)) for problem in error.problems]
        raise UnfitError("the rules are not right", faults) from None
    for name, text in {"": given.text, **given.included}.items():
        if variable := _quoted_variable(text):
            detail = f"{name + ': ' if name else ''}${{{variable}}} stands outside of receivers; write there what you want to try"
            raise UnfitError("the rules cannot be tried", [Fault(where="#/rules/text", detail=detail)])
    return rules


def _quoted_variable(text: str) -> str | None:
    try:
        content = document.read(text).content
    except DocumentError:
        return None
    parts = [part for key, part in content.items() if key != "receivers"] if isinstance(content, dict) else []
    return next((name for part in parts for _, name in unset_variables(part, {})), None)


def _alert(asked: Explain, at: datetime) -> Alert:
    try:
        if asked.event_id is not None:
            event = dry_run.find(desk().engine, asked.event_id)
            return sentry.parse(event.resource, event.body, event.received_at, findings=event.findings)
        body = json.dumps(asked.body).encode()
        resource = asked.resource.replace(":", "") if asked.resource else sentry.resource_of(body)
        if not resource:
            said = "which webhook is this? say it by resource: event_alert, issue, metric_alert, …"
            raise UnfitError("the body is not right", [Fault(where="#/resource", detail=said)])
        return sentry.parse(resource, body, at)
    except NoSuchEventError as error:
        raise NotFound(str(error)) from None
    except sentry.UnreadableAlert as error:
        raise UnfitError(str(error)) from None


def _explained(alert: Alert, planned: Plan, version: str) -> Explanation:
    return Explanation(
        title=alert.title,
        disposition=planned.disposition,
        ignored_by=planned.ignored_by or None,
        rules_version=version,
        trace=[RuleVerdict(rule=one.rule, matched=one.matched, why=one.why) for one in planned.trace],
        told=[WouldBeTold.model_validate(one) for one in planned.notifications],
        later=[WouldComeBack.model_validate(one) for one in planned.timers],
    )
