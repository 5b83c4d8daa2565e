"""Every setting of the service, read from the environment once; nobody else reads it.

A field's `help` is what the README's table says of it, and a test holds the two together.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import unquote, urlsplit

from dotenv import dotenv_values
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, HttpUrl, SecretStr, ValidationError, field_validator, model_validator

PRODUCTION = "production"
SAMPLE_RATES: Mapping[str, tuple[float, float]] = {"development": (1.0, 1.0), "staging": (0.5, 0.1), PRODUCTION: (0.1, 0.01)}
"""Traces and profiles by environment, as the guide has them; an environment of another name counts as production."""

_UNITS = {"d": "days", "w": "weeks"}
_LONGEST = timedelta(weeks=520)
_PASSWORD = re.compile(r"://[^/?#\s]*?:([^/?#\s]+)@")
_SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?|DSN|WEBHOOK_URL)S?$", re.IGNORECASE)
SHORTEST_SECRET = 6
"""What is shorter stands in too many words to be looked for."""
LOG_LEVELS = ("debug", "info", "warning", "error")

_UNSIGNED = (
    "SENTRY_CLIENT_SECRETS: missing; copy the Client Secret of the integration from Sentry (Settings > Custom Integrations), "
    "or set ALLOW_UNSIGNED=true to try the service without one"
)

_DSN = re.compile(r"https?://[^\s/:@]+(:[^\s/:@]*)?@(\[[0-9a-fA-F:.]+\]|[^\s/:@\[\]?#]+)(:[0-9]{1,5})?/([^\s?#]+/)?[0-9]+")


class SettingsError(Exception):
    """The environment does not describe a service that can start; the text lists every problem."""


def _comma_separated(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _duration(value: object) -> object:
    """As rules.yaml spells them; at least a day, for what is younger is still worked with."""
    if not isinstance(value, str):
        return value
    matched = re.fullmatch(r"([0-9]{1,4})([dw])", value.strip())
    found = timedelta(**{_UNITS[matched[2]]: int(matched[1])}) if matched else timedelta()
    if not timedelta(days=1) <= found <= _LONGEST:
        raise ValueError("write a number of days or weeks, like 30d or 52w, at most 520w")
    return found


def _base_url(value: str) -> str:
    HttpUrl(value)
    return value.rstrip("/")


BaseUrl = Annotated[str, BeforeValidator(_base_url)]
Days = Annotated[timedelta, BeforeValidator(_duration)]


class Settings(BaseModel):
    """The environment as values. Secrets print as stars."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    sentry_client_secrets: Annotated[tuple[SecretStr, ...], BeforeValidator(_comma_separated)] = Field(
        (), description="client secrets of the Sentry integration, comma-separated; list the old and the new one while rotating"
    )
    legacy_webhook_token: SecretStr | None = Field(
        None, description="token in the path of the unsigned legacy and GlitchTip webhooks; unset, those paths answer 404"
    )
    allow_unsigned: bool = Field(default=False, description="take webhooks without a signature; refused in production")
    max_body_bytes: int = Field(5 * 1024 * 1024, gt=0, description="largest webhook body, larger ones get 413")
    port: int = Field(8000, gt=0, lt=65536, description="port of the web process")
    public_url: BaseUrl | None = Field(
        None, description="address at which people reach the console, `https://alerts.example.com`; its cookies are for https only then"
    )
    console_open_on_loopback: bool = Field(
        default=False, description="whoever opens the console on this machine itself is an admin, as in `make demo`; refused in production"
    )
    oidc_issuer: BaseUrl | None = Field(None, description="issuer of OpenID Connect by which people sign in; unset, by passwords")
    oidc_client_id: str | None = Field(None, description="the console's id at the issuer; its redirect address is `/sign-in/oidc/back`")
    oidc_client_secret: SecretStr | None = Field(None, description="and its secret")
    oidc_role_claim: str = Field("groups", description="claim of the issuer that decides the role")
    oidc_admins: Annotated[tuple[str, ...], BeforeValidator(_comma_separated)] = Field(
        (), description="values of that claim that make an admin, comma-separated"
    )
    oidc_operators: Annotated[tuple[str, ...], BeforeValidator(_comma_separated)] = Field(
        (), description="values of that claim that make an operator; whoever else can sign in there is a viewer"
    )
    proxy_user_header: str | None = Field(
        None, description="header in which a proxy that has signed people in names them, `X-Forwarded-User`; unset, none is believed"
    )
    proxy_addresses: Annotated[tuple[str, ...], BeforeValidator(_comma_separated)] = Field(
        (), description="addresses or networks of proxies, comma-separated; from others neither that header nor X-Forwarded-For is believed"
    )
    proxy_role: Literal["viewer", "operator", "admin"] = Field("viewer", description="role of whom the proxy names for the first time")
    personal_data_for: Literal["viewer", "operator", "admin"] = Field(
        "operator", description="lowest role that sees users, messages and requests of alerts; others see them masked"
    )
    canary_url: BaseUrl | None = Field(
        None, description="where workers reach the web process, to send canaries; `make run` knows it; unset, only receivers are tried"
    )
    dead_man_url: SecretStr | None = Field(
        None,
        description="address that is asked for every minute while all is well, for Healthchecks and the like to miss it",
    )
    dead_man_hears_of_faults: bool = Field(
        default=False, description="whether DEAD_MAN_URL with `/fail` at its end is asked for while all is not well, as Healthchecks has it"
    )
    metrics_token: SecretStr | None = Field(
        None, description="token by which `/metrics` and the details of `/readyz` are read, as `Authorization: Bearer …`"
    )
    metrics_from: Annotated[tuple[str, ...], BeforeValidator(_comma_separated)] = Field(
        ("127.0.0.1", "::1"), description="addresses or networks that read them without it, comma-separated"
    )
    data_dir: Path = Field(Path("var"), description="folder of the embedded database and of the embedded Redis")
    database_url: str = Field("", repr=False, description="SQLAlchemy address: `postgresql+psycopg://…`; unset, SQLite in DATA_DIR")
    retain_bodies: Days = Field(
        "30d", validate_default=True, description="how long webhooks' bodies and sent messages are kept: `30d`, `8w` (`flask prune`)"
    )
    retain_events: Days = Field(
        "90d", validate_default=True, description="how long events are kept, with what became of them, and incidents that are over"
    )
    retain_records: Days = Field(
        "365d", validate_default=True, description="how long the audit is kept, and how many requests were refused each day"
    )
    spool_dir: Path | None = Field(
        None, description="folder in which webhooks wait while the database is away, on another disk if possible; unset, they get 503 then"
    )
    redis_url: str = Field("redis://127.0.0.1:6379/0", repr=False, description="Redis for RQ; unset, `make run` starts one of its own")
    rq_key_prefix: str = Field(
        "rq", description="how RQ's keys begin; for a Redis Cluster `{alert-router}`. RQ reads it itself: from the environment, not `.env`"
    )
    rules_file: Path = Field(Path("rules.yaml"), description="the rules")
    sentry_base_url: BaseUrl = Field("https://sentry.io", description="Sentry's address, for links to issues that came without one")
    sentry_api_token: SecretStr | None = Field(
        None, description="token of the integration: what webhooks do not say is asked, and what people do elsewhere is done in Sentry"
    )
    sentry_org: str | None = Field(None, description="slug of the organization in Sentry")
    slack_bot_token: SecretStr | None = Field(None, description="bot token (`xoxb-…`) with `chat:write`")
    slack_signing_secret: SecretStr | None = Field(
        None, description="secret that signs what buttons in Slack send to `/slack/interactions`; unset, messages have none"
    )
    slack_per_minute: int = Field(60, gt=0, description="messages that Slack lets a channel get; what comes faster waits")
    slack_api_url: BaseUrl = Field("https://slack.com/api", description="Slack's Web API")
    pagerduty_webhook_secrets: Annotated[tuple[SecretStr, ...], BeforeValidator(_comma_separated)] = Field(
        (), description="secrets of PagerDuty's webhook subscriptions, comma-separated; unset, `/webhooks/pagerduty` answers 404"
    )
    pagerduty_events_url: BaseUrl = Field("https://events.pagerduty.com", description="PagerDuty's Events API; EU: events.eu.pagerduty.com")
    pagerduty_per_minute: int = Field(120, gt=0, description="events that PagerDuty takes of a routing key")
    jira_url: BaseUrl | None = Field(None, description="Jira's address, `https://acme.atlassian.net`")
    jira_user: str | None = Field(None, description="e-mail of the Jira Cloud account; unset, JIRA_TOKEN is a personal access token")
    jira_token: SecretStr | None = Field(None, description="API token (Cloud) or personal access token (Data Center)")
    jira_webhook_token: SecretStr | None = Field(
        None, description="token in the path of Jira's webhook, `/webhooks/jira/<token>`; unset, that path answers 404"
    )
    smtp_url: SecretStr | None = Field(
        None, description="`smtp://user:password@host:587` (STARTTLS), `smtps://host:465`, or with `?starttls=off`"
    )
    smtp_per_minute: int | None = Field(None, gt=0, description="mails that the server takes; unset, as many as there are")
    mail_from: str | None = Field(None, description="sender of the mails, `Alerts <alerts@example.com>`")
    twilio_account_sid: str | None = Field(None, description="Twilio account, `AC…`")
    twilio_auth_token: SecretStr | None = Field(None, description="Twilio's token")
    twilio_from: str | None = Field(None, description="sending number `+1…` or messaging service `MG…`")
    twilio_api_url: BaseUrl = Field("https://api.twilio.com", description="Twilio's API")
    twilio_per_minute: int | None = Field(None, gt=0, description="messages that the account may send; unset, Twilio queues them itself")
    worker_threads: int = Field(
        256, gt=0, le=1024, description="deliveries that one worker has under way at once, per lane; one vendor gets three quarters of them"
    )
    sentry_dsn: SecretStr | None = Field(None, description="where this service reports its own errors")
    sentry_environment: str = Field(
        "development", min_length=1, description="`production` refuses unsigned webhooks and missing credentials; else `.env` is read"
    )
    sentry_release: str | None = Field(None, description="release under which this service reports")
    sentry_traces_sample_rate: float | None = Field(None, ge=0, le=1, description="share of traces; by environment: 1, 0.5, 0.1")
    sentry_profiles_sample_rate: float | None = Field(None, ge=0, le=1, description="share of profiles; by environment: 1, 0.1, 0.01")
    sentry_ignore_errors: Annotated[tuple[str, ...], BeforeValidator(_comma_separated)] = Field(
        (), description="errors of this service that it does not report, comma-separated: names of exceptions, or regular expressions"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level of what is logged")
    telemetry_names_people: bool = Field(
        default=False, description="whether logs and reports to Sentry may hold e-mail addresses, phone numbers and whole client addresses"
    )

    environment: Mapping[str, str] = Field(default_factory=dict, repr=False, exclude=True)
    """All variables, for the `${NAME}` of rules.yaml."""

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, dotenv: Path = Path(".env")) -> Self:
        """The settings of this process: the environment, and in development below it the file `.env`.

        Raises:
            SettingsError: with every problem.
        """
        return cls.from_variables(variables_here(environ, dotenv))

    @classmethod
    def from_variables(cls, variables: Mapping[str, str]) -> Self:
        """The settings that these variables describe; an empty value counts as unset.

        Raises:
            SettingsError: with every problem.
        """
        given = {name.lower(): value for name, value in variables.items() if name.lower() in cls.model_fields and value.strip()}
        given.pop("environment", None)
        try:
            return cls.model_validate({**given, "environment": dict(variables)})
        except ValidationError as error:
            problems = _problems(error)
        if not given.keys() & {"sentry_client_secrets", "allow_unsigned"} and _UNSIGNED not in problems:
            problems.append(_UNSIGNED)  # pydantic looks at the whole only where each part is right
        raise SettingsError("\n".join(problems))

    @field_validator("redis_url")
    @classmethod
    def _redis_scheme(cls, value: str) -> str:
        scheme, _, rest = value.partition("://")
        *_, hosts = re.split(r"[/?#]", rest)[0].rpartition("@")
        is_sound = all(_has_sound_port(f"//{host}") for host in hosts.split(","))
        if scheme in {"redis+sentinel", "rediss+sentinel"}:
            if not (is_sound and all(hosts.split(",")) and re.fullmatch(r"/[^/]+(/[0-9]*)?", urlsplit(value).path)):
                raise ValueError("write redis+sentinel://host:26379,host:26379/name-of-the-service/0")
            return value
        is_of_one = scheme in {"redis", "rediss", "unix"} and "," not in hosts
        if not is_sound or not (is_of_one or scheme in {"redis+cluster", "rediss+cluster"}):
            raise ValueError("write redis://host:port/0, rediss://…, unix://…, redis+sentinel://… or redis+cluster://…")
        return value

    @field_validator("database_url")
    @classmethod
    def _driver(cls, value: str) -> str:
        """Hosting services hand out `postgres://`; SQLAlchemy wants the driver named."""
        for scheme in ("postgres://", "postgresql://"):
            if value.startswith(scheme):
                value = "postgresql+psycopg://" + value.removeprefix(scheme)
        if value and not (value.startswith(("postgresql+psycopg://", "sqlite://")) and _has_sound_port(value)):
            raise ValueError("write postgresql://user:password@host:5432/name, in the password @ : / as %40 %3A %2F, or sqlite:///path")
        return value

    @field_validator("proxy_addresses", "metrics_from")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            try:
                ip_network(one)
            except ValueError:
                raise ValueError("write addresses or networks, 10.0.0.7 or 10.0.0.0/24") from None
        return value

    @field_validator("sentry_ignore_errors")
    @classmethod
    def _patterns(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            try:
                re.compile(one)
            except re.error:
                raise ValueError("write names of exceptions, like KeyError, or regular expressions, comma-separated") from None
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _level(cls, value: str) -> str:
        if value.lower() not in LOG_LEVELS:
            raise ValueError(f"write {', '.join(LOG_LEVELS[:-1])} or {LOG_LEVELS[-1]}")
        return value.lower()

    @field_validator("sentry_dsn")
    @classmethod
    def _dsn(cls, value: SecretStr | None) -> SecretStr | None:
        """What sentry_sdk would only refuse once the process starts: https://develop.sentry.dev/sdk/foundations/transport/authentication/."""
        if value and not _DSN.fullmatch(value.get_secret_value()):
            raise ValueError("write https://key@host/project, as Sentry shows it (Settings > Projects > Client Keys)")
        return value

    @model_validator(mode="after")
    def _signed(self) -> Self:
        if self.allow_unsigned and self.is_production:
            raise ValueError("ALLOW_UNSIGNED: refused in production; set SENTRY_CLIENT_SECRETS instead")
        if not self.sentry_client_secrets and not self.allow_unsigned:
            raise ValueError(_UNSIGNED)
        if self.console_open_on_loopback and self.is_production:
            raise ValueError("CONSOLE_OPEN_ON_LOOPBACK: refused in production; sign in")
        return self

    @model_validator(mode="after")
    def _together(self) -> Self:
        if "+cluster://" in self.redis_url and not re.search(r"\{[^}]+\}", self.rq_key_prefix):
            words = "a Redis Cluster keeps only keys together that share what is in braces; set it to {alert-router}"
            raise ValueError(f"RQ_KEY_PREFIX: {words}")
        if self.oidc_issuer and not (self.oidc_client_id and self.oidc_client_secret and self.public_url):
            raise ValueError("OIDC_ISSUER: needs OIDC_CLIENT_ID, OIDC_CLIENT_SECRET and PUBLIC_URL beside it")
        if self.is_production and self.oidc_issuer and not self.oidc_issuer.startswith("https:"):
            raise ValueError("OIDC_ISSUER: write https://…, or anybody on the way could say who signs in")
        if self.proxy_user_header and not self.proxy_addresses:
            raise ValueError("PROXY_USER_HEADER: needs PROXY_ADDRESSES, or anybody could name himself an admin")
        return self

    @property
    def is_production(self) -> bool:
        """Whether a doubtful configuration must stop the start."""
        return self.sentry_environment == PRODUCTION

    @property
    def canary_address(self) -> str | None:
        """Where a canary is sent; None: nobody has said where the web process is."""
        return f"{self.canary_url}/webhooks/sentry" if self.canary_url else None

    @property
    def database(self) -> str:
        """The address of the database: the given one, or SQLite in the data folder."""
        return self.database_url or f"sqlite:///{self.data_dir / 'router.db'}"

    @property
    def client_secrets(self) -> Sequence[str]:
        """The secrets that Sentry may have signed with."""
        return tuple(secret.get_secret_value() for secret in self.sentry_client_secrets)

    @property
    def secrets(self) -> frozenset[str]:
        """All that must not be seen: what is declared as a secret, passwords in addresses, variables that are called like secrets."""
        given = [value for name in type(self).model_fields for value in _members(getattr(self, name)) if isinstance(value, SecretStr)]
        addresses = (self.database_url, self.redis_url, *(value.get_secret_value() for value in given))
        called_so = (value for name, value in self.environment.items() if _SECRET_NAME.search(name))
        passwords = [*map(_password, addresses)]
        found = {*(value.get_secret_value() for value in given), *passwords, *map(unquote, passwords), *called_so}
        return frozenset(value for value in found if len(value) >= SHORTEST_SECRET)

    @property
    def own_project(self) -> str:
        """The number of the Sentry project to which this service reports; empty where it reports to none."""
        return self.sentry_dsn.get_secret_value().rpartition("/")[2] if self.sentry_dsn else ""

    @property
    def sample_rates(self) -> tuple[float, float]:
        """Share of traces and of profiles that this service reports of itself."""
        traces, profiles = SAMPLE_RATES.get(self.sentry_environment, SAMPLE_RATES[PRODUCTION])
        chosen_traces, chosen_profiles = self.sentry_traces_sample_rate, self.sentry_profiles_sample_rate
        return traces if chosen_traces is None else chosen_traces, profiles if chosen_profiles is None else chosen_profiles


def _members(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else (value,)


def _password(address: str) -> str:
    """That of an address, as it stands there; empty where it has none."""
    found = _PASSWORD.search(address)
    return found[1] if found else ""


def variables_here(environ: Mapping[str, str] | None = None, dotenv: Path = Path(".env")) -> dict[str, str]:
    """All variables of this process: the environment, and in development below it the file `.env`."""
    variables = dict(os.environ if environ is None else environ)
    if variables.get("SENTRY_ENVIRONMENT") == PRODUCTION:
        return variables
    return {name: value for name, value in dotenv_values(dotenv).items() if value is not None} | variables


def _has_sound_port(url: str) -> bool:
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


_ADVICE: Mapping[str, str] = {
    "bool_parsing": "write true or false",
    "int_parsing": "write a whole number",
    "float_parsing": "write a number, like 0.1",
    "literal_error": "write viewer, operator or admin",
    "url": "write a web address, like https://host",
}
"""By the beginning of pydantic's name for a fault: https://docs.pydantic.dev/latest/errors/validation_errors."""


def _problems(error: ValidationError) -> list[str]:
    """Each problem as `NAME: what to write`, without the value, which may be a secret."""
    return [
        ": ".join(filter(None, ("_".join(map(str, found["loc"])).upper(), _advice(found["type"], found["msg"]))))
        for found in error.errors()
    ]


def _advice(kind: str, message: str) -> str:
    advice = next((advice for beginning, advice in _ADVICE.items() if kind.startswith(beginning)), None)
    return advice or message.removeprefix("Value error, ").replace("Input should be", "write a number")
