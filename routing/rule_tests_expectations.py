"""What a rule test expects, as it is written: `first critical by critical-error`, `held window`, or its parts one by one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from routing.document import Content, Path
from routing.notification import Reason, Severity
from routing.plan import Disposition
from routing.rule_tests import Expected
from routing.rule_tests_forms import ToldForm
from routing.rules import RuleSet
from routing.rules_reading import Reading, did_you_mean, quoted
from routing.voice import SILENT

NOTHING = "nothing"
"""`expect: nothing`: nobody is told, and nothing is held."""

_REASONS = {reason.value: reason for reason in Reason if reason is not Reason.PREVIEW}
"""A preview is decided when a message is sent."""
_SEVERITIES = {severity.value: severity for severity in Severity}
_HELD = SILENT | {Reason.NOWHERE, Reason.OWN_FAILURE}
_STATES = {"told": True, "held": False}
_WORDS = (*_STATES, *_REASONS, *_SEVERITIES)
_FORM = "write receivers with what they are told: {slack-errors: first critical}; or nothing"


def expected(reading: Reading, path: Path, rules: RuleSet) -> tuple[Expected, ...]:
    """The notifications that are expected at a path; what is wrong with them is kept in `reading`."""
    content = reading.source.value(path)
    if content in (NOTHING, []):
        return ()
    parts = [((*path, index), part) for index, part in enumerate(content)] if isinstance(content, list) else [(path, content)]
    return tuple(one for place, part in parts for one in _receivers(reading, place, part, rules))


def outcome(reading: Reading, path: Path, rules: RuleSet) -> tuple[Disposition | None, str]:
    """What is to become of an alert, and by which entry of `ignore`: `matched`, `ignored by missing-assets`."""
    written = str(reading.source.value(path))
    word, _, by = written.partition(" by ")
    known = {disposition.value: disposition for disposition in Disposition}
    if word not in known:
        reading.add(path, f"{quoted(written)} is no outcome; {did_you_mean(word, known) or 'known are ' + ', '.join(known)}")
    elif by:
        _check(reading, path, by, "entry of ignore", [entry.name for entry in rules.ignore])
    return known.get(word), by


def _receivers(reading: Reading, path: Path, content: Content, rules: RuleSet) -> Iterator[Expected]:
    if not isinstance(content, dict) or not content:
        reading.add(path, _FORM)
        return
    for key, value in content.items():
        for receiver in map(str.strip, key.split(",")):
            _check(reading, (*path, key), receiver, "receiver", rules.receivers, of_key=True)
            several = (
                [((*path, key, index), one) for index, one in enumerate(value)] if isinstance(value, list) else [((*path, key), value)]
            )
            for place, one in several:
                yield _one(reading, place, receiver, one, rules)


def _one(reading: Reading, path: Path, receiver: str, content: Content, rules: RuleSet) -> Expected:
    told = Expected(receiver=receiver)
    if isinstance(content, str):
        return _in_words(reading, path, told, content, rules)
    if not isinstance(content, dict):
        reading.add(
            path, "write what is told: first, or held window, or first critical by a-rule; any of it may be left out, or told, held"
        )
        return told
    form = reading.form(ToldForm, path)
    if form is None:
        return told
    if form.reason:
        told = _in_words(reading, (*path, "reason"), told, form.reason, rules)
    for index, rule in enumerate(form.rules):
        _check(reading, (*path, "rules", index), rule, "rule", rules.names)
    return replace(told, rules=frozenset(form.rules) or told.rules, why=form.why, title=form.title, others=form.others)


def _in_words(reading: Reading, path: Path, told: Expected, written: str, rules: RuleSet) -> Expected:
    """`first critical by critical-error`; the words in any order."""
    words, _, by = f" {written} ".partition(" by ")
    for word in words.split():
        told = _with_word(reading, path, told, word)
    if told.reason and told.is_told is (told.reason in _HELD):
        state = "held" if told.reason in _HELD else "told"
        reading.add(path, f"what is {told.reason} is {state}; take the other word out")
    named = [name for name in re.split(r"[,\s]+", by) if name]
    for name in named:
        _check(reading, path, name, "rule", rules.names)
    is_told = told.is_told if told.reason is None else told.reason not in _HELD
    return replace(told, is_told=is_told, rules=frozenset(named))


def _with_word(reading: Reading, path: Path, told: Expected, word: str) -> Expected:
    if word in _STATES and told.is_told is None:
        return replace(told, is_told=_STATES[word])
    if word in _REASONS and told.reason is None:
        return replace(told, reason=_REASONS[word])
    if word in _SEVERITIES and told.severity is None:
        return replace(told, severity=_SEVERITIES[word])
    known = did_you_mean(word, _WORDS) or f"known are {', '.join(_WORDS)}"
    reading.add(path, f"{quoted(word)} is one word too many" if word in _WORDS else f"{quoted(word)} is not known; {known}")
    return told


def _check(reading: Reading, path: Path, name: str, what: str, known: Iterable[str], *, of_key: bool = False) -> None:
    names = list(known)
    if name not in names:
        hint = did_you_mean(name, names) or f"known are {', '.join(names) or 'none'}"
        reading.add(path, f"the rules have no {what} {quoted(name)}; {hint}", of_key=of_key)
