"""The doctor's findings as people read them: by group, aligned, with the way out below what is not right."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby

import click

from routing.plain_text import one_line
from watch.doctor.finding import Finding, State

WIDTH = 120
MAX_NAME = 28
"""Longer ones push what was seen to the right."""
_COLOURS = {State.OK: "green", State.WARNING: "yellow", State.FAULT: "red", State.UNCHECKED: "cyan"}
_STATE = max(map(len, State))


def as_lines(found: Sequence[Finding]) -> Iterator[str]:
    """One finding a line, or several where it is long."""
    name = min(max((len(one.name) for one in found), default=0), MAX_NAME)
    for number, (group, findings) in enumerate(groupby(found, lambda one: one.group)):
        yield from [""] if number else []
        yield click.style(group, bold=True)
        each = list(findings)
        for one, following in zip(each, [*each[1:], None], strict=True):
            is_said_below = following is not None and _remedy(following) == _remedy(one)
            yield from _lines(one, name)
            if not is_said_below:
                yield from _way_out(one, _margin(name))


def summary(found: Sequence[Finding], seconds: float) -> str:
    """How many there are of each, the worst first."""
    counts = {state: sum(one.state is state for one in found) for state in State}
    faults, warnings = counts[State.FAULT], counts[State.WARNING]
    worst = State.FAULT if faults else State.WARNING if warnings else State.OK
    words = f"{_number(faults, 'fault')}, {_number(warnings, 'warning')}, {counts[State.OK]} ok, {counts[State.UNCHECKED]} not checked"
    return click.style(f"{words}; {seconds:.1f} s", fg=_COLOURS[worst])


def _lines(one: Finding, name: int) -> Iterator[str]:
    margin = _margin(name)
    first, *more = _wrapped(one.seen, WIDTH - margin)
    state = click.style(one.state.ljust(_STATE), fg=_COLOURS[one.state])
    yield f"  {state}  {one_line(one.name).ljust(name)}  {first}".rstrip()
    yield from (" " * margin + line for line in more)


def _way_out(one: Finding, margin: int) -> Iterator[str]:
    """Below what is not as it should be."""
    if one.state is not State.OK:
        ways_out = _wrapped(one.way_out, WIDTH - margin - 2)
        yield from (f"{' ' * margin}{' ' if number else '→'} {line}" for number, line in enumerate(ways_out))


def _remedy(one: Finding) -> tuple[str, State, str]:
    """Findings that are alike in it are told with one way out."""
    return one.name, one.state, one.way_out


def _margin(name: int) -> int:
    return 2 + _STATE + 2 + name + 2


def _wrapped(text: str, width: int) -> list[str]:
    """What vendors and webhooks say is hostile: no control character of it reaches a terminal."""
    return textwrap.wrap(one_line(text), max(width, 40), break_long_words=False, break_on_hyphens=False) or [""]


def _number(count: int, word: str) -> str:
    return f"{count or 'no'} {word}{'' if count == 1 else 's'}"
