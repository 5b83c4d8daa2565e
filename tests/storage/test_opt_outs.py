"""A number whose owner has texted STOP is left alone, by every worker, until he is heard to be back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine

from notifiers.dispatch import Dispatch
from notifiers.registry import KINDS
from routing.notification import Lane, Reason, State
from routing.rules_loading import load
from settings import Settings
from storage import claims, inspection, notifications, outcomes
from tests.factories import NOW
from tests.stand_ins import twilio
from tests.stand_ins.server import Server
from tests.stand_ins.twilio import Twilio
from tests.storage.planned import issue, plan_all, store

NUMBER = "+15551234567"
TEXT = f"version: 1\nreceivers: {{text: {{kind: sms, to: '{NUMBER}'}}}}\nrules: [{{name: all, when: '', notify: [text], cooldown: 0s}}]"
RULES = load(TEXT, kinds=KINDS, environment={})


@pytest.fixture
def vendor() -> Iterator[Server[Twilio]]:
    with Server(Twilio(now=NOW)) as server:
        yield server


class Service:
    """A planner and two workers."""

    def __init__(self, engine: Engine, vendor: Server[Twilio]) -> None:
        variables = {"ALLOW_UNSIGNED": "true", "TWILIO_API_URL": vendor.url, "TWILIO_ACCOUNT_SID": twilio.SID}
        variables |= {"TWILIO_AUTH_TOKEN": twilio.TOKEN, "TWILIO_FROM": twilio.NUMBER}
        self.engine, self.now = engine, NOW
        settings = Settings.from_variables(variables)
        self.dispatches = [Dispatch(settings, lambda: RULES, lambda: self.now, earlier=lambda _: RULES) for _ in range(2)]
        self.number = 0

    def alert(self, issue_number: int, level: str = "error", **event: str) -> tuple[State, Reason]:
        """An alert comes, and is told; what became of its message."""
        self.number += 1
        store(self.engine, issue(issue_number, self.number, level=level, **event), at=self.now)
        plan_all(self.engine, RULES, at=self.now)
        self.work()
        told = inspection.listed(self.engine)[0]
        return told.state, told.reason

    def work(self) -> None:
        for lane in Lane:
            while claimed := claims.claim(self.engine, lane, worker="a", now=self.now, limit=64).taken:
                worker = self.dispatches[self.number % 2]
                outcomes.record(self.engine, [(one.id, worker.deliver(one)) for one in claimed])


@pytest.fixture
def service(engine: Engine, vendor: Server[Twilio]) -> Service:
    return Service(engine, vendor)


def test_who_has_texted_stop_is_told_nothing_for_a_day(service: Service, vendor: Server[Twilio]) -> None:
    vendor.app.opted_out.add(NUMBER)

    became = [service.alert(number) for number in (1, 2)]

    assert became == [(State.DEAD, Reason.FIRST), (State.HELD, Reason.OPTED_OUT)]
    assert len(vendor.requests) == 1
    assert "may text START" in inspection.listed(service.engine, state=State.DEAD)[0].last_excerpt


def test_a_day_later_he_is_told_and_from_then_on_everything(service: Service, vendor: Server[Twilio]) -> None:
    vendor.app.opted_out.add(NUMBER)
    service.alert(1)
    service.now += timedelta(days=1, minutes=1)
    vendor.app.opted_out.clear()

    assert [service.alert(number)[0] for number in (2, 3)] == [State.SENT, State.SENT]


def test_who_has_texted_start_is_told_when_the_dead_message_is_requeued(service: Service, vendor: Server[Twilio]) -> None:
    vendor.app.opted_out.add(NUMBER)
    service.alert(1)
    vendor.app.opted_out.clear()

    notifications.requeue(service.engine, now=service.now)
    service.work()

    assert service.alert(2) == (State.SENT, Reason.FIRST)
    assert len(vendor.app.messages) == 2


def test_an_incident_is_told_once_and_again_when_it_gets_worse_and_when_it_has_come_back(service: Service, vendor: Server[Twilio]) -> None:
    became: list[tuple[State, Reason]] = []
    for level in ("warning", "warning", "fatal", "error"):
        became.append(service.alert(1, level))
        service.now += timedelta(minutes=1)

    assert became == [
        (State.SENT, Reason.FIRST),
        (State.HELD, Reason.KNOWN),
        (State.SENT, Reason.REPEAT),
        (State.HELD, Reason.KNOWN),
    ]
    at: datetime = service.now
    assert at > NOW
    assert len(vendor.app.messages) == 2
