"""What is wrong with the service is told past it, once, to whom it does not concern; and so is its end."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from notifiers.registry import KINDS
from routing.alert import Json
from routing.rules import RuleSet
from routing.rules_loading import load
from routing.trouble import Trouble, who_can_be_told
from settings import Settings
from storage import troubles
from storage.database import open_database
from tests.factories import NOW
from tests.vendors import Vendors
from watch.alarm import Alarm

TEXT = """
version: 1
receivers:
  chat: {kind: slack, channel: "#errors"}
  same-chat: {kind: slack, channel: "#errors"}
  other-chat: {kind: slack, channel: "#alerts"}
  mail: {kind: email, to: [team@example.com]}
  other-mail: {kind: email, to: [lead@example.com]}
  by-team: {kind: slack, channel: "#{tags.team}", allow: ["#*"], fallback: chat}
watch: {notify: [by-team, chat, mail, other-mail, other-chat]}
rules: []
"""


def rules(text: str = TEXT) -> RuleSet:
    return load(text, kinds=KINDS, environment={})


def trouble(said: str = "nothing is decided", *concerns: str) -> Trouble:
    return Trouble(check="deciding", said=said, way_out="start it anew", concerns=frozenset(concerns))


@contextmanager
def locked(sqlite_url: str) -> Iterator[None]:
    """Somebody else writes all the time."""
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.execute("ROLLBACK")
    other.close()


def names(*concerns: str) -> list[str]:
    return [one.name for one in who_can_be_told(trouble("x", *concerns), rules())]


def said_in(vendors: Vendors, channel: str = "errors") -> list[Mapping[str, Json]]:
    """The messages in a channel, the oldest first."""
    id_ = next(id_ for id_, name in vendors.slack.app.channels.items() if name == channel)
    return [*vendors.slack.app.messages.get(id_, [])]


class TestWhoCanBeTold:
    def test_those_that_are_named_in_their_order_but_for_those_that_hang_on_an_alert(self) -> None:
        assert names() == ["chat", "mail", "other-mail", "other-chat"]

    def test_not_the_one_concerned_by_whatever_name(self) -> None:
        assert names("chat") == names("same-chat") == ["mail", "other-mail", "other-chat"]

    def test_last_those_of_an_account_that_fails(self) -> None:
        assert names("mail") == ["chat", "other-chat", "other-mail"]


class TestAlarm:
    @pytest.fixture
    def now(self) -> list[datetime]:
        return [NOW]

    @pytest.fixture
    def settings(self, vendors: Vendors) -> Settings:
        return Settings.from_variables({"ALLOW_UNSIGNED": "true", **vendors.environment()})

    @pytest.fixture
    def alarm(self, engine: Engine, settings: Settings, now: list[datetime]) -> Alarm:
        return Alarm(settings, engine, rules, lambda: now[0])

    def test_it_is_told_once_again_after_hours_and_when_it_is_over(self, alarm: Alarm, vendors: Vendors, now: list[datetime]) -> None:
        for minutes in (0, 1, 239, 241, 242):
            now[0] = NOW + timedelta(minutes=minutes)
            alarm.see(trouble())
        alarm.over("deciding")
        alarm.over("deciding")

        first, *followed = said_in(vendors)
        assert str(first["text"]).startswith("[RESOLVED] ")
        assert "nothing is decided" in str(first["text"])
        assert [message.get("thread_ts") for message in followed] == [first["ts"]] * 2

    def test_two_processes_tell_it_once(self, engine: Engine, settings: Settings, vendors: Vendors) -> None:
        for _ in range(2):
            Alarm(settings, engine, rules, lambda: NOW).see(trouble())

        assert len(said_in(vendors)) == 1

    def test_who_is_concerned_is_not_told(self, alarm: Alarm, vendors: Vendors) -> None:
        alarm.see(trouble("the channel is archived", "chat"))

        assert said_in(vendors) == []
        assert len(vendors.mail.received) == 1

    def test_where_one_does_not_take_it_the_next_one_does(self, alarm: Alarm, vendors: Vendors, engine: Engine) -> None:
        vendors.slack.app.refuses = "is_archived"

        alarm.see(trouble())

        assert len(vendors.mail.received) == 1
        assert [one.told_to for one in troubles.listed(engine, is_open=True)] == ["mail"]

    def test_where_nobody_takes_it_that_is_said_and_it_is_tried_again(
        self, engine: Engine, settings: Settings, now: list[datetime]
    ) -> None:
        alarm = Alarm(settings, engine, lambda: rules("version: 1\nrules: []"), lambda: now[0])

        with capture_logs() as lines:
            for minutes in (0, 0.5, 2):
                now[0] = NOW + timedelta(minutes=minutes)
                alarm.see(trouble())

        assert [line["event"] for line in lines] == ["trouble_found", "trouble_not_told"] * 2

    def test_without_a_database_it_is_told_from_memory_once(self, settings: Settings, vendors: Vendors, tmp_path: Path) -> None:
        nowhere = open_database(f"sqlite:///{tmp_path}/none.db")
        alarm = Alarm(settings, nowhere, rules, lambda: NOW)

        for _ in range(3):
            alarm.see(trouble("the database takes nothing"))
        assert len(said_in(vendors)) == 1
        alarm.over("deciding")
        alarm.over("deciding")

        told, _ = said_in(vendors)
        assert str(told["text"]).startswith("[RESOLVED] ")

    def test_what_was_told_without_a_database_is_not_told_again_when_it_is_back(
        self, settings: Settings, vendors: Vendors, sqlite_url: str
    ) -> None:
        engine = open_database(sqlite_url, must_answer=True)
        alarm = Alarm(settings, engine, rules, lambda: NOW)
        with locked(sqlite_url):
            alarm.see(trouble())
        alarm.see(trouble())
        noted = troubles.listed(engine, is_open=True)
        Alarm(settings, engine, rules, lambda: NOW).over("deciding")

        told, *ends = said_in(vendors)
        assert str(told["text"]).startswith("[RESOLVED] ")
        assert [one.told_to for one in noted] == ["chat"]
        assert len(ends) == 1
        engine.dispose()

    def test_an_end_that_is_not_taken_is_told_later(
        self, alarm: Alarm, settings: Settings, engine: Engine, vendors: Vendors, now: list[datetime]
    ) -> None:
        alarm.see(trouble())
        vendors.slack.app.refuses = "is_archived"
        alarm.over("deciding")
        vendors.slack.app.refuses = ""
        assert "[RESOLVED]" not in str(said_in(vendors))

        now[0] = NOW + timedelta(minutes=2)
        for _ in range(2):
            Alarm(settings, engine, rules, lambda: now[0]).catch_up()

        told, *ends = said_in(vendors)
        assert str(told["text"]).startswith("[RESOLVED] ")
        assert len(ends) == 1

    def test_all_who_were_told_are_told_the_end(self, alarm: Alarm, vendors: Vendors, now: list[datetime]) -> None:
        alarm.see(trouble())
        vendors.slack.app.refuses = "is_archived"
        now[0] = NOW + timedelta(hours=5)
        alarm.see(trouble())
        vendors.slack.app.refuses = ""
        alarm.over("deciding")

        assert str(said_in(vendors)[0]["text"]).startswith("[RESOLVED] ")
        assert [str(one.mail["Subject"]).startswith("Re: ") for one in vendors.mail.received] == [False, True]

    def test_who_only_shows_what_he_would_be_told_has_not_heard_it(self, engine: Engine, vendors: Vendors) -> None:
        variables = {**vendors.environment(), "SLACK_BOT_TOKEN": ""}
        Alarm(Settings.from_variables({"ALLOW_UNSIGNED": "true", **variables}), engine, rules, lambda: NOW).see(trouble())

        assert [one.told_to for one in troubles.listed(engine)] == ["mail"]

    def test_what_another_process_still_sees_is_not_over(self, engine: Engine, settings: Settings) -> None:
        one, other = (Alarm(settings, engine, rules, lambda: datetime.now(UTC)) for _ in range(2))
        one.see(trouble())
        other.over("deciding", unseen_for=timedelta(seconds=25))

        assert len(troubles.listed(engine, is_open=True)) == 1
        other.over("deciding")
        assert troubles.listed(engine, is_open=True) == ()

    def test_what_nobody_sees_any_more_is_over(self, engine: Engine, settings: Settings, vendors: Vendors) -> None:
        alarm = Alarm(settings, engine, rules, lambda: datetime.now(UTC))
        alarm.see(trouble())
        alarm.forget(unseen_for=timedelta(hours=1))
        assert len(troubles.listed(engine, is_open=True)) == 1

        alarm.forget(unseen_for=timedelta())

        assert troubles.listed(engine, is_open=True) == ()
        assert str(said_in(vendors)[0]["text"]).startswith("[RESOLVED] ")

    def test_while_the_rules_cannot_be_read_those_of_before_say_who_is_told(
        self, engine: Engine, settings: Settings, vendors: Vendors
    ) -> None:
        is_away: list[bool] = []

        def read() -> RuleSet:
            if is_away:
                raise OperationalError("SELECT", {}, Exception("the server is gone"))
            return rules()

        alarm = Alarm(settings, engine, read, lambda: NOW)
        alarm.catch_up()
        is_away.append(True)
        alarm.see(trouble())

        assert len(said_in(vendors)) == 1


def test_of_what_changes_the_last_is_kept(engine: Engine) -> None:
    troubles.see(engine, trouble("since a minute"), NOW)
    troubles.see(engine, trouble("since an hour"), NOW)

    assert [one.said for one in troubles.listed(engine)] == ["since an hour"]


@pytest.fixture
def over_and_again(engine: Engine) -> Engine:
    for _ in range(2):
        troubles.see(engine, trouble(), NOW)
        troubles.over(engine, "deciding", "", NOW)
    return engine


def test_what_comes_again_is_another_one(over_and_again: Engine) -> None:
    assert len(troubles.listed(over_and_again)) == 2
    assert troubles.listed(over_and_again, is_open=True) == ()
    assert troubles.prune(over_and_again, NOW + timedelta(days=1)) == 2
