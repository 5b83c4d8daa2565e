"""Tells what is wrong with the service, past all that may be what is wrong: directly, in this process, to whom it does not concern."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from notifiers import alarm
from routing.notification import Attempt, Outcome
from routing.rules import Receiver, RuleSet
from routing.trouble import Trouble, who_can_be_told
from settings import Settings
from storage import troubles
from storage.troubles import Noted, Told

TOLD_AGAIN_AFTER_SECONDS = 3600.0
"""While the database is away each process remembers by itself whom it has told."""
TRIED_AGAIN_AFTER_SECONDS = 60.0
"""The same, where nobody could be told."""
_TAKEN = frozenset({Outcome.DELIVERED, Outcome.PREVIEWED})
"""What may have arrived, and may not have, is told to the next one, too; and so is what only was recorded, as a preview."""
_NAME_OTHERS = "name receivers that work, of several vendors, in `watch: {notify: […]}` of rules.yaml"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Remembered:
    """What was told, or was tried to be, without the database."""

    trouble: Trouble
    began_at: datetime
    again_at: float
    """When it is told again, by the steady clock."""
    told: Told


class Alarm:
    """One for each process. Its methods raise nothing: who checks goes on checking."""

    def __init__(self, settings: Settings, engine: Engine, rules: Callable[[], RuleSet | None], clock: Callable[[], datetime]) -> None:
        self._settings, self._engine, self._rules, self._clock = settings, engine, rules, clock
        self._last_rules: RuleSet | None = None
        self._remembered: dict[str, _Remembered] = {}
        """By the key of a trouble."""

    def see(self, trouble: Trouble) -> None:
        """It is there: told at once, and again when it lasts for hours; of all processes by one."""
        try:
            noted = troubles.see(self._engine, trouble, self._clock())
        except SQLAlchemyError:
            self._see_without_database(trouble)
            return
        if noted:
            self._tell_of(noted, trouble)

    def over(self, check: str, subject: str = "", *, unseen_for: timedelta = timedelta()) -> None:
        """It is not, or not any more: whoever was told is told so."""
        self._end_remembered(f"{check}:{subject}" if subject else check)
        self._end(lambda: filter(None, [troubles.over(self._engine, check, subject, self._clock(), unseen_for=unseen_for)]))

    def forget(self, *, unseen_for: timedelta) -> None:
        """What nobody looks for any more is over, too."""
        self._end(lambda: troubles.forgotten(self._engine, self._clock(), unseen_for=unseen_for))

    def catch_up(self) -> None:
        """Tell of what is over whoever has not heard yet; and know the rules, for when they cannot be read."""
        self._known_rules()
        with suppress(SQLAlchemyError):  # told when the database is back
            for noted in troubles.ends_to_tell(self._engine, self._clock()):
                trouble = Trouble(check=noted.check, subject=noted.subject, said=noted.said, way_out=noted.way_out)
                left = self._tell_end(trouble, began_at=noted.began_at, told=noted.told)
                troubles.end_told(self._engine, noted.id, but_not=left)

    def _tell_of(self, noted: Noted, trouble: Trouble) -> None:
        # Whom it was told to while the database was away: that is noted now, and nobody hears it twice.
        before = self._remembered.pop(trouble.key, None)
        if before and before.told:
            noted, told = replace(noted, began_at=before.began_at), before.told
        else:
            told = self._tell(trouble, began_at=noted.began_at, told=noted.told)
        if not told:
            return
        try:
            troubles.told(self._engine, noted, told, self._clock())
        except SQLAlchemyError:
            self._remember(trouble, noted.began_at, told)

    def _see_without_database(self, trouble: Trouble) -> None:
        before = self._remembered.get(trouble.key)
        if before and time.monotonic() < before.again_at:
            return
        began_at, told = (before.began_at, before.told) if before else (self._clock(), {})
        self._remember(trouble, began_at, {**told, **self._tell(trouble, began_at=began_at, told=told)})

    def _remember(self, trouble: Trouble, began_at: datetime, told: Told) -> None:
        again_at = time.monotonic() + (TOLD_AGAIN_AFTER_SECONDS if told else TRIED_AGAIN_AFTER_SECONDS)
        self._remembered[trouble.key] = _Remembered(trouble=trouble, began_at=began_at, again_at=again_at, told=told)

    def _end_remembered(self, key: str) -> None:
        """What was told without the database, and is over, has its end told without it."""
        if (one := self._remembered.pop(key, None)) and (left := self._tell_end(one.trouble, began_at=one.began_at, told=one.told)):
            self._remember(one.trouble, one.began_at, left)

    def _end(self, ended: Callable[[], Iterable[Noted]]) -> None:
        try:
            found = [*ended()]
        except SQLAlchemyError as error:
            log.error("trouble_not_noted", error=type(error).__name__, effect="tried again at the next check")
            return
        for one in found:
            log.info("trouble_over", check=one.check, subject=one.subject, told=one.told_to or "nobody")
        if found:
            self.catch_up()

    def _tell(self, trouble: Trouble, *, began_at: datetime, told: Told) -> Told:
        """The one receiver that took it; empty: none did."""
        log.error("trouble_found", check=trouble.check, subject=trouble.subject, said=trouble.said, way_out=trouble.way_out)
        rules, shown = self._known_rules(), ""
        for receiver in who_can_be_told(trouble, rules) if rules else ():
            # Whoever was told before is told again where that stands: it has one end.
            reference = told.get(receiver.name, {})
            done = self._send(receiver, trouble, began_at=began_at, reference=reference)
            log.info(
                "trouble_told",
                check=trouble.check,
                subject=trouble.subject,
                receiver=receiver.name,
                outcome=done.outcome,
                said=done.excerpt,
            )
            if done.outcome is Outcome.PREVIEWED:
                shown = shown or receiver.name
            elif done.outcome in _TAKEN:
                return {receiver.name: reference or done.reference}
        if not shown:
            log.error("trouble_not_told", check=trouble.check, subject=trouble.subject, way_out=_NAME_OTHERS)
        return {shown: {}} if shown else {}

    def _tell_end(self, trouble: Trouble, *, began_at: datetime, told: Told) -> Told:
        """Those that did not take it; whom the rules do not name any more cannot be told."""
        rules = self._known_rules()
        if rules is None:
            return told
        left = {}
        for name, reference in told.items():
            receiver = rules.receivers.get(name)
            if receiver and self._send(receiver, trouble, began_at=began_at, reference=reference, is_over=True).outcome not in _TAKEN:
                left[name] = reference
        return left

    def _send(
        self,
        receiver: Receiver,
        trouble: Trouble,
        *,
        began_at: datetime,
        reference: Mapping[str, str],
        is_over: bool = False,
    ) -> Attempt:
        message = alarm.message(trouble, receiver, began_at=began_at, now=self._clock(), reference=reference, is_over=is_over)
        return alarm.tell(message, receiver, self._settings, self._clock)

    def _known_rules(self) -> RuleSet | None:
        """Those in force, or, where they cannot be read now, those that were."""
        with suppress(SQLAlchemyError):  # the database is what is away
            self._last_rules = self._rules() or self._last_rules
        return self._last_rules
