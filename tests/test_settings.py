"""The environment: what it may say, what a person is told of what it says wrong, and that no secret ever shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from sentry_sdk.utils import Dsn

from settings import Settings, SettingsError

SECRET = "correct-horse-battery-staple"
ENOUGH = {"SENTRY_CLIENT_SECRETS": SECRET}
SECRETS = sorted(name.upper() for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation))


def settings(**variables: str) -> Settings:
    return Settings.from_variables({**ENOUGH, **variables})


def problems(**variables: str) -> list[str]:
    """What a person is told, a line for each."""
    with pytest.raises(SettingsError) as refused:
        settings(**variables)
    return str(refused.value).splitlines()


def test_a_client_secret_is_enough_to_start() -> None:
    found = settings()

    assert found.client_secrets == (SECRET,)
    assert (found.port, found.max_body_bytes, found.rules_file) == (8000, 5 * 1024 * 1024, Path("rules.yaml"))
    assert (found.database, found.redis_url) == ("sqlite:///var/router.db", "redis://127.0.0.1:6379/0")
    assert not found.is_production


def test_several_client_secrets_are_separated_by_commas() -> None:
    found = settings(SENTRY_CLIENT_SECRETS=" new , old,, ")

    assert found.client_secrets == ("new", "old")


@pytest.mark.parametrize("secrets", ["", "   ", ",", " , ,"])
def test_without_a_client_secret_nothing_starts(secrets: str) -> None:
    (said,) = problems(SENTRY_CLIENT_SECRETS=secrets)

    assert said.startswith("SENTRY_CLIENT_SECRETS: missing; copy the Client Secret of the integration from Sentry (Settings > Custom")
    assert said.endswith("or set ALLOW_UNSIGNED=true to try the service without one")


@pytest.mark.parametrize("word", ["true", "1", "yes", "on", "True"])
def test_unsigned_webhooks_may_be_allowed_outside_production(word: str) -> None:
    found = settings(SENTRY_CLIENT_SECRETS="", ALLOW_UNSIGNED=word)

    assert found.allow_unsigned
    assert found.client_secrets == ()


@pytest.mark.parametrize("secrets", ["", SECRET], ids=["without a secret", "with one"])
def test_unsigned_webhooks_may_not_be_allowed_in_production(secrets: str) -> None:
    said = problems(SENTRY_CLIENT_SECRETS=secrets, ALLOW_UNSIGNED="true", SENTRY_ENVIRONMENT="production")

    assert said == ["ALLOW_UNSIGNED: refused in production; set SENTRY_CLIENT_SECRETS instead"]


def test_all_problems_are_told_at_once_each_with_its_variable() -> None:
    said = problems(
        SENTRY_CLIENT_SECRETS="",
        PORT="eighty",
        MAX_BODY_BYTES="0",
        REDIS_URL="localhost:6379",
        DATABASE_URL="mysql://localhost/router",
        JIRA_URL="acme.atlassian.net",
        SENTRY_TRACES_SAMPLE_RATE="10",
        WORKER_THREADS="5000",
    )

    assert sorted(line.partition(":")[0] for line in said) == [
        "DATABASE_URL",
        "JIRA_URL",
        "MAX_BODY_BYTES",
        "PORT",
        "REDIS_URL",
        "SENTRY_CLIENT_SECRETS",
        "SENTRY_TRACES_SAMPLE_RATE",
        "WORKER_THREADS",
    ]


FAULTS: Mapping[str, tuple[str, str]] = {
    "PORT": ("65536", "PORT: write a number less than 65536"),
    "MAX_BODY_BYTES": ("5 MB", "MAX_BODY_BYTES: write a whole number"),
    "REDIS_URL": ("localhost:6379", "REDIS_URL: write redis://host:port/0, rediss://…, unix://…, redis+sentinel://… or redis+cluster://…"),
    "DATABASE_URL": (
        "mysql://localhost/x",
        "DATABASE_URL: write postgresql://user:password@host:5432/name, in the password @ : / as %40 %3A %2F, or sqlite:///path",
    ),
    "JIRA_URL": ("acme.atlassian.net", "JIRA_URL: write a web address, like https://host"),
    "SENTRY_DSN": (
        "https://sentry.io/42",
        "SENTRY_DSN: write https://key@host/project, as Sentry shows it (Settings > Projects > Client Keys)",
    ),
    "ALLOW_UNSIGNED": ("perhaps", "ALLOW_UNSIGNED: write true or false"),
    "SENTRY_TRACES_SAMPLE_RATE": ("10%", "SENTRY_TRACES_SAMPLE_RATE: write a number, like 0.1"),
    "SENTRY_PROFILES_SAMPLE_RATE": ("1.5", "SENTRY_PROFILES_SAMPLE_RATE: write a number less than or equal to 1"),
}


@pytest.mark.parametrize(("name", "value", "said"), [(name, value, said) for name, (value, said) in FAULTS.items()], ids=FAULTS)
def test_each_fault_is_told_with_what_to_write_instead(name: str, value: str, said: str) -> None:
    assert problems(**{name: value}) == [said]


@pytest.mark.parametrize("name", [name.upper() for name in Settings.model_fields if name not in {"environment", "sentry_client_secrets"}])
@pytest.mark.parametrize("value", ["", "   "], ids=["empty", "blank"])
def test_an_empty_value_counts_as_unset(name: str, value: str) -> None:
    assert settings(**{name: value}).model_dump() == settings().model_dump()


@pytest.mark.parametrize(
    ("given", "driver"),
    [
        ("postgres://user:p%40ss@db/router", "postgresql+psycopg://user:p%40ss@db/router"),
        ("postgresql://db/router?sslmode=require", "postgresql+psycopg://db/router?sslmode=require"),
        ("postgresql+psycopg://db/router", "postgresql+psycopg://db/router"),
        ("sqlite:////srv/router.db", "sqlite:////srv/router.db"),
        ("sqlite://", "sqlite://"),
    ],
)
def test_a_database_may_be_named_as_hosting_services_name_it(given: str, driver: str) -> None:
    assert settings(DATABASE_URL=given).database == driver


@pytest.mark.parametrize(
    "url", ["postgresql://h:port/d", "postgresql://u:pa/ss@h/d:x", "postgres://h:99999/d", "redis://h:port", "redis://h:0"]
)
def test_an_address_with_an_impossible_port_is_refused_at_the_start(url: str) -> None:
    name = "REDIS_URL" if url.startswith("redis") else "DATABASE_URL"

    (said,) = problems(**{name: url})

    assert said.startswith(f"{name}: write ")


@pytest.mark.parametrize(
    "dsn",
    [
        "https://0123abcd@o42.ingest.us.sentry.io/4507",
        "https://0123abcd:s3cret@sentry.example.com:9000/sub/path/7",
        "http://key@127.0.0.1:8000/1",
        "http://key@[::1]:8000/1",
    ],
)
def test_a_dsn_is_taken_in_each_of_its_forms(dsn: str) -> None:
    assert settings(SENTRY_DSN=dsn).sentry_dsn == SecretStr(dsn)
    assert Dsn(dsn).public_key


@pytest.mark.parametrize(
    "dsn",
    ["garbage", "ftp://key@host/1", "https://key@host", "https://key@host/project", "https://key@/1", "https://host/1", "https://k@h:x/1"],
)
def test_a_dsn_that_sentry_sdk_would_refuse_is_refused_at_the_start(dsn: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - its own BadDsn or, for a port, Python's error
        Dsn(dsn)

    (said,) = problems(SENTRY_DSN=dsn)

    assert said.startswith("SENTRY_DSN: write ")


def test_the_embedded_database_is_in_the_data_folder() -> None:
    assert settings(DATA_DIR="/srv/router").database == "sqlite:////srv/router/router.db"


@pytest.mark.parametrize(
    "url",
    [
        "redis://h/1",
        "rediss://:pw@h:6380/0",
        "unix:///run/redis.sock?db=2",
        "redis+sentinel://:pw@h:26379,i,j:26380/main/0",
        "rediss+cluster://h,i:7001",
    ],
)
def test_redis_may_be_reached_in_each_of_its_ways(url: str) -> None:
    assert settings(REDIS_URL=url, RQ_KEY_PREFIX="{alert-router}:rq").redis_url == url


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://h,i/0", "write redis://host:port/0"),
        ("redis+sentinel://h,i", "write redis+sentinel://host:26379,host:26379/name-of-the-service/0"),
        ("redis+sentinel://h,i:0/main", "write redis+sentinel://"),
        ("redis+sentinel://h,/main", "write redis+sentinel://"),
        ("redis+sentinel://h/main/zero", "write redis+sentinel://"),
        ("redis+sentinel://[::1/main", "write redis+sentinel://"),
        ("redis+cluster://h,i:x", "write redis://host:port/0"),
    ],
)
def test_several_hosts_are_refused_where_they_make_no_sense(url: str, said: str) -> None:
    (found,) = problems(REDIS_URL=url)

    assert found.startswith(f"REDIS_URL: {said}")


def test_in_a_cluster_rqs_keys_have_to_stay_together() -> None:
    assert problems(REDIS_URL="redis+cluster://h") == [
        "RQ_KEY_PREFIX: a Redis Cluster keeps only keys together that share what is in braces; set it to {alert-router}"
    ]


def test_a_base_address_loses_the_slash_at_its_end() -> None:
    found = settings(
        JIRA_URL="https://acme.atlassian.net/", SLACK_API_URL="http://127.0.0.1:9000/api/", SENTRY_BASE_URL="http://sentry.local//"
    )

    assert (found.jira_url, found.slack_api_url, found.sentry_base_url) == (
        "https://acme.atlassian.net",
        "http://127.0.0.1:9000/api",
        "http://sentry.local",
    )


@pytest.mark.parametrize(
    ("environment", "rates"),
    [("development", (1.0, 1.0)), ("staging", (0.5, 0.1)), ("production", (0.1, 0.01)), ("qa-7", (0.1, 0.01))],
)
def test_sample_rates_follow_the_environment(environment: str, rates: tuple[float, float]) -> None:
    assert settings(SENTRY_ENVIRONMENT=environment).sample_rates == rates


def test_sample_rates_that_are_given_go_before() -> None:
    found = settings(SENTRY_TRACES_SAMPLE_RATE="0", SENTRY_PROFILES_SAMPLE_RATE="0.25")

    assert found.sample_rates == (0.0, 0.25)


def test_all_variables_are_there_for_the_rules() -> None:
    found = settings(TEAM="shop", environment="not a setting")

    assert found.environment["TEAM"] == "shop"
    assert found.sentry_environment == "development"


class TestTheFileOfDevelopment:
    def write(self, folder: Path, text: str) -> Path:
        path = folder / ".env"
        path.write_text(text, encoding="utf-8")
        return path

    def test_is_read(self, tmp_path: Path) -> None:
        path = self.write(tmp_path, f"SENTRY_CLIENT_SECRETS={SECRET}\nPORT=9000\n# a comment\nTEAM='shop'\nEMPTY\n")

        found = Settings.load({}, path)

        assert (found.client_secrets, found.port, found.environment["TEAM"]) == ((SECRET,), 9000, "shop")
        assert "EMPTY" not in found.environment

    def test_gives_way_to_the_environment(self, tmp_path: Path) -> None:
        path = self.write(tmp_path, f"SENTRY_CLIENT_SECRETS={SECRET}\nPORT=9000\n")

        assert Settings.load({"PORT": "9001"}, path).port == 9001

    def test_is_not_needed(self, tmp_path: Path) -> None:
        assert Settings.load(ENOUGH, tmp_path / ".env").client_secrets == (SECRET,)

    def test_is_not_read_in_production(self, tmp_path: Path) -> None:
        path = self.write(tmp_path, "PORT=9000\nALLOW_UNSIGNED=true\n")

        found = Settings.load({**ENOUGH, "SENTRY_ENVIRONMENT": "production"}, path)

        assert (found.port, found.allow_unsigned, found.is_production) == (8000, False, True)

    def test_cannot_put_the_service_into_production_and_keep_its_own_freedom(self, tmp_path: Path) -> None:
        path = self.write(tmp_path, f"SENTRY_ENVIRONMENT=production\nALLOW_UNSIGNED=true\nSENTRY_CLIENT_SECRETS={SECRET}\n")

        with pytest.raises(SettingsError, match="ALLOW_UNSIGNED: refused in production"):
            Settings.load({}, path)

    def test_leaves_the_process_environment_alone(self, tmp_path: Path) -> None:
        path = self.write(tmp_path, "PORT=9000\n")
        environment = dict(ENOUGH)

        Settings.load(environment, path)

        assert environment == ENOUGH


class TestSecrets:
    def test_are_all_marked_as_such(self) -> None:
        assert {name for name in SECRETS if not name.endswith("_URL")} >= {
            name.upper()
            for name in Settings.model_fields
            if name.endswith(("_token", "_secret", "_secrets", "_dsn", "password")) and name != "environment"
        }
        assert {"SENTRY_CLIENT_SECRETS", "SMTP_URL", "SENTRY_DSN"} <= set(SECRETS)

    @pytest.mark.parametrize("name", [*SECRETS, "DATABASE_URL", "REDIS_URL"])
    def test_do_not_show_when_settings_are_printed(self, name: str) -> None:
        url = {
            "DATABASE_URL": f"postgres://u:{SECRET}@h/d",
            "REDIS_URL": f"redis://:{SECRET}@h/0",
            "SENTRY_DSN": f"https://{SECRET}@h/1",
        }

        found = Settings.from_variables({"SENTRY_CLIENT_SECRETS": "other", "FURTHER": SECRET, name: url.get(name, SECRET)})

        assert SECRET not in f"{found!r}{found}"

    @pytest.mark.parametrize("name", [name.upper() for name in Settings.model_fields if name != "environment"])
    def test_do_not_show_when_they_are_put_into_the_wrong_variable(self, name: str) -> None:
        variables = {"ALLOW_UNSIGNED": "", "SENTRY_CLIENT_SECRETS": "", name: SECRET}

        with pytest.raises(SettingsError) as refused:
            Settings.from_variables(variables if name != "SENTRY_CLIENT_SECRETS" else {**variables, "PORT": "x"})

        assert SECRET not in f"{refused.value}{refused.value!r}"
        assert refused.value.__context__ is None

    def test_are_what_they_were_given_as(self) -> None:
        assert settings(SLACK_BOT_TOKEN=SECRET).slack_bot_token == SecretStr(SECRET)


@given(st.dictionaries(st.sampled_from([name.upper() for name in Settings.model_fields]), st.text(max_size=12), max_size=6))
def test_any_environment_is_taken_or_refused_in_words(variables: dict[str, str]) -> None:
    try:
        Settings.from_variables(variables)
    except SettingsError as error:
        lines = str(error).splitlines()
    else:
        lines = []

    assert all(line.partition(":")[0] in {name.upper() for name in Settings.model_fields} for line in lines)
