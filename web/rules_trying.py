"""What other rules would make of an alert: edited text in, decisions and their reasons out. Nothing is kept."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from threading import BoundedSemaphore

from routing import own_events, sentry
from routing.alert import Alert
from routing.document import Document, Problem
from routing.rules import RulesError, RuleSet
from routing.rules_loading import read_source
from routing.rules_reading import unset_variables
from storage.explanation import Explanation, alert_of_event, would
from storage.inspection import NoSuchEventError
from web.desk import desk
from web.personal import may_see_personal
from web.rules_in_force import rules_in_force

LONGEST_TEXT = 128 * 1024
"""Characters of a rules file: so much is read within about a second."""
LONGEST_BODY = 256 * 1024
_NUMBER = re.compile(r"[0-9]{1,18}")
PATIENCE_SECONDS = 5.0

_one = BoundedSemaphore(1)
"""Of the threads of this process one tries rules at a time: it is all computing, and the others are there for Sentry."""


class TryError(Exception):
    """What was asked cannot be tried; the text says what to write instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What it came to."""

    problems: tuple[Problem, ...] = ()
    """Of the text; where there are any, nothing follows from it."""
    would: Explanation | None = None
    in_force: Mapping[str, bool] = field(default_factory=dict)
    """By rule in force whether the same alert would meet it."""
    told_in_force: tuple[str, ...] = ()
    """The receivers that would be told by the rules in force."""

    @property
    def told(self) -> tuple[str, ...]:
        """The receivers that would be told."""
        return _told(self.would) if self.would else ()

    @property
    def told_no_more(self) -> tuple[str, ...]:
        """Those that only the rules in force tell."""
        return tuple(name for name in self.told_in_force if name not in self.told)


def alert_of(*, event: str, body: str, resource: str, at: datetime) -> tuple[Alert, str]:
    """The alert that somebody means, by the number of an event or by a webhook's body, and how it is called.

    Raises:
        TryError: there is none.
    """
    if body.strip():
        return _pasted(body, resource.strip(), at), "this webhook"
    if not may_see_personal():
        raise TryError(
            "Paste the body of a webhook: events hold personal data, and conditions would tell of it what your role may not see."
        )
    number = event.strip()
    if not _NUMBER.fullmatch(number):
        raise TryError("Write the number of an event, or paste the body of a webhook.")
    try:
        return alert_of_event(desk().engine, int(number)), f"event {int(number)}"
    except (NoSuchEventError, sentry.UnreadableAlert) as error:
        raise TryError(str(error)) from None


def tried(texts: Mapping[str, str], known: Mapping[str, str], alert: Alert, what: str, at: datetime) -> Tried:
    """What the rules of these texts would make of an alert, beside those in force.

    Args:
        texts: by file, the first one under no name.
        known: those in force, in the same way.
        alert: what comes.
        what: how people call it.
        at: when it comes.

    Raises:
        TryError: it is too much, or somebody else is at it.
    """
    if sum(map(len, texts.values())) > LONGEST_TEXT:
        raise TryError(f"The rules have more than {LONGEST_TEXT:,} characters: try them by `flask alerts explain`.")
    with one_at_a_time():
        try:
            rules = _read(texts, known)
            return _beside_those_in_force(would(desk().engine, alert, rules, at, what), alert, at)
        except RulesError as error:
            return Tried(problems=error.problems)


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Read rules of somebody's own, and ask them, within this.

    Raises:
        TryError: somebody else is at it.
    """
    if not _one.acquire(timeout=PATIENCE_SECONDS):
        raise TryError("Somebody else tries rules just now: try again.")
    try:
        yield
    finally:
        _one.release()


def _beside_those_in_force(edited: Explanation, alert: Alert, at: datetime) -> Tried:
    rules = rules_in_force()
    if rules is None:
        return Tried(would=edited)
    before = would(desk().engine, alert, rules, at, "")
    return Tried(would=edited, in_force={name: met for name, met, _ in before.rules}, told_in_force=_told(before))


def _told(explanation: Explanation) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.receiver for one in explanation.told if one.state != "held"))


def _pasted(body: str, resource: str, at: datetime) -> Alert:
    if len(body) > LONGEST_BODY:
        raise TryError(f"The webhook has more than {LONGEST_BODY:,} characters.")
    content = body.encode("utf-8", "replace")
    found = resource or sentry.resource_of(content)
    if found is None or found in own_events.RESOURCES:
        known = ", ".join(sorted(sentry.RESOURCES - own_events.RESOURCES))
        raise TryError(f"Which webhook is this? Say it as its resource: {known}.")
    try:
        return sentry.parse(found, content, at)
    except sentry.UnreadableAlert as error:
        raise TryError(f"The webhook cannot be read: {error}") from None


def _read(texts: Mapping[str, str], known: Mapping[str, str]) -> RuleSet:
    """The rules of texts that somebody wrote here, who must not learn from them what the environment holds.

    Raises:
        RulesError: with every problem.
    """
    included = {file: text for file, text in texts.items() if file}
    if strange := tuple(_strange_variables(read_source(texts[""], included), _written(known))):
        raise RulesError(strange)
    return desk().read_rules(texts[""], included)


def _strange_variables(source: Document, known: frozenset[tuple[str, ...]]) -> Iterator[Problem]:
    """A condition shows the value that it wants: so a variable may stand only where it stands in the rules in force."""
    for path, written in _variables(source):
        if (*_place(path), written) not in known:
            message = "here, variables are only known where the rules in force have them; write the value itself to try it"
            yield source.problem(path, message)


def _written(texts: Mapping[str, str]) -> frozenset[tuple[str, ...]]:
    if not texts:
        return frozenset()
    source = read_source(texts[""], {file: text for file, text in texts.items() if file})
    return frozenset((*_place(path), written) for path, written in _variables(source))


def _variables(source: Document) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Where any variable is named, and the whole value that names it."""
    for path in {path for path, _ in unset_variables(source.value(()), {})}:
        yield path, str(source.value(path))


def _place(path: tuple[str | int, ...]) -> tuple[str, ...]:
    """What stays the same however many rules are put before one."""
    return tuple(part for part in path if isinstance(part, str))
