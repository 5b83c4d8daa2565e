"""The text of a file of rule tests in, the tests out, or everything that is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from routing import document, sentry
from routing.document import Content, Document, DocumentError, Path, Problem
from routing.plan import Disposition
from routing.rule_tests import Acknowledgement, Action, Expiry, RuleTest, Silencing, Step, Webhook
from routing.rule_tests_expectations import expected, outcome
from routing.rule_tests_forms import (
    ACTIONS,
    ALERTS,
    EXPECTATIONS,
    AlertForm,
    DefaultsForm,
    IssueForm,
    MetricForm,
    Reference,
    ReminderForm,
    SilenceForm,
    StepForm,
    TestForm,
    TestsForm,
)
from routing.rule_tests_webhooks import change_of, event_alert, issue_change, metric_alert, reminder
from routing.rules import RuleSet
from routing.rules_forms import Form
from routing.rules_reading import Reading, did_you_mean, quoted, unset_variables
from routing.silences import Silence

BEGINNING = datetime(2026, 1, 5, 12, tzinfo=UTC)
"""When a test begins that does not say when: a Monday, at noon."""
LONGEST = timedelta(days=366)
"""Of a test, by its own clock."""

FormT = TypeVar("FormT", bound=Form)
OpenFile = Callable[[str], bytes]
"""The content of a file by the name that the test gives it. Raises OSError."""

_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
_CHANGES = ("resolved", "archived", "assigned")


class RuleTestsError(Exception):
    """A file of rule tests cannot be run; `problems` lists everything that is wrong with it."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.line, problem.column)))
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(slots=True, kw_only=True)
class _Story:
    """Where a test stands while it is read."""

    zone: ZoneInfo
    begin: datetime
    now: datetime
    silences: int = 0
    steps: list[Step] = field(default_factory=list)


def read(text: str) -> Document:
    """The file as it is written.

    Raises:
        RuleTestsError: it is no YAML.
    """
    try:
        return document.read(text)
    except DocumentError as error:
        raise RuleTestsError(error.problems) from None


def rules_file(source: Document) -> str | None:
    """The rules that the file wants to test, None if it leaves that open."""
    name = source.value(("rules",))
    return name if isinstance(name, str) else None


def load_tests(source: Document, rules: RuleSet, open_file: OpenFile) -> tuple[RuleTest, ...]:
    """The tests of a file, which are about these rules.

    Raises:
        RuleTestsError: with every problem, each with its line, column and what to write instead.
    """
    return _Reader(source, rules, open_file).tests()


class _Reader:
    """Makes tests of a document, and keeps what is wrong with it."""

    def __init__(self, source: Document, rules: RuleSet, open_file: OpenFile) -> None:
        self._reading = Reading(source=source, environment={}, problems=list(source.problems), faulty=set(source.faults))
        self._source = source
        self._rules = rules
        self._open_file = open_file
        self._defaults = DefaultsForm()
        self._alert = AlertForm()
        self._lines: dict[str, int] = {}

    def tests(self) -> tuple[RuleTest, ...]:
        """All of them, if nothing is wrong with any."""
        reading = self._reading
        for path, name in unset_variables(self._source.content, {}):
            reading.add(path, f"a test takes nothing from the environment; write what {name} would hold")
        if not isinstance(self._source.content, dict):
            reading.add((), "a file of rule tests has the key tests; write tests: [{name: …, alert: {…}, expect: {…}}]")
        else:
            reading.form(TestsForm, ())
            self._read_defaults()
        tests = [test for index in _items(self._source.value(("tests",))) if (test := self._test(("tests", index)))]
        if reading.problems:
            raise RuleTestsError(tuple(reading.problems))
        return tuple(tests)

    def _read_defaults(self) -> None:
        path = ("defaults",)
        if self._source.value(path) is not None:
            self._defaults = self._reading.form(DefaultsForm, path) or self._defaults
        if self._defaults.alert is not None:
            self._alert = self._reading.form(AlertForm, (*path, "alert")) or self._alert

    def _test(self, path: Path) -> RuleTest | None:
        form = self._reading.form(TestForm, path)
        if form is None:
            return None
        self._check_name(form.name, path)
        zone = form.zone or self._defaults.zone
        begin = self._moment(form.at, (*path, "at"), BEGINNING, zone) if form.at else None
        begin = begin or self._beginning(zone)
        story = _Story(zone=zone, begin=begin, now=begin)
        if form.steps:
            self._check_alone(path)
        for place in [(*path, "steps", index) for index in range(len(form.steps))] or [path]:
            self._step(story, place)
        if not any(step.expects for step in story.steps) and not self._reading.problems:
            self._reading.add(path, f"expects nothing; write one of {', '.join(EXPECTATIONS)}")
        return RuleTest(name=form.name, line=self._line(path), steps=tuple(story.steps))

    def _check_name(self, name: str, path: Path) -> None:
        if name in self._lines:
            self._reading.add((*path, "name"), f"{quoted(name)} names the test of line {self._lines[name]} already; rename one of them")
        self._lines.setdefault(name, self._line(path))

    def _check_alone(self, path: Path) -> None:
        """A test with steps happens in them."""
        for key in ("after", *ACTIONS, "resource", *EXPECTATIONS):
            if self._has(path, key):
                self._reading.add((*path, key), "belongs into one of the steps")

    def _beginning(self, zone: ZoneInfo) -> datetime:
        at = self._defaults.at
        return (self._moment(at, ("defaults", "at"), BEGINNING, zone) if at else None) or BEGINNING

    def _step(self, story: _Story, path: Path) -> None:
        """Add a step to a test; of a faulty one only its time."""
        is_test = "steps" not in path
        form = self._reading.form(StepForm, path, without=("name", "description", "zone", "steps", *(("at",) if is_test else ())))
        if form is None:
            return
        story.now = self._time(story, form, path)
        action = self._action(story, form, path)
        self._check_keys(form, path)
        step = Step(line=self._line(path), at=story.now, action=action, not_told=form.not_told, incident=form.incident, rules=form.rules)
        for index, receiver in enumerate(form.not_told):
            self._check_known((*path, "not_told", index), receiver, "receiver", self._rules.receivers)
        for rule in form.rules:
            self._check_known((*path, "rules", rule), rule, "rule", self._rules.names, of_key=True)
        story.steps.append(self._with_expectations(step, form, path))

    def _with_expectations(self, step: Step, form: StepForm, path: Path) -> Step:
        what, by = outcome(self._reading, (*path, "outcome"), self._rules) if form.outcome else (None, "")
        if what not in {None, Disposition.IGNORED} and by:
            self._reading.add((*path, "outcome"), "only what is ignored is so `by` an entry of the rules")
        exact = expected(self._reading, (*path, "expect"), self._rules) if self._has(path, "expect") else None
        among = expected(self._reading, (*path, "expect_at_least"), self._rules) if self._has(path, "expect_at_least") else ()
        return replace(step, expected=exact, among=among, outcome=what, ignored_by=by)

    def _check_keys(self, form: StepForm, path: Path) -> None:
        """At most one thing happens in a step, and what is asked of an alert needs one."""
        happening = [key for key in ACTIONS if self._has(path, key)]
        for key in happening[1:]:
            self._reading.add((*path, key), f"{happening[0]} happens in this step already; make it a step of its own")
        if form.resource and form.webhook is None:
            self._reading.add((*path, "resource"), "says what a webhook is; without one take it out")
        if not set(happening) & set(ALERTS):
            for key in ("outcome", "incident", "rules"):
                if self._has(path, key):
                    self._reading.add((*path, key), "is about an alert, and none comes in this step")

    def _time(self, story: _Story, form: StepForm, path: Path) -> datetime:
        if form.at and form.after is not None:
            self._reading.add((*path, "after"), "a step has one time; write either `at` or `after`")
        moment = story.now
        if form.after is not None:
            moment = story.now + min(form.after, 2 * LONGEST)
        elif form.at:
            moment = self._moment(form.at, (*path, "at"), story.now, story.zone) or story.now
        place = (*path, "at" if form.at else "after")
        if moment < story.now:
            self._reading.add(place, f"is before {_clock(story.now, story.zone)}, the time of the step above")
        if moment - story.begin > LONGEST:
            self._reading.add(place, f"is more than {LONGEST.days} days behind the beginning of the test")
            return story.now
        return max(moment, story.now)

    def _moment(self, written: str, path: Path, now: datetime, zone: ZoneInfo) -> datetime | None:
        """A time as a test writes it; one of a clock alone is the next."""
        try:
            found = _next(written, now, zone) or datetime.fromisoformat(written)
        except ValueError:
            message = f"{quoted(written)} is no time; write 07:00 for the next time that clocks show it, or 2026-03-04T23:00+01:00"
            self._reading.add(path, message)
            return None
        if not 1971 <= found.year <= 2198:
            self._reading.add(path, "lies outside the years 1971 to 2198")
            return None
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)

    def _action(self, story: _Story, form: StepForm, path: Path) -> Action:
        if form.acknowledge:
            return Acknowledgement(incident=form.acknowledge.incident_key)
        if form.silence is not None:
            return self._silencing(story, (*path, "silence"))
        if form.expire is not None:
            if form.expire > story.silences:
                self._reading.add((*path, "expire"), f"this test has {story.silences or 'no'} silences up to here; they count from 1")
            return Expiry(silence=form.expire)
        return self._webhook(story, form, path)

    def _silencing(self, story: _Story, path: Path) -> Silencing | None:
        form = self._reading.form(SilenceForm, path)
        if form is None:
            return None
        story.silences += 1
        silence = Silence(
            id=story.silences,
            matchers=form.matchers,
            author=form.author,
            comment=form.comment,
            starts_at=story.now,
            ends_at=story.now + min(form.length, 2 * LONGEST),
            created_at=story.now,
        )
        return Silencing(silence=silence)

    def _webhook(self, story: _Story, form: StepForm, path: Path) -> Webhook | None:
        if form.webhook is not None:
            return self._file(form, (*path, "webhook"))
        if form.alert is not None:
            alert = self._reading.form(AlertForm, (*path, "alert"))
            return event_alert(_over(self._alert, alert), story.now, len(story.steps)) if alert else None
        if form.issue is not None:
            issue = self._reading.form(IssueForm, (*path, "issue"))
            return issue_change(issue, story.now) if issue else None
        if form.metric is not None:
            metric = self._reading.form(MetricForm, (*path, "metric"))
            return metric_alert(metric, story.now) if metric else None
        if form.reminder is not None:
            told = self._reading.form(ReminderForm, (*path, "reminder"))
            return reminder(told) if told else None
        changes: Iterator[tuple[str, Reference | None]] = ((name, getattr(form, name)) for name in _CHANGES)
        return next((self._change(incident, name, story, path) for name, incident in changes if incident), None)

    def _change(self, incident: Reference, name: str, story: _Story, path: Path) -> Webhook | None:
        try:
            return change_of(incident, name, story.now)
        except ValueError as error:
            self._reading.add((*path, name), str(error))
            return None

    def _file(self, form: StepForm, path: Path) -> Webhook | None:
        """The webhook in a file beside the tests."""
        try:
            body = self._open_file(form.webhook or "")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "no name of a file"
            self._reading.add(path, f"{quoted(form.webhook)} cannot be read: {reason}; names are relative to the file of the tests")
            return None
        resource = form.resource or sentry.resource_of(body)
        if resource is None:
            self._reading.add(path, f"{quoted(form.webhook)}: which webhook is this? say it beside: resource: event_alert")
            return None
        return Webhook(resource=resource, body=body)

    def _check_known(self, path: Path, name: str, what: str, known: object, *, of_key: bool = False) -> None:
        names = list(known) if isinstance(known, dict | tuple) else []
        if name not in names:
            hint = did_you_mean(name, names) or f"known are {', '.join(names)}"
            self._reading.add(path, f"the rules have no {what} {quoted(name)}; {hint}", of_key=of_key)

    def _has(self, path: Path, key: str) -> bool:
        content = self._source.value(path)
        return isinstance(content, dict) and key in content

    def _line(self, path: Path) -> int:
        return self._source.position(path)[0]


def _over(defaults: AlertForm, alert: AlertForm) -> AlertForm:
    """An alert, and what it leaves out; tags of both."""
    given = {name: getattr(alert, name) for name in alert.model_fields_set}
    if "tags" in given:
        given["tags"] = {**defaults.tags, **alert.tags}
    return defaults.model_copy(update=given)


def _next(written: str, now: datetime, zone: ZoneInfo) -> datetime | None:
    """The next time that the clocks of a zone show this; None if it is no time of a clock."""
    found = _CLOCK.fullmatch(written)
    if not found:
        return None
    today = now.astimezone(zone).date()
    shown = time(int(found[1]), int(found[2]))
    days = (datetime.combine(today + timedelta(days=number), shown, zone).astimezone(UTC) for number in range(3))
    return next(day for day in days if day > now)


def _clock(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def _items(content: Content) -> range:
    return range(len(content) if isinstance(content, list) else 0)
