"""What the service looks after beside alerts: when each duty was last done, and counts that outlive the rows that were counted."""

import sqlalchemy as sa
from alembic import op

from storage.tables import Id, UtcDateTime

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Only adds: code of before works beside it."""
    op.create_table(
        "marks",
        sa.Column("name", sa.String(length=100), primary_key=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("value", sa.Text),
    )
    op.create_table(
        "arrivals",
        sa.Column("project", sa.String(length=200), primary_key=True),
        sa.Column("hour", UtcDateTime, primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("last_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "troubles",
        sa.Column("id", Id, primary_key=True),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("check_name", sa.String(length=50), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("said", sa.Text, nullable=False),
        sa.Column("way_out", sa.Text, nullable=False),
        sa.Column("began_at", UtcDateTime, nullable=False),
        sa.Column("ended_at", UtcDateTime),
        sa.Column("seen_at", UtcDateTime, nullable=False),
        sa.Column("tell_at", UtcDateTime, nullable=False),
        sa.Column("told_at", UtcDateTime),
        sa.Column("told_to", sa.String(length=200)),
        sa.Column("told", sa.Text),
    )
    is_open = sa.text("ended_at IS NULL")
    op.create_index("uq_troubles_open", "troubles", ["key"], unique=True, sqlite_where=is_open, postgresql_where=is_open)
    op.create_table(
        "tallies",
        sa.Column("name", sa.String(length=64), primary_key=True),
        sa.Column("labels", sa.String(length=500), primary_key=True),
        sa.Column("value", sa.Float, nullable=False),
    )
    op.add_column("events", sa.Column("pruned_at", UtcDateTime))
    is_duplicate = sa.text("duplicate_of IS NOT NULL")
    op.create_index("ix_events_duplicate_of", "events", ["duplicate_of"], sqlite_where=is_duplicate, postgresql_where=is_duplicate)
    for name in ("timers", "sample_scopes", "announcements", "incident_turns"):
        op.create_index(f"ix_{name}_event", name, ["event_id"])
