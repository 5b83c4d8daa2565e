"""Whom the doctor looks at: a service as far as it can be described, whatever is wrong with its description."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Engine

from notifiers.configuration import missing_credentials
from notifiers.http import Network, Timeouts
from notifiers.registry import KINDS
from routing.rules import RulesError, RuleSet
from routing.rules_loading import load
from settings import PRODUCTION, Settings, SettingsError
from storage.database import SchemaError, open_database
from storage.rules_file import RulesFile

_MOST_ROUNDS = 20
TIMEOUTS = Timeouts(connect_seconds=3.0, read_seconds=6.5)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Patient:
    """All that the checks stand on."""

    settings: Settings
    """Without the variables that are wrong, where some are."""
    variables: Mapping[str, str]
    """As they were given, with secrets."""
    problems: tuple[str, ...] = ()
    """What is wrong with them, as `SettingsError` says it."""
    engine: Engine | None
    engine_fault: str = ""
    """Why there is none."""
    rules: RulesFile | None
    """The file, as far as it can be read without credentials."""
    rules_fault: RulesError | None = None
    clock: Callable[[], datetime]
    event: int | None = None
    """The event that is asked about."""
    network: Network = field(default_factory=lambda: Network(TIMEOUTS))
    """One for all, so that what vendors list is read once."""

    @property
    def is_production(self) -> bool:
        """Whether a missing credential is a fault."""
        return self.variables.get("SENTRY_ENVIRONMENT") == PRODUCTION

    @property
    def rule_set(self) -> RuleSet | None:
        """The rules; None if there are none that can be read."""
        return self.rules.rules if self.rules else None

    @property
    def missing(self) -> Mapping[str, str]:
        """By receiver the credential that is not set."""
        return missing_credentials(self.rules.rules, self.settings) if self.rules else {}


def described_by(variables: Mapping[str, str], clock: Callable[[], datetime], event: int | None = None) -> Patient:
    """The service that these variables describe, with all that is wrong with them set aside."""
    settings, problems = _healed(variables)
    engine, engine_fault = _opened(settings)
    rules, rules_fault = _rules(settings)
    return Patient(
        settings=settings,
        variables=variables,
        problems=problems,
        engine=engine,
        engine_fault=engine_fault,
        rules=rules,
        rules_fault=rules_fault,
        clock=clock,
        event=event,
    )


def _healed(variables: Mapping[str, str]) -> tuple[Settings, tuple[str, ...]]:
    """Settings without the variables that are wrong, and what is wrong with those; some faults show only when others are gone."""
    left, problems = dict(variables), dict[str, None]()
    for _ in range(_MOST_ROUNDS):
        try:
            return Settings.from_variables(left), tuple(problems)
        except SettingsError as error:
            found = str(error).splitlines()
        problems |= dict.fromkeys(found)
        wrong = {line.partition(":")[0] for line in found}
        if not wrong & {name.upper() for name in left}:
            wrong |= {"REDIS_URL"}  # what is missing beside a Cluster is missing because of it
        left = {name: value for name, value in left.items() if name.upper() not in wrong}
        if wrong & {"SENTRY_CLIENT_SECRETS", "ALLOW_UNSIGNED"}:
            left |= {"ALLOW_UNSIGNED": "true", "SENTRY_ENVIRONMENT": "development"}
    return Settings.from_variables({"ALLOW_UNSIGNED": "true"}), tuple(problems)


def _opened(settings: Settings) -> tuple[Engine | None, str]:
    try:
        return open_database(settings.database), ""
    except SchemaError as error:
        return None, str(error)


def _rules(settings: Settings) -> tuple[RulesFile | None, RulesError | None]:
    """Without a look at credentials: that they are missing is said of each receiver."""

    def read(text: str, included: Mapping[str, str]) -> RuleSet:
        return load(text, kinds=KINDS, environment=settings.environment, included=included)

    try:
        return RulesFile(settings.rules_file, read), None
    except RulesError as error:
        return None, error
