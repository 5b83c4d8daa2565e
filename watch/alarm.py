"""Tells what is wrong with the service, past all that may be what is wrong: directly, in this process, to whom it does not concern."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from notifiers import alarm
from routing.notification import Attempt, Outcome
from routing.rules import Receiver, RuleSet
from routing.trouble import Trouble, who_can_be_told
from settings import Settings
from storage import troubles
from storage.troubles import Noted

FORGOTTEN_AFTER_SECONDS = 3600.0
"""While the database is away each process remembers by itself whom it has told."""
_TAKEN = frozenset({Outcome.DELIVERED, Outcome.PREVIEWED})
"""What may have arrived, and may not have, is told to the next one, too."""

log = structlog.get_logger()


class Alarm:
    """One for each process. Its methods raise nothing: who checks goes on checking."""

    def __init__(self, settings: Settings, engine: Engine, rules: Callable[[], RuleSet | None], clock: Callable[[], datetime]) -> None:
        self._settings, self._engine, self._rules, self._clock = settings, engine, rules, clock
        self._last_rules: RuleSet | None = None
        self._told: dict[str, float] = {}
        """By the key of a trouble when it was told without the database."""

    def see(self, trouble: Trouble) -> None:
        """It is there: told at once, and again when it lasts for hours; of all processes by one."""
        try:
            if noted := troubles.see(self._engine, trouble, self._clock()):
                receiver, reference = self._tell(trouble, began_at=noted.began_at, before=noted)
                if receiver:
                    troubles.told(self._engine, noted.id, to=receiver, reference=reference, now=self._clock())
        except SQLAlchemyError:
            self._see_without_database(trouble)

    def over(self, check: str, subject: str = "") -> None:
        """It is not, or not any more: whoever was told is told so."""
        try:
            if noted := troubles.over(self._engine, check, subject, self._clock()):
                self._tell_end(noted)
        except SQLAlchemyError as error:
            log.error("trouble_not_noted", check=check, subject=subject, error=type(error).__name__, effect="tried again at the next check")

    def _see_without_database(self, trouble: Trouble) -> None:
        now = time.monotonic()
        if now - self._told.get(trouble.key, -FORGOTTEN_AFTER_SECONDS) < FORGOTTEN_AFTER_SECONDS:
            return
        receiver, _ = self._tell(trouble, began_at=self._clock())
        if receiver:
            self._told[trouble.key] = now

    def _tell(self, trouble: Trouble, *, began_at: datetime, before: Noted | None = None) -> tuple[str, Mapping[str, str]]:
        """The receiver that took it, and its vendor's name for it; empty: nobody did."""
        log.error("trouble_found", check=trouble.check, subject=trouble.subject, said=trouble.said, way_out=trouble.way_out)
        rules = self._known_rules()
        for receiver in who_can_be_told(trouble, rules) if rules else ():
            # Whoever was told before is told again where that stands: it has one end.
            reference = before.reference if before and before.told_to == receiver.name else {}
            done = self._send(receiver, trouble, began_at=began_at, reference=reference)
            log.info(
                "trouble_told",
                check=trouble.check,
                subject=trouble.subject,
                receiver=receiver.name,
                outcome=done.outcome,
                said=done.excerpt,
            )
            if done.outcome in _TAKEN:
                return receiver.name, reference or done.reference
        log.error(
            "trouble_not_told",
            check=trouble.check,
            subject=trouble.subject,
            way_out="name receivers that work, of several vendors, in `watch: {notify: […]}` of rules.yaml",
        )
        return "", {}

    def _tell_end(self, noted: Noted) -> None:
        log.info("trouble_over", check=noted.check, subject=noted.subject, told=noted.told_to or "nobody")
        rules = self._known_rules()
        receiver = rules.receivers.get(noted.told_to) if rules and noted.told_to else None
        if receiver:
            trouble = Trouble(check=noted.check, subject=noted.subject, said=noted.said, way_out=noted.way_out)
            self._send(receiver, trouble, began_at=noted.began_at, reference=noted.reference, is_over=True)

    def _send(
        self,
        receiver: Receiver,
        trouble: Trouble,
        *,
        began_at: datetime,
        reference: Mapping[str, str] | None = None,
        is_over: bool = False,
    ) -> Attempt:
        message = alarm.message(trouble, receiver, began_at=began_at, now=self._clock(), reference=reference or {}, is_over=is_over)
        return alarm.tell(message, receiver, self._settings, self._clock)

    def _known_rules(self) -> RuleSet | None:
        """Those in force, or, where they cannot be read now, those that were."""
        with suppress(SQLAlchemyError):  # the database is what is away
            self._last_rules = self._rules() or self._last_rules
        return self._last_rules
