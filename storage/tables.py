"""The tables. Rows stay in storage; what leaves it are values of `routing`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)

metadata = MetaData()

Id = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only for INTEGER PRIMARY KEY (sqlite.org/autoinc.html)."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment. SQLite has no zones, so there it is stored as UTC and comes back aware."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], datetime | str | None]:
        """UTC on the way in; a naive moment is a bug of ours and raises.

        In SQLAlchemy's own form for SQLite, which it would put together with ten times the effort: a batch has a thousand of them.
        """
        return _text_of if dialect.name == "sqlite" else _in_utc

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None]:  # noqa: ARG002 - as above
        """UTC on the way out; a dashboard reads twenty thousand."""
        return _of_text if dialect.name == "sqlite" else _in_utc


class CleanText(TypeDecorator[str]):
    """A text that every database takes: what none can hold, a null character or half a surrogate pair, is `?`."""

    impl = Text
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[str | None], str | None]:  # noqa: ARG002 - SQLAlchemy's signature
        """Clean on the way in: one text that cannot be stored would undo its whole batch, at each new try."""
        return _clean


class CleanString(TypeDecorator[str]):
    """The same, of limited length."""

    impl = String
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[str | None], str | None]:  # noqa: ARG002 - SQLAlchemy's signature
        """Clean on the way in."""
        return _clean


_UNTIL_ZONE = len("2026-03-04 23:30:00.000000")


def _in_utc(value: datetime | None) -> datetime | None:
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError("a stored moment must be aware")
    return value.astimezone(UTC)


def _text_of(value: datetime | None) -> str | None:
    if value is not None and value.tzinfo is UTC:  # as nearly all are
        return value.isoformat(" ", "microseconds")[:_UNTIL_ZONE]
    moment = _in_utc(value)
    return None if moment is None else moment.isoformat(" ", "microseconds")[:_UNTIL_ZONE]


def _of_text(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(f"{value}+00:00")


def _clean(value: str | None) -> str | None:
    if not value or (value.isascii() and "\0" not in value):
        return value
    return value.replace("\0", "?").encode("utf-8", "replace").decode()


events = Table(
    "events",
    metadata,
    Column("id", Id, primary_key=True),
    Column("received_at", UtcDateTime, nullable=False),
    Column("resource", CleanString(64), nullable=False),
    Column("body_hash", LargeBinary(32), unique=True),
    Column("body", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False),
    Column("disposition", String(16)),
    Column("error", CleanText),
    Column("content_key", String(64)),
    Column("duplicate_of", Id, ForeignKey("events.id")),
    Column("incident_id", Id, ForeignKey("incidents.id")),
    Column("action", CleanString(64)),
    Column("project", CleanString(200)),
    Column("environment", CleanString(200)),
    Column("level", String(16)),
    Column("title", CleanText),
    Column("ignored_by", CleanText),
    # JSON: what others said of it when they were asked.
    Column("findings", CleanText),
    Column("rules_version", String(64)),
    Column("trace", LargeBinary),
    Column("planned_at", UtcDateTime),
    # What dashboards count by.
    Column("release", CleanString(200)),
    Column("endpoint", CleanString(200)),
    Column("category", String(16)),
    Column("error_type", CleanString(200)),
    Column("person", CleanString(200)),
    Column("duration_ms", Float),
    Column("database_ms", Float),
    # When its body was deleted for its age: then `body` says only that.
    Column("pruned_at", UtcDateTime),
    Index("ix_events_state", "state", "id", sqlite_where=text("state <> 'planned'"), postgresql_where=text("state <> 'planned'")),
    Index("ix_events_content_key", "content_key"),
    Index("ix_events_incident", "incident_id", "id"),
    Index("ix_events_received_at", "received_at"),
    # An event may go once nothing names it, which the database makes sure of for each.
    Index(
        "ix_events_duplicate_of",
        "duplicate_of",
        sqlite_where=text("duplicate_of IS NOT NULL"),
        postgresql_where=text("duplicate_of IS NOT NULL"),
    ),
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", Id, primary_key=True),
    Column("key", String(200), nullable=False, unique=True),
    Column("status", String(16), nullable=False),
    Column("title", CleanText, nullable=False),
    Column("project", CleanString(200)),
    Column("link", CleanText),
    Column("began_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("last_change", String(64)),
    Column("acknowledged_by", CleanString(250)),
    Column("quiet_until", UtcDateTime),
    Column("quiet_why", CleanText),
    Column("assigned", Boolean, nullable=False),
    Column("event_count", BigInteger),
    Column("user_count", BigInteger),
    Column("first_seen", UtcDateTime),
    Column("last_seen", UtcDateTime),
    Column("assignee", CleanString(100)),
    Column("trend", JSON),
    Column("links", JSON),
    # By issue when its end was passed on to Sentry.
    Column("passed_on", Text),
    # By destination when people last did something there.
    Column("done_at", Text),
    Column("alert_count", Integer, nullable=False),
    Column("first_alert_at", UtcDateTime, nullable=False),
    Column("last_alert_at", UtcDateTime, nullable=False),
    Index("ix_incidents_last_alert_at", "last_alert_at", "id"),
    Index("ix_incidents_status", "status", "last_alert_at", "id"),
)

cooldowns = Table(
    "cooldowns",
    metadata,
    Column("incident_id", Id, ForeignKey("incidents.id"), primary_key=True),
    Column("rule", String(200), primary_key=True),
    Column("notified_at", UtcDateTime, nullable=False),
)

timers = Table(
    "timers",
    metadata,
    Column("incident_id", Id, ForeignKey("incidents.id"), primary_key=True),
    Column("rule", String(200), primary_key=True),
    Column("cause", String(16), primary_key=True),
    Column("step", SmallInteger, primary_key=True, autoincrement=False),
    Column("group_key", String(200), primary_key=True),
    Column("due_at", UtcDateTime, nullable=False),
    Column("event_id", Id, ForeignKey("events.id"), nullable=False),
    Column("held_by", String(16)),
    Column("why", CleanText, nullable=False),
    Index("ix_timers_due", "due_at"),
    Index("ix_timers_group", "group_key"),
    Index("ix_timers_event", "event_id"),
)

sightings = Table(
    "sightings",
    metadata,
    Column("incident_id", Id, ForeignKey("incidents.id"), primary_key=True),
    Column("place", CleanString(250), primary_key=True),
)

samples = Table(
    "samples",
    metadata,
    Column("event_id", Id, ForeignKey("events.id"), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("incident_id", Id, ForeignKey("incidents.id")),
    Column("project", String(200)),
    Column("sentry_event", CleanString(200)),
    # JSON; null where the rules asked for nothing that was there.
    Column("values", Text),
    Index("ix_samples_at", "at"),
    Index("ix_samples_incident", "incident_id", "at"),
    Index("ix_samples_project", "project", "at"),
)

sample_scopes = Table(
    "sample_scopes",
    metadata,
    Column("scope", String(200), primary_key=True),
    Column("at", UtcDateTime, primary_key=True),
    Column("event_id", Id, ForeignKey("events.id"), primary_key=True, autoincrement=False),
    Index("ix_sample_scopes_at", "at"),
    Index("ix_sample_scopes_event", "event_id"),
)

incident_issues = Table(
    "incident_issues",
    metadata,
    Column("incident_id", Id, ForeignKey("incidents.id"), primary_key=True),
    Column("issue_key", String(200), primary_key=True),
    Column("is_open", Boolean, nullable=False),
    Index("ix_incident_issues_issue", "issue_key"),
)

last_changes = Table(
    "last_changes",
    metadata,
    Column("incident_id", Id, ForeignKey("incidents.id"), primary_key=True),
    Column("issue_key", String(200), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("heard_at", UtcDateTime, nullable=False),
)

announcements = Table(
    "announcements",
    metadata,
    Column("incident_id", Id, ForeignKey("incidents.id"), primary_key=True),
    Column("subject", String(250), primary_key=True),
    Column("place", String(16), primary_key=True),
    Column("receiver", CleanString(200), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("rules", CleanText, nullable=False),
    Column("severity", String(16), nullable=False),
    Column("why", CleanText, nullable=False),
    Column("changes", CleanText, nullable=False),
    Column("follows", Text, nullable=False),
    Column("event_id", Id, ForeignKey("events.id"), nullable=False),
    Index("ix_announcements_subject", "subject", "place"),
    Index("ix_announcements_event", "event_id"),
)

incident_turns = Table(
    "incident_turns",
    metadata,
    Column("id", Id, primary_key=True),
    Column("incident_id", Id, ForeignKey("incidents.id"), nullable=False),
    Column("event_id", Id, ForeignKey("events.id"), nullable=False),
    Column("turn", String(16), nullable=False),
    Column("how", String(64), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("who", CleanText),
    Column("origin", CleanString(100), nullable=False),
    Index("ix_incident_turns_incident", "incident_id", "id"),
    Index("ix_incident_turns_event", "event_id"),
)

explanations = Table(
    "explanations",
    metadata,
    Column("incident_id", Id, ForeignKey("incidents.id"), primary_key=True),
    Column("likeness", String(200), primary_key=True),
)

told_groups = Table(
    "told_groups",
    metadata,
    Column("group_key", String(200), primary_key=True),
    Column("told_at", UtcDateTime, nullable=False),
)

told_alerts = Table(
    "told_alerts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("likeness", String(200), nullable=False),
    Column("told_at", UtcDateTime, nullable=False),
    Index("ix_told_alerts_told_at", "told_at"),
)

silences = Table(
    "silences",
    metadata,
    Column("id", Id, primary_key=True),
    Column("matchers", CleanText, nullable=False),
    Column("author", CleanString(100), nullable=False),
    Column("comment", CleanText, nullable=False),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("reminded", Text, nullable=False),
    Index("ix_silences_ends_at", "ends_at"),
)

slots = Table(
    "slots",
    metadata,
    Column("id", Id, primary_key=True),
    Column("receiver", CleanString(200), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index("ix_slots_at", "at"),
)

rules_versions = Table(
    "rules_versions",
    metadata,
    Column("version", CleanString(64), primary_key=True),
    Column("text", CleanText, nullable=False),
    Column("in_force_at", UtcDateTime, nullable=False),
)

notifications = Table(
    "notifications",
    metadata,
    Column("id", Id, primary_key=True),
    Column("event_id", Id, ForeignKey("events.id"), nullable=False),
    Column("incident_id", Id, ForeignKey("incidents.id"), nullable=False),
    Column("receiver", CleanString(200), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("rules", Text, nullable=False),
    Column("severity", String(16), nullable=False),
    Column("lane", String(16), nullable=False),
    Column("reason", String(16), nullable=False),
    Column("why", CleanText, nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("next_attempt_at", UtcDateTime, nullable=False),
    Column("claimed_by", String(64)),
    Column("attempts", SmallInteger, nullable=False),
    Column("failures", SmallInteger, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("reference", CleanText),
    # Of the reference the part by which the vendor's webhooks name the incident.
    Column("vendor_key", CleanString(255)),
    # And the address where people see it.
    Column("link", CleanText),
    Column("occasion", String(200), nullable=False),
    Column("subject", String(250), nullable=False),
    Column("place", String(16), nullable=False),
    Column("others", CleanText),
    Column("next_step", CleanText),
    Column("changes", CleanText),
    # Under which it was sent, and where that was: what is told there later goes by them, too.
    Column("rules_version", String(64)),
    Column("sent_place", String(16)),
    # Whether it was looked for somebody else to tell, because this one could not be told.
    Column("fell_back", Boolean, nullable=False, server_default=false()),
    # Of an end that goes to one of several places: the last message there when it was to be told.
    Column("ends", Id),
    # However often an event is planned, it is announced to a destination once on each occasion.
    UniqueConstraint("event_id", "receiver", "occasion", "subject", "place", name="uq_notifications_event_receiver"),
    Index(
        "ix_notifications_due",
        "lane",
        "next_attempt_at",
        "id",
        sqlite_where=text("state = 'planned'"),
        postgresql_where=text("state = 'planned'"),
    ),
    Index(
        "ix_notifications_unfinished",
        "subject",
        "place",
        "id",
        sqlite_where=text("state IN ('planned', 'sending')"),
        postgresql_where=text("state IN ('planned', 'sending')"),
    ),
    Index(
        "uq_notifications_on_its_way",
        "subject",
        "place",
        unique=True,
        sqlite_where=text("state = 'sending'"),
        postgresql_where=text("state = 'sending'"),
    ),
    Index("ix_notifications_claimed", "claimed_by", sqlite_where=text("state = 'sending'"), postgresql_where=text("state = 'sending'")),
    Index("ix_notifications_state", "state", "id"),
    Index("ix_notifications_receiver", "receiver", "state", "id"),
    Index("ix_notifications_created_at", "created_at"),
    Index("ix_notifications_incident", "incident_id", "id"),
    Index(
        "ix_notifications_lost",
        "id",
        sqlite_where=text("state = 'dead' AND fell_back = 0"),
        postgresql_where=text("state = 'dead' AND NOT fell_back"),
    ),
    Index("ix_notifications_topic", "subject", "place", "id"),
    Index(
        "ix_notifications_vendor_key",
        "vendor_key",
        "kind",
        sqlite_where=text("vendor_key IS NOT NULL"),
        postgresql_where=text("vendor_key IS NOT NULL"),
    ),
)

gates = Table(
    "gates",
    metadata,
    Column("name", String(48), primary_key=True),
    # Through which the last message went.
    Column("receiver", CleanString(200), nullable=False),
    # When the next message may go, by all that follows.
    Column("opens_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("paid_until", UtcDateTime),
    Column("closed_until", UtcDateTime),
    Column("why", CleanText, nullable=False),
    Column("window_began_at", UtcDateTime),
    Column("fine", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("trips", SmallInteger, nullable=False),
)

opt_outs = Table(
    "opt_outs",
    metadata,
    Column("place", String(16), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
)

attempts = Table(
    "attempts",
    metadata,
    Column("notification_id", Id, ForeignKey("notifications.id"), primary_key=True),
    Column("number", SmallInteger, primary_key=True),
    Column("began_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("outcome", String(16)),
    Column("status_code", SmallInteger),
    Column("excerpt", CleanText),
    Column("payload", CleanText),
)

workers = Table(
    "workers",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("alive_until", UtcDateTime, nullable=False),
)

refusals = Table(
    "refusals",
    metadata,
    Column("day", Date, primary_key=True),
    Column("path", String(16), primary_key=True),
    Column("status", SmallInteger, primary_key=True),
    Column("count", BigInteger, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", CleanString(100), nullable=False),
    # Who vouches for them: this service by a password, an OIDC issuer, a proxy. The same name at two is two people.
    Column("origin", CleanString(200), nullable=False),
    Column("role", String(16), nullable=False),
    Column("password_hash", String(200)),
    Column("is_active", Boolean, nullable=False),
    # Sessions that began earlier are over.
    Column("sessions_since", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("last_seen_at", UtcDateTime),
    # By what the issuer knows them, whatever their name.
    Column("subject", CleanString(255)),
    UniqueConstraint("origin", "name", name="uq_users_name"),
    Index("uq_users_subject", "origin", "subject", unique=True),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", CleanString(100), nullable=False),
    Column("token_hash", LargeBinary(32), nullable=False, unique=True),
    Column("scopes", String(100), nullable=False),
    Column("made_by", CleanString(200), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("last_used_at", UtcDateTime),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("who", CleanString(200), nullable=False),
    Column("origin", CleanString(200), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", CleanText, nullable=False),
    Column("detail", CleanText, nullable=False),
)

saved_views = Table(
    "saved_views",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", CleanString(100), nullable=False, unique=True),
    Column("query", CleanText, nullable=False),
    Column("made_by", CleanString(200), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

marks = Table(
    "marks",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("value", CleanText),
)

arrivals = Table(
    "arrivals",
    metadata,
    Column("project", CleanString(200), primary_key=True),
    Column("hour", UtcDateTime, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
)

troubles = Table(
    "troubles",
    metadata,
    Column("id", Id, primary_key=True),
    Column("key", CleanString(250), nullable=False),
    Column("check_name", CleanString(50), nullable=False),
    Column("subject", CleanString(200), nullable=False),
    Column("said", CleanText, nullable=False),
    Column("way_out", CleanText, nullable=False),
    Column("began_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    # By the clock that all processes share: when any of them saw it last.
    Column("seen_at", UtcDateTime, nullable=False),
    # When somebody is to be told next of it, or of its end.
    Column("tell_at", UtcDateTime, nullable=False),
    Column("told_at", UtcDateTime),
    Column("told_to", CleanString(200)),
    # JSON of who is still to be told its end, and what each one's vendor calls it.
    Column("told", CleanText),
    Index("uq_troubles_open", "key", unique=True, sqlite_where=text("ended_at IS NULL"), postgresql_where=text("ended_at IS NULL")),
)

tallies = Table(
    "tallies",
    metadata,
    Column("name", String(64), primary_key=True),
    # JSON of their names and values, sorted.
    Column("labels", CleanString(500), primary_key=True),
    Column("value", Float, nullable=False),
)

kept_secrets = Table(
    "kept_secrets",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)
