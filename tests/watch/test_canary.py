"""The canary goes the way of a webhook, asks each receiver's vendor, and leaves nothing behind but what it has found."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, select
from structlog.testing import capture_logs

from app import create_app
from notifiers.notifier import Called
from notifiers.registry import KINDS
from routing.rules import Receiver
from routing.rules_loading import load
from settings import Settings
from storage import alert_search, lateness, marks, troubles
from storage.alert_search import Wanted
from storage.tables import events
from tests.factories import NOW, SECRET
from tests.service import free_port
from tests.stand_ins.faults import FaultServer, answer
from tests.storage.planned import plan_all
from tests.vendors import Vendors
from watch import dead_man
from watch.alarm import Alarm
from watch.canary import Canary

RULES = load(
    """
version: 1
receivers:
  chat: {kind: slack, channel: "#errors"}
  same-chat: {kind: slack, channel: "#errors"}
  mail: {kind: email, to: [team@example.com]}
  unset: {kind: pagerduty, routing_key: "${NOWHERE}"}
watch: {notify: [chat, mail], canary: 15m}
rules: []
""",
    kinds=KINDS,
    environment={},
)


PING = "3f2a8c1e-5b7d-4e90-a1c6-9d8e7f605142"


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def settings(database_url: str, vendors: Vendors) -> Settings:
    port = str(free_port())
    variables = {"SENTRY_CLIENT_SECRETS": SECRET, "DATABASE_URL": database_url, "REDIS_URL": "redis://127.0.0.1:1/0", "PORT": port}
    return Settings.from_variables({**variables, "CANARY_URL": f"http://127.0.0.1:{port}", **vendors.environment()})


@pytest.fixture
def web(settings: Settings) -> Iterator[None]:
    """The web process's application, at its port."""
    with make_server("127.0.0.1", settings.port, create_app(settings), handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield
        server.shutdown()


@pytest.fixture
def planning(engine: Engine) -> Iterator[None]:
    """Somebody who plans what comes."""
    over = threading.Event()

    def plan() -> None:
        while not over.wait(0.05):
            if lateness.undecided_since(engine):
                plan_all(engine, RULES)

    thread = threading.Thread(target=plan, daemon=True)
    thread.start()
    yield
    over.set()
    thread.join()


def fine(*_: object) -> Called:
    return Called(is_fine=True, said="ok")


def fly(settings: Settings, engine: Engine, call: Callable[..., Called] = fine, now: datetime = NOW) -> None:
    alarm = Alarm(settings, engine, lambda: RULES, lambda: now)
    Canary(settings, engine, alarm, lambda: now, call=call, decided_within_seconds=1.0).fly(RULES)


def lasting(engine: Engine) -> dict[str, str | None]:
    """What is wrong, and who was told."""
    return {f"{one.check} {one.subject}".strip(): one.told_to for one in troubles.listed(engine, is_open=True)}


@pytest.mark.usefixtures("web", "planning")
def test_all_is_well_and_nothing_is_left_of_it(settings: Settings, engine: Engine) -> None:
    fly(settings, engine)

    found = json.loads(marks.read(engine, "canary:chat") or "")
    assert (found["ok"], found["said"]) == (True, "ok")
    assert lasting(engine) == {}
    assert lateness.last_event(engine) == 0
    assert alert_search.search(engine, Wanted(), NOW).events == ()
    assert marks.read(engine, "canary:same-chat") is None


@pytest.mark.usefixtures("web", "planning")
def test_of_many_one_is_left(settings: Settings, engine: Engine) -> None:
    for _ in range(3):
        fly(settings, engine)

    with engine.connect() as connection:
        assert len(connection.execute(select(events.c.id)).all()) == 1


@pytest.mark.usefixtures("web", "planning")
def test_the_vendors_are_really_asked(settings: Settings, engine: Engine, vendors: Vendors) -> None:
    alarm = Alarm(settings, engine, lambda: RULES, lambda: NOW)
    Canary(settings, engine, alarm, lambda: NOW).fly(RULES)

    assert marks.read(engine, "canary:mail")
    assert marks.read(engine, "canary:unset") is None
    assert vendors.mail.received == []
    assert vendors.mail.connections > 0


@pytest.mark.usefixtures("web", "planning")
def test_a_receiver_that_cannot_be_told_is_told_of_elsewhere_and_so_is_its_end(
    settings: Settings, engine: Engine, vendors: Vendors
) -> None:
    def archived(receiver: Receiver, *_: object) -> Called:
        return Called(is_fine=receiver.kind != "slack", said="is_archived", way_out="unarchive it")

    fly(settings, engine, archived)
    first = [one.mail["Subject"] for one in vendors.mail.received]
    fly(settings, engine, now=NOW + timedelta(minutes=15))

    assert lasting(engine) == {}
    assert ["chat cannot be told: is_archived" in subject for subject in first] == [True]
    assert len(vendors.mail.received) == 2
    assert not any(vendors.slack.app.messages.values())


@pytest.mark.usefixtures("planning")
def test_a_web_process_that_does_not_answer_is_found(settings: Settings, engine: Engine) -> None:
    fly(settings, engine)

    assert lasting(engine) == {"canary way in": "chat"}


@pytest.mark.usefixtures("planning")
def test_what_answers_in_its_place_is_found(settings: Settings, engine: Engine) -> None:
    with FaultServer(answer(200, body="<html>It works!</html>")) as other:
        fly(settings.model_copy(update={"canary_url": other.url}), engine)

    assert lasting(engine) == {"canary way in": "chat"}


@pytest.mark.usefixtures("web", "planning")
def test_one_receiver_is_really_told_where_that_is_wanted(settings: Settings, engine: Engine, vendors: Vendors) -> None:
    rules = replace(RULES, watch=replace(RULES.watch, canary_to="same-chat"))
    alarm = Alarm(settings, engine, lambda: rules, lambda: NOW)
    one = Canary(settings, engine, alarm, lambda: NOW, call=fine)
    one.fly(rules)
    (message,) = next(iter(vendors.slack.app.messages.values()))

    vendors.slack.app.refuses = "is_archived"
    one.fly(rules)

    assert "TEST: nothing is wrong" in str(message["text"])
    assert lasting(engine) == {"canary chat": "mail"}
    assert len(vendors.mail.received) == 1


def test_where_nobody_has_said_where_the_web_process_is_only_receivers_are_tried(settings: Settings, engine: Engine) -> None:
    fly(settings.model_copy(update={"canary_url": None}), engine)

    assert lasting(engine) == {}
    assert marks.read(engine, "canary:chat")


@pytest.mark.usefixtures("web")
def test_a_planner_that_does_not_decide_is_found(settings: Settings, engine: Engine) -> None:
    fly(settings, engine)

    assert lasting(engine) == {"canary planner": "chat"}


@pytest.mark.usefixtures("web", "planning")
def test_a_wrong_secret_is_found(settings: Settings, engine: Engine) -> None:
    other = settings.model_copy(
        update={"sentry_client_secrets": Settings.from_variables({"SENTRY_CLIENT_SECRETS": "x"}).sentry_client_secrets}
    )

    fly(other, engine)

    assert lasting(engine) == {"canary way in": "chat"}


def test_it_flies_when_its_time_has_come(settings: Settings, engine: Engine) -> None:
    now, flown = [NOW], set()

    def call(*_: object) -> Called:
        flown.add((now[0] - NOW).total_seconds() / 60)
        return fine()

    canary = Canary(settings, engine, Alarm(settings, engine, lambda: RULES, lambda: NOW), lambda: now[0], call=call)
    for minutes in (0, 5, 14, 15, 20, 30):
        now[0] = NOW + timedelta(minutes=minutes)
        canary.fly_if_due(RULES)

    assert flown == {0, 15, 30}


class TestDeadMan:
    def wrong(self, engine: Engine, minutes: float = 0) -> str:
        return dead_man.what_is_wrong(engine, timedelta(minutes=15), NOW + timedelta(minutes=minutes))

    def test_he_is_told_nothing_before_the_first_canary_has_flown_and_after_the_last_is_old(self, engine: Engine) -> None:
        assert self.wrong(engine) == "the last canary is too old"
        marks.take_turn(engine, "canary", timedelta(minutes=15), NOW)

        assert self.wrong(engine) == ""
        assert self.wrong(engine, 33) == "the last canary is too old"

    def test_he_is_asked_for_while_all_is_well_and_hears_of_faults_only_where_he_can(self, settings: Settings, engine: Engine) -> None:
        with FaultServer(answer(200)) as dead_man_:
            silent = settings.model_copy(update={"dead_man_url": SecretStr(f"{dead_man_.url}/{PING}")})
            told = silent.model_copy(update={"dead_man_hears_of_faults": True})
            ping = partial(dead_man.ping_if_well, engine=engine, canary_every=timedelta(minutes=15), clock=lambda: NOW)
            for one in (silent, told):
                ping(one)
            marks.write(engine, "canary", "", NOW)
            for one in (silent, told):
                ping(one)

            asked = [request.split()[1].decode() for request in dead_man_.requests]

        assert asked == [f"/{PING}/fail", f"/{PING}", f"/{PING}"]

    def test_his_address_is_a_secret(self, settings: Settings, engine: Engine) -> None:
        marks.write(engine, "canary", "", NOW)
        with FaultServer(answer(500, echo=True)) as dead_man_, capture_logs() as lines:
            known = settings.model_copy(update={"dead_man_url": SecretStr(f"{dead_man_.url}/{PING}")})
            dead_man.ping_if_well(known, engine, timedelta(minutes=15), lambda: NOW)

        assert [line["event"] for line in lines] == ["dead_man_not_pinged"]
        assert PING not in str(lines)

    def test_nor_while_anything_is_wrong(self, settings: Settings, engine: Engine) -> None:
        marks.take_turn(engine, "canary", timedelta(minutes=15), NOW)
        fly(settings, engine)

        assert "No webhook comes in" in self.wrong(engine)
