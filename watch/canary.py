"""The canary: a webhook of the service's own goes the way of all, and each receiver's vendor is asked whether it would take a message."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Engine

from notifiers import harmless, trial
from notifiers.errors import DeliveryError
from notifiers.harmless import Called
from notifiers.http import Network, Timeouts
from routing.notification import Outcome
from routing.rules import Receiver, RuleSet
from routing.sentry import sign
from routing.trouble import Trouble
from settings import Settings
from storage import canaries, marks
from watch.alarm import Alarm

CHECK, TURN = "canary", "canary's turn"
WAY_IN, PLANNER = "way in", "planner"
TAKEN_WITHIN, DECIDED_WITHIN_SECONDS = Timeouts(connect_seconds=2.0, read_seconds=8.0), 60.0
AT_ONCE = 8
FLIGHT = timedelta(minutes=2)
"""Longer than one takes, whatever hangs."""


class _Taken(msgspec.Struct):
    """What the router answers."""

    event: int | None


class Canary:
    """Flies once when it is told to. What it finds the alarm tells, past whom it concerns."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        alarm: Alarm,
        clock: Callable[[], datetime],
        *,
        call: Callable[[Receiver, Settings, Callable[[], datetime]], Called] = harmless.call,
        decided_within_seconds: float = DECIDED_WITHIN_SECONDS,
    ) -> None:
        self._settings, self._engine, self._alarm, self._clock = settings, engine, alarm, clock
        self._call, self._patience = call, decided_within_seconds

    def fly_if_due(self, rules: RuleSet) -> None:
        """When its time has come, for one of all workers."""
        every = rules.watch.canary
        if every and marks.take_turn(self._engine, TURN, every, self._clock()):
            self.fly(rules)

    def fly(self, rules: RuleSet) -> None:
        """Through the real endpoint to each receiver."""
        began = time.monotonic()
        if event_id := self._taken():
            self._see_that_it_is_decided(event_id)
            canaries.forget(self._engine)
        self._ask(rules, began)
        marks.write(self._engine, CHECK, "", self._clock())

    def _taken(self) -> int | None:
        """The number under which the web process has stored it; None: it has not, or only in its spool."""
        if not (address := self._settings.canary_address):
            return None
        body = json.dumps({"action": "canary", "nonce": secrets.token_hex(16)}).encode()
        headers = {"Content-Type": "application/json", "Sentry-Hook-Resource": canaries.RESOURCE}
        if keys := self._settings.client_secrets:
            headers["Sentry-Hook-Signature"] = sign(body, keys[0])
        try:
            answer = Network(TAKEN_WITHIN).post(address, body=body, headers=headers)
            number = msgspec.json.decode(answer.body, type=_Taken).event
        except (DeliveryError, msgspec.DecodeError) as error:
            said = f"No webhook comes in at the alert router: {error}"
            way_out = "See whether the web process runs and CANARY_URL leads to it; Sentry sends a webhook once."
            self._alarm.see(Trouble(check=CHECK, subject=WAY_IN, said=said, way_out=way_out))
            return None
        self._alarm.over(CHECK, WAY_IN)
        return number

    def _see_that_it_is_decided(self, event_id: int) -> None:
        until = time.monotonic() + self._patience
        while not canaries.is_decided(self._engine, event_id):
            if time.monotonic() > until:
                said = f"A canary was not decided within {self._patience:.0f} s"
                way_out = "See the workers' log (`sweep_failed`); start a worker anew if it hangs."
                self._alarm.see(Trouble(check=CHECK, subject=PLANNER, said=said, way_out=way_out))
                return
            time.sleep(0.2)
        self._alarm.over(CHECK, PLANNER)

    def _ask(self, rules: RuleSet, began: float) -> None:
        receivers, told = receivers_to_ask(rules), rules.twins.get(rules.watch.canary_to or "")
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="canary") as pool:
            asked = [(one, pool.submit(self._asked, one, is_told=one.name == told)) for one in receivers]
            for receiver, answer in asked:
                called = answer.result()
                if called.is_set:
                    self._note(receiver, called, time.monotonic() - began)

    def _asked(self, receiver: Receiver, *, is_told: bool) -> Called:
        """What its vendor says; of the one that is to be told, what becomes of a message, too."""
        called = self._call(receiver, self._settings, self._clock)
        if not (is_told and called.is_set and called.is_fine):
            return called
        done = trial.send(receiver, "the canary", self._settings, self._clock)
        if done.outcome is Outcome.DELIVERED:
            return called
        return Called(is_fine=False, said=f"a test message was not taken: {done.excerpt}", way_out="See it under Receivers in the console.")

    def _note(self, receiver: Receiver, called: Called, seconds: float) -> None:
        result: Mapping[str, object] = {"ok": called.is_fine, "seconds": round(seconds, 3), "said": called.said}
        marks.write(self._engine, f"{canaries.MARK}{receiver.name}", json.dumps(result), self._clock())
        if called.is_fine:
            self._alarm.over(CHECK, receiver.name)
            return
        said = f"{receiver.name} cannot be told: {called.said}"
        concerns = frozenset({receiver.name})
        self._alarm.see(Trouble(check=CHECK, subject=receiver.name, said=said, way_out=called.way_out, concerns=concerns))


def receivers_to_ask(rules: RuleSet) -> Iterator[Receiver]:
    """Each destination once."""
    yield from (receiver for name, receiver in rules.receivers.items() if rules.twins[name] == name)


def is_fresh(engine: Engine, every: timedelta, now: datetime) -> bool:
    """Whether the last canary that came home is no older than two of its times, and one flight."""
    last = marks.when(engine, CHECK)
    return not every or (last is not None and now - last <= 2 * every + FLIGHT)
