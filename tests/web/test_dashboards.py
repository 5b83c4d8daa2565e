"""The dashboards: the same numbers by both databases, on the page and as CSV."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, insert, select

from routing.alert import Json
from routing.incident import Turn
from storage import dashboard_figures as figures
from storage import dashboards
from storage.dashboard_figures import percentile
from storage.dashboards import Turned
from storage.database import open_database
from storage.tables import events, incidents, metadata
from storage.users import Role
from tests.factories import NOW, Webhook, event_alert_webhook, issue_webhook, transaction_webhook
from tests.storage.planned import plan_all, store
from tests.web.console import Browser, signed_in
from web.boards import BOARDS
from web.sheets import Link, Sheet, as_csv

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
ISSUES = {"KeyError": "1", "TypeError": "2", "OldError": "3"}
REPLAY = "3f1b6c0a9d5e4c72b8a1e0f4d2c6b890"


def error(number: int, type_: str, release: str, person: str, at: datetime, **more: Json) -> Webhook:
    raised: Json = {"values": [{"type": type_, "value": "it broke"}]}
    issue = ISSUES[type_]
    about: dict[str, Json] = {"issue_id": issue, "event_id": f"{number:032x}", "release": release, "user": {"id": person}}
    return event_alert_webhook(**about, exception=raised, title=f"{type_}: it broke", timestamp=at.timestamp(), **more)


def slow(number: int, endpoint: str, seconds: float, at: datetime) -> Webhook:
    """A second of it in databases."""
    times: dict[str, Json] = {"start_timestamp": at.timestamp() - seconds, "timestamp": at.timestamp()}
    operations: Json = {"span_ops": {"ops.db": {"value": 1.0, "unit": "second"}}}
    return transaction_webhook(issue_id="77", event_id=f"{number:032x}", transaction=endpoint, breakdowns=operations, **times)


def fill(engine: Engine, now: datetime = NOW) -> None:
    """Five errors of two releases, four slow transactions, the end of an issue, and one of a week ago."""
    webhooks = [
        error(1, "KeyError", "1.0", "ann", now - 50 * MINUTE),
        error(2, "KeyError", "1.0", "bob", now - 40 * MINUTE),
        error(3, "KeyError", "2.0", "ann", now - 30 * MINUTE, tags=[["environment", "staging"]]),
        error(4, "TypeError", "2.0", "ann", now - 20 * MINUTE),
        error(5, "TypeError", "2.0", "=HYPERLINK(1)", now - 10 * MINUTE),
        *(slow(10 + number, "/api/cart", seconds, now - 5 * MINUTE) for number, seconds in enumerate((2.0, 4.0, 6.0, 8.0))),
    ]
    for number, webhook in enumerate(webhooks):
        store(engine, webhook, at=now - (50 - 5 * number) * MINUTE)
    store(engine, error(6, "OldError", "0.9", "old", now - 24 * 7 * HOUR), at=now - 24 * 7 * HOUR)
    store(engine, issue_webhook("resolved", id="2"), at=now - MINUTE)
    plan_all(engine, at=now)


class TestFigures:
    def test_errors_are_counted_by_type_with_users_and_incidents(self, engine: Engine) -> None:
        fill(engine)

        looked = dashboards.look(engine, NOW - HOUR, NOW)
        found = figures.shares([one for one in looked.alerts if one.is_error], lambda one: one.error_type)

        assert {type_: (share.alerts, share.users, share.incidents) for type_, share in found.items()} == {
            "KeyError": (3, 2, 1),
            "TypeError": (2, 2, 1),
        }
        assert [*found] == ["KeyError", "TypeError"]

    def test_an_environment_is_one_of_those_that_there_are(self, engine: Engine) -> None:
        fill(engine)

        looked = dashboards.look(engine, NOW - HOUR, NOW, "staging")

        assert [one.release for one in looked.alerts] == ["2.0"]
        assert looked.environments == ("production", "staging")

    def test_endpoints_have_their_percentiles_and_what_databases_took(self, engine: Engine) -> None:
        fill(engine)

        (pace,) = figures.paces(dashboards.look(engine, NOW - HOUR, NOW).alerts).values()

        assert [round(one) for one in (pace.p50, pace.p75, pace.p95, pace.p99, pace.slowest)] == [4000, 6000, 8000, 8000, 8000]
        assert pace.transactions == 4
        assert pace.database_share == pytest.approx(4 / 20, abs=0.001)

    def test_an_incident_is_new_in_the_release_of_its_first_alert(self, engine: Engine) -> None:
        fill(engine)

        looked = dashboards.look(engine, NOW - HOUR, NOW)
        errors = [one for one in looked.alerts if one.is_error]
        new = figures.new_in(errors, dashboards.begun(engine, looked.since))

        assert {release: len(ids) for release, ids in new.items()} == {"1.0": 1, "2.0": 1}
        assert figures.by_type(errors, "2.0") == {"KeyError": 1, "TypeError": 2}

    def test_of_more_than_are_looked_at_the_newest_count(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(dashboards, "MOST", 4)
        fill(engine)

        looked = dashboards.look(engine, NOW - HOUR, NOW)

        assert not looked.are_all
        assert len(looked.alerts) == 3, "one of the four says only that an issue was resolved"
        assert looked.since == min(one.at for one in looked.alerts)

    def test_what_became_of_incidents_is_counted_back_from_those_that_fire(self, engine: Engine) -> None:
        fill(engine)

        steps = figures.states(dashboards.turned(engine, NOW - HOUR), dashboards.firing(engine), NOW - HOUR, NOW)

        assert (sum(step.began for step in steps), sum(step.ended for step in steps)) == (3, 1)
        assert (steps[0].open, max(step.open for step in steps), steps[-1].open) == (1, 4, 3)


moments = st.integers(0, 10_000).map(lambda seconds: NOW - timedelta(seconds=seconds))


@given(st.lists(st.floats(0, 1e9), min_size=1), st.sampled_from((0.5, 0.75, 0.95, 0.99)))
def test_a_percentile_is_exceeded_by_no_more_than_the_rest(values: list[float], share: float) -> None:
    found = percentile(sorted(values), share)

    assert found in values
    assert sum(value <= found for value in values) >= share * len(values)
    assert sum(value < found for value in values) < share * len(values) or found == min(values)


@given(st.lists(st.floats(0, 1e9), min_size=1).filter(lambda values: len(values) % 2 == 1))
def test_the_fiftieth_of_an_odd_number_is_the_median(values: list[float]) -> None:
    assert percentile(sorted(values), 0.5) == statistics.median(values)


@given(st.lists(moments))
def test_each_moment_is_in_one_part_of_the_time_and_in_the_right_one(at: list[datetime]) -> None:
    turns = [Turned(one, Turn.BEGAN) for one in sorted(at, reverse=True)]
    since = NOW - timedelta(seconds=5000)

    parts = figures.by_step(turns, since, NOW)

    begin = since
    for part, end in zip(parts, figures.edges(since, NOW), strict=True):
        assert [one for one in part if not begin < one.at <= end] == []
        begin = end
    assert sum(map(len, parts)) == sum(since < one <= NOW for one in at)


columns = st.fixed_dictionaries(
    {
        "at": moments,
        "environment": st.sampled_from((None, "production", "staging")),
        "category": st.sampled_from((None, "error", "performance")),
        "error_type": st.sampled_from((None, "KeyError", "Ошибка", "")),
        "person": st.sampled_from((None, "ann", "ANN", "bob")),
        "release": st.sampled_from((None, "1.0", "2.0")),
        "endpoint": st.sampled_from((None, "/a", "/b")),
        "duration_ms": st.none() | st.floats(0, 1e6),
        "database_ms": st.none() | st.floats(0, 1e6),
        "disposition": st.sampled_from((None, "matched", "unrouted", "duplicate", "noted")),
    }
)


@pytest.fixture(scope="module")
def both(postgresql_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, Engine]]:
    """Both databases, with the same table and nothing in it."""
    sqlite = open_database(f"sqlite:///{tmp_path_factory.mktemp('both')}/router.db")
    engines = (sqlite, open_database(postgresql_server))
    for engine in engines:
        metadata.create_all(engine, [incidents, events])
    yield engines
    for engine in engines:
        metadata.drop_all(engine, [events, incidents])
        engine.dispose()


@settings(max_examples=25)
@given(rows=st.lists(columns, max_size=12))
def test_both_databases_give_the_same_numbers(both: tuple[Engine, Engine], rows: list[dict[str, object]]) -> None:
    looks = []
    for engine in both:
        with engine.begin() as connection:
            connection.execute(events.delete())
            for number, row in enumerate(rows):
                about = {name: value for name, value in row.items() if name != "at"}
                fixed = {"id": number + 1, "received_at": row["at"], "resource": "event_alert", "body": b"", "state": "planned"}
                connection.execute(insert(events).values(**about, **fixed))
        looks.append(dashboards.look(engine, NOW - 2 * HOUR, NOW))

    one, other = looks
    assert one == other
    assert figures.paces(one.alerts) == figures.paces(other.alerts)
    assert len(one.alerts) == sum(_counts(row) for row in rows)


def _counts(row: dict[str, object]) -> bool:
    at = row["at"]
    assert isinstance(at, datetime)
    return row["disposition"] in {"matched", "unrouted"} and at > NOW - 2 * HOUR


class TestPages:
    @pytest.fixture
    def browser(self, sqlite_url: str, stored: Engine) -> Browser:
        fill(stored, datetime.now(UTC))
        return signed_in(sqlite_url, Role.OPERATOR)

    def text(self, browser: Browser, path: str) -> str:
        answer = browser.get(path)
        assert answer.status_code == 200, path
        return answer.get_data(as_text=True)

    def test_each_shows_its_tables(self, browser: Browser) -> None:
        said = {
            "/dashboards": "TypeError",
            "/dashboards/performance": "/api/cart",
            "/dashboards/releases?range=24h": "Errors by type in",
            "/dashboards/users?range=7d&environment=production": "Most affected",
        }

        assert {path: word in self.text(browser, path) for path, word in said.items()} == dict.fromkeys(said, True)

    def test_what_nobody_knows_is_not_found_or_as_if_not_asked(self, browser: Browser) -> None:
        paths = ("/dashboards/nothing", "/dashboards/issues/nothing.csv", "/dashboards/nothing/types.csv", "/dashboards/users/of/999")

        assert [browser.get(path).status_code for path in paths] == [404] * 4
        assert "24h" in self.text(browser, "/dashboards?range=century&environment=&_external=1&name=2&a=1&b=1")

    def test_a_table_comes_as_csv(self, browser: Browser) -> None:
        answer = browser.get("/dashboards/issues/types.csv?range=1h")

        rows = [*csv.reader(io.StringIO(answer.get_data(as_text=True)))]
        assert answer.mimetype == "text/csv"
        assert [row[:4] for row in rows[1:]] == [["performance", "4", "0", "1"], ["KeyError", "3", "2", "1"], ["TypeError", "2", "2", "1"]]

    def test_no_cell_that_an_alert_fills_is_a_formula(self, browser: Browser) -> None:
        assert "'=HYPERLINK(1)" in self.text(browser, "/dashboards/users/users.csv")

    def test_a_person_has_a_timeline_with_replays(self, sqlite_url: str, stored: Engine) -> None:
        now = datetime.now(UTC)
        webhook = error(1, "KeyError", "1.0", "ann", now, contexts={"replay": {"replay_id": REPLAY}})
        event = store(stored, webhook, at=now)
        plan_all(stored, at=now)

        text = self.text(signed_in(sqlite_url, Role.OPERATOR), f"/dashboards/users/of/{event}")

        assert "What happened to ann" in text
        assert f"/replays/{REPLAY}/" in text

    def test_what_an_alert_says_is_text(self, sqlite_url: str, stored: Engine) -> None:
        now, hostile = datetime.now(UTC), "<script>alert(1)</script>\x0b\"'"
        named: dict[str, Json] = {"transaction": hostile, "tags": [["environment", hostile]]}
        event = store(stored, error(1, "KeyError", hostile, hostile, now, **named), at=now)
        plan_all(stored, at=now)
        browser = signed_in(sqlite_url, Role.OPERATOR)

        paths = [*(f"/dashboards/{name}" for name in BOARDS), f"/dashboards/users/of/{event}"]
        texts = [self.text(browser, path) for path in paths]

        assert not [path for path, text in zip(paths, texts, strict=True) if "<script>alert" in text]
        assert [path for path, text in zip(paths, texts, strict=True) if "&lt;script&gt;alert" not in text] == []

    def test_who_may_not_see_personal_data_sees_that_there_is_some(self, sqlite_url: str, stored: Engine) -> None:
        fill(stored, datetime.now(UTC))
        browser = signed_in(sqlite_url, Role.VIEWER)
        with stored.connect() as connection:
            event = connection.execute(select(events.c.id).where(events.c.person == "ann")).scalars().first()

        texts = [self.text(browser, path) for path in ("/dashboards/users", "/dashboards/users/users.csv", f"/dashboards/users/of/{event}")]

        assert [("•••" in text, "ann" in text.replace("channel", "")) for text in texts] == [(True, False)] * 3


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r"])
def test_a_formula_is_a_text_in_csv(begin: str) -> None:
    sheet = Sheet(name="a", title="A", said="", columns=(f"{begin}head", "n"), rows=((Link(f"{begin}1", ""), -1), (None, 1.5)))

    rows = [*csv.reader(io.StringIO(as_csv(sheet), newline=""))]

    assert rows[0][0] == f"'{begin}head"
    assert rows[1] == [f"'{begin}1", "-1"]
    assert rows[2] == ["", "1.5"]
