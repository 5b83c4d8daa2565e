"""The doctor on the service's own parts: variables, database, Redis, clock, workers, spool, rules."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import Engine, create_engine, text

from notifiers.http import Network, Timeouts
from routing.trouble import Trouble
from storage import rules_edits, rules_versions, spool, troubles, workers
from storage.database import open_database, upgrade
from storage.intake import StorageError
from storage.spool import Spool
from storage.workers import steady
from tests.redis_servers import redis_servers
from tests.service import free_port
from tests.stand_ins.server import Server
from tests.stand_ins.slack import TOKEN, Slack
from tests.storage.planned import issue, plan_all, store
from tests.watch.doctor import RULES, looked, patient, utc_now
from watch.doctor.finding import State

OK, WARNING, FAULT, UNCHECKED = State.OK, State.WARNING, State.FAULT, State.UNCHECKED


def alter(url: str, setting: str) -> None:
    """Let a database begin each session with a setting."""
    engine = open_database(url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {engine.url.database} SET {setting}")
    engine.dispose()


class TestSettings:
    @pytest.mark.parametrize(
        ("variables", "name", "way_out"),
        [
            ({"WORKER_THREADS": "many"}, "WORKER_THREADS", "write a whole number"),
            ({"REDIS_URL": "http://host"}, "REDIS_URL", "write redis://host:port/0"),
            ({"SENTRY_CLIENT_SECRETS": ""}, "SENTRY_CLIENT_SECRETS", "copy the Client Secret"),
            ({"SLACK_BOT_TOEKN": "xoxb-1"}, "SLACK_BOT_TOEKN", "call it SLACK_BOT_TOKEN, or take it out"),
            ({"SENTRY_CLIENT_SECRET": "a" * 64, "SENTRY_CLIENT_SECRETS": ""}, "SENTRY_CLIENT_SECRET", "call it SENTRY_CLIENT_SECRETS"),
            ({"JIRA_TOKEN": '"ATATT3x"'}, "JIRA_TOKEN", "take the quotes out"),
            ({"JIRA_URL": "https://acme.atlassian.net"}, "JIRA_USER", "e-mail of the account"),
            ({"SENTRY_API_TOKEN": "a" * 64}, "SENTRY_ORG", "organization's slug"),
            ({"REDIS_URL": "redis+cluster://a:1,b:1", "DATABASE_URL": "sqlite://"}, "RQ_KEY_PREFIX", "{alert-router}"),
        ],
    )
    def test_each_that_is_wrong_is_a_fault_with_its_way_out(self, variables: Mapping[str, str], name: str, way_out: str) -> None:
        finding = looked("settings", patient(variables))[name]

        assert finding.state is FAULT
        assert way_out in finding.way_out

    def test_what_the_rules_ask_for_is_known_and_what_is_nearly_that_is_not(self, tmp_path: Path) -> None:
        rules = tmp_path / "rules.yaml"
        rules.write_text('a: "${PAGERDUTY_CRITICAL_KEY}"\nb: "${TEAM_HOOK_URL}"\n', encoding="utf-8")
        variables = {"RULES_FILE": str(rules), "PAGERDUTY_CRITCAL_KEY": "x", "TEAM_HOOK_URL": "y"}

        found = looked("settings", patient(variables))

        assert found["PAGERDUTY_CRITCAL_KEY"].way_out == "call it PAGERDUTY_CRITICAL_KEY, or take it out"
        assert "TEAM_HOOK_URL" not in found

    def test_what_is_like_one_that_is_set_belongs_to_somebody_else(self) -> None:
        assert "REDIS_URLS" not in looked("settings", patient({"REDIS_URLS": "redis://elsewhere"}))

    def test_what_is_right_is_not_lost_beside_what_is_wrong(self) -> None:
        wrong = {"WORKER_THREADS": "many", "SENTRY_CLIENT_SECRETS": ""}
        at = patient({**wrong, "SLACK_BOT_TOKEN": "xoxb-1", "SENTRY_ENVIRONMENT": "production"})

        assert at.settings.slack_bot_token is not None
        assert at.is_production
        assert len(at.problems) == 2


class TestSecrets:
    @pytest.mark.parametrize(
        ("name", "value", "state"),
        [
            ("SENTRY_CLIENT_SECRETS", "a" * 64, OK),
            ("SENTRY_CLIENT_SECRETS", "a" * 63, WARNING),
            ("SENTRY_API_TOKEN", "sntrys_eyJpYXQiOjE3", OK),
            ("SLACK_BOT_TOKEN", "xoxb-2210535565-2233445566-q1W2", OK),
            ("SLACK_BOT_TOKEN", "xoxp-2210535565-2233445566-q1W2", WARNING),
            ("SLACK_SIGNING_SECRET", "8f742231b10e8888abcd99yyyzzz85a5", WARNING),
            ("SLACK_SIGNING_SECRET", "changeme", FAULT),
            ("TWILIO_ACCOUNT_SID", "AC" + "0" * 32, OK),
            ("TWILIO_AUTH_TOKEN", "<token>", FAULT),
            ("TWILIO_FROM", "15557654321", WARNING),
        ],
    )
    def test_the_shape_of_each_is_looked_at_and_nothing_of_it_shown(self, name: str, value: str, state: State) -> None:
        finding = looked("secrets", patient({name: value}))[name]

        assert finding.state is state
        assert value not in f"{finding}"

    @pytest.mark.parametrize(("token", "state"), [("ATATT3xFfGF0abcdefghijklmnopqrstuv", OK), ("NjM0OTg1NzY2", WARNING)])
    def test_a_token_of_jira_cloud_is_known_by_its_beginning(self, token: str, state: State) -> None:
        at = patient({"JIRA_URL": "https://acme.atlassian.net", "JIRA_USER": "a@b.c", "JIRA_TOKEN": token})

        assert looked("secrets", at)["JIRA_TOKEN"].state is state


class TestDatabase:
    def test_all_is_well_on_both(self, database_url: str) -> None:
        found = looked("database", patient({"DATABASE_URL": database_url}))

        assert {name: one.seen for name, one in found.items() if one.state is FAULT} == {}
        assert {"reachable", "revision", "latency", "write"} <= found.keys()

    def test_one_that_is_away_is_a_fault_without_its_password(self) -> None:
        (finding,) = looked("database", patient({"DATABASE_URL": "postgresql://u:geheim@127.0.0.1:1/x"})).values()

        assert (finding.name, finding.state) == ("reachable", FAULT)
        assert "geheim" not in f"{finding}"
        assert "pg_hba.conf" in finding.way_out

    def test_one_without_tables_has_to_be_upgraded(self, tmp_path: Path) -> None:
        finding = looked("database", patient({"DATABASE_URL": f"sqlite:///{tmp_path}/new.db"}))["revision"]

        assert (finding.state, finding.way_out) == (FAULT, "run `flask db upgrade`")

    def test_a_folder_that_cannot_be_made_is_a_fault(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()

        (finding,) = looked("database", patient({"DATABASE_URL": f"sqlite:///{tmp_path}/file/router.db"})).values()

        assert (finding.name, finding.state) == ("reachable", FAULT)

    def test_one_that_is_locked_takes_nothing(self, sqlite_url: str) -> None:
        other = create_engine(sqlite_url)
        with other.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            finding = looked("database", patient({"DATABASE_URL": sqlite_url}))["write"]

        assert finding.state is FAULT
        assert "database is locked" in finding.seen

    def test_looking_leaves_nothing_behind(self, engine: Engine, database_url: str) -> None:
        looked("database", patient({"DATABASE_URL": database_url}))

        with engine.connect() as connection:
            assert connection.execute(text("SELECT count(*) FROM marks")).scalar_one() == 0

    def test_a_file_that_is_open_to_everybody_is_warned_of(self, sqlite_url: str) -> None:
        path = Path(sqlite_url.removeprefix("sqlite:///"))
        path.chmod(0o644)
        opened = [folder for folder in path.parents if not folder.stat().st_mode & 0o001]

        finding = looked("database", patient({"DATABASE_URL": sqlite_url}))["permissions"]

        assert finding.state is (OK if opened else WARNING)  # pytest closes its own folder

    def test_a_file_in_a_folder_that_is_open_too_is_warned_of(self, sqlite_url: str) -> None:
        folder = Path(f"/tmp/doctor-{os.getpid()}")  # noqa: S108 - pytest's own folders are closed to others
        folder.mkdir(mode=0o755)
        try:
            path = folder / "router.db"
            path.write_bytes(Path(sqlite_url.removeprefix("sqlite:///")).read_bytes())
            path.chmod(0o644)
            found = looked("database", patient({"DATABASE_URL": f"sqlite:///{path}"}))
        finally:
            for one in folder.iterdir():
                one.unlink()
            folder.rmdir()

        assert found["permissions"].state is WARNING
        assert "chmod o=" in found["permissions"].way_out

    def test_a_server_that_may_forget_what_it_took_is_a_fault(self, postgresql_url: str) -> None:
        alter(postgresql_url, "synchronous_commit = off")

        finding = looked("database", patient({"DATABASE_URL": postgresql_url}))["synchronous_commit"]

        assert finding.state is FAULT
        assert "may be lost" in finding.seen

    def test_a_server_that_only_reads_takes_nothing(self, postgresql_url: str) -> None:
        alter(postgresql_url, "default_transaction_read_only = on")

        finding = looked("database", patient({"DATABASE_URL": postgresql_url}))["write"]

        assert finding.state is FAULT
        assert "read-only" in finding.seen


class TestRedis:
    @pytest.fixture
    def port(self) -> int:
        return free_port()

    def test_all_is_well(self, redis_url: str) -> None:
        found = looked("redis", patient({"REDIS_URL": redis_url}))

        assert {one.state for one in found.values()} == {OK}
        assert found["persistence"].seen.startswith("append-only file")

    def test_one_that_is_away_is_a_fault_that_says_what_that_means(self) -> None:
        (finding,) = looked("redis", patient({"REDIS_URL": "redis://:geheim@127.0.0.1:1/0"})).values()

        assert finding.state is FAULT
        assert "workers find alerts by polling" in finding.seen
        assert "geheim" not in f"{finding}"

    def test_one_that_evicts_is_warned_of(self, tmp_path: Path, port: int) -> None:
        with redis_servers(tmp_path / "r", {"port": str(port), "maxmemory": "100mb", "maxmemory-policy": "allkeys-lru"}):
            found = looked("redis", patient({"REDIS_URL": f"redis://127.0.0.1:{port}/0"}))

        assert found["eviction"].state is WARNING
        assert "noeviction" in found["eviction"].way_out
        assert found["persistence"].seen.startswith("none, and none is needed")

    def test_one_that_is_full_takes_nothing(self, tmp_path: Path, port: int) -> None:
        with redis_servers(tmp_path / "r", {"port": str(port)}):
            url = f"redis://127.0.0.1:{port}/0"
            Redis.from_url(url).config_set("maxmemory", 1)
            found = looked("redis", patient({"REDIS_URL": url}))

        assert found["write"].state is FAULT
        assert "OOM" in found["write"].seen or "maxmemory" in found["write"].seen
        assert found["memory"].state is WARNING

    def test_a_wrong_password_is_said_so(self, tmp_path: Path, port: int) -> None:
        with redis_servers(tmp_path / "r", {"port": str(port)}):
            Redis(port=port).config_set("requirepass", "right-one")
            (finding,) = looked("redis", patient({"REDIS_URL": f"redis://:wrong-one@127.0.0.1:{port}/0"})).values()

        assert "does not let this user in" in finding.seen
        assert "wrong-one" not in f"{finding}"

    def test_a_user_who_may_not_ask_is_told_what_he_needs(self, tmp_path: Path, port: int) -> None:
        with redis_servers(tmp_path / "r", {"port": str(port)}):
            Redis(port=port).execute_command("ACL", "SETUSER", "router", "on", ">pw", "~*", "+@all", "-info", "-config")  # type: ignore[no-untyped-call]  # redis-py
            found = looked("redis", patient({"REDIS_URL": f"redis://router:pw@127.0.0.1:{port}/0"}))

        assert found["state"].state is UNCHECKED
        assert "+info" in found["state"].way_out

    def test_a_replica_takes_nothing(self, tmp_path: Path, port: int) -> None:
        with redis_servers(tmp_path / "r", {"port": str(port), "replicaof": "127.0.0.1 1"}):
            found = looked("redis", patient({"REDIS_URL": f"redis://127.0.0.1:{port}/0"}))

        assert found["write"].seen == "it is a replica, and takes nothing"

    def test_an_option_that_there_is_not_is_a_fault(self) -> None:
        (finding,) = looked("redis", patient({"REDIS_URL": "redis://127.0.0.1:1/0?sock_timeout=1"})).values()

        assert "has no option sock_timeout" in finding.seen


class TestClock:
    @pytest.fixture
    def slack(self) -> Iterator[dict[str, str]]:
        with Server(Slack()) as at:
            yield {"SLACK_BOT_TOKEN": TOKEN, "SLACK_API_URL": f"{at.url}/api", "SENTRY_BASE_URL": at.url}

    @pytest.mark.parametrize(("minutes", "state"), [(0, OK), (1, WARNING), (10, FAULT), (-10, FAULT)])
    def test_it_is_held_beside_those_of_vendors(self, slack: dict[str, str], minutes: int, state: State) -> None:
        found = looked("clock", patient(slack, clock=lambda: utc_now() + timedelta(minutes=minutes)))

        assert {name: one.state for name, one in found.items()} == {"sentry": state, "slack": state}

    def test_and_beside_that_of_the_databases_machine(self, postgresql_url: str, slack: dict[str, str]) -> None:
        at = patient({**slack, "DATABASE_URL": postgresql_url}, clock=lambda: utc_now() - timedelta(minutes=10))

        finding = looked("clock", at)["database"]

        assert (finding.state, finding.seen) == (FAULT, "ours is 600 s behind")

    def test_whoever_does_not_answer_says_nothing(self) -> None:
        at = patient({"SENTRY_BASE_URL": "http://127.0.0.1:1"})

        assert looked("clock", at)["sentry"].state is UNCHECKED

    def test_a_clock_of_a_vendor_is_read_whatever_the_answer(self, slack: dict[str, str]) -> None:
        found = Network(Timeouts(1, 1)).time_at(f"{slack['SENTRY_BASE_URL']}/nothing-here")

        assert found is not None
        assert abs(found - datetime.now(UTC)) < timedelta(seconds=10)


class TestWorkers:
    def test_none_lives(self, sqlite_url: str) -> None:
        finding = looked("workers", patient({"DATABASE_URL": sqlite_url}))["alive"]

        assert finding.state is FAULT
        assert "worker.py" in finding.way_out

    def test_one_lives_and_has_decided(self, engine: Engine, database_url: str) -> None:
        workers.say_alive(engine, "one", steady())
        store(engine, issue(1), at=utc_now())
        plan_all(engine, at=utc_now())

        found = looked("workers", patient({"DATABASE_URL": database_url}))

        assert found["alive"].state is OK
        assert found["last plan"].seen.endswith(" s ago")
        assert found["lane normal"].seen == "1 wait"

    def test_what_waits_too_long_is_a_fault(self, engine: Engine, database_url: str) -> None:
        store(engine, at=utc_now() - timedelta(minutes=9))

        finding = looked("workers", patient({"DATABASE_URL": database_url}))["undecided"]

        assert finding.state is FAULT
        assert finding.seen == "1 webhooks wait to be decided, the oldest for 9 min"

    def test_what_the_service_has_found_wrong_with_itself_is_said(self, engine: Engine, database_url: str) -> None:
        troubles.see(engine, Trouble(check="canary", subject="chat", said="No canary came to chat", way_out="See its page."), utc_now())

        finding = looked("workers", patient({"DATABASE_URL": database_url}))["trouble canary chat"]

        assert (finding.state, finding.way_out) == (FAULT, "See its page.")
        assert finding.seen.endswith("told to nobody")

    def test_without_a_database_nobody_knows(self) -> None:
        at = patient({"DATABASE_URL": "postgresql://u:geheim@127.0.0.1:1/x"})

        assert looked("workers", at)["alive"].state is UNCHECKED


class TestSpool:
    def test_without_one_webhooks_are_lost_while_a_server_is_away(self, postgresql_url: str) -> None:
        assert looked("spool", patient({"DATABASE_URL": postgresql_url}))["folder"].state is WARNING

    def test_an_empty_one_is_well(self, tmp_path: Path) -> None:
        found = looked("spool", patient({"SPOOL_DIR": str(tmp_path)}))

        assert (found["folder"].state, found["waiting"].seen) == (OK, "nothing")

    def test_what_is_not_read_in_is_a_fault(self, tmp_path: Path) -> None:
        def refuse(_resource: str, _body: bytes, _at: datetime) -> None:
            raise StorageError

        Spool(tmp_path, refuse, clock=lambda: utc_now() - timedelta(minutes=9)).append("issue", b"{}", utc_now())

        finding = looked("spool", patient({"SPOOL_DIR": str(tmp_path)}))["waiting"]

        assert finding.state is FAULT
        assert finding.seen == "1 files of webhooks are not read in, the oldest for 9 min"
        assert spool.waiting(tmp_path)[0] == 1

    def test_a_folder_that_is_a_file_is_a_fault(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()

        assert looked("spool", patient({"SPOOL_DIR": str(tmp_path / "file")}))["folder"].state is FAULT


class TestRules:
    @pytest.fixture
    def at(self, tmp_path: Path, sqlite_url: str) -> dict[str, str]:
        (tmp_path / "rules.yaml").write_text(RULES, encoding="utf-8")
        return {"RULES_FILE": str(tmp_path / "rules.yaml"), "DATABASE_URL": sqlite_url}

    def edit(self, at: dict[str, str], old: str, new: str) -> None:
        path = Path(at["RULES_FILE"])
        path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")

    def test_those_that_cannot_be_read_are_named_by_line(self, at: dict[str, str]) -> None:
        self.edit(at, "when:", "whn:")

        finding = looked("rules", patient(at))["load"]

        assert finding.state is FAULT
        assert finding.seen.startswith("5:")

    def test_what_makes_no_sense_is_warned_of(self, at: dict[str, str]) -> None:
        self.edit(at, "tags.critical:true", "level:critical")

        assert "no alert can meet this" in looked("rules", patient(at))["lint"].seen

    @pytest.mark.parametrize(("environment", "state"), [("development", WARNING), ("production", FAULT)])
    def test_receivers_without_credentials_are_named(self, at: dict[str, str], environment: str, state: State) -> None:
        self.edit(at, "{kind: preview}", '{kind: slack, channel: "#errors"}')

        finding = looked("rules", patient({**at, "SENTRY_ENVIRONMENT": environment}))["credentials"]

        assert finding.state is state
        assert "chat (SLACK_BOT_TOKEN)" in finding.seen

    def test_what_is_in_force_is_held_beside_the_file(self, at: dict[str, str], sqlite_url: str) -> None:
        engine = open_database(sqlite_url)
        assert looked("rules", patient(at))["in force"].way_out.startswith("start a worker")

        rules_versions.remember(engine, "another", {"": RULES}, utc_now())
        assert looked("rules", patient(at))["in force"].state is WARNING

        file = patient(at).rules
        assert file is not None
        rules_versions.remember(engine, file.rules.version, file.texts, utc_now() + timedelta(seconds=1))
        assert looked("rules", patient(at))["in force"].state is OK

        rules_edits.refuse(engine, file=at["RULES_FILE"], problems="5:3: wrong", by="worker", now=utc_now())
        assert looked("rules", patient(at))["in force"].state is FAULT

    def test_where_the_file_is_broken_the_receivers_in_force_are_called(self, at: dict[str, str], sqlite_url: str) -> None:
        file = patient(at).rules
        assert file is not None
        rules_versions.remember(open_database(sqlite_url), file.rules.version, file.texts, utc_now())
        self.edit(at, "when:", "whn:")

        found = looked("receivers", patient(at))

        assert found["chat"].seen == "preview: it only records, by its kind"
        assert "in force" in found["all"].seen

    def test_without_any_nobody_is_called(self, at: dict[str, str]) -> None:
        self.edit(at, "when:", "whn:")

        assert looked("receivers", patient(at))["all"].state is UNCHECKED


def test_upgrade_is_what_the_way_out_says(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new.db"
    upgrade(open_database(url))

    assert looked("database", patient({"DATABASE_URL": url}))["revision"].state is OK
